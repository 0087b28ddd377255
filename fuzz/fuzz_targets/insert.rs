//! SQL as a client sends it: any text is split, classified and, if it is an INSERT, read. The
//! size of a batch must not change its rows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use penstock::diagnostic::Diagnostic;
use penstock::rows::value::ValueSettings;
use penstock::rows::{AnyBuilder, BatchBounds, RowBuilder};
use penstock::catalog::Namespace;
use penstock::sql::{Bindings, InsertStatement, Statement, classify, split_statements};

fuzz_target!(|text: &str| {
    for part in split_statements(text) {
        if let Ok(Statement::Insert(insert)) = classify(part, &Namespace::default()) {
            assert_eq!(
                rows(&insert, 1000).map_err(|error| error.sqlstate),
                rows(&insert, 1).map_err(|error| error.sqlstate),
                "the size of a batch changed the answer"
            );
        }
    }
});

/// How many rows the statement has.
fn rows(insert: &InsertStatement, batch_rows: usize) -> Result<u64, Box<Diagnostic>> {
    let bounds = BatchBounds {
        rows: batch_rows,
        bytes: 1 << 20,
    };
    let settings = ValueSettings::default();
    let mut builder = AnyBuilder::new(insert.table(), insert.columns(), settings, bounds);
    let bindings = Bindings::none();
    let mut reader = insert.reader(&bindings);
    let mut rows = 0;
    loop {
        let progress = reader.read(&mut builder, rows + 1)?;
        rows += progress.rows_read;
        builder.take();
        if progress.finished {
            return Ok(rows);
        }
    }
}
