//! The watch over identities with open connections.
//!
//! Owns when each is looked at, and what follows. Promises a look at every interval and one soon
//! after a denial, a second look before anything ends, and a bound of time for all of it: see
//! [`WatchTimes`]. Never ends a connection because somebody cannot be reached.

use super::denied::DeniedIdentities;
use super::doors::Doors;
use crate::cdf::{CdfClient, Credentials, Identity, Standing, TokenCache};
use crate::diagnostic::Diagnostic;
use crate::telemetry::{AccessCheckCounters, AccessOutcome};
use async_trait::async_trait;
use futures::StreamExt;
use rand::Rng;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Looks that are under way at once.
const LOOKS_AT_ONCE: usize = 8;

/// How long one look may take; after that nothing is known.
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// From the first refusal to the look that must confirm it. Longer than the token cache believes a
/// refusal, so that the identity provider is asked again.
const CONFIRM_AFTER: Duration = Duration::from_secs(6);

/// From one look because of denials to the next: an identity may be turned away all day long from
/// one table and be right at another.
const DENIAL_PAUSE: Duration = Duration::from_secs(10);

/// The times of a watch.
#[derive(Clone, Copy, Debug)]
pub(super) struct WatchTimes {
    /// From one round to the next; each is up to a tenth earlier or later.
    pub interval: Duration,
    pub confirm_after: Duration,
    pub denial_pause: Duration,
}

impl WatchTimes {
    pub fn new(interval: Duration) -> Self {
        WatchTimes {
            interval,
            confirm_after: CONFIRM_AFTER,
            denial_pause: DENIAL_PAUSE.min(interval),
        }
    }
}

/// What decides whether an identity may stay.
#[async_trait]
pub(super) trait Access: Send + Sync + 'static {
    async fn standing(&self, identity: &Identity) -> Standing;

    /// The identity has lost its access: nothing more may be sent with what is left of it.
    async fn distrust(&self, identity: &Identity);

    /// Drops what only connections needed that are none of these.
    fn sweep(&self, open: &[Arc<Identity>]);
}

/// CDF and the identity providers.
pub(super) struct CdfAccess {
    pub client: CdfClient,
    pub tokens: Arc<TokenCache>,
}

#[async_trait]
impl Access for CdfAccess {
    async fn standing(&self, identity: &Identity) -> Standing {
        self.client.standing(identity).await
    }

    async fn distrust(&self, identity: &Identity) {
        self.client.distrust(identity).await;
    }

    fn sweep(&self, open: &[Arc<Identity>]) {
        let open: HashSet<&Credentials> =
            open.iter().map(|identity| &identity.credentials).collect();
        self.tokens.sweep(|credentials| open.contains(credentials));
    }
}

/// The watch.
pub(super) struct RevocationWatch<A, D> {
    access: A,
    doors: D,
    denied: Arc<DeniedIdentities>,
    times: WatchTimes,
    counters: AccessCheckCounters,
}

impl<A: Access, D: Doors> RevocationWatch<A, D> {
    pub fn new(access: A, doors: D, denied: Arc<DeniedIdentities>, times: WatchTimes) -> Self {
        RevocationWatch {
            access,
            doors,
            denied,
            times,
            counters: AccessCheckCounters::new(),
        }
    }

    /// Watches until it is dropped.
    pub async fn run(self) {
        loop {
            let round_at = Instant::now() + self.until_next_round();
            loop {
                tokio::select! {
                    biased;
                    () = sleep_until(round_at) => break,
                    () = self.denied.wait() => {
                        self.look_at_denied().await;
                        sleep(self.times.denial_pause).await;
                    }
                }
            }
            self.round().await;
        }
    }

    /// Many gateways that were started together must not ask together.
    fn until_next_round(&self) -> Duration {
        self.times
            .interval
            .mul_f64(rand::rng().random_range(0.9..1.1))
    }

    /// Looks at every identity with open connections.
    async fn round(&self) {
        // Those who were denied are among them.
        self.denied.take();
        let open = self.doors.identities();
        self.access.sweep(&open);
        self.look_at(open).await;
    }

    /// Looks at those who were denied since the last look.
    async fn look_at_denied(&self) {
        let denied = self.denied.take();
        let mut open = self.doors.identities();
        open.retain(|identity| denied.contains(&identity.name));
        self.look_at(open).await;
    }

    async fn look_at(&self, identities: Vec<Arc<Identity>>) {
        let lost = self.lost_among(identities).await;
        if lost.is_empty() {
            return;
        }
        sleep(self.times.confirm_after).await;
        let suspects = lost.into_iter().map(|(identity, _)| identity);
        for (identity, reason) in self.lost_among(suspects.collect()).await {
            self.access.distrust(&identity).await;
            let connections = self.doors.close(&identity);
            tracing::warn!(
                principal = identity.name,
                project = identity.project.name,
                connections,
                %reason,
                "a principal has lost its access to CDF: its connections are ended"
            );
        }
    }

    /// Those of `identities` who were refused, and why.
    async fn lost_among(
        &self,
        identities: Vec<Arc<Identity>>,
    ) -> Vec<(Arc<Identity>, Box<Diagnostic>)> {
        let looks = identities.into_iter().map(|identity| async {
            let standing = timeout(LOOK_TIMEOUT, self.access.standing(&identity)).await;
            (identity, standing.ok())
        });
        let mut looks = futures::stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE);
        let mut lost = Vec::new();
        while let Some((identity, standing)) = looks.next().await {
            let outcome = match standing {
                Some(Standing::Kept) => AccessOutcome::Kept,
                Some(Standing::Lost(reason)) => {
                    lost.push((identity, reason));
                    AccessOutcome::Lost
                }
                Some(Standing::Unknown(reason)) => {
                    let principal = &identity.name;
                    tracing::info!(principal, %reason, "whether CDF lets a principal in is not known");
                    AccessOutcome::Unknown
                }
                None => AccessOutcome::Unknown,
            };
            self.counters.checks.add(outcome, 1);
        }
        lost
    }
}
