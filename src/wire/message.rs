//! The client's messages after sign-in, decoded from whole frames.
//!
//! Owns the layouts of Parse, Bind, Describe, Execute and Close. Promises that a body that is
//! too short, too long or says something impossible is an error and never a panic. Values of a
//! Bind share the frame's memory: they are not copied. Never decodes text: names and queries
//! are bytes in the client's encoding.

use super::frame::{Frame, violation};
use crate::diagnostic::Diagnostic;
use bytes::{Buf, Bytes};

/// What Describe and Close point at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Statement(Bytes),
    Portal(Bytes),
}

/// Parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParseMessage {
    /// Empty: the unnamed statement.
    pub(super) name: Bytes,
    pub(super) query: Bytes,
    /// OIDs of the leading parameters; 0: to be inferred.
    pub(super) parameter_types: Vec<u32>,
}

/// Bind. How many format codes and values there are is for the prepared statement to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BindMessage {
    /// Empty: the unnamed portal.
    pub(super) portal: Bytes,
    pub(super) statement: Bytes,
    /// Format codes of the values: none, one for all, or one a value.
    pub(super) formats: Vec<i16>,
    /// `None`: NULL.
    pub(super) values: Vec<Option<Bytes>>,
    /// Format codes of the result: none, one for all, or one a column.
    pub(super) result_formats: Vec<i16>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FrontendMessage {
    /// Without the trailing NUL.
    Query(Bytes),
    Parse(ParseMessage),
    Bind(BindMessage),
    Describe(Target),
    /// `rows_max` 0: all.
    Execute {
        portal: Bytes,
        rows_max: u32,
    },
    Close(Target),
    Flush,
    Sync,
    Terminate,
    /// The fast-path call of a function.
    FunctionCall,
    CopyData,
    CopyDone,
    /// With the client's reason.
    CopyFail(Bytes),
}

impl FrontendMessage {
    /// Decodes a frame that came after sign-in.
    ///
    /// # Errors
    /// FATAL 08P01: after a body that does not fit its layout nothing of the client can be
    /// trusted.
    pub(super) fn decode(frame: Frame) -> Result<Self, Box<Diagnostic>> {
        let Frame { kind, body } = frame;
        let mut body = Body { rest: body };
        let message = match kind {
            b'Q' => FrontendMessage::Query(body.text()?),
            b'P' => FrontendMessage::Parse(ParseMessage {
                name: body.text()?,
                query: body.text()?,
                parameter_types: body.list(Body::oid)?,
            }),
            b'B' => FrontendMessage::Bind(BindMessage {
                portal: body.text()?,
                statement: body.text()?,
                formats: body.list(Body::int2)?,
                values: body.list(Body::value)?,
                result_formats: body.list(Body::int2)?,
            }),
            b'D' => FrontendMessage::Describe(body.target("DESCRIBE")?),
            b'E' => FrontendMessage::Execute {
                portal: body.text()?,
                rows_max: body.oid()?,
            },
            b'C' => FrontendMessage::Close(body.target("CLOSE")?),
            b'H' => FrontendMessage::Flush,
            b'S' => FrontendMessage::Sync,
            b'X' => FrontendMessage::Terminate,
            b'F' => return Ok(FrontendMessage::FunctionCall),
            b'd' => return Ok(FrontendMessage::CopyData),
            b'c' => FrontendMessage::CopyDone,
            b'f' => FrontendMessage::CopyFail(body.text()?),
            _ => {
                return Err(violation(format!(
                    "unexpected message of type \"{}\"",
                    char::from(kind)
                )));
            }
        };
        body.end(kind)?;
        Ok(message)
    }
}

/// ERROR 08P01: the message is refused, the connection lives.
pub(super) fn unfit(message: String) -> Box<Diagnostic> {
    let mut diagnostic = violation(message);
    diagnostic.severity = crate::diagnostic::Severity::Error;
    diagnostic
}

/// A body that is read from the front.
struct Body {
    rest: Bytes,
}

impl Body {
    /// A NUL-terminated string, without the NUL.
    fn text(&mut self) -> Result<Bytes, Box<Diagnostic>> {
        let length =
            memchr::memchr(0, &self.rest).ok_or_else(|| violation("invalid string in message"))?;
        let text = self.rest.split_to(length);
        self.rest.advance(1);
        Ok(text)
    }

    fn byte(&mut self) -> Result<u8, Box<Diagnostic>> {
        self.rest.try_get_u8().map_err(|_| too_short())
    }

    fn int2(&mut self) -> Result<i16, Box<Diagnostic>> {
        self.rest.try_get_i16().map_err(|_| too_short())
    }

    fn oid(&mut self) -> Result<u32, Box<Diagnostic>> {
        self.rest.try_get_u32().map_err(|_| too_short())
    }

    /// A parameter's value.
    fn value(&mut self) -> Result<Option<Bytes>, Box<Diagnostic>> {
        let length = self.rest.try_get_i32().map_err(|_| too_short())?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| too_short())?;
        if length > self.rest.len() {
            return Err(too_short());
        }
        Ok(Some(self.rest.split_to(length)))
    }

    /// A count of 16 bits, unsigned, and as many items. Every item takes at least two bytes,
    /// so a count that the body cannot hold allocates nothing beyond the body's size.
    fn list<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, Box<Diagnostic>>,
    ) -> Result<Vec<T>, Box<Diagnostic>> {
        let count = usize::from(self.rest.try_get_u16().map_err(|_| too_short())?);
        if count * 2 > self.rest.len() {
            return Err(too_short());
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn target(&mut self, message: &str) -> Result<Target, Box<Diagnostic>> {
        match self.byte()? {
            b'S' => Ok(Target::Statement(self.text()?)),
            b'P' => Ok(Target::Portal(self.text()?)),
            other => Err(violation(format!(
                "invalid {message} message subtype {other}"
            ))),
        }
    }

    fn end(&self, kind: u8) -> Result<(), Box<Diagnostic>> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(violation(format!(
                "invalid message format: {} bytes too many in a message of type \"{}\"",
                self.rest.len(),
                char::from(kind)
            )))
        }
    }
}

fn too_short() -> Box<Diagnostic> {
    violation("insufficient data left in message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Severity;
    use proptest::prelude::*;

    fn decode(kind: u8, body: &[u8]) -> Result<FrontendMessage, Box<Diagnostic>> {
        FrontendMessage::decode(Frame {
            kind,
            body: Bytes::copy_from_slice(body),
        })
    }

    /// A Bind of unnamed things: formats, values, result formats.
    fn bind(formats: &[i16], values: &[Option<&[u8]>], results: &[i16]) -> Vec<u8> {
        let mut body = vec![0, 0];
        let count = |length: usize| u16::try_from(length).expect("few items").to_be_bytes();
        body.extend(count(formats.len()));
        formats
            .iter()
            .for_each(|code| body.extend(code.to_be_bytes()));
        body.extend(count(values.len()));
        for value in values {
            match value {
                None => body.extend((-1i32).to_be_bytes()),
                Some(bytes) => {
                    body.extend(i32::try_from(bytes.len()).expect("short").to_be_bytes());
                    body.extend(*bytes);
                }
            }
        }
        body.extend(count(results.len()));
        results
            .iter()
            .for_each(|code| body.extend(code.to_be_bytes()));
        body
    }

    #[test]
    fn a_bind_has_its_values_and_its_nulls() {
        let body = bind(&[1], &[Some(b"ab"), None, Some(b"")], &[1]);
        let Ok(FrontendMessage::Bind(bind)) = decode(b'B', &body) else {
            panic!("the bind is well formed");
        };
        assert_eq!(bind.formats, [1]);
        let values: Vec<Option<&[u8]>> = bind.values.iter().map(Option::as_deref).collect();
        assert_eq!(values, [Some(&b"ab"[..]), None, Some(&b""[..])]);
    }

    #[test]
    fn a_value_longer_than_the_frame_is_refused() {
        let mut body = bind(&[], &[Some(b"abc")], &[]);
        body[9] = 0xf0;
        let error = decode(b'B', &body).expect_err("the value does not fit");
        assert_eq!(error.severity, Severity::Fatal);
    }

    #[test]
    fn a_parse_names_its_parameter_types() {
        let mut body = b"s1\0select $1\0".to_vec();
        body.extend([0, 2, 0, 0, 0, 20, 0, 0, 0, 0]);
        let Ok(FrontendMessage::Parse(parse)) = decode(b'P', &body) else {
            panic!("the parse is well formed");
        };
        assert_eq!(
            (&parse.name[..], &parse.query[..]),
            (&b"s1"[..], &b"select $1"[..])
        );
        assert_eq!(parse.parameter_types, [20, 0]);
    }

    #[test]
    fn trailing_bytes_and_missing_terminators_are_refused() {
        assert!(decode(b'Q', b"select 1").is_err());
        assert!(decode(b'Q', b"select 1\0x").is_err());
        assert!(decode(b'S', b"x").is_err());
        assert!(decode(b'D', b"X\0").is_err());
    }

    proptest! {
        #[test]
        fn no_body_makes_the_decoder_panic(
            kind in prop::sample::select(&b"QPBDECHSXFdcf"[..]),
            body in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let _ = decode(kind, &body);
        }

        #[test]
        fn a_cut_bind_is_an_error(cut in 0usize..30) {
            let body = bind(&[0], &[Some(b"12345678"), Some(b"x")], &[1]);
            prop_assume!(cut < body.len());
            prop_assert!(decode(b'B', &body[..cut]).is_err());
        }
    }
}
