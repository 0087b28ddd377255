//! Who has which engine, and for how long.
//!
//! Owns the engines that are up, and the bounds on them: on those that statements share, and on those
//! that sessions have for themselves. Promises that an engine is used by one statement, or one
//! session, at a time, that none goes from one user to another, and that one whose user let go of it
//! in the middle of something is ended. Never runs a statement of a client.

use super::dressing::Dressing;
use super::embedded::{EmbeddedEngine, disk_bytes, resident_bytes};
use super::fault::EngineFault;
use super::link::EngineLink;
use crate::config::{EngineKind, EngineSettings};
use crate::diagnostic::{Diagnostic, SqlState};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// How long the clean-up after a statement may take: nothing of the client's runs in it.
const CLEAN_UP_MAX: Duration = Duration::from_secs(10);

/// How often the memory of a busy engine is looked at.
const MEMORY_CHECK: Duration = Duration::from_millis(250);

/// How often its files are measured: there are some thousand.
const DISK_CHECK: Duration = Duration::from_secs(1);

/// An engine that is up and looks like the database of one user.
#[derive(Debug)]
struct Dressed {
    // Before the process: the socket is closed first.
    link: EngineLink,
    process: EmbeddedEngine,
    dressing: Dressing,
    /// When it was last used.
    rests_since: Instant,
    /// Among those that statements share, or among those that sessions have.
    place: OwnedSemaphorePermit,
}

/// All engines of a gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engines {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: EngineSettings,
    places: Arc<Semaphore>,
    /// For engines that sessions have for themselves.
    owned_places: Arc<Semaphore>,
    idle: Mutex<Vec<Dressed>>,
}

impl Engines {
    /// Engines as `settings` say; none is started yet.
    pub fn new(settings: EngineSettings) -> Self {
        let places = Arc::new(Semaphore::new(settings.engines_max));
        let owned_places = Arc::new(Semaphore::new(settings.owned_max));
        Engines {
            shared: Arc::new(Shared {
                settings,
                places,
                owned_places,
                idle: Mutex::default(),
            }),
        }
    }

    /// Whether there are any.
    pub fn are_on(&self) -> bool {
        self.shared.settings.kind == EngineKind::Embedded && super::IS_BUILT_IN
    }

    pub fn settings(&self) -> &EngineSettings {
        &self.shared.settings
    }

    /// An engine of that look, for one statement.
    ///
    /// # Errors
    /// `Unavailable`: 53300 when all are in use for too long, 57P03 when none can be started.
    pub async fn lease(&self, dressing: &Dressing) -> Result<Lease, EngineFault> {
        if let Some(engine) = self.shared.take_idle(dressing) {
            return Ok(self.lent(engine));
        }
        let place = self.place().await?;
        let engine = self.start(dressing, place).await?;
        Ok(self.lent(engine))
    }

    /// An engine of that look that a session has for itself, as long as it likes. It does not take
    /// the place of one that statements share.
    ///
    /// # Errors
    /// `Unavailable`: 53300 at once when sessions have as many as they may, for none of them says
    /// when it ends; 57P03 when none can be started.
    pub async fn own(&self, dressing: &Dressing) -> Result<Lease, EngineFault> {
        let places = self.shared.owned_places.clone();
        let Ok(place) = places.try_acquire_owned() else {
            return Err(EngineFault::Unavailable(Box::new(
                Diagnostic::error(
                    SqlState::TOO_MANY_CONNECTIONS,
                    "too many sessions have temporary tables or cursors at the same time",
                )
                .with_detail(format!(
                    "engine.owned_max is {}.",
                    self.shared.settings.owned_max
                ))
                .with_hint(
                    "Try again when others have dropped theirs or disconnected, or let the operator \
                     set it higher.",
                ),
            )));
        };
        let engine = match self.shared.take_idle(dressing) {
            Some(engine) => Dressed { place, ..engine },
            None => self.start(dressing, place).await?,
        };
        Ok(self.lent(engine))
    }

    fn lent(&self, engine: Dressed) -> Lease {
        Lease {
            engine: Some(engine),
            shared: self.shared.clone(),
        }
    }

    async fn start(
        &self,
        dressing: &Dressing,
        place: OwnedSemaphorePermit,
    ) -> Result<Dressed, EngineFault> {
        let process = EmbeddedEngine::start(&self.shared.settings).await?;
        let socket = process.socket();
        let mut database = "template1";
        for step in dressing.steps() {
            let mut link = EngineLink::connect(&socket, "postgres", database).await?;
            link.run(&step).await?;
            // The first step gives it this name.
            database = &dressing.database;
        }
        let mut link = EngineLink::connect(&socket, "postgres", database).await?;
        link.stream_answers().await?;
        link.clean().await?;
        Ok(Dressed {
            link,
            process,
            dressing: dressing.clone(),
            rests_since: Instant::now(),
            place,
        })
    }

    /// A place for one more, if need be that of an idle one.
    async fn place(&self) -> Result<OwnedSemaphorePermit, EngineFault> {
        let places = &self.shared.places;
        if let Ok(place) = places.clone().try_acquire_owned() {
            return Ok(place);
        }
        drop(self.shared.longest_idle());
        let wait = Duration::from_secs(self.shared.settings.wait_s);
        match timeout(wait, places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(EngineFault::Unavailable(Box::new(
                Diagnostic::error(
                    SqlState::TOO_MANY_CONNECTIONS,
                    "too many statements need a PostgreSQL at the same time",
                )
                .with_hint("Try again, or let the operator set engine.engines_max higher."),
            ))),
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Dressed>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The idle engine of that look.
    fn take_idle(&self, dressing: &Dressing) -> Option<Dressed> {
        let mut idle = self.idle();
        let index = idle
            .iter()
            .position(|engine| engine.dressing == *dressing)?;
        Some(idle.swap_remove(index))
    }

    /// The idle engine that was not used for the longest time.
    fn longest_idle(&self) -> Option<Dressed> {
        let mut idle = self.idle();
        let index = (0..idle.len()).min_by_key(|index| idle[*index].rests_since)?;
        Some(idle.swap_remove(index))
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

    /// Ends when the engine has come to use more memory or disk than it may.
    pub fn outgrown(&self) -> impl Future<Output = EngineFault> + use<> {
        let process_id = self
            .engine
            .as_ref()
            .map(|engine| engine.process.process_id());
        let disk = self.disk();
        let bytes_max = self.shared.settings.memory_bytes_max;
        async move {
            let mut measured = Instant::now();
            loop {
                sleep(MEMORY_CHECK).await;
                let bytes = process_id.and_then(resident_bytes).unwrap_or(0);
                if bytes > bytes_max {
                    return outgrown(bytes_max);
                }
                if measured.elapsed() >= DISK_CHECK {
                    if let Err(fault) = disk.check().await {
                        return fault;
                    }
                    measured = Instant::now();
                }
            }
        }
    }

    /// What its files take of the disk.
    pub fn disk(&self) -> Disk {
        Disk {
            directory: self
                .engine
                .as_ref()
                .map(|engine| engine.process.directory().to_owned()),
            bytes_max: self.shared.settings.disk_bytes_max,
        }
    }

    /// Takes back what was done and lets others of the same user have the engine, if there is a place
    /// for it among those that statements share.
    pub async fn give_back(mut self) {
        let Some(mut engine) = self.engine.take() else {
            return;
        };
        if !Arc::ptr_eq(engine.place.semaphore(), &self.shared.places) {
            match self.shared.places.clone().try_acquire_owned() {
                Ok(place) => engine.place = place,
                Err(_) => return,
            }
        }
        let cleaned = timeout(CLEAN_UP_MAX, engine.link.clean()).await;
        let memory = resident_bytes(engine.process.process_id());
        let is_small = memory.is_some_and(|bytes| bytes <= self.shared.settings.memory_bytes_max);
        if !matches!(cleaned, Ok(Ok(()))) || !is_small {
            return;
        }
        engine.rests_since = Instant::now();
        self.shared.idle().push(engine);
        let shared = self.shared.clone();
        actix_rt::spawn(async move {
            sleep(Duration::from_secs(shared.settings.idle_s)).await;
            shared.end_rested();
        });
    }
}

/// The files of an engine, and how many bytes they may have.
#[derive(Clone, Debug)]
pub struct Disk {
    /// `None`: the engine was given back.
    directory: Option<PathBuf>,
    bytes_max: u64,
}

impl Disk {
    /// Measures them.
    ///
    /// # Errors
    /// `Stopped` when they take more than they may.
    pub async fn check(&self) -> Result<(), EngineFault> {
        let Some(directory) = self.directory.clone() else {
            return Ok(());
        };
        let measured = tokio::task::spawn_blocking(move || disk_bytes(&directory)).await;
        if measured.unwrap_or(0) <= self.bytes_max {
            return Ok(());
        }
        Err(EngineFault::Stopped(Box::new(
            Diagnostic::error(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                "the session's temporary tables and files take more of the disk than they may",
            )
            .with_detail(format!("engine.disk_bytes_max is {}.", self.bytes_max))
            .with_hint("Stage fewer rows at a time, or let the operator set it higher."),
        )))
    }
}

/// `Stopped`: an engine takes too much memory.
fn outgrown(bytes_max: u64) -> EngineFault {
    EngineFault::Stopped(Box::new(
        Diagnostic::error(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            "the statement takes more memory than one may",
        )
        .with_detail(format!("engine.memory_bytes_max is {bytes_max}."))
        .with_hint("Read fewer rows, or let the operator set it higher."),
    ))
}
