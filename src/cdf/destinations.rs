//! Which rows can share a request: RAW names its destination in the path.
//!
//! Owns the split of ranges by destination. Promises that rows of one destination keep their
//! order. Never copies rows.

use super::encode::database_of;
use crate::catalog::Resource;
use crate::rows::{RowBatch, RowRange};
use std::collections::HashMap;

/// Splits ranges of `resource` into groups that can each be one request: RAW rows by database
/// and table, RAW tables by database, the others not at all. Groups are in the order of
/// their first rows.
pub fn split_by_destination<'a>(
    resource: Resource,
    ranges: &[RowRange<'a>],
) -> Vec<Vec<RowRange<'a>>> {
    if matches!(resource, Resource::Datapoints | Resource::TimeSeries) {
        return vec![ranges.to_vec()];
    }
    let mut groups: Vec<Vec<RowRange<'a>>> = Vec::new();
    let mut numbers: HashMap<(&'a str, &'a str), usize> = HashMap::new();
    for range in ranges {
        for piece in pieces(range) {
            let next = groups.len();
            let number = *numbers.entry(piece.destination).or_insert(next);
            if number == next {
                groups.push(Vec::new());
            }
            groups[number].push(RowRange {
                batch: range.batch,
                rows: piece.rows,
            });
        }
    }
    groups
}

/// Rows next to each other that go to one destination.
struct Piece<'a> {
    destination: (&'a str, &'a str),
    rows: std::ops::Range<usize>,
}

fn pieces<'a>(range: &RowRange<'a>) -> Vec<Piece<'a>> {
    match range.batch {
        RowBatch::RawRows(batch) => vec![Piece {
            destination: (&batch.destination.database, &batch.destination.table),
            rows: range.rows.clone(),
        }],
        RowBatch::Objects(batch) => {
            let mut pieces: Vec<Piece<'a>> = Vec::new();
            for row in range.rows.clone() {
                let destination = (database_of(batch, row).unwrap_or_default(), "");
                match pieces.last_mut() {
                    Some(piece) if piece.destination == destination => piece.rows.end = row + 1,
                    _ => pieces.push(Piece {
                        destination,
                        rows: row..row + 1,
                    }),
                }
            }
            pieces
        }
        RowBatch::Datapoints(_) => vec![Piece {
            destination: ("", ""),
            rows: range.rows.clone(),
        }],
    }
}
