//! The watch over identities with open connections.
//!
//! Owns when each is looked at, and what follows. Promises a look at every interval and one soon
//! after a denial, a second look before anything ends, and a bound of time for all of it: see
//! [`WatchTimes`]; an identity provider that does not answer delays the looks at others by a few
//! waits only. Never ends a connection because somebody cannot be reached.

use super::denied::DeniedIdentities;
use super::doors::Doors;
use super::silence::Silence;
use crate::cdf::{CdfClient, Identity, Standing, TokenCache};
use crate::diagnostic::Diagnostic;
use crate::telemetry::{AccessCheckCounters, AccessOutcome};
use async_trait::async_trait;
use futures::StreamExt;
use rand::Rng;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Looks that are under way at once.
const LOOKS_AT_ONCE: usize = 8;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdf::{Denials, Project, Secret};
    use crate::diagnostic::SqlState;
    use std::collections::HashMap;
    use std::sync::Mutex;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    /// What a test says of identities, and what it was asked.
    #[derive(Default)]
    struct World {
        /// By name, one answer after the other; the last one stays.
        standings: Mutex<HashMap<String, Vec<Standing>>>,
        open: Mutex<Vec<Arc<Identity>>>,
        looks: Mutex<Vec<String>>,
        distrusted: Mutex<Vec<String>>,
        swept: Mutex<Vec<usize>>,
    }

    #[derive(Clone)]
    struct Scripted {
        world: Arc<World>,
        closed: UnboundedSender<String>,
    }

    #[async_trait]
    impl Access for Scripted {
        async fn standing(&self, identity: &Identity) -> Standing {
            self.world.looks.lock().unwrap().push(identity.name.clone());
            if identity.name.starts_with("silent") {
                return std::future::pending().await;
            }
            let mut standings = self.world.standings.lock().unwrap();
            let answers = standings.get_mut(&identity.name);
            match answers {
                Some(answers) if answers.len() > 1 => answers.remove(0),
                Some(answers) => answers[0].clone(),
                None => Standing::Kept,
            }
        }

        async fn distrust(&self, identity: &Identity) {
            let mut distrusted = self.world.distrusted.lock().unwrap();
            distrusted.push(identity.name.clone());
        }

        fn sweep(&self, open: &[Arc<Identity>]) {
            self.world.swept.lock().unwrap().push(open.len());
        }
    }

    impl Doors for Scripted {
        fn identities(&self) -> Vec<Arc<Identity>> {
            self.world.open.lock().unwrap().clone()
        }

        fn close(&self, identity: &Arc<Identity>) -> usize {
            // Nobody waits any more at the end of a test.
            let _ = self.closed.send(identity.name.clone());
            self.world
                .open
                .lock()
                .unwrap()
                .retain(|open| open != identity);
            1
        }
    }

    type TestWatch = RevocationWatch<Scripted, Scripted>;

    fn watch_over(names: &[&str]) -> (TestWatch, Arc<World>, UnboundedReceiver<String>) {
        let world = Arc::new(World::default());
        let identities = names.iter().map(|name| {
            // Those of one first word have one CDF.
            let host = name.split(' ').next().unwrap_or_default();
            let project = Project {
                base_url: format!("http://{host}.example"),
                name: "plant".to_owned(),
            };
            let mut identity = Identity::of_token(project, Secret::new("token"));
            identity.name = (*name).to_owned();
            Arc::new(identity)
        });
        world.open.lock().unwrap().extend(identities);
        let (closed, closes) = unbounded_channel();
        let scripted = Scripted {
            world: world.clone(),
            closed,
        };
        let times = WatchTimes {
            interval: Duration::from_secs(3_600),
            confirm_after: Duration::ZERO,
            denial_pause: Duration::ZERO,
            look_within: Duration::from_secs(3_600),
        };
        let denied = Arc::new(DeniedIdentities::default());
        let watch = RevocationWatch::new(scripted.clone(), scripted, denied, times);
        (watch, world, closes)
    }

    fn say(world: &World, name: &str, standings: Vec<Standing>) {
        let mut all = world.standings.lock().unwrap();
        all.insert(name.to_owned(), standings);
    }

    fn lost() -> Standing {
        let sqlstate = SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
        Standing::Lost(Box::new(Diagnostic::error(sqlstate, "refused")))
    }

    fn unknown() -> Standing {
        Standing::Unknown(Box::new(Diagnostic::error(
            SqlState::CONNECTION_FAILURE,
            "away",
        )))
    }

    #[tokio::test]
    async fn who_has_lost_access_is_ended_and_nobody_else() {
        let (watch, world, mut closes) = watch_over(&["ada", "bob", "eve"]);
        say(&world, "bob", vec![lost()]);
        say(&world, "eve", vec![unknown()]);
        watch.round().await;
        assert_eq!(closes.try_recv().ok().as_deref(), Some("bob"));
        assert!(closes.try_recv().is_err());
        assert_eq!(*world.distrusted.lock().unwrap(), ["bob"]);
        assert_eq!(*world.swept.lock().unwrap(), [3]);
    }

    #[tokio::test]
    async fn who_does_not_answer_keeps_nobody_from_being_looked_at() {
        let names: Vec<String> = (0..500).map(|number| format!("silent {number}")).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.push("bob");
        let (mut watch, world, mut closes) = watch_over(&names);
        watch.times.look_within = Duration::from_millis(20);
        say(&world, "bob", vec![lost()]);
        watch.round().await;
        assert_eq!(closes.try_recv().ok().as_deref(), Some("bob"));
        assert!(closes.try_recv().is_err());
        // No more than were under way at once before the first silence was noticed.
        let looks = world.looks.lock().unwrap().len();
        assert!(looks <= 2 * LOOKS_AT_ONCE + 2, "{looks}");
    }

    #[tokio::test]
    async fn one_refusal_that_is_not_confirmed_ends_nothing() {
        let (watch, world, mut closes) = watch_over(&["ada", "bob"]);
        say(&world, "ada", vec![lost(), Standing::Kept]);
        say(&world, "bob", vec![lost(), unknown()]);
        watch.round().await;
        assert!(closes.try_recv().is_err());
        assert_eq!(world.looks.lock().unwrap().len(), 4);
    }

    #[tokio::test]
    async fn an_outage_ends_nothing_however_long_it_lasts() {
        let (watch, world, mut closes) = watch_over(&["ada"]);
        say(&world, "ada", vec![unknown()]);
        for _ in 0..50 {
            watch.round().await;
        }
        assert!(closes.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_denial_is_looked_into_at_once_and_only_its_identity() {
        let (watch, world, mut closes) = watch_over(&["ada", "bob"]);
        say(&world, "bob", vec![lost()]);
        let denied = watch.denied.clone();
        let bob = world.open.lock().unwrap()[1].clone();
        for _ in 0..1_000 {
            denied.denied(&bob);
        }
        // The next round is an hour away.
        let running = tokio::spawn(watch.run());
        assert_eq!(closes.recv().await.as_deref(), Some("bob"));
        assert_eq!(*world.looks.lock().unwrap(), ["bob", "bob"]);
        // Somebody without open connections is nobody to look at.
        denied.denied(&bob);
        denied.denied(&world.open.lock().unwrap()[0].clone());
        while world.looks.lock().unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.looks.lock().unwrap()[2], "ada");
        running.abort();
    }

    #[tokio::test]
    async fn rounds_come_by_themselves() {
        let (mut watch, world, mut closes) = watch_over(&["ada"]);
        watch.times.interval = Duration::from_millis(1);
        say(&world, "ada", vec![Standing::Kept, Standing::Kept, lost()]);
        let running = tokio::spawn(watch.run());
        assert_eq!(closes.recv().await.as_deref(), Some("ada"));
        running.abort();
    }

    #[tokio::test]
    async fn many_identities_are_looked_at_once_each() {
        let names: Vec<String> = (0..500).map(|number| format!("user {number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (watch, world, _closes) = watch_over(&names);
        watch.round().await;
        assert_eq!(world.looks.lock().unwrap().len(), 500);
    }

    #[test]
    fn rounds_are_up_to_a_tenth_early_or_late() {
        let (watch, ..) = watch_over(&[]);
        for _ in 0..100 {
            let seconds = watch.until_next_round().as_secs_f64();
            assert!((3_240.0..=3_960.0).contains(&seconds), "{seconds}");
        }
    }
}
