//! One gateway at a time: the lease of a state store.

use crate::{on_both, open};
use penstock::state::{LeaseAnswer, StateLocation, StateStore, Tenure};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Longer than any test: it does not run out by itself.
const LONG_MS: i64 = 3_600_000;

#[test]
fn a_lease_has_one_holder_who_may_renew_it_and_give_it_back() {
    on_both("lease", |location| {
        let (mut one, mut other) = (open(location), open(location));
        let held = one.take_lease("one", LONG_MS).expect("answered");
        assert_eq!(held, LeaseAnswer::Held { epoch: 1 });
        assert_eq!(one.take_lease("one", LONG_MS).expect("answered"), held);
        match other.take_lease("other", LONG_MS).expect("answered") {
            LeaseAnswer::Taken { holder, for_ms } => {
                assert_eq!(holder, "one");
                assert!((0..=LONG_MS).contains(&for_ms));
            }
            held => panic!("two hold it: {held:?}"),
        }
        // What is somebody else's cannot be given back.
        other.release_lease("other").expect("answered");
        let taken = other.take_lease("other", LONG_MS).expect("answered");
        assert!(matches!(taken, LeaseAnswer::Taken { .. }));
        one.release_lease("one").expect("answered");
        let held = other.take_lease("other", LONG_MS).expect("answered");
        assert_eq!(held, LeaseAnswer::Held { epoch: 2 });
    });
}

#[test]
fn a_lease_that_ran_out_is_the_next_ones() {
    on_both("expired", |location| {
        let (mut one, mut other) = (open(location), open(location));
        // It ends when it begins.
        one.take_lease("one", 0).expect("answered");
        let held = other.take_lease("other", LONG_MS).expect("answered");
        assert_eq!(held, LeaseAnswer::Held { epoch: 2 });
        let taken = one.take_lease("one", LONG_MS).expect("answered");
        assert!(matches!(taken, LeaseAnswer::Taken { .. }));
    });
}

#[test]
fn of_many_who_ask_at_once_one_has_the_lease() {
    on_both("many-ask", |location| {
        let asking: Vec<_> = (0..8)
            .map(|number| {
                let mut store = open(location);
                std::thread::spawn(move || {
                    let asked = store.take_lease(&format!("gateway {number}"), LONG_MS);
                    asked.expect("answered")
                })
            })
            .collect();
        let answers: Vec<LeaseAnswer> = asking
            .into_iter()
            .map(|asking| asking.join().expect("no panic"))
            .collect();
        let held = LeaseAnswer::Held { epoch: 1 };
        let holders = answers.iter().filter(|answer| **answer == held).count();
        assert_eq!(holders, 1, "{answers:?}");
    });
}

/// Waits for the lease on a runtime of its own.
fn begin(location: &StateLocation, waits: Sender<String>) -> Tenure {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let lease = Duration::from_secs(60);
    let begun = Tenure::begin(location.clone(), lease, move |holder| {
        // The test may have heard enough.
        let _ = waits.send(holder.to_owned());
    });
    runtime.block_on(begun).expect("the lease is held")
}

#[test]
fn who_waits_takes_over_when_the_holder_ends() {
    on_both("tenure", |location| {
        let first = begin(location, channel().0);
        let (waits, waiting) = channel();
        let place = location.clone();
        let second = std::thread::spawn(move || begin(&place, waits));
        let holder = waiting.recv().expect("it is told who holds the lease");
        assert!(holder.contains(&format!(":{}:", std::process::id())));
        assert!(!second.is_finished());
        drop(first);
        drop(second.join().expect("no panic"));
    });
}

#[test]
fn a_holder_whose_lease_was_taken_is_told() {
    on_both("lost", |location| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let lease = Duration::from_millis(300);
        let begun = Tenure::begin(location.clone(), lease, |_| {});
        let tenure = runtime.block_on(begun).expect("held");
        let (told, is_told) = channel();
        // The test listens until it is told.
        tenure.when_lost(move || told.send(()).expect("the test listens"));
        assert!(!tenure.term().is_over());
        // Somebody who does not keep to the rules.
        take_by_force(&mut open(location));
        is_told.recv().expect("the holder is told");
        assert!(tenure.term().is_over());
    });
}

/// Gives the lease back in the holder's name, and takes it.
fn take_by_force(store: &mut StateStore) {
    while let LeaseAnswer::Taken { holder, .. } =
        store.take_lease("thief", LONG_MS).expect("answered")
    {
        store.release_lease(&holder).expect("answered");
    }
}

#[test]
fn a_holder_whose_store_does_not_answer_is_told_before_anybody_else_can_take_it() {
    let directory =
        std::env::temp_dir().join(format!("penstock-state-silent-{}", std::process::id()));
    let path = directory.join("state.sqlite");
    let location = StateLocation::File(path.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    // Shorter than the time in which the store gives up a write.
    let lease = Duration::from_secs(6);
    let begun = Tenure::begin(location, lease, |_| {});
    let tenure = runtime.block_on(begun).expect("held");
    let (told, is_told) = channel();
    // The test listens until it is told.
    tenure.when_lost(move || told.send(()).expect("the test listens"));
    let mut neighbour = rusqlite::Connection::open(&path).expect("the store");
    // Nobody else writes while this is open.
    let held = neighbour
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .expect("begun");
    is_told.recv().expect("the holder is told");
    let expires_ms: i64 = held
        .query_row("SELECT expires_ms FROM leases", [], |row| row.get(0))
        .expect("a lease");
    assert!(jiff::Timestamp::now().as_millisecond() < expires_ms);
    assert!(tenure.term().is_over());
    drop(held);
    drop(tenure);
    std::fs::remove_dir_all(&directory).expect("removable");
}

#[test]
fn who_asks_what_to_do_after_the_loss_is_told_at_once() {
    on_both("late", |location| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let begun = Tenure::begin(location.clone(), Duration::from_millis(300), |_| {});
        let tenure = runtime.block_on(begun).expect("held");
        take_by_force(&mut open(location));
        let (told, is_told) = channel();
        // The test listens until it is told.
        tenure.when_lost(move || told.send(()).expect("the test listens"));
        is_told.recv().expect("the holder is told");
    });
}

#[test]
fn what_was_said_last_is_done_after_the_loss() {
    on_both("said-last", |location| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let begun = Tenure::begin(location.clone(), Duration::from_secs(3), |_| {});
        let tenure = runtime.block_on(begun).expect("held");
        let (told, is_told) = channel();
        for act in ["first", "last"] {
            let told = told.clone();
            // The test listens until it is told.
            tenure.when_lost(move || told.send(act).expect("the test listens"));
        }
        drop(told);
        take_by_force(&mut open(location));
        assert_eq!(is_told.iter().collect::<Vec<_>>(), ["last"]);
    });
}
