//! `/api/v1/projects/{project}/postgresgateway/tables/{username}`: the tables of version 2.0.
//!
//! Owns the calls. Promises that a view is read as the user who will write through it, that the
//! tables of one request are made all or not at all, and that a request that is repeated after its
//! answer was lost succeeds again. Never changes anything in CDF.

use super::caller::Access;
use super::document::Fields;
use super::fault::ApiFault;
use super::page::Page;
use super::sent::Sent;
use super::service::{AccountsService, no_user};
use super::table_shape;
use super::users::Answered;
use crate::catalog::{Definition, TABLES, custom_table};
use crate::cdf::ViewFault;
use crate::state::{Account, StoredTable};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// Tables that one page of a list holds.
const LIMIT_MAX: usize = 100;

/// Tables that one call makes, shows or deletes.
const ITEMS_MAX: usize = 10;

pub(super) fn router() -> Router<AccountsService> {
    const PATH: &str = "/api/v1/projects/{project}/postgresgateway/tables/{username}";
    Router::new()
        .route(PATH, get(list).post(create))
        .route(&format!("{PATH}/byids"), post(by_ids))
        .route(&format!("{PATH}/delete"), post(delete))
}

/// Whose tables, once the caller may have `access` to them.
async fn owner(
    service: &AccountsService,
    headers: &HeaderMap,
    (project, user): &(String, String),
    access: Access,
) -> Result<Account, ApiFault> {
    let reach = service.caller(headers, project).await?.reach(access)?;
    if !reach.covers(user) {
        return Err(no_user(user));
    }
    service.account(project, user).await
}

async fn create(
    State(service): State<AccountsService>,
    Path(place): Path<(String, String)>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    let account = owner(&service, &headers, &place, Access::Write).await?;
    let body = sent.read()?;
    let items = Fields::of_body(&body)?
        .only(&["items"])?
        .list("items", ITEMS_MAX)?;
    let mut definitions = Vec::with_capacity(items.len());
    for item in items {
        let definition = define(&service, &account, item).await?;
        let twice = definitions
            .iter()
            .any(|earlier: &Definition| earlier.name == definition.name);
        if twice {
            let named = json!({"tablename": definition.name});
            return Err(ApiFault::duplicated(
                "a table is named twice in the request",
                vec![named],
            ));
        }
        definitions.push(definition);
    }
    let made = make(&service, &account, definitions).await?;
    let tables: Vec<Value> = made.iter().map(table_shape::created).collect();
    Ok(Json(json!({"items": tables})))
}

/// The definition of one item, checked, with a view's properties as they are now.
async fn define(
    service: &AccountsService,
    account: &Account,
    item: &Value,
) -> Result<Definition, ApiFault> {
    let definition = match item {
        Value::Object(fields) if fields.get("type") == Some(&json!("view")) => {
            let identity = service.state.identity_of(account);
            let identity = identity.ok_or_else(|| {
                ApiFault::bad("the user has no session, so no view can be read as the user")
            })?;
            let defined = service.cdf.view_definition(&identity, fields).await;
            defined.map_err(|fault| match fault {
                ViewFault::Definition(fault) => ApiFault::invalid(fault.0),
                ViewFault::Missing { .. } => {
                    let options = fields.get("options").cloned().unwrap_or_default();
                    ApiFault::missing(fault.to_string(), vec![options])
                }
                ViewFault::Cdf(diagnostic) => ApiFault::of_cdf(&diagnostic, ApiFault::forbidden),
            })?
        }
        item => Definition::from_json(item).map_err(|fault| ApiFault::invalid(fault.0))?,
    };
    custom_table(&definition).map_err(|fault| ApiFault::invalid(fault.0))?;
    Ok(definition)
}

/// Makes those that are not there yet. A table that is there as it is asked for was made by an
/// earlier try of the same request: clients repeat this call on their own.
async fn make(
    service: &AccountsService,
    account: &Account,
    definitions: Vec<Definition>,
) -> Result<Vec<StoredTable>, ApiFault> {
    let names: Vec<String> = definitions
        .iter()
        .map(|definition| definition.name.clone())
        .collect();
    let (mut new, mut taken) = (Vec::new(), Vec::new());
    for definition in definitions {
        match service.state.table(&account.name, &definition.name).await? {
            None => new.push(definition),
            Some(stored) if stored.definition == definition => {}
            Some(_) => taken.push(json!({"tablename": definition.name})),
        }
    }
    if !taken.is_empty() {
        return Err(ApiFault::duplicated(
            "the user has tables of these names already, with other definitions",
            taken,
        ));
    }
    if !new.is_empty() {
        service
            .state
            .create_tables(&account.name, new, Timestamp::now())
            .await?;
    }
    let mut made = Vec::with_capacity(names.len());
    for name in names {
        made.extend(service.state.table(&account.name, &name).await?);
    }
    Ok(made)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    limit: Option<i64>,
    cursor: Option<String>,
    include_built_ins: Option<String>,
}

/// Cognite's Python SDK says yes and no.
fn includes_built_ins(text: Option<&str>) -> Result<bool, ApiFault> {
    match text {
        Some("true" | "yes") => Ok(true),
        None | Some("false" | "no") => Ok(false),
        Some(other) => Err(ApiFault::invalid(format!(
            "includeBuiltIns is \"{other}\": it must be true or false"
        ))),
    }
}

async fn list(
    State(service): State<AccountsService>,
    Path(place): Path<(String, String)>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answered {
    let account = owner(&service, &headers, &place, Access::Read).await?;
    let Query(query) = query.map_err(|error| ApiFault::invalid(error.body_text()))?;
    let page = Page::new(query.limit, query.cursor.as_deref(), LIMIT_MAX)?;
    let mut tables: Vec<(String, Value)> = Vec::new();
    if includes_built_ins(query.include_built_ins.as_deref())? {
        let built_in = TABLES
            .iter()
            .filter(|table| table.schema == crate::catalog::PUBLIC);
        tables.extend(built_in.map(|table| (table.name.to_owned(), table_shape::built_in(table))));
    }
    let own = service.state.tables(&account.name).await?;
    tables.extend(own.iter().map(|table| {
        let shown = table_shape::listed(table);
        (table.definition.name.clone(), shown)
    }));
    tables.sort_by(|one, other| one.0.cmp(&other.0));
    if let Some(after) = &page.after {
        tables.retain(|(name, _)| name > after);
    }
    let next = page.cut(&mut tables, |(name, _)| name);
    let items: Vec<Value> = tables.into_iter().map(|(_, table)| table).collect();
    let mut answer = json!({"items": items});
    if let Some(next) = next {
        answer["nextCursor"] = json!(next);
    }
    Ok(Json(answer))
}

/// The names of a request, and whether unknown ones are no fault.
fn names(body: &Value) -> Result<(Vec<String>, bool), ApiFault> {
    let fields = Fields::of_body(body)?.only(&["items", "ignoreUnknownIds"])?;
    let ignore = fields.flag("ignoreUnknownIds")?;
    let mut names = Vec::new();
    for item in fields.objects("items", ITEMS_MAX)? {
        names.push(item.only(&["tablename"])?.text("tablename")?.to_owned());
    }
    Ok((names, ignore))
}

fn check_missing(missing: Vec<String>, ignore: bool) -> Result<(), ApiFault> {
    if missing.is_empty() || ignore {
        return Ok(());
    }
    let named = missing
        .into_iter()
        .map(|name| json!({"tablename": name}))
        .collect();
    Err(ApiFault::missing("Tables not found", named))
}

async fn by_ids(
    State(service): State<AccountsService>,
    Path(place): Path<(String, String)>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    let account = owner(&service, &headers, &place, Access::Read).await?;
    let (names, ignore) = names(&sent.read()?)?;
    let (mut tables, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        let built_in = TABLES
            .iter()
            .find(|table| table.schema == crate::catalog::PUBLIC && table.name == name);
        match (built_in, service.state.table(&account.name, &name).await?) {
            (Some(table), _) => tables.push(table_shape::built_in(table)),
            (None, Some(table)) => tables.push(table_shape::listed(&table)),
            (None, None) => missing.push(name),
        }
    }
    check_missing(missing, ignore)?;
    Ok(Json(json!({"items": tables})))
}

async fn delete(
    State(service): State<AccountsService>,
    Path(place): Path<(String, String)>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    let account = owner(&service, &headers, &place, Access::Write).await?;
    let (names, ignore) = names(&sent.read()?)?;
    let (mut known, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        match service.state.table(&account.name, &name).await? {
            Some(_) => known.push(name),
            None => missing.push(name),
        }
    }
    check_missing(missing, ignore)?;
    for name in known {
        service.state.delete_table(&account.name, &name).await?;
    }
    Ok(Json(json!({})))
}
