//! Taking access back: connections of those whom CDF does not let in any more.
//!
//! 1. `denied` gathers the identities that were turned away while they wrote.
//! 2. `watch` looks how every identity with open connections stands, at intervals and soon after
//!    such a denial, ends the connections of those who have lost their access, and keeps out those
//!    whom CDF itself would not keep out until they have it back.
//! 3. `session_keeper` exchanges sessions in time, also those that nobody uses.
//! 4. `silence` keeps those who do not answer from delaying either.
//!
//! Owns the times of all of it. Promises that connections end for a refusal only, never because
//! somebody cannot be reached, and that the cost is counted by identity and not by connection.
//! Never on a row's way.

mod denied;
mod doors;
mod session_keeper;
mod silence;
mod watch;
#[cfg(test)]
mod watch_tests;

use crate::cdf::{CdfClient, TokenCache};
use crate::wire::{OpenConnections, Users};
use doors::GatewayDoors;
use session_keeper::SessionKeeper;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use watch::{RevocationWatch, WatchTimes};

/// What is watched over, and with what.
pub struct RevocationParts {
    pub client: CdfClient,
    pub tokens: Arc<TokenCache>,
    pub users: Users,
    pub connections: OpenConnections,
    /// From one look at an identity to the next.
    pub check_interval: Duration,
}

/// The running watch; it ends with this value.
#[derive(Debug)]
pub struct Revocation {
    tasks: [JoinHandle<()>; 2],
}

impl Revocation {
    /// Watches from now on. Must be called inside a runtime.
    pub fn start(parts: RevocationParts) -> Self {
        let denied = Arc::new(denied::DeniedIdentities::default());
        parts.tokens.report_denials(denied.clone());
        // Who knocks may have the access back: that is looked into as soon as a denial is.
        parts.connections.report_knocks(denied.clone());
        let keeper = SessionKeeper::new(parts.client.clone(), parts.users.clone());
        let doors = GatewayDoors {
            connections: parts.connections,
            users: parts.users,
        };
        let access = watch::CdfAccess {
            client: parts.client,
            tokens: parts.tokens,
        };
        let times = WatchTimes::new(parts.check_interval);
        let watch = RevocationWatch::new(access, doors, denied, times);
        Revocation {
            tasks: [tokio::spawn(watch.run()), tokio::spawn(keeper.run())],
        }
    }
}

impl Drop for Revocation {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
