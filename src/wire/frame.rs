//! Frames of the protocol: type byte, length, body.
//!
//! Owns the bounds that are checked on a header, before a byte of the body is waited for.
//! Promises that no length on the wire makes the gateway allocate more than the bound in force,
//! and that a split frame holds exactly its own bytes. Never looks into a body.

use crate::diagnostic::{Diagnostic, SqlState};
use bytes::{Buf, Bytes, BytesMut};

/// Bytes of a header: the type and the length, which counts itself but not the type.
pub(super) const HEADER_BYTES: usize = 5;

/// Messages without data are short; PostgreSQL bounds them by the same figure.
const SMALL_BODY_BYTES_MAX: usize = 10_000;

/// A checked header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// The type byte, one of the frontend's.
    pub(super) kind: u8,
    /// Bytes after the header.
    pub(super) body_bytes: usize,
}

/// One whole message.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) body: Bytes,
}

impl FrameHeader {
    /// Reads the header at the start of `input`; `None` while it is incomplete.
    ///
    /// # Errors
    /// FATAL 08P01 for an unknown type, a length below 4, and a length above
    /// `message_bytes_max`.
    pub(super) fn read(
        input: &[u8],
        message_bytes_max: u32,
    ) -> Result<Option<Self>, Box<Diagnostic>> {
        let Some((&kind, rest)) = input.split_first() else {
            return Ok(None);
        };
        let small = match kind {
            b'Q' | b'P' | b'B' | b'F' | b'd' | b'p' => false,
            b'E' | b'D' | b'C' | b'H' | b'S' | b'X' | b'c' | b'f' => true,
            _ => {
                return Err(violation(format!("invalid frontend message type {kind}")));
            }
        };
        let Some(length) = rest.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length);
        if length < 4 {
            return Err(violation(format!(
                "invalid message length {length} of a message of type \"{}\"",
                char::from(kind)
            )));
        }
        let body_bytes = length as usize - 4;
        if length > message_bytes_max || (small && body_bytes > SMALL_BODY_BYTES_MAX) {
            let bytes_max = if small {
                SMALL_BODY_BYTES_MAX
            } else {
                message_bytes_max as usize
            };
            return Err(violation(format!(
                "message of type \"{}\" has {length} bytes, the most that is accepted is {bytes_max}",
                char::from(kind)
            )));
        }
        Ok(Some(FrameHeader { kind, body_bytes }))
    }

    /// Bytes of the whole message.
    pub(super) fn total_bytes(self) -> usize {
        HEADER_BYTES + self.body_bytes
    }

    /// Takes the message off `input`, which must hold all of it.
    pub(super) fn split(self, input: &mut BytesMut) -> Frame {
        input.advance(HEADER_BYTES);
        Frame {
            kind: self.kind,
            body: input.split_to(self.body_bytes).freeze(),
        }
    }
}

/// The error that ends a connection whose client does not keep to the protocol.
pub(super) fn violation(message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::fatal(SqlState::PROTOCOL_VIOLATION, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES_MAX: u32 = 65_536;

    fn refused(input: &[u8]) -> String {
        let error = FrameHeader::read(input, BYTES_MAX).expect_err("the header is bad");
        assert_eq!(error.sqlstate, SqlState::PROTOCOL_VIOLATION);
        error.message
    }

    #[test]
    fn a_header_is_read_once_it_is_whole() {
        let whole = [b'Q', 0, 0, 0, 6, b';', 0];
        for length in 0..HEADER_BYTES {
            assert_eq!(FrameHeader::read(&whole[..length], BYTES_MAX), Ok(None));
        }
        let header = FrameHeader::read(&whole, BYTES_MAX)
            .expect("the header is good")
            .expect("the header is whole");
        let mut input = BytesMut::from(&whole[..]);
        input.extend_from_slice(b"next");
        assert_eq!(header.split(&mut input).body, &b";\0"[..]);
        assert_eq!(input, &b"next"[..]);
    }

    #[test]
    fn a_length_below_four_is_refused() {
        assert!(refused(&[b'S', 0, 0, 0, 3]).contains("length 3"));
    }

    #[test]
    fn a_length_above_the_bound_is_refused_before_its_body_comes() {
        assert!(refused(&[b'Q', 0, 1, 0, 1]).contains("65536"));
        assert!(refused(&[b'Q', 0xff, 0xff, 0xff, 0xff]).contains("4294967295"));
        assert!(refused(&[b'S', 0, 0, 0x40, 0]).contains("10000"));
    }

    #[test]
    fn an_unknown_type_is_refused_by_its_first_byte() {
        assert!(refused(b"!").contains("33"));
    }
}
