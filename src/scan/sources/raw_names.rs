//! RAW databases and tables: which of them the conditions mean.
//!
//! Owns the way from names in conditions, or none, to the tables whose rows are read. Promises
//! every table that a wanted row may be in. Rows themselves are read by `raw`.

use super::super::condition::Condition;
use super::super::copy_text::RowWriter;
use super::super::fault::ScanFault;
use super::super::plan::{Reading, Taken};
use super::super::source::{Page, Source, Turn, bytes_max};
use super::super::typed;
use super::{nothing, raw};
use crate::catalog::{Resource, RowShape, Table};
use crate::cdf::{Operation, PageCall, PageFormat, with_query_value, with_segment};
use crate::sql::Cell;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Names of a page, CDF's own bound.
const NAMES_MAX: usize = 1000;

/// Characters of the names of databases and tables.
const DATABASE_MAX: usize = 32;
const TABLE_MAX: usize = 64;

/// What the conditions say of the names of one kind.
#[derive(Clone, Debug, Default)]
struct Names {
    /// `None`: any.
    one_of: Option<Vec<String>>,
    prefixes: Vec<String>,
}

impl Names {
    fn has(&self, name: &str) -> bool {
        let is_listed = |names: &Vec<String>| names.iter().any(|one| one == name);
        self.one_of.as_ref().is_none_or(is_listed)
            && self
                .prefixes
                .iter()
                .all(|prefix| name.starts_with(prefix.as_str()))
    }

    /// Takes a condition, if it says something of names.
    fn take(&mut self, condition: &Condition, characters_max: usize) -> Taken {
        match condition {
            Condition::OneOf { values, .. } => {
                let Some(names) = typed::texts(values, characters_max) else {
                    return Taken::No;
                };
                match &mut self.one_of {
                    Some(before) => before.retain(|name| names.contains(name)),
                    None => self.one_of = Some(names),
                }
                Taken::Exactly
            }
            Condition::Prefix { text, .. } => {
                self.prefixes.push(text.clone());
                Taken::Exactly
            }
            // A name is never NULL.
            Condition::IsNotNull { .. } => Taken::Exactly,
            _ => Taken::No,
        }
    }
}

/// The tables that are wanted, and what of them.
#[derive(Debug)]
struct Wanted {
    table: &'static Table,
    databases: Names,
    tables: Names,
    rows: raw::WantedRows,
}

/// How `raw_rows` and `raw_tables` are read.
pub(super) fn reading(table: &'static Table, conditions: &[Condition]) -> Reading {
    let (mut databases, mut tables) = (Names::default(), Names::default());
    let mut rows = raw::WantedRows::default();
    let of_rows = table.shape == RowShape::RawRows;
    let taken: Vec<Taken> = conditions
        .iter()
        .map(|condition| match table.columns[condition.column()].field {
            "dbName" => databases.take(condition, DATABASE_MAX),
            "tableName" => tables.take(condition, TABLE_MAX),
            "name" if !of_rows => tables.take(condition, TABLE_MAX),
            "key" => rows.take_key(condition),
            "lastUpdatedTime" => rows.take_time(condition),
            _ => Taken::No,
        })
        .collect();
    let names_nothing = |names: &Names| names.one_of.as_ref().is_some_and(Vec::is_empty);
    if names_nothing(&databases) || names_nothing(&tables) || rows.are_none() {
        return nothing(conditions);
    }
    let mut filter = Map::new();
    for (name, names) in [("databases", &databases), ("tables", &tables)] {
        if let Some(names) = &names.one_of {
            filter.insert(name.to_owned(), names.clone().into());
        }
    }
    rows.show(&mut filter);
    let operation = match (&databases.one_of, &tables.one_of) {
        (None, _) => "GET /raw/dbs",
        (Some(_), Some(_)) if of_rows => rows.operation(),
        (Some(_), _) => "GET /raw/dbs/{dbName}/tables",
    };
    let wanted = Arc::new(Wanted {
        table,
        databases,
        tables,
        rows,
    });
    let sources = match &wanted.databases.one_of {
        Some(names) => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            names
                .into_iter()
                .filter(|name| wanted.databases.has(name))
                .flat_map(|name| in_database(&wanted, name))
                .collect()
        }
        None => vec![Box::new(Databases {
            wanted: wanted.clone(),
            cursor: None,
        }) as Box<dyn Source>],
    };
    Reading {
        sources,
        operation: operation.to_owned(),
        filter: (!filter.is_empty()).then(|| filter.into()),
        taken,
    }
}

/// What is to be read in a database: the tables that are known, or the list of them.
fn in_database(wanted: &Arc<Wanted>, database: &str) -> Vec<Box<dyn Source>> {
    match (&wanted.tables.one_of, wanted.table.shape) {
        (Some(tables), RowShape::RawRows) => tables
            .iter()
            .filter(|table| wanted.tables.has(table))
            .flat_map(|table| wanted.rows.sources(wanted.table, database, table))
            .collect(),
        // Whether they exist is what is asked for.
        _ => match tables_path(database) {
            Some(path) => vec![Box::new(Tables {
                wanted: wanted.clone(),
                database: database.to_owned(),
                path,
                cursor: None,
            })],
            None => Vec::new(),
        },
    }
}

/// `/raw/dbs/{database}/tables`; a database that no URL can name has no tables.
fn tables_path(database: &str) -> Option<String> {
    let mut path = with_segment("/raw/dbs/".to_owned(), database)?;
    path.push_str("/tables");
    Some(path)
}

fn names_call(path: &str, items: usize, cursor: Option<&str>) -> PageCall {
    let mut path = with_query_value(path.to_owned(), "limit", &items.to_string());
    if let Some(cursor) = cursor {
        path = with_query_value(path, "cursor", cursor);
    }
    PageCall {
        operation: Operation::List(Resource::RawTables),
        path,
        body: None,
        format: PageFormat::Json,
        bytes_max: bytes_max(items),
        may_be_absent: true,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NameList {
    items: Vec<Named>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// All databases.
struct Databases {
    wanted: Arc<Wanted>,
    cursor: Option<String>,
}

impl Source for Databases {
    fn page_max(&self) -> usize {
        NAMES_MAX
    }

    fn is_sized_by_rows(&self) -> bool {
        false
    }

    fn call(&mut self, items: usize) -> PageCall {
        names_call("/raw/dbs", items, self.cursor.as_deref())
    }

    fn take(&mut self, page: Option<Page<'_>>, _rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: NameList = page.json()?;
        self.cursor = list.next_cursor;
        let wanted = list
            .items
            .iter()
            .filter(|one| self.wanted.databases.has(&one.name));
        Ok(Turn {
            has_more: self.cursor.is_some(),
            named: list.items.len() as u64,
            sources: wanted
                .flat_map(|one| in_database(&self.wanted, &one.name))
                .collect(),
        })
    }
}

/// The tables of one database.
struct Tables {
    wanted: Arc<Wanted>,
    database: String,
    path: String,
    cursor: Option<String>,
}

impl Source for Tables {
    fn page_max(&self) -> usize {
        NAMES_MAX
    }

    fn is_sized_by_rows(&self) -> bool {
        false
    }

    fn call(&mut self, items: usize) -> PageCall {
        names_call(&self.path, items, self.cursor.as_deref())
    }

    fn take(&mut self, page: Option<Page<'_>>, rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: NameList = page.json()?;
        let mut turn = Turn::more_if(list.next_cursor.is_some());
        for Named { name } in list.items {
            if !self.wanted.tables.has(&name) {
                continue;
            }
            if self.wanted.table.shape == RowShape::RawRows {
                turn.named += 1;
                let sources = self
                    .wanted
                    .rows
                    .sources(self.wanted.table, &self.database, &name);
                turn.sources.extend(sources);
                continue;
            }
            rows.row(
                || format!("RAW table \"{name}\" in database \"{}\"", self.database),
                |_, column| {
                    let name = if column.field == "dbName" {
                        &self.database
                    } else {
                        &name
                    };
                    Ok(Some(Cell::Text(name.clone())))
                },
            )?;
        }
        self.cursor = list.next_cursor;
        Ok(turn)
    }
}

/// The filter of a plan, as far as there is one.
pub(super) fn shown(filter: Map<String, Value>) -> Option<Value> {
    (!filter.is_empty()).then(|| filter.into())
}
