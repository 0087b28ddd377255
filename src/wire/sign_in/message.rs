//! Waiting for a client's password messages, and taking secrets out of them.
//!
//! Owns the reading before somebody has signed in. Promises that a message is bounded before it is
//! read, that nothing but a password message is taken, and that the bytes of a secret are
//! overwritten where they were received. Never looks into one.

use super::super::ending::Ending;
use super::super::frame::{FrameHeader, violation};
use super::super::transport::Transport;
use crate::telemetry::{ConnectionEnd, ConnectionMeters, SignInFailure};
use bytes::{Buf, Bytes};
use zeroize::{Zeroize, Zeroizing};

/// Sends what is due and waits for a password message.
pub(super) async fn receive(
    transport: &mut Transport,
    message_bytes_max: u32,
    meters: &ConnectionMeters,
) -> Result<Bytes, Ending> {
    let header = await_message(transport, message_bytes_max, meters).await?;
    Ok(header.split(&mut transport.input).body)
}

/// The same for a message that holds a secret.
pub(super) async fn receive_secret(
    transport: &mut Transport,
    message_bytes_max: u32,
    meters: &ConnectionMeters,
) -> Result<Zeroizing<Vec<u8>>, Ending> {
    let header = await_message(transport, message_bytes_max, meters).await?;
    let bytes = header.total_bytes();
    let message = &mut transport.input[..bytes];
    let body = Zeroizing::new(message[bytes - header.body_bytes..].to_vec());
    message.zeroize();
    transport.input.advance(bytes);
    Ok(body)
}

/// Waits until a whole password message is in the input.
async fn await_message(
    transport: &mut Transport,
    message_bytes_max: u32,
    meters: &ConnectionMeters,
) -> Result<FrameHeader, Ending> {
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
                return Ok(header);
            }
            Ok(Some(header)) => {
                // In one piece, so that no part of a secret is left where the input was before.
                let missing = header.total_bytes() - transport.input.len();
                transport.input.reserve(missing);
            }
            Ok(None) => {}
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
