//! Who has which engine, and for how long.
//!
//! Owns the engines that are up, and the bounds on them: on those that statements share, and on those
//! that sessions have for themselves. Promises that an engine is used by one statement, or one
//! session, at a time, that none goes from one user to another, and that one whose user let go of it
//! in the middle of something is ended. Never runs a statement of a client.

use super::answer_spool::{AnswerSpool, SpoolRoom};
use super::answers::CatalogAnswers;
use super::bounds::Bounds;
use super::dressing::{Base, Dressing};
use super::external::{ExternalEngines, Server};
use super::fault::EngineFault;
use super::fickle::Fickle;
use super::link::EngineLink;
use super::places::{Place, Places};
use super::powers::Powers;
use super::running::Engine;
use super::spares::{Spare, Spares};
use super::workshop::Workshop;
use crate::catalog::Namespace;
use crate::config::{EngineKind, EngineSettings};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::{EngineEnd, EngineMeters, EngineState};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long the clean-up after a statement may take: nothing of the client's runs in it.
const CLEAN_UP_MAX: Duration = Duration::from_secs(10);

/// How long an engine may take to become a user's: a few statements of the gateway's own.
const DRESS_MAX: Duration = Duration::from_secs(60);

/// How long the end of the gateway waits for that of its engines.
const END_MAX: Duration = Duration::from_secs(10);

/// How long after a start that failed the next one is tried that nobody waits for.
const SPARE_RETRY: Duration = Duration::from_secs(60);

/// An engine that is up and looks like the database of one user.
#[derive(Debug)]
struct Dressed {
    // Before the engine: the socket is closed first.
    link: EngineLink,
    engine: Box<dyn Engine>,
    dressing: Dressing,
    /// When it was last used.
    rests_since: Instant,
    /// Among those that statements share, or among those that sessions have.
    place: Place,
}

/// All engines of a gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engines {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: EngineSettings,
    /// Where the embedded ones are made.
    workshop: Workshop,
    /// Where the others are, if a server is named.
    external: Option<ExternalEngines>,
    places: Places,
    /// For engines that sessions have for themselves.
    owned_places: Places,
    spares: Spares,
    /// Told when a spare may be missing.
    spares_wanted: Arc<Notify>,
    /// The gateway ends.
    ended: CancellationToken,
    idle: Mutex<Vec<Dressed>>,
    answers: CatalogAnswers,
    /// Asked for once.
    fickle: OnceLock<Fickle>,
    meters: EngineMeters,
    spool_room: Arc<SpoolRoom>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.spares_wanted.notify_one();
    }
}

impl Engines {
    /// Engines as `settings` say; none is started yet.
    pub fn new(settings: EngineSettings) -> Self {
        let spares_wanted = Arc::new(Notify::new());
        let base = Dressing::of("", "", &Namespace::default()).base().clone();
        let meters = EngineMeters::new();
        Engines {
            shared: Arc::new(Shared {
                workshop: Workshop::new(settings.clone()),
                external: match settings.kind {
                    EngineKind::External => Server::of(&settings).map(ExternalEngines::new),
                    EngineKind::Off | EngineKind::Embedded => None,
                },
                places: Places::new(settings.engines_max, spares_wanted.clone(), meters.clone()),
                owned_places: Places::new(settings.owned_max, Arc::default(), meters.clone()),
                spares: Spares::new(base),
                spares_wanted,
                ended: CancellationToken::new(),
                idle: Mutex::default(),
                answers: CatalogAnswers::new(settings.catalog_bytes_max, meters.clone()),
                fickle: OnceLock::new(),
                meters,
                spool_room: Arc::new(SpoolRoom::new(settings.spool_bytes_max)),
                settings,
            }),
        }
    }

    /// Keeps as many spares as the settings say, while there are places, until the engines are gone; and
    /// takes away what nobody needs on a server.
    pub fn keep(&self) -> impl Future<Output = ()> + use<> {
        let (engines, wanted) = (
            Arc::downgrade(&self.shared),
            self.shared.spares_wanted.clone(),
        );
        let external = self.shared.external.clone();
        let ended = self.shared.ended.clone();
        let is_wanted = self.are_on() && self.settings().spares > 0;
        async move {
            if let Some(external) = external {
                // A copy is made of what is a user's already: none is kept for nobody.
                return external.keep().await;
            }
            if is_wanted {
                // One in the making is dropped, and so ended.
                ended
                    .run_until_cancelled(keep_spares(engines, wanted))
                    .await;
            }
        }
    }

    /// Ends those that nobody uses, and makes no more. Within seconds nothing of them is left.
    pub async fn end(&self) {
        self.shared.ended.cancel();
        self.shared.spares.close();
        self.shared.idle().clear();
        if let Some(external) = &self.shared.external {
            external.end().await;
        }
        self.shared.workshop.close(END_MAX).await;
    }

    /// Whether there are any.
    pub fn are_on(&self) -> bool {
        match self.shared.settings.kind {
            EngineKind::Off => false,
            EngineKind::Embedded => super::IS_BUILT_IN,
            EngineKind::External => self.shared.external.is_some(),
        }
    }

    /// Whether tables have other numbers (OIDs) in them than in the rest of the gateway.
    pub fn number_tables(&self) -> bool {
        self.shared.external.is_some()
    }

    pub fn settings(&self) -> &EngineSettings {
        &self.shared.settings
    }

    /// What was answered about the catalog.
    pub fn answers(&self) -> &CatalogAnswers {
        &self.shared.answers
    }

    /// Which functions make an answer unfit to be kept; asked of an engine once.
    ///
    /// # Errors
    /// As [`Fickle::of`].
    pub async fn fickle(&self, link: &mut EngineLink) -> Result<&Fickle, EngineFault> {
        if let Some(fickle) = self.shared.fickle.get() {
            return Ok(fickle);
        }
        let fickle = Fickle::of(link).await?;
        Ok(self.shared.fickle.get_or_init(|| fickle))
    }

    /// A file for rows that a client leaves unread; `None`: there is no room for any.
    pub async fn begin_spool(&self) -> Option<AnswerSpool> {
        let room = self.shared.spool_room.clone();
        if !room.is_there() {
            return None;
        }
        let files = self.shared.workshop.files().await.ok()?;
        let made = tokio::task::spawn_blocking(move || files.nameless_file()).await;
        match made.map_err(std::io::Error::other).flatten() {
            Ok(file) => Some(AnswerSpool::new(file, room)),
            Err(error) => {
                tracing::warn!(%error, "rows that are not read cannot be kept on disk");
                None
            }
        }
    }

    /// An engine of that look, for one statement.
    ///
    /// # Errors
    /// `Unavailable`: 53300 when all are in use for too long, 57P03 when none can be started.
    pub async fn lease(&self, dressing: &Dressing) -> Result<Lease, EngineFault> {
        let began = Instant::now();
        let engine = match self.shared.take_idle(dressing) {
            Some(engine) => engine,
            None => self.dressed(dressing).await?,
        };
        self.shared.meters.wait_seconds.record(began.elapsed());
        Ok(self.lent(engine))
    }

    /// An engine of that look that a session has for itself, as long as it likes. It does not take
    /// the place of one that statements share.
    ///
    /// # Errors
    /// `Unavailable`: 53300 at once when sessions have as many as they may, for none of them says
    /// when it ends; 57P03 when none can be started.
    pub async fn own(&self, dressing: &Dressing) -> Result<Lease, EngineFault> {
        let shared = &self.shared;
        let Some(permit) = shared.owned_places.try_permit() else {
            return Err(EngineFault::Unavailable(Box::new(
                Diagnostic::error(
                    SqlState::TOO_MANY_CONNECTIONS,
                    "too many sessions have temporary tables or cursors at the same time",
                )
                .with_detail(format!("engine.owned_max is {}.", shared.settings.owned_max))
                .with_hint(
                    "Try again when others have dropped theirs or disconnected, or let the operator \
                     set it higher.",
                ),
            )));
        };
        let mut engine = match shared.take_idle(dressing) {
            Some(engine) => engine,
            None if shared.external.is_some() => {
                let place = shared.owned_places.place(permit);
                return Ok(self.lent(shared.copied(dressing, place).await?));
            }
            None => {
                let spare = match shared.spares.take(dressing.base()).await {
                    Some(spare) => spare,
                    None => {
                        let place = shared.owned_places.place(permit);
                        let spare = shared.make(dressing.base(), place).await?;
                        return Ok(self.lent(dress(spare, dressing).await?));
                    }
                };
                dress(spare, dressing).await?
            }
        };
        engine.place.moves_to(&shared.owned_places, permit);
        shared.spares_wanted.notify_one();
        Ok(self.lent(engine))
    }

    /// An engine that becomes this user's.
    async fn dressed(&self, dressing: &Dressing) -> Result<Dressed, EngineFault> {
        if self.shared.external.is_some() {
            let place = self.place().await?;
            return self.shared.copied(dressing, place).await;
        }
        let spare = match self.shared.spares.take(dressing.base()).await {
            Some(spare) => {
                self.shared.spares_wanted.notify_one();
                spare
            }
            None => {
                let place = self.place().await?;
                self.shared.make(dressing.base(), place).await?
            }
        };
        dress(spare, dressing).await
    }

    fn lent(&self, mut engine: Dressed) -> Lease {
        let counted = &mut engine.place.counted;
        counted.becomes(EngineState::Leased, EngineEnd::Interrupted);
        Lease {
            engine: Some(engine),
            shared: self.shared.clone(),
        }
    }

    /// A place for one more, if need be that of an idle one.
    async fn place(&self) -> Result<Place, EngineFault> {
        let places = &self.shared.places;
        if let Some(place) = places.try_take() {
            return Ok(place);
        }
        // No spare fits: one that does would have been taken.
        let _ = self.shared.longest_idle().is_some() || self.shared.spares.give_up();
        let wait = Duration::from_secs(self.shared.settings.wait_s);
        places.take(wait).await
    }
}

/// Makes an engine look like a user's database.
async fn dress(spare: Spare, dressing: &Dressing) -> Result<Dressed, EngineFault> {
    let Spare {
        mut link,
        engine,
        place,
        ..
    } = spare;
    link.set_powers(Powers::Superuser(dressing.user.clone()));
    let dressed = async {
        for step in dressing.steps() {
            link.run(&step).await?;
        }
        Ok::<(), EngineFault>(())
    };
    match timeout(DRESS_MAX, dressed).await {
        Ok(dressed) => dressed?,
        Err(_) => return Err(EngineFault::Broken("it does not answer".to_owned())),
    }
    Ok(Dressed {
        link,
        engine,
        dressing: dressing.clone(),
        rests_since: Instant::now(),
        place,
    })
}

async fn keep_spares(engines: Weak<Shared>, wanted: Arc<Notify>) {
    while let Some(shared) = engines.upgrade() {
        let made = shared.make_spares().await;
        drop(shared);
        if made.is_err() {
            // The log says why.
            sleep(SPARE_RETRY).await;
        }
        wanted.notified().await;
    }
}

impl Shared {
    /// Makes the spares that are missing, while there are places.
    async fn make_spares(&self) -> Result<(), EngineFault> {
        while let Some(making) = self.spares.begin(self.settings.spares)
            && let Some(place) = self.places.try_take()
        {
            let spare = self.make(&making.base, place).await?;
            making.done(spare);
        }
        Ok(())
    }

    async fn make(&self, base: &Base, mut place: Place) -> Result<Spare, EngineFault> {
        let began = Instant::now();
        let (engine, link) = self.workshop.make(base).await?;
        self.meters.start_seconds.record(began.elapsed());
        place
            .counted
            .becomes(EngineState::Spare, EngineEnd::Displaced);
        Ok(Spare {
            link,
            engine: Box::new(engine),
            base: base.clone(),
            place,
        })
    }

    /// An engine on a server, which is the user's from the start.
    async fn copied(&self, dressing: &Dressing, place: Place) -> Result<Dressed, EngineFault> {
        let Some(external) = &self.external else {
            return Err(EngineFault::Broken("no server is named".to_owned()));
        };
        let began = Instant::now();
        let (engine, link) = external.make(dressing).await?;
        self.meters.start_seconds.record(began.elapsed());
        Ok(Dressed {
            link,
            engine: Box::new(engine),
            dressing: dressing.clone(),
            rests_since: Instant::now(),
            place,
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Dressed>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The idle engine of that look.
    fn take_idle(&self, dressing: &Dressing) -> Option<Dressed> {
        let mut idle = self.idle();
        loop {
            let index = idle
                .iter()
                .position(|engine| engine.dressing == *dressing)?;
            let mut engine = idle.swap_remove(index);
            if engine.engine.is_up() && engine.link.is_open() {
                return Some(engine);
            }
            engine.place.counted.ends(EngineEnd::Broken);
        }
    }

    /// The idle engine that was not used for the longest time.
    fn longest_idle(&self) -> Option<Dressed> {
        let mut idle = self.idle();
        let index = (0..idle.len()).min_by_key(|index| idle[*index].rests_since)?;
        let mut engine = idle.swap_remove(index);
        engine.place.counted.ends(EngineEnd::Displaced);
        Some(engine)
    }

    /// Ends the engines that have rested for too long.
    fn end_rested(&self) {
        let idle_max = Duration::from_secs(self.settings.idle_s);
        self.idle()
            .retain(|engine| engine.rests_since.elapsed() < idle_max);
    }
}

/// An engine in use. Dropped without [`Lease::give_back`] it is ended.
#[derive(Debug)]
pub struct Lease {
    engine: Option<Dressed>,
    shared: Arc<Shared>,
}

impl Lease {
    /// The connection to it.
    ///
    /// # Errors
    /// `Broken` after it was given back.
    pub fn link(&mut self) -> Result<&mut EngineLink, EngineFault> {
        match &mut self.engine {
            Some(engine) => Ok(&mut engine.link),
            None => Err(EngineFault::Broken("it was given back".to_owned())),
        }
    }

    /// It will not be given back, for this reason.
    pub fn ends(&mut self, end: EngineEnd) {
        if let Some(engine) = &mut self.engine {
            engine.place.counted.ends(end);
        }
    }

    /// Ends when the engine has come to use more memory or disk than it may.
    pub fn outgrown(&self) -> impl Future<Output = EngineFault> + use<> {
        self.bounds().outgrown()
    }

    /// What its files take of the disk.
    pub fn disk(&self) -> Bounds {
        self.bounds()
    }

    fn bounds(&self) -> Bounds {
        let size = self.engine.as_ref().map(|engine| engine.engine.size());
        Bounds::new(size, &self.shared.settings)
    }

    /// Takes back what was done and lets others of the same user have the engine, if there is a place
    /// for it among those that statements share.
    pub async fn give_back(mut self) {
        let Some(mut engine) = self.engine.take() else {
            return;
        };
        if !self.shared.places.has(&engine.place) {
            let Some(permit) = self.shared.places.try_permit() else {
                engine.place.counted.ends(EngineEnd::Displaced);
                return;
            };
            engine.place.moves_to(&self.shared.places, permit);
        }
        engine.place.counted.ends(EngineEnd::Broken);
        let cleaned = timeout(CLEAN_UP_MAX, engine.link.clean()).await;
        let memory = engine.engine.size().memory_bytes();
        let is_small = memory.is_some_and(|bytes| bytes <= self.shared.settings.memory_bytes_max);
        if !matches!(cleaned, Ok(Ok(()))) {
            return;
        }
        if !is_small {
            engine.place.counted.ends(EngineEnd::Memory);
            return;
        }
        let counted = &mut engine.place.counted;
        counted.becomes(EngineState::Idle, EngineEnd::Rested);
        engine.rests_since = Instant::now();
        self.shared.idle().push(engine);
        let shared = self.shared.clone();
        actix_rt::spawn(async move {
            sleep(Duration::from_secs(shared.settings.idle_s)).await;
            shared.end_rested();
        });
    }
}
