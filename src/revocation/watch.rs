//! The watch over identities with open connections.
//!
//! Owns when each is looked at, and what follows. Promises a look at every interval and one soon
//! after a denial, a second look before anything ends, a bound of time for all of it (see
//! [`WatchTimes`]), and that who is shut out is let in once the access is back; an identity provider
//! that does not answer delays the looks at others by a few waits only. Never ends a connection
//! because somebody cannot be reached.

use super::denied::DeniedIdentities;
use super::doors::Doors;
use super::silence::Silence;
use crate::cdf::{CdfClient, Identity, RequiredAccess, Standing, TokenCache};
use crate::diagnostic::Diagnostic;
use crate::telemetry::{AccessCheckCounters, AccessOutcome};
use async_trait::async_trait;
use futures::StreamExt;
use rand::Rng;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Looks that are under way at once.
pub(super) const LOOKS_AT_ONCE: usize = 8;

/// How long one look may take; after that nothing is known.
const LOOK_WITHIN: Duration = Duration::from_secs(20);

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
    pub look_within: Duration,
}

impl WatchTimes {
    pub fn new(interval: Duration) -> Self {
        WatchTimes {
            interval,
            confirm_after: CONFIRM_AFTER,
            denial_pause: DENIAL_PAUSE.min(interval),
            look_within: LOOK_WITHIN,
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
        self.tokens.sweep(|credentials| {
            open.iter()
                .any(|identity| identity.credentials == *credentials)
        });
    }
}

/// The watch.
pub(super) struct RevocationWatch<A, D> {
    access: A,
    doors: D,
    pub(super) denied: Arc<DeniedIdentities>,
    pub(super) times: WatchTimes,
    counters: AccessCheckCounters,
    /// Those with open connections whom CDF has shown to have access.
    kept: Mutex<HashSet<Arc<Identity>>>,
}

/// Why an identity has to go.
enum Loss {
    /// CDF refuses whatever it may still send.
    Refused(Box<Diagnostic>),
    /// Only the gateway can keep it out.
    Lacking(Box<Diagnostic>),
}

impl<A: Access, D: Doors> RevocationWatch<A, D> {
    pub fn new(access: A, doors: D, denied: Arc<DeniedIdentities>, times: WatchTimes) -> Self {
        RevocationWatch {
            access,
            doors,
            denied,
            times,
            counters: AccessCheckCounters::new(),
            kept: Mutex::default(),
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
                        // A round is not kept waiting.
                        let pause_ends = Instant::now() + self.times.denial_pause;
                        sleep_until(pause_ends.min(round_at)).await;
                    }
                }
            }
            self.round().await;
        }
    }

    /// Many gateways that were started together must not ask together.
    pub(super) fn until_next_round(&self) -> Duration {
        self.times
            .interval
            .mul_f64(rand::rng().random_range(0.9..1.1))
    }

    /// Looks at every identity with open connections.
    pub(super) async fn round(&self) {
        // Those who were denied are among them.
        self.denied.take();
        let open = self.doors.identities();
        self.access.sweep(&open);
        self.kept().retain(|kept| open.contains(kept));
        self.look_at_shut_out(self.doors.shut_out_identities())
            .await;
        self.look_at(open).await;
    }

    /// Looks at those who were denied since the last look.
    pub(super) async fn look_at_denied(&self) {
        let denied = self.denied.take();
        let mut open = self.doors.identities();
        open.retain(|identity| denied.contains(&identity.name));
        let mut shut_out = self.doors.shut_out_identities();
        shut_out.retain(|identity| denied.contains(&identity.name));
        self.look_at_shut_out(shut_out).await;
        self.look_at(open).await;
    }

    /// Lets those in again who have their access back.
    async fn look_at_shut_out(&self, identities: Vec<Arc<Identity>>) {
        for (identity, standing) in self.standings(identities).await {
            if let Some(Standing::Kept) = standing {
                self.doors.let_in(&identity);
                let (principal, project) = (&identity.name, &identity.project.name);
                tracing::info!(principal, project, "a principal has its access to CDF back");
            }
        }
    }

    async fn look_at(&self, identities: Vec<Arc<Identity>>) {
        let lost = self.lost_among(identities).await;
        if lost.is_empty() {
            return;
        }
        sleep(self.times.confirm_after).await;
        let suspects = lost.into_iter().map(|(identity, _)| identity);
        for (identity, loss) in self.lost_among(suspects.collect()).await {
            self.access.distrust(&identity).await;
            // What it may do is told anew from here on.
            self.kept().remove(&identity);
            let (connections, reason) = match loss {
                Loss::Refused(reason) => (self.doors.close(&identity), reason),
                Loss::Lacking(reason) => (self.doors.shut_out(&identity, reason.clone()), reason),
            };
            tracing::warn!(
                principal = identity.name,
                project = identity.project.name,
                connections,
                %reason,
                "a principal has lost its access to CDF: its connections are ended"
            );
        }
    }

    /// Those of `identities` who have lost their access, and why.
    async fn lost_among(&self, identities: Vec<Arc<Identity>>) -> Vec<(Arc<Identity>, Loss)> {
        let mut lost = Vec::new();
        for (identity, standing) in self.standings(identities).await {
            match standing {
                Some(Standing::Kept) => drop(self.kept().insert(identity)),
                Some(Standing::Lost(reason)) => lost.push((identity, Loss::Refused(reason))),
                Some(Standing::Lacking(reason)) => lost.push((identity, Loss::Lacking(reason))),
                // Users of the accounts API had to show what they may do when they were made.
                Some(Standing::Untold(reason)) if asks_for_more(&identity) => {
                    lost.push((identity, Loss::Lacking(reason)));
                }
                Some(Standing::Untold(reason)) if self.kept().contains(&identity) => {
                    lost.push((identity, Loss::Refused(reason)));
                }
                Some(Standing::Untold(reason) | Standing::Unknown(reason)) => {
                    let principal = &identity.name;
                    tracing::info!(principal, %reason, "whether CDF lets a principal in is not known");
                }
                None => {}
            }
        }
        lost
    }

    /// How each of `identities` stands; `None`: nobody answered in time.
    async fn standings(
        &self,
        identities: Vec<Arc<Identity>>,
    ) -> Vec<(Arc<Identity>, Option<Standing>)> {
        let silence = Silence::default();
        let looks = identities.into_iter().map(|identity| async {
            if silence.is_about(&identity) {
                return (identity, None);
            }
            let looked = timeout(self.times.look_within, self.access.standing(&identity));
            let standing = looked.await.ok();
            silence.note(&identity, standing.is_some());
            (identity, standing)
        });
        let looks = futures::stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE);
        let standings: Vec<_> = looks.collect().await;
        for (identity, standing) in &standings {
            let outcome = match standing {
                Some(Standing::Kept) => AccessOutcome::Kept,
                Some(Standing::Unknown(_)) | None => AccessOutcome::Unknown,
                Some(Standing::Untold(_)) if !asks_for_more(identity) => AccessOutcome::Unknown,
                Some(_) => AccessOutcome::Lost,
            };
            self.counters.checks.add(outcome, 1);
        }
        standings
    }

    fn kept(&self) -> MutexGuard<'_, HashSet<Arc<Identity>>> {
        // Whole values come and go: the set is right whoever panicked.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it takes more than a token that CDF accepts.
fn asks_for_more(identity: &Identity) -> bool {
    identity.required_access != RequiredAccess::AcceptedToken
}
