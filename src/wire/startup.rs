//! From the first byte of a connection to the client's StartupMessage.
//!
//! Owns the negotiation of TLS, of GSS encryption (always refused) and of the protocol version,
//! and cancel requests. Promises that nothing larger than PostgreSQL's own bound is read and
//! that bytes sent before a TLS handshake never count as sent inside it. Never knows a user.

use super::ending::Ending;
use super::frame::violation;
use super::registry::Registry;
use super::reply::put;
use super::tls::TlsIdentity;
use super::transport::{Socket, Transport};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::{ConnectionEnd, ConnectionMeters, SignInFailure};
use bytes::{Buf, BytesMut};
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::response::{GssEncResponse, SslResponse};
use pgwire::messages::startup::{
    GssEncRequest, NegotiateProtocolVersion, SecretKey, SslRequest, Startup,
};
use pgwire::messages::{DecodeContext, Message, ProtocolVersion};
use std::collections::BTreeMap;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// Bytes of the largest packet before sign-in starts; PostgreSQL's MAX_STARTUP_PACKET_LENGTH.
const PACKET_BYTES_MAX: usize = 10_000;

/// Length, and a code or a protocol version.
const PACKET_BYTES_MIN: usize = 8;

/// First byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// The newest minor version of protocol 3 that is served.
const NEWEST_MINOR: u16 = 2;

/// What a client asked for when it started.
#[derive(Debug)]
pub(super) struct StartupRequest {
    /// The minor version that the connection speaks from now on: 0 or 2.
    pub(super) minor: u16,
    /// As sent, without the `_pq_.` options.
    pub(super) parameters: BTreeMap<String, String>,
}

/// Leads a new connection to its StartupMessage.
///
/// # Errors
/// The ending: also for a cancel request, which is a connection of its own.
pub(super) async fn receive_startup(
    socket: TcpStream,
    tls: Option<&TlsIdentity>,
    registry: &Registry,
    meters: &ConnectionMeters,
) -> Result<(Transport, StartupRequest), Ending> {
    let mut first = [0];
    if socket.peek(&mut first).await? == 0 {
        return Err(Ending::silent(ConnectionEnd::Vanished));
    }
    let mut transport = if first == [TLS_HANDSHAKE] {
        direct_tls(socket, tls, meters).await?
    } else {
        Transport::new(Socket::Plain(socket))
    };
    let (mut asked_tls, mut asked_gss) = (false, false);
    loop {
        let mut packet = match receive_packet(&mut transport).await {
            Ok(packet) => packet,
            Err(ending) => return Err(tell(transport, ending).await),
        };
        if SslRequest::is_ssl_request_packet(&packet) && !asked_tls {
            asked_tls = true;
            transport = match negotiate_tls(transport, tls, meters).await {
                Ok(transport) => transport,
                Err((Some(transport), ending)) => return Err(tell(transport, ending).await),
                Err((None, ending)) => return Err(ending),
            };
        } else if GssEncRequest::is_gss_enc_request_packet(&packet) && !asked_gss {
            asked_gss = true;
            put(&mut transport.output, &GssEncResponse::Refuse);
            transport.flush().await?;
        } else if CancelRequest::is_cancel_request_packet(&packet) {
            cancel(&mut packet, registry);
            return Err(Ending::silent(ConnectionEnd::Terminated));
        } else {
            return match startup(&mut transport, packet) {
                Ok(request) => Ok((transport, request)),
                Err(ending) => Err(tell(transport, ending).await),
            };
        }
    }
}

/// Says the last words here, since the transport does not leave this function.
async fn tell(mut transport: Transport, ending: Ending) -> Ending {
    if let Some(last_words) = &ending.last_words {
        super::reply::put_diagnostic(
            &mut transport.output,
            super::encoding::ClientEncoding::Utf8,
            last_words,
        );
        transport.close().await;
    }
    Ending::silent(ending.why)
}

/// Waits for one packet without a type byte, length included.
async fn receive_packet(transport: &mut Transport) -> Result<BytesMut, Ending> {
    loop {
        if let Some(length) = transport.input.first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            if !(PACKET_BYTES_MIN..=PACKET_BYTES_MAX).contains(&length) {
                return Err(Ending::violation(violation(format!(
                    "invalid length of startup packet: {length} bytes, \
                     {PACKET_BYTES_MIN} to {PACKET_BYTES_MAX} are accepted"
                ))));
            }
            if transport.input.len() >= length {
                return Ok(transport.input.split_to(length));
            }
        }
        if transport.fill().await? == 0 {
            return Err(Ending::silent(ConnectionEnd::Vanished));
        }
    }
}

/// Answers an SSLRequest and does the handshake.
async fn negotiate_tls(
    mut transport: Transport,
    tls: Option<&TlsIdentity>,
    meters: &ConnectionMeters,
) -> Result<Transport, (Option<Transport>, Ending)> {
    let answer = if tls.is_some() {
        SslResponse::Accept
    } else {
        SslResponse::Refuse
    };
    // Whoever sits between could have put them there: never take them for the client's.
    if !transport.input.is_empty() && tls.is_some() {
        let ending = Ending::violation(violation("received unencrypted data after SSL request"));
        return Err((Some(transport), ending));
    }
    put(&mut transport.output, &answer);
    if let Err(error) = transport.flush().await {
        return Err((None, error.into()));
    }
    match (tls, transport.into_socket()) {
        (None, socket) => Ok(Transport::new(socket)),
        (Some(tls), Socket::Plain(socket)) => match handshake(socket, tls, meters).await {
            Ok(transport) => Ok(transport),
            Err(ending) => Err((None, ending)),
        },
        (Some(_), socket @ Socket::Tls(_)) => Err((
            Some(Transport::new(socket)),
            Ending::violation(violation("SSL request inside an SSL connection")),
        )),
    }
}

/// A client that starts with the handshake.
async fn direct_tls(
    socket: TcpStream,
    tls: Option<&TlsIdentity>,
    meters: &ConnectionMeters,
) -> Result<Transport, Ending> {
    let Some(tls) = tls else {
        // Nothing that such a client could read.
        meters.sign_ins_failed.add(SignInFailure::TlsHandshake, 1);
        return Err(Ending::silent(ConnectionEnd::SignInFailed));
    };
    let transport = handshake(socket, tls, meters).await?;
    if transport.negotiated_application_protocol() {
        return Ok(transport);
    }
    let ending = Ending::violation(violation(
        "received direct SSL connection request without ALPN protocol negotiation extension",
    ));
    Err(tell(transport, ending).await)
}

async fn handshake(
    socket: TcpStream,
    tls: &TlsIdentity,
    meters: &ConnectionMeters,
) -> Result<Transport, Ending> {
    match TlsAcceptor::from(tls.config()).accept(socket).await {
        Ok(socket) => Ok(Transport::new(Socket::Tls(Box::new(socket)))),
        Err(error) => {
            tracing::info!(%error, "a TLS handshake failed");
            meters.sign_ins_failed.add(SignInFailure::TlsHandshake, 1);
            Err(Ending::silent(ConnectionEnd::SignInFailed))
        }
    }
}

/// Hands a cancel request to the connection that it names. There is never an answer.
fn cancel(packet: &mut BytesMut, registry: &Registry) {
    // As of 3.2 the key takes the rest of the packet, which fits the short key, too.
    let context = DecodeContext::new(ProtocolVersion::PROTOCOL3_2);
    match CancelRequest::decode(packet, &context) {
        Ok(Some(CancelRequest {
            pid,
            secret_key: SecretKey::Bytes(key),
            ..
        })) => {
            if !registry.cancel(pid, &key) {
                tracing::info!(process_id = pid, "a cancel request fits no connection");
            }
        }
        Ok(_) => {}
        Err(error) => tracing::info!(%error, "a cancel request is malformed"),
    }
}

/// Reads the StartupMessage and negotiates the version.
fn startup(transport: &mut Transport, mut packet: BytesMut) -> Result<StartupRequest, Ending> {
    let version = (&packet[4..8]).get_u32();
    let (major, minor) = ((version >> 16) as u16, (version & 0xffff) as u16);
    if major != 3 {
        return Err(Ending::violation(Box::new(Diagnostic::fatal(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!(
                "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST_MINOR}"
            ),
        ))));
    }
    if packet.len() == PACKET_BYTES_MIN || packet.last() != Some(&0) {
        return Err(Ending::violation(violation(
            "invalid startup packet layout: expected terminator as last byte",
        )));
    }
    let startup = match Startup::decode(&mut packet, &DecodeContext::default()) {
        Ok(Some(startup)) => startup,
        Ok(None) | Err(_) => {
            return Err(Ending::violation(violation(
                "invalid startup packet layout",
            )));
        }
    };
    let (unknown, parameters): (BTreeMap<_, _>, BTreeMap<_, _>) = startup
        .parameters
        .into_iter()
        .partition(|(name, _)| name.starts_with("_pq_."));
    let served = match minor {
        0 | 1 => 0,
        _ => NEWEST_MINOR,
    };
    if served != minor || !unknown.is_empty() {
        let newest = i32::from(served) | 3 << 16;
        let options = unknown.into_keys().collect();
        put(
            &mut transport.output,
            &NegotiateProtocolVersion::new(newest, options),
        );
    }
    Ok(StartupRequest {
        minor: served,
        parameters,
    })
}
