//! Sessions of CDF: nonces and keys, exchanged for tokens.
//!
//! Owns the calls to the exchange endpoint, which CDF keeps for its own services. Promises that a
//! nonce is sent once, and that neither nonce, key nor token is in an error. Never caches.

use super::answer::{Answer, presentable};
use super::token_endpoint::{Granted, lifetime};
use super::transport;
use super::{AttemptFailure, CdfClient, Secret, SessionCredentials};
use crate::diagnostic::{Diagnostic, SqlState};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};
use std::time::Duration;

/// Bytes of an answer that are read: tokens with many groups reach some ten kilobytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// What a nonce was exchanged for.
#[derive(Debug)]
pub struct RedeemedSession {
    pub id: i64,
    /// For the next exchange.
    pub key: Secret,
    pub access_token: Secret,
}

/// Why a nonce was not redeemed, by what to do next.
#[derive(Debug, thiserror::Error)]
pub enum RedeemFault {
    /// Make another session: this nonce is good for nothing any more. Holds CDF's words.
    #[error("the nonce was refused: {0}")]
    Refused(String),
    /// Try again with another nonce later.
    #[error("the session exchange endpoint {0}")]
    Away(String),
    /// Set the right address: what answers there is no exchange of sessions.
    #[error(
        "the session exchange endpoint at {0} does not answer as one: check accounts.session_exchange_url"
    )]
    Unusable(String),
}

/// A token of a session, and the key of the next exchange, if it changes.
pub(super) struct Exchanged {
    pub granted: Granted,
    pub key: Option<Secret>,
}

enum Fault {
    Unreachable(String),
    Answered(Box<Answer>),
    Unusable,
}

impl CdfClient {
    /// Makes a session the gateway's own. Whatever comes of it, the nonce cannot be used again.
    ///
    /// # Errors
    /// See [`RedeemFault`].
    pub async fn redeem_nonce(
        &self,
        exchange_url: &str,
        nonce: &Secret,
    ) -> Result<RedeemedSession, RedeemFault> {
        let shown = presentable(exchange_url, 200);
        let http = self.http(exchange_url).map_err(|failure| {
            RedeemFault::Away(format!("at {shown}: {}", failure.reason().message))
        })?;
        let body = json!({"nonce": nonce.expose()});
        let (exchanged, id) = match exchange(http, exchange_url, &body).await {
            Ok(exchanged) => exchanged,
            Err(Fault::Unreachable(cause)) => {
                return Err(RedeemFault::Away(format!(
                    "at {shown} cannot be reached: {cause}"
                )));
            }
            Err(Fault::Answered(answer)) if is_away(answer.status) => {
                return Err(RedeemFault::Away(format!(
                    "at {shown} does not work for now: {}",
                    answer.in_words()
                )));
            }
            Err(Fault::Answered(answer)) if matches!(answer.status, 404 | 405) => {
                return Err(RedeemFault::Unusable(shown));
            }
            Err(Fault::Answered(answer)) => {
                return Err(RedeemFault::Refused(answer.error().message));
            }
            Err(Fault::Unusable) => return Err(RedeemFault::Unusable(shown)),
        };
        match (id, exchanged.key) {
            (Some(id), Some(key)) => Ok(RedeemedSession {
                id,
                key,
                access_token: Secret::new(exchanged.granted.access_token),
            }),
            _ => Err(RedeemFault::Unusable(shown)),
        }
    }
}

/// A token for `session`, with its present key.
///
/// # Errors
/// `Retry` for an endpoint that is away or overloaded; `Stop` with 28000 for a session that has
/// ended.
pub(super) async fn fetch(
    http: &reqwest::Client,
    session: &SessionCredentials,
    timeout: Duration,
) -> Result<Exchanged, AttemptFailure> {
    let body = json!({"sessionId": session.id, "sessionKey": session.key().expose()});
    let shown = presentable(&session.exchange_url, 200);
    let exchanged = exchange(http, &session.exchange_url, &body);
    match tokio::time::timeout(timeout, exchanged).await {
        Ok(Ok((exchanged, _))) => Ok(exchanged),
        Ok(Err(Fault::Unreachable(cause))) => Err(away(&format!("at {shown}: {cause}"), None)),
        Err(_) => Err(away(&format!("at {shown}: no answer in time"), None)),
        Ok(Err(Fault::Answered(answer))) if is_away(answer.status) => Err(away(
            &format!("at {shown} says {}", answer.in_words()),
            Some(&answer),
        )),
        Ok(Err(Fault::Answered(answer))) => {
            let said = presentable(&answer.error().message, 500);
            Err(ended(
                session.id,
                format!("{said} ({}).", answer.in_words()),
            ))
        }
        Ok(Err(Fault::Unusable)) => Err(AttemptFailure::Stop {
            reason: Box::new(
                Diagnostic::error(
                    SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                    format!("{shown} does not answer as an exchange of sessions does"),
                )
                .with_hint("Check accounts.session_exchange_url."),
            ),
        }),
    }
}

async fn exchange(
    http: &reqwest::Client,
    exchange_url: &str,
    body: &Value,
) -> Result<(Exchanged, Option<i64>), Fault> {
    let sent = http
        .post(exchange_url)
        .header(CONTENT_TYPE, super::client::JSON)
        .header(ACCEPT, super::client::JSON)
        .body(body.to_string())
        .send()
        .await;
    let answer = match sent {
        Ok(response) => transport::read(response, ANSWER_BYTES_MAX).await,
        Err(error) => Err(error),
    };
    let answer = answer.map_err(|error| Fault::Unreachable(transport::cause(&error)))?;
    if answer.status != 200 {
        return Err(Fault::Answered(Box::new(answer)));
    }
    let body: Value = serde_json::from_slice(&answer.body).map_err(|_| Fault::Unusable)?;
    let token = body.get("accessToken").and_then(Value::as_str);
    let token = token.filter(|token| !token.is_empty());
    let access_token = token.ok_or(Fault::Unusable)?.to_owned();
    // Whichever comes first: the token ends, or CDF wants the session renewed.
    let expires = lifetime(body.get("expiresIn"));
    let lifetime = match body.get("mustRefreshIn") {
        None | Some(Value::Null) => expires,
        refresh => lifetime(refresh).min(expires),
    };
    let key = body.get("sessionKey").and_then(Value::as_str);
    let exchanged = Exchanged {
        granted: Granted {
            access_token,
            lifetime,
        },
        key: key.map(Secret::new),
    };
    Ok((exchanged, body.get("id").and_then(Value::as_i64)))
}

fn is_away(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

fn away(what: &str, answer: Option<&Answer>) -> AttemptFailure {
    AttemptFailure::Retry {
        retry_after: answer.and_then(|answer| answer.retry_after),
        // Whatever became of the exchange, nothing was written to CDF.
        answered: true,
        status: answer.map(|answer| answer.status),
        throttle: None,
        reason: Box::new(
            Diagnostic::error(
                SqlState::CONNECTION_FAILURE,
                format!("the session cannot be exchanged for a token: the endpoint {what}"),
            )
            .with_detail("No token, so nothing was sent to CDF.")
            .with_hint("Try again later; check accounts.session_exchange_url if it stays so."),
        ),
    }
}

fn ended(id: i64, said: String) -> AttemptFailure {
    AttemptFailure::Stop {
        reason: Box::new(
            Diagnostic::error(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                format!("CDF has ended the session {id} of this user"),
            )
            .with_detail(format!("CDF said: {said}"))
            .with_hint(
                "Make a new session in CDF and give its nonce to the user (POST \
                 …/postgresgateway/update).",
            ),
        ),
    }
}
