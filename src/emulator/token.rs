//! Sign-in: the token endpoint, and who a bearer token stands for.
//!
//! Owns the tokens that were issued. The identity of a request is the **client id**, not
//! the token's text, so that a refreshed token keeps its budget. Tokens look like JWTs,
//! but nothing in them is signed: this is a local stand-in for an identity provider, not
//! one. Never stores or logs a secret.

use super::answer::Answer;
use super::checksum;
use super::clock;
use super::options::ClientCredentials;
use super::query::{Query, percent_decode};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lifetime of a token unless told otherwise: the hour that identity providers give.
pub const TOKEN_LIFETIME_S: u64 = 3_600;

/// Issued tokens and the rules for accepting them.
#[derive(Debug)]
pub struct Tokens {
    clients: Vec<ClientCredentials>,
    accept_any: bool,
    lifetime_s: AtomicU64,
    sequence: AtomicU64,
    issued: Mutex<HashMap<String, Issued>>,
}

#[derive(Debug, Clone)]
struct Issued {
    client_id: String,
    expires_at_ms: i64,
}

/// Why a bearer token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    Absent,
    Unknown,
    Expired,
}

impl Tokens {
    pub fn new(clients: Vec<ClientCredentials>, accept_any: bool) -> Self {
        Self {
            clients,
            accept_any,
            lifetime_s: AtomicU64::new(TOKEN_LIFETIME_S),
            sequence: AtomicU64::new(0),
            issued: Mutex::new(HashMap::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Issued>> {
        // Whole entries are inserted and removed: a panic leaves none half written.
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lifetime of the tokens issued from now on.
    pub fn set_lifetime_s(&self, lifetime_s: u64) {
        self.lifetime_s.store(lifetime_s, Ordering::Relaxed);
    }

    pub fn lifetime_s(&self) -> u64 {
        self.lifetime_s.load(Ordering::Relaxed)
    }

    /// Ends every token that was issued so far.
    pub fn expire_all(&self) {
        let now_ms = clock::now_ms();
        for token in self.lock().values_mut() {
            token.expires_at_ms = token.expires_at_ms.min(now_ms);
        }
    }

    /// Ends one token, whoever issued it.
    pub fn expire(&self, token: &str) {
        let now_ms = clock::now_ms();
        let ended = Issued {
            client_id: identity_of_foreign(token),
            expires_at_ms: now_ms,
        };
        self.lock()
            .entry(token.to_owned())
            .and_modify(|known| known.expires_at_ms = known.expires_at_ms.min(now_ms))
            .or_insert(ended);
    }

    /// The token endpoint: client credentials as a form, or the pair as a Basic header.
    pub fn issue(&self, authorization: Option<&str>, form: &[u8]) -> Answer {
        let Some(form) = std::str::from_utf8(form)
            .ok()
            .and_then(|text| Query::parse(text).ok())
        else {
            return oauth_error(400, "invalid_request", "the body is not a form");
        };
        match form.get("grant_type") {
            Some("client_credentials") => {}
            Some(_) => return oauth_error(400, "unsupported_grant_type", "use client_credentials"),
            None => return oauth_error(400, "invalid_request", "grant_type is missing"),
        }
        let pair = match authorization {
            Some(header) => basic_pair(header),
            None => form.get("client_id").zip(form.get("client_secret")).map(
                |(client_id, client_secret)| ClientCredentials {
                    client_id: client_id.to_owned(),
                    client_secret: client_secret.to_owned(),
                },
            ),
        };
        let Some(pair) = pair.filter(|pair| !pair.client_id.is_empty()) else {
            return oauth_error(
                401,
                "invalid_client",
                "client_id and client_secret are needed",
            );
        };
        if !self.clients.is_empty() && !self.clients.contains(&pair) {
            return oauth_error(
                401,
                "invalid_client",
                "unknown client_id or wrong client_secret",
            );
        }
        let scope = form.get("scope").unwrap_or_default().to_owned();
        let lifetime_s = self.lifetime_s();
        Answer::json(
            200,
            &json!({
                "access_token": self.mint(pair.client_id, lifetime_s),
                "token_type": "Bearer",
                "expires_in": lifetime_s,
                "scope": scope,
            }),
        )
    }

    fn mint(&self, client_id: String, lifetime_s: u64) -> String {
        let now_ms = clock::now_ms();
        let lifetime_ms = i64::try_from(lifetime_s.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let expires_at_ms = now_ms.saturating_add(lifetime_ms);
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        let header = json!({"alg": "none", "typ": "JWT"});
        let claims = json!({
            "sub": client_id, "client_id": client_id, "jti": number,
            "iat": now_ms / 1_000, "exp": expires_at_ms / 1_000,
        });
        let token = format!(
            "{}.{}.{:016x}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string()),
            rand::random::<u64>()
        );
        let mut issued = self.lock();
        // Tokens that ended long ago would only add up; keep an hour of them so that their
        // late users hear "expired" and not "unknown".
        issued.retain(|_, token| token.expires_at_ms > now_ms - 3_600_000);
        issued.insert(
            token.clone(),
            Issued {
                client_id,
                expires_at_ms,
            },
        );
        token
    }

    /// The identity behind an `Authorization` header.
    pub fn identity(&self, authorization: Option<&str>) -> Result<String, TokenFault> {
        let token = authorization.and_then(bearer).ok_or(TokenFault::Absent)?;
        match self.lock().get(token) {
            Some(known) if known.expires_at_ms <= clock::now_ms() => Err(TokenFault::Expired),
            Some(known) => Ok(known.client_id.clone()),
            None if self.accept_any => Ok(identity_of_foreign(token)),
            None => Err(TokenFault::Unknown),
        }
    }
}

/// The token of a bearer header.
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The claim of a JWT that names its client; for other texts a name made from their hash,
/// so that a fixed token is one identity.
fn identity_of_foreign(token: &str) -> String {
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    ["client_id", "azp", "appid", "sub"]
        .iter()
        .find_map(|claim| Some(claims.as_ref()?.get(claim)?.as_str()?.to_owned()))
        .unwrap_or_else(|| format!("token-{:016x}", checksum::bytes(token.as_bytes())))
}

fn basic_pair(header: &str) -> Option<ClientCredentials> {
    let (scheme, text) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (client_id, client_secret) = text.split_once(':')?;
    // RFC 6749 2.3.1 form-encodes both parts before they are joined.
    let decode = |part: &str| percent_decode(&part.replace('+', " ")).ok();
    Some(ClientCredentials {
        client_id: decode(client_id)?,
        client_secret: decode(client_secret)?,
    })
}

fn oauth_error(status: u16, error: &str, description: &str) -> Answer {
    Answer::json(
        status,
        &json!({"error": error, "error_description": description}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::answer::Content;

    fn token_of(answer: &Answer) -> Option<String> {
        let Content::Json(body) = &answer.content else {
            return None;
        };
        let value: Value = serde_json::from_slice(body).ok()?;
        Some(format!("Bearer {}", value.get("access_token")?.as_str()?))
    }

    #[test]
    fn the_identity_is_the_client_id_whatever_the_token() {
        let tokens = Tokens::new(Vec::new(), false);
        let form = b"grant_type=client_credentials&client_id=line%201&client_secret=x";
        let (first, second) = (tokens.issue(None, form), tokens.issue(None, form));
        let (first, second) = (token_of(&first), token_of(&second));
        assert_ne!(first, second);
        assert_eq!(tokens.identity(first.as_deref()), Ok("line 1".to_owned()));
        assert_eq!(tokens.identity(second.as_deref()), Ok("line 1".to_owned()));
    }

    #[test]
    fn an_expired_token_is_told_apart_from_an_unknown_one() {
        let tokens = Tokens::new(Vec::new(), false);
        tokens.set_lifetime_s(0);
        let issued = tokens.issue(
            None,
            b"grant_type=client_credentials&client_id=a&client_secret=b",
        );
        let header = token_of(&issued);
        assert_eq!(tokens.identity(header.as_deref()), Err(TokenFault::Expired));
        assert_eq!(tokens.identity(Some("Bearer x")), Err(TokenFault::Unknown));
        assert_eq!(tokens.identity(None), Err(TokenFault::Absent));
    }

    #[test]
    fn a_fixed_token_is_one_identity_where_any_token_is_accepted() {
        let tokens = Tokens::new(Vec::new(), true);
        assert_eq!(
            tokens.identity(Some("Bearer x")),
            tokens.identity(Some("bearer x"))
        );
        assert_ne!(
            tokens.identity(Some("Bearer x")),
            tokens.identity(Some("Bearer y"))
        );
    }
}
