//! What sequencing and cutting cost per row: from a submission to the request and its verdicts,
//! without encoding and sending.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures::FutureExt;
use penstock::catalog::Resource;
use penstock::cdf::{Credentials, Identity, Project, Secret};
use penstock::config::{BatchTable, LimitsTable, RetrySettings};
use penstock::pipeline::attempt::{AttemptReport, CallAnswer};
use penstock::pipeline::pacing::{Pacing, PacingTerms};
use penstock::pipeline::sequencer::{Sequencer, SequencerSettings, SeriesNames};
use penstock::pipeline::{ConnectionBudget, MemoryBudget, Submission, Ticket};
use penstock::rows::{
    ActionKind, DatapointBatch, DatapointValues, RawBatch, RawDestination, RowBatch, RowNumbers,
    SeriesKey, SeriesReference, TextColumn, TimeSpan, hash_key,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nobody names series by id here.
struct NoIds;

impl SeriesNames for NoIds {
    fn canonical_hashes(
        &self,
        _identity: &Identity,
        keys: &[Arc<SeriesKey>],
        _now: Instant,
    ) -> Vec<Option<u64>> {
        keys.iter().map(|key| Some(key.hash())).collect()
    }

    fn types(
        &self,
        _identity: &Identity,
        keys: &[Arc<SeriesKey>],
        _now: Instant,
    ) -> Vec<Option<bool>> {
        vec![None; keys.len()]
    }
}

fn identity() -> Arc<Identity> {
    Arc::new(Identity {
        project: Project {
            base_url: "https://cdf.test".to_owned(),
            name: "plant".to_owned(),
        },
        name: "client".to_owned(),
        credentials: Credentials::FixedToken(Secret::new("token")),
        create_missing_time_series: false,
    })
}

fn sequencer(resource: Resource) -> Sequencer {
    let settings = SequencerSettings {
        resource,
        batch: BatchTable::default().of(resource).clone(),
        retry: RetrySettings::default(),
        seed: 1,
    };
    let terms = PacingTerms {
        limits: LimitsTable {
            raw_rows: Default::default(),
            ..LimitsTable::default()
        },
        ..PacingTerms::default()
    };
    let pacing = Pacing::new(terms, Instant::now(), 1).client(Arc::new(|| {}));
    Sequencer::new(settings, Arc::new(NoIds), pacing)
}

/// `rows` points of `series`, the series in turn, from a time on.
fn datapoints(series: &[Arc<SeriesKey>], rows: usize, from_ms: i64) -> RowBatch {
    let per_series = (rows / series.len()).max(1) as i64;
    let used = series.len().min(rows);
    RowBatch::Datapoints(DatapointBatch {
        table: penstock::catalog::DOUBLE_DATAPOINTS,
        action: ActionKind::Create,
        series: series[..used].to_vec(),
        spans: vec![
            TimeSpan {
                first_ms: from_ms,
                last_ms: from_ms + per_series - 1,
            };
            used
        ],
        series_index: (0..rows).map(|row| (row % used) as u32).collect(),
        timestamps_ms: (0..rows).map(|row| from_ms + (row / used) as i64).collect(),
        values: DatapointValues::Double(vec![1.5; rows]),
        statuses: Vec::new(),
        row_numbers: RowNumbers::From(1),
    })
}

fn raw_rows(destination: &Arc<RawDestination>, rows: usize, from: usize) -> RowBatch {
    let mut batch = RawBatch {
        action: Default::default(),
        destination: destination.clone(),
        keys: TextColumn::default(),
        key_hashes: Vec::with_capacity(rows),
        columns: TextColumn::default(),
        row_numbers: RowNumbers::From(1),
    };
    for row in from..from + rows {
        let key = format!("row-{row}");
        batch.keys.push(key.as_bytes());
        batch.key_hashes.push(hash_key(key.as_bytes()));
        batch.columns.push(br#"{"a":1}"#);
    }
    RowBatch::RawRows(batch)
}

/// Submissions with their tickets, ready to go.
fn submissions(
    connection: &ConnectionBudget,
    identity: &Arc<Identity>,
    ticket: &Ticket,
    waits: bool,
    batches: Vec<RowBatch>,
) -> Vec<Submission> {
    batches
        .into_iter()
        .map(|batch| Submission {
            identity: identity.clone(),
            part: ticket.part(batch.rows() as u64, 1),
            permit: connection
                .acquire(batch.bytes())
                .now_or_never()
                .expect("the budget of the bench is large"),
            batch,
            connection: 1,
            ticket_waits: waits,
            sent_before: None,
        })
        .collect()
}

/// Submits all, answers every call at once.
fn deliver(sequencer: &mut Sequencer, submissions: Vec<Submission>) {
    let now = Instant::now();
    let mut calls = Vec::new();
    for submission in submissions {
        sequencer.submit(now, submission);
        sequencer.poll(now, &mut calls);
        while let Some(call) = calls.pop() {
            let id = call.id;
            drop(black_box(call));
            sequencer.finished(now, id, AttemptReport::of(Ok(CallAnswer::Done)));
            sequencer.poll(now, &mut calls);
        }
    }
    sequencer.flush();
    sequencer.poll(now, &mut calls);
    while let Some(call) = calls.pop() {
        sequencer.finished(now, call.id, AttemptReport::of(Ok(CallAnswer::Done)));
        sequencer.poll(now, &mut calls);
    }
    assert!(sequencer.is_idle());
}

fn batching(criterion: &mut Criterion) {
    let identity = identity();
    let connection = MemoryBudget::new(1 << 40, 1 << 40).connection();
    let series: Vec<Arc<SeriesKey>> = (0..10_000)
        .map(|number| {
            let name = format!("site/area-{}/pump-{number}", number % 17);
            Arc::new(SeriesKey::new(SeriesReference::ExternalId(name.into())))
        })
        .collect();
    let destination = Arc::new(RawDestination {
        database: "plant".into(),
        table: "measurements".into(),
    });
    let mut group = criterion.benchmark_group("batching");
    let mut measure =
        |name: &str, resource, rows: usize, waits, batches: &dyn Fn() -> Vec<RowBatch>| {
            group.throughput(Throughput::Elements(rows as u64));
            group.bench_function(name, |bencher| {
                let mut sequencer = sequencer(resource);
                bencher.iter_batched(
                    || {
                        let ticket = Ticket::new();
                        submissions(&connection, &identity, &ticket, waits, batches())
                    },
                    |submissions| deliver(&mut sequencer, submissions),
                    BatchSize::LargeInput,
                );
            });
        };
    measure(
        "datapoints, 1,000 series, 10,000 rows a batch",
        Resource::Datapoints,
        500_000,
        false,
        &|| {
            (0..50)
                .map(|batch| datapoints(&series[..1000], 10_000, batch * 10))
                .collect()
        },
    );
    measure(
        "datapoints, 10,000 series, 10,000 rows a batch",
        Resource::Datapoints,
        500_000,
        false,
        &|| {
            (0..50)
                .map(|batch| datapoints(&series, 10_000, batch))
                .collect()
        },
    );
    measure(
        "datapoints, one row a batch, somebody waits",
        Resource::Datapoints,
        10_000,
        true,
        &|| {
            (0..10_000)
                .map(|batch| datapoints(&series[batch % 100..batch % 100 + 1], 1, batch as i64))
                .collect()
        },
    );
    measure(
        "datapoints, one row a batch, nobody waits",
        Resource::Datapoints,
        10_000,
        false,
        &|| {
            (0..10_000)
                .map(|batch| datapoints(&series[batch % 100..batch % 100 + 1], 1, batch as i64))
                .collect()
        },
    );
    measure(
        "RAW rows, 10,000 rows a batch",
        Resource::RawRows,
        200_000,
        false,
        &|| {
            (0..20)
                .map(|batch| raw_rows(&destination, 10_000, batch * 10_000))
                .collect()
        },
    );
    group.finish();
}

criterion_group!(benches, batching);
criterion_main!(benches);
