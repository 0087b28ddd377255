//! Databases of RAW: creating, listing, deleting.
//!
//! Owns the calls on `/raw/dbs`.

use super::store::not_found;
use super::{DATABASE_CHARS_MAX, NAMES_MAX, Named, check_names, page_limit};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::cursor;
use serde::Deserialize;
use serde_json::json;
use std::ops::Bound;

const CURSOR: &str = "databases";

#[derive(Deserialize)]
struct CreateRequest {
    items: Vec<Named>,
}

/// `POST /raw/dbs`
pub fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = call.json::<CreateRequest>()?.items;
    check_names("databases", &items, DATABASE_CHARS_MAX)?;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    let mut databases = call.project.raw.databases_mut();
    let duplicated: Vec<_> = items
        .iter()
        .filter(|item| databases.contains_key(&item.name))
        .map(|item| json!({"name": item.name}))
        .collect();
    if !duplicated.is_empty() {
        return Err(Refusal::AlreadyExists {
            message: "Databases with these names already exist".to_owned(),
            duplicated,
        });
    }
    for item in &items {
        databases.entry(item.name.clone()).or_default();
    }
    Ok(Answer::items(201, &items))
}

/// `GET /raw/dbs`
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let limit = page_limit(call.query, NAMES_MAX)?;
    let after: String = match call.query.get("cursor") {
        Some(text) => cursor::decode(CURSOR, text)?,
        None => String::new(),
    };
    let databases = call.project.raw.databases();
    let mut rest = databases
        .range::<str, _>((Bound::Excluded(after.as_str()), Bound::Unbounded))
        .filter(|(name, _)| call.sees_table(name, None))
        .map(|(name, _)| Named { name: name.clone() });
    let page: Vec<Named> = rest.by_ref().take(limit).collect();
    let next_cursor = rest
        .next()
        .and(page.last())
        .map(|last| cursor::encode(CURSOR, &last.name));
    call.tally.items = page.len() as u64;
    Ok(Answer::page(200, &page, next_cursor))
}

#[derive(Deserialize)]
struct DeleteRequest {
    items: Vec<Named>,
    recursive: Option<bool>,
}

/// `POST /raw/dbs/delete`
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = call.json::<DeleteRequest>()?;
    check_names("databases", &request.items, DATABASE_CHARS_MAX)?;
    call.tally.items = request.items.len() as u64;
    call.consume(call.tally.items, 0)?;
    let recursive = request.recursive.unwrap_or(false);
    let mut databases = call.project.raw.databases_mut();
    for item in &request.items {
        let tables = databases
            .get(&item.name)
            .ok_or_else(|| not_found("databases", &item.name))?;
        if !tables.is_empty() && !recursive {
            return Err(Refusal::invalid(format!(
                "Database {} is not empty; delete its tables first or set recursive",
                item.name
            )));
        }
    }
    for item in &request.items {
        databases.remove(&item.name);
    }
    Ok(Answer::empty())
}
