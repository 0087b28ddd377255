//! Reading strings: encoding and length.
//!
//! Owns the UTF-8 check and the length rule of `character varying(n)`. Promises PostgreSQL's
//! messages. Never changes a string, except that blanks beyond the length are cut.

use crate::diagnostic::{Diagnostic, SqlState};

/// Checks that `value` is UTF-8 without NUL.
///
/// # Errors
/// 22021, showing the bytes of the character that is none.
#[inline]
pub fn check_text(value: &[u8]) -> Result<(), Box<Diagnostic>> {
    if is_plain_ascii(value) {
        return Ok(());
    }
    match std::str::from_utf8(value) {
        Ok(_) if memchr::memchr(0, value).is_none() => Ok(()),
        _ => Err(invalid_encoding(value)),
    }
}

/// Whether every byte is 1 to 127; looks at eight bytes at a time.
#[inline]
pub fn is_plain_ascii(value: &[u8]) -> bool {
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // Adding 0x7f carries into the high bit of every byte but NUL; high bits of the word
    // itself strike out what is not ASCII, and what a carry from there may have tainted.
    let plain = |word: u64| word.wrapping_add(!HIGHS) & !word;
    let mut all = HIGHS;
    let mut words = value.chunks_exact(8);
    for eight in words.by_ref() {
        if let Some(eight) = eight.first_chunk() {
            all &= plain(u64::from_le_bytes(*eight));
        }
    }
    match value.last_chunk() {
        Some(eight) => all &= plain(u64::from_le_bytes(*eight)),
        None => {
            return words
                .remainder()
                .iter()
                .all(|byte| (1..=127).contains(byte));
        }
    }
    all & HIGHS == HIGHS
}

/// Checks and measures a `character varying(characters_max)`; returns what is to be stored.
///
/// # Errors
/// 22021; 22001 when more than blanks stand beyond the length.
#[inline]
pub fn check_varchar(value: &[u8], characters_max: u16) -> Result<&[u8], Box<Diagnostic>> {
    check_text(value)?;
    // A character has at least one byte.
    if value.len() <= usize::from(characters_max) {
        return Ok(value);
    }
    let text = std::str::from_utf8(value).unwrap_or_default();
    match text.char_indices().nth(usize::from(characters_max)) {
        None => Ok(value),
        Some((end, _)) if value[end..].iter().all(|byte| *byte == b' ') => Ok(&value[..end]),
        Some(_) => Err(Box::new(Diagnostic::error(
            SqlState::STRING_DATA_RIGHT_TRUNCATION,
            format!("value too long for type character varying({characters_max})"),
        ))),
    }
}

/// 22021 for the first byte sequence in `value` that is no character, or for NUL.
#[cold]
pub fn invalid_encoding(value: &[u8]) -> Box<Diagnostic> {
    let invalid_at = match std::str::from_utf8(value) {
        Ok(_) => value.len(),
        Err(error) => error.valid_up_to(),
    };
    let start = memchr::memchr(0, &value[..invalid_at]).unwrap_or(invalid_at);
    let rest = &value[start..];
    // As many bytes as the first one announces.
    let announced = match rest.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 1,
    };
    let bytes: Vec<String> = rest
        .iter()
        .take(announced)
        .map(|byte| format!("0x{byte:02x}"))
        .collect();
    Box::new(Diagnostic::error(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        format!(
            "invalid byte sequence for encoding \"UTF8\": {}",
            bytes.join(" ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_character_are_shown() {
        for (value, shown) in [
            (&b"a\xffb"[..], "0xff"),
            (b"ok\xc3\x28", "0xc3 0x28"),
            (b"a\0b", "0x00"),
            (b"\xe2\x82", "0xe2 0x82"),
            (b"\xf0\x9f\x98", "0xf0 0x9f 0x98"),
        ] {
            let refusal = check_text(value).expect_err("not UTF-8");
            assert_eq!(refusal.sqlstate.code(), "22021");
            assert_eq!(
                refusal.message,
                format!("invalid byte sequence for encoding \"UTF8\": {shown}")
            );
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        let two_hundred = "é".repeat(200);
        assert_eq!(
            check_varchar(two_hundred.as_bytes(), 200),
            Ok(two_hundred.as_bytes())
        );
        let refusal = check_varchar(two_hundred.as_bytes(), 199).expect_err("too long");
        assert_eq!(refusal.sqlstate.code(), "22001");
        assert_eq!(
            refusal.message,
            "value too long for type character varying(199)"
        );
    }

    #[test]
    fn blanks_beyond_the_length_are_cut() {
        assert_eq!(check_varchar(b"abc   ", 3), Ok(&b"abc"[..]));
        assert_eq!(check_varchar(b"ab    ", 3), Ok(&b"ab "[..]));
        assert!(check_varchar(b"abc  d", 3).is_err());
    }
}
