//! Objects that are named by the key that clients gave them and by the id that CDF made: one
//! object has one order, whoever it is called.

use crate::cdf::Fate;
use crate::plant::{assets, counts, rows, run, table};
use crate::rows::{time_series_by_id, time_series_changed};
use crate::world::{Settings, World, settings};
use penstock::catalog::Resource;
use penstock::pipeline::attempt::Call;
use penstock::pipeline::{JOURNAL_CONNECTION, Submission, Ticket};
use penstock::rows::{Action, ObjectValues, RowBatch};
use std::time::Duration;

fn roomy() -> Settings {
    let mut settings = settings(Resource::TimeSeries);
    settings.batch.items_max = 1000;
    settings.batch.bytes_max = 1 << 20;
    settings
}

impl World {
    /// Changes series by their external ids.
    fn change(&mut self, connection: u64, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let batch = time_series_changed(&names, self.next_place());
        self.submit(0, connection, batch, true);
    }

    /// Changes series by their ids: series n is `s{n}`.
    fn change_by_id(&mut self, connection: u64, ids: &[i64]) {
        let batch = time_series_by_id(ids, self.next_place());
        self.submit(0, connection, batch, true);
    }

    /// The rows of each call under way, by the names that the calls use.
    fn named_under_way(&self) -> Vec<Vec<String>> {
        self.calls
            .iter()
            .filter_map(|call| match &call.call {
                Call::Write(piece) => Some(piece),
                _ => None,
            })
            .map(|piece| {
                let mut names = Vec::new();
                for segment in &piece.segments {
                    let RowBatch::Objects(batch) = &segment.submission.batch else {
                        panic!("series are changed");
                    };
                    for row in segment.rows.clone() {
                        names.push(match &batch.columns[0].values {
                            ObjectValues::BigInt(ids) => ids[row].to_string(),
                            ObjectValues::Text(keys) => keys.text(row).to_owned(),
                            other => panic!("{other:?} is no name"),
                        });
                    }
                }
                names
            })
            .collect()
    }
}

#[test]
fn a_change_by_external_id_does_not_overtake_one_by_id_that_is_repeated() {
    let mut world = World::new(roomy());
    world.change_by_id(1, &[1]);
    world.change(1, &["s1"]);
    assert_eq!(world.named_under_way(), [["1"]]);
    world.finish(
        0,
        Fate::Busy {
            retry_after_s: Some(1),
        },
    );
    assert!(world.calls.is_empty(), "{:?}", world.named_under_way());
    world.advance(Duration::from_secs(3));
    assert_eq!(world.named_under_way(), [["1"]]);
    world.finish(0, Fate::Answered);
    assert_eq!(world.named_under_way(), [["s1"]]);
    world.calm();
    assert_eq!(world.cdf.held[&("s1".to_owned(), 0)], 2);
}

#[test]
fn a_change_by_id_does_not_overtake_one_by_external_id_either() {
    let mut world = World::new(roomy());
    world.change(1, &["s1"]);
    world.change_by_id(1, &[1]);
    assert_eq!(world.named_under_way(), [["s1"]]);
    world.finish(0, Fate::Answered);
    assert_eq!(world.named_under_way(), [["1"]]);
}

#[test]
fn rows_that_go_by_one_name_do_not_wait_for_each_other() {
    let mut world = World::new(roomy());
    for name in ["s0", "s1", "s2"] {
        world.change(1, &[name]);
    }
    assert_eq!(world.named_under_way(), [["s0"], ["s1"], ["s2"]]);
}

#[test]
fn all_that_go_by_the_other_name_wait_together_and_go_in_one_request() {
    let mut world = World::new(roomy());
    world.change(1, &["s0"]);
    world.change(1, &["s1"]);
    for id in 0..4 {
        world.change_by_id(1, &[id]);
    }
    world.change(1, &["s3"]);
    assert_eq!(world.named_under_way(), [["s0"], ["s1"]]);
    world.finish(0, Fate::Answered);
    assert_eq!(world.named_under_way(), [["s1"]]);
    world.finish(0, Fate::Answered);
    assert_eq!(world.named_under_way(), [["0", "1", "2", "3"]]);
    world.finish(0, Fate::Answered);
    assert_eq!(world.named_under_way(), [["s3"]]);
}

#[test]
fn rows_of_another_connection_that_wait_hold_up_nobody() {
    let mut settings = roomy();
    settings.batch.in_flight_max = 1;
    let mut world = World::new(settings);
    world.change(1, &["s0"]);
    world.change(1, &["s1"]);
    world.change(1, &["s2"]);
    world.change_by_id(2, &[3]);
    assert_eq!(world.named_under_way(), [["s0"]]);
    world.finish(0, Fate::Answered);
    // Both are due, and go in turn.
    let first = world.named_under_way();
    world.finish(0, Fate::Answered);
    let mut both = [first, world.named_under_way()].concat();
    both.sort();
    assert_eq!(both, [vec!["3"], vec!["s1", "s2"]]);
}

#[test]
fn what_may_land_late_is_waited_for_under_the_other_name_too() {
    let mut world = World::new(roomy());
    world.change_by_id(1, &[1]);
    // No answer, and a write that lands four seconds later.
    world.finish(
        0,
        Fate::Lost {
            lands_ms: Some(4000),
        },
    );
    assert_eq!(world.outcomes_so_far(0).unknown, 1);
    world.change(2, &["s1"]);
    assert!(world.calls.is_empty(), "{:?}", world.named_under_way());
    world.advance(Duration::from_secs(5));
    assert_eq!(world.named_under_way(), [["s1"]]);
    world.finish(0, Fate::Answered);
    assert_eq!(world.cdf.held[&("s1".to_owned(), 0)], 2);
}

#[test]
fn rows_of_the_journal_that_wait_are_not_passed_under_the_other_name() {
    let mut settings = roomy();
    settings.batch.in_flight_max = 1;
    let mut world = World::new(settings);
    world.change(JOURNAL_CONNECTION, &["s0"]);
    world.change(JOURNAL_CONNECTION, &["s1"]);
    world.change_by_id(JOURNAL_CONNECTION, &[2]);
    world.change_by_id(7, &[1]);
    world.change(8, &["s2"]);
    assert_eq!(world.named_under_way(), [["s0"]]);
    world.calm();
    assert_eq!(world.cdf.held[&("s1".to_owned(), 0)], 4);
    assert_eq!(world.cdf.held[&("s2".to_owned(), 0)], 5);
}

#[test]
fn two_names_never_share_a_request() {
    let mut settings = roomy();
    settings.batch.in_flight_max = 1;
    let mut world = World::new(settings);
    world.change(1, &["s0"]);
    world.change(2, &["s1"]);
    world.change_by_id(3, &[1]);
    world.finish(0, Fate::Answered);
    assert_eq!(world.named_under_way().len(), 1);
    assert_eq!(world.named_under_way()[0].len(), 1);
    world.calm();
}

#[test]
fn rows_that_wait_for_parents_do_not_keep_the_parents_waiting() {
    run(|plant| async move {
        plant.write(assets(&Action::Create, 0..1, "old")).await;
        let id = plant.by_ids("/assets", &["asset-0"]).await[0]["id"].to_string();
        let columns = ["external_id", "name", "parent_external_id"];
        let child = [vec![Some("child"), Some("child"), Some("parent")]];
        let changed = [vec![Some(id.as_str()), Some("renamed")]];
        let parent = [vec![Some("parent"), Some("parent"), None]];
        let tickets = [Ticket::new(), Ticket::new(), Ticket::new()];
        let assets = table("assets");
        let batches = [
            rows(assets, &Action::Create, &columns, child),
            rows(assets, &Action::Update, &["id", "name"], changed),
            rows(assets, &Action::Create, &columns, parent),
        ];
        for (number, (ticket, batches)) in tickets.iter().zip(batches).enumerate() {
            for batch in batches {
                let submission = Submission {
                    identity: plant.identity(),
                    part: ticket.part(1, 1),
                    permit: plant.budget.acquire(batch.bytes()).await,
                    batch,
                    connection: 1,
                    // The child has nothing to wait for when all statements are known to be over.
                    ticket_waits: number == 2,
                    sent_before: None,
                };
                plant.intake.submit(Resource::Assets, submission);
            }
        }
        plant
            .intake
            .ticket_waits(&plant.identity(), Resource::Assets, 1);
        for ticket in &tickets {
            let outcome = ticket.settled().await;
            assert_eq!(counts(&outcome), [1, 0, 0, 0, 0], "{outcome:?}");
        }
        let made = plant.by_ids("/assets", &["asset-0", "child"]).await;
        assert_eq!(made[0]["name"], "renamed");
        assert_eq!(made[1]["parentExternalId"], "parent");
    });
}

#[test]
fn every_kind_of_object_keeps_its_order_under_both_names() {
    run(|plant| async move {
        let columns = "[{\"externalId\": \"c1\", \"valueType\": \"DOUBLE\"}]";
        for (name, path, text, more) in [
            ("assets", "/assets", "name", None),
            ("events", "/events", "description", None),
            ("files", "/files", "source", Some(("name", "a.txt"))),
            ("time_series", "/timeseries", "name", None),
            (
                "sequences",
                "/sequences",
                "name",
                Some(("columns", columns)),
            ),
        ] {
            let object = table(name);
            let mut given = vec!["external_id", text];
            let mut values = vec![Some("a"), Some("first")];
            if let Some((column, value)) = more {
                given.push(column);
                values.push(Some(value));
            }
            let made = plant
                .write(rows(object, &Action::Create, &given, [values]))
                .await;
            assert_eq!(counts(&made), [1, 0, 0, 0, 0], "{name}: {made:?}");
            let id = plant.by_ids(path, &["a"]).await[0]["id"].to_string();
            let (first, last) = (Ticket::new(), Ticket::new());
            for round in 0..10 {
                let said = round.to_string();
                let by_id = [vec![Some(id.as_str()), Some("by id")]];
                let by_key = [vec![Some("a"), Some(said.as_str())]];
                plant
                    .submit(&first, rows(object, &Action::Update, &["id", text], by_id))
                    .await;
                plant
                    .submit(
                        &last,
                        rows(object, &Action::Update, &["external_id", text], by_key),
                    )
                    .await;
            }
            let outcome = last.settled().await;
            assert_eq!(counts(&outcome), [10, 0, 0, 0, 0], "{name}: {outcome:?}");
            assert_eq!(plant.by_ids(path, &["a"]).await[0][text], "9", "{name}");
        }
    });
}
