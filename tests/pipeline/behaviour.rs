//! When requests are cut, what may pass what, and how each failure ends, one case each.

use crate::cdf::Fate;
use crate::rows::{datapoints, raw_rows, raw_tables, time_series};
use crate::world::{Settings, World, settings};
use penstock::catalog::Resource;
use penstock::diagnostic::SqlState;
use penstock::pipeline::attempt::Call;
use penstock::rows::SeriesReference;
use std::time::Duration;

/// Bounds that no test here meets by accident.
fn roomy(resource: Resource) -> Settings {
    let mut settings = settings(resource);
    settings.batch.items_max = 1000;
    settings.batch.points_max = 1000;
    settings.batch.bytes_max = 1 << 20;
    settings
}

fn world() -> World {
    World::new(roomy(Resource::Datapoints))
}

impl World {
    /// Points of series by external id, as the first identity.
    fn write(&mut self, points: &[(&str, i64)], waits: bool) {
        self.write_as(0, 0, points, waits);
    }

    fn write_as(&mut self, identity: usize, connection: u64, points: &[(&str, i64)], waits: bool) {
        let points: Vec<(SeriesReference, i64)> = points
            .iter()
            .map(|(name, at)| (SeriesReference::ExternalId((*name).into()), *at))
            .collect();
        let batch = datapoints(&points, self.next_place());
        self.submit(identity, connection, batch, waits);
    }

    fn rows_under_way(&self) -> Vec<u64> {
        self.calls
            .iter()
            .filter_map(|call| match &call.call {
                Call::Write(piece) => Some(piece.rows()),
                _ => None,
            })
            .collect()
    }
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn rows_that_nobody_waits_for_go_together_when_the_first_has_lingered() {
    let mut world = world();
    world.write(&[("a", 1)], false);
    world.advance(49 * MS);
    world.write(&[("b", 1)], false);
    assert!(world.calls.is_empty());
    world.advance(MS);
    assert_eq!(world.rows_under_way(), [2]);
}

#[test]
fn rows_that_somebody_waits_for_go_at_once_and_take_the_others_along() {
    let mut world = world();
    world.write(&[("a", 1)], false);
    world.write(&[("b", 1)], true);
    assert_eq!(world.rows_under_way(), [2]);
}

#[test]
fn a_statement_that_ends_later_sends_what_its_identity_has_waiting() {
    let mut world = world();
    world.write(&[("a", 1)], false);
    world.ticket_waits(1);
    assert!(world.calls.is_empty(), "another identity waits");
    world.ticket_waits(0);
    assert_eq!(world.rows_under_way(), [1]);
}

#[test]
fn rows_gather_while_all_slots_are_taken() {
    let mut world = world();
    for series in ["a", "b", "c", "d", "e", "f"] {
        world.write(&[(series, 1)], true);
    }
    assert_eq!(world.rows_under_way(), [1, 1, 1], "three slots");
    world.finish(0, Fate::Answered);
    assert_eq!(world.rows_under_way(), [1, 1, 3]);
}

#[test]
fn rows_of_two_identities_never_share_a_request() {
    let mut world = world();
    world.write_as(0, 0, &[("a", 1)], false);
    world.write_as(1, 1, &[("b", 1)], false);
    world.advance(50 * MS);
    assert_eq!(world.rows_under_way(), [1, 1]);
}

#[test]
fn a_full_request_goes_without_waiting() {
    let mut settings = roomy(Resource::Datapoints);
    settings.batch.points_max = 4;
    let mut world = World::new(settings);
    world.write(&[("a", 1), ("a", 2)], false);
    assert!(world.calls.is_empty());
    world.write(&[("a", 3), ("a", 4)], false);
    assert_eq!(world.rows_under_way(), [4]);
}

#[test]
fn disjoint_times_of_one_series_are_sent_in_parallel_and_overlapping_ones_are_not() {
    let mut world = world();
    world.write(&[("a", 1), ("a", 5)], true);
    world.write(&[("a", 6)], true);
    world.write(&[("a", 3)], true);
    assert_eq!(world.rows_under_way(), [2, 1], "3 lies between 1 and 5");
    world.finish(0, Fate::Answered);
    assert_eq!(world.rows_under_way(), [1, 1]);
}

#[test]
fn a_free_row_passes_one_that_waits_for_its_key() {
    let mut world = world();
    world.write(&[("a", 1)], true);
    world.write(&[("a", 1)], true);
    world.write(&[("b", 1)], true);
    assert_eq!(world.rows_under_way(), [1, 1]);
    world.finish(1, Fate::Answered);
    assert_eq!(
        world.rows_under_way(),
        [1],
        "the second write of a still waits"
    );
}

#[test]
fn writes_of_one_key_that_wait_together_go_in_one_request() {
    let mut world = world();
    world.write(&[("a", 1)], true);
    for _ in 0..10 {
        world.write(&[("a", 1)], true);
    }
    world.finish(0, Fate::Answered);
    assert_eq!(world.rows_under_way(), [10]);
    world.finish(0, Fate::Answered);
    assert_eq!(world.cdf.held[&("a".to_owned(), 1)], 11);
}

#[test]
fn a_series_with_hundreds_of_open_writes_keeps_their_order() {
    let mut world = world();
    for number in 0..500 {
        // Back and forth in time, with collisions, while three requests are always under way.
        world.write(&[("a", (number * 37) % 211)], true);
        if number % 20 == 19 {
            world.finish(number as usize, Fate::Answered);
        }
    }
    world.calm();
    assert!(world.outcomes().iter().all(|outcome| outcome.accepted == 1));
    for at in 0..211 {
        let last = (0..500).rev().find(|number| (number * 37) % 211 == at);
        let last = last.expect("every time is written") as u64;
        assert_eq!(world.cdf.held[&("a".to_owned(), at)], last + 1);
    }
}

#[test]
fn one_object_key_twice_makes_two_requests_one_after_the_other() {
    let mut world = World::new(roomy(Resource::TimeSeries));
    world.cdf.only_creates = true;
    let names = ["x", "y", "x"].map(str::to_owned);
    world.submit(0, 0, time_series(&names, 1), true);
    assert_eq!(world.rows_under_way(), [2]);
    world.finish(0, Fate::Answered);
    assert_eq!(world.rows_under_way(), [1]);
    world.calm();
    let outcome = &world.outcomes()[0];
    assert_eq!((outcome.accepted, outcome.rejected), (2, 1));
    let (row, reason) = outcome.first_error.as_ref().expect("x exists already");
    assert_eq!((*row, reason.sqlstate), (3, SqlState::UNIQUE_VIOLATION));
}

#[test]
fn a_look_up_of_one_connection_holds_up_no_other() {
    let mut world = world();
    let by_id = [(SeriesReference::Id(1), 1)];
    world.submit(0, 7, datapoints(&by_id, 1), true);
    world.write_as(0, 7, &[("b", 1)], true);
    world.write_as(0, 8, &[("c", 1)], true);
    assert_eq!(
        world.rows_under_way(),
        [1],
        "c goes; b waits behind the look-up"
    );
    world.finish(0, Fate::Answered);
    assert_eq!(
        world.rows_under_way(),
        [1, 2],
        "once the id is known both go"
    );
}

#[test]
fn the_keys_of_an_unanswered_request_wait_for_a_late_write() {
    let mut world = world();
    world.write(&[("a", 1)], true);
    world.write(&[("a", 1)], true);
    world.finish(
        0,
        Fate::Unanswered {
            lands_ms: Some(4000),
        },
    );
    world.advance(101 * MS);
    assert_eq!(world.rows_under_way(), [1], "the repeat");
    world.finish(0, Fate::Answered);
    assert_eq!(
        world.outcomes_so_far(0).accepted,
        1,
        "its verdict does not wait"
    );
    world.advance(4800 * MS);
    assert!(world.calls.is_empty(), "the second write does");
    world.advance(200 * MS);
    assert_eq!(world.rows_under_way(), [1]);
}

#[test]
fn missing_series_are_named_row_by_row_and_the_other_rows_arrive() {
    let mut world = world();
    world.cdf.missing_series.insert("gone".to_owned());
    world.write(&[("a", 1), ("gone", 1), ("b", 1), ("gone", 2)], true);
    world.calm();
    let outcome = &world.outcomes()[0];
    assert_eq!((outcome.accepted, outcome.rejected), (2, 2));
    let (row, reason) = outcome.first_error.as_ref().expect("two rows are rejected");
    assert_eq!(
        (*row, reason.sqlstate),
        (2, SqlState::FOREIGN_KEY_VIOLATION)
    );
    assert_eq!(reason.message, "time series \"gone\" does not exist");
}

#[test]
fn missing_series_are_made_for_a_user_who_wants_it() {
    let mut world = world();
    world.cdf.missing_series.insert("new".to_owned());
    world.write_as(2, 0, &[("a", 1), ("new", 1)], true);
    world.finish(0, Fate::Answered);
    let Call::MakeSeries {
        external_ids,
        is_string,
    } = &world.calls[0].call
    else {
        panic!("the series is not made: {:?}", world.calls);
    };
    assert_eq!((&*external_ids[0], *is_string), ("new", false));
    world.calm();
    assert_eq!(world.outcomes()[0].accepted, 2);
}

/// A point of a node, sent as identity number `identity`.
fn write_to_node(world: &mut World, identity: usize, name: &str) {
    let points = [(SeriesReference::instance("plant 2", name), 1)];
    let batch = datapoints(&points, world.next_place());
    world.submit(identity, 1, batch, true);
}

#[test]
fn rows_of_a_node_wait_until_cdf_has_made_its_series() {
    let mut world = world();
    world
        .cdf
        .missing_series
        .insert("node plant 2/pump".to_owned());
    write_to_node(&mut world, 0, "pump");
    // The look-up, and then the first attempt.
    world.finish(0, Fate::Answered);
    world.finish(0, Fate::Answered);
    world.advance(5_000 * MS);
    while !world.calls.is_empty() {
        world.finish(0, Fate::Answered);
    }
    assert_eq!(world.outcomes_so_far(0).rejected, 0, "it may still come");
    world.cdf.missing_series.clear();
    world.calm();
    assert_eq!(world.outcomes()[0].accepted, 1);
}

#[test]
fn rows_of_a_node_that_never_comes_are_refused_after_a_while_and_named() {
    let mut world = world();
    world
        .cdf
        .missing_series
        .insert("node plant 2/pump".to_owned());
    let began = world.now;
    write_to_node(&mut world, 0, "pump");
    world.calm();
    let outcome = &world.outcomes()[0];
    assert_eq!((outcome.accepted, outcome.rejected), (0, 1));
    let (_, reason) = outcome.first_error.as_ref().expect("the row is rejected");
    assert_eq!(reason.sqlstate, SqlState::FOREIGN_KEY_VIOLATION);
    assert_eq!(
        reason.message,
        "time series \"pump\" of space \"plant 2\" does not exist"
    );
    let waited = world.now - began;
    assert!(waited >= 10_000 * MS && waited < 60_000 * MS, "{waited:?}");
}

#[test]
fn rows_that_wait_in_vain_for_a_node_are_the_only_ones_refused() {
    let mut settings = roomy(Resource::Datapoints);
    // Less than a node is waited for.
    settings.retry.elapsed_max_s = 5;
    let mut world = World::new(settings);
    world
        .cdf
        .missing_series
        .insert("node plant 2/pump".to_owned());
    let points = [
        (SeriesReference::instance("plant 2", "pump"), 1),
        (SeriesReference::ExternalId("a".into()), 1),
    ];
    let batch = datapoints(&points, world.next_place());
    world.submit(0, 1, batch, true);
    world.calm();
    let outcome = &world.outcomes()[0];
    assert_eq!((outcome.accepted, outcome.rejected), (1, 1));
    let (row, reason) = outcome.first_error.as_ref().expect("one row is rejected");
    assert_eq!(
        (*row, reason.sqlstate),
        (1, SqlState::FOREIGN_KEY_VIOLATION)
    );
}

#[test]
fn nodes_are_made_for_a_user_who_wants_it() {
    let mut world = world();
    world
        .cdf
        .missing_series
        .insert("node plant 2/pump".to_owned());
    write_to_node(&mut world, 2, "pump");
    world.finish(0, Fate::Answered);
    world.finish(0, Fate::Answered);
    let Call::MakeNodes { nodes, is_string } = &world.calls[0].call else {
        panic!("the node is not made: {:?}", world.calls);
    };
    assert_eq!((&*nodes[0].external_id, *is_string), ("pump", false));
    world.calm();
    assert_eq!(world.outcomes()[0].accepted, 1);
}

#[test]
fn a_series_of_the_wrong_type_is_found_by_its_type_without_halving() {
    let mut world = world();
    world.cdf.strings.insert("text".to_owned());
    world.write(&[("a", 1), ("text", 1), ("b", 1), ("text", 2)], true);
    world.calm();
    let outcome = &world.outcomes()[0];
    assert_eq!((outcome.accepted, outcome.rejected), (2, 2));
    let (row, reason) = outcome.first_error.as_ref().expect("two rows are rejected");
    assert_eq!((*row, reason.sqlstate), (2, SqlState::DATATYPE_MISMATCH));
    assert_eq!(world.sent.len(), 2, "one refused, one without the series");
}

#[test]
fn one_bad_row_among_a_thousand_is_found_by_halving() {
    let mut world = World::new(roomy(Resource::RawRows));
    world.cdf.bad_places.insert(700);
    let keys: Vec<i64> = (0..1000).collect();
    world.submit(0, 0, raw_rows("t", &keys, 1), true);
    world.calm();
    let outcome = &world.outcomes()[0];
    assert_eq!((outcome.accepted, outcome.rejected), (999, 1));
    let (row, _) = outcome.first_error.as_ref().expect("one row is rejected");
    assert_eq!(*row, 700);
    assert!(world.sent.len() <= 21, "{} requests", world.sent.len());
}

#[test]
fn a_request_in_which_all_rows_are_bad_ends_within_bounds() {
    let mut world = World::new(roomy(Resource::RawRows));
    world.cdf.bad_places.extend(1..=1000);
    let keys: Vec<i64> = (0..1000).collect();
    world.submit(0, 0, raw_rows("t", &keys, 1), true);
    world.calm();
    assert_eq!(world.outcomes()[0].rejected, 1000);
    assert!(world.sent.len() < 300, "{} requests", world.sent.len());
}

#[test]
fn rows_given_up_are_failed_when_refused_and_unknown_when_unanswered() {
    let mut world = world();
    world.write(&[("a", 1)], true);
    world.write(&[("b", 1)], true);
    for _ in 0..1000 {
        if world.calls.is_empty() {
            world.advance(100 * MS);
        } else {
            let is_a = world.calls[0].id.0 == 1;
            world.finish(
                0,
                match is_a {
                    true => Fate::Busy {
                        retry_after_s: None,
                    },
                    false => Fate::Unanswered { lands_ms: None },
                },
            );
        }
    }
    let outcomes = world.outcomes();
    assert_eq!((outcomes[0].failed, outcomes[1].unknown), (1, 1));
    let (_, reason) = outcomes[1].first_error.as_ref().expect("it is given up");
    assert_eq!(reason.sqlstate, SqlState::STATEMENT_COMPLETION_UNKNOWN);
}

#[test]
fn retry_after_is_waited_for() {
    let mut world = world();
    world.write(&[("a", 1)], true);
    world.finish(
        0,
        Fate::Busy {
            retry_after_s: Some(3),
        },
    );
    world.advance(2999 * MS);
    assert!(world.calls.is_empty());
    world.advance(MS);
    assert_eq!(world.rows_under_way(), [1]);
}

#[test]
fn cancelled_rows_that_wait_are_given_up_at_once_and_nobody_overtakes_through_the_gap() {
    let mut world = world();
    for _ in 0..3 {
        world.write(&[("a", 1)], true);
    }
    world.abort(1, true);
    assert_eq!(world.outcomes_so_far(1).failed, 1);
    assert_eq!(
        world.rows_under_way(),
        [1],
        "the third still waits for the first"
    );
    world.calm();
    assert_eq!(world.cdf.held[&("a".to_owned(), 1)], 3);
}

#[test]
fn tables_of_several_raw_databases_are_made_in_a_request_each() {
    let mut world = World::new(roomy(Resource::RawTables));
    let batch = raw_tables(&["db1", "db2", "db1"], &["t1", "t2", "t3"]);
    world.submit_unread(batch);
    assert_eq!(world.rows_under_way(), [2]);
    world.finish_unread();
    assert_eq!(world.rows_under_way(), [1]);
    world.finish_unread();
    assert_eq!(world.outcomes_so_far(0).accepted, 3);
}
