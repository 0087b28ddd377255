//! The client's encoding: how its text becomes UTF-8 and back.
//!
//! Owns the conversions. Promises that what passes is valid
//! UTF-8 without NUL, as PostgreSQL demands. Never guesses an encoding.

use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::CopyEncoding;
use std::borrow::Cow;

/// The encodings that a client may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ClientEncoding {
    /// `UTF8`; `SQL_ASCII` is read the same way, as a server in UTF8 does.
    #[default]
    Utf8,
    Latin1,
}

impl From<CopyEncoding> for ClientEncoding {
    fn from(encoding: CopyEncoding) -> Self {
        match encoding {
            CopyEncoding::Utf8 => ClientEncoding::Utf8,
            CopyEncoding::Latin1 => ClientEncoding::Latin1,
        }
    }
}

impl ClientEncoding {
    /// The client's bytes as text.
    ///
    /// # Errors
    /// 22021 for bytes that are no UTF-8, and for NUL.
    pub(super) fn decode<'a>(self, bytes: &'a [u8]) -> Result<Cow<'a, str>, Box<Diagnostic>> {
        if memchr::memchr(0, bytes).is_some() {
            return Err(invalid_sequence(&[0]));
        }
        match self {
            ClientEncoding::Utf8 => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Cow::Borrowed(text)),
                Err(error) => {
                    let rest = &bytes[error.valid_up_to()..];
                    let length = error.error_len().unwrap_or(rest.len()).min(4);
                    Err(invalid_sequence(&rest[..length]))
                }
            },
            ClientEncoding::Latin1 if bytes.is_ascii() => {
                // ASCII is UTF-8; the fallback is never taken.
                Ok(String::from_utf8_lossy(bytes))
            }
            ClientEncoding::Latin1 => Ok(Cow::Owned(
                bytes.iter().map(|byte| char::from(*byte)).collect(),
            )),
        }
    }

    /// Text as the client's bytes; a character that the encoding lacks becomes `?`.
    pub(super) fn encode<'a>(self, text: &'a str) -> Cow<'a, [u8]> {
        match self {
            ClientEncoding::Latin1 if !text.is_ascii() => Cow::Owned(
                text.chars()
                    .map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?'))
                    .collect(),
            ),
            _ => Cow::Borrowed(text.as_bytes()),
        }
    }
}

fn invalid_sequence(bytes: &[u8]) -> Box<Diagnostic> {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    Box::new(Diagnostic::error(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        format!(
            "invalid byte sequence for encoding \"UTF8\": {}",
            hex.join(" ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin1_text_becomes_utf8_and_comes_back() {
        let bytes = b"temp\xe9rature";
        let text = ClientEncoding::Latin1.decode(bytes).expect("it is latin1");
        assert_eq!(text, "température");
        assert_eq!(ClientEncoding::Latin1.encode(&text).as_ref(), bytes);
    }

    #[test]
    fn a_character_outside_latin1_becomes_a_question_mark() {
        assert_eq!(ClientEncoding::Latin1.encode("5 €").as_ref(), b"5 ?");
    }

    #[test]
    fn bytes_that_are_no_utf8_are_refused_with_the_bytes() {
        let error = ClientEncoding::Utf8
            .decode(b"a\xff")
            .expect_err("0xff starts no character");
        assert_eq!(error.sqlstate, SqlState::CHARACTER_NOT_IN_REPERTOIRE);
        assert!(error.message.ends_with("0xff"), "{}", error.message);
        assert!(ClientEncoding::Utf8.decode(b"a\0b").is_err());
        assert!(ClientEncoding::Utf8.decode("ä".as_bytes()).is_ok());
    }
}
