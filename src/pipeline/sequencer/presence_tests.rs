//! Presence against a CDF that is a set of points: what is found, and in how many calls.
//!
//! Owns a small CDF that answers questions page by page. Promises no I/O and no sequencer.

use super::*;
use crate::catalog;
use crate::cdf::{Credentials, Identity, Project, Secret};
use crate::pipeline::{MemoryBudget, Submission, Ticket};
use crate::rows::{ActionKind, DatapointBatch, DatapointValues, RowNumbers, SeriesKey, TimeSpan};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Ranges of points of numbered series, as one piece.
fn piece(ranges: &[(i64, Range<i64>)]) -> Arc<Piece> {
    let series: Vec<Arc<SeriesKey>> = ranges
        .iter()
        .map(|(series, _)| Arc::new(SeriesKey::new(SeriesReference::Id(*series))))
        .collect();
    let batch = RowBatch::Datapoints(DatapointBatch {
        table: catalog::DOUBLE_DATAPOINTS,
        action: ActionKind::Delete,
        spans: ranges
            .iter()
            .map(|(_, range)| TimeSpan {
                first_ms: range.start,
                last_ms: range.end - 1,
            })
            .collect(),
        series,
        series_index: (0..ranges.len() as u32).collect(),
        timestamps_ms: ranges.iter().map(|(_, range)| range.start).collect(),
        values: DatapointValues::Deleted(ranges.iter().map(|(_, range)| range.end).collect()),
        statuses: Vec::new(),
        row_numbers: RowNumbers::From(1),
    });
    let ticket = Ticket::new();
    let budget = MemoryBudget::new(1 << 20, 1 << 20).connection();
    let submission = Submission {
        part: ticket.part(ranges.len() as u64, 1),
        permit: budget.try_acquire(1).expect("there is room"),
        identity: Arc::new(Identity {
            name: "i".to_owned(),
            project: Project {
                base_url: "http://cdf".to_owned(),
                name: "p".to_owned(),
            },
            credentials: Credentials::FixedToken(Secret::new("t")),
            create_missing_time_series: false,
        }),
        batch,
        connection: 1,
        ticket_waits: true,
        sent_before: None,
    };
    Arc::new(Piece::new(vec![Segment {
        submission: Arc::new(submission),
        rows: 0..ranges.len(),
    }]))
}

/// Asks until everything is known; answers hold up to `page` points. Returns the calls made.
fn ask(presence: &mut Presence, points: &BTreeSet<(i64, i64)>, page: usize) -> usize {
    let mut calls = 0;
    while let Some(call) = presence.call() {
        let Call::FindPoints(questions) = call else {
            panic!("points are asked for");
        };
        assert!(questions.len() <= POINT_QUESTIONS_MAX);
        let limits: usize = questions.iter().map(|question| question.limit).sum();
        assert!(limits <= POINTS_PER_ANSWER_MAX);
        calls += 1;
        assert!(calls < 10_000, "it comes to an end");
        let pages = questions
            .iter()
            .map(|question| {
                let SeriesReference::Id(series) = question.series else {
                    panic!("series are named by id");
                };
                let limit = question.limit.min(page);
                let times = &question.times_ms;
                let mut positions: Vec<i64> = points
                    .range((series, times.start)..(series, times.end))
                    .map(|(_, at)| *at)
                    .collect();
                let has_more = positions.len() >= limit;
                positions.truncate(limit);
                PresentPage {
                    positions,
                    has_more,
                    is_string: false,
                }
            })
            .collect();
        presence.absorb(pages);
        assert_eq!(
            presence.has_questions(),
            presence.strips.iter().any(|strip| !strip.is_done())
        );
    }
    calls
}

proptest! {
    #[test]
    fn each_row_is_told_what_there_is_of_it(
        points in prop::collection::btree_set((0_i64..3, 0_i64..40), 0..60),
        wanted in prop::collection::vec((0_i64..3, 0_i64..40), 1..40),
        page in 1_usize..9,
    ) {
        let ranges: Vec<_> = wanted.iter().map(|(series, at)| (*series, *at..at + 1)).collect();
        let mut presence = Presence::of(piece(&ranges), Resource::Datapoints, false, false);
        ask(&mut presence, &points, page);
        let told: Vec<bool> = presence.found().iter().map(|found| *found > 0).collect();
        let there: Vec<bool> = wanted.iter().map(|point| points.contains(point)).collect();
        prop_assert_eq!(told, there);
    }

    #[test]
    fn each_point_of_overlapping_ranges_counts_once(
        points in prop::collection::btree_set((0_i64..3, 0_i64..40), 0..60),
        wanted in prop::collection::vec((0_i64..3, 0_i64..40, 1_i64..15), 1..12),
        page in 1_usize..9,
    ) {
        let ranges: Vec<_> = wanted
            .iter()
            .map(|(series, at, width)| (*series, *at..at + width))
            .collect();
        let mut presence = Presence::of(piece(&ranges), Resource::Datapoints, false, true);
        ask(&mut presence, &points, page);
        let mut left = points.clone();
        let counts: Vec<u64> = ranges
            .iter()
            .map(|(series, range)| {
                let before = left.len();
                left.retain(|(of, at)| of != series || !range.contains(at));
                (before - left.len()) as u64
            })
            .collect();
        prop_assert_eq!(presence.found(), counts);
    }
}

#[test]
fn a_hundred_points_far_apart_are_one_call() {
    let points: BTreeSet<_> = (0..100_000).map(|at| (7, at * 10)).collect();
    let ranges: Vec<_> = (0..100).map(|n| (7, n * 9_990..n * 9_990 + 1)).collect();
    let mut presence = Presence::of(piece(&ranges), Resource::Datapoints, false, false);
    assert_eq!(ask(&mut presence, &points, usize::MAX), 1);
    assert!(presence.found().iter().all(|found| *found == 1));
}

#[test]
fn ten_thousand_points_in_a_row_are_one_call() {
    let points: BTreeSet<_> = (0..10_000).map(|at| (7, at * 1000)).collect();
    let ranges: Vec<_> = points.iter().map(|(_, at)| (7, *at..at + 1)).collect();
    let mut presence = Presence::of(piece(&ranges), Resource::Datapoints, false, false);
    assert_eq!(ask(&mut presence, &points, usize::MAX), 1);
    assert!(presence.found().iter().all(|found| *found == 1));
}

#[test]
fn points_of_the_other_type_are_none_of_the_tables() {
    let mut presence = Presence::of(piece(&[(7, 1..2)]), Resource::Datapoints, true, false);
    presence.call().expect("a question");
    presence.absorb(vec![PresentPage {
        positions: vec![1],
        has_more: false,
        is_string: false,
    }]);
    assert_eq!(presence.found(), [0]);
}
