//! The sequencer on virtual time: random submissions, random answers, and what must hold.
//!
//! proptest prints the failing case, and keeps its seed in `proptest-regressions`.

use crate::cdf::Fate;
use crate::directory::{SPACE, name_of_id};
use crate::rows;
use crate::world::{World, settings};
use penstock::catalog::Resource;
use penstock::config::OperationLimits;
use penstock::rows::{RowBatch, SeriesReference};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
enum Step {
    Submit {
        identity: usize,
        connection: u64,
        /// (series or table, timestamp or key).
        rows: Vec<(usize, i64)>,
        waits: bool,
        bad_row: Option<usize>,
    },
    TicketWaits(usize),
    Abort(usize, bool),
    Advance(u64),
    Finish(usize, Fate),
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Answered),
        2 => prop::option::of(0u64..4).prop_map(|retry_after_s| Fate::Busy { retry_after_s }),
        2 => prop::option::of(0u64..4900).prop_map(|lands_ms| Fate::Unanswered { lands_ms }),
        1 => prop::option::of(0u64..4900).prop_map(|lands_ms| Fate::Lost { lands_ms }),
        1 => Just(Fate::Refused),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let rows = prop_oneof![
        6 => prop::collection::vec((0usize..6, 0i64..8), 1..8),
        1 => prop::collection::vec((0usize..6, 0i64..8), 8..40),
    ];
    let submit = (
        0usize..3,
        0u64..4,
        rows,
        any::<bool>(),
        prop::option::weighted(0.08, 0usize..40),
    )
        .prop_map(
            |(identity, connection, rows, waits, bad_row)| Step::Submit {
                identity,
                connection,
                rows,
                waits,
                bad_row,
            },
        );
    let step = prop_oneof![
        10 => submit,
        1 => (0usize..3).prop_map(Step::TicketWaits),
        2 => (0usize..100, any::<bool>()).prop_map(|(submitted, tells)| Step::Abort(submitted, tells)),
        4 => (0u64..3000).prop_map(Step::Advance),
        8 => (0usize..10, fates()).prop_map(|(call, fate)| Step::Finish(call, fate)),
    ];
    prop::collection::vec(step, 1..80)
}

/// Runs the steps; `batch` makes a batch of (series, timestamp) with places from a number.
fn run(world: &mut World, steps: &[Step], batch: impl Fn(&[(usize, i64)], u64) -> RowBatch) {
    for step in steps {
        match step {
            Step::Submit {
                identity,
                connection,
                rows,
                waits,
                bad_row,
            } => {
                let first = world.next_place();
                if let Some(bad_row) = bad_row {
                    world
                        .cdf
                        .bad_places
                        .insert(first + (bad_row % rows.len()) as u64);
                }
                world.submit(*identity, *connection, batch(rows, first), *waits);
            }
            Step::TicketWaits(identity) => world.ticket_waits(*identity),
            Step::Abort(submitted, tells) => world.abort(*submitted, *tells),
            Step::Advance(ms) => world.advance(Duration::from_millis(*ms)),
            Step::Finish(call, fate) => world.finish(*call, *fate),
        }
    }
}

fn by_external_id(rows: &[(usize, i64)], first: u64) -> RowBatch {
    let points: Vec<(SeriesReference, i64)> = rows
        .iter()
        .map(|(series, at)| {
            (
                SeriesReference::ExternalId(format!("s{series}").into()),
                *at,
            )
        })
        .collect();
    rows::datapoints(&points, first)
}

/// Every third reference is by id, every third by node; ids 4 and 5 are series that CDF does not
/// have.
fn by_any_name(rows: &[(usize, i64)], first: u64) -> RowBatch {
    let points: Vec<(SeriesReference, i64)> = rows
        .iter()
        .enumerate()
        .map(|(row, (series, at))| {
            let reference = match (row as u64 + first) % 3 {
                0 => SeriesReference::Id(*series as i64),
                1 => SeriesReference::instance(SPACE, &format!("s{series}")),
                _ => SeriesReference::ExternalId(format!("s{series}").into()),
            };
            (reference, *at)
        })
        .collect();
    rows::datapoints(&points, first)
}

fn raw(rows: &[(usize, i64)], first: u64) -> RowBatch {
    let keys: Vec<i64> = rows.iter().map(|(_, key)| *key).collect();
    rows::raw_rows(["a", "b"][rows[0].0 % 2], &keys, first)
}

fn creates(rows: &[(usize, i64)], first: u64) -> RowBatch {
    let names: Vec<String> = rows
        .iter()
        .map(|(a, b)| format!("t{}", a * 8 + *b as usize))
        .collect();
    rows::time_series(&names, first)
}

/// Submissions go by id and by external id in turn.
fn changes_by_either_name(rows: &[(usize, i64)], first: u64) -> RowBatch {
    let ids: Vec<i64> = rows
        .iter()
        .map(|(series, at)| *series as i64 + 6 * (at % 2))
        .collect();
    if first.is_multiple_of(2) {
        return rows::time_series_by_id(&ids, first);
    }
    let names: Vec<String> = ids
        .iter()
        .map(|id| name_of_id(*id).unwrap_or_else(|| format!("id {id}")))
        .collect();
    rows::time_series_changed(&names, first)
}

/// Every row has one verdict, and what CDF holds is what the verdicts say.
fn check(world: &World) -> Result<(), TestCaseError> {
    let mut accepted: HashMap<&rows::Key, u64> = HashMap::new();
    let mut possible: BTreeMap<&rows::Key, Vec<u64>> = BTreeMap::new();
    for (submitted, outcome) in world.submitted.iter().zip(world.outcomes()) {
        let total = outcome.accepted + outcome.rejected + outcome.failed + outcome.unknown;
        prop_assert_eq!(total, submitted.rows.len() as u64, "{:?}", outcome);
        let all_accepted = outcome.accepted == total;
        for row in &submitted.rows {
            if all_accepted {
                let last = accepted.entry(&row.key).or_default();
                *last = row.place.max(*last);
            }
            if outcome.accepted + outcome.unknown > 0 {
                possible.entry(&row.key).or_default().push(row.place);
            }
        }
        if !submitted.aborted && outcome.accepted < total {
            prop_assert!(outcome.first_error.is_some());
        }
    }
    for (key, last) in accepted {
        let held = world.cdf.held.get(key).copied().unwrap_or(0);
        prop_assert!(
            held >= last,
            "{:?} holds {} though {} was accepted",
            key,
            held,
            last
        );
    }
    for (key, held) in &world.cdf.held {
        let known = possible
            .get(key)
            .is_some_and(|places| places.contains(held));
        prop_assert!(known, "{:?} holds {}, of which no ticket knows", key, held);
    }
    Ok(())
}

/// No half-open window of `window` holds more than `limit` of what `amount` counts.
fn check_window(
    sent: &[(Instant, String, usize, u64)],
    window: Duration,
    limit: u64,
    amount: impl Fn(&(Instant, String, usize, u64)) -> u64,
) -> Result<(), TestCaseError> {
    for name in ["client-0", "client-1"] {
        let of_one: Vec<_> = sent.iter().filter(|(_, other, ..)| other == name).collect();
        for (index, last) in of_one.iter().enumerate() {
            let within: u64 = of_one[..=index]
                .iter()
                .filter(|(at, ..)| *at + window > last.0)
                .map(|call| amount(call))
                .sum();
            prop_assert!(within <= limit, "{} within {:?}", within, window);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn datapoints_reach_cdf_once_each_and_in_order(steps in steps()) {
        let mut world = World::new(settings(Resource::Datapoints));
        world.cdf.missing_series.insert("s5".to_owned());
        run(&mut world, &steps, by_external_id);
        world.calm();
        check(&world)?;
    }

    #[test]
    fn datapoints_are_delivered_when_cdf_names_no_bad_row(steps in steps()) {
        let mut world = World::new(settings(Resource::Datapoints));
        world.cdf.missing_series.insert("s5".to_owned());
        world.cdf.names_missing = false;
        run(&mut world, &steps, by_external_id);
        world.calm();
        check(&world)?;
    }

    #[test]
    fn raw_rows_reach_cdf_once_each_and_in_order(steps in steps()) {
        let mut world = World::new(settings(Resource::RawRows));
        run(&mut world, &steps, raw);
        world.calm();
        check(&world)?;
    }

    #[test]
    fn objects_are_made_once_and_their_makers_are_told_the_truth(steps in steps()) {
        let mut world = World::new(settings(Resource::TimeSeries));
        world.cdf.only_creates = true;
        run(&mut world, &steps, creates);
        world.calm();
        for (submitted, outcome) in world.submitted.iter().zip(world.outcomes()) {
            let total = outcome.accepted + outcome.rejected + outcome.failed + outcome.unknown;
            prop_assert_eq!(total, submitted.rows.len() as u64, "{:?}", outcome);
            let made = submitted.rows.iter().filter(|row| {
                world.cdf.held.get(&row.key) == Some(&row.place)
            });
            let made = made.count() as u64;
            prop_assert!(outcome.accepted <= made, "{:?} though {} are made", outcome, made);
            prop_assert!(made <= outcome.accepted + outcome.unknown, "{:?}, {}", outcome, made);
        }
    }

    #[test]
    fn rows_of_the_wrong_type_are_found_with_and_without_their_types(
        steps in steps(),
        tells_types in any::<bool>(),
    ) {
        let mut world = World::new(settings(Resource::Datapoints));
        world.cdf.strings.extend(["s1".to_owned(), "s4".to_owned()]);
        world.cdf.tells_types = tells_types;
        run(&mut world, &steps, by_external_id);
        world.calm();
        check(&world)?;
    }

    #[test]
    fn a_series_is_one_key_by_id_by_node_and_by_external_id(mut steps in steps()) {
        let mut world = World::new(settings(Resource::Datapoints));
        world.cdf.missing_series.extend(["id 4".to_owned(), "id 5".to_owned()]);
        // Order is promised on one connection: others may pass one that waits for a look-up.
        for step in &mut steps {
            if let Step::Submit { connection, .. } = step {
                *connection = 1;
            }
        }
        run(&mut world, &steps, by_any_name);
        world.calm();
        check(&world)?;
    }

    #[test]
    fn an_object_is_one_key_by_id_and_by_external_id(mut steps in steps()) {
        let mut world = World::new(settings(Resource::TimeSeries));
        // Order is promised on one connection.
        for step in &mut steps {
            if let Step::Submit { connection, .. } = step {
                *connection = 1;
            }
        }
        run(&mut world, &steps, changes_by_either_name);
        world.calm();
        check(&world)?;
    }

    #[test]
    fn no_window_sees_more_than_its_budget(steps in steps()) {
        let mut settings = settings(Resource::Datapoints);
        settings.limits.datapoints = OperationLimits {
            requests_per_s: 3,
            items_per_s: 40,
            bytes_per_window: 6000,
            window_s: 60,
            concurrency: 2,
            ..OperationLimits::default()
        };
        let mut world = World::new(settings);
        run(&mut world, &steps, by_external_id);
        world.calm();
        check(&world)?;
        let second = Duration::from_secs(1);
        check_window(&world.sent, second, 3, |_| 1)?;
        check_window(&world.sent, second, 40, |(_, _, items, _)| (*items).min(2) as u64)?;
        check_window(&world.sent, Duration::from_secs(60), 6000, |(.., bytes)| *bytes)?;
    }

    #[test]
    fn dropping_the_sequencer_and_its_calls_settles_every_ticket(steps in steps()) {
        let mut world = World::new(settings(Resource::Datapoints));
        run(&mut world, &steps, by_external_id);
        world.sequencer = None;
        world.calls.clear();
        for (submitted, outcome) in world.submitted.iter().zip(world.outcomes()) {
            let total = outcome.accepted + outcome.rejected + outcome.failed + outcome.unknown;
            prop_assert_eq!(total, submitted.rows.len() as u64);
        }
    }
}
