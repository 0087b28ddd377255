//! What COPY makes of data, seen from outside: rows in batches, or an error in PostgreSQL's
//! words. The expected messages were read off PostgreSQL 15.

use super::{CopyDecoder, Fed};
use crate::catalog::{self, Table};
use crate::diagnostic::Diagnostic;
use crate::rows::value::ValueSettings;
use crate::rows::{
    AnyBuilder, BatchBounds, DatapointBatch, DatapointValues, RawDestination, RowBatch, RowBuilder,
    SeriesReference,
};
use crate::sql::{
    CopyEncoding, CopyFormat, CopyHeader, CopyOptions, CopyStatement, LogVerbosity, OnError,
};
use serde::Deserialize;

const BOUNDS: BatchBounds = BatchBounds {
    rows: 1000,
    bytes: 1 << 20,
};

pub fn options(format: CopyFormat) -> CopyOptions {
    CopyOptions {
        format,
        delimiter: if format == CopyFormat::Csv {
            b','
        } else {
            b'\t'
        },
        null: match format {
            CopyFormat::Csv => Vec::new(),
            _ => b"\\N".to_vec(),
        },
        header: CopyHeader::Absent,
        quote: b'"',
        escape: b'"',
        force_null: vec![],
        force_not_null: vec![],
        encoding: CopyEncoding::Utf8,
        on_error: OnError::Stop,
        log_verbosity: LogVerbosity::Default,
    }
}

/// A COPY as a test writes it.
pub struct Copy {
    statement: CopyStatement,
    pub bounds: BatchBounds,
    pub line_bytes_max: usize,
}

impl Copy {
    pub fn of(table: &str, columns: &[&str], options: CopyOptions) -> Self {
        let table: &'static Table = catalog::table(None, table).expect("a table");
        let columns = columns
            .iter()
            .map(|name| table.column_index(name).expect("a column"))
            .collect();
        Copy {
            statement: CopyStatement {
                table,
                database: None,
                columns,
                options,
                names_encoding: false,
            },
            bounds: BOUNDS,
            line_bytes_max: 1 << 20,
        }
    }

    /// Doubles with a fixed timestamp column: external_id, timestamp, value.
    fn doubles(format: CopyFormat) -> Self {
        Self::doubles_with(options(format))
    }

    fn doubles_with(options: CopyOptions) -> Self {
        let columns = ["external_id", "timestamp", "value"];
        Self::of("double_datapoints", &columns, options)
    }

    pub fn strings(options: CopyOptions) -> Self {
        let columns = ["external_id", "timestamp", "value"];
        Self::of("string_datapoints", &columns, options)
    }

    /// Feeds the pieces one after the other and finishes, taking batches when told to.
    pub fn run(&self, pieces: &[&[u8]]) -> Result<Vec<RowBatch>, Box<Diagnostic>> {
        let mut decoder = CopyDecoder::new(&self.statement, self.line_bytes_max);
        let mut builder = AnyBuilder::new(
            self.statement.table,
            &self.statement.columns,
            ValueSettings::default(),
            self.bounds,
        );
        let mut batches = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            loop {
                let Fed {
                    consumed,
                    builder_full,
                } = decoder.feed(rest, &mut builder)?;
                rest = &rest[consumed..];
                if !builder_full {
                    assert!(rest.is_empty(), "data was left without a full builder");
                    break;
                }
                batches.extend(builder.take());
            }
        }
        while decoder.finish(&mut builder)?.builder_full {
            batches.extend(builder.take());
        }
        batches.extend(builder.take());
        let rows: usize = batches.iter().map(RowBatch::rows).sum();
        assert_eq!(decoder.rows(), rows as u64, "rows counted and rows built");
        Ok(batches)
    }

    /// `name@ms=value` of every datapoint, in order.
    pub fn points(&self, pieces: &[&[u8]]) -> Vec<String> {
        let batches = self.run(pieces).expect("the data is valid");
        batches
            .iter()
            .flat_map(|batch| match batch {
                RowBatch::Datapoints(batch) => points_of(batch),
                other => panic!("not datapoints: {other:?}"),
            })
            .collect()
    }

    /// `SQLSTATE message | CONTEXT` of the error.
    fn error(&self, data: &[u8]) -> String {
        let refusal = self.run(&[data]).expect_err("the data is bad");
        format!(
            "{} {} | {}",
            refusal.sqlstate.code(),
            refusal.message,
            refusal.context.as_deref().unwrap_or_default()
        )
    }
}

fn points_of(batch: &DatapointBatch) -> Vec<String> {
    (0..batch.timestamps_ms.len())
        .map(|row| {
            let series = batch.series_index[row] as usize;
            let name = match batch.series[series].reference() {
                SeriesReference::ExternalId(name) => name.to_string(),
                SeriesReference::Id(id) => format!("#{id}"),
                SeriesReference::InstanceId(name) => format!("{}:{}", name.space, name.external_id),
            };
            let timestamp_ms = batch.timestamps_ms[row];
            let span = batch.spans[series];
            assert!(span.first_ms <= timestamp_ms && timestamp_ms <= span.last_ms);
            match &batch.values {
                DatapointValues::Double(values) => format!("{name}@{timestamp_ms}={}", values[row]),
                DatapointValues::Text(values) => {
                    format!("{name}@{timestamp_ms}={}", values.text(row))
                }
                DatapointValues::Deleted(_) => panic!("COPY deletes nothing"),
            }
        })
        .collect()
}

#[test]
fn text_rows_become_datapoints() {
    let copy = Copy::doubles(CopyFormat::Text);
    let data = b"a\t1970-01-01 00:00:01+00\t1.5\nb\t1970-01-01 00:00:02Z\t-2\na\t1970-01-01\t3\n";
    assert_eq!(copy.points(&[data]), ["a@1000=1.5", "b@2000=-2", "a@0=3"]);
}

#[test]
fn csv_rows_become_datapoints() {
    let copy = Copy::doubles(CopyFormat::Csv);
    let data = b"a,1970-01-01 00:00:01+00,1.5\n\"b,\"\"c\"\"\",1970-01-01,2\nd\"e\"f,1970-01-01,3";
    assert_eq!(
        copy.points(&[data]),
        ["a@1000=1.5", "b,\"c\"@0=2", "def@0=3"]
    );
}

#[test]
fn string_datapoints_keep_what_was_escaped() {
    let copy = Copy::strings(options(CopyFormat::Text));
    let data = b"a\t1970-01-01\tx\\ty\\\\z\nb\t1970-01-01\t\xc3\xa9 \\x41\\\n\n";
    assert_eq!(copy.points(&[data]), ["a@0=x\ty\\z", "b@0=\u{e9} A\n"]);
}

#[test]
fn an_error_names_line_and_column() {
    let copy = Copy::doubles(CopyFormat::Text);
    assert_eq!(
        copy.error(b"a\t1970-01-01\t1\nb\t1970-01-01\tx\n"),
        "22P02 invalid input syntax for type double precision: \"x\" \
         | COPY double_datapoints, line 2, column value: \"x\""
    );
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CaseOptions {
    format: Option<String>,
    delimiter: Option<String>,
    null: Option<String>,
    header: Option<String>,
    quote: Option<String>,
    escape: Option<String>,
    force_null: Vec<String>,
    force_not_null: Vec<String>,
    encoding: Option<String>,
}

/// One COPY and what PostgreSQL made of it. Characters of `data` stand for bytes.
#[derive(Deserialize)]
struct Case {
    table: String,
    columns: Vec<String>,
    data: String,
    #[serde(default)]
    options: CaseOptions,
    rows: Option<Vec<String>>,
    code: Option<String>,
    message: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    context: Option<String>,
}

impl Case {
    fn copy(&self) -> Copy {
        let format = match self.options.format.as_deref() {
            Some("csv") => CopyFormat::Csv,
            Some("binary") => CopyFormat::Binary,
            _ => CopyFormat::Text,
        };
        let mut options = options(format);
        // A quote is doubled in SQL.
        let byte = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes()[0]);
        options.delimiter = byte(&self.options.delimiter).unwrap_or(options.delimiter);
        options.quote = byte(&self.options.quote).unwrap_or(options.quote);
        options.escape = byte(&self.options.escape).unwrap_or(options.quote);
        if let Some(null) = &self.options.null {
            options.null = null.clone().into_bytes();
        }
        options.header = match self.options.header.as_deref() {
            Some("match") => CopyHeader::Matched,
            Some(_) => CopyHeader::Skipped,
            None => CopyHeader::Absent,
        };
        let named = |names: &[String]| {
            let columns = self.columns.iter();
            columns.map(|column| names.contains(column)).collect()
        };
        options.force_null = named(&self.options.force_null);
        options.force_not_null = named(&self.options.force_not_null);
        if self.options.encoding.is_some() {
            options.encoding = CopyEncoding::Latin1;
        }
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        Copy::of(&self.table, &columns, options)
    }

    /// How our answer to the pieces differs from PostgreSQL's.
    fn difference(&self, copy: &Copy, pieces: &[&[u8]]) -> Option<String> {
        let found = match copy.run(pieces) {
            Ok(batches) => (Some(rows_of(&batches)), None, None, None, None, None),
            Err(refusal) => (
                None,
                Some(refusal.sqlstate.code().to_owned()),
                Some(refusal.message),
                // What PostgreSQL has nothing to say about may have a detail or a hint of ours.
                refusal.detail.filter(|_| self.detail.is_some()),
                refusal.hint.filter(|_| self.hint.is_some()),
                refusal.context,
            ),
        };
        let case = self;
        let expected = (
            case.rows.clone(),
            case.code.clone(),
            case.message.clone(),
            case.detail.clone(),
            case.hint.clone(),
            case.context.clone(),
        );
        (found != expected).then(|| format!("{:?}: {found:?}, not {expected:?}", self.data))
    }
}

fn rows_of(batches: &[RowBatch]) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in batches {
        match batch {
            RowBatch::Datapoints(batch) => rows.extend(points_of(batch)),
            RowBatch::RawRows(batch) => {
                let RawDestination { database, table } = &*batch.destination;
                for row in 0..batch.keys.len() {
                    let (key, columns) = (batch.keys.text(row), batch.columns.text(row));
                    rows.push(format!("{database}/{table}/{key}={columns}"));
                }
            }
            RowBatch::Objects(_) => panic!("the cases have no objects"),
        }
    }
    rows
}

/// The first differences, and how many there are.
fn first_of(differences: &[String]) -> String {
    let shown = &differences[..differences.len().min(10)];
    format!("{} differences:\n{}", differences.len(), shown.join("\n"))
}

fn cases() -> Vec<Case> {
    include_str!("expected/postgresql-15.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a case"))
        .collect()
}

#[test]
fn every_answer_is_that_of_postgresql() {
    let mut differences = Vec::new();
    let cases = cases();
    assert!(cases.len() > 200, "the list was read");
    for case in &cases {
        let data: Vec<u8> = case.data.chars().map(|byte| byte as u8).collect();
        differences.extend(case.difference(&case.copy(), &[&data]));
    }
    assert!(differences.is_empty(), "{}", first_of(&differences));
}

#[test]
fn an_answer_does_not_depend_on_where_the_data_is_cut() {
    let mut differences = Vec::new();
    for case in cases() {
        let data: Vec<u8> = case.data.chars().map(|byte| byte as u8).collect();
        let mut copy = case.copy();
        for cut in 0..data.len() {
            let pieces = [&data[..cut], &[], &data[cut..]];
            differences.extend(
                case.difference(&copy, &pieces)
                    .map(|d| format!("cut at {cut}: {d}")),
            );
        }
        let bytes: Vec<&[u8]> = data.chunks(1).collect();
        differences.extend(
            case.difference(&copy, &bytes)
                .map(|d| format!("by bytes: {d}")),
        );
        copy.bounds.rows = 1;
        differences.extend(
            case.difference(&copy, &[&data])
                .map(|d| format!("by rows: {d}")),
        );
        differences.extend(
            case.difference(&copy, &bytes)
                .map(|d| format!("by both: {d}")),
        );
    }
    assert!(differences.is_empty(), "{}", first_of(&differences));
}
