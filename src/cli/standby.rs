//! What operators see of a gateway that waits for another one to end.
//!
//! Owns the HTTP server of that time. Promises health, metrics and a readiness of `standby` at the
//! gateway's own address, which is free again when this has ended. Never serves clients.

use crate::admin::{self, Guarded, Readiness, ReadinessState};
use crate::http_server::HttpServer;
use crate::telemetry::{self, Scrape};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The wait. Nothing is shown until somebody else turns out to serve.
pub(super) struct Standby {
    address: SocketAddr,
    shown: Mutex<Option<Shown>>,
}

struct Shown {
    holder: String,
    /// `None`: the address is taken, and the log has said so.
    server: Option<HttpServer>,
}

impl Standby {
    pub fn new(address: SocketAddr) -> Self {
        Standby {
            address,
            shown: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody else serves: `holder`.
    pub fn show(&self, holder: &str) {
        let mut shown = self.lock();
        match shown.as_mut() {
            Some(shown) if shown.holder == holder => return,
            Some(shown) => holder.clone_into(&mut shown.holder),
            None => {
                *shown = Some(Shown {
                    holder: holder.to_owned(),
                    server: self.start(),
                });
            }
        }
        tracing::info!(holder, "another gateway serves: waiting for its end");
    }

    fn start(&self) -> Option<HttpServer> {
        let readiness = Readiness::new();
        readiness.advance(ReadinessState::Standby);
        let scrape = Scrape::new(telemetry::install());
        match admin::start(self.address, scrape, readiness, Guarded::default()) {
            Ok(server) => {
                tracing::info!(http = %server.address(), "health, metrics and readiness are shown");
                Some(server)
            }
            Err(error) => {
                tracing::warn!(address = %self.address, %error, "nothing is shown while waiting");
                None
            }
        }
    }

    /// The wait is over.
    pub fn end(&self) {
        if let Some(server) = self.lock().take().and_then(|shown| shown.server) {
            server.stop();
        }
    }
}
