//! All that a gateway has on a server: templates, and the engines that are copies of them.
//!
//! Owns what is made there and when it is taken away. Promises that an engine is dropped when nobody
//! has it any more, that a template is when its user has not needed it for an hour, and that a gateway
//! which ends leaves nothing. Never runs a statement of a client.

use super::administration::Administration;
use super::engine::ExternalEngine;
use super::names::Names;
use super::server::{Server, ServerFault};
use super::sweep;
use super::template::{self, Template};
use crate::engine::dressing::Dressing;
use crate::engine::fault::EngineFault;
use crate::engine::link::EngineLink;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// How often what is left over is looked at.
const LOOK: Duration = Duration::from_secs(15);

/// A template that was not needed for so long goes. Longer than an answer about the catalog is kept:
/// the next template has other numbers.
const TEMPLATE_REST: Duration = Duration::from_secs(3_600);

/// How long one may wait for an engine: others, whose engines are made before, wait for the server, too.
const MAKE_MAX: Duration = Duration::from_secs(120);

/// How long a gateway that ends may take to clean up.
const END_MAX: Duration = Duration::from_secs(10);

/// A try to sign in that fails after so long has waited for a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long nobody tries again then.
const PAUSE: Duration = Duration::from_secs(5);

/// SQLSTATE of a database that is not there.
const NO_DATABASE: &str = "3D000";

/// Engines on a server. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::engine) struct ExternalEngines {
    kept: Arc<Kept>,
}

/// What engines share.
#[derive(Debug)]
pub(super) struct Kept {
    server: Arc<Server>,
    names: Names,
    /// `None`: to be opened by whoever needs it.
    administration: AsyncMutex<Option<Administration>>,
    /// Until when nobody tries to open it: the last try has waited in vain.
    away_until: Mutex<Option<Instant>>,
    templates: Mutex<Vec<Arc<Template>>>,
    gone: UnboundedSender<String>,
    /// Taken by whoever takes away what is gone.
    to_remove: Mutex<Option<UnboundedReceiver<String>>>,
}

impl ExternalEngines {
    pub fn new(server: Server) -> Self {
        let (gone, to_remove) = unbounded_channel();
        ExternalEngines {
            kept: Arc::new(Kept {
                server: Arc::new(server),
                names: Names::new(),
                administration: AsyncMutex::default(),
                away_until: Mutex::default(),
                templates: Mutex::default(),
                gone,
                to_remove: Mutex::new(Some(to_remove)),
            }),
        }
    }

    /// An engine of that look, and the one connection to it.
    ///
    /// # Errors
    /// `Unavailable` when the server is away, or will not.
    pub async fn make(
        &self,
        dressing: &Dressing,
    ) -> Result<(ExternalEngine, EngineLink), EngineFault> {
        let made = timeout(MAKE_MAX, self.make_however_long(dressing)).await;
        made.unwrap_or_else(|_| Err(ServerFault::Away("no engine in time".to_owned()).into()))
    }

    async fn make_however_long(
        &self,
        dressing: &Dressing,
    ) -> Result<(ExternalEngine, EngineLink), EngineFault> {
        let kept = &self.kept;
        let mut is_remade = false;
        let (engine, template) = loop {
            let template = made_template(kept, dressing).await?;
            // From here on it is taken away when it is dropped, also if it was made in part, and if whoever
            // wants it gives up meanwhile.
            let engine = ExternalEngine::new(kept.names.database(), template.clone(), kept.clone());
            let mut administration = kept.administration.lock().await;
            let copied = {
                let administration = kept.opened(&mut administration).await?;
                template.copy(administration, engine.name()).await
            };
            drop(administration);
            match copied {
                Ok(()) => break (engine, template),
                // Somebody has cleaned up on the server.
                Err(ServerFault::Refused { code, .. }) if code == NO_DATABASE && !is_remade => {
                    is_remade = true;
                    kept.templates()
                        .retain(|known| !Arc::ptr_eq(known, &template));
                }
                Err(fault) => return Err(fault.into()),
            }
        };
        let sign_in = template.sign_in(engine.name());
        let link = sign_in.connect(&kept.server, template.powers()).await?;
        Ok((engine, link))
    }

    /// Takes away what is gone, and what gateways left that are no more, as long as it is polled.
    pub async fn keep(self) {
        let taken = self.kept.to_remove.lock();
        let taken = taken.unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut to_remove) = taken else {
            return;
        };
        let mut left_over = Vec::new();
        self.kept.look_around(&mut left_over).await;
        loop {
            match timeout(LOOK, to_remove.recv()).await {
                Ok(Some(name)) => {
                    if self.kept.remove(&name).await.is_err() {
                        left_over.push(name);
                    }
                }
                Ok(None) => return,
                Err(_) => self.kept.look_around(&mut left_over).await,
            }
        }
    }

    /// Takes everything away: the gateway ends.
    pub async fn end(&self) {
        let kept = &self.kept;
        kept.templates().clear();
        let ending = async {
            let mut administration = kept.administration.lock().await;
            if administration.is_none() {
                return Ok(());
            }
            let ended = match kept.opened(&mut administration).await {
                Ok(administration) => {
                    sweep::remove_all(administration, &kept.names.gateway()).await
                }
                Err(fault) => Err(fault),
            };
            *administration = None;
            ended
        };
        match timeout(END_MAX, ending).await {
            Ok(Ok(())) => {}
            // The next gateway's sweep finds them.
            Ok(Err(fault)) => tracing::warn!(%fault, "engines stay behind on their server"),
            Err(_) => tracing::warn!("engines stay behind on their server: it takes too long"),
        }
    }
}

/// The template of that look, made if need be: to its end, also when whoever wants it gives up.
async fn made_template(
    kept: &Arc<Kept>,
    dressing: &Dressing,
) -> Result<Arc<Template>, EngineFault> {
    if let Some(known) = kept.known(dressing) {
        return Ok(known);
    }
    let (kept, dressing) = (kept.clone(), dressing.clone());
    let making = tokio::spawn(async move { kept.template(&dressing).await });
    making
        .await
        .unwrap_or_else(|error| Err(ServerFault::Away(error.to_string()).into()))
}

impl Kept {
    /// A database is nobody's any more.
    pub fn is_gone(&self, name: String) {
        // Nobody listens when the gateway ends: then everything goes.
        let _ = self.gone.send(name);
    }

    /// Asks as the role of the URL.
    ///
    /// # Errors
    /// As [`Administration::run`].
    pub async fn run(&self, sql: &str) -> Result<Vec<Vec<String>>, ServerFault> {
        let mut administration = self.administration.lock().await;
        self.opened(&mut administration).await?.run(sql).await
    }

    async fn opened<'a>(
        &self,
        administration: &'a mut Option<Administration>,
    ) -> Result<&'a Administration, ServerFault> {
        let is_open = administration.as_ref().is_some_and(Administration::is_open);
        if !is_open {
            *administration = None;
        }
        match administration {
            Some(opened) => Ok(opened),
            closed => Ok(closed.insert(self.open().await?)),
        }
    }

    async fn open(&self) -> Result<Administration, ServerFault> {
        let now = Instant::now();
        if self.away_until().is_some_and(|until| now < until) {
            return Err(ServerFault::Away("it did not answer just now".to_owned()));
        }
        let opened = Administration::begin(&self.server, Some(self.names.lock())).await;
        // All who wait behind this would wait as long, one after the other.
        let has_waited_in_vain = opened.is_err() && now.elapsed() > PATIENCE;
        *self.away_until() = has_waited_in_vain.then(|| Instant::now() + PAUSE);
        opened
    }

    fn away_until(&self) -> MutexGuard<'_, Option<Instant>> {
        let until = self.away_until.lock();
        until.unwrap_or_else(PoisonError::into_inner)
    }

    fn templates(&self) -> MutexGuard<'_, Vec<Arc<Template>>> {
        self.templates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, dressing: &Dressing) -> Option<Arc<Template>> {
        let templates = self.templates();
        let known = templates.iter().find(|known| known.dressing == *dressing)?;
        known.touch();
        Some(known.clone())
    }

    async fn template(&self, dressing: &Dressing) -> Result<Arc<Template>, EngineFault> {
        let mut administration = self.administration.lock().await;
        // Somebody else may have made it meanwhile.
        if let Some(known) = self.known(dressing) {
            return Ok(known);
        }
        let administration = self.opened(&mut administration).await?;
        let name = self.names.database();
        let made = Template::make(&self.server, administration, dressing, name.clone()).await;
        match made {
            Ok(template) => {
                let template = Arc::new(template);
                self.templates().push(template.clone());
                Ok(template)
            }
            Err(fault) => {
                self.is_gone(name);
                Err(fault)
            }
        }
    }

    /// Takes a database away, and the roles that are there if it is a template.
    async fn remove(&self, name: &str) -> Result<(), ServerFault> {
        for sql in template::removal(name) {
            self.run(&sql).await?;
        }
        Ok(())
    }

    /// Takes away what is due; what fails is tried again the next time.
    async fn look_around(&self, left_over: &mut Vec<String>) {
        for name in std::mem::take(left_over) {
            if self.remove(&name).await.is_err() {
                left_over.push(name);
            }
        }
        let rested: Vec<Arc<Template>> = {
            let mut templates = self.templates();
            let (rested, used): (Vec<_>, Vec<_>) = templates.drain(..).partition(|template| {
                Arc::strong_count(template) == 1 && template.rested() > TEMPLATE_REST
            });
            *templates = used;
            rested
        };
        for template in rested {
            if let Err(fault) = self.remove(&template.database).await {
                tracing::debug!(%fault, "a template is taken away later");
                left_over.push(template.database.clone());
            }
        }
        let mut administration = self.administration.lock().await;
        let swept = match self.opened(&mut administration).await {
            Ok(administration) => sweep::sweep(administration).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = swept {
            tracing::warn!(%fault, "the PostgreSQL of engine.url is of no use");
        }
    }
}
