//! Rows rendered as a client renders them come back as they were, wherever the data is cut.
//!
//! The renderers here share nothing with the decoders.

use super::tests::{Copy, options};
use crate::rows::RowBatch;
use crate::sql::{CopyFormat, CopyHeader};
use proptest::prelude::*;

/// A string datapoint: every character is as likely to need an escape as not to.
#[derive(Clone, Debug)]
struct Point {
    external_id: String,
    timestamp_ms: i64,
    value: String,
}

fn any_text(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => prop::char::range('a', 'e'),
        3 => prop::sample::select(vec!['\\', '"', ',', '\t', '\n', '\r', '.', ' ', '\'', 'N', '\u{b}']),
        1 => prop::char::range('\u{e0}', '\u{ff}'),
        1 => prop::sample::select(vec!['\u{1F600}', '\u{20ac}']),
    ];
    prop::collection::vec(character, length).prop_map(String::from_iter)
}

fn any_point() -> impl Strategy<Value = Point> {
    (
        any_text(1..6),
        -2_208_988_800_000i64..4_102_444_800_000,
        any_text(0..12),
    )
        .prop_map(|(external_id, timestamp_ms, value)| Point {
            external_id,
            timestamp_ms,
            value,
        })
}

fn iso(timestamp_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(timestamp_ms)
        .expect("in range")
        .to_string()
}

fn text_field(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
}

fn text(points: &[Point], newline: &str) -> Vec<u8> {
    let lines: Vec<String> = points
        .iter()
        .map(|point| {
            let (id, value) = (text_field(&point.external_id), text_field(&point.value));
            format!("{id}\t{}\t{value}{newline}", iso(point.timestamp_ms))
        })
        .collect();
    lines.concat().into_bytes()
}

fn csv_field(value: &str, escape: char) -> String {
    let plain = !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || c == ' ');
    if plain {
        return value.to_owned();
    }
    let mut quoted = String::from('"');
    for character in value.chars() {
        if character == '"' || character == escape {
            quoted.push(escape);
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

fn csv(points: &[Point], newline: &str, escape: char) -> Vec<u8> {
    let mut data = format!("external_id,timestamp,\"value\"{newline}");
    for point in points {
        data.push_str(&csv_field(&point.external_id, escape));
        data.push(',');
        data.push_str(&iso(point.timestamp_ms));
        data.push(',');
        data.push_str(&csv_field(&point.value, escape));
        data.push_str(newline);
    }
    data.into_bytes()
}

fn binary(points: &[Point], trailer: bool) -> Vec<u8> {
    let mut data = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for point in points {
        let since_2000_us = (point.timestamp_ms - 946_684_800_000) * 1000;
        data.extend(3i16.to_be_bytes());
        for field in [
            point.external_id.as_bytes(),
            &since_2000_us.to_be_bytes(),
            point.value.as_bytes(),
        ] {
            data.extend((field.len() as i32).to_be_bytes());
            data.extend(field);
        }
    }
    if trailer {
        data.extend((-1i16).to_be_bytes());
    }
    data
}

fn expected(points: &[Point]) -> Vec<String> {
    points
        .iter()
        .map(|point| {
            format!(
                "{}@{}={}",
                point.external_id, point.timestamp_ms, point.value
            )
        })
        .collect()
}

/// `data` in pieces that end where `cuts` say.
fn pieces<'a>(data: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
    ends.push(data.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter()
        .map(|end| {
            let piece = &data[start..end];
            start = end;
            piece
        })
        .collect()
}

fn any_cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..8)
}

fn any_newline() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["\n", "\r\n", "\r"])
}

proptest! {
    #[test]
    fn text_rows_come_back(
        points in prop::collection::vec(any_point(), 0..20),
        newline in any_newline(),
        cuts in any_cuts(),
        rows_max in 1usize..30,
    ) {
        let data = text(&points, newline);
        let mut copy = Copy::strings(options(CopyFormat::Text));
        copy.bounds.rows = rows_max;
        prop_assert_eq!(copy.points(&pieces(&data, &cuts)), expected(&points));
    }

    #[test]
    fn csv_rows_come_back(
        points in prop::collection::vec(any_point(), 0..20),
        newline in any_newline(),
        backslash in any::<bool>(),
        header in prop::sample::select(vec![CopyHeader::Skipped, CopyHeader::Matched]),
        cuts in any_cuts(),
        rows_max in 1usize..30,
    ) {
        let escape = if backslash { '\\' } else { '"' };
        let data = csv(&points, newline, escape);
        let mut options = options(CopyFormat::Csv);
        options.escape = escape as u8;
        options.header = header;
        let mut copy = Copy::strings(options);
        copy.bounds.rows = rows_max;
        prop_assert_eq!(copy.points(&pieces(&data, &cuts)), expected(&points));
    }

    #[test]
    fn binary_rows_come_back(
        points in prop::collection::vec(any_point(), 0..20),
        trailer in any::<bool>(),
        cuts in any_cuts(),
        rows_max in 1usize..30,
    ) {
        let data = binary(&points, trailer);
        let mut copy = Copy::strings(options(CopyFormat::Binary));
        copy.bounds.rows = rows_max;
        prop_assert_eq!(copy.points(&pieces(&data, &cuts)), expected(&points));
    }

    #[test]
    fn garbage_is_answered_the_same_wherever_it_is_cut(
        data in prop::collection::vec(
            prop_oneof![
                2 => prop::sample::select(b"ab1-.:,\t\n\r\\\"{}[]N ".to_vec()),
                1 => any::<u8>(),
            ],
            0..120,
        ),
        cuts in any_cuts(),
        format in prop::sample::select(vec![CopyFormat::Text, CopyFormat::Csv, CopyFormat::Binary]),
        table in prop::sample::select(vec!["string_datapoints", "raw_rows", "time_series"]),
    ) {
        let columns: &[&str] = match table {
            "string_datapoints" => &["value"],
            "raw_rows" => &["_raw_key", "_raw_columns"],
            _ => &["name", "metadata", "is_step", "security_categories"],
        };
        let mut whole = data.clone();
        if format == CopyFormat::Binary {
            whole.splice(0..0, *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        }
        let copy = Copy::of(table, columns, options(format));
        let summary = |result: Result<Vec<RowBatch>, _>| {
            result.map(|batches| batches.iter().map(RowBatch::rows).sum::<usize>())
        };
        let at_once = summary(copy.run(&[&whole]));
        let in_pieces = summary(copy.run(&pieces(&whole, &cuts)));
        prop_assert_eq!(at_once, in_pieces);
    }

    #[test]
    fn a_row_beyond_the_bound_is_refused_and_not_kept(
        length in 100usize..300,
        format in prop::sample::select(vec![CopyFormat::Text, CopyFormat::Csv, CopyFormat::Binary]),
    ) {
        let mut copy = Copy::strings(options(format));
        copy.line_bytes_max = 99;
        let point = Point {
            external_id: "x".repeat(length),
            timestamp_ms: 0,
            value: String::new(),
        };
        let data = match format {
            CopyFormat::Binary => binary(&[point], false),
            _ => point.external_id.into_bytes(),
        };
        // In binary the size is known before the bytes have come.
        let cut = &data[..data.len().min(if format == CopyFormat::Binary { 40 } else { 300 })];
        let refusal = copy.run(&[cut]).expect_err("too long");
        prop_assert_eq!(refusal.sqlstate.code(), "54000");
    }
}
