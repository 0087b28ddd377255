//! What a user says of a custom table.
//!
//! Owns the definition and its JSON, which is that of the gateway's tables API. Promises that a
//! definition that was read can be made a table: names, lengths and types are checked, with the
//! place of what is wrong. Never asks CDF: a view's properties are in the definition.

use super::type_names::{CUSTOM_TYPES, custom_type, custom_type_name};
use super::{ColumnType, STATE_TABLES, TABLES};
use serde_json::{Map, Value, json};

/// Characters of a table's name, by the tables API.
const NAME_CHARACTERS_MAX: usize = 60;

/// Bytes of a column's name: clients and PostgreSQL cut longer ones.
const COLUMN_NAME_BYTES_MAX: usize = 63;

/// Columns of a PostgreSQL table, at most.
const COLUMNS_MAX: usize = 1600;

/// Characters of the names of RAW databases and RAW tables, by CDF's API reference.
const RAW_DATABASE_CHARACTERS_MAX: usize = 32;
const RAW_TABLE_CHARACTERS_MAX: usize = 64;

/// Names that the gateway had in its first version.
const OLD_NAMES: [&str; 3] = ["timeseries", "datapoints", "raw"];

/// Columns that every table of a view has.
pub(super) const INSTANCE_COLUMNS: [&str; 5] =
    ["space", "external_id", "type", "start_node", "end_node"];

/// Nodes or edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceType {
    Node,
    Edge,
}

impl InstanceType {
    /// The word in CDF's data modeling API.
    pub fn name(self) -> &'static str {
        match self {
            InstanceType::Node => "node",
            InstanceType::Edge => "edge",
        }
    }
}

/// What is behind a custom table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One table of CDF RAW. Without a primary key, the table has a column `_raw_key`.
    Raw {
        database: String,
        table: String,
        primary_key: Option<String>,
    },
    /// Instances, through one version of a view of data modeling.
    View {
        space: String,
        external_id: String,
        version: String,
        instance_type: InstanceType,
    },
}

/// A custom table as its user defined it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub name: String,
    pub source: Source,
    /// RAW: the declared columns. Views: the properties.
    pub columns: Vec<(String, ColumnType)>,
}

/// Why a definition cannot be a table; one sentence, for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DefinitionFault(pub String);

fn fault<T>(text: impl Into<String>) -> Result<T, DefinitionFault> {
    Err(DefinitionFault(text.into()))
}

impl Definition {
    /// Reads `{"type", "tablename", "options", "columns"}`; columns are a map, or a list of
    /// `{"propertyName", "type"}`.
    ///
    /// # Errors
    /// What is missing or wrong, and where.
    pub fn from_json(value: &Value) -> Result<Self, DefinitionFault> {
        let item = object(value, "a table")?;
        known_fields(
            item,
            &["type", "tablename", "options", "columns", "createdTime"],
            "a table",
        )?;
        let name = table_name(item)?;
        let options = match item.get("options") {
            Some(options) => object(options, "options")?,
            None => return fault("options is missing"),
        };
        let source = match text(item, "type", "type")? {
            "raw_rows" => {
                known_fields(options, &["database", "table", "primaryKey"], "options")?;
                Source::Raw {
                    database: sized(options, "database", RAW_DATABASE_CHARACTERS_MAX)?,
                    table: sized(options, "table", RAW_TABLE_CHARACTERS_MAX)?,
                    primary_key: match options.get("primaryKey") {
                        None | Some(Value::Null) => None,
                        Some(_) => Some(text(options, "primaryKey", "options.primaryKey")?.into()),
                    },
                }
            }
            kind @ ("nodes" | "edges") => {
                known_fields(options, &["space", "externalId", "version"], "options")?;
                Source::View {
                    space: text(options, "space", "options.space")?.into(),
                    external_id: text(options, "externalId", "options.externalId")?.into(),
                    version: text(options, "version", "options.version")?.into(),
                    instance_type: match kind {
                        "nodes" => InstanceType::Node,
                        _ => InstanceType::Edge,
                    },
                }
            }
            other => {
                return fault(format!(
                    "type is \"{other}\": it must be \"raw_rows\" or \"view\""
                ));
            }
        };
        let columns = match item.get("columns") {
            Some(columns) => read_columns(columns)?,
            None => return fault("columns is missing"),
        };
        let definition = Definition {
            name,
            source,
            columns,
        };
        definition.check()?;
        Ok(definition)
    }

    /// Checks what the form alone does not say.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn check(&self) -> Result<(), DefinitionFault> {
        if self.columns.len() > COLUMNS_MAX {
            return fault(format!(
                "there are {} columns; a table has up to {COLUMNS_MAX}",
                self.columns.len()
            ));
        }
        for (index, (name, _)) in self.columns.iter().enumerate() {
            if name.is_empty() || name.len() > COLUMN_NAME_BYTES_MAX || name.contains('\0') {
                return fault(format!(
                    "column \"{name}\": a name has 1 to {COLUMN_NAME_BYTES_MAX} bytes and no zero byte"
                ));
            }
            if self.columns[..index]
                .iter()
                .any(|(earlier, _)| earlier == name)
            {
                return fault(format!("column \"{name}\" is there twice"));
            }
            let is_taken = match self.source {
                Source::Raw { .. } => name.starts_with("_raw_"),
                Source::View { .. } => INSTANCE_COLUMNS.contains(&name.as_str()),
            };
            if is_taken {
                return fault(format!("column \"{name}\": the name is the gateway's own"));
            }
        }
        let Source::Raw { primary_key, .. } = &self.source else {
            return Ok(());
        };
        if self.columns.is_empty() {
            return fault("columns is empty: a table of RAW rows has at least one");
        }
        let Some(key) = primary_key else {
            return Ok(());
        };
        match self.columns.iter().find(|(name, _)| name == key) {
            None => fault(format!(
                "options.primaryKey is \"{key}\", which is not one of the columns"
            )),
            Some((_, column_type)) if !is_key_type(*column_type) => fault(format!(
                "options.primaryKey is \"{key}\" of type {}: a key is text, a number, a boolean or a time",
                custom_type_name(*column_type)
            )),
            Some(_) => Ok(()),
        }
    }

    /// The definition as the tables API shows it; [`Self::from_json`] reads it back.
    pub fn to_json(&self) -> Value {
        let columns: Map<String, Value> = self
            .columns
            .iter()
            .map(|(name, column_type)| {
                let described = json!({"type": custom_type_name(*column_type)});
                (name.clone(), described)
            })
            .collect();
        let (kind, options) = match &self.source {
            Source::Raw {
                database,
                table,
                primary_key,
            } => {
                let mut options = json!({"database": database, "table": table});
                if let Some(key) = primary_key {
                    options["primaryKey"] = json!(key);
                }
                ("raw_rows", options)
            }
            Source::View {
                space,
                external_id,
                version,
                instance_type,
            } => {
                let kind = match instance_type {
                    InstanceType::Node => "nodes",
                    InstanceType::Edge => "edges",
                };
                let options =
                    json!({"space": space, "externalId": external_id, "version": version});
                (kind, options)
            }
        };
        json!({"type": kind, "tablename": self.name, "columns": columns, "options": options})
    }
}

/// Whether values of the type have one text that can be a RAW key.
fn is_key_type(column_type: ColumnType) -> bool {
    matches!(
        column_type,
        ColumnType::Text
            | ColumnType::Varchar(_)
            | ColumnType::Bool
            | ColumnType::BigInt
            | ColumnType::DoublePrecision
            | ColumnType::Real
            | ColumnType::TimestampTz
    )
}

/// The table's name: 1 to 60 characters, and none of the gateway's own.
///
/// # Errors
/// It is missing, too long, or taken.
pub fn table_name(item: &Map<String, Value>) -> Result<String, DefinitionFault> {
    let name = text(item, "tablename", "tablename")?;
    let characters = name.chars().count();
    if characters == 0 || characters > NAME_CHARACTERS_MAX || name.contains('\0') {
        return fault(format!(
            "tablename \"{name}\" has {characters} characters: it must have 1 to {NAME_CHARACTERS_MAX}, none of them zero"
        ));
    }
    let is_built_in = TABLES
        .iter()
        .any(|table| table.name == name || table.full_name() == name)
        || STATE_TABLES.iter().any(|table| table.full_name() == name)
        || OLD_NAMES.contains(&name);
    if is_built_in || name.starts_with("pg_") {
        return fault(format!(
            "tablename \"{name}\" is a name of the gateway's own"
        ));
    }
    Ok(name.to_owned())
}

fn read_columns(columns: &Value) -> Result<Vec<(String, ColumnType)>, DefinitionFault> {
    let read = |name: &str, described: &Value| {
        let described = object(described, &format!("columns.{name}"))?;
        let type_name = text(described, "type", &format!("columns.{name}.type"))?;
        match custom_type(type_name) {
            Some(column_type) => Ok((name.to_owned(), column_type)),
            None => {
                let names: Vec<&str> = CUSTOM_TYPES.iter().map(|(name, _)| *name).collect();
                fault(format!(
                    "columns.{name}.type is \"{type_name}\": it must be one of {}",
                    names.join(", ")
                ))
            }
        }
    };
    match columns {
        Value::Object(columns) => columns
            .iter()
            .map(|(name, described)| read(name, described))
            .collect(),
        Value::Array(columns) => columns
            .iter()
            .map(|described| {
                let fields = object(described, "a column")?;
                read(
                    text(fields, "propertyName", "columns[].propertyName")?,
                    described,
                )
            })
            .collect(),
        _ => fault("columns is neither an object nor a list"),
    }
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, DefinitionFault> {
    match value {
        Value::Object(object) => Ok(object),
        _ => fault(format!("{place} must be a JSON object")),
    }
}

pub(super) fn text<'a>(
    fields: &'a Map<String, Value>,
    field: &str,
    place: &str,
) -> Result<&'a str, DefinitionFault> {
    match fields.get(field) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(Value::String(_)) => fault(format!("{place} is empty")),
        Some(_) => fault(format!("{place} must be a string")),
        None => fault(format!("{place} is missing")),
    }
}

fn sized(
    options: &Map<String, Value>,
    field: &str,
    characters_max: usize,
) -> Result<String, DefinitionFault> {
    let name = text(options, field, &format!("options.{field}"))?;
    let characters = name.chars().count();
    if characters > characters_max || name.contains('\0') {
        return fault(format!(
            "options.{field} has {characters} characters: CDF takes up to {characters_max}, none of them zero"
        ));
    }
    Ok(name.to_owned())
}

fn known_fields(
    fields: &Map<String, Value>,
    known: &[&str],
    place: &str,
) -> Result<(), DefinitionFault> {
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        None => Ok(()),
        Some(unknown) => fault(format!(
            "{place} has a field \"{unknown}\", which is not known; there are {}",
            known.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> Value {
        json!({
            "type": "raw_rows", "tablename": "Pump-1",
            "options": {"database": "d", "table": "t", "primaryKey": "k"},
            "columns": {"k": {"type": "text"}, "v": {"type": "DOUBLE PRECISION[]"}}
        })
    }

    #[test]
    fn a_definition_reads_back_from_its_own_json() {
        let view = json!({
            "type": "edges", "tablename": "flows",
            "options": {"space": "s", "externalId": "Flow", "version": "v1"},
            "columns": [{"propertyName": "rate", "type": "REAL"}]
        });
        for value in [raw(), view] {
            let definition = Definition::from_json(&value).expect("sound");
            let again = Definition::from_json(&definition.to_json());
            assert_eq!(again.as_ref(), Ok(&definition));
        }
    }

    #[test]
    fn all_sixteen_types_have_names_that_lead_back() {
        for (name, column_type) in CUSTOM_TYPES {
            assert_eq!(custom_type(name), Some(column_type));
            assert_eq!(custom_type_name(column_type), name);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |pointer: &str, value: Value| {
            let mut definition = raw();
            *definition.pointer_mut(pointer).expect("it is there") = value;
            definition
        };
        for (definition, said) in [
            (json!([]), "a table must be a JSON object"),
            (with("/type", json!("files")), "type is \"files\""),
            (with("/tablename", json!("assets")), "of the gateway's own"),
            (
                with("/tablename", json!("timeseries")),
                "of the gateway's own",
            ),
            (
                with("/tablename", json!("pg_class")),
                "of the gateway's own",
            ),
            (with("/tablename", json!("x".repeat(61))), "61 characters"),
            (
                with("/options/database", json!("d".repeat(33))),
                "33 characters",
            ),
            (with("/options/table", json!("")), "options.table is empty"),
            (
                with("/options/primaryKey", json!("z")),
                "not one of the columns",
            ),
            (
                with("/options/primaryKey", json!("v")),
                "of type DOUBLE PRECISION[]",
            ),
            (with("/columns", json!({})), "columns is empty"),
            (
                with("/columns/v/type", json!("INTEGER")),
                "columns.v.type is \"INTEGER\"",
            ),
            (
                with("/columns", json!({"_raw_x": {"type": "TEXT"}})),
                "gateway's own",
            ),
            (
                with(
                    "/options",
                    json!({"database": "d", "table": "t", "key": "k"}),
                ),
                "\"key\"",
            ),
        ] {
            let fault = Definition::from_json(&definition).expect_err(said);
            assert!(fault.0.contains(said), "{fault} does not say: {said}");
        }
    }
}
