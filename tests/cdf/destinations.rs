//! Which rows go into one request, and which rows an error means.
//!
//! Owns the tests of `split_by_destination` and `named_rows`.

use super::batches::{
    doubles, external_id, named_time_series, objects, range, raw_rows, raw_tables,
};
use penstock::catalog::Resource;
use penstock::cdf::{Reference, named_rows, split_by_destination};
use penstock::rows::{ObjectValues, RowRange, SeriesReference};

#[test]
fn raw_tables_are_split_by_database_and_keep_their_order() {
    let batch = raw_tables(&[("x", "1"), ("x", "2"), ("y", "3"), ("x", "4")]);
    let groups = split_by_destination(Resource::RawTables, &[range(&batch)]);
    let rows: Vec<Vec<usize>> = groups
        .iter()
        .map(|group| group.iter().flat_map(|range| range.rows.clone()).collect())
        .collect();
    assert_eq!(rows, [vec![0, 1, 3], vec![2]]);
    assert_eq!(groups[0].len(), 2, "neighbours share a range");
}

#[test]
fn raw_rows_are_split_by_database_and_table() {
    let row = || [("k".to_owned(), "{}".to_owned())];
    let first = raw_rows("db", "t", &row());
    let second = raw_rows("db", "u", &row());
    let third = raw_rows("db", "t", &row());
    let groups = split_by_destination(
        Resource::RawRows,
        &[range(&first), range(&second), range(&third)],
    );
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 1]);
}

#[test]
fn datapoints_of_any_series_share_a_request() {
    let first = doubles(&[(external_id("a"), 1, 1.0)]);
    let second = doubles(&[(external_id("b"), 1, 1.0)]);
    let groups = split_by_destination(Resource::Datapoints, &[range(&first), range(&second)]);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].len(), 2);
}

#[test]
fn every_point_of_a_missing_series_is_found_and_no_other() {
    let batch = doubles(&[
        (external_id("gone"), 1, 1.0),
        (external_id("here"), 1, 1.0),
        (SeriesReference::Id(7), 1, 1.0),
        (external_id("gone"), 2, 1.0),
        (external_id("7"), 2, 1.0),
    ]);
    let missing = [Reference::ExternalId("gone".into()), Reference::Id(7)];
    assert_eq!(named_rows(&range(&batch), &missing), [0, 2, 3]);
    let later = RowRange {
        batch: &batch,
        rows: 1..5,
    };
    assert_eq!(named_rows(&later, &missing), [2, 3]);
    assert!(named_rows(&range(&batch), &[]).is_empty());
}

#[test]
fn a_duplicated_time_series_is_found_by_its_external_id() {
    let batch = named_time_series(&[Some("a"), None, Some("b")]);
    let duplicated = [Reference::ExternalId("b".into())];
    assert_eq!(named_rows(&range(&batch), &duplicated), [2]);
}

#[test]
fn a_duplicated_raw_table_is_found_by_its_name() {
    let batch = raw_tables(&[("db", "a"), ("db", "b")]);
    assert_eq!(
        named_rows(&range(&batch), &[Reference::Name("b".into())]),
        [1]
    );
}

#[test]
fn rows_that_point_at_a_missing_data_set_are_found_by_that_column_only() {
    let batch = objects(
        "time_series",
        3,
        vec![
            (
                "data_set_id",
                ObjectValues::BigInt(vec![5, 6, 5]),
                vec![true, true, false],
            ),
            (
                "asset_id",
                ObjectValues::BigInt(vec![6, 5, 5]),
                vec![true; 3],
            ),
        ],
    );
    let missing = [Reference::InColumn {
        column: "data_set_id",
        id: 5,
    }];
    assert_eq!(named_rows(&range(&batch), &missing), [0]);
}
