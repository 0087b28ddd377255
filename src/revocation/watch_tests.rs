//! The watch, with a CDF that says what the test wants.

use super::denied::DeniedIdentities;
use super::doors::Doors;
use super::watch::{Access, LOOKS_AT_ONCE, RevocationWatch, WatchTimes};
use crate::cdf::{Denials, Identity, Project, Secret, Standing};
use crate::diagnostic::{Diagnostic, SqlState};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
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
    shut_out: Mutex<Vec<Arc<Identity>>>,
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

    fn shut_out(&self, identity: &Arc<Identity>, _: Box<Diagnostic>) -> usize {
        self.world.shut_out.lock().unwrap().push(identity.clone());
        self.close(identity)
    }

    fn shut_out_identities(&self) -> Vec<Arc<Identity>> {
        self.world.shut_out.lock().unwrap().clone()
    }

    fn let_in(&self, identity: &Identity) {
        let mut shut_out = self.world.shut_out.lock().unwrap();
        shut_out.retain(|other| **other != *identity);
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

fn lacking() -> Standing {
    Standing::Lacking(diagnostic())
}

fn untold() -> Standing {
    Standing::Untold(diagnostic())
}

fn diagnostic() -> Box<Diagnostic> {
    let sqlstate = SqlState::INSUFFICIENT_PRIVILEGE;
    Box::new(Diagnostic::error(sqlstate, "lacking"))
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
async fn who_lacks_what_the_gateway_asks_for_is_shut_out_until_it_is_back() {
    let (watch, world, mut closes) = watch_over(&["ada"]);
    let shut_out = || world.shut_out.lock().unwrap().len();
    say(&world, "ada", vec![lacking()]);
    watch.round().await;
    assert_eq!(closes.try_recv().ok().as_deref(), Some("ada"));
    for standing in [lacking(), unknown(), lost()] {
        say(&world, "ada", vec![standing]);
        watch.round().await;
        assert_eq!(shut_out(), 1);
    }
    say(&world, "ada", vec![Standing::Kept]);
    let ada = world.shut_out.lock().unwrap()[0].clone();
    // Not before somebody asks, and then at once.
    watch.denied.denied(&ada);
    watch.look_at_denied().await;
    assert_eq!(shut_out(), 0);
}

#[tokio::test]
async fn not_being_told_is_a_loss_only_for_who_was_told_before() {
    let (watch, world, mut closes) = watch_over(&["ada", "bob"]);
    say(&world, "ada", vec![untold()]);
    say(&world, "bob", vec![Standing::Kept, untold()]);
    watch.round().await;
    assert!(closes.try_recv().is_err());
    watch.round().await;
    assert_eq!(closes.try_recv().ok().as_deref(), Some("bob"));
    assert!(closes.try_recv().is_err());
    assert!(world.shut_out.lock().unwrap().is_empty());
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
