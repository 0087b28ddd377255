//! Batches for the tests, from plain rows.
//!
//! Owns the way from a `Vec` of rows to columns. Promises what builders promise of a batch.
//! Never used outside tests.

use penstock::catalog::{self, Table};
use penstock::rows::{
    Action, ActionKind, DatapointBatch, DatapointValues, ObjectBatch, ObjectColumn, ObjectValues,
    PointStatus, RawBatch, RawDestination, RowBatch, RowNumbers, RowRange, SeriesKey,
    SeriesReference, TextColumn, TimeSpan, hash_key,
};
use std::sync::Arc;

pub fn external_id(text: &str) -> SeriesReference {
    SeriesReference::ExternalId(text.into())
}

pub fn range(batch: &RowBatch) -> RowRange<'_> {
    RowRange {
        batch,
        rows: 0..batch.rows(),
    }
}

pub fn texts<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> TextColumn {
    let mut column = TextColumn::default();
    for value in values {
        column.push(value.as_ref().as_bytes());
    }
    column
}

pub fn doubles(rows: &[(SeriesReference, i64, f64)]) -> RowBatch {
    let values = DatapointValues::Double(rows.iter().map(|row| row.2).collect());
    datapoints(rows.iter().map(|row| (&row.0, row.1)), values)
}

pub fn strings(rows: &[(SeriesReference, i64, String)]) -> RowBatch {
    let values = DatapointValues::Text(texts(rows.iter().map(|row| &row.2)));
    datapoints(rows.iter().map(|row| (&row.0, row.1)), values)
}

/// Deletes of the points between two times, the second not included.
pub fn deletes(rows: &[(SeriesReference, i64, i64)]) -> RowBatch {
    let values = DatapointValues::Deleted(rows.iter().map(|row| row.2).collect());
    datapoints(rows.iter().map(|row| (&row.0, row.1)), values)
}

/// The batch with these statuses, one a row.
pub fn with_statuses(batch: RowBatch, statuses: Vec<PointStatus>) -> RowBatch {
    let RowBatch::Datapoints(mut batch) = batch else {
        panic!("only datapoints have statuses");
    };
    batch.statuses = statuses;
    RowBatch::Datapoints(batch)
}

fn datapoints<'a>(
    rows: impl Iterator<Item = (&'a SeriesReference, i64)>,
    values: DatapointValues,
) -> RowBatch {
    let mut series: Vec<Arc<SeriesKey>> = Vec::new();
    let mut spans: Vec<TimeSpan> = Vec::new();
    let mut series_index = Vec::new();
    let mut timestamps_ms = Vec::new();
    for (reference, timestamp_ms) in rows {
        let known = series.iter().position(|key| key.reference() == reference);
        let index = known.unwrap_or_else(|| {
            series.push(Arc::new(SeriesKey::new(reference.clone())));
            spans.push(TimeSpan {
                first_ms: timestamp_ms,
                last_ms: timestamp_ms,
            });
            series.len() - 1
        });
        spans[index].first_ms = spans[index].first_ms.min(timestamp_ms);
        spans[index].last_ms = spans[index].last_ms.max(timestamp_ms);
        series_index.push(index as u32);
        timestamps_ms.push(timestamp_ms);
    }
    RowBatch::Datapoints(DatapointBatch {
        table: match &values {
            DatapointValues::Text(_) => catalog::CDF_STRING_DATAPOINTS,
            _ => catalog::CDF_DOUBLE_DATAPOINTS,
        },
        action: match &values {
            DatapointValues::Deleted(_) => ActionKind::Delete,
            _ => ActionKind::Create,
        },
        series,
        spans,
        series_index,
        timestamps_ms,
        values,
        statuses: Vec::new(),
        row_numbers: RowNumbers::From(1),
    })
}

pub fn raw_rows(database: &str, table: &str, rows: &[(String, String)]) -> RowBatch {
    RowBatch::RawRows(RawBatch {
        action: Default::default(),
        destination: Arc::new(RawDestination {
            database: database.into(),
            table: table.into(),
        }),
        keys: texts(rows.iter().map(|row| &row.0)),
        key_hashes: rows.iter().map(|row| hash_key(row.0.as_bytes())).collect(),
        columns: texts(rows.iter().map(|row| &row.1)),
        row_numbers: RowNumbers::From(1),
    })
}

pub fn raw_tables(rows: &[(&str, &str)]) -> RowBatch {
    objects(
        "raw_tables",
        rows.len(),
        vec![
            (
                "_raw_database",
                ObjectValues::Text(texts(rows.iter().map(|row| row.0))),
                vec![true; rows.len()],
            ),
            (
                "_raw_table",
                ObjectValues::Text(texts(rows.iter().map(|row| row.1))),
                vec![true; rows.len()],
            ),
        ],
    )
}

/// Rows of `time_series` with nothing but an external id, where they have one.
pub fn named_time_series(external_ids: &[Option<&str>]) -> RowBatch {
    objects(
        "time_series",
        external_ids.len(),
        vec![(
            "external_id",
            ObjectValues::Text(texts(
                external_ids.iter().map(|name| name.unwrap_or_default()),
            )),
            external_ids.iter().map(Option::is_some).collect(),
        )],
    )
}

pub fn objects(
    table: &str,
    rows: usize,
    columns: Vec<(&str, ObjectValues, Vec<bool>)>,
) -> RowBatch {
    let table: &'static Table = catalog::table(None, table).expect("the table is in the catalog");
    let columns = columns
        .into_iter()
        .map(|(name, values, present)| ObjectColumn {
            column: table
                .column_index(name)
                .expect("the column is in the table"),
            values,
            present,
        })
        .collect();
    RowBatch::Objects(ObjectBatch {
        table,
        action: Action::Create,
        rows,
        columns,
        key_hashes: vec![0; rows],
        row_numbers: RowNumbers::From(1),
    })
}
