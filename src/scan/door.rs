//! What scans need, before there is a runtime for them.
//!
//! Owns the parts that a [`Scanner`] is made of. Promises that making one asks nobody anything.
//! Never reads.

use super::memory::ScanMemory;
use super::scanner::Scanner;
use crate::cdf::{CdfClient, TokenCache};
use crate::config::RetrySettings;
use crate::diagnostic::Diagnostic;
use crate::pipeline::pacing::Pacing;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Where scanners come from. Cheap to clone; for any thread.
#[derive(Clone)]
pub struct ScanDoor {
    tokens: Arc<TokenCache>,
    pacing: Arc<Pacing>,
    retry: RetrySettings,
    memory: ScanMemory,
}

impl ScanDoor {
    /// Scanners that sign by `tokens`, keep to the budgets of `pacing` and share `memory`.
    pub fn new(
        tokens: Arc<TokenCache>,
        pacing: Arc<Pacing>,
        retry: RetrySettings,
        memory: ScanMemory,
    ) -> Self {
        ScanDoor {
            tokens,
            pacing,
            retry,
            memory,
        }
    }

    /// A scanner for the runtime of this thread.
    ///
    /// # Errors
    /// 58000 when there can be no HTTP client.
    pub fn scanner(&self) -> Result<Scanner, Box<Diagnostic>> {
        let timeout = Duration::from_secs(self.retry.request_timeout_s);
        let client = CdfClient::new(timeout, self.tokens.clone())?;
        let (retry, memory) = (self.retry.clone(), self.memory.clone());
        Ok(Scanner::new(client, &self.pacing, retry, memory))
    }
}

impl fmt::Debug for ScanDoor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ScanDoor")
    }
}
