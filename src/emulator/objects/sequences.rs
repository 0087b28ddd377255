//! Sequences: tables with a number for each row.
//!
//! Owns the fields of a sequence and its columns: their limits, and the update that adds,
//! removes and modifies them. The rows stand in `sequence_rows`.

use super::check::check_fields;
use super::field::{Field, Rule, Target, Updating};
use super::filter_rule::{Filter, FilterRule};
use super::found::Found;
use super::kind::ObjectKind;
use super::operation::{Operation, malformed};
use super::schema::Schema;
use super::store::Object;
use crate::emulator::answer::Refusal;
use crate::emulator::clock;
use crate::emulator::reference::refuse_doubled;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashSet;

const COLUMNS_MAX: usize = 400;
const STRING_COLUMNS_MAX: usize = 200;

/// Sequences.
pub const SCHEMA: Schema = Schema {
    fields: &[
        Field::external_id(),
        Field::text("name", 255),
        Field::text("description", 1_000),
        Field::metadata(10_000, 10_000),
        Field::new("assetId", Rule::Id(Target::Asset)),
        Field::data_set(),
        Field::new("columns", Rule::Columns).required(),
    ],
    filters: &[
        Filter::equal("name"),
        Filter::external_id_prefix(),
        Filter::metadata(),
        Filter::new("assetIds", "assetId", FilterRule::OneOf),
        Filter::new("rootAssetIds", "assetId", FilterRule::Subtree),
        Filter::new("assetSubtreeIds", "assetId", FilterRule::Subtree),
        Filter::data_sets(),
        Filter::range("createdTime"),
        Filter::range("lastUpdatedTime"),
    ],
    sorts: true,
    not_found: "Sequence ids not found",
    complete: |fields| {
        if let Some(columns) = fields.get_mut("columns").and_then(Value::as_array_mut) {
            columns.iter_mut().for_each(complete_column);
        }
    },
    ..Schema::plain(ObjectKind::Sequences, "sequences")
};

/// A column of a sequence.
const COLUMN: Schema = Schema {
    fields: &[
        Field::filled_text("externalId", super::EXTERNAL_ID_CHARS_MAX).required(),
        Field::text("name", 255),
        Field::text("description", 1_000),
        Field::new("valueType", Rule::Choice(&["STRING", "DOUBLE", "LONG"])).fixed(),
        Field::metadata(10_000, 10_000),
    ],
    ..Schema::plain(ObjectKind::Sequences, "columns")
};

fn complete_column(column: &mut Value) {
    let Some(column) = column.as_object_mut() else {
        return;
    };
    column.retain(|name, value| !value.is_null() && COLUMN.field(name).is_some());
    let value_type = column.get("valueType").and_then(Value::as_str);
    let value_type = value_type.unwrap_or("DOUBLE").to_ascii_uppercase();
    column.insert("valueType".to_owned(), value_type.into());
    let now_ms = clock::now_ms();
    column.insert("createdTime".to_owned(), now_ms.into());
    column.insert("lastUpdatedTime".to_owned(), now_ms.into());
}

/// Checks a list of columns.
pub fn check_columns(columns: &Value) -> Result<(), Refusal> {
    let columns = columns
        .as_array()
        .ok_or_else(|| Refusal::invalid("columns: has to be a list"))?;
    if !(1..=COLUMNS_MAX).contains(&columns.len()) {
        return Err(Refusal::invalid(format!(
            "columns: must be from 1 to {COLUMNS_MAX}, got {}",
            columns.len()
        )));
    }
    let mut found = Found::default();
    for column in columns {
        let column = column
            .as_object()
            .ok_or_else(|| Refusal::invalid("columns: has to be a list of objects"))?;
        check_fields(&COLUMN, column, &mut found)?;
    }
    let holds_text = |column: &&Value| {
        column["valueType"]
            .as_str()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("STRING"))
    };
    let texts = columns.iter().filter(holds_text).count();
    if texts > STRING_COLUMNS_MAX {
        return Err(Refusal::invalid(format!(
            "columns: at most {STRING_COLUMNS_MAX} may hold strings, got {texts}"
        )));
    }
    let mut seen = HashSet::new();
    let doubled = found.external_ids.iter().filter(|name| !seen.insert(*name));
    refuse_doubled(doubled.map(|name| json!({"externalId": name})).collect())
}

/// What an update does to the names under which cells are kept.
#[derive(Debug)]
pub struct ColumnMoves {
    /// The id of the sequence.
    pub sequence: i64,
    pub removed: Vec<String>,
    pub renamed: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Removed {
    external_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Modified {
    external_id: String,
    update: Map<String, Value>,
}

/// Applies `{"remove": […], "modify": […], "add": […]}` to the columns of a sequence, in
/// this order.
pub fn change_columns(sequence: &mut Object, operation: Operation) -> Result<ColumnMoves, Refusal> {
    let expected = || malformed("columns", "add, remove and modify");
    let Operation {
        set: None,
        set_null: None,
        add,
        remove,
        modify,
    } = operation
    else {
        return Err(expected());
    };
    let columns = sequence
        .fields
        .get_mut("columns")
        .and_then(Value::as_array_mut)
        .ok_or_else(expected)?;
    let mut moves = ColumnMoves {
        sequence: sequence.id,
        removed: Vec::new(),
        renamed: Vec::new(),
    };
    for column in read_list::<Removed>(remove)? {
        let place = place_of(columns, &column.external_id)?;
        columns.remove(place);
        moves.removed.push(column.external_id);
    }
    for Modified {
        external_id,
        update,
    } in read_list(modify)?
    {
        let place = place_of(columns, &external_id)?;
        let column = columns[place].as_object_mut().ok_or_else(expected)?;
        for (name, operation) in update {
            let field = COLUMN
                .field(&name)
                .map(|(_, field)| field)
                .filter(|field| field.updating != Updating::Never)
                .ok_or_else(|| {
                    Refusal::invalid(format!("update.columns.modify.{name}: cannot be updated"))
                })?;
            Operation::read(&name, operation)?.apply(field, column)?;
        }
        column.insert("lastUpdatedTime".to_owned(), clock::now_ms().into());
        let name = column.get("externalId").and_then(Value::as_str);
        if let Some(name) = name.filter(|name| *name != external_id) {
            moves.renamed.push((external_id, name.to_owned()));
        }
    }
    for mut column in read_list::<Value>(add)? {
        complete_column(&mut column);
        columns.push(column);
    }
    Ok(moves)
}

fn place_of(columns: &[Value], external_id: &str) -> Result<usize, Refusal> {
    columns
        .iter()
        .position(|column| column["externalId"] == external_id)
        .ok_or_else(|| {
            Refusal::invalid(format!("update.columns: there is no column {external_id}"))
        })
}

fn read_list<T: serde::de::DeserializeOwned>(list: Option<Value>) -> Result<Vec<T>, Refusal> {
    let list = list.unwrap_or_else(|| Vec::<Value>::new().into());
    serde_json::from_value(list)
        .map_err(|error| Refusal::invalid(format!("update.columns: {error}")))
}
