//! SCRAM-SHA-256 sign-in, with channel binding where TLS allows it.
//!
//! Owns the exchange of SASL messages; the cryptography is pgwire's. Promises that a wrong
//! password and an unknown name look and cost the same, and that what the client sends before
//! it is known is bounded. Never accepts a password in clear.

use super::ending::Ending;
use super::frame::{FrameHeader, violation};
use super::reply::put;
use super::scram::MockVerifiers;
use super::tls::TlsIdentity;
use super::transport::Transport;
use super::user::{GatewayUser, Users};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::{ConnectionEnd, ConnectionMeters, SignInFailure};
use bytes::{Buf, Bytes};
use pgwire::api::auth::sasl::scram::ScramServerAuth;
use pgwire::api::auth::sasl::{SCRAM_SHA_256_METHOD, SCRAM_SHA_256_PLUS_METHOD};
use pgwire::error::PgWireError;
use pgwire::messages::startup::Authentication;
use std::sync::Arc;

/// Checks sign-ins for all connections.
pub(super) struct Authenticator {
    users: Users,
    mock: MockVerifiers,
    /// For connections without TLS, where libpq refuses a server that offers channel binding.
    plain: ScramServerAuth,
    /// For connections with TLS.
    encrypted: ScramServerAuth,
}

impl Authenticator {
    pub(super) fn new(users: Users, tls: Option<&TlsIdentity>) -> Self {
        let plain = ScramServerAuth::new();
        let mut encrypted = ScramServerAuth::new();
        if let Some(tls) = tls
            && let Err(error) = encrypted.configure_certificate(tls.certificate_pem())
        {
            tracing::warn!(
                %error,
                "channel binding is not offered: the certificate's signature has no hash for it"
            );
        }
        Authenticator {
            users,
            mock: MockVerifiers::new(),
            plain,
            encrypted,
        }
    }

    /// Runs the exchange for the user `name`.
    ///
    /// # Errors
    /// FATAL 28P01 for a wrong password or an unknown user, FATAL 08P01 for messages that make
    /// no sense.
    pub(super) async fn sign_in(
        &self,
        transport: &mut Transport,
        name: &str,
        message_bytes_max: u32,
        meters: &ConnectionMeters,
    ) -> Result<Arc<GatewayUser>, Ending> {
        let refuse = |failure, diagnostic| {
            meters.sign_ins_failed.add(failure, 1);
            Ending::with_words(ConnectionEnd::SignInFailed, diagnostic)
        };
        let malformed = |diagnostic| refuse(SignInFailure::ProtocolError, diagnostic);
        let scram = if transport.is_encrypted() {
            &self.encrypted
        } else {
            &self.plain
        };
        let mut mechanisms = vec![SCRAM_SHA_256_METHOD.to_owned()];
        if scram.supports_channel_binding() {
            mechanisms.insert(0, SCRAM_SHA_256_PLUS_METHOD.to_owned());
        }
        put(
            &mut transport.output,
            &Authentication::SASL(mechanisms.clone()),
        );
        let initial = receive(transport, message_bytes_max, meters).await?;
        let client_first = client_first(initial, &mechanisms).map_err(malformed)?;
        let user = self.users.find(name);
        // Made for every name, so that known names take no less work.
        let mock = self.mock.of(name);
        let verifier = user.as_ref().map_or(&mock, |user| &user.scram);
        let (server_first, exchange) = scram
            .on_client_first_message_with_secret(&client_first, verifier.secret())
            .map_err(|error| malformed(violation(format!("malformed SCRAM message: {error}"))))?;
        put(
            &mut transport.output,
            &Authentication::SASLContinue(server_first.into()),
        );
        let client_final = receive(transport, message_bytes_max, meters).await?;
        let server_final = exchange.on_client_final_message(&client_final);
        match (server_final, user) {
            (Ok(server_final), Some(user)) => {
                put(
                    &mut transport.output,
                    &Authentication::SASLFinal(server_final.into()),
                );
                put(&mut transport.output, &Authentication::Ok);
                Ok(user)
            }
            (Err(PgWireError::InvalidPassword(_)) | Ok(_), user) => {
                let failure = match user {
                    Some(_) => SignInFailure::WrongPassword,
                    None => SignInFailure::UnknownUser,
                };
                let diagnostic = Diagnostic::fatal(
                    SqlState::INVALID_PASSWORD,
                    format!("password authentication failed for user \"{name}\""),
                );
                Err(refuse(failure, Box::new(diagnostic)))
            }
            (Err(error), _) => Err(malformed(violation(format!(
                "malformed SCRAM message: {error}"
            )))),
        }
    }
}

/// Sends what is due and waits for a password message.
async fn receive(
    transport: &mut Transport,
    message_bytes_max: u32,
    meters: &ConnectionMeters,
) -> Result<Bytes, Ending> {
    transport.flush().await?;
    loop {
        match FrameHeader::read(&transport.input, message_bytes_max) {
            Ok(Some(header)) if header.kind != b'p' => {
                meters.sign_ins_failed.add(SignInFailure::ProtocolError, 1);
                return Err(Ending::violation(violation(format!(
                    "expected SASL response, got message type {}",
                    header.kind
                ))));
            }
            Ok(Some(header)) if transport.input.len() >= header.total_bytes() => {
                return Ok(header.split(&mut transport.input).body);
            }
            Ok(_) => {}
            Err(diagnostic) => {
                meters.sign_ins_failed.add(SignInFailure::ProtocolError, 1);
                return Err(Ending::violation(diagnostic));
            }
        }
        if transport.fill().await? == 0 {
            // libpq asks for the password only now and comes back with it.
            meters.sign_ins_failed.add(SignInFailure::Abandoned, 1);
            return Err(Ending::silent(ConnectionEnd::Vanished));
        }
    }
}

/// Takes a SASLInitialResponse apart: the mechanism, and the client's first message.
fn client_first(mut body: Bytes, offered: &[String]) -> Result<Bytes, Box<Diagnostic>> {
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
    use super::*;
    use proptest::prelude::*;

    fn offered() -> Vec<String> {
        vec![SCRAM_SHA_256_METHOD.to_owned()]
    }

    #[test]
    fn a_response_whose_length_points_past_its_end_is_an_error_and_no_panic() {
        let body = Bytes::from_static(b"SCRAM-SHA-256\0\x7f\xff\xff\xffn,,n=,r=x");
        assert!(client_first(body, &offered()).is_err());
        let body = Bytes::from_static(b"SCRAM-SHA-256\0\0");
        assert!(client_first(body, &offered()).is_err());
    }

    #[test]
    fn a_mechanism_that_was_not_offered_is_refused() {
        let body = Bytes::from_static(b"SCRAM-SHA-256-PLUS\0\0\0\0\x02p=");
        assert!(client_first(body, &offered()).is_err());
    }

    proptest! {
        #[test]
        fn no_initial_response_makes_sign_in_panic(
            tail in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut body = b"SCRAM-SHA-256\0".to_vec();
            body.extend(&tail);
            let _ = client_first(body.into(), &offered());
        }

        #[test]
        fn no_client_message_makes_the_exchange_panic(first in ".{0,40}", last in ".{0,60}") {
            let scram = ScramServerAuth::new();
            let secret = MockVerifiers::new().of("ada").secret();
            let _ = scram.on_client_first_message_with_secret(first.as_bytes(), secret);
            let secret = MockVerifiers::new().of("ada").secret();
            let (_, exchange) = scram
                .on_client_first_message_with_secret(b"n,,n=,r=abc", secret)
                .expect("this one is well formed");
            let _ = exchange.on_client_final_message(last.as_bytes());
        }
    }
}
