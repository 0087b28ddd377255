//! How fast rows of an INSERT reach a row builder: literals of a simple Query, and binds of a
//! prepared statement.
//!
//! The builder here only adds up lengths, so that the figure is the reader's own: lexing,
//! columns, calls.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use penstock::catalog::Namespace;
use penstock::diagnostic::Diagnostic;
use penstock::rows::{RowBatch, RowBuilder, WireFormat};
use penstock::sql::{Bindings, InsertStatement, Statement, classify, split_statements};
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

const ROWS: usize = 1000;

/// Takes everything and keeps a sum of lengths.
#[derive(Default)]
struct Counter {
    bytes: usize,
    rows: usize,
}

impl RowBuilder for Counter {
    fn field(
        &mut self,
        column: usize,
        _format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        self.bytes += value.len() + column;
        Ok(())
    }

    fn null(&mut self, column: usize) -> Result<(), Box<Diagnostic>> {
        self.bytes += column;
        Ok(())
    }

    fn finish_row(&mut self, _row_number: u64) -> Result<(), Box<Diagnostic>> {
        self.rows += 1;
        Ok(())
    }

    fn abandon_row(&mut self) {}

    fn rows(&self) -> usize {
        self.rows
    }

    fn is_full(&self) -> bool {
        false
    }

    fn take(&mut self) -> Vec<RowBatch> {
        Vec::new()
    }
}

fn literal_statement() -> String {
    let mut text =
        String::from("INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ");
    for row in 0..ROWS {
        let separator = if row == 0 { "" } else { "," };
        let (minute, second) = (row / 60, row % 60);
        let written = write!(
            text,
            "{separator}('pump-{row:04}','2026-11-01 00:{minute:02}:{second:02}+00',{row}.34)"
        );
        assert!(written.is_ok());
    }
    text
}

fn insert(text: &str) -> InsertStatement {
    match classify(text, &Namespace::default()) {
        Ok(Statement::Insert(statement)) => statement,
        other => panic!("no INSERT: {other:?}"),
    }
}

fn read(statement: &InsertStatement, bindings: &Bindings) -> usize {
    let mut counter = Counter::default();
    let progress = statement.reader(bindings).read(&mut counter, 1);
    assert!(progress.is_ok_and(|progress| progress.finished));
    counter.bytes
}

fn insert_reader(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("insert_reader");
    group.throughput(Throughput::Elements(ROWS as u64));

    let text = literal_statement();
    group.bench_function("literals_of_1000_rows", |bencher| {
        let none = Bindings::none();
        bencher.iter(|| {
            let statements = split_statements(black_box(&text));
            let statement = insert(statements[0]);
            read(&statement, &none)
        });
    });

    group.bench_function("binds_of_1000_rows", |bencher| {
        let statement = insert(
            "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)",
        );
        let types: Arc<[u32]> = match statement.parameter_types(&[25, 1184, 701]) {
            Ok(types) => types.into(),
            Err(error) => panic!("{error}"),
        };
        let values = vec![
            Some(Bytes::from_static(b"pump-0001")),
            Some(Bytes::from_static(&[0; 8])),
            Some(Bytes::from_static(&[0; 8])),
        ];
        bencher.iter(|| {
            let mut bytes = 0;
            for _ in 0..ROWS {
                let bindings =
                    Bindings::new("", types.clone(), &[0, 1, 1], black_box(values.clone()));
                match bindings {
                    Ok(bindings) => bytes += read(&statement, &bindings),
                    Err(error) => panic!("{error}"),
                }
            }
            bytes
        });
    });
    group.finish();
}

criterion_group!(benches, insert_reader);
criterion_main!(benches);
