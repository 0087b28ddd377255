//! Points that are written, changed and deleted, on virtual time: whatever is repeated, CDF ends
//! as if each statement had been carried out in its turn, and each is told what it changed.

use crate::cdf::{Fate, busy};
use crate::directory::Directory;
use crate::rows;
use crate::world::settings;
use futures::FutureExt;
use penstock::catalog::{self, Resource};
use penstock::cdf::{
    AttemptFailure, Credentials, Identity, PointQuestion, PresentPage, Project, Reference, Secret,
};
use penstock::pipeline::attempt::{Attempt, AttemptReport, Call, CallAnswer};
use penstock::pipeline::segment::Piece;
use penstock::pipeline::sequencer::Sequencer;
use penstock::pipeline::{ConnectionBudget, MemoryBudget, Submission, Ticket};
use penstock::rows::{
    ActionKind, DatapointBatch, DatapointValues, RowBatch, RowNumbers, SeriesReference,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What CDF holds: by series and time, the place of the row that wrote it.
type Points = BTreeMap<(String, i64), f64>;

#[derive(Clone, Debug)]
enum Change {
    Write(Vec<(usize, i64)>),
    Update(Vec<(usize, i64)>),
    /// Series, first time, how many.
    Delete(Vec<(usize, i64, i64)>),
}

#[derive(Clone, Debug)]
enum Step {
    Submit {
        identity: usize,
        connection: u64,
        change: Change,
        waits: bool,
    },
    Advance(u64),
    Finish(usize, Fate),
}

/// A series that CDF does not have, and one of strings.
const MISSING: usize = 4;
const STRINGS: usize = 5;

fn name(series: usize) -> SeriesReference {
    SeriesReference::ExternalId(format!("s{series}").into())
}

fn batch(change: &Change, first: u64) -> RowBatch {
    let points = |points: &[(usize, i64)], action| {
        let named: Vec<_> = points
            .iter()
            .map(|(series, at)| (name(*series), *at))
            .collect();
        let RowBatch::Datapoints(mut batch) = rows::datapoints(&named, first) else {
            panic!("points are points");
        };
        batch.action = action;
        batch
    };
    RowBatch::Datapoints(match change {
        Change::Write(places) => points(places, ActionKind::Create),
        Change::Update(places) => points(places, ActionKind::Update),
        Change::Delete(ranges) => {
            let begins: Vec<_> = ranges
                .iter()
                .map(|(series, at, _)| (*series, *at))
                .collect();
            let ends: Vec<i64> = ranges.iter().map(|(_, at, width)| at + width).collect();
            let whole = points(&begins, ActionKind::Delete);
            let mut spans = whole.spans.clone();
            for (index, end) in whole.series_index.iter().zip(&ends) {
                let span = &mut spans[*index as usize];
                span.last_ms = span.last_ms.max(end - 1);
            }
            DatapointBatch {
                table: catalog::DOUBLE_DATAPOINTS,
                action: ActionKind::Delete,
                series: whole.series.clone(),
                spans,
                series_index: whole.series_index.clone(),
                timestamps_ms: whole.timestamps_ms.clone(),
                values: DatapointValues::Deleted(ends),
                statuses: Vec::new(),
                row_numbers: RowNumbers::From(1),
            }
        }
    })
}

/// Carries the rows of a batch out; per row how many points it wrote or took away.
fn apply(points: &mut Points, batch: &RowBatch, rows: std::ops::Range<usize>) -> Vec<u64> {
    let RowBatch::Datapoints(batch) = batch else {
        panic!("points are points");
    };
    let mut touched = Vec::new();
    for row in rows {
        let series = match batch.series[batch.series_index[row] as usize].reference() {
            SeriesReference::ExternalId(name) => name.to_string(),
            other => panic!("the model names no series by {other:?}"),
        };
        let at = batch.timestamps_ms[row];
        touched.push(match &batch.values {
            DatapointValues::Double(values) => {
                points.insert((series, at), values[row]);
                1
            }
            DatapointValues::Deleted(ends) => {
                let before = points.len();
                points.retain(|(of, time), _| *of != series || !(at..ends[row]).contains(time));
                (before - points.len()) as u64
            }
            DatapointValues::Text(_) => panic!("the model writes numbers"),
        });
    }
    touched
}

struct Submitted {
    ticket: Ticket,
    /// What its tag must say.
    count: u64,
    counts_by_cdf: bool,
    rows: u64,
}

struct Plant {
    sequencer: Sequencer,
    now: Instant,
    calls: Vec<Attempt>,
    /// Writes that land later.
    landing: Vec<(Instant, Arc<Piece>)>,
    points: Points,
    /// As CDF must be in the end.
    wanted: Points,
    directory: Arc<Directory>,
    identities: Vec<Arc<Identity>>,
    budget: ConnectionBudget,
    submitted: Vec<Submitted>,
    place: u64,
}

impl Plant {
    fn new() -> Self {
        let now = Instant::now();
        let mut settings = settings(Resource::Datapoints);
        settings.retry.elapsed_max_s = 100_000;
        let directory = Arc::new(Directory::default());
        let sequencer =
            settings.sequencer(directory.clone(), &settings.pacing(now), Arc::new(|| {}));
        Plant {
            sequencer,
            now,
            calls: Vec::new(),
            landing: Vec::new(),
            points: Points::new(),
            wanted: Points::new(),
            directory,
            identities: (0..2)
                .map(|number| {
                    Arc::new(Identity {
                        project: Project {
                            base_url: "https://cdf.test".to_owned(),
                            name: "plant".to_owned(),
                        },
                        name: format!("client-{number}"),
                        credentials: Credentials::FixedToken(Secret::new("token")),
                        create_missing_time_series: false,
                    })
                })
                .collect(),
            budget: MemoryBudget::new(1 << 30, 1 << 30).connection(),
            submitted: Vec::new(),
            place: 1,
        }
    }

    fn submit(&mut self, identity: usize, connection: u64, change: &Change, waits: bool) {
        let batch = batch(change, self.place);
        let rows = batch.rows() as u64;
        self.place += rows;
        let is_real = |series: usize| series != MISSING && series != STRINGS;
        let count = match change {
            Change::Write(_) => {
                apply(&mut self.wanted, &batch, 0..batch.rows());
                rows
            }
            Change::Update(places) => {
                let mut found = 0;
                for (row, (series, at)) in places.iter().enumerate() {
                    if self.wanted.contains_key(&(format!("s{series}"), *at)) {
                        apply(&mut self.wanted, &batch, row..row + 1);
                        found += 1;
                    }
                }
                found
            }
            Change::Delete(_) => apply(&mut self.wanted, &batch, 0..batch.rows())
                .into_iter()
                .sum(),
        };
        let counts_by_cdf = matches!(change, Change::Delete(_));
        if let Change::Write(places) = change {
            assert!(places.iter().all(|(series, _)| is_real(*series)));
        }
        let ticket = match counts_by_cdf {
            true => Ticket::wanting_objects(),
            false => Ticket::new(),
        };
        let submission = Submission {
            part: ticket.part(rows, 1),
            permit: self
                .budget
                .acquire(batch.bytes())
                .now_or_never()
                .expect("the budget of the test is large"),
            identity: self.identities[identity % 2].clone(),
            batch,
            connection,
            ticket_waits: waits,
            sent_before: None,
        };
        self.submitted.push(Submitted {
            ticket,
            count,
            counts_by_cdf,
            rows,
        });
        self.sequencer.submit(self.now, submission);
        self.poll();
    }

    fn poll(&mut self) {
        let now = self.now;
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.landing)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.landing = later;
        for (_, piece) in due {
            self.carry_out(&piece);
        }
        let mut calls = Vec::new();
        self.sequencer.poll(now, &mut calls);
        for call in &calls {
            if let Call::Write(piece) = &call.call {
                assert!(piece.weight.items <= 6, "{} items", piece.weight.items);
            }
        }
        self.calls.extend(calls);
    }

    /// CDF takes all of a request, or says which series it misses.
    fn judge(&self, piece: &Piece) -> Result<(), AttemptFailure> {
        let missing = format!("s{MISSING}");
        let names_missing = piece.segments.iter().any(|segment| {
            let RowBatch::Datapoints(batch) = &segment.submission.batch else {
                return false;
            };
            segment.rows.clone().any(|row| {
                let series = batch.series[batch.series_index[row] as usize].reference();
                *series == SeriesReference::ExternalId(missing.as_str().into())
            })
        });
        match names_missing {
            true => Err(self.missing()),
            false => Ok(()),
        }
    }

    fn missing(&self) -> AttemptFailure {
        AttemptFailure::Split {
            missing: vec![Reference::ExternalId(format!("s{MISSING}").into())],
            duplicated: Vec::new(),
            reason: crate::cdf::reason(),
        }
    }

    fn carry_out(&mut self, piece: &Piece) {
        for segment in &piece.segments {
            let RowBatch::Datapoints(batch) = &segment.submission.batch else {
                panic!("points are points");
            };
            let strings = SeriesReference::ExternalId(format!("s{STRINGS}").into());
            for row in segment.rows.clone() {
                let series = batch.series[batch.series_index[row] as usize].reference();
                assert_ne!(
                    *series, strings,
                    "a series of strings is none of the table's"
                );
            }
            apply(
                &mut self.points,
                &segment.submission.batch,
                segment.rows.clone(),
            );
        }
    }

    fn present(&self, questions: &[PointQuestion]) -> Result<CallAnswer, AttemptFailure> {
        let mut pages = Vec::new();
        for question in questions {
            let SeriesReference::ExternalId(name) = &question.series else {
                panic!("the model names series by external id");
            };
            if **name == *format!("s{MISSING}") {
                return Err(self.missing());
            }
            let times = &question.times_ms;
            // Pages of three, so that there is more than one.
            let limit = question.limit.min(3);
            let all: Vec<i64> = match **name == *format!("s{STRINGS}") {
                true => times.clone().collect(),
                false => self
                    .points
                    .range((name.to_string(), times.start)..(name.to_string(), times.end))
                    .map(|((_, at), _)| *at)
                    .collect(),
            };
            pages.push(PresentPage {
                has_more: all.len() >= limit,
                positions: all.into_iter().take(limit).collect(),
                is_string: **name == *format!("s{STRINGS}"),
            });
        }
        Ok(CallAnswer::Present(pages))
    }

    fn finish(&mut self, call: usize, fate: Fate) {
        if self.calls.is_empty() {
            return;
        }
        let attempt = self.calls.remove(call % self.calls.len());
        let result = match (&attempt.call, fate) {
            (Call::Write(piece), Fate::Answered) => self.judge(piece).map(|()| {
                self.carry_out(piece);
                CallAnswer::Done
            }),
            (Call::FindPoints(questions), Fate::Answered) => self.present(questions),
            (Call::FindSeries(_), Fate::Answered) => {
                *self.directory.strings.lock().expect("nobody panicked") =
                    Some([format!("s{STRINGS}")].into_iter().collect());
                Ok(CallAnswer::Done)
            }
            (Call::Write(piece), Fate::Unanswered { lands_ms }) => {
                if let (Some(lands_ms), Ok(())) = (lands_ms, self.judge(piece)) {
                    let at = self.now + Duration::from_millis(lands_ms);
                    self.landing.push((at, piece.clone()));
                }
                Err(busy(None, false))
            }
            (_, Fate::Busy { retry_after_s }) => Err(busy(retry_after_s, true)),
            (_, Fate::Unanswered { .. }) => Err(busy(None, false)),
            (call, fate) => panic!("{call:?} does not end with {fate:?} here"),
        };
        let (id, now) = (attempt.id, self.now);
        drop(attempt);
        self.sequencer.finished(now, id, AttemptReport::of(result));
        self.poll();
    }

    fn next(&self) -> Option<Instant> {
        let lands = self.landing.iter().map(|(at, _)| *at).min();
        [self.sequencer.wake_at(), lands]
            .into_iter()
            .flatten()
            .min()
    }

    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.poll();
        }
        self.now = end;
        self.poll();
    }

    fn calm(&mut self) {
        self.sequencer.flush();
        for _ in 0..100_000 {
            while !self.calls.is_empty() {
                self.finish(0, Fate::Answered);
            }
            if self.sequencer.is_idle() && self.landing.is_empty() {
                return;
            }
            let next = self
                .next()
                .expect("rows wait, and nobody will look at them again");
            self.now = self.now.max(next);
            self.poll();
        }
        panic!("rows are still waiting");
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let written = || prop::collection::vec((0_usize..3, 0_i64..12), 1..9);
    let named = || {
        let series = prop_oneof![8 => 0_usize..3, 1 => Just(MISSING), 1 => Just(STRINGS)];
        prop::collection::vec((series, 0_i64..12), 1..9)
    };
    let change = prop_oneof![
        4 => written().prop_map(Change::Write),
        2 => named().prop_map(Change::Update),
        3 => (named(), prop::collection::vec(1_i64..9, 9)).prop_map(|(named, widths)| {
            let ranges = named.into_iter().zip(widths);
            Change::Delete(ranges.map(|((series, at), width)| (series, at, width)).collect())
        }),
    ];
    let submit = (0_usize..2, 0_u64..3, change, any::<bool>()).prop_map(
        |(identity, connection, change, waits)| Step::Submit {
            identity,
            connection,
            change,
            waits,
        },
    );
    let fate = prop_oneof![
        12 => Just(Fate::Answered),
        2 => prop::option::of(0_u64..4).prop_map(|retry_after_s| Fate::Busy { retry_after_s }),
        2 => prop::option::of(0_u64..4900).prop_map(|lands_ms| Fate::Unanswered { lands_ms }),
    ];
    let step = prop_oneof![
        10 => submit,
        3 => (0_u64..3000).prop_map(Step::Advance),
        10 => (0_usize..10, fate).prop_map(|(call, fate)| Step::Finish(call, fate)),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn cdf_ends_as_if_each_statement_had_had_its_turn(steps in steps()) {
        let mut plant = Plant::new();
        for step in &steps {
            match step {
                Step::Submit { identity, connection, change, waits } => {
                    plant.submit(*identity, *connection, change, *waits);
                }
                Step::Advance(ms) => plant.advance(Duration::from_millis(*ms)),
                Step::Finish(call, fate) => plant.finish(*call, *fate),
            }
        }
        plant.calm();
        prop_assert_eq!(&plant.points, &plant.wanted);
        for submitted in &plant.submitted {
            let ticket = &submitted.ticket;
            let outcome = ticket.settled().now_or_never().expect("it has settled");
            prop_assert_eq!(outcome.accepted + outcome.skipped, submitted.rows, "{:?}", outcome);
            if submitted.counts_by_cdf {
                let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
                for (row, count) in ticket.take_returned() {
                    counts.insert(row, count.get().parse().expect("a number"));
                }
                prop_assert_eq!(counts.values().sum::<u64>(), submitted.count);
            } else {
                prop_assert_eq!(outcome.accepted, submitted.count);
            }
        }
    }
}
