//! What a row of COPY costs from bytes to columns: text, CSV, binary; datapoints and RAW.
//!
//! One thread, data in pieces of 64 KiB as they come from a socket, batches of 10,000 rows
//! taken and dropped. Throughput is in rows: nanoseconds per row are 1e9 / (rows/s).

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use penstock::catalog;
use penstock::rows::value::ValueSettings;
use penstock::rows::{AnyBuilder, BatchBounds, RowBuilder};
use penstock::sql::{
    CopyEncoding, CopyFormat, CopyHeader, CopyOptions, CopyStatement, LogVerbosity, OnError,
};
use penstock::wire::copy::CopyDecoder;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

const ROWS: u64 = 100_000;
const SERIES: u64 = 1000;
const PIECE_BYTES: usize = 64 << 10;

fn statement(table: &str, columns: &[&str], format: CopyFormat) -> CopyStatement {
    let table = catalog::table(None, table).expect("a table of the catalog");
    let csv = format == CopyFormat::Csv;
    CopyStatement {
        table,
        database: None,
        columns: columns
            .iter()
            .map(|name| table.column_index(name).expect("a column of the table"))
            .collect(),
        options: CopyOptions {
            format,
            delimiter: if csv { b',' } else { b'\t' },
            null: if csv { Vec::new() } else { b"\\N".to_vec() },
            default: None,
            header: CopyHeader::Absent,
            quote: b'"',
            escape: b'"',
            force_null: Vec::new(),
            force_not_null: Vec::new(),
            encoding: CopyEncoding::Utf8,
            on_error: OnError::Stop,
            log_verbosity: LogVerbosity::Default,
        },
        names_encoding: false,
    }
}

/// A number that looks random and is the same in every run.
fn scrambled(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ mixed >> 27
}

/// The points of a plant: every second, each series in turn, or in no order at all.
fn points(in_turn: bool) -> impl Iterator<Item = (String, u64, f64)> {
    (0..ROWS).map(move |row| {
        let series = if in_turn { row } else { scrambled(row) } % SERIES;
        let value = (scrambled(row + 7) % 10_000) as f64 / 100.0;
        (format!("plant-pump-{series:03}"), row / SERIES, value)
    })
}

fn text_points(in_turn: bool, delimiter: char) -> Vec<u8> {
    let mut text = String::new();
    for (series, second, value) in points(in_turn) {
        let (minute, second) = (second / 60 % 60, second % 60);
        writeln!(
            text,
            "{series}{delimiter}2026-11-01 00:{minute:02}:{second:02}+00{delimiter}{value:.2}"
        )
        .expect("writing to a string cannot fail");
    }
    text.into_bytes()
}

fn binary_points() -> Vec<u8> {
    // 2026-11-01 in microseconds since 2000-01-01.
    const START_US: i64 = 846_720_000_000_000;
    let mut data = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for (series, second, value) in points(true) {
        data.extend(3i16.to_be_bytes());
        data.extend((series.len() as i32).to_be_bytes());
        data.extend(series.as_bytes());
        data.extend(8i32.to_be_bytes());
        data.extend((START_US + second as i64 * 1_000_000).to_be_bytes());
        data.extend(8i32.to_be_bytes());
        data.extend(value.to_be_bytes());
    }
    data.extend((-1i16).to_be_bytes());
    data
}

fn raw_rows(csv: bool) -> Vec<u8> {
    let mut text = String::new();
    for row in 0..ROWS {
        let number = scrambled(row) % 1_000_000;
        let json =
            format!("{{\"tag\":\"P-{number:06}\",\"value\":{number}.25,\"state\":\"running\"}}");
        if csv {
            let quoted = json.replace('"', "\"\"");
            writeln!(text, "plant,pumps,key-{row:010},\"{quoted}\"")
        } else {
            writeln!(text, "plant\tpumps\tkey-{row:010}\t{json}")
        }
        .expect("writing to a string cannot fail");
    }
    text.into_bytes()
}

/// Decodes all of `data`; the number of rows.
fn decode(statement: &CopyStatement, data: &[u8]) -> usize {
    let bounds = BatchBounds {
        rows: 10_000,
        bytes: 4 << 20,
    };
    let settings = ValueSettings::default();
    let mut builder = AnyBuilder::new(statement.table, &statement.columns, settings, bounds);
    let mut decoder = CopyDecoder::new(statement, 8 << 20);
    let mut rows = 0;
    let mut take = |builder: &mut AnyBuilder| {
        for batch in builder.take() {
            rows += black_box(batch).rows();
        }
    };
    for piece in data.chunks(PIECE_BYTES) {
        let mut rest = piece;
        loop {
            let fed = decoder.feed(rest, &mut builder).expect("the data is valid");
            rest = &rest[fed.consumed..];
            if !fed.builder_full {
                break;
            }
            take(&mut builder);
        }
    }
    while decoder
        .finish(&mut builder)
        .expect("the data is valid")
        .builder_full
    {
        take(&mut builder);
    }
    take(&mut builder);
    rows
}

fn copy_decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("copy_decode");
    group.throughput(Throughput::Elements(ROWS));
    group.warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(3));
    group.sample_size(20);
    let mut bench = |name: &str, statement: CopyStatement, data: Vec<u8>| {
        assert_eq!(decode(&statement, &data) as u64, ROWS, "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| decode(&statement, black_box(&data)));
        });
    };
    let columns = ["external_id", "timestamp", "value"];
    let doubles = |format| statement("double_datapoints", &columns, format);
    bench("text", doubles(CopyFormat::Text), text_points(true, '\t'));
    bench(
        "text, series in no order",
        doubles(CopyFormat::Text),
        text_points(false, '\t'),
    );
    bench("csv", doubles(CopyFormat::Csv), text_points(true, ','));
    bench("binary", doubles(CopyFormat::Binary), binary_points());
    let columns = ["_raw_database", "_raw_table", "_raw_key", "_raw_columns"];
    let raw = |format| statement("raw_rows", &columns, format);
    bench("raw text", raw(CopyFormat::Text), raw_rows(false));
    bench("raw csv, quoted", raw(CopyFormat::Csv), raw_rows(true));
    group.finish();
}

criterion_group!(benches, copy_decode);
criterion_main!(benches);
