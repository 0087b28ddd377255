//! What the COPY targets have in common: decode the input whole and in pieces.
//!
//! Owns the property: the same rows or the same error wherever the data is cut, whatever
//! the size of a batch, and no panic. Never looks at a value.

use penstock::catalog;
use penstock::diagnostic::Diagnostic;
use penstock::rows::value::ValueSettings;
use penstock::rows::{AnyBuilder, BatchBounds, RowBuilder};
use penstock::sql::{
    CopyEncoding, CopyFormat, CopyHeader, CopyOptions, CopyStatement, LogVerbosity, OnError,
};
use penstock::wire::copy::CopyDecoder;

/// Longest row: small, so that the fuzzer reaches the bound.
const LINE_BYTES_MAX: usize = 2000;

/// Tables and columns that the first byte of an input chooses from.
const TARGETS: [(&str, &[&str]); 5] = [
    ("double_datapoints", &["external_id", "timestamp", "value"]),
    ("string_datapoints", &["value", "timestamp", "id"]),
    (
        "raw_rows",
        &["_raw_database", "_raw_table", "_raw_key", "_raw_columns"],
    ),
    (
        "time_series",
        &["external_id", "metadata", "is_step", "asset_id", "security_categories"],
    ),
    ("string_datapoints", &["external_id", "timestamp", "value"]),
];

/// Checks one input: three bytes of choices, then the data.
pub fn check(input: &[u8], format: CopyFormat) {
    let Some(([target, choices, piece_bytes], data)) = input.split_first_chunk::<3>() else {
        return;
    };
    let (table, columns) = TARGETS[usize::from(*target) % TARGETS.len()];
    let statement = statement(table, columns, format, *choices);
    let whole = decode(&statement, data, data.len().max(1), 1000);
    let pieces = decode(&statement, data, usize::from(*piece_bytes).max(1), 1000);
    assert_eq!(whole, pieces, "the place of a cut changed the answer");
    let by_rows = decode(&statement, data, data.len().max(1), 1);
    assert_eq!(
        whole.map(|rows| rows.0),
        by_rows.map(|rows| rows.0),
        "the size of a batch changed the answer"
    );
}

/// A statement with the options that the bits of `choices` say.
fn statement(table: &str, columns: &[&str], format: CopyFormat, choices: u8) -> CopyStatement {
    let bit = |number: u8| choices >> number & 1 == 1;
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
            delimiter: match (csv, bit(0)) {
                (_, true) => b'|',
                (true, false) => b',',
                (false, false) => b'\t',
            },
            null: match (csv, bit(1)) {
                (_, true) => b"NULL".to_vec(),
                (true, false) => Vec::new(),
                (false, false) => b"\\N".to_vec(),
            },
            default: (bit(1) && format != CopyFormat::Binary).then(|| b"\\D".to_vec()),
            header: match (bit(2), bit(3)) {
                (true, true) => CopyHeader::Matched,
                (true, false) => CopyHeader::Skipped,
                _ => CopyHeader::Absent,
            },
            quote: b'"',
            escape: if bit(4) { b'\\' } else { b'"' },
            force_null: vec![bit(5); columns.len()],
            force_not_null: vec![bit(6); columns.len()],
            encoding: if bit(7) {
                CopyEncoding::Latin1
            } else {
                CopyEncoding::Utf8
            },
            on_error: match format {
                CopyFormat::Text | CopyFormat::Csv if !bit(2) && bit(3) => {
                    OnError::Ignore { reject_limit: None }
                }
                _ => OnError::Stop,
            },
            log_verbosity: LogVerbosity::Default,
        },
        names_encoding: true,
    }
}

/// Rows decoded and the shape of what they became, or the error.
fn decode(
    statement: &CopyStatement,
    data: &[u8],
    piece_bytes: usize,
    batch_rows: usize,
) -> Result<(u64, String), Box<Diagnostic>> {
    let bounds = BatchBounds {
        rows: batch_rows,
        bytes: 1 << 20,
    };
    let mut decoder = CopyDecoder::new(statement, LINE_BYTES_MAX);
    let settings = ValueSettings {
        started: std::time::UNIX_EPOCH
            .try_into()
            .expect("1970 is within the range of a timestamp"),
        ..ValueSettings::default()
    };
    let mut builder = AnyBuilder::new(statement.table, &statement.columns, settings, bounds);
    let mut shape = String::new();
    let mut skipped = Vec::new();
    let mut take = |builder: &mut AnyBuilder| {
        for batch in builder.take() {
            shape.push_str(&format!("{batch:?}"));
        }
    };
    for piece in data.chunks(piece_bytes) {
        let mut rest = piece;
        loop {
            let fed = decoder.feed(rest, &mut builder)?;
            skipped.extend(decoder.take_skipped());
            rest = &rest[fed.consumed..];
            if !fed.builder_full {
                assert!(rest.is_empty(), "data was left without a full builder");
                break;
            }
            take(&mut builder);
        }
    }
    while decoder.finish(&mut builder)?.builder_full {
        take(&mut builder);
    }
    skipped.extend(decoder.take_skipped());
    take(&mut builder);
    shape.push_str(&format!("{skipped:?}"));
    // Hashes differ between processes, not within one, so the shapes can be compared.
    Ok((decoder.rows(), shape))
}
