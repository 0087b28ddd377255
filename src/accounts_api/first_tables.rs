//! `/user/{username}/tables`: the RAW tables of version 1.0.
//!
//! Owns the calls and their shapes: columns are names without types, tables have numbers. Promises
//! that a column that is there stays there, as in version 1.0, and that nobody gets by these paths at
//! users whom version 2.0 hides from them. Never shows tables of views, which
//! that version does not have.

use super::caller::{self, Access, Caller};
use super::document::Fields;
use super::fault::ApiFault;
use super::minimum::FIRST_VERSION;
use super::sent::Sent;
use super::service::{AccountsService, no_user};
use super::users::Answered;
use crate::catalog::{ColumnType, Definition, Dialect, Source, custom_table};
use crate::state::{Account, StoredTable};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Tables that one call makes, changes or deletes.
const ITEMS_MAX: usize = 10;

pub(super) fn router() -> Router<AccountsService> {
    const PATH: &str = "/user/{username}/tables";
    Router::new()
        .route(PATH, get(list).post(create))
        // The guide of version 1.0 prints the address with two slashes.
        .route(&format!("/{PATH}"), get(list))
        .route(&format!("{PATH}/update"), post(update))
        .route(&format!("{PATH}/delete"), post(delete))
}

/// The user, if the caller's token opens the user's project. A user of version 2.0 is found by those
/// only who have `access` to it in that version.
async fn owner(
    service: &AccountsService,
    headers: &HeaderMap,
    user: &str,
    access: Access,
) -> Result<Account, ApiFault> {
    let token = caller::bearer(headers)?;
    // The path names no project: the token is looked at first, and who may not see the user's
    // project is told what everybody is told.
    let inspection = caller::inspect(&service.cdf, &service.anywhere(), token).await?;
    let account = service.state.account(user).await?;
    let account = account
        .filter(|account| service.is_of(account, &account.project.name))
        .ok_or_else(|| no_user(user))?;
    let caller = Caller::in_project(inspection, account.project.clone());
    let caller = caller.ok_or_else(|| no_user(user))?;
    let has_access = || caller.reach(access).is_ok_and(|reach| reach.covers(user));
    if account.dialect == Dialect::Second && !has_access() {
        return Err(no_user(user));
    }
    caller.need(&FIRST_VERSION, |words| {
        ApiFault::unauthorized(format!("invalid token: {words}"))
    })?;
    Ok(account)
}

fn shown(table: &StoredTable) -> Option<Value> {
    let Source::Raw {
        database,
        table: raw_table,
        primary_key,
    } = &table.definition.source
    else {
        return None;
    };
    let columns: Vec<&str> = table
        .definition
        .columns
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut options = json!({"database": database, "table": raw_table});
    if let Some(key) = primary_key {
        options["primary_key"] = json!(key);
    }
    Some(json!({
        "id": table.id,
        "destination": "raw",
        "name": table.definition.name,
        "columns": columns,
        "options": options,
    }))
}

/// The definition in the shape that both versions share.
fn define(fields: &Fields<'_>) -> Result<Definition, ApiFault> {
    let destination = fields.text("destination")?;
    if destination != "raw" {
        return Err(ApiFault::invalid(format!(
            "destination is \"{destination}\": it must be \"raw\""
        )));
    }
    let options = fields
        .object("options")?
        .only(&["primary_key", "database", "table"])?;
    let mut raw = json!({
        "database": options.text("database")?,
        "table": options.text("table")?,
    });
    if let Some(key) = options.text_if_given("primary_key")? {
        raw["primaryKey"] = json!(key);
    }
    let mut columns = Vec::new();
    for name in texts(fields.list("columns", usize::MAX)?, "columns")? {
        columns.push(json!({"propertyName": name, "type": "TEXT"}));
    }
    let definition = json!({
        "type": "raw_rows", "tablename": fields.text("name")?, "options": raw, "columns": columns,
    });
    checked(Definition::from_json(&definition).map_err(|fault| ApiFault::invalid(fault.0))?)
}

fn checked(definition: Definition) -> Result<Definition, ApiFault> {
    definition
        .check()
        .and_then(|()| custom_table(&definition).map(|_| ()))
        .map_err(|fault| ApiFault::invalid(fault.0))?;
    Ok(definition)
}

fn texts<'a>(values: &'a [Value], place: &str) -> Result<Vec<&'a str>, ApiFault> {
    values
        .iter()
        .map(|value| {
            value
                .as_str()
                .ok_or_else(|| ApiFault::invalid(format!("Input should be a string: {place}")))
        })
        .collect()
}

async fn create(
    State(service): State<AccountsService>,
    Path(user): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    let account = owner(&service, &headers, &user, Access::Write).await?;
    let body = sent.read()?;
    let mut definitions = Vec::new();
    for item in Fields::of_body(&body)?
        .only(&["items"])?
        .objects("items", ITEMS_MAX)?
    {
        let item = item.only(&["destination", "name", "columns", "options"])?;
        definitions.push(define(&item)?);
    }
    let names: Vec<String> = definitions
        .iter()
        .map(|definition| definition.name.clone())
        .collect();
    service
        .state
        .create_tables(&account.name, definitions, Timestamp::now())
        .await?;
    let mut tables = Vec::new();
    for name in names {
        let made = service.state.table(&account.name, &name).await?;
        tables.extend(made.as_ref().and_then(shown));
    }
    Ok(Json(json!({"items": tables})))
}

async fn list(
    State(service): State<AccountsService>,
    Path(user): Path<String>,
    headers: HeaderMap,
) -> Answered {
    let account = owner(&service, &headers, &user, Access::Read).await?;
    let tables = service.state.tables(&account.name).await?;
    let tables: Vec<Value> = tables.iter().filter_map(shown).collect();
    Ok(Json(json!({"items": tables})))
}

/// The table of a number, which the guide writes once as a number and once as a text.
fn find<'a>(tables: &'a [StoredTable], item: &Fields<'_>) -> Result<&'a StoredTable, ApiFault> {
    let id = match item.given("id")? {
        Some(Value::String(text)) => text.parse::<i64>().ok(),
        Some(value) => value.as_i64(),
        None => None,
    };
    let id = id.ok_or_else(|| ApiFault::invalid("Input should be the number of a table: id"))?;
    tables
        .iter()
        .find(|table| table.id == id)
        .ok_or_else(|| ApiFault::missing("Tables not found", vec![json!({"id": id})]))
}

async fn update(
    State(service): State<AccountsService>,
    Path(user): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    let account = owner(&service, &headers, &user, Access::Write).await?;
    let body = sent.read()?;
    let fields = Fields::of_body(&body)?.only(&["items"])?;
    let tables = service.state.tables(&account.name).await?;
    let mut changes = Vec::new();
    for item in fields.objects("items", ITEMS_MAX)? {
        let item = item.only(&["id", "update"])?;
        let table = find(&tables, &item)?;
        let update = item.object("update")?.only(&["name", "columns"])?;
        let mut definition = table.definition.clone();
        if update.given("name")?.is_some() {
            definition.name = update
                .object("name")?
                .only(&["set"])?
                .text("set")?
                .to_owned();
        }
        if update.given("columns")?.is_some() {
            let columns = update.object("columns")?.only(&["add"])?;
            let added = texts(columns.list("add", usize::MAX)?, "columns.add")?;
            let added = added
                .into_iter()
                .map(|name| (name.to_owned(), ColumnType::Text));
            definition.columns.extend(added);
        }
        // A new name has to be one that a table may have.
        let definition = Definition::from_json(&definition.to_json())
            .map_err(|fault| ApiFault::invalid(fault.0))?;
        changes.push((table.definition.name.clone(), checked(definition)?));
    }
    let names: Vec<String> = changes
        .iter()
        .map(|(_, definition)| definition.name.clone())
        .collect();
    service.state.replace_tables(&account.name, changes).await?;
    let mut changed = Vec::new();
    for name in names {
        let table = service.state.table(&account.name, &name).await?;
        changed.extend(table.as_ref().and_then(shown));
    }
    Ok(Json(json!({"items": changed})))
}

async fn delete(
    State(service): State<AccountsService>,
    Path(user): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    let account = owner(&service, &headers, &user, Access::Write).await?;
    let body = sent.read()?;
    let fields = Fields::of_body(&body)?.only(&["items"])?;
    let tables = service.state.tables(&account.name).await?;
    let mut names = Vec::new();
    for item in fields.objects("items", ITEMS_MAX)? {
        let item = item.only(&["id"])?;
        names.push(find(&tables, &item)?.definition.name.clone());
    }
    for name in names {
        service.state.delete_table(&account.name, &name).await?;
    }
    Ok(Json(json!({})))
}
