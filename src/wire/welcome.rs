//! From the StartupMessage to the first ReadyForQuery.
//!
//! Owns the order of the checks: too many connections, TLS, password, database, settings.
//! Promises that a client which may not in is told why, and that nobody learns of databases or
//! settings before its password was right. Never keeps a connection that failed a check.

use super::encoding::ClientEncoding;
use super::ending::Ending;
use super::gateway::Gateway;
use super::registry::{LONG_KEY_BYTES, Registration, SHORT_KEY_BYTES};
use super::reply::{put, put_parameter, put_ready};
use super::sign_in::SignedIn;
use super::startup::StartupRequest;
use super::startup_parameters::SessionRequest;
use super::tls::TlsIdentity;
use super::transport::Transport;
use super::user::GatewayUser;
use crate::diagnostic::{Diagnostic, Severity, SqlState};
use crate::sql::Settings;
use crate::telemetry::{ConnectionEnd, SignInFailure};
use bytes::Bytes;
use pgwire::messages::response::TransactionStatus;
use pgwire::messages::startup::{BackendKeyData, SecretKey};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::time::Instant;

/// Who signed in, and the session that they asked for.
pub(super) struct Welcomed {
    pub(super) user: Arc<GatewayUser>,
    pub(super) database: String,
    pub(super) settings: Settings,
    /// The connection's number.
    pub(super) process_id: i32,
    /// When the session must end, because the token that opened it has expired.
    pub(super) ends_at: Option<Instant>,
}

/// Checks who the client is and greets it.
pub(super) async fn welcome(
    gateway: &Gateway,
    transport: &mut Transport,
    request: StartupRequest,
    (peer, tls): (IpAddr, Option<&TlsIdentity>),
    registration: &Registration,
) -> Result<Welcomed, Ending> {
    let fatal = |mut diagnostic: Box<Diagnostic>| {
        diagnostic.severity = Severity::Fatal;
        Ending::with_words(ConnectionEnd::SignInFailed, diagnostic)
    };
    let minor = request.minor;
    let request = SessionRequest::of(request.parameters).map_err(fatal)?;
    if registration.refused {
        return Err(Ending::with_words(
            ConnectionEnd::Refused,
            Box::new(Diagnostic::fatal(
                SqlState::TOO_MANY_CONNECTIONS,
                "sorry, too many clients already",
            )),
        ));
    }
    if gateway.settings.listen.require_tls && !transport.is_encrypted() {
        let failure = SignInFailure::TlsRequired;
        gateway.connections.sign_ins_failed.add(failure, 1);
        let diagnostic = Diagnostic::fatal(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "this gateway accepts connections with TLS only",
        );
        return Err(fatal(Box::new(diagnostic.with_hint(
            "Connect with sslmode=require, or sslmode=verify-full.",
        ))));
    }
    let bytes_max = gateway.settings.listen.message_bytes_max_before_sign_in;
    let names = (request.user.as_str(), request.database.as_str());
    let SignedIn { user, ends_at } = gateway
        .authenticator
        .sign_in(transport, names, peer, tls, bytes_max, &gateway.connections)
        .await?;
    if let Some(reason) = user.barred {
        let failure = SignInFailure::Barred;
        gateway.connections.sign_ins_failed.add(failure, 1);
        let diagnostic = Diagnostic::fatal(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, reason);
        return Err(fatal(Box::new(diagnostic)));
    }
    if let Some(refusal) = registration.registry().withdrawn.refusal(&user.identity) {
        let failure = SignInFailure::Barred;
        gateway.connections.sign_ins_failed.add(failure, 1);
        return Err(fatal(refusal));
    }
    if let Some(departure) = registration.signed_in(user.clone()) {
        return Err(departure.ending());
    }
    request.check_database().map_err(fatal)?;
    let defaults = session_defaults(gateway, &user);
    let defaults = defaults.iter().map(|(name, value)| (*name, value.as_str()));
    let parameters = request
        .settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    // What the client asks for comes last, and wins.
    let mut settings = Settings::new(&request.user, defaults.chain(parameters)).map_err(fatal)?;
    let output = &mut transport.output;
    let encoding = ClientEncoding::from(settings.client_encoding());
    for (name, value) in settings.take_reports() {
        put_parameter(output, encoding, name, &value);
    }
    let process_id = registration.process_id();
    let secret_key = if minor == 0 {
        registration.issue_cancel_key(SHORT_KEY_BYTES)
    } else {
        registration.issue_cancel_key(LONG_KEY_BYTES)
    };
    let secret_key = SecretKey::Bytes(Bytes::from(secret_key));
    put(output, &BackendKeyData::new(process_id, secret_key));
    put_ready(output, TransactionStatus::Idle);
    transport.flush().await?;
    Ok(Welcomed {
        user,
        database: request.database,
        settings,
        process_id,
        ends_at,
    })
}

/// What the configuration says about the sessions of `user`, as settings.
fn session_defaults(gateway: &Gateway, user: &GatewayUser) -> Vec<(&'static str, String)> {
    let settings = &gateway.settings;
    let timeouts = &settings.timeouts;
    let transaction = user.modes.transaction.unwrap_or(settings.transactions.mode);
    let copy = user.modes.copy.unwrap_or(settings.copy.mode);
    let seconds = |value: u64| format!("{value}s");
    vec![
        ("penstock.transaction", transaction.name().to_owned()),
        ("penstock.copy", copy.name().to_owned()),
        ("idle_session_timeout", seconds(timeouts.idle_s)),
        (
            "idle_in_transaction_session_timeout",
            seconds(timeouts.idle_in_transaction_s),
        ),
        ("statement_timeout", seconds(timeouts.statement_s)),
        ("transaction_timeout", seconds(timeouts.transaction_s)),
    ]
}
