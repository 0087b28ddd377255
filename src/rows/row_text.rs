//! A row of a batch as the text that COPY would carry.
//!
//! Owns the way back from columns to text: what dead letters keep of a row. Promises that the
//! text, read again by a builder of the same table, gives the same row whatever the session's
//! settings are. Allocates per value: for rows that failed, never for those on their way.

use super::{ActionKind, DatapointValues, ObjectValues, RowBatch, SeriesReference, TextColumn};
use crate::catalog::{self, Table};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The name that the last time of a deleted range has beside the columns of its table.
pub const LAST_TIMESTAMP: &str = "last_timestamp";

/// A row with the names of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowText {
    pub columns: Vec<&'static str>,
    /// Per column its text without escapes; `None` is NULL.
    pub values: Vec<Option<String>>,
    /// What the row does: the name of its action.
    pub action: &'static str,
}

impl RowText {
    fn push(&mut self, column: &'static str, value: Option<String>) {
        self.columns.push(column);
        self.values.push(value);
    }
}

impl RowBatch {
    /// The table that the rows were written to.
    pub fn table(&self) -> &'static Table {
        match self {
            RowBatch::Datapoints(batch) => batch.table,
            RowBatch::RawRows(_) => catalog::RAW_ROWS,
            RowBatch::Objects(batch) => batch.table,
        }
    }

    /// The name of what the rows do.
    pub fn action_name(&self) -> &'static str {
        match self {
            RowBatch::Datapoints(batch) => batch.action.name(),
            RowBatch::RawRows(batch) => batch.action.name(),
            RowBatch::Objects(batch) => batch.action.name(),
        }
    }

    /// Row `row` of the batch as text; `row` must be below [`RowBatch::rows`].
    pub fn row_text(&self, row: usize) -> RowText {
        let mut text = RowText {
            columns: Vec::new(),
            values: Vec::new(),
            action: self.action_name(),
        };
        match self {
            RowBatch::Datapoints(batch) => {
                let status = batch.status(row);
                let value = match &batch.values {
                    _ if status.has_no_value => None,
                    DatapointValues::Double(values) => Some(double(values[row])),
                    DatapointValues::Text(values) => Some(values.text(row).to_owned()),
                    DatapointValues::Deleted(_) => None,
                };
                if batch.action != ActionKind::Delete {
                    text.push("value", value);
                }
                text.push("timestamp", Some(timestamp(batch.timestamps_ms[row])));
                if batch.last_ms(row) > batch.timestamps_ms[row] {
                    text.push(LAST_TIMESTAMP, Some(timestamp(batch.last_ms(row))));
                }
                let series = &batch.series[batch.series_index[row] as usize];
                match series.reference() {
                    SeriesReference::ExternalId(name) => {
                        text.push("external_id", Some(name.to_string()));
                    }
                    SeriesReference::Id(id) => text.push("id", Some(id.to_string())),
                    SeriesReference::InstanceId(instance) => {
                        text.push("instance_space", Some(instance.space.to_string()));
                        text.push("external_id", Some(instance.external_id.to_string()));
                    }
                }
                if status.code != 0 {
                    text.push("status_code", Some(status.code.to_string()));
                }
            }
            RowBatch::RawRows(batch) => {
                let destination = &batch.destination;
                text.push("_raw_database", Some(destination.database.to_string()));
                text.push("_raw_table", Some(destination.table.to_string()));
                let value = |texts: &TextColumn| match texts.text(row) {
                    "" => None,
                    text => Some(text.to_owned()),
                };
                for (column, texts) in [("_raw_key", &batch.keys), ("_raw_columns", &batch.columns)]
                {
                    if let Some(value) = value(texts) {
                        text.push(column, Some(value));
                    }
                }
            }
            RowBatch::Objects(batch) => {
                for column in &batch.columns {
                    let name = batch.table.columns[column.column].name;
                    let value = column.present[row].then(|| object_value(&column.values, row));
                    text.push(name, value);
                }
            }
        }
        text
    }
}

fn object_value(values: &ObjectValues, row: usize) -> String {
    match values {
        ObjectValues::Bool(values) => if values[row] { "t" } else { "f" }.to_owned(),
        ObjectValues::BigInt(values) => values[row].to_string(),
        ObjectValues::Double(values) => double(values[row]),
        // A list of strings is read as JSON, too.
        ObjectValues::Text(values)
        | ObjectValues::Json(values)
        | ObjectValues::TextArray(values) => values.text(row).to_owned(),
        ObjectValues::TimestampMs(values) => timestamp(values[row]),
        ObjectValues::BigIntArray(values) => {
            let numbers: Vec<String> = values[row].iter().map(i64::to_string).collect();
            format!("{{{}}}", numbers.join(","))
        }
    }
}

/// The shortest text that reads as the same number.
fn double(value: f64) -> String {
    if !value.is_finite() {
        // As PostgreSQL writes them.
        return match value {
            _ if value.is_nan() => "NaN",
            _ if value > 0.0 => "Infinity",
            _ => "-Infinity",
        }
        .to_owned();
    }
    zmij::Buffer::new().format(value).to_owned()
}

/// ISO with UTC named, so that no setting changes its meaning.
fn timestamp(timestamp_ms: i64) -> String {
    match Timestamp::from_millisecond(timestamp_ms) {
        Ok(timestamp) if timestamp.to_zoned(TimeZone::UTC).year() > 0 => timestamp
            .to_zoned(TimeZone::UTC)
            .strftime("%Y-%m-%d %H:%M:%S%.f+00")
            .to_string(),
        // No table takes such a time: it is shown as what was stored.
        _ => format!("{timestamp_ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Namespace;
    use crate::rows::value::ValueSettings;
    use crate::rows::{AnyBuilder, BatchBounds, RowBuilder, WireFormat};
    use crate::sql::{CopyFormat, CopyStatement, Statement, classify};
    use crate::wire::copy::CopyDecoder;
    use proptest::prelude::*;

    /// Values that the column takes, in one of their forms.
    fn value_of(table: &'static Table, column: &str) -> BoxedStrategy<Option<String>> {
        let text = |length| {
            prop::collection::vec(
                prop::sample::select(vec![
                    'a', 'Z', '\\', '\t', '\n', '\r', '"', '{', ',', 'é', '€',
                ]),
                1..length,
            )
            .prop_map(|characters| Some(String::from_iter(characters)))
        };
        match (table.full_name(), column) {
            ("cdf.double_datapoints", "value") => prop_oneof![
                any::<f64>().prop_filter("allowed with any status", |n| n.abs() < 1e100),
                Just(-0.0),
            ]
            .prop_map(|n| Some(format!("{n:e}")))
            .boxed(),
            (_, "status_code") => prop::sample::select(vec![
                None,
                Some("0"),
                Some("1073741824"),
                Some("2147484928"),
            ])
            .prop_map(|code| code.map(str::to_owned))
            .boxed(),
            (_, "status_symbol") => prop::sample::select(vec![
                None,
                Some("Good"),
                Some("UncertainInitialValue"),
                Some("Bad, High Calculated"),
            ])
            .prop_map(|symbol| symbol.map(str::to_owned))
            .boxed(),
            (_, "instance_space") => text(9).boxed(),
            ("double_datapoints", "value") => (-1e100f64..1e100)
                .prop_map(|n| Some(format!("{n:e}")))
                .boxed(),
            (_, "timestamp") => (-2_208_988_800_000i64..4_102_444_800_000)
                .prop_map(|ms| {
                    Some(
                        Timestamp::from_millisecond(ms)
                            .expect("in range")
                            .to_string(),
                    )
                })
                .boxed(),
            (_, "_raw_columns") => text(8)
                .prop_map(|value| {
                    Some(serde_json::json!({"a b": value, "n": [1, null, 2.5e30]}).to_string())
                })
                .boxed(),
            (_, "metadata") => prop::option::of(text(8))
                .prop_map(|value| value.map(|value| serde_json::json!({ "k": value }).to_string()))
                .boxed(),
            (_, "is_string" | "is_step") => prop::option::of(any::<bool>())
                .prop_map(|value| value.map(|value| value.to_string()))
                .boxed(),
            (_, "asset_id" | "data_set_id") => prop::option::of(1i64..9_007_199_254_740_991)
                .prop_map(|value| value.map(|value| value.to_string()))
                .boxed(),
            (_, "id") => (1i64..9_007_199_254_740_991)
                .prop_map(|id| Some(id.to_string()))
                .boxed(),
            (_, "security_categories") => prop::option::of(prop::collection::vec(1i64..1000, 0..4))
                .prop_map(|ids| {
                    ids.map(|ids| {
                        format!(
                            "{{{}}}",
                            ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
                        )
                    })
                })
                .boxed(),
            _ => text(9).boxed(),
        }
    }

    /// A table, columns of it, and rows for them.
    fn any_rows() -> impl Strategy<Value = (&'static Table, Vec<usize>, Vec<Vec<Option<String>>>)> {
        let shapes: Vec<(&str, &[&str])> = vec![
            ("double_datapoints", &["value", "timestamp", "external_id"]),
            ("double_datapoints", &["timestamp", "id", "value"]),
            ("string_datapoints", &["external_id", "value", "timestamp"]),
            (
                "cdf.double_datapoints",
                &[
                    "value",
                    "status_code",
                    "timestamp",
                    "instance_space",
                    "external_id",
                ],
            ),
            (
                "cdf.string_datapoints",
                &["status_symbol", "external_id", "timestamp", "value"],
            ),
            ("cdf.double_datapoints", &["timestamp", "id", "value"]),
            (
                "raw_rows",
                &["_raw_key", "_raw_database", "_raw_table", "_raw_columns"],
            ),
            (
                "time_series",
                &[
                    "external_id",
                    "name",
                    "is_string",
                    "metadata",
                    "asset_id",
                    "security_categories",
                ],
            ),
        ];
        prop::sample::select(shapes).prop_flat_map(|(table, columns)| {
            let table = catalog::table_of_full_name(table).expect("the table exists");
            let indexes: Vec<usize> = columns
                .iter()
                .map(|column| table.column_index(column).expect("the column exists"))
                .collect();
            let row: Vec<_> = columns
                .iter()
                .map(|column| value_of(table, column))
                .collect();
            (
                Just(table),
                Just(indexes),
                prop::collection::vec(row, 1..12),
            )
        })
    }

    fn builder(table: &'static Table, columns: &[usize]) -> AnyBuilder {
        let bounds = BatchBounds {
            rows: 1000,
            bytes: 1 << 20,
        };
        AnyBuilder::new(table, columns, ValueSettings::default(), bounds)
    }

    fn copy_line(row: &RowText) -> Vec<u8> {
        let fields: Vec<String> = row
            .values
            .iter()
            .map(|value| match value {
                None => "\\N".to_owned(),
                Some(value) => value
                    .replace('\\', "\\\\")
                    .replace('\t', "\\t")
                    .replace('\n', "\\n")
                    .replace('\r', "\\r"),
            })
            .collect();
        (fields.join("\t") + "\n").into_bytes()
    }

    fn copy_statement(row: &RowText, table: &Table) -> CopyStatement {
        let text = format!(
            "COPY {} ({}) FROM STDIN",
            table.full_name(),
            row.columns.join(", ")
        );
        match classify(&text, &Namespace::default()) {
            Ok(Statement::Copy(copy)) if copy.options.format == CopyFormat::Text => copy,
            other => panic!("no COPY of text: {other:?}"),
        }
    }

    proptest! {
        #[test]
        fn a_rendered_row_read_by_copy_is_the_same_row((table, columns, rows) in any_rows()) {
            let mut first = builder(table, &columns);
            for (number, row) in rows.iter().enumerate() {
                for (column, value) in columns.iter().zip(row) {
                    match value {
                        Some(value) => first
                            .field(*column, WireFormat::Text, value.as_bytes())
                            .expect("the column takes the value"),
                        None => first.null(*column).expect("the column takes NULL"),
                    }
                }
                first.finish_row(number as u64 + 1).expect("the row is whole");
            }
            for batch in first.take() {
                prop_assert!(std::ptr::eq(batch.table(), table));
                for row in 0..batch.rows() {
                    let text = batch.row_text(row);
                    let copy = copy_statement(&text, table);
                    let mut second = builder(table, &copy.columns);
                    let mut decoder = CopyDecoder::new(&copy, 1 << 20);
                    decoder.feed(&copy_line(&text), &mut second).expect("the text is sound");
                    let again = second.take().pop().expect("a row was read");
                    prop_assert_eq!(again.rows(), 1);
                    prop_assert_eq!(again.row_text(0), text);
                }
            }
        }
    }

    #[test]
    fn a_bad_point_without_a_value_or_with_an_odd_one_is_the_same_when_read_again() {
        let table = catalog::CDF_DOUBLE_DATAPOINTS;
        for value in [None, Some("NaN"), Some("-Infinity"), Some("1e300")] {
            let columns = [0, 1, 2, 3, 5];
            let mut first = builder(table, &columns);
            let given = ["2026-01-01", "plant", "pump", "2147483648"];
            match value {
                Some(value) => first.field(0, WireFormat::Text, value.as_bytes()),
                None => first.null(0),
            }
            .expect("the column takes it");
            for (column, text) in columns[1..].iter().zip(given) {
                first
                    .field(*column, WireFormat::Text, text.as_bytes())
                    .expect("the column takes it");
            }
            first.finish_row(1).expect("the status allows it");
            let text = first.take()[0].row_text(0);
            let mut second = builder(table, &columns);
            for (name, value) in text.columns.iter().zip(&text.values) {
                let column = table.column_index(name).expect("the column exists");
                match value {
                    Some(value) => second.field(column, WireFormat::Text, value.as_bytes()),
                    None => second.null(column),
                }
                .expect("the column takes it");
            }
            second.finish_row(1).expect("the status is there");
            assert_eq!(second.take()[0].row_text(0), text, "{value:?}");
        }
    }

    #[test]
    fn text_is_that_of_postgresql() {
        let table = catalog::DOUBLE_DATAPOINTS;
        let mut builder = builder(table, &[0, 1, 2]);
        for (column, value) in [(0, "1.50"), (1, "2026-01-02 03:04:05.060 +02"), (2, "pump")] {
            builder
                .field(column, WireFormat::Text, value.as_bytes())
                .expect("the column takes the value");
        }
        builder.finish_row(1).expect("the row is whole");
        let text = builder.take()[0].row_text(0);
        assert_eq!(text.columns, ["value", "timestamp", "external_id"]);
        let values: Vec<&str> = text.values.iter().flatten().map(String::as_str).collect();
        assert_eq!(values, ["1.5", "2026-01-02 01:04:05.06+00", "pump"]);
    }
}
