//! SCRAM-SHA-256, with channel binding where TLS allows it.
//!
//! Owns the exchange of SASL messages; the cryptography is pgwire's. Promises that a wrong
//! password and an unknown name look and cost the same. Never accepts a password in clear.

use super::super::frame::violation;
use super::super::reply::put;
use super::super::scram::ScramVerifier;
use super::super::transport::Transport;
use super::message::receive;
use super::{Applicant, Refused};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::SignInFailure;
use bytes::{Buf, Bytes};
use pgwire::api::auth::sasl::scram::ScramServerAuth;
use pgwire::api::auth::sasl::{SCRAM_SHA_256_METHOD, SCRAM_SHA_256_PLUS_METHOD};
use pgwire::error::PgWireError;
use pgwire::messages::startup::Authentication;

/// Runs the exchange. `verifier` is a look-alike where there is no such user, as `is_known` says.
///
/// # Errors
/// FATAL 28P01 for a wrong password or an unknown user, FATAL 08P01 for messages that make no
/// sense.
pub(super) async fn run(
    transport: &mut Transport,
    scram: &ScramServerAuth,
    verifier: &ScramVerifier,
    is_known: bool,
    applicant: &Applicant<'_>,
) -> Result<(), Refused> {
    let malformed = |diagnostic| Refused::counted(SignInFailure::ProtocolError, diagnostic);
    let mut mechanisms = vec![SCRAM_SHA_256_METHOD.to_owned()];
    if scram.supports_channel_binding() {
        mechanisms.insert(0, SCRAM_SHA_256_PLUS_METHOD.to_owned());
    }
    put(
        &mut transport.output,
        &Authentication::SASL(mechanisms.clone()),
    );
    let initial = receive(transport, applicant.message_bytes_max, applicant.meters).await?;
    let client_first = initial_response(initial, &mechanisms).map_err(malformed)?;
    let (server_first, exchange) = scram
        .on_client_first_message_with_secret(&client_first, verifier.secret())
        .map_err(|error| malformed(violation(format!("malformed SCRAM message: {error}"))))?;
    put(
        &mut transport.output,
        &Authentication::SASLContinue(server_first.into()),
    );
    let client_final = receive(transport, applicant.message_bytes_max, applicant.meters).await?;
    // Guesses may have failed on other connections while this one waited.
    applicant.may_try()?;
    match exchange.on_client_final_message(&client_final) {
        Ok(server_final) if is_known => {
            put(
                &mut transport.output,
                &Authentication::SASLFinal(server_final.into()),
            );
            Ok(())
        }
        Ok(_) | Err(PgWireError::InvalidPassword(_)) => {
            applicant.failed();
            let (failure, reason) = match is_known {
                true => (SignInFailure::WrongPassword, "it is not the user's"),
                false => (SignInFailure::UnknownUser, "there is no such user"),
            };
            tracing::info!(
                address = %applicant.address,
                user = %applicant.user,
                reason,
                "a password was refused"
            );
            let diagnostic = Diagnostic::fatal(
                SqlState::INVALID_PASSWORD,
                format!(
                    "password authentication failed for user \"{}\"",
                    applicant.user
                ),
            );
            Err(Refused::counted(failure, Box::new(diagnostic)))
        }
        Err(error) => Err(malformed(violation(format!(
            "malformed SCRAM message: {error}"
        )))),
    }
}

/// Takes a SASLInitialResponse apart: the mechanism, and the client's first message.
fn initial_response(mut body: Bytes, offered: &[String]) -> Result<Bytes, Box<Diagnostic>> {
    let name_bytes =
        memchr::memchr(0, &body).ok_or_else(|| violation("invalid string in message"))?;
    let mechanism = body.split_to(name_bytes);
    body.advance(1);
    if !offered.iter().any(|offer| offer.as_bytes() == mechanism) {
        return Err(violation(
            "client selected an invalid SASL authentication mechanism",
        ));
    }
    let length = body
        .try_get_i32()
        .map_err(|_| violation("insufficient data left in message"))?;
    // -1 would mean that the first message comes later, which SCRAM has no use for.
    if usize::try_from(length) != Ok(body.len()) {
        return Err(violation(
            "malformed SASL initial response: its length does not fit the message",
        ));
    }
    let binds_channel = body.starts_with(b"p=");
    if binds_channel != (mechanism == SCRAM_SHA_256_PLUS_METHOD.as_bytes()) {
        return Err(violation(
            "malformed SCRAM message: mechanism and channel binding do not fit each other",
        ));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::super::super::look_alikes::LookAlikes;
    use super::*;
    use proptest::prelude::*;

    fn offered() -> Vec<String> {
        vec![SCRAM_SHA_256_METHOD.to_owned()]
    }

    #[test]
    fn a_response_whose_length_points_past_its_end_is_an_error_and_no_panic() {
        let body = Bytes::from_static(b"SCRAM-SHA-256\0\x7f\xff\xff\xffn,,n=,r=x");
        assert!(initial_response(body, &offered()).is_err());
        let body = Bytes::from_static(b"SCRAM-SHA-256\0\0");
        assert!(initial_response(body, &offered()).is_err());
    }

    #[test]
    fn a_mechanism_that_was_not_offered_is_refused() {
        let body = Bytes::from_static(b"SCRAM-SHA-256-PLUS\0\0\0\0\x02p=");
        assert!(initial_response(body, &offered()).is_err());
    }

    proptest! {
        #[test]
        fn no_initial_response_makes_sign_in_panic(
            tail in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut body = b"SCRAM-SHA-256\0".to_vec();
            body.extend(&tail);
            let _ = initial_response(body.into(), &offered());
        }

        #[test]
        fn no_client_message_makes_the_exchange_panic(first in ".{0,40}", last in ".{0,60}") {
            let scram = ScramServerAuth::new();
            let secret = LookAlikes::default().of("ada").secret();
            let _ = scram.on_client_first_message_with_secret(first.as_bytes(), secret);
            let secret = LookAlikes::default().of("ada").secret();
            let (_, exchange) = scram
                .on_client_first_message_with_secret(b"n,,n=,r=abc", secret)
                .expect("this one is well formed");
            let _ = exchange.on_client_final_message(last.as_bytes());
        }
    }
}
