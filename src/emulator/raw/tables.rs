//! Tables of RAW: creating, listing, deleting.
//!
//! Owns the calls on `/raw/dbs/{database}/tables`.

use super::store::not_found;
use super::{
    DATABASE_CHARS_MAX, NAMES_MAX, Named, TABLE_CHARS_MAX, check_name, check_names, page_limit,
};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::cursor;
use serde::Deserialize;
use serde_json::json;
use std::ops::Bound;

const CURSOR: &str = "tables";

#[derive(Deserialize)]
struct TablesRequest {
    items: Vec<Named>,
}

/// `POST /raw/dbs/{database}/tables`
pub fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = call.json::<TablesRequest>()?.items;
    let database = &call.names.database;
    check_name("databases", database, DATABASE_CHARS_MAX)?;
    check_names("tables", &items, TABLE_CHARS_MAX)?;
    let ensure_parent = call.query.flag("ensureParent", false)?;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    let mut databases = call.project.raw.databases_mut();
    if !databases.contains_key(database) && !ensure_parent {
        return Err(not_found("databases", database));
    }
    let tables = databases.entry(database.clone()).or_default();
    let duplicated: Vec<_> = items
        .iter()
        .filter(|item| tables.contains_key(&item.name))
        .map(|item| json!({"name": item.name}))
        .collect();
    if !duplicated.is_empty() {
        return Err(Refusal::AlreadyExists {
            message: "Tables with these names already exist".to_owned(),
            duplicated,
        });
    }
    for item in &items {
        tables.entry(item.name.clone()).or_default();
    }
    Ok(Answer::items(201, &items))
}

/// `GET /raw/dbs/{database}/tables`
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let limit = page_limit(call.query, NAMES_MAX)?;
    let after: String = match call.query.get("cursor") {
        Some(text) => cursor::decode(CURSOR, text)?,
        None => String::new(),
    };
    let databases = call.project.raw.databases();
    let tables = databases
        .get(&call.names.database)
        .ok_or_else(|| not_found("databases", &call.names.database))?;
    let mut rest = tables
        .range::<str, _>((Bound::Excluded(after.as_str()), Bound::Unbounded))
        .filter(|(name, _)| call.sees_table(&call.names.database, Some(name)))
        .map(|(name, _)| Named { name: name.clone() });
    let page: Vec<Named> = rest.by_ref().take(limit).collect();
    let next_cursor = rest
        .next()
        .and(page.last())
        .map(|last| cursor::encode(CURSOR, &last.name));
    call.tally.items = page.len() as u64;
    Ok(Answer::page(200, &page, next_cursor))
}

/// `POST /raw/dbs/{database}/tables/delete`
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = call.json::<TablesRequest>()?.items;
    check_names("tables", &items, TABLE_CHARS_MAX)?;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    let mut databases = call.project.raw.databases_mut();
    let tables = databases
        .get_mut(&call.names.database)
        .ok_or_else(|| not_found("databases", &call.names.database))?;
    if let Some(unknown) = items.iter().find(|item| !tables.contains_key(&item.name)) {
        return Err(not_found("tables", &unknown.name));
    }
    for item in &items {
        tables.remove(&item.name);
    }
    Ok(Answer::empty())
}
