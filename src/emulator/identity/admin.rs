//! `/_emulator/identity/…`: how tests change the identity provider.
//!
//! Owns the calls on applications, users, keys and the clock. Secrets go in and never come
//! out. What a change does to sessions is the sessions' part.

use super::minting;
use super::{Application, Identity, User};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::json;
use crate::emulator::query::percent_decode;
use axum::http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Answers an admin call on a path behind `/identity`; `None` when there is none such.
pub fn answer(
    identity: &Identity,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Option<Result<Answer, Refusal>> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let answer = match (method, segments.as_slice()) {
        (&Method::POST, ["tokens"]) => {
            json::read_object(body).and_then(|order| minting::mint(identity, order))
        }
        (&Method::POST, ["rotate-keys"]) => identity
            .keys
            .rotate()
            .map(|key| Answer::json(200, &json!({"kid": key.kid}))),
        (&Method::POST, ["retire-keys"]) => {
            identity.keys.retire_old();
            Ok(Answer::json(200, &identity.keys.to_json()))
        }
        (&Method::GET, ["applications"]) => Ok(applications(identity)),
        (&Method::PUT, ["applications"]) => put_application(identity, body),
        (&Method::DELETE, ["applications", client_id]) => delete(client_id, |client_id| {
            identity.directory.delete_application(client_id)
        }),
        (&Method::GET, ["users"]) => Ok(Answer::items(200, &identity.directory.users())),
        (&Method::PUT, ["users"]) => put_user(identity, body),
        (&Method::DELETE, ["users", upn]) => delete(upn, |upn| identity.directory.delete_user(upn)),
        (&Method::GET, ["clock"]) => Ok(clock(identity)),
        (&Method::PUT, ["clock"]) => set_clock(identity, body),
        (&Method::POST, ["reset"]) => {
            identity.directory.reset();
            identity.clock.set_offset_ms(0);
            Ok(Answer::empty())
        }
        _ => return None,
    };
    Some(answer)
}

fn applications(identity: &Identity) -> Answer {
    let all = identity.directory.applications();
    let shown: Vec<_> = all.iter().map(Application::shown).collect();
    Answer::items(200, &shown)
}

fn put_application(identity: &Identity, body: &[u8]) -> Result<Answer, Refusal> {
    let application = json::read_object::<Application>(body)?;
    check_name("client_id", &application.client_id)?;
    let answer = Answer::json(200, &application.shown());
    identity.directory.put_application(application);
    Ok(answer)
}

fn put_user(identity: &Identity, body: &[u8]) -> Result<Answer, Refusal> {
    let user = json::read_object::<User>(body)?;
    check_name("upn", &user.upn)?;
    let answer = Answer::json(200, &user);
    identity.directory.put_user(user);
    Ok(answer)
}

fn check_name(field: &str, name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::invalid(format!("{field}: must not be empty")));
    }
    Ok(())
}

fn delete(name: &str, remove: impl FnOnce(&str) -> bool) -> Result<Answer, Refusal> {
    let name = percent_decode(name)?;
    if remove(&name) {
        return Ok(Answer::empty());
    }
    Err(Refusal::NotFound {
        message: format!("There is no '{name}' in the directory"),
        missing: Vec::new(),
    })
}

#[derive(Debug, Serialize)]
struct ShownClock {
    offset_ms: i64,
    now_ms: i64,
}

/// One of the two is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    offset_ms: Option<i64>,
    advance_ms: Option<i64>,
}

fn clock(identity: &Identity) -> Answer {
    let (offset_ms, now_ms) = (identity.clock.offset_ms(), identity.clock.now_ms());
    Answer::json(200, &ShownClock { offset_ms, now_ms })
}

fn set_clock(identity: &Identity, body: &[u8]) -> Result<Answer, Refusal> {
    match json::read_object::<ClockChange>(body)? {
        ClockChange {
            offset_ms: Some(offset_ms),
            advance_ms: None,
        } => identity.clock.set_offset_ms(offset_ms),
        ClockChange {
            offset_ms: None,
            advance_ms: Some(advance_ms),
        } => identity.clock.advance_ms(advance_ms),
        _ => {
            return Err(Refusal::invalid(
                "Give either offset_ms or advance_ms, not both",
            ));
        }
    }
    Ok(clock(identity))
}
