//! `/_emulator/…`: faults, figures and settings, for tests and load tests.
//!
//! Owns the admin calls; `docs/emulator.md` describes them. They need no token and count
//! against no budget.

use super::answer::{Answer, Refusal};
use super::budget::Budgets;
use super::fault::FaultRule;
use super::identity;
use super::json;
use super::query::Query;
use super::reference::{InstanceId, check_instance_id};
use super::sessions::SessionSettings;
use super::state::Emulator;
use super::time_series::NewTimeSeries;
use axum::http::Method;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Answers an admin call.
pub fn serve(emulator: &Emulator, parts: &Parts, body: &[u8]) -> Answer {
    answer(emulator, parts, body).unwrap_or_else(Answer::from)
}

fn answer(emulator: &Emulator, parts: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
    let path = parts.uri.path().trim_start_matches("/_emulator");
    match (&parts.method, path) {
        (&Method::GET, "/ready") => Ok(Answer::json(200, &json!({"status": "ready"}))),
        (&Method::POST, "/faults") => {
            emulator.faults.add(json::read::<Vec<FaultRule>>(body)?)?;
            Ok(Answer::items(200, &emulator.faults.list()))
        }
        (&Method::GET, "/faults") => Ok(Answer::items(200, &emulator.faults.list())),
        (&Method::DELETE, "/faults") => {
            emulator.faults.clear();
            Ok(Answer::empty())
        }
        (&Method::GET, "/statistics") => Ok(Answer::json(200, &emulator.statistics.report())),
        (&Method::DELETE, "/statistics") => {
            emulator.statistics.clear();
            Ok(Answer::empty())
        }
        (&Method::GET, "/requests") => requests(emulator, parts),
        (&Method::DELETE, "/requests") => {
            emulator.requests.clear();
            Ok(Answer::empty())
        }
        (&Method::DELETE, "/data") => {
            emulator.clear_data();
            Ok(Answer::empty())
        }
        (&Method::GET, "/budgets") => Ok(Answer::json(200, &emulator.throttle.budgets())),
        (&Method::PUT, "/budgets") => {
            emulator
                .throttle
                .set_budgets(json::read_object::<Budgets>(body)?);
            Ok(Answer::json(200, &emulator.throttle.budgets()))
        }
        (&Method::GET, "/tokens") => Ok(token_settings(emulator)),
        (&Method::PUT, "/tokens") => {
            let settings = json::read_object::<TokenSettings>(body)?;
            emulator.identity.tokens.set_lifetime_s(settings.lifetime_s);
            Ok(token_settings(emulator))
        }
        (&Method::DELETE, "/tokens") => {
            let now_ms = emulator.identity.clock.now_ms();
            emulator.identity.tokens.expire_all(now_ms);
            Ok(Answer::empty())
        }
        (&Method::POST, "/instances") => create_instances(emulator, body),
        (&Method::GET, "/sessions") => Ok(session_settings(emulator)),
        (&Method::PUT, "/sessions") => {
            let settings = json::read_object::<SessionSettings>(body)?;
            emulator.access.set_session_settings(settings);
            Ok(session_settings(emulator))
        }
        (&Method::DELETE, "/access") => {
            emulator.access.clear();
            Ok(Answer::empty())
        }
        _ => match path.strip_prefix("/identity") {
            Some(path) => change_identity(emulator, parts, path, body),
            None => Err(no_such_call(parts)),
        },
    }
}

/// A change of applications and users may cost sessions their access.
fn change_identity(
    emulator: &Emulator,
    parts: &Parts,
    path: &str,
    body: &[u8],
) -> Result<Answer, Refusal> {
    let answer = identity::answer_admin(&emulator.identity, &parts.method, path, body)
        .unwrap_or_else(|| Err(no_such_call(parts)))?;
    emulator.access.end_lost_sessions(&emulator.identity);
    Ok(answer)
}

fn session_settings(emulator: &Emulator) -> Answer {
    Answer::json(200, &emulator.access.session_settings())
}

fn no_such_call(parts: &Parts) -> Refusal {
    Refusal::NotFound {
        message: format!("No admin call {} {}", parts.method, parts.uri.path()),
        missing: Vec::new(),
    }
}

fn requests(emulator: &Emulator, parts: &Parts) -> Result<Answer, Refusal> {
    let query = Query::parse(parts.uri.query().unwrap_or_default())?;
    let since = query.number("since")?.unwrap_or(0).max(0);
    let limit = query.number("limit")?.unwrap_or(1_000).max(0);
    let operation = query.get("operation").unwrap_or_default();
    let entries = emulator.requests.since(
        since.unsigned_abs(),
        operation,
        usize::try_from(limit).unwrap_or(usize::MAX),
    );
    Ok(Answer::items(200, &entries))
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenSettings {
    lifetime_s: u64,
}

fn token_settings(emulator: &Emulator) -> Answer {
    let lifetime_s = emulator.identity.tokens.lifetime_s();
    Answer::json(200, &TokenSettings { lifetime_s })
}

/// Time series with an instance id but without a node: a short way to write datapoints by
/// instance id where data modeling does not matter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewInstances {
    project: String,
    items: Vec<NewInstance>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewInstance {
    space: String,
    external_id: String,
    #[serde(default)]
    is_string: bool,
}

fn create_instances(emulator: &Emulator, body: &[u8]) -> Result<Answer, Refusal> {
    let request = json::read_object::<NewInstances>(body)?;
    let mut new = Vec::with_capacity(request.items.len());
    for item in request.items {
        check_instance_id(&item.space, &item.external_id)?;
        new.push(NewTimeSeries {
            is_string: Some(item.is_string),
            instance_id: Some(InstanceId {
                space: item.space,
                external_id: item.external_id,
            }),
            ..NewTimeSeries::default()
        });
    }
    let created = emulator.project(&request.project).time_series.create(new)?;
    Ok(Answer::items(201, &created))
}
