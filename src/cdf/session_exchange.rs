//! Sessions of CDF: nonces and keys, exchanged for tokens.
//!
//! Owns the calls to the exchange endpoint, which CDF keeps for its own services. Promises that a
//! nonce is sent once, and that neither nonce, key nor token is in an error. Never caches.

use super::answer::{Answer, presentable};
use super::redaction;
use super::token_endpoint::{Granted, lifetime};
use super::transport;
use super::{AttemptFailure, CdfClient, Secret, SessionCredentials};
use crate::diagnostic::{Diagnostic, SqlState};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};
use std::time::Duration;

/// Bytes of an answer that are read: tokens with many groups reach some ten kilobytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// What to look at when the endpoint is none.
const CHECK_ADDRESS: &str = "Check accounts.session_exchange_url.";

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

/// Why there is no token, by whose fault it is.
enum Fault {
    /// Nobody answers, or nobody has time: how, and the answer if there is one.
    Away(String, Option<Box<Answer>>),
    /// The endpoint says no, in these words.
    Refused(String),
    /// Something else answers: what.
    Unusable(Box<Answer>),
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
        let (exchanged, id) =
            exchange(http, exchange_url, &body, nonce)
                .await
                .map_err(|fault| match fault {
                    Fault::Away(how, _) => RedeemFault::Away(format!("at {shown} {how}")),
                    Fault::Refused(said) => RedeemFault::Refused(said),
                    Fault::Unusable(_) => RedeemFault::Unusable(shown.clone()),
                })?;
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
/// ended, and with 08006 for an address where no sessions are exchanged.
pub(super) async fn fetch(
    http: &reqwest::Client,
    session: &SessionCredentials,
    timeout: Duration,
) -> Result<Exchanged, AttemptFailure> {
    let key = session.key();
    let body = json!({"sessionId": session.id, "sessionKey": key.expose()});
    let shown = presentable(&session.exchange_url, 200);
    let exchanged = exchange(http, &session.exchange_url, &body, &key);
    let fault = match tokio::time::timeout(timeout, exchanged).await {
        Ok(Ok((exchanged, _))) => return Ok(exchanged),
        Ok(Err(fault)) => fault,
        Err(_) => Fault::Away("does not answer in time".to_owned(), None),
    };
    Err(match fault {
        Fault::Away(how, answer) => AttemptFailure::Retry {
            reason: Box::new(
                Diagnostic::error(
                    SqlState::CONNECTION_FAILURE,
                    format!(
                        "the session cannot be exchanged for a token: the endpoint at {shown} {how}"
                    ),
                )
                .with_detail(match &answer {
                    Some(answer) => format!("CDF said: {}.", words(answer, &key)),
                    None => "No token, so nothing was sent to CDF.".to_owned(),
                })
                .with_hint(CHECK_ADDRESS),
            ),
            retry_after: answer.as_ref().and_then(|answer| answer.retry_after),
            // Whatever became of the exchange, nothing was written to CDF: its status tells nothing
            // of rows.
            answered: true,
            status: None,
            throttle: None,
        },
        Fault::Refused(said) => AttemptFailure::Stop {
            reason: Box::new(
                Diagnostic::error(
                    SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                    format!("CDF has ended the session {} of this user", session.id),
                )
                .with_detail(format!("CDF said: {said}."))
                .with_hint(
                    "Make a new session in CDF and give its nonce to the user (POST \
                     …/postgresgateway/update).",
                ),
            ),
        },
        Fault::Unusable(answer) => AttemptFailure::Stop {
            reason: Box::new(
                Diagnostic::error(
                    SqlState::CONNECTION_FAILURE,
                    format!("{shown} does not answer as an exchange of sessions does"),
                )
                .with_detail(format!("The answer is {}.", answer.in_words()))
                .with_hint(CHECK_ADDRESS),
            ),
        },
    })
}

/// Posts `body`, whose `secret` must not come back in words.
async fn exchange(
    http: &reqwest::Client,
    exchange_url: &str,
    body: &Value,
    secret: &Secret,
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
    let answer = answer.map_err(|error| {
        Fault::Away(
            format!("cannot be reached: {}", transport::cause(&error)),
            None,
        )
    })?;
    if answer.status != 200 {
        return Err(refusal(answer, secret));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let token = body.get("accessToken").and_then(Value::as_str);
    let Some(access_token) = token.filter(|token| !token.is_empty()) else {
        return Err(Fault::Unusable(Box::new(answer)));
    };
    let access_token = access_token.to_owned();
    let renew_within = body
        .get("mustRefreshIn")
        .filter(|within| !within.is_null())
        .map(|within| lifetime(Some(within)));
    let key = body.get("sessionKey").and_then(Value::as_str);
    let exchanged = Exchanged {
        granted: Granted {
            access_token,
            lifetime: lifetime(body.get("expiresIn")),
            renew_within,
        },
        key: key.map(Secret::new),
    };
    Ok((exchanged, body.get("id").and_then(Value::as_i64)))
}

/// What an answer without success means.
fn refusal(answer: Answer, secret: &Secret) -> Fault {
    let error = answer.error();
    match answer.status {
        408 | 425 | 429 | 500..=599 => Fault::Away(
            format!("does not work for now: {}", answer.in_words()),
            Some(Box::new(answer)),
        ),
        // A page or an empty body is not CDF's.
        401 | 400 | 403 | 410 | 422 if error.from_cdf || answer.status == 401 => {
            Fault::Refused(words(&answer, secret))
        }
        _ => Fault::Unusable(Box::new(answer)),
    }
}

/// What an answer says, without `secret`, and where to find it again.
fn words(answer: &Answer, secret: &Secret) -> String {
    let message = redaction::without(&answer.error().message, &[secret]);
    format!("{} ({})", presentable(&message, 500), answer.in_words())
}
