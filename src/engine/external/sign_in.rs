//! How a connection to an engine on a server begins.
//!
//! Owns the sign-in as the owner of the engine's tables, by a password that the gateway made up. Promises
//! that the password is never sent as it is, and that the server has proved to know it. Never signs in as
//! the role of the URL.

use super::server::{Server, ServerFault};
use crate::engine::canceller::Canceller;
use crate::engine::fault::EngineFault;
use crate::engine::link::EngineLink;
use crate::engine::powers::Powers;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Bound of one sign-in.
const SIGN_IN_MAX: Duration = Duration::from_secs(20);

/// What a server's configuration may say otherwise and an engine needs: the gateway has bounds of its
/// own; a server looks after a client that is gone while its statement runs.
const OPTIONS: &str = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 \
     -c idle_session_timeout=0 -c default_transaction_read_only=off -c \
     default_transaction_isolation=read\\ committed -c client_connection_check_interval=2000";

/// Who signs in where.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignIn<'a> {
    pub database: &'a str,
    pub role: &'a str,
    pub password: &'a str,
}

impl SignIn<'_> {
    /// A connection.
    ///
    /// # Errors
    /// `Unavailable` when the server is away or refuses.
    pub async fn connect(
        &self,
        server: &Arc<Server>,
        powers: Powers,
    ) -> Result<EngineLink, EngineFault> {
        let signing_in = async {
            let socket = server.socket().await?;
            let mut link = EngineLink::of(socket, powers);
            match self.sign_in(server, &mut link).await {
                Ok(()) => Ok(link),
                Err(EngineFault::Refused(said)) => Err(ServerFault::Refused {
                    code: said.sqlstate.code().to_owned(),
                    message: said.message,
                }
                .into()),
                Err(EngineFault::Broken(why)) => Err(ServerFault::Away(why).into()),
                Err(other) => Err(other),
            }
        };
        match timeout(SIGN_IN_MAX, signing_in).await {
            Ok(signed_in) => signed_in,
            Err(_) => Err(ServerFault::Away("no sign-in in time".to_owned()).into()),
        }
    }

    async fn sign_in(
        &self,
        server: &Arc<Server>,
        link: &mut EngineLink,
    ) -> Result<(), EngineFault> {
        let parameters = [
            ("user", self.role),
            ("database", self.database),
            ("client_encoding", "UTF8"),
            ("application_name", "penstock"),
            ("options", OPTIONS),
        ];
        frontend::startup_message(parameters, link.output())?;
        link.send().await?;
        let mut scram: Option<ScramSha256> = None;
        loop {
            let frame = link.receive().await?;
            if frame.kind == b'E' {
                return Err(EngineFault::Refused(frame.diagnostic()?));
            }
            match Message::parse(&mut BytesMut::from(&frame.bytes[..]))? {
                Some(Message::AuthenticationSasl(body)) => {
                    let knows = body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256))?;
                    if !knows {
                        return Err(no_way());
                    }
                    let begun =
                        ScramSha256::new(self.password.as_bytes(), ChannelBinding::unsupported());
                    frontend::sasl_initial_response(SCRAM_SHA_256, begun.message(), link.output())?;
                    link.send().await?;
                    scram = Some(begun);
                }
                Some(Message::AuthenticationSaslContinue(body)) => {
                    let scram = scram.as_mut().ok_or_else(no_way)?;
                    scram.update(body.data())?;
                    frontend::sasl_response(scram.message(), link.output())?;
                    link.send().await?;
                }
                Some(Message::AuthenticationSaslFinal(body)) => {
                    scram.as_mut().ok_or_else(no_way)?.finish(body.data())?;
                }
                Some(Message::BackendKeyData(body)) => {
                    let (process, key) = (body.process_id(), body.secret_key());
                    link.set_canceller(Canceller::new(server.clone(), process, key));
                }
                Some(Message::ReadyForQuery(_)) => return Ok(()),
                // What it is set to, and a server that trusts whoever comes from here.
                Some(
                    Message::ParameterStatus(_)
                    | Message::NoticeResponse(_)
                    | Message::AuthenticationOk,
                ) => {}
                _ => return Err(no_way()),
            }
        }
    }
}

fn no_way() -> EngineFault {
    EngineFault::Broken(
        "it wants a sign-in other than scram-sha-256, see its pg_hba.conf".to_owned(),
    )
}
