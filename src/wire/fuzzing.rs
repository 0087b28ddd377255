//! The decoder of frames and messages, opened to the fuzzer.
//!
//! Owns a loop that reads messages as a session does. Promises to read no more than that, so
//! that what the fuzzer finds is a fault of the session. Never part of a build but the fuzzer's.

use super::frame::FrameHeader;
use super::message::FrontendMessage;
use bytes::BytesMut;

/// Longest message: small, so that the fuzzer reaches the bound.
const MESSAGE_BYTES_MAX: u32 = 20_000;

/// The messages in `input`, as text, up to the first that breaks the protocol. The input
/// arrives in pieces of `piece_bytes`.
pub fn messages(input: &[u8], piece_bytes: usize) -> Vec<String> {
    let mut messages = Vec::new();
    let mut arrived = BytesMut::new();
    for piece in input.chunks(piece_bytes) {
        arrived.extend_from_slice(piece);
        loop {
            let header = match FrameHeader::read(&arrived, MESSAGE_BYTES_MAX) {
                Ok(Some(header)) if header.total_bytes() <= arrived.len() => header,
                Ok(_) => break,
                Err(diagnostic) => {
                    messages.push(format!("{diagnostic:?}"));
                    return messages;
                }
            };
            match FrontendMessage::decode(header.split(&mut arrived)) {
                Ok(message) => messages.push(format!("{message:?}")),
                Err(diagnostic) => {
                    messages.push(format!("{diagnostic:?}"));
                    return messages;
                }
            }
        }
    }
    messages
}
