//! Rows that a COPY goes on without, seen from outside.

use super::tests::options;
use super::{CopyDecoder, SkippedRow};
use crate::catalog;
use crate::diagnostic::Diagnostic;
use crate::rows::value::ValueSettings;
use crate::rows::{AnyBuilder, BatchBounds, RowBuilder};
use crate::sql::{CopyFormat, CopyOptions, CopyStatement, OnError};
use proptest::prelude::*;

fn ignoring(format: CopyFormat, reject_limit: Option<u64>) -> CopyOptions {
    CopyOptions {
        on_error: OnError::Ignore { reject_limit },
        ..options(format)
    }
}

/// The number and value of each row that was built, and the rows that were left out.
type Copied = (Vec<(u64, String)>, Vec<SkippedRow>);

/// A COPY of `value, timestamp` for one series.
fn copy(options: CopyOptions, pieces: &[&[u8]]) -> Result<Copied, Box<Diagnostic>> {
    let table = catalog::DOUBLE_DATAPOINTS;
    let columns: Vec<usize> = ["value", "id", "timestamp"]
        .iter()
        .map(|name| table.column_index(name).expect("a column"))
        .collect();
    let statement = CopyStatement {
        table,
        database: None,
        columns,
        options,
        names_encoding: false,
    };
    let bounds = BatchBounds {
        rows: 3,
        bytes: 1 << 20,
    };
    let settings = ValueSettings::default();
    let mut builder = AnyBuilder::new(table, &statement.columns, settings, bounds);
    let mut decoder = CopyDecoder::new(&statement, 1 << 20);
    let (mut rows, mut skipped) = (Vec::new(), Vec::new());
    let mut take = |builder: &mut AnyBuilder| {
        for batch in builder.take() {
            for row in 0..batch.rows() {
                let value = batch.row_text(row).values[0].clone();
                rows.push((batch.row_number(row), value.expect("a value")));
            }
        }
    };
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let fed = decoder.feed(rest, &mut builder)?;
            skipped.extend(decoder.take_skipped());
            rest = &rest[fed.consumed..];
            if !fed.builder_full {
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
    assert_eq!(decoder.rows(), rows.len() as u64);
    Ok((rows, skipped))
}

#[test]
fn a_row_that_is_left_out_is_handed_on_whole() {
    let data = b"1\t7\t2026-01-01\nx\\ty\t\\N\t2026\n3\t7\t2026-01-03\n4\t7\tnever\n";
    let (rows, skipped) =
        copy(ignoring(CopyFormat::Text, None), &[data]).expect("the COPY goes on");
    assert_eq!(rows, [(1, "1.0".to_owned()), (3, "3.0".to_owned())]);
    assert_eq!(skipped.len(), 2);
    let first = &skipped[0];
    assert_eq!(
        (first.line, first.row_number, first.column),
        (2, 2, "value")
    );
    assert_eq!(
        first.values,
        [Some("x\ty".to_owned()), None, Some("2026".to_owned())]
    );
    assert_eq!(first.reason.sqlstate.code(), "22P02");
    let notice = first.notice("double_datapoints");
    assert_eq!(
        notice.message,
        "skipping row due to data type incompatibility at line 2 for column \"value\": \"x\ty\""
    );
    assert_eq!(notice.context.as_deref(), Some("COPY double_datapoints"));
    assert_eq!((skipped[1].line, skipped[1].column), (4, "timestamp"));
    assert_eq!(skipped[1].reason.sqlstate.code(), "22007");
}

#[test]
fn lines_count_headers_and_newlines_in_quotes() {
    let mut options = ignoring(CopyFormat::Csv, None);
    options.header = crate::sql::CopyHeader::Skipped;
    let data = b"value,id,timestamp\n\"a\nb\",7,2026-01-01\n2,7,2026-01-02\nc,7,2026-01-03";
    let (rows, skipped) = copy(options, &[data]).expect("the COPY goes on");
    assert_eq!(rows, [(2, "2.0".to_owned())]);
    let lines: Vec<u64> = skipped.iter().map(|row| row.line).collect();
    assert_eq!(lines, [3, 5]);
    assert_eq!(skipped[0].value, "a\nb");
}

#[test]
fn one_row_above_the_limit_ends_the_copy_where_it_stands() {
    let data = b"x\t7\t2026-01-01\n1\t7\t2026-01-01\ny\t7\t2026-01-01\nz\t7\t2026-01-01\n";
    let (_, skipped) =
        copy(ignoring(CopyFormat::Text, Some(3)), &[data]).expect("three rows may be left out");
    assert_eq!(skipped.len(), 3);
    let refusal = copy(ignoring(CopyFormat::Text, Some(2)), &[data]).expect_err("one too many");
    assert_eq!(refusal.sqlstate.code(), "22P02");
    assert_eq!(
        refusal.message,
        "skipped more than REJECT_LIMIT (2) rows due to data type incompatibility"
    );
    assert_eq!(
        refusal.context.as_deref(),
        Some("COPY double_datapoints, line 4, column value: \"z\"")
    );
}

#[test]
fn what_is_no_fault_of_a_value_ends_the_copy() {
    for (data, sqlstate) in [
        (&b"1\t7\t2026-01-01\textra\n"[..], "22P04"),
        (b"x\t7\t2026-01-01\textra\n", "22P04"),
        (b"1\t7\n", "22P04"),
        (b"\\N\t7\t2026-01-01\n", "23502"),
        (b"x\xff\t7\t2026-01-01\n", "22021"),
        (b"x\t7\t\\xff\n", "22021"),
    ] {
        let refusal = copy(ignoring(CopyFormat::Text, None), &[data]).expect_err("no value");
        assert_eq!(refusal.sqlstate.code(), sqlstate, "{data:?}");
    }
}

#[test]
fn a_line_that_ends_early_is_left_out_for_the_value_before_its_end() {
    let (_, skipped) =
        copy(ignoring(CopyFormat::Text, None), &[b"x\t7\n"]).expect("the COPY goes on");
    assert_eq!(skipped[0].values.len(), 2);
}

proptest! {
    #[test]
    fn rows_are_left_out_alike_wherever_the_data_is_cut(
        lines in prop::collection::vec((any::<bool>(), 0u32..1000), 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        csv in any::<bool>(),
    ) {
        let format = if csv { CopyFormat::Csv } else { CopyFormat::Text };
        let separator = if csv { ',' } else { '\t' };
        let data: String = lines
            .iter()
            .map(|(is_good, number)| {
                let value = if *is_good { format!("{number}") } else { format!("x{number}") };
                format!("{value}{separator}7{separator}2026-01-01\n")
            })
            .collect();
        let data = data.as_bytes();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
        ends.push(data.len());
        ends.sort_unstable();
        let mut start = 0;
        let pieces: Vec<&[u8]> = ends
            .into_iter()
            .map(|end| {
                let piece = &data[start..end];
                start = end;
                piece
            })
            .collect();
        let (rows, skipped) = copy(ignoring(format, None), &pieces).expect("the COPY goes on");
        let numbered = || lines.iter().zip(1u64..);
        let good: Vec<u64> = numbered().filter(|((good, _), _)| *good).map(|(_, n)| n).collect();
        let bad: Vec<u64> = numbered().filter(|((good, _), _)| !*good).map(|(_, n)| n).collect();
        prop_assert_eq!(rows.iter().map(|(number, _)| *number).collect::<Vec<_>>(), good);
        prop_assert_eq!(skipped.iter().map(|row| row.line).collect::<Vec<_>>(), bad.clone());
        prop_assert_eq!(skipped.iter().map(|row| row.row_number).collect::<Vec<_>>(), bad);
    }
}
