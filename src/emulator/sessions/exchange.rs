//! `POST /sessions/token`: a nonce, or a session's id and key, for a token.
//!
//! Owns the exchange. It needs no bearer token: who has the nonce or the key has the
//! session. Each renewal gives a new key. The one before stays good once, so that a lost
//! answer does not lose the session. A session of the one-shot kind gets one token, and no
//! key.

use super::session::{SessionFault, SessionKind, SessionStatus, ms};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::identity::{Order, TokenVersion, hash};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// One of the two forms.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenRequest {
    nonce: Option<String>,
    session_id: Option<i64>,
    session_key: Option<String>,
}

/// `POST /sessions/token`
pub fn token(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = call.json::<TokenRequest>()?;
    let now_ms = call.emulator.identity.clock.now_ms();
    let access = call.access();
    let id = match (request.nonce, request.session_id, request.session_key) {
        (Some(nonce), None, None) => access
            .sessions
            .bind(&hash(&nonce), now_ms)
            .ok_or_else(|| Refusal::invalid("Nonce not found"))?
            .map_err(refusal)?,
        (None, Some(id), Some(key)) => {
            let mut sessions = access.sessions.lock();
            let session = sessions.get_mut(&id).ok_or_else(not_found)?;
            session.unlock(&hash(&key), now_ms).map_err(refusal)?;
            id
        }
        _ => {
            return Err(Refusal::invalid(
                "Request must contain either nonce, or sessionId and sessionKey",
            ));
        }
    };
    give(call, id, now_ms)
}

/// Issues a token to a session that has been opened.
fn give(call: &Call<'_>, id: i64, now_ms: i64) -> Result<Answer, Refusal> {
    let identity = &call.emulator.identity;
    let access = call.access();
    let mut sessions = access.sessions.lock();
    let session = sessions.get_mut(&id).ok_or_else(not_found)?;
    let Some(holder) = session.source.holder(identity) else {
        session.lose(now_ms);
        return Err(refusal(SessionFault::Ended(SessionStatus::AccessLost)));
    };
    let lifetime_s = i64::try_from(identity.tokens.lifetime_s()).unwrap_or(i64::MAX);
    let order = Order {
        holder,
        version: TokenVersion::default(),
        tenant: session.tenant.clone(),
        audience: identity.base_url.as_str().into(),
        lifetime_s,
        scope: None,
    };
    let token = identity.issue(&order, Some(Arc::clone(&session.end_ms)))?;
    let mut answer = json!({"id": id, "accessToken": token, "expiresIn": lifetime_s});
    if session.kind == SessionKind::OneshotTokenExchange {
        session.live_until(now_ms.saturating_add(lifetime_s.saturating_mul(1_000)));
    } else {
        let settings = call.emulator.access.session_settings();
        let key = secret_text();
        session.set_key(&key);
        session.live_until(now_ms.saturating_add(ms(settings.lifetime_s)));
        answer["mustRefreshIn"] = settings.lifetime_s.into();
        answer["sessionKey"] = key.into();
    }
    Ok(Answer::json(200, &answer))
}

/// A text that nobody can guess.
pub fn secret_text() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn not_found() -> Refusal {
    Refusal::invalid("Session not found")
}

fn refusal(fault: SessionFault) -> Refusal {
    match fault {
        SessionFault::NonceUsed => Refusal::invalid("Nonce has already been used"),
        SessionFault::NonceExpired => Refusal::invalid("Nonce has expired"),
        SessionFault::WrongKey => not_found(),
        SessionFault::Ended(status) => {
            Refusal::invalid(format!("Session is not active: {}", status.name()))
        }
    }
}
