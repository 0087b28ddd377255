//! `/api/v1/projects/{project}/postgresgateway`: the users of version 2.0.
//!
//! Owns the calls and the shapes of their requests and answers. Promises that a password is shown
//! once and kept nowhere, that a nonce is redeemed before a user exists, and that users of other
//! projects, or outside of the caller's scope, are never shown. Never logs what was sent.

use super::caller::{Access, Caller, Reach};
use super::document::Fields;
use super::fault::ApiFault;
use super::minimum::{SECOND_VERSION, missing_in_words};
use super::page::Page;
use super::sent::Sent;
use super::service::AccountsService;
use crate::catalog::Dialect;
use crate::cdf::{Identity, RedeemFault, Secret};
use crate::state::{Account, AccountCredentials};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// Users that one page of a list holds, by method.
const GET_LIMIT_MAX: usize = 100;
const POST_LIMIT_MAX: usize = 10;

/// Users that one call by names holds.
const BY_IDS_MAX: usize = 10;

/// Users that one call makes, changes or deletes.
const WRITES_MAX: usize = 1;

pub(super) type Answered = Result<Json<Value>, ApiFault>;

pub(super) fn router() -> Router<AccountsService> {
    const PATH: &str = "/api/v1/projects/{project}/postgresgateway";
    Router::new()
        .route(PATH, get(list).post(create))
        .route(&format!("{PATH}/list"), post(filter))
        .route(&format!("{PATH}/byids"), post(by_ids))
        .route(&format!("{PATH}/update"), post(update))
        .route(&format!("{PATH}/delete"), post(delete))
}

#[derive(Deserialize)]
struct ListQuery {
    limit: Option<i64>,
    cursor: Option<String>,
}

fn shown(account: &Account) -> Value {
    let mut user = json!({
        "username": account.name,
        "createdTime": account.created_ms,
        "lastUpdatedTime": account.updated_ms,
    });
    if let AccountCredentials::Session { id, .. } = account.credentials {
        user["sessionId"] = json!(id);
    }
    user
}

async fn create(
    State(service): State<AccountsService>,
    Path(project): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    let caller = service.caller(&headers, &project).await?;
    if caller.reach(Access::Write)? != Reach::Everybody {
        return Err(ApiFault::forbidden(
            "postgresGateway:WRITE is limited to named users: making one needs it for all",
        ));
    }
    caller.need(&SECOND_VERSION, ApiFault::forbidden)?;
    let body = sent.read()?;
    let items = Fields::of_body(&body)?.only(&["items"])?;
    let mut nonces = Vec::new();
    for item in items.objects("items", WRITES_MAX)? {
        let item = item.only(&["credentials"])?;
        nonces.push(
            item.object("credentials")?
                .only(&["nonce"])?
                .text("nonce")?,
        );
    }
    let mut users = Vec::with_capacity(nonces.len());
    for nonce in nonces {
        let (credentials, principal) = redeem(&service, &project, nonce).await?;
        let place = service.project(&project)?;
        let new = service
            .new_user(place, Dialect::Second, principal, credentials)
            .await?;
        service.state.create_account(new.account.clone()).await?;
        tracing::info!(user = new.account.name, project, "a user was made");
        let mut user = shown(&new.account);
        user["host"] = json!(service.public_host(&headers));
        user["password"] = json!(new.password.expose());
        users.push(user);
    }
    Ok(Json(json!({"items": users})))
}

/// Turns a nonce into a session of ours, whose principal may have a user.
async fn redeem(
    service: &AccountsService,
    project: &str,
    nonce: &str,
) -> Result<(AccountCredentials, String), ApiFault> {
    let project = service.project(project)?;
    let exchange_url = service
        .settings
        .session_exchange_url(&project.base_url, &project.name);
    let redeemed = service
        .cdf
        .redeem_nonce(&exchange_url, &Secret::new(nonce))
        .await
        .map_err(|fault| match fault {
            RedeemFault::Refused(said) => ApiFault::bad(format!(
                "the nonce is not accepted: it is older than a minute or was used before; make a \
                 new session and send its nonce at once ({said})"
            )),
            away => ApiFault::unavailable(away.to_string()),
        })?;
    let identity = Identity::of_token(project.clone(), redeemed.access_token.clone());
    let inspection = service.cdf.inspect_token(&identity).await;
    let inspection = inspection.map_err(|diagnostic| {
        ApiFault::of_cdf(&diagnostic, |said| {
            ApiFault::bad(format!("CDF does not accept the session: {said}"))
        })
    })?;
    if !inspection.projects.contains(&project.name) {
        return Err(ApiFault::bad(format!(
            "the session opens no project \"{}\"",
            project.name
        )));
    }
    if let Some(words) = missing_in_words(&inspection, &project.name, &SECOND_VERSION) {
        return Err(ApiFault::forbidden(format!(
            "the principal of the session lacks {words}"
        )));
    }
    let credentials = AccountCredentials::Session {
        id: redeemed.id,
        key: redeemed.key,
    };
    Ok((credentials, inspection.subject))
}

async fn list(
    State(service): State<AccountsService>,
    Path(project): Path<String>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Answered {
    let caller = service.caller(&headers, &project).await?;
    let Query(query) = query.map_err(|error| ApiFault::invalid(error.body_text()))?;
    let page = Page::new(query.limit, query.cursor.as_deref(), GET_LIMIT_MAX)?;
    users_of(&service, &caller, &project, page).await
}

async fn filter(
    State(service): State<AccountsService>,
    Path(project): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    let caller = service.caller(&headers, &project).await?;
    let body = sent.read()?;
    let fields = Fields::of_body(&body)?.only(&["limit", "cursor"])?;
    let page = Page::new(
        fields.number_if_given("limit")?,
        fields.text_if_given("cursor")?,
        POST_LIMIT_MAX,
    )?;
    users_of(&service, &caller, &project, page).await
}

async fn users_of(
    service: &AccountsService,
    caller: &Caller,
    project: &str,
    page: Page,
) -> Answered {
    let mut accounts = match caller.reach(Access::Read)? {
        Reach::Everybody => {
            let project = service.project(project)?;
            let wanted = page.limit + 1;
            service
                .state
                .accounts(&project, page.after.as_deref(), wanted)
                .await?
        }
        // As many as the scope names, which are few.
        Reach::Only(names) => {
            let mut names: Vec<String> = names.into_iter().collect();
            names.sort_unstable();
            let behind = |name: &String| page.after.as_ref().is_none_or(|after| name > after);
            let mut accounts = Vec::new();
            for name in names.into_iter().filter(behind) {
                let account = service.state.account(&name).await?;
                accounts.extend(account.filter(|account| service.is_of(account, project)));
                if accounts.len() > page.limit {
                    break;
                }
            }
            accounts
        }
    };
    let next = page.cut(&mut accounts, |account| &account.name);
    let users: Vec<Value> = accounts.iter().map(shown).collect();
    let mut answer = json!({"items": users});
    if let Some(next) = next {
        answer["nextCursor"] = json!(next);
    }
    Ok(Json(answer))
}

/// The names of a request, and the accounts behind them. Names that are unknown, or out of the
/// caller's reach, are left out or refused, as the request says.
async fn named(
    service: &AccountsService,
    reach: &Reach,
    project: &str,
    body: &Value,
    max: usize,
) -> Result<Vec<Account>, ApiFault> {
    // Cognite's Python SDK writes the one field in snake case when it deletes.
    let fields =
        Fields::of_body(body)?.only(&["items", "ignoreUnknownIds", "ignore_unknown_ids"])?;
    let ignore = fields.flag("ignoreUnknownIds")? || fields.flag("ignore_unknown_ids")?;
    let (mut accounts, mut missing) = (Vec::new(), Vec::new());
    for item in fields.objects("items", max)? {
        let item = item.only(&["username"])?;
        let name = item.text("username")?;
        let account = service.state.account(name).await?;
        match account.filter(|account| reach.covers(name) && service.is_of(account, project)) {
            Some(account) => accounts.push(account),
            None => missing.push(json!({"username": name})),
        }
    }
    if !missing.is_empty() && !ignore {
        return Err(ApiFault::missing("Users not found", missing));
    }
    Ok(accounts)
}

async fn by_ids(
    State(service): State<AccountsService>,
    Path(project): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    let reach = service
        .caller(&headers, &project)
        .await?
        .reach(Access::Read)?;
    let accounts = named(&service, &reach, &project, &sent.read()?, BY_IDS_MAX).await?;
    let users: Vec<Value> = accounts.iter().map(shown).collect();
    Ok(Json(json!({"items": users})))
}

async fn delete(
    State(service): State<AccountsService>,
    Path(project): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    let reach = service
        .caller(&headers, &project)
        .await?
        .reach(Access::Write)?;
    for account in named(&service, &reach, &project, &sent.read()?, WRITES_MAX).await? {
        // Somebody else may have deleted it meanwhile: then it is as was asked.
        if service.state.delete_account(&account.name).await? {
            tracing::info!(user = account.name, project, "a user was deleted");
        }
    }
    Ok(Json(json!({})))
}

async fn update(
    State(service): State<AccountsService>,
    Path(project): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    let reach = service
        .caller(&headers, &project)
        .await?
        .reach(Access::Write)?;
    let body = sent.read()?;
    let fields = Fields::of_body(&body)?.only(&["items"])?;
    let mut users = Vec::new();
    for item in fields.objects("items", WRITES_MAX)? {
        let item = item.only(&["username", "update"])?;
        let name = item.text("username")?;
        let update = item.object("update")?.only(&["credentials"])?;
        let credentials = update.object("credentials")?.only(&["set", "setNull"])?;
        let is_cleared = credentials.flag("setNull")?;
        let nonce = match credentials.given("set")? {
            Some(_) if is_cleared => {
                return Err(ApiFault::invalid(
                    "credentials has both set and setNull: give one of them",
                ));
            }
            Some(_) => Some(credentials.object("set")?.only(&["nonce"])?.text("nonce")?),
            None if is_cleared => None,
            None => {
                return Err(ApiFault::invalid(
                    "Field required: items.0.update.credentials.set",
                ));
            }
        };
        let account = service.account(&project, name).await?;
        if !reach.covers(name) {
            return Err(super::service::no_user(name));
        }
        let (credentials, principal) = match nonce {
            Some(nonce) => redeem(&service, &project, nonce).await?,
            None => (AccountCredentials::None, account.principal),
        };
        let now = Timestamp::now();
        let changed = service
            .state
            .replace_credentials(name, credentials, principal, now)
            .await?;
        let account = changed.ok_or_else(|| super::service::no_user(name))?;
        tracing::info!(user = name, project, "a user's session was replaced");
        users.push(shown(&account));
    }
    Ok(Json(json!({"items": users})))
}
