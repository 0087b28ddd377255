//! SASL OAUTHBEARER: the client's message and the server's answer to a token that is not good.
//!
//! Owns the layouts of RFC 7628, as PostgreSQL 18 has them. Promises that what does not fit its
//! layout is an error and never a panic. Never checks a token.

use super::super::frame::violation;
use crate::diagnostic::Diagnostic;
use serde_json::json;

/// The mechanism's name.
pub(super) const OAUTHBEARER_METHOD: &str = "OAUTHBEARER";

/// Stands between the parts of a message, and alone is the client's last one.
pub(super) const SEPARATOR: u8 = 0x01;

/// The token in a client's first message; `None`: the client asks where to get one.
///
/// # Errors
/// FATAL 08P01 for a message that makes no sense.
pub(super) fn token(message: &[u8]) -> Result<Option<&str>, Box<Diagnostic>> {
    let malformed = |what: &str| violation(format!("malformed OAUTHBEARER message: {what}"));
    // The head says whether the channel is bound, and in whose name somebody acts.
    let pairs = match message {
        [b'n' | b'y', b',', b',', SEPARATOR, pairs @ ..] => pairs,
        [b'p', ..] => return Err(malformed("it cannot be bound to a channel")),
        [b'n' | b'y', b',', ..] => return Err(malformed("authorization identity not supported")),
        _ => return Err(malformed("its head is not as it must be")),
    };
    let pairs = pairs
        .strip_suffix(&[SEPARATOR, SEPARATOR])
        .ok_or_else(|| malformed("it does not end with two separators"))?;
    let mut value = None;
    for pair in pairs.split(|byte| *byte == SEPARATOR) {
        let at = memchr::memchr(b'=', pair).ok_or_else(|| malformed("a key has no value"))?;
        let (key, rest) = (&pair[..at], &pair[at + 1..]);
        if key.is_empty() || !key.iter().all(u8::is_ascii_alphabetic) {
            return Err(malformed("a key is no word"));
        }
        if key == b"auth" && value.replace(rest).is_some() {
            return Err(malformed("auth is there twice"));
        }
    }
    let value = value.ok_or_else(|| malformed("auth is missing"))?;
    if value.is_empty() {
        return Ok(None);
    }
    // The scheme's case does not count.
    let token = value
        .split_at_checked(7)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "))
        .map(|(_, token)| token.trim_ascii_start())
        .filter(|token| !token.is_empty() && token.iter().all(is_of_token))
        .and_then(|token| std::str::from_utf8(token).ok())
        .ok_or_else(|| malformed("auth is no bearer token"))?;
    Ok(Some(token))
}

fn is_of_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte)
}

/// What the client is told instead of success: where to get a token, and for what.
pub(super) fn failure(discovery_url: &str, scope: &str) -> String {
    json!({
        "status": "invalid_token",
        "openid-configuration": discovery_url,
        "scope": scope,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_token_is_read_whatever_the_case_of_its_scheme() {
        for message in [
            &b"n,,\x01auth=Bearer a.b-c~\x01\x01"[..],
            b"y,,\x01auth=bearer   a.b-c~\x01\x01",
            b"n,,\x01host=h\x01auth=BEARER a.b-c~\x01port=1\x01\x01",
        ] {
            assert_eq!(token(message), Ok(Some("a.b-c~")));
        }
    }

    #[test]
    fn a_client_without_a_token_asks_for_the_way_to_one() {
        assert_eq!(token(b"n,,\x01auth=\x01\x01"), Ok(None));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for message in [
            &b""[..],
            b"n",
            b"n,,",
            b"n,,\x01",
            b"n,,\x01\x01",
            b"n,,\x01auth=Bearer a\x01",
            b"n,,\x01auth=Bearer a",
            b"n,,\x01auth=Bearer \x01\x01",
            b"n,,\x01auth=Basic a\x01\x01",
            b"n,,\x01auth=Bearer a b\x01\x01",
            b"n,,\x01auth=Bearer a\x00\x01\x01",
            b"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
            b"n,,\x01host=h\x01\x01",
            b"n,,\x01auth\x01\x01",
            b"n,a=ada,\x01auth=Bearer a\x01\x01",
            b"p=tls-server-end-point,,\x01auth=Bearer a\x01\x01",
        ] {
            let error = token(message).expect_err("it must be refused");
            assert!(!error.message.contains("Bearer"), "{}", error.message);
        }
    }

    proptest! {
        #[test]
        fn no_message_makes_the_reader_panic(tail in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = token(&tail);
            let _ = token(&[b"n,,\x01auth=", &tail[..]].concat());
        }
    }
}
