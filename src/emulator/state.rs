//! Everything that an emulator holds.
//!
//! Owns the parts and the projects' data; each part has its own lock, none is held while
//! a body is read or parsed.

use super::access::Access;
use super::answer::Refusal;
use super::fault::Faults;
use super::identity::Identity;
use super::options::EmulatorOptions;
use super::project::Project;
use super::request_log::RequestLog;
use super::statistics::Statistics;
use super::throttle::Throttle;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// The state of one emulator.
#[derive(Debug)]
pub struct Emulator {
    /// Check, count and sum writes without storing them.
    pub sink: bool,
    /// The only project that answers, if there is one.
    pub only_project: Option<String>,
    pub identity: Identity,
    pub access: Access,
    pub throttle: Arc<Throttle>,
    pub faults: Faults,
    pub statistics: Arc<Statistics>,
    pub requests: RequestLog,
    /// Cancelled when the emulator is to stop.
    pub stopping: CancellationToken,
    started: Instant,
    request_sequence: AtomicU64,
    /// Sets the request ids of one emulator apart from those of another.
    request_prefix: u64,
    projects: RwLock<HashMap<String, Arc<Project>>>,
}

impl Emulator {
    /// An emulator that is reached at `base_url`.
    pub fn new(options: EmulatorOptions, base_url: String) -> Result<Self, Refusal> {
        Ok(Self {
            identity: Identity::new(&options, base_url)?,
            access: Access::new(&options),
            sink: options.sink,
            only_project: options.project,
            throttle: Arc::new(Throttle::new(options.budgets)),
            faults: Faults::default(),
            statistics: Arc::new(Statistics::default()),
            requests: RequestLog::default(),
            stopping: CancellationToken::new(),
            started: Instant::now(),
            request_sequence: AtomicU64::new(0),
            request_prefix: rand::random(),
            projects: RwLock::new(HashMap::new()),
        })
    }

    /// The data of a project; a project exists as soon as somebody asks for it.
    pub fn project(&self, name: &str) -> Arc<Project> {
        let known = self
            .projects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        known.unwrap_or_else(|| {
            let mut projects = self
                .projects
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(projects.entry(name.to_owned()).or_default())
        })
    }

    /// The names of all projects that were asked for, and of the configured one.
    pub fn project_names(&self) -> Vec<String> {
        let projects = self.projects.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = projects.keys().cloned().collect();
        names.extend(self.only_project.clone());
        names.sort();
        names.dedup();
        names
    }

    /// Forgets the data of all projects.
    pub fn clear_data(&self) {
        let mut projects = self
            .projects
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        projects.clear();
    }

    /// Microseconds since the start, the clock of the request log.
    pub fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A new value for `x-request-id`.
    pub fn request_id(&self) -> String {
        let number = self.request_sequence.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}-{number:08x}", self.request_prefix)
    }
}
