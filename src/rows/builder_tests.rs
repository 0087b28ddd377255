//! What the builders make of fields, seen through the contract that decoders use.

use super::value::ValueSettings;
use super::{
    AnyBuilder, BatchBounds, DatapointBatch, DatapointValues, ObjectBatch, ObjectValues, RawBatch,
    RowBatch, RowBuilder, RowNumbers, SeriesReference, WireFormat, hash_key,
};
use crate::catalog::{self, Table};
use crate::diagnostic::Diagnostic;

/// A field as a test writes it; `None` is NULL.
pub(super) type Field<'a> = (&'a str, Option<&'a str>);

pub(super) struct Building {
    table: &'static Table,
    pub(super) builder: AnyBuilder,
    row_number: u64,
}

impl Building {
    pub(super) fn of(table: &str, rows: usize) -> Self {
        Self::bounded(table, rows, 1 << 20)
    }

    fn bounded(table: &str, rows: usize, bytes: usize) -> Self {
        let table = catalog::table_of_full_name(table).expect("a table");
        let columns: Vec<usize> = (0..table.columns.len()).collect();
        let bounds = BatchBounds { rows, bytes };
        let settings = ValueSettings::default();
        Building {
            table,
            builder: AnyBuilder::new(table, &columns, settings, bounds),
            row_number: 0,
        }
    }

    fn field(
        &mut self,
        column: &str,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let column = self.table.column_index(column).expect("a column");
        self.builder.field(column, format, value)
    }

    pub(super) fn row(&mut self, fields: &[Field<'_>]) -> Result<(), Box<Diagnostic>> {
        self.row_number += 1;
        let row_number = self.row_number;
        let result = self
            .fields(fields)
            .and_then(|()| self.builder.finish_row(row_number));
        if result.is_err() {
            self.builder.abandon_row();
        }
        result
    }

    fn fields(&mut self, fields: &[Field<'_>]) -> Result<(), Box<Diagnostic>> {
        for (column, value) in fields {
            match value {
                Some(value) => self.field(column, WireFormat::Text, value.as_bytes())?,
                None => {
                    let column = self.table.column_index(column).expect("a column");
                    self.builder.null(column)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn code(&mut self, fields: &[Field<'_>]) -> &'static str {
        match self.row(fields) {
            Ok(()) => "00000",
            Err(refusal) => {
                assert_eq!(refusal.table.as_deref(), Some(self.table.name));
                assert!(refusal.column.is_some(), "{}", refusal.message);
                refusal.sqlstate.code()
            }
        }
    }

    pub(super) fn datapoints(&mut self) -> DatapointBatch {
        match self.builder.take().pop() {
            Some(RowBatch::Datapoints(batch)) => batch,
            other => panic!("no datapoints: {other:?}"),
        }
    }

    fn raw(&mut self) -> Vec<RawBatch> {
        let batches = self.builder.take().into_iter();
        batches
            .map(|batch| match batch {
                RowBatch::RawRows(batch) => batch,
                other => panic!("no RAW rows: {other:?}"),
            })
            .collect()
    }

    fn objects(&mut self) -> ObjectBatch {
        match self.builder.take().pop() {
            Some(RowBatch::Objects(batch)) => batch,
            other => panic!("no objects: {other:?}"),
        }
    }
}

/// A datapoint on 1970-01-01 at `second`.
pub(super) fn point<'a>(series: Field<'a>, time: &'a str, value: &'a str) -> [Field<'a>; 3] {
    [series, ("timestamp", Some(time)), ("value", Some(value))]
}

pub(super) const A: Field<'static> = ("external_id", Some("a"));
pub(super) const B: Field<'static> = ("external_id", Some("b"));

#[test]
fn each_series_stands_once_in_a_batch_with_the_time_it_spans() {
    let mut building = Building::of("double_datapoints", 100);
    for (series, time) in [
        (A, "1970-01-01 00:00:05Z"),
        (B, "1970-01-01 00:00:01Z"),
        (A, "1970-01-01 00:00:02Z"),
        (A, "1970-01-01 00:00:09Z"),
    ] {
        building
            .row(&point(series, time, "1"))
            .expect("a valid row");
    }
    let batch = building.datapoints();
    assert_eq!(batch.series.len(), 2);
    assert_eq!(batch.series_index, [0, 1, 0, 0]);
    assert_eq!(batch.timestamps_ms, [5000, 1000, 2000, 9000]);
    assert_eq!(
        (batch.spans[0].first_ms, batch.spans[0].last_ms),
        (2000, 9000)
    );
    assert_eq!(
        (batch.spans[1].first_ms, batch.spans[1].last_ms),
        (1000, 1000)
    );
    assert_eq!(batch.row_numbers, RowNumbers::From(1));
}

#[test]
fn a_series_keeps_its_key_from_batch_to_batch() {
    let mut building = Building::of("double_datapoints", 2);
    let mut keys = Vec::new();
    for _ in 0..3 {
        building.row(&point(B, "1970-01-01", "1")).expect("valid");
        building.row(&point(A, "1970-01-01", "1")).expect("valid");
        assert!(building.builder.is_full());
        let batch = building.datapoints();
        assert_eq!(batch.series_index, [0, 1]);
        keys.push(batch.series[1].clone());
    }
    assert!(std::sync::Arc::ptr_eq(&keys[0], &keys[2]));
}

#[test]
fn a_refused_row_leaves_no_trace() {
    let mut building = Building::of("string_datapoints", 100);
    building.row(&point(A, "1970-01-01", "one")).expect("valid");
    let mut fields = point(B, "1970-01-01", "two").to_vec();
    fields.rotate_left(2);
    fields[2].1 = Some("no time");
    assert_eq!(building.code(&fields), "22007");
    building
        .row(&point(A, "1970-01-02", "three"))
        .expect("valid");
    let batch = building.datapoints();
    assert_eq!(
        batch.series.len(),
        1,
        "the refused row's series is not there"
    );
    let DatapointValues::Text(values) = &batch.values else {
        panic!("the table has strings");
    };
    assert_eq!(
        (values.len(), values.text(0), values.text(1)),
        (2, "one", "three")
    );
    assert_eq!(batch.row_numbers, RowNumbers::Listed(vec![1, 3]));
}

#[test]
fn a_datapoint_needs_a_series_a_time_and_a_value() {
    let mut building = Building::of("double_datapoints", 100);
    let time = ("timestamp", Some("1970-01-01"));
    let value = ("value", Some("1"));
    for fields in [
        vec![time, value],
        vec![A, value],
        vec![A, time],
        vec![A, time, ("value", None)],
        vec![("external_id", None), ("id", None), time, value],
    ] {
        assert_eq!(building.code(&fields), "23502", "{fields:?}");
    }
    assert_eq!(building.builder.rows(), 0);
    assert!(building.builder.take().is_empty());
}

#[test]
fn an_external_id_counts_before_an_id() {
    let mut building = Building::of("double_datapoints", 100);
    let id = ("id", Some("7"));
    let mut both = point(id, "1970-01-01", "1").to_vec();
    both.push(A);
    building.row(&both).expect("valid");
    building.row(&point(id, "1970-01-01", "1")).expect("valid");
    let mut null = point(id, "1970-01-01", "1").to_vec();
    null.push(("external_id", None));
    building.row(&null).expect("valid");
    let batch = building.datapoints();
    let references: Vec<_> = batch.series.iter().map(|key| key.reference()).collect();
    assert_eq!(
        references,
        [
            &SeriesReference::ExternalId("a".into()),
            &SeriesReference::Id(7)
        ]
    );
    assert_eq!(batch.series_index, [0, 1, 1]);
}

#[test]
fn datapoints_keep_the_rules_of_cdf() {
    let mut building = Building::of("double_datapoints", 100);
    for (value, code) in [("1e100", "22003"), ("NaN", "22003"), ("-9e99", "00000")] {
        assert_eq!(
            building.code(&point(A, "1970-01-01", value)),
            code,
            "{value}"
        );
    }
    for (time, code) in [
        ("1899-12-31 23:59:59.999Z", "22008"),
        ("1900-01-01Z", "00000"),
        ("2099-12-31 23:59:59.999Z", "00000"),
        ("2099-12-31 23:59:59.9995Z", "22008"),
    ] {
        assert_eq!(building.code(&point(A, time, "1")), code, "{time}");
    }
    for (id, code) in [
        ("0", "22003"),
        ("9007199254740991", "00000"),
        ("9007199254740992", "22003"),
    ] {
        assert_eq!(
            building.code(&point(("id", Some(id)), "1970-01-01", "1")),
            code
        );
    }
    let long = "x".repeat(256);
    for (external_id, code) in [("", "22023"), ("a\0b", "22021"), (&long, "22001")] {
        let series = ("external_id", Some(external_id));
        assert_eq!(building.code(&point(series, "1970-01-01", "1")), code);
    }
    let mut strings = Building::of("string_datapoints", 100);
    assert_eq!(strings.code(&point(A, "1970-01-01", &long)), "22001");
    assert_eq!(strings.code(&point(A, "1970-01-01", "a\0")), "22021");
    assert_eq!(strings.code(&point(A, "1970-01-01", "")), "00000");
}

#[test]
fn blanks_beyond_the_length_do_not_make_another_series() {
    let mut building = Building::of("double_datapoints", 100);
    let name = "x".repeat(255);
    let blanks = format!("{name}   ");
    for external_id in [&name, &blanks, &name] {
        let series = ("external_id", Some(external_id.as_str()));
        building
            .row(&point(series, "1970-01-01", "1"))
            .expect("valid");
    }
    assert_eq!(building.datapoints().series.len(), 1);
}

#[test]
fn other_wire_types_are_cast_as_postgresql_assigns_them() {
    let mut building = Building::of("double_datapoints", 100);
    let rows: [(&[u8], u32); 4] = [
        (&7i16.to_be_bytes(), 21),
        (&7i32.to_be_bytes(), 23),
        (&7i64.to_be_bytes(), 20),
        (&7.4f64.to_be_bytes(), 701),
    ];
    for (bytes, oid) in rows {
        building
            .field("id", WireFormat::Binary(oid), bytes)
            .expect("assignable");
        building
            .field("value", WireFormat::Binary(oid), bytes)
            .expect("assignable");
        // Half a day after 2000-01-01, which is a date here.
        building
            .field("timestamp", WireFormat::Binary(1082), &0i32.to_be_bytes())
            .expect("assignable");
        building.builder.finish_row(1).expect("complete");
    }
    let batch = building.datapoints();
    assert_eq!(batch.series.len(), 1, "all of them are id 7");
    assert_eq!(
        batch.values,
        DatapointValues::Double(vec![7.0, 7.0, 7.0, 7.4])
    );
    assert_eq!(batch.timestamps_ms, [946_684_800_000; 4]);

    for (column, format, value, code) in [
        ("id", WireFormat::Binary(25), &b"7"[..], "42804"),
        ("id", WireFormat::Binary(16), b"\x01", "42804"),
        ("id", WireFormat::TextOf(25), b"7", "42804"),
        ("id", WireFormat::TextOf(1700), b"6.5", "00000"),
        ("id", WireFormat::Binary(23), b"123", "08P01"),
        ("id", WireFormat::Binary(23), b"12345", "22P03"),
        ("timestamp", WireFormat::Binary(25), b"1970-01-01", "42804"),
        ("timestamp", WireFormat::Binary(705), b"1970-01-01", "00000"),
        ("value", WireFormat::TextOf(1700), b"1.5", "00000"),
        (
            "external_id",
            WireFormat::Binary(20),
            &[0, 0, 0, 0, 0, 0, 0, 9],
            "00000",
        ),
    ] {
        let result = building.field(column, format, value);
        let found = result.map_or_else(|refusal| refusal.sqlstate.code(), |()| "00000");
        assert_eq!(found, code, "{column} {format:?}");
    }
}

fn raw_row<'a>(database: &'a str, key: &'a str, columns: &'a str) -> [Field<'a>; 4] {
    [
        ("_raw_key", Some(key)),
        ("_raw_columns", Some(columns)),
        ("_raw_table", Some("t")),
        ("_raw_database", Some(database)),
    ]
}

#[test]
fn raw_rows_gather_by_destination() {
    let mut building = Building::of("raw_rows", 100);
    for (database, key) in [("d", "1"), ("e", "2"), ("d", "3")] {
        building
            .row(&raw_row(database, key, "{\"a\":1}"))
            .expect("valid");
    }
    assert_eq!(building.builder.rows(), 3);
    let batches = building.raw();
    let [first, second] = batches.as_slice() else {
        panic!("two destinations: {batches:?}");
    };
    assert_eq!(&*first.destination.database, "d");
    assert_eq!(&*first.destination.table, "t");
    assert_eq!(first.row_numbers, RowNumbers::Listed(vec![1, 3]));
    assert_eq!(first.keys.text(1), "3");
    assert_eq!(first.key_hashes[1], hash_key(&b"3"[..]));
    assert_eq!(second.row_numbers, RowNumbers::From(2));
    assert_eq!(second.columns.text(0), "{\"a\":1}");
    assert_eq!(building.builder.rows(), 0);
}

#[test]
fn raw_rows_keep_the_rules_of_cdf() {
    let mut building = Building::of("raw_rows", 1000);
    let long_key = "k".repeat(1025);
    let long_name = "d".repeat(33);
    for (row, code) in [
        (raw_row("d", "", "{}"), "22023"),
        (raw_row("d", &long_key, "{}"), "22001"),
        (raw_row("", "k", "{}"), "22023"),
        (raw_row(&long_name, "k", "{}"), "22001"),
        (raw_row("d", "k", "[]"), "22023"),
        (raw_row("d", "k", "{"), "22P02"),
        (raw_row("d", "k", "{}"), "00000"),
    ] {
        assert_eq!(building.code(&row), code, "{row:?}");
    }
    assert_eq!(building.code(&raw_row("d", "k", "{}")[1..]), "23502");
    let mut row = raw_row("d", "k", "{}").to_vec();
    row.push(("_raw_last_updated_time", Some("1970-01-01")));
    assert_eq!(building.code(&row), "428C9");
    row[4].1 = None;
    assert_eq!(building.code(&row), "00000");
    assert_eq!(building.builder.rows(), 2);
}

#[test]
fn many_destinations_fill_the_builder() {
    let mut building = Building::of("raw_rows", 100_000);
    for number in 0..256 {
        assert!(!building.builder.is_full());
        let database = format!("d{number}");
        building.row(&raw_row(&database, "k", "{}")).expect("valid");
    }
    assert!(building.builder.is_full());
    assert_eq!(building.raw().len(), 256);
    assert!(!building.builder.is_full());
}

#[test]
fn bytes_fill_a_builder() {
    for table in ["raw_rows", "string_datapoints", "time_series"] {
        let mut building = Building::bounded(table, 1000, 1000);
        let text = "x".repeat(200);
        let json = format!("{{\"x\":\"{text}\"}}");
        let mut rows = 0;
        while !building.builder.is_full() {
            match table {
                "raw_rows" => building.row(&raw_row("d", "k", &json)),
                "time_series" => building.row(&[("name", Some(&text))]),
                _ => building.row(&point(A, "1970-01-01", &text)),
            }
            .expect("valid");
            rows += 1;
        }
        assert!((4..=5).contains(&rows), "{table}: {rows}");
        building.builder.take();
        assert!(!building.builder.is_full());
    }
}

#[test]
fn objects_have_every_column_in_every_row() {
    let mut building = Building::of("time_series", 100);
    building
        .row(&[
            ("external_id", Some("a")),
            ("is_step", Some("yes")),
            ("metadata", Some("{\"k\":\"v\"}")),
            ("security_categories", Some("{1,2}")),
            ("asset_id", Some("7")),
        ])
        .expect("valid");
    building
        .row(&[("name", Some("n")), ("description", None), ("id", None)])
        .expect("valid");
    let batch = building.objects();
    assert_eq!(batch.rows, 2);
    for column in &batch.columns {
        assert_eq!(column.present.len(), 2);
    }
    let named = |name: &str| {
        let index = batch.table.column_index(name).expect("a column");
        let mut columns = batch.columns.iter();
        columns.find(|column| column.column == index)
    };
    let step = named("is_step").expect("named by the statement");
    assert_eq!(step.values, ObjectValues::Bool(vec![true, false]));
    assert_eq!(step.present, [true, false]);
    assert!(named("id").is_none(), "CDF makes the id");
    assert_eq!(batch.key_hashes, [hash_key(&b"a"[..]), 0]);
}

#[test]
fn objects_keep_the_rules_of_their_columns() {
    let mut building = Building::of("time_series", 100);
    for (column, value, code) in [
        ("id", "1", "428C9"),
        ("created_time", "1970-01-01", "428C9"),
        ("asset_id", "0", "22003"),
        ("security_categories", "{1,0}", "22003"),
        ("metadata", "{\"a\":1}", "22023"),
        ("metadata", "[", "22P02"),
        ("is_string", "maybe", "22P02"),
    ] {
        assert_eq!(building.code(&[(column, Some(value))]), code, "{column}");
    }
    let unit = "u".repeat(33);
    assert_eq!(building.code(&[("unit", Some(&unit))]), "22001");
    assert!(building.builder.take().is_empty(), "no row was finished");

    let mut tables = Building::of("raw_tables", 100);
    let database = ("_raw_database", Some("d"));
    assert_eq!(tables.code(&[database]), "23502");
    assert_eq!(tables.code(&[database, ("_raw_table", Some(""))]), "22023");
    assert_eq!(tables.code(&[database, ("_raw_table", Some("t"))]), "00000");
    assert_ne!(tables.objects().key_hashes, [0]);
}
