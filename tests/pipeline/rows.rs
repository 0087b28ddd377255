//! Rows for the model: small batches whose values tell the order in which they were submitted.

use crate::directory::SPACE;
use penstock::catalog;
use penstock::rows::{
    Action, ActionKind, DatapointBatch, DatapointValues, InstanceName, ObjectBatch, ObjectColumn,
    ObjectValues, RawBatch, RawDestination, RowBatch, RowNumbers, SeriesKey, SeriesReference,
    TextColumn, TimeSpan, hash_key,
};
use std::sync::Arc;

/// A key of the model: series and timestamp, or RAW table and row key.
pub type Key = (String, i64);

/// One row: its key and its place in the order of all rows. The value carries the place.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub key: Key,
    pub place: u64,
}

/// Datapoints: `points` are (series, timestamp), values count from `first_place`.
pub fn datapoints(points: &[(SeriesReference, i64)], first_place: u64) -> RowBatch {
    let mut batch = DatapointBatch {
        table: catalog::DOUBLE_DATAPOINTS,
        action: ActionKind::Create,
        series: Vec::new(),
        spans: Vec::new(),
        series_index: Vec::new(),
        timestamps_ms: Vec::new(),
        values: DatapointValues::Double(Vec::new()),
        statuses: Vec::new(),
        row_numbers: RowNumbers::From(1),
    };
    let mut values = Vec::new();
    for (place, (reference, at)) in points.iter().enumerate() {
        let known = batch
            .series
            .iter()
            .position(|series| series.reference() == reference);
        let index = known.unwrap_or_else(|| {
            batch
                .series
                .push(Arc::new(SeriesKey::new(reference.clone())));
            batch.spans.push(TimeSpan {
                first_ms: *at,
                last_ms: *at,
            });
            batch.series.len() - 1
        });
        let span = &mut batch.spans[index];
        span.first_ms = span.first_ms.min(*at);
        span.last_ms = span.last_ms.max(*at);
        batch.series_index.push(index as u32);
        batch.timestamps_ms.push(*at);
        values.push((first_place + place as u64) as f64);
    }
    batch.values = DatapointValues::Double(values);
    RowBatch::Datapoints(batch)
}

/// RAW rows of one table: keys by number, columns hold the place.
pub fn raw_rows(table: &str, keys: &[i64], first_place: u64) -> RowBatch {
    let mut batch = RawBatch {
        action: Default::default(),
        destination: Arc::new(RawDestination {
            database: "plant".into(),
            table: table.into(),
        }),
        keys: TextColumn::default(),
        key_hashes: Vec::new(),
        columns: TextColumn::default(),
        row_numbers: RowNumbers::From(1),
    };
    for (place, key) in keys.iter().enumerate() {
        let key = key.to_string();
        batch.keys.push(key.as_bytes());
        batch.key_hashes.push(hash_key(key.as_bytes()));
        let columns = format!("{{\"place\":{}}}", first_place + place as u64);
        batch.columns.push(columns.as_bytes());
    }
    RowBatch::RawRows(batch)
}

/// Time series to make, by external id; `asset_id` carries the place.
pub fn time_series(names: &[String], first_place: u64) -> RowBatch {
    let table = catalog::table(None, "time_series").expect("the table exists");
    let column = |name| table.column_index(name).expect("the column exists");
    let mut external_ids = TextColumn::default();
    for name in names {
        external_ids.push(name.as_bytes());
    }
    let places = first_place as i64..first_place as i64 + names.len() as i64;
    RowBatch::Objects(ObjectBatch {
        table,
        action: Action::Create,
        rows: names.len(),
        columns: vec![
            ObjectColumn {
                column: column("external_id"),
                values: ObjectValues::Text(external_ids),
                present: vec![true; names.len()],
            },
            ObjectColumn {
                column: column("asset_id"),
                values: ObjectValues::BigInt(places.collect()),
                present: vec![true; names.len()],
            },
        ],
        key_hashes: names.iter().map(|name| hash_key(name.as_str())).collect(),
        row_numbers: RowNumbers::From(1),
    })
}

/// Changes of time series by external id; `asset_id` carries the place.
pub fn time_series_changed(names: &[String], first_place: u64) -> RowBatch {
    let RowBatch::Objects(mut batch) = time_series(names, first_place) else {
        panic!("time series are objects");
    };
    batch.action = Action::Update;
    RowBatch::Objects(batch)
}

/// Changes of time series by id; `asset_id` carries the place.
pub fn time_series_by_id(ids: &[i64], first_place: u64) -> RowBatch {
    let names: Vec<String> = ids.iter().map(i64::to_string).collect();
    let RowBatch::Objects(mut batch) = time_series_changed(&names, first_place) else {
        panic!("time series are objects");
    };
    batch.columns[0] = ObjectColumn {
        column: batch.table.column_index("id").expect("the column exists"),
        values: ObjectValues::BigInt(ids.to_vec()),
        present: vec![true; ids.len()],
    };
    batch.key_hashes = ids.iter().map(hash_key).collect();
    RowBatch::Objects(batch)
}

/// RAW tables to make, each with its database.
pub fn raw_tables(databases: &[&str], tables: &[&str]) -> RowBatch {
    let column = |column, values: &[&str]| {
        let mut texts = TextColumn::default();
        values.iter().for_each(|value| texts.push(value.as_bytes()));
        ObjectColumn {
            column,
            values: ObjectValues::Text(texts),
            present: vec![true; values.len()],
        }
    };
    let keys = databases.iter().zip(tables);
    RowBatch::Objects(ObjectBatch {
        table: catalog::table(None, "raw_tables").expect("the table exists"),
        action: Action::Create,
        rows: tables.len(),
        columns: vec![column(0, databases), column(1, tables)],
        key_hashes: keys
            .map(|(database, table)| hash_key(&*format!("{database}/{table}")))
            .collect(),
        row_numbers: RowNumbers::From(1),
    })
}

/// The series of a node: one with an external id, or one that is known as the node only.
pub fn name_of_node(node: &InstanceName) -> String {
    match &*node.space {
        SPACE => node.external_id.to_string(),
        space => format!("node {space}/{}", node.external_id),
    }
}

/// The node that [`name_of_node`] called so.
pub fn node_of_name(name: &str) -> Option<SeriesReference> {
    let (space, external_id) = name.strip_prefix("node ")?.split_once('/')?;
    Some(SeriesReference::instance(space, external_id))
}

/// What a batch holds at `row`. `same_series` maps a series id to its external id.
pub fn read(batch: &RowBatch, row: usize, same_series: impl Fn(i64) -> Option<String>) -> Row {
    match batch {
        RowBatch::Datapoints(batch) => {
            let series = match batch.series[batch.series_index[row] as usize].reference() {
                SeriesReference::Id(id) => same_series(*id).unwrap_or_else(|| format!("id {id}")),
                SeriesReference::ExternalId(name) => name.to_string(),
                SeriesReference::InstanceId(node) => name_of_node(node),
            };
            let DatapointValues::Double(values) = &batch.values else {
                panic!("the model writes doubles");
            };
            Row {
                key: (series, batch.timestamps_ms[row]),
                place: values[row] as u64,
            }
        }
        RowBatch::RawRows(batch) => {
            let columns = batch.columns.text(row);
            let place = columns
                .trim_start_matches("{\"place\":")
                .trim_end_matches('}');
            Row {
                key: (
                    batch.destination.table.to_string(),
                    batch.keys.text(row).parse().expect("keys are numbers"),
                ),
                place: place.parse().expect("columns hold the place"),
            }
        }
        RowBatch::Objects(batch) => {
            let ObjectValues::BigInt(places) = &batch.columns[1].values else {
                panic!("the model makes time series");
            };
            let name = match &batch.columns[0].values {
                ObjectValues::Text(names) => names.text(row).to_owned(),
                ObjectValues::BigInt(ids) => {
                    same_series(ids[row]).unwrap_or_else(|| format!("id {}", ids[row]))
                }
                other => panic!("{other:?} is no name"),
            };
            Row {
                key: (name, 0),
                place: places[row] as u64,
            }
        }
    }
}
