//! An endpoint that only fails is left alone, and what waits for it keeps its time.

use crate::cdf::Fate;
use crate::rows::raw_rows;
use crate::world::{Settings, World, settings};
use penstock::catalog::Resource;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

const BUSY: Fate = Fate::Busy {
    retry_after_s: None,
};

fn roomy() -> Settings {
    let mut settings = settings(Resource::RawRows);
    settings.batch.items_max = 1000;
    settings.batch.bytes_max = 1 << 20;
    settings.pacing.breaker_failures = 3;
    settings
}

/// A world whose calls have failed until the breaker opened.
fn broken() -> World {
    let mut world = World::new(roomy());
    for key in 0..3 {
        let batch = raw_rows("t", &[key], world.next_place());
        world.submit(0, 0, batch, true);
    }
    for _ in 0..3 {
        world.finish(0, BUSY);
    }
    assert!(world.calls.is_empty());
    world
}

#[test]
fn while_it_is_open_nothing_is_sent() {
    let mut world = broken();
    world.advance(499 * MS);
    assert!(
        world.calls.is_empty(),
        "it is open for half a second at least"
    );
    let batch = raw_rows("t", &[77], world.next_place());
    world.submit(0, 1, batch, true);
    assert!(world.calls.is_empty(), "new rows wait as well");
}

#[test]
fn one_call_probes_and_its_success_lets_all_others_go() {
    let mut world = broken();
    world.advance(SECOND);
    assert_eq!(world.calls.len(), 1, "one probe");
    world.advance(30 * SECOND);
    assert_eq!(world.calls.len(), 1, "and no other while it is under way");
    world.finish(0, Fate::Answered);
    assert_eq!(world.calls.len(), 2, "the others need no time of their own");
    world.calm();
    assert!(world.outcomes().iter().all(|outcome| outcome.accepted == 1));
}

#[test]
fn an_endless_failure_costs_few_calls_and_ends_when_the_retry_budget_does() {
    let mut world = broken();
    let mut calls = 3;
    let began = world.now;
    while world.outcomes_so_far(0).failed == 0 {
        world.advance(100 * MS);
        calls += world.calls.len();
        while !world.calls.is_empty() {
            world.finish(0, BUSY);
        }
        assert!(world.now < began + 100 * SECOND, "it never ends");
    }
    assert!(calls < 15, "{calls} calls");
    world.advance(10 * SECOND);
    assert!((0..3).all(|statement| world.outcomes_so_far(statement).failed == 1));
}

#[test]
fn rows_that_were_never_sent_fail_when_their_time_is_over_with_the_reason_of_the_failure() {
    let mut world = broken();
    let batch = raw_rows("t", &[77], world.next_place());
    world.submit(0, 1, batch, false);
    world.advance(SECOND);
    assert_eq!(world.calls.len(), 1, "a probe that is never answered");
    world.advance(58 * SECOND);
    assert_eq!(world.outcomes_so_far(3).failed, 0);
    world.advance(2 * SECOND);
    let outcome = world.outcomes_so_far(3);
    assert_eq!(outcome.failed, 1);
    let (_, reason) = outcome.first_error.expect("it failed");
    assert_eq!(reason.message, "CDF said no");
}

#[test]
fn retry_after_holds_for_the_whole_endpoint_and_for_no_other_identity() {
    let mut world = World::new(roomy());
    let submit = |world: &mut World, identity, key| {
        let batch = raw_rows("t", &[key], world.next_place());
        world.submit(identity, 0, batch, true);
    };
    submit(&mut world, 0, 1);
    world.finish(
        0,
        Fate::Busy {
            retry_after_s: Some(5),
        },
    );
    submit(&mut world, 0, 2);
    assert!(world.calls.is_empty(), "new rows wait as well");
    submit(&mut world, 1, 3);
    assert_eq!(world.calls.len(), 1, "another identity does not");
    world.finish(0, Fate::Answered);
    world.advance(4999 * MS);
    assert!(world.calls.is_empty());
    world.advance(MS);
    assert_eq!(world.calls.len(), 2);
}

#[test]
fn a_batcher_that_waits_for_the_probe_of_another_hears_of_its_end() {
    use penstock::cdf::{Credentials, Identity, Operation, Project, Secret};
    use penstock::pipeline::pacing::{Ended, Permission};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    let mut now = Instant::now();
    let pacing = roomy().pacing(now);
    let nudged = Arc::new(AtomicBool::new(false));
    let told = nudged.clone();
    let prober = pacing.client(Arc::new(|| {}));
    let waiter = pacing.client(Arc::new(move || told.store(true, Ordering::Relaxed)));
    let identity = Identity {
        project: Project {
            base_url: "https://cdf.test".to_owned(),
            name: "plant".to_owned(),
        },
        name: "client".to_owned(),
        credentials: Credentials::FixedToken(Secret::new("token")),
        create_missing_time_series: false,
        required_access: Default::default(),
    };
    let endpoint = prober.endpoint(&identity, Operation::Create(Resource::TimeSeries));
    let failure = crate::cdf::busy(None, true);
    let attempt = |now| {
        assert_eq!(prober.pay(now, endpoint, 1, 0), Permission::Granted);
        Ended {
            began: now,
            paid_bytes: 0,
            body_bytes: None,
            failure: Some(&failure),
            is_suspect: false,
        }
    };
    for _ in 0..3 {
        prober.ended(now, endpoint, &attempt(now));
    }
    now += SECOND;
    let probe = attempt(now);
    let Permission::HeldUntil(lost_at) = waiter.pay(now, endpoint, 1, 0) else {
        panic!("one probe at a time");
    };
    prober.ended(now, endpoint, &probe);
    assert!(nudged.load(Ordering::Relaxed), "the probe has failed");
    let Permission::HeldUntil(open_until) = waiter.pay(now, endpoint, 1, 0) else {
        panic!("it is open again");
    };
    assert!(open_until < lost_at);
}
