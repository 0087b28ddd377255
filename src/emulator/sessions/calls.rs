//! Creating, showing and revoking sessions.
//!
//! Owns `GET` and `POST /sessions`, `/sessions/byids` and `/sessions/revoke`.

use super::session::{Session, SessionKind, Source, ms};
use crate::emulator::access::Need;
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::cursor;
use crate::emulator::identity::{Application, TENANT, hash};
use crate::emulator::json::check_items;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::ops::Bound;

const ITEMS_MAX: usize = 1_000;
const PAGE_DEFAULT: i64 = 25;
const PAGE_MAX: i64 = 1_000;
const CURSOR: &str = "sessions";

#[derive(Deserialize)]
struct CreateRequest {
    items: Vec<NewSession>,
}

/// Exactly one of the three forms.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewSession {
    client_id: Option<String>,
    client_secret: Option<String>,
    #[serde(default)]
    token_exchange: bool,
    #[serde(default)]
    oneshot_token_exchange: bool,
}

impl NewSession {
    fn kind(&self) -> Result<SessionKind, Refusal> {
        let by_secret = self.client_id.is_some() && self.client_secret.is_some();
        let by_half = self.client_id.is_some() != self.client_secret.is_some();
        match (by_secret, self.token_exchange, self.oneshot_token_exchange) {
            (true, false, false) => Ok(SessionKind::ClientCredentials),
            (false, true, false) if !by_half => Ok(SessionKind::TokenExchange),
            (false, false, true) if !by_half => Ok(SessionKind::OneshotTokenExchange),
            _ => Err(Refusal::invalid(
                "Request must contain either clientId and clientSecret, or tokenExchange, or \
                 oneshotTokenExchange",
            )),
        }
    }
}

/// `POST /sessions`
pub fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = call.json::<CreateRequest>()?.items;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    let [item] = <[NewSession; 1]>::try_from(items)
        .map_err(|_| Refusal::invalid("Request must contain exactly 1 item in request body"))?;
    let kind = item.kind()?;
    let identity = &call.emulator.identity;
    let (source, tenant) = match (item.client_id, item.client_secret) {
        (Some(client_id), Some(secret)) => {
            let secret = hash(&secret);
            let known = identity.directory.accepts(&client_id, &secret);
            // What CDF says when the identity provider turns the pair down.
            let known = known.ok_or_else(Refusal::hidden)?;
            (Source::Secret { client_id, secret }, known.tenant)
        }
        _ => (source_of_token(call), Some(call.principal.tenant.clone())),
    };
    let tenant = tenant.filter(|tenant| !tenant.is_empty());
    let tenant = tenant.unwrap_or_else(|| TENANT.to_owned());
    let nonce = super::exchange::secret_text();
    let now_ms = identity.clock.now_ms();
    let settings = call.emulator.access.session_settings();
    let session = Session::create(kind, source, tenant, &nonce, now_ms, settings);
    let client_id = session.client_id().map(str::to_owned);
    let status = session.status(now_ms);
    let id = call.access().sessions.add(session);
    let mut created = json!({"id": id, "type": kind, "status": status, "nonce": nonce});
    if let (Some(client_id), Some(members)) = (client_id, created.as_object_mut()) {
        members.insert("clientId".to_owned(), client_id.into());
    }
    Ok(Answer::items(200, &[created]))
}

/// The caller, as its token says.
fn source_of_token(call: &Call<'_>) -> Source {
    let principal = call.principal;
    let client_id = principal.client_id.clone();
    match principal.user() {
        Some(user) => Source::User { user, client_id },
        None => Source::Application(Application {
            client_id: principal.identity.clone(),
            object_id: Some(principal.object_id.clone()),
            groups: principal.groups.clone(),
            ..Application::default()
        }),
    }
}

/// A session as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: i64,
    #[serde(rename = "type")]
    kind: SessionKind,
    status: &'static str,
    creation_time: i64,
    expiration_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
}

impl Shown {
    fn of(session: &Session, now_ms: i64) -> Self {
        Self {
            id: session.id,
            kind: session.kind,
            status: session.status(now_ms).name(),
            creation_time: session.created_ms,
            expiration_time: session.expires_ms,
            client_id: session.client_id().map(str::to_owned),
        }
    }
}

/// `GET /sessions`
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let limit = call.query.number("limit")?.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refusal::invalid(format!(
            "limit has to be from 1 to {PAGE_MAX}, got {limit}"
        )));
    }
    let after: i64 = match call.query.get("cursor") {
        Some(text) if !text.is_empty() => cursor::decode(CURSOR, text)?,
        _ => 0,
    };
    let status = call.query.get("status").unwrap_or_default();
    let now_ms = call.emulator.identity.clock.now_ms();
    let access = call.access();
    let sessions = access.sessions.lock();
    let mut rest = sessions
        .range((Bound::Excluded(after), Bound::Unbounded))
        .map(|(_, session)| Shown::of(session, now_ms))
        .filter(|shown| status.is_empty() || shown.status.eq_ignore_ascii_case(status));
    let page: Vec<Shown> = rest.by_ref().take(limit.unsigned_abs() as usize).collect();
    let next_cursor = rest
        .next()
        .and(page.last())
        .map(|last| cursor::encode(CURSOR, &last.id));
    call.tally.items = page.len() as u64;
    Ok(Answer::page(200, &page, next_cursor))
}

#[derive(Deserialize)]
struct IdsRequest {
    items: Vec<Id>,
}

#[derive(Deserialize)]
struct Id {
    id: i64,
}

/// `POST /sessions/byids`
pub fn by_ids(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let ids = take_ids(call)?;
    let now_ms = call.emulator.identity.clock.now_ms();
    let access = call.access();
    let sessions = access.sessions.lock();
    let shown = ids
        .iter()
        .filter_map(|id| sessions.get(id))
        .map(|session| Shown::of(session, now_ms))
        .collect::<Vec<_>>();
    Ok(Answer::items(200, &shown))
}

/// `POST /sessions/revoke`
pub fn revoke(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let ids = take_ids(call)?;
    let now_ms = call.emulator.identity.clock.now_ms();
    let settings = call.emulator.access.session_settings();
    let from_ms = now_ms.saturating_add(ms(settings.revocation_delay_s));
    let access = call.access();
    let mut sessions = access.sessions.lock();
    for id in &ids {
        if let Some(session) = sessions.get_mut(id) {
            session.revoke(from_ms);
        }
    }
    const LIST: Need = Need::new("sessionsAcl", "LIST");
    if call.rights.is_some_and(|rights| !rights.anywhere(LIST)) {
        let ids: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
        return Ok(Answer::items(200, &ids));
    }
    let revoked = ids
        .iter()
        .filter_map(|id| sessions.get(id))
        .map(|session| Shown::of(session, now_ms))
        .collect::<Vec<_>>();
    Ok(Answer::items(200, &revoked))
}

/// The ids of a request, of which each has to be there.
fn take_ids(call: &mut Call<'_>) -> Result<Vec<i64>, Refusal> {
    let items = call.json::<IdsRequest>()?.items;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    check_items("sessions", items.len(), ITEMS_MAX)?;
    let access = call.access();
    let sessions = access.sessions.lock();
    let missing: Vec<_> = items
        .iter()
        .filter(|item| !sessions.contains_key(&item.id))
        .map(|item| json!({"id": item.id}))
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::UnknownReferences {
            message: "Session ids not found".to_owned(),
            missing,
        });
    }
    Ok(items.into_iter().map(|item| item.id).collect())
}
