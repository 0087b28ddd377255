//! Access tokens: in the place of a password, and by SASL OAUTHBEARER.
//!
//! Owns the two exchanges. Promises that a token is overwritten in memory once it was checked, that
//! a log says why one was refused and never what it was, and that guesses count as failures. Never
//! runs without TLS: the rules see to that.

use super::super::ending::Ending;
use super::super::frame::violation;
use super::super::reply::put;
use super::super::transport::Transport;
use super::bearer::{self, OAUTHBEARER_METHOD, SEPARATOR};
use super::message::{receive, receive_secret};
use super::{Applicant, Refused};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::oidc::{TOKEN_BYTES_MAX, TokenCheck, TokenRefusal, TokenUser};
use crate::telemetry::{ConnectionEnd, SignInFailure};
use pgwire::messages::startup::Authentication;

/// A token, with the length before it and the NUL behind it.
const PASSWORD_MESSAGE_BYTES_MAX: u32 = TOKEN_BYTES_MAX as u32 + 5;

/// The same with what OAUTHBEARER puts around it.
const BEARER_MESSAGE_BYTES_MAX: u32 = TOKEN_BYTES_MAX as u32 + 1_024;

/// Asks for a password in clear, and takes it for a token.
pub(super) async fn as_password(
    transport: &mut Transport,
    tokens: &TokenCheck,
    issuer: Option<&str>,
    applicant: &Applicant<'_>,
) -> Result<TokenUser, Refused> {
    put(&mut transport.output, &Authentication::CleartextPassword);
    let bytes_max = applicant.message_bytes_max.min(PASSWORD_MESSAGE_BYTES_MAX);
    let message = receive_secret(transport, bytes_max, applicant.meters).await?;
    // Guesses may have failed on other connections while this one waited.
    applicant.may_try()?;
    let token = match message.split_last() {
        Some((0, token)) => std::str::from_utf8(token).ok(),
        _ => None,
    };
    let Some(token) = token else {
        return Err(Refused::counted(
            SignInFailure::ProtocolError,
            violation("malformed password message"),
        ));
    };
    check(tokens, token, issuer, applicant)
        .await
        .map_err(|refusal| Refused::counted(refusal.failure(), refusal.diagnostic(applicant.user)))
}

/// Runs OAUTHBEARER: the client shows a token, or asks where to get one.
pub(super) async fn as_bearer(
    transport: &mut Transport,
    tokens: &TokenCheck,
    issuer: &str,
    scope: &str,
    applicant: &Applicant<'_>,
) -> Result<TokenUser, Refused> {
    let malformed = |diagnostic| Refused::counted(SignInFailure::ProtocolError, diagnostic);
    put(
        &mut transport.output,
        &Authentication::SASL(vec![OAUTHBEARER_METHOD.to_owned()]),
    );
    let bytes_max = applicant.message_bytes_max.min(BEARER_MESSAGE_BYTES_MAX);
    let initial = receive_secret(transport, bytes_max, applicant.meters).await?;
    applicant.may_try()?;
    let response = initial_response(&initial).map_err(malformed)?;
    let refusal = match bearer::token(response).map_err(malformed)? {
        Some(token) => match check(tokens, token, Some(issuer), applicant).await {
            Ok(token_user) => return Ok(token_user),
            Err(refusal) => Some(refusal),
        },
        None => None,
    };
    drop(initial);
    let discovery_url = tokens
        .issuer(issuer)
        .map_or_else(String::new, |issuer| issuer.discovery_url());
    let failure = bearer::failure(&discovery_url, scope);
    put(
        &mut transport.output,
        &Authentication::SASLContinue(failure.into()),
    );
    // The client acknowledges with an empty message; only then it may be told in words.
    let last = receive(transport, applicant.message_bytes_max, applicant.meters).await?;
    if last[..] != [SEPARATOR] {
        return Err(malformed(violation(
            "malformed OAUTHBEARER message: the failure is not acknowledged",
        )));
    }
    Err(match refusal {
        Some(refusal) => Refused::counted(refusal.failure(), refusal.diagnostic(applicant.user)),
        // Not a failure: the client comes back with a token.
        None => Refused::Ended(Ending::with_words(
            ConnectionEnd::Terminated,
            Box::new(
                Diagnostic::fatal(
                    SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                    format!("no token was sent for user \"{}\"", applicant.user),
                )
                .with_hint("Fetch one from the issuer that the server named."),
            ),
        )),
    })
}

/// Checks a token, counts a guess and logs the reason of a refusal.
async fn check(
    tokens: &TokenCheck,
    token: &str,
    issuer: Option<&str>,
    applicant: &Applicant<'_>,
) -> Result<TokenUser, TokenRefusal> {
    let checked = tokens.check(token, applicant.user, issuer).await;
    if let Err(refusal) = &checked {
        tracing::info!(
            address = %applicant.address,
            user = %applicant.user,
            reason = %refusal,
            "a token was refused"
        );
        if refusal.is_a_guess() {
            applicant.failed();
        }
    }
    checked
}

/// Takes a SASLInitialResponse apart; there is one mechanism.
fn initial_response(body: &[u8]) -> Result<&[u8], Box<Diagnostic>> {
    let name_bytes =
        memchr::memchr(0, body).ok_or_else(|| violation("invalid string in message"))?;
    if &body[..name_bytes] != OAUTHBEARER_METHOD.as_bytes() {
        return Err(violation(
            "client selected an invalid SASL authentication mechanism",
        ));
    }
    let (length, response) = body[name_bytes + 1..]
        .split_first_chunk::<4>()
        .ok_or_else(|| violation("insufficient data left in message"))?;
    if usize::try_from(i32::from_be_bytes(*length)) != Ok(response.len()) {
        return Err(violation(
            "malformed SASL initial response: its length does not fit the message",
        ));
    }
    Ok(response)
}
