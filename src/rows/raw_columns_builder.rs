//! Building batches for custom RAW tables: declared columns in, RAW rows out.
//!
//! Owns the open row, as JSON text, and the columns under construction. Promises that a row's
//! columns stand in the order of the table, that a null is left out, and that the key is the text
//! of the key's column. Nothing is allocated per row once buffers are warm, and no row is ever a
//! tree. Never knows more of a table than its description.

use super::cdf_rules::{check_raw_columns, check_raw_key};
use super::refusal::{check_nullable, column_at, in_column, null_value};
use super::row_numbers::RowNumberLog;
use super::value::json_text::{
    push_bool, push_double, push_integer, push_json, push_string, push_time,
};
use super::value::{JsonKind, ValueReader, ValueSettings, check_text, check_varchar};
use super::{
    BatchBounds, CellChanges, RawAction, RawBatch, RawDestination, RowBatch, RowBuilder,
    TextColumn, WireFormat, hash_key, pool,
};
use crate::catalog::{Column, ColumnType, RawColumns, Table};
use crate::diagnostic::Diagnostic;
use std::ops::Range;
use std::sync::Arc;

/// One column of the table.
#[derive(Debug)]
struct Place {
    /// `"name":`, or nothing for a key that is no column of the RAW row.
    head: Box<[u8]>,
    /// Where the open row's value stands in `values`; `None`: it has none.
    value: Option<Range<usize>>,
    /// The open row takes the cell away.
    is_removed: bool,
}

/// Builds batches for one custom RAW table.
#[derive(Debug)]
pub struct RawColumnsBuilder {
    table: &'static Table,
    raw: &'static RawColumns,
    action: RawAction,
    reader: ValueReader,
    bounds: BatchBounds,
    destination: Arc<RawDestination>,
    places: Vec<Place>,
    /// The open row's values as JSON, in the order in which they came.
    values: Vec<u8>,
    /// The open row's columns as one JSON object.
    object: Vec<u8>,
    keys: TextColumn,
    key_hashes: Vec<u64>,
    columns: TextColumn,
    row_numbers: RowNumberLog,
}

impl RawColumnsBuilder {
    /// A builder for `table`, whose rows go where `raw` says and do `action`.
    pub fn new(
        table: &'static Table,
        raw: &'static RawColumns,
        action: RawAction,
        settings: ValueSettings,
        bounds: BatchBounds,
    ) -> Self {
        let head = |index: usize, column: &Column| {
            let mut head = Vec::new();
            if index != raw.key || raw.key_is_declared {
                // A column's name came as JSON: it is UTF-8.
                let written = push_string(&mut head, column.name.as_bytes());
                debug_assert!(written.is_ok(), "a name is text");
                head.push(b':');
            }
            head.into_boxed_slice()
        };
        RawColumnsBuilder {
            table,
            raw,
            action,
            reader: ValueReader::new(settings),
            bounds,
            destination: Arc::new(RawDestination {
                database: raw.database.as_str().into(),
                table: raw.table.as_str().into(),
            }),
            places: table
                .columns
                .iter()
                .enumerate()
                .map(|(index, column)| Place {
                    head: head(index, column),
                    value: None,
                    is_removed: false,
                })
                .collect(),
            values: Vec::new(),
            object: Vec::new(),
            keys: pool::TEXTS.take(0),
            key_hashes: pool::HASHES.take(0),
            columns: pool::TEXTS.take(0),
            row_numbers: RowNumberLog::default(),
        }
    }

    /// Appends the value as JSON.
    fn push_value(
        &mut self,
        column: &'static Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let (reader, json) = (&mut self.reader, &mut self.values);
        match column.column_type {
            ColumnType::Bool => push_bool(json, reader.boolean(column, format, value)?),
            ColumnType::BigInt => push_integer(json, reader.bigint(column, format, value)?),
            ColumnType::DoublePrecision => {
                push_double(json, reader.double(column, format, value)?)?;
            }
            ColumnType::Real => push_double(json, reader.real(column, format, value)?)?,
            ColumnType::TimestampTz => {
                push_time(json, reader.timestamp_ms(column, format, value)?)?;
            }
            ColumnType::Text | ColumnType::Varchar(0) => {
                push_string(json, &reader.text(format, value)?)?;
            }
            ColumnType::Varchar(length) => {
                let text = reader.text(format, value)?;
                push_string(json, check_varchar(&text, length)?)?;
            }
            ColumnType::Json => push_json(json, reader.json(column, format, value)?.0)?,
            ColumnType::Bytea => {
                // A backslash, an x and digits: only the backslash needs an escape.
                json.extend_from_slice(b"\"\\");
                reader.bytea(column, format, value, json)?;
                json.push(b'"');
            }
            ColumnType::BoolArray
            | ColumnType::BigIntArray
            | ColumnType::DoublePrecisionArray
            | ColumnType::RealArray
            | ColumnType::TextArray
            | ColumnType::VarcharArray
            | ColumnType::JsonArray => reader.list(column, format, value, json)?,
        }
        Ok(())
    }

    /// The key of the open row: the column's text. It waits at the end of the keys.
    fn push_key(
        &mut self,
        column: &Column,
        format: WireFormat,
        value: &[u8],
        written: Range<usize>,
    ) -> Result<(), Box<Diagnostic>> {
        self.keys.truncate(self.key_hashes.len());
        match column.column_type {
            ColumnType::Text | ColumnType::Varchar(_) => {
                let key = self.reader.text(format, value)?;
                check_text(&key)?;
                check_raw_key(&key)?;
                self.keys.push(&key);
            }
            // The others have no character that JSON escapes.
            _ => match &self.values[written] {
                [b'"', key @ .., b'"'] | key => self.keys.push(key),
            },
        }
        Ok(())
    }

    fn take_field(
        &mut self,
        index: usize,
        column: &'static Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let start = self.values.len();
        if let Err(refusal) = self.push_value(column, format, value) {
            self.values.truncate(start);
            return Err(refusal);
        }
        let written = start..self.values.len();
        if index == self.raw.key {
            self.push_key(column, format, value, written.clone())?;
        }
        self.places[index].value = Some(written);
        Ok(())
    }

    fn close_row(&mut self) {
        self.values.clear();
        for place in &mut self.places {
            place.value = None;
            place.is_removed = false;
        }
    }

    /// The open row's columns as its action wants them, in `object`.
    fn write_columns(&mut self) {
        self.object.clear();
        match self.action {
            RawAction::Delete | RawAction::Empty => {}
            RawAction::Merge => {
                let (mut set, mut removed) = (Vec::new(), Vec::new());
                self.push_cells(&mut set, |index| index != self.raw.key);
                for place in self.places.iter().filter(|place| place.is_removed) {
                    if !removed.is_empty() {
                        removed.push(b',');
                    }
                    // The name without its colon.
                    let name = place.head.split_last().map_or(&[][..], |(_, name)| name);
                    removed.extend_from_slice(name);
                }
                CellChanges::write(&mut self.object, &set, &removed);
            }
            RawAction::Insert | RawAction::InsertMissing | RawAction::Replace => {
                let mut object = std::mem::take(&mut self.object);
                object.push(b'{');
                self.push_cells(&mut object, |_| true);
                object.push(b'}');
                self.object = object;
            }
        }
    }

    /// Appends the values of the open row that `wanted` picks, by column.
    fn push_cells(&self, object: &mut Vec<u8>, wanted: impl Fn(usize) -> bool) {
        let mut is_first = true;
        for (index, place) in self.places.iter().enumerate() {
            let Some(value) = place.value.clone() else {
                continue;
            };
            if place.head.is_empty() || !wanted(index) {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                object.push(b',');
            }
            object.extend_from_slice(&place.head);
            object.extend_from_slice(&self.values[value]);
        }
    }
}

impl RowBuilder for RawColumnsBuilder {
    fn field(
        &mut self,
        column: usize,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let described = column_at(self.table, column)?;
        self.take_field(column, described, format, value)
            .map_err(|diagnostic| in_column(self.table, described, diagnostic))
    }

    fn null(&mut self, column: usize) -> Result<(), Box<Diagnostic>> {
        check_nullable(self.table, column_at(self.table, column)?)?;
        self.places[column].is_removed = true;
        Ok(())
    }

    fn finish_row(&mut self, row_number: u64) -> Result<(), Box<Diagnostic>> {
        if self.action == RawAction::Empty {
            self.keys.push(b"");
        } else if self.places[self.raw.key].value.is_none() {
            return Err(null_value(self.table, &self.table.columns[self.raw.key]));
        }
        self.write_columns();
        if !self.object.is_empty() {
            check_raw_columns(&self.object, JsonKind::Object).map_err(|mut refusal| {
                refusal.table = Some(self.table.name.to_owned());
                refusal
            })?;
        }
        self.columns.push(&self.object);
        let row = self.key_hashes.len();
        self.key_hashes.push(hash_key(self.keys.bytes(row)));
        self.row_numbers.push(row_number);
        self.close_row();
        Ok(())
    }

    fn abandon_row(&mut self) {
        self.close_row();
        self.keys.truncate(self.key_hashes.len());
    }

    fn rows(&self) -> usize {
        self.key_hashes.len()
    }

    fn is_full(&self) -> bool {
        let rows = self.rows();
        let bytes = self.keys.total_bytes() + self.columns.total_bytes();
        rows >= self.bounds.rows.max(1) || (bytes >= self.bounds.bytes && rows > 0)
    }

    fn take(&mut self) -> Vec<RowBatch> {
        self.abandon_row();
        let rows = self.rows();
        if rows == 0 {
            return Vec::new();
        }
        vec![RowBatch::RawRows(RawBatch {
            destination: self.destination.clone(),
            action: self.action,
            keys: std::mem::replace(&mut self.keys, pool::TEXTS.take(rows)),
            key_hashes: std::mem::replace(&mut self.key_hashes, pool::HASHES.take(rows)),
            columns: std::mem::replace(&mut self.columns, pool::TEXTS.take(rows)),
            row_numbers: self.row_numbers.take(),
        })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Definition, RowShape, custom_table};
    use serde_json::{Value, json};

    fn builder(name: &str, primary_key: Option<&str>, columns: Value) -> RawColumnsBuilder {
        let mut definition = json!({
            "type": "raw_rows", "tablename": name,
            "options": {"database": "db", "table": "t"}, "columns": columns
        });
        if let Some(key) = primary_key {
            definition["options"]["primaryKey"] = json!(key);
        }
        let definition = Definition::from_json(&definition).expect("sound");
        let table = custom_table(&definition).expect("made");
        let RowShape::RawColumns(raw) = table.shape else {
            panic!("a table of RAW rows");
        };
        let bounds = BatchBounds {
            rows: 100,
            bytes: 1 << 20,
        };
        RawColumnsBuilder::new(
            table,
            raw,
            RawAction::Insert,
            ValueSettings::default(),
            bounds,
        )
    }

    fn row(builder: &mut RawColumnsBuilder, values: &[(usize, &str)]) {
        for (column, value) in values {
            builder
                .field(*column, WireFormat::Text, value.as_bytes())
                .expect(value);
        }
        builder.finish_row(1).expect("whole");
    }

    fn written(builder: &mut RawColumnsBuilder) -> Vec<(String, String)> {
        match builder.take().as_slice() {
            [RowBatch::RawRows(batch)] => (0..batch.keys.len())
                .map(|row| {
                    let (key, columns) = (batch.keys.text(row), batch.columns.text(row));
                    (key.to_owned(), columns.to_owned())
                })
                .collect(),
            other => panic!("one batch: {other:?}"),
        }
    }

    #[test]
    fn every_type_becomes_json_and_columns_stand_in_the_order_of_the_table() {
        let types = [
            "TEXT",
            "VARCHAR",
            "BOOL",
            "BIGINT",
            "DOUBLE PRECISION",
            "REAL",
            "TIMESTAMPTZ",
            "JSON",
            "BYTEA",
            "TEXT[]",
            "VARCHAR[]",
            "BOOL[]",
            "BIGINT[]",
            "DOUBLE PRECISION[]",
            "REAL[]",
            "JSON[]",
        ];
        let columns: Vec<Value> = types
            .iter()
            .enumerate()
            .map(|(index, name)| json!({"propertyName": format!("c{index}"), "type": name}))
            .collect();
        let mut builder = builder("every_type", Some("c0"), json!(columns));
        let values = [
            "k\"1",
            "é",
            "yes",
            "-7",
            "1.50",
            "0.1",
            "2026-01-02 03:04:05.06+02",
            "{\"a\": [1]}",
            "\\x0aFF",
            "{a,\"b c\"}",
            "[\"x\"]",
            "{t,f}",
            "{1,2}",
            "{1.5,2}",
            "{0.1}",
            "{\"{}\",null1}",
        ];
        let mut given: Vec<(usize, &str)> = values.iter().copied().enumerate().collect();
        given[15].1 = "{\"{}\",7}";
        // The order in which values come is the statement's.
        given.reverse();
        row(&mut builder, &given);
        let [(key, columns)] = written(&mut builder).try_into().expect("one row");
        assert_eq!(key, "k\"1");
        assert_eq!(
            columns,
            concat!(
                r#"{"c0":"k\"1","c1":"é","c2":true,"c3":-7,"c4":1.5,"c5":0.1,"#,
                r#""c6":"2026-01-02T01:04:05.060Z","c7":{"a": [1]},"c8":"\\x0aff","#,
                r#""c9":["a","b c"],"c10":["x"],"c11":[true,false],"c12":[1,2],"#,
                r#""c13":[1.5,2.0],"c14":[0.1],"c15":[{},7]}"#
            )
        );
    }

    #[test]
    fn a_null_is_left_out_and_a_key_of_its_own_is_no_column() {
        let columns = json!({"a": {"type": "TEXT"}, "b": {"type": "BIGINT"}});
        let mut builder = builder("own_key", None, columns);
        builder.null(1).expect("may be null");
        row(&mut builder, &[(0, "k"), (2, "5")]);
        row(&mut builder, &[(0, "only")]);
        let expected = [("k", r#"{"b":5}"#), ("only", "{}")];
        let expected = expected.map(|(key, columns)| (key.to_owned(), columns.to_owned()));
        assert_eq!(written(&mut builder), expected);
    }

    #[test]
    fn a_key_that_is_a_number_or_a_time_is_its_text() {
        for (name, type_name, value, key) in [
            ("key_bigint", "BIGINT", "007", "7"),
            ("key_bool", "BOOL", "t", "true"),
            (
                "key_time",
                "TIMESTAMPTZ",
                "2026-01-02 00:00+00",
                "2026-01-02T00:00:00.000Z",
            ),
        ] {
            let mut builder = builder(name, Some("k"), json!({"k": {"type": type_name}}));
            row(&mut builder, &[(0, value)]);
            assert_eq!(written(&mut builder)[0].0, key);
        }
    }

    #[test]
    fn a_refused_row_leaves_no_trace() {
        let columns = json!({"k": {"type": "TEXT"}, "n": {"type": "BIGINT"}});
        let mut builder = builder("no_trace", Some("k"), columns);
        row(&mut builder, &[(0, "first"), (1, "1")]);
        builder.field(0, WireFormat::Text, b"bad").expect("text");
        let refusal = builder
            .field(1, WireFormat::Text, b"x")
            .expect_err("no number");
        assert_eq!(refusal.sqlstate.code(), "22P02");
        assert_eq!(refusal.column.as_deref(), Some("n"));
        builder.abandon_row();
        builder.field(1, WireFormat::Text, b"2").expect("a number");
        let refusal = builder.finish_row(2).expect_err("no key");
        assert_eq!(refusal.sqlstate.code(), "23502");
        assert_eq!(refusal.column.as_deref(), Some("k"));
        builder.abandon_row();
        let empty = builder
            .field(0, WireFormat::Text, b"")
            .expect_err("an empty key");
        assert_eq!(empty.sqlstate.code(), "22023");
        builder.abandon_row();
        row(&mut builder, &[(0, "last")]);
        let keys: Vec<String> = written(&mut builder)
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(keys, ["first", "last"]);
    }
}
