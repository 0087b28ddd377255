//! What a request costs to encode: datapoints as protobuf, RAW rows as JSON.
//!
//! Owns the encode stage of the benchmarks. Promises deterministic input, shaped like a
//! statement's: series interleaved row by row, in batches of 10,000. Never sends anything.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use penstock::catalog::{self, Resource};
use penstock::cdf::{Operation, encode};
use penstock::config::BatchSettings;
use penstock::rows::{
    ActionKind, DatapointBatch, DatapointValues, RawBatch, RawDestination, RowBatch, RowNumbers,
    RowRange, SeriesKey, SeriesReference, TextColumn, TimeSpan, hash_key,
};
use std::hint::black_box;
use std::sync::Arc;

/// The allocator of the binary: a body of two megabytes is an allocation that shows.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROWS_PER_BATCH: usize = 10_000;
const FIRST_MS: i64 = 1_763_769_600_000;

/// Batches of `rows` points in all: every series gets a point each second.
fn datapoints(rows: usize, series: usize, order: Order, values: &dyn Values) -> Vec<RowBatch> {
    let keys: Vec<Arc<SeriesKey>> = (0..series)
        .map(|number| {
            let external_id = format!("plant-07/unit-{:03}/TT-{number:05}.PV", number % 40);
            Arc::new(SeriesKey::new(SeriesReference::ExternalId(
                external_id.into(),
            )))
        })
        .collect();
    (0..rows.div_ceil(ROWS_PER_BATCH))
        .map(|batch| {
            let first = batch * ROWS_PER_BATCH;
            let numbers: Vec<usize> = (first..rows.min(first + ROWS_PER_BATCH)).collect();
            let timestamps_ms: Vec<i64> = numbers
                .iter()
                .map(|row| {
                    let step = (row / series) as i64;
                    match order {
                        Order::Rising => FIRST_MS + step * 1_000,
                        Order::Falling => FIRST_MS - step * 1_000,
                    }
                })
                .collect();
            let span = TimeSpan {
                first_ms: timestamps_ms.iter().copied().min().unwrap_or(FIRST_MS),
                last_ms: timestamps_ms.iter().copied().max().unwrap_or(FIRST_MS),
            };
            let values = values.column(&numbers);
            RowBatch::Datapoints(DatapointBatch {
                table: match &values {
                    DatapointValues::Text(_) => catalog::STRING_DATAPOINTS,
                    _ => catalog::DOUBLE_DATAPOINTS,
                },
                action: ActionKind::Create,
                series: keys.clone(),
                spans: vec![span; series],
                series_index: numbers.iter().map(|row| (row % series) as u32).collect(),
                timestamps_ms,
                values,
                statuses: Vec::new(),
                row_numbers: RowNumbers::From(first as u64 + 1),
            })
        })
        .collect()
}

#[derive(Clone, Copy)]
enum Order {
    Rising,
    Falling,
}

trait Values {
    fn column(&self, rows: &[usize]) -> DatapointValues;
}

struct Doubles;

impl Values for Doubles {
    fn column(&self, rows: &[usize]) -> DatapointValues {
        DatapointValues::Double(
            rows.iter()
                .map(|row| {
                    // Two decimals without a pattern that a compressor would find.
                    let noise = (*row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50;
                    noise as f64 / 100.0
                })
                .collect(),
        )
    }
}

struct States;

impl Values for States {
    fn column(&self, rows: &[usize]) -> DatapointValues {
        let mut column = TextColumn::default();
        for row in rows {
            column.push(format!("state {}: running", row % 17).as_bytes());
        }
        DatapointValues::Text(column)
    }
}

fn raw_rows(rows: usize) -> Vec<RowBatch> {
    let mut keys = TextColumn::default();
    let mut columns = TextColumn::default();
    let mut key_hashes = Vec::with_capacity(rows);
    for row in 0..rows {
        let key = format!("order-{row:08}");
        key_hashes.push(hash_key(key.as_bytes()));
        keys.push(key.as_bytes());
        columns.push(
            format!(
                "{{\"order\":{row},\"state\":\"open\",\"amount\":{}.25,\"note\":\"as agreed\"}}",
                row % 500
            )
            .as_bytes(),
        );
    }
    vec![RowBatch::RawRows(RawBatch {
        action: Default::default(),
        destination: Arc::new(RawDestination {
            database: "erp".into(),
            table: "orders".into(),
        }),
        keys,
        key_hashes,
        columns,
        row_numbers: RowNumbers::From(1),
    })]
}

fn measure(
    criterion: &mut Criterion,
    name: &str,
    resource: Resource,
    batches: &[RowBatch],
    settings: &BatchSettings,
) {
    let rows: usize = batches.iter().map(RowBatch::rows).sum();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(rows as u64));
    let ranges: Vec<RowRange<'_>> = batches
        .iter()
        .map(|batch| RowRange {
            batch,
            rows: 0..batch.rows(),
        })
        .collect();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let request = encode(Operation::writing(resource), black_box(&ranges), settings);
            request.expect("the rows of a benchmark fit into a request")
        });
    });
    group.finish();
}

fn encoders(criterion: &mut Criterion) {
    let plain = BatchSettings::default();
    let gzip = BatchSettings {
        gzip_bytes_min: 1,
        ..BatchSettings::default()
    };
    let interleaved = datapoints(100_000, 1_000, Order::Rising, &Doubles);
    for (name, batches, settings) in [
        ("doubles, 1000 series interleaved", &interleaved, &plain),
        (
            "doubles, 1000 series interleaved, gzip",
            &interleaved,
            &gzip,
        ),
        (
            "doubles, 10 series interleaved",
            &datapoints(100_000, 10, Order::Rising, &Doubles),
            &plain,
        ),
        (
            "doubles, 10000 series interleaved",
            &datapoints(100_000, 10_000, Order::Rising, &Doubles),
            &plain,
        ),
        (
            "doubles, 1000 series, newest first",
            &datapoints(100_000, 1_000, Order::Falling, &Doubles),
            &plain,
        ),
        (
            "strings, 1000 series interleaved",
            &datapoints(100_000, 1_000, Order::Rising, &States),
            &plain,
        ),
    ] {
        measure(criterion, name, Resource::Datapoints, batches, settings);
    }
    measure(
        criterion,
        "RAW rows",
        Resource::RawRows,
        &raw_rows(10_000),
        &plain,
    );
}

criterion_group!(benches, encoders);
criterion_main!(benches);
