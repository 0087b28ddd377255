//! The admin server: its paths together.
//!
//! Owns which paths the operators' server has, and the upkeep of the metrics. Promises health and
//! metrics to everybody who can connect, and everything else to nobody without the token. Never
//! shares a runtime with the data path.

use super::letters::Letters;
use super::readiness::Readiness;
use super::routes::{AdminState, router};
use crate::cdf::Secret;
use crate::http_server::{self, HttpServer};
use crate::telemetry::Scrape;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// How often observations are moved into their buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// What only callers with the bearer token may use.
#[derive(Default)]
pub struct Guarded {
    /// `None`: nobody may.
    pub token: Option<Secret>,
    /// `None`: no dead letters are kept.
    pub letters: Option<Letters>,
}

/// How long a request may take to come.
const REQUEST_WITHIN: Duration = Duration::from_secs(60);

/// Listens on `address` and serves until stopped. Port 0 picks a free one.
///
/// # Errors
/// The address cannot be bound, or the thread or its runtime cannot be made.
pub fn start(
    address: SocketAddr,
    scrape: Scrape,
    readiness: Readiness,
    guarded: Guarded,
) -> io::Result<HttpServer> {
    http_server::start("admin", address, None, REQUEST_WITHIN, move || {
        let upkeep = scrape.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
            loop {
                ticks.tick().await;
                upkeep.run_upkeep();
            }
        });
        let letters = super::letters::router(guarded.token, guarded.letters);
        router(AdminState { scrape, readiness }).merge(letters)
    })
}
