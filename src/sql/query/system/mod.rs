//! The system catalog that queries of drivers read: `pg_type`, `pg_class` and a few more.
//!
//! Owns which system relations and columns exist here and what is in them. Promises rows that
//! agree with the RowDescriptions of the gateway's tables. Never lists a relation of which only
//! a part would be told: such queries go the cold road.

mod base_types;
mod relations;
mod types;

pub(super) use relations::{SystemRelation, find};
pub(super) use types::type_by_oid;

use super::value::{Row, Value};
use crate::catalog::{self, Namespace};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::cursor::Cursor;
use crate::sql::type_name::{self, CastType};
use crate::sql::{Cell, SettingRow};
use types::{TYPES, type_by_name};

/// `pg_namespace.oid` of pg_catalog and information_schema.
const PG_CATALOG_OID: u32 = 11;
const INFORMATION_SCHEMA_OID: u32 = 13_000;

/// Whether a table has that OID which statements name without its schema.
pub(super) fn is_visible(oid: i64, namespace: &Namespace) -> bool {
    u32::try_from(oid)
        .ok()
        .and_then(|oid| namespace.table_of_oid(oid))
        .is_some_and(|table| table.schema == catalog::PUBLIC)
}

/// A value of a type that shows a name for an OID. An OID without an entry is shown as a
/// number, as PostgreSQL does.
pub(super) fn named_by_oid(type_name: &str, oid: u32, namespace: &Namespace) -> Cell {
    let name = match type_name {
        "regclass" => namespace.table_of_oid(oid).map(|table| match table.schema {
            catalog::PUBLIC => quoted(table.name),
            schema => format!("{schema}.{}", quoted(table.name)),
        }),
        "regtype" => type_by_oid(oid).map(|_| format_type(oid, None)),
        "regproc" => TYPES
            .iter()
            .flat_map(|row| [&row.receive, &row.send])
            .find(|function| function.oid == oid)
            .map(|function| function.name.clone()),
        _ => match oid {
            catalog::PUBLIC_OID => Some(catalog::PUBLIC.to_owned()),
            catalog::CDF_OID => Some(catalog::CDF.to_owned()),
            catalog::PENSTOCK_OID => Some(catalog::PENSTOCK.to_owned()),
            PG_CATALOG_OID => Some("pg_catalog".to_owned()),
            INFORMATION_SCHEMA_OID => Some("information_schema".to_owned()),
            _ => None,
        },
    };
    let text = name.unwrap_or_else(|| {
        if oid == 0 {
            "-".to_owned()
        } else {
            oid.to_string()
        }
    });
    Cell::Named { oid, text }
}

/// The same by name, as `'double_datapoints'::regclass` reads it.
///
/// # Errors
/// 42P01, 42704, 42883, 3F000 for names that do not exist, 42602 for what is no name.
pub(super) fn named_by_text(
    type_name: &str,
    text: &str,
    namespace: &Namespace,
) -> Result<Cell, Box<Diagnostic>> {
    if let Ok(oid) = text.parse::<u32>() {
        return Ok(named_by_oid(type_name, oid, namespace));
    }
    if text == "-" {
        return Ok(named_by_oid(type_name, 0, namespace));
    }
    let missing = |sqlstate, what: &str| {
        Box::new(Diagnostic::error(
            sqlstate,
            format!("{what} \"{text}\" does not exist"),
        ))
    };
    if type_name == "regtype" {
        let mut cursor = Cursor::new(text)?;
        let oid = match type_name::parse(&mut cursor) {
            Ok(cast) if cursor.at_end() => cast.oid(),
            _ => type_by_name(text)
                .map(|row| row.oid)
                .ok_or_else(|| missing(SqlState::UNDEFINED_OBJECT, "type"))?,
        };
        return Ok(named_by_oid(type_name, oid, namespace));
    }
    let parts = name_parts(text)?;
    let (schema, name) = match parts.as_slice() {
        [name] => (None, name.as_str()),
        [schema, name] => (Some(schema.as_str()), name.as_str()),
        _ => return Err(missing(SqlState::UNDEFINED_TABLE, "relation")),
    };
    let oid = match type_name {
        "regclass" => namespace.table(schema, name)?.oid,
        "regproc" => TYPES
            .iter()
            .flat_map(|row| [&row.receive, &row.send])
            .find(|function| function.name == name)
            .map(|function| function.oid)
            .ok_or_else(|| missing(SqlState::UNDEFINED_FUNCTION, "function"))?,
        _ => match name {
            catalog::PUBLIC => catalog::PUBLIC_OID,
            catalog::CDF => catalog::CDF_OID,
            catalog::PENSTOCK => catalog::PENSTOCK_OID,
            "pg_catalog" => PG_CATALOG_OID,
            "information_schema" => INFORMATION_SCHEMA_OID,
            _ => return Err(missing(SqlState::INVALID_SCHEMA_NAME, "schema")),
        },
    };
    Ok(named_by_oid(type_name, oid, namespace))
}

/// A name as PostgreSQL shows it where it could be read again: with quotes if it needs them.
fn quoted(name: &str) -> String {
    let mut letters = name.bytes();
    let is_plain = letters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && letters
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_');
    if is_plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// The parts of a dotted name, folded and unquoted; blanks around the dots are allowed.
fn name_parts(text: &str) -> Result<Vec<String>, Box<Diagnostic>> {
    let invalid = |_| {
        Box::new(Diagnostic::error(
            SqlState::INVALID_NAME,
            "invalid name syntax",
        ))
    };
    let mut cursor = Cursor::new(text).map_err(invalid)?;
    let mut parts = Vec::new();
    loop {
        parts.push(cursor.name().map_err(invalid)?.into_owned());
        if !cursor.accept_symbol(".").map_err(invalid)? {
            break;
        }
    }
    cursor.expect_end().map_err(invalid)?;
    Ok(parts)
}

/// The name of a type as format_type gives it: `character varying(255)`.
pub(super) fn format_type(oid: u32, modifier: Option<i32>) -> String {
    if oid == 0 {
        return "-".to_owned();
    }
    if let Some(cast) = CastType::of_oid(oid) {
        let name = cast.entry.sql_name;
        let length = modifier.filter(|modifier| {
            *modifier >= 4 && matches!(cast.entry.internal_name, "varchar" | "bpchar")
        });
        let brackets = if cast.array { "[]" } else { "" };
        return match length {
            Some(modifier) => format!("{name}({}){brackets}", modifier - 4),
            None => format!("{name}{brackets}"),
        };
    }
    match type_by_oid(oid) {
        Some(row) if row.category == b'A' && row.element != 0 => {
            format!("{}[]", format_type(row.element, None))
        }
        Some(row) => row.name.clone(),
        None => "???".to_owned(),
    }
}

/// What `pg_show_all_settings` tells of settings, as far as it is known here: all of it text.
pub(super) const SETTING_COLUMNS: [&str; 3] = ["name", "setting", "short_desc"];

/// A row for each setting.
pub(super) fn setting_rows(settings: &[SettingRow]) -> Vec<Row> {
    rows(settings, |setting| {
        vec![
            text(setting.name),
            text(setting.value.as_str()),
            text(setting.description),
        ]
    })
}

/// A value of type name or text.
fn text(value: impl Into<String>) -> Value {
    Some(Cell::Text(value.into()))
}

fn oid(value: u32) -> Value {
    Some(Cell::Oid(value))
}

fn letter(value: u8) -> Value {
    Some(Cell::Char(value))
}

fn truth(value: bool) -> Value {
    Some(Cell::Bool(value))
}

/// Every row's values, in the order of the relation's columns.
fn rows<T>(items: impl IntoIterator<Item = T>, row: impl Fn(T) -> Row) -> Vec<Row> {
    items.into_iter().map(row).collect()
}
