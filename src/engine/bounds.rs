//! How much memory and disk an engine may take.
//!
//! Owns the watch over one that runs something. Promises that what it says names the bound and who can
//! move it. Never ends an engine.

use super::fault::EngineFault;
use super::running::EngineSize;
use crate::config::EngineSettings;
use crate::diagnostic::{Diagnostic, SqlState};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How often the memory of a busy engine is looked at.
const MEMORY_CHECK: Duration = Duration::from_millis(250);

/// How often its files are measured: there are some thousand.
const DISK_CHECK: Duration = Duration::from_secs(1);

/// An engine, and how many bytes it may have.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// `None`: the engine was given back.
    size: Option<Arc<dyn EngineSize>>,
    memory_bytes_max: u64,
    disk_bytes_max: u64,
}

impl Bounds {
    pub(super) fn new(size: Option<Arc<dyn EngineSize>>, settings: &EngineSettings) -> Self {
        Bounds {
            size,
            memory_bytes_max: settings.memory_bytes_max,
            disk_bytes_max: settings.disk_bytes_max,
        }
    }

    /// Ends when it takes more than it may.
    pub(super) async fn outgrown(self) -> EngineFault {
        let mut measured = Instant::now();
        loop {
            sleep(MEMORY_CHECK).await;
            let memory = self.size.as_ref().and_then(|size| size.memory_bytes());
            if memory.unwrap_or(0) > self.memory_bytes_max {
                return too_much_memory(self.memory_bytes_max);
            }
            if measured.elapsed() >= DISK_CHECK {
                if let Err(fault) = self.check().await {
                    return fault;
                }
                measured = Instant::now();
            }
        }
    }

    /// Measures its files.
    ///
    /// # Errors
    /// `Stopped` when they take more than they may.
    pub async fn check(&self) -> Result<(), EngineFault> {
        let Some(size) = &self.size else {
            return Ok(());
        };
        if size.disk_bytes().await <= self.disk_bytes_max {
            return Ok(());
        }
        Err(EngineFault::Stopped(Box::new(
            Diagnostic::error(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                "the session's temporary tables and files take more of the disk than they may",
            )
            .with_detail(format!("engine.disk_bytes_max is {}.", self.disk_bytes_max))
            .with_hint("Stage fewer rows at a time, or let the operator set it higher."),
        )))
    }
}

/// `Stopped`: an engine takes too much memory.
fn too_much_memory(bytes_max: u64) -> EngineFault {
    EngineFault::Stopped(Box::new(
        Diagnostic::error(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            "the statement takes more memory than one may",
        )
        .with_detail(format!("engine.memory_bytes_max is {bytes_max}."))
        .with_hint("Read fewer rows, or let the operator set it higher."),
    ))
}
