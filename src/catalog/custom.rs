//! Custom tables: definitions made tables, and which user has which.
//!
//! Owns the making of a table from its definition, and the tables of every user. Promises that
//! one definition is one table for as long as the process lives, so that rows on their way never
//! lose theirs, and that the definitions held are bounded. Never reads a store: its owner
//! publishes what it holds.

use super::definition::{Definition, InstanceType, Source};
use super::endpoints::{CreateBody, Deletion, Endpoints};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};
use super::{Column, ColumnType, DefinitionFault, PUBLIC, ValueRule};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};

/// Definitions that one process ever makes tables of. A table stays in memory until the process
/// ends, some kilobytes each: changing definitions without end must not fill it.
const TABLES_MAX: usize = 20_000;

/// OIDs of custom tables have this bit: those of the built-in ones are far below it.
const OID_BIT: u32 = 1 << 30;

/// The column of a RAW table without a primary key that holds the key.
const RAW_KEY: &str = "_raw_key";

/// Where the rows of a custom RAW table go, and how.
#[derive(Debug, PartialEq, Eq)]
pub struct RawColumns {
    pub database: String,
    pub table: String,
    /// The column whose text is the row's key, by index.
    pub key: usize,
    /// Whether the key is one of the declared columns, and so one of the RAW row's, too.
    pub key_is_declared: bool,
}

/// The view that instances are written through.
#[derive(Debug, PartialEq, Eq)]
pub struct View {
    pub space: String,
    pub external_id: String,
    pub version: String,
    pub instance_type: InstanceType,
    /// The definition as JSON: what a journal keeps of the table.
    pub definition: String,
}

/// Tables by the JSON of their definitions.
static MADE: LazyLock<Mutex<HashMap<String, &'static Table>>> = LazyLock::new(Mutex::default);

/// Tables by their users.
static OF_USERS: LazyLock<RwLock<HashMap<String, CustomTables>>> = LazyLock::new(RwLock::default);

/// The custom tables of one user, as they were at one moment. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CustomTables {
    by_name: Arc<HashMap<&'static str, &'static Table>>,
}

impl CustomTables {
    pub fn new(tables: impl IntoIterator<Item = &'static Table>) -> Self {
        CustomTables {
            by_name: Arc::new(
                tables
                    .into_iter()
                    .map(|table| (table.name, table))
                    .collect(),
            ),
        }
    }

    /// Every table, by name.
    pub fn sorted(&self) -> Vec<&'static Table> {
        let mut tables: Vec<&'static Table> = self.by_name.values().copied().collect();
        tables.sort_by_key(|table| table.name);
        tables
    }

    /// The table of that name.
    pub fn find(&self, name: &str) -> Option<&'static Table> {
        self.by_name.get(name).copied()
    }
}

/// Whether an OID is one that a custom table has, of this user or another.
pub fn is_custom_oid(oid: i64) -> bool {
    u32::try_from(oid).is_ok_and(|oid| oid & !(OID_BIT - 1) == OID_BIT)
}

/// The tables of the user as they are now.
pub fn custom_tables_of(user: &str) -> CustomTables {
    let users = OF_USERS.read().unwrap_or_else(PoisonError::into_inner);
    users.get(user).cloned().unwrap_or_default()
}

/// From now on users have these tables, and users who are not among them have none. Sessions
/// that have begun keep theirs.
pub fn publish_custom_tables(tables: HashMap<String, CustomTables>) {
    *OF_USERS.write().unwrap_or_else(PoisonError::into_inner) = tables;
}

/// From now on one user has these tables and no others; likewise.
pub fn publish_custom_tables_of(user: &str, tables: CustomTables) {
    let mut of_users = OF_USERS.write().unwrap_or_else(PoisonError::into_inner);
    if tables.by_name.is_empty() {
        of_users.remove(user);
    } else {
        of_users.insert(user.to_owned(), tables);
    }
}

/// The table of a definition.
///
/// # Errors
/// The definition is not sound, or the process has made too many.
pub fn custom_table(definition: &Definition) -> Result<&'static Table, DefinitionFault> {
    definition.check()?;
    let json = definition.to_json().to_string();
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(table) = made.get(&json) {
        return Ok(table);
    }
    if made.len() >= TABLES_MAX {
        return Err(DefinitionFault(format!(
            "this process has made {TABLES_MAX} custom tables since it started: restart it to forget those that are gone"
        )));
    }
    let table: &'static Table = Box::leak(Box::new(make(definition, &json)));
    made.insert(json, table);
    Ok(table)
}

fn kept(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn make(definition: &Definition, json: &str) -> Table {
    let declared = definition.columns.iter().map(|(name, column_type)| {
        let name = kept(name);
        Column::optional(name, *column_type, name)
    });
    let name = kept(&definition.name);
    let oid = OID_BIT | (crc32fast::hash(json.as_bytes()) & (OID_BIT - 1));
    match &definition.source {
        Source::Raw {
            database,
            table,
            primary_key,
        } => {
            let mut columns: Vec<Column> = declared.collect();
            let key = match primary_key {
                Some(key) => columns.iter().position(|column| column.name == key),
                None => None,
            };
            let key_is_declared = key.is_some();
            let key = key.unwrap_or_else(|| {
                columns.insert(0, Column::optional(RAW_KEY, ColumnType::Text, RAW_KEY));
                0
            });
            columns[key].required = true;
            columns[key].clearable = false;
            Table {
                schema: PUBLIC,
                name,
                oid,
                resource: Resource::RawRows,
                shape: RowShape::RawColumns(Box::leak(Box::new(RawColumns {
                    database: database.clone(),
                    table: table.clone(),
                    key,
                    key_is_declared,
                }))),
                on_existing: OnExisting::Overwrite,
                columns: columns.leak(),
                key: vec![key].leak(),
                id: None,
                endpoints: None,
                row_rule: RowRule::None,
                is_writable: true,
                comment: "Rows of one RAW table; a row with an existing key is replaced",
            }
        }
        Source::View {
            space,
            external_id,
            version,
            instance_type,
        } => {
            let view = Box::leak(Box::new(View {
                space: space.clone(),
                external_id: external_id.clone(),
                version: version.clone(),
                instance_type: *instance_type,
                definition: json.to_owned(),
            }));
            let mut columns = identity_columns(*instance_type);
            columns.extend(declared);
            Table {
                schema: PUBLIC,
                name,
                oid,
                resource: Resource::Instances,
                shape: RowShape::Objects,
                on_existing: OnExisting::Overwrite,
                columns: columns.leak(),
                key: &[0, 1],
                id: None,
                endpoints: Some(Box::leak(Box::new(Endpoints {
                    create: "/models/instances",
                    update: None,
                    delete: Some(Deletion {
                        path: "/models/instances/delete",
                        ignores_unknown: false,
                    }),
                    by_ids: None,
                    creates_max: 1000,
                    body: CreateBody::Instances(view),
                }))),
                row_rule: RowRule::None,
                is_writable: true,
                comment: "Instances through a view; an INSERT of an existing one changes what it names",
            }
        }
    }
}

/// What names an instance, and what an edge connects. Lengths of CDF's data modeling API; of
/// external ids, 255 characters are what references to instances take.
fn identity_columns(instance_type: InstanceType) -> Vec<Column> {
    let mut columns = vec![
        Column::required("space", ColumnType::Varchar(43), "space").with_rule(ValueRule::NotEmpty),
        Column::required("external_id", ColumnType::Varchar(255), "externalId")
            .with_rule(ValueRule::NotEmpty),
    ];
    if instance_type == InstanceType::Edge {
        for (name, field) in [
            ("type", "type"),
            ("start_node", "startNode"),
            ("end_node", "endNode"),
        ] {
            // An edge stays between its nodes.
            columns.push(
                Column::required(name, ColumnType::Json, field)
                    .with_rule(ValueRule::JsonObject)
                    .create_only(),
            );
        }
    }
    columns
}

/// Stands in the place of a schema where a definition stands in the place of a table's name.
const DEFINITION: &str = "\u{1}definition";

/// Schema and name under which rows of the table are kept on the disk. Rows of RAW tables carry
/// their place themselves; a view's table is kept as its definition, which may be gone from the
/// store when the rows are read back.
pub fn durable_name(table: &Table) -> (&'static str, &'static str) {
    match (table.shape, table.endpoints.map(|endpoints| endpoints.body)) {
        (RowShape::RawColumns(_), _) => (PUBLIC, super::RAW_ROWS.name),
        (_, Some(CreateBody::Instances(view))) => (DEFINITION, &view.definition),
        _ => (table.schema, table.name),
    }
}

/// The table that is kept on the disk under that schema and name. Gateways of before kept some
/// under the names of version 1.0.
pub fn by_durable_name(schema: &str, name: &str) -> Option<&'static Table> {
    if schema != DEFINITION {
        let table = super::table(Some(schema), name).ok();
        let first = || super::first_version::table(Some(schema), name).ok();
        return table.or_else(|| first().map(super::today));
    }
    let json = serde_json::from_str(name).ok()?;
    custom_table(&Definition::from_json(&json).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition(value: serde_json::Value) -> Definition {
        Definition::from_json(&value).expect("sound")
    }

    #[test]
    fn one_definition_is_one_table() {
        let value = json!({
            "type": "raw_rows", "tablename": "one_definition",
            "options": {"database": "d", "table": "t"},
            "columns": {"v": {"type": "TEXT"}}
        });
        let first = custom_table(&definition(value.clone())).expect("made");
        let second = custom_table(&definition(value.clone())).expect("made");
        assert!(std::ptr::eq(first, second));
        let mut other = value;
        other["options"]["table"] = json!("u");
        let other = custom_table(&definition(other)).expect("made");
        assert!(!std::ptr::eq(first, other));
        assert_ne!(first.oid, other.oid);
        let names: Vec<&str> = first.columns.iter().map(|column| column.name).collect();
        assert_eq!(names, ["_raw_key", "v"]);
        assert!(first.columns[0].required);
    }

    #[test]
    fn the_table_of_a_view_is_found_again_by_what_a_journal_keeps() {
        let table = custom_table(&definition(json!({
            "type": "edges", "tablename": "durable",
            "options": {"space": "s", "externalId": "Flow", "version": "1"},
            "columns": {"rate": {"type": "REAL"}}
        })))
        .expect("made");
        let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(
            names,
            [
                "space",
                "external_id",
                "type",
                "start_node",
                "end_node",
                "rate"
            ]
        );
        let (schema, name) = durable_name(table);
        let again = by_durable_name(schema, name).expect("found");
        assert!(std::ptr::eq(again, table));
    }

    #[test]
    fn what_was_kept_under_a_name_of_version_1_is_found_as_the_table_of_today() {
        for (then, now) in [
            ("raw", "raw_rows"),
            ("timeseries", "time_series"),
            ("files", "files"),
        ] {
            let found = by_durable_name("public", then).expect("found");
            assert_eq!((found.schema, found.name), ("public", now));
            assert!(crate::catalog::first_table(found).is_none());
        }
    }
}
