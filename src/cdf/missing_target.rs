//! What a row points at and CDF does not have, read from the message.
//!
//! Owns the openings of CDF's messages about references, as Cognite's own clients know them.
//! Promises the column that points, and what it points at where the answer or the message says
//! so. Never judges an answer.

use super::answer::{ErrorBody, Named};
use super::{Operation, Reference};
use crate::catalog::{Resource, TABLES};

/// A column whose values point at nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTarget {
    pub column: &'static str,
    /// Empty where nobody says which values.
    pub references: Vec<Reference>,
}

/// Openings of messages, with the column that points.
const OPENINGS: [(&str, &str); 9] = [
    ("Data set ids not found", "data_set_id"),
    ("Datasets ids not found", "data_set_id"),
    ("Invalid dataSetIds", "data_set_id"),
    ("Asset ids not found", "asset_ids"),
    ("Label ids not found", "labels"),
    ("The given parent ids do not exist", "parent_id"),
    (
        "Reference to unknown parent with externalId",
        "parent_external_id",
    ),
    (
        "Reference to unknown parent with parentExternalId",
        "parent_external_id",
    ),
    ("Reference to unknown parent", "parent_id"),
];

impl MissingTarget {
    /// What the error of `operation` says, if it is about references.
    pub fn of(operation: Operation, error: &ErrorBody) -> Option<Self> {
        let (opening, column) = OPENINGS
            .iter()
            .find(|(opening, _)| error.opens_with(opening))?;
        let column = match (*column, operation.resource()) {
            // Series and sequences belong to one asset.
            ("asset_ids", Resource::TimeSeries | Resource::Sequences) => "asset_id",
            (column, _) => column,
        };
        // Where no column points so, the objects themselves are meant: assets to be changed.
        if !points(operation.resource(), column) {
            return None;
        }
        let mut references: Vec<Reference> = error
            .missing
            .iter()
            .map(|named| match named {
                Named::Id(id) => Reference::InColumn { column, id: *id },
                Named::InstanceId(instance) => Reference::InstanceId(instance.clone()),
                Named::ExternalId(name) | Named::Name(name) => Reference::NameInColumn {
                    column,
                    name: name.clone(),
                },
            })
            .collect();
        if references.is_empty() {
            references = in_text(column, &error.message[opening.len()..]);
        }
        Some(MissingTarget { column, references })
    }
}

/// Whether a table of the resource has the column.
fn points(resource: Resource, column: &str) -> bool {
    TABLES
        .iter()
        .filter(|table| table.resource == resource)
        .any(|table| table.columns.iter().any(|known| known.name == column))
}

/// What stands behind the opening: `: 1, 2` or ` pump-7`.
fn in_text(column: &'static str, text: &str) -> Vec<Reference> {
    let text = text.trim_start_matches([':', ' ']).trim_end_matches('.');
    if column == "parent_external_id" {
        let name = text.trim_matches(['"', '\'']);
        return match name.is_empty() {
            true => Vec::new(),
            false => vec![Reference::NameInColumn {
                column,
                name: name.into(),
            }],
        };
    }
    let ids: Result<Vec<i64>, _> = text
        .trim_matches(['[', ']'])
        .split(',')
        .map(|part| part.trim().parse())
        .collect();
    ids.unwrap_or_default()
        .into_iter()
        .map(|id| Reference::InColumn { column, id })
        .collect()
}
