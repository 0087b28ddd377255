//! The identity provider's token endpoint: client credentials and on-behalf-of.
//!
//! Owns the form that is posted and the reading of the answer. Promises that neither the
//! secret nor a token is in an error. Never caches.

use super::answer::{Answer, presentable};
use super::percent;
use super::redaction;
use super::transport;
use super::unanswered::untrusted;
use super::{AttemptFailure, Credentials, Secret};
use crate::diagnostic::{Diagnostic, SqlState};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;
use std::time::Duration;

/// Bytes of an answer that are read: tokens with many groups reach some ten kilobytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// What a token lives when the provider does not say; RFC 6749 leaves it open.
const LIFETIME_UNSAID: Duration = Duration::from_secs(300);

/// A year: keeps additions to a clock in range, whatever a provider says.
const LIFETIME_MAX_S: f64 = 31_536_000.0;

/// How Microsoft Entra's description begins where nobody has consented to the scope.
const ENTRA_WITHOUT_CONSENT: &str = "AADSTS65001";

/// The grant that exchanges a user's token for another one, by RFC 7523 as Entra ID has it.
const ON_BEHALF_OF: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A token, as the provider granted it.
pub struct Granted {
    pub access_token: String,
    pub lifetime: Duration,
    /// What it comes from must be renewed within that time, though the token lives longer.
    pub renew_within: Option<Duration>,
}

/// Asks the provider for a token.
///
/// # Errors
/// `Retry` for a provider that is away or overloaded; `Stop` with 28000 for one that refuses.
/// After `timeout` it counts as away: an attempt has more to do than to wait for a token.
pub async fn fetch(
    http: &reqwest::Client,
    credentials: &Credentials,
    timeout: Duration,
) -> Result<Granted, AttemptFailure> {
    let (token_url, secrets, fields) = match credentials {
        Credentials::ClientCredentials {
            token_url,
            client_id,
            client_secret,
            scope,
            audience,
        } => (
            token_url,
            vec![client_secret],
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", client_id),
                ("client_secret", client_secret.expose()),
                ("scope", scope),
                ("audience", audience),
            ],
        ),
        Credentials::OnBehalfOf {
            token_url,
            client_id,
            client_secret,
            scope,
            assertion,
            ..
        } => (
            token_url,
            vec![client_secret, assertion],
            vec![
                ("grant_type", ON_BEHALF_OF),
                ("requested_token_use", "on_behalf_of"),
                ("client_id", client_id),
                ("client_secret", client_secret.expose()),
                ("scope", scope),
                ("assertion", assertion.expose()),
            ],
        ),
        Credentials::FixedToken(_) | Credentials::Session(_) | Credentials::CallerToken { .. } => {
            return Err(stop(
                "such credentials are not fetched from an identity provider",
                "Give this user client credentials.",
            ));
        }
    };
    let mut form = String::new();
    for (name, value) in fields {
        if !value.is_empty() {
            percent::push_form_field(&mut form, name, value);
        }
    }
    let exchange = async {
        let response = http
            .post(token_url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form)
            .send()
            .await?;
        transport::read(response, ANSWER_BYTES_MAX).await
    };
    match tokio::time::timeout(timeout, exchange).await {
        Ok(Ok(answer)) => read_answer(&answer, token_url, &secrets),
        Ok(Err(error)) => Err(unreachable(token_url, &error)),
        Err(_) => Err(unanswered(token_url, "no answer in time")),
    }
}

fn unreachable(token_url: &str, error: &reqwest::Error) -> AttemptFailure {
    if error.is_builder() {
        return stop(
            format!(
                "token_url is not an address: {}",
                presentable(token_url, 200)
            ),
            "Set token_url to the identity provider's token endpoint.",
        );
    }
    if let Some(why) = transport::untrusted_certificate(error) {
        return AttemptFailure::Stop {
            reason: untrusted("the identity provider", &presentable(token_url, 200), &why),
        };
    }
    unanswered(token_url, &transport::cause(error))
}

/// Nobody answered, or too late.
fn unanswered(token_url: &str, cause: &str) -> AttemptFailure {
    AttemptFailure::Retry {
        retry_after: None,
        // Whatever became of the token request, nothing was written to CDF.
        answered: true,
        status: None,
        throttle: None,
        reason: Box::new(
            Diagnostic::error(
                SqlState::CONNECTION_FAILURE,
                format!(
                    "the identity provider at {} cannot be reached: {}",
                    presentable(token_url, 200),
                    cause
                ),
            )
            .with_detail("No token, so nothing was sent to CDF.")
            .with_hint("Check token_url and the network between the gateway and the provider."),
        ),
    }
}

fn read_answer(
    answer: &Answer,
    token_url: &str,
    secrets: &[&Secret],
) -> Result<Granted, AttemptFailure> {
    let token_url = presentable(token_url, 200);
    let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or(Value::Null);
    if answer.status == 200 {
        let token = body.get("access_token").and_then(Value::as_str);
        let Some(access_token) = token.filter(|token| !token.is_empty()) else {
            // Not a refusal: whoever answers there is no identity provider. Its words are not
            // passed on: among them may be a token that did not stand where it should.
            return Err(AttemptFailure::Stop {
                reason: Box::new(
                    Diagnostic::error(
                        SqlState::CONNECTION_FAILURE,
                        format!("{token_url} answered without an access_token"),
                    )
                    .with_detail(format!("The answer is {}.", answer.in_words()))
                    .with_hint("Set token_url to the identity provider's token endpoint."),
                ),
            });
        };
        return Ok(Granted {
            access_token: access_token.to_owned(),
            lifetime: lifetime(body.get("expires_in")),
            renew_within: None,
        });
    }
    let code = body.get("error").and_then(Value::as_str).unwrap_or("");
    let description = body
        .get("error_description")
        .and_then(Value::as_str)
        .unwrap_or("");
    let said = match (code, description) {
        ("", "") => answer.error().message,
        (code, "") => code.to_owned(),
        (code, description) => format!("{code}: {description}"),
    };
    // A provider that echoes the form must not bring the secret into a log.
    let said = presentable(&redaction::without(&said, secrets), 500);
    let detail = format!("{token_url} said: {said} ({}).", answer.in_words());
    if matches!(answer.status, 408 | 425 | 429 | 500..=599)
        || matches!(code, "temporarily_unavailable" | "server_error")
    {
        return Err(AttemptFailure::Retry {
            retry_after: answer.retry_after,
            answered: true,
            // CDF's statuses tell what may be in CDF: this one is not CDF's.
            status: None,
            throttle: None,
            reason: Box::new(
                Diagnostic::error(
                    SqlState::CONNECTION_FAILURE,
                    "the identity provider gives no token for now",
                )
                .with_detail(detail)
                .with_hint("Try again later."),
            ),
        });
    }
    let sqlstate = match code {
        // No provider says no like that: something else stands there.
        "" if answer.status != 401 => SqlState::CONNECTION_FAILURE,
        _ => SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
    };
    let wants_consent = code == "consent_required"
        || body.get("suberror").and_then(Value::as_str) == Some("consent_required")
        || description.starts_with(ENTRA_WITHOUT_CONSENT);
    let (message, hint) = match code {
        _ if wants_consent => (
            "the identity provider wants an administrator's consent to the scope",
            "Let an administrator grant it: in Entra ID under API permissions, Grant admin consent.",
        ),
        "invalid_client" | "unauthorized_client" => (
            "the identity provider does not accept the client id or its secret",
            "Check client_id and the secret of this user: it may have expired, or be the \
             secret's id and not its value.",
        ),
        "invalid_scope" | "invalid_target" => (
            "the identity provider does not accept the scope or the audience",
            "For Entra ID the scope is the base URL of the CDF cluster followed by /.default.",
        ),
        "invalid_grant" => (
            "the identity provider gives no token in this user's name",
            "Sign in with a new token.",
        ),
        "unsupported_grant_type" => (
            "the identity provider does not offer client credentials here",
            "Set token_url to the token endpoint, and allow the client this grant.",
        ),
        _ => (
            "the identity provider gives no token",
            "Check token_url, client_id, scope and audience of this user.",
        ),
    };
    Err(AttemptFailure::Stop {
        reason: Box::new(
            Diagnostic::error(sqlstate, message)
                .with_detail(detail)
                .with_hint(hint),
        ),
    })
}

/// `expires_in` in seconds; some providers send it as a string.
pub(super) fn lifetime(expires_in: Option<&Value>) -> Duration {
    let seconds = match expires_in {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    match seconds {
        Some(seconds) if seconds > 0.0 => Duration::from_secs_f64(seconds.min(LIFETIME_MAX_S)),
        _ => LIFETIME_UNSAID,
    }
}

fn stop(message: impl Into<String>, hint: &str) -> AttemptFailure {
    let sqlstate = SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
    AttemptFailure::Stop {
        reason: Box::new(Diagnostic::error(sqlstate, message).with_hint(hint)),
    }
}
