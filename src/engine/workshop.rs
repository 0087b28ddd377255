//! Where engines are made.
//!
//! Owns what makes a start fast: the files that all engines share, and data in which the built-in
//! tables are there already. Promises that an engine made from a template is the same as one made
//! from nothing, down to the numbers of its tables. Never knows a user.

use super::dressing::Base;
use super::embedded::{EmbeddedEngine, unavailable};
use super::fault::EngineFault;
use super::files::{self, EngineFiles};
use super::link::EngineLink;
use crate::config::EngineSettings;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Who an engine takes connections of the gateway for.
const SUPERUSER: &str = "postgres";

/// How its database is called until it is somebody's.
const DATABASE: &str = "template1";

/// From nothing to an engine with its tables, on a machine that is busy: twice what its process may
/// take to start.
const MAKE_MAX: Duration = Duration::from_secs(120);

/// The files of engines.
#[derive(Debug)]
pub(super) struct Workshop {
    settings: EngineSettings,
    shelf: Mutex<Option<Shelf>>,
    /// Whether no more are made.
    is_closed: AtomicBool,
}

/// What is there once the first engine was made.
#[derive(Debug)]
struct Shelf {
    files: Arc<EngineFiles>,
    /// Data of engines that were nobody's.
    templates: Vec<(Base, PathBuf)>,
}

impl Workshop {
    pub fn new(settings: EngineSettings) -> Self {
        Workshop {
            settings,
            shelf: Mutex::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// An engine with the tables of `base`, and a connection to it that may become anybody.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be started, `Broken` when it ends too early.
    pub async fn make(&self, base: &Base) -> Result<(EmbeddedEngine, EngineLink), EngineFault> {
        let (files, template) = self.materials(base).await?;
        let made = match timeout(MAKE_MAX, self.make_of(base, &files, template)).await {
            Ok(made) => made,
            // Whoever waits for it must not wait for ever.
            Err(_) => Err(unavailable(&"it did not take its tables in time")),
        };
        if made.is_err() {
            // Whatever is wrong with the files: the next one begins from nothing.
            let mut shelf = self.shelf.lock().await;
            if (shelf.as_ref()).is_some_and(|shelf| Arc::ptr_eq(&shelf.files, &files)) {
                *shelf = None;
            }
        }
        made
    }

    /// Makes no more engines, and waits until the files of those that were made are removed, but no
    /// longer than `wait`.
    pub async fn close(&self, wait: Duration) {
        let shelf = {
            let mut shelf = self.shelf.lock().await;
            self.is_closed.store(true, Ordering::Relaxed);
            shelf.take()
        };
        let Some(Shelf { files, .. }) = shelf else {
            return;
        };
        let removed = files.removed();
        drop(files);
        if timeout(wait, removed).await.is_err() {
            tracing::warn!("files of engines stay behind: the next gateway removes them");
        }
    }

    /// The directory of the engines, which may be elsewhere.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be made.
    pub async fn files(&self) -> Result<Arc<EngineFiles>, EngineFault> {
        let mut shelf = self.shelf.lock().await;
        Ok(self.shelf(&mut shelf).await?.files.clone())
    }

    /// What is there, made if need be.
    async fn shelf<'a>(&self, shelf: &'a mut Option<Shelf>) -> Result<&'a mut Shelf, EngineFault> {
        match shelf {
            Some(shelf) => Ok(shelf),
            none => {
                if self.is_closed.load(Ordering::Relaxed) {
                    return Err(unavailable(&"the gateway ends"));
                }
                let parent = self.settings.directory_or_temporary();
                let made = tokio::task::spawn_blocking(move || EngineFiles::make(&parent)).await;
                let made = made.map_err(std::io::Error::other).flatten();
                Ok(none.insert(Shelf {
                    files: Arc::new(made.map_err(|error| unavailable(&error))?),
                    templates: Vec::new(),
                }))
            }
        }
    }

    async fn make_of(
        &self,
        base: &Base,
        files: &Arc<EngineFiles>,
        template: Option<PathBuf>,
    ) -> Result<(EmbeddedEngine, EngineLink), EngineFault> {
        let is_new = template.is_none();
        let process = EmbeddedEngine::start(&self.settings, files, template).await?;
        let socket = process.socket();
        if is_new {
            for step in base.steps() {
                let mut link = EngineLink::connect(&socket, SUPERUSER, DATABASE).await?;
                link.run(&step).await?;
            }
            EngineLink::await_closed(&socket).await?;
            self.keep(base, files, process.data()).await;
        }
        let mut link = EngineLink::connect(&socket, SUPERUSER, DATABASE).await?;
        link.stream_answers().await?;
        link.clean().await?;
        Ok((process, link))
    }

    /// The files, and data to begin with if there are some.
    async fn materials(
        &self,
        base: &Base,
    ) -> Result<(Arc<EngineFiles>, Option<PathBuf>), EngineFault> {
        let mut shelf = self.shelf.lock().await;
        let shelf = self.shelf(&mut shelf).await?;
        let template = (shelf.templates.iter()).find(|(known, _)| known == base);
        let data = template.map(|(_, data)| data.clone());
        Ok((shelf.files.clone(), data))
    }

    /// Keeps a copy of the data of an engine that nobody is connected to.
    async fn keep(&self, base: &Base, files: &Arc<EngineFiles>, data: PathBuf) {
        let own = files.clone();
        let copied = tokio::task::spawn_blocking(move || {
            let template = own.new_directory()?.join("data");
            files::copy(&data, &template).map(|()| template)
        });
        let template = match copied.await {
            Ok(Ok(template)) => template,
            Ok(Err(error)) => {
                tracing::warn!(%error, "engines start slowly: their files cannot be copied");
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "engines start slowly: their files cannot be copied");
                return;
            }
        };
        let mut shelf = self.shelf.lock().await;
        if let Some(shelf) = &mut *shelf
            && Arc::ptr_eq(&shelf.files, files)
            && !shelf.templates.iter().any(|(known, _)| known == base)
        {
            shelf.templates.push((base.clone(), template));
        }
    }
}
