//! The client's encoding.
//!
//! Owns the names under which encodings are asked for. Promises PostgreSQL's canonical name.
//! Never converts bytes.

use super::super::CopyEncoding;

/// The encoding of that name and its canonical name; `None` for one that is not supported.
/// Case, dashes, blanks and quotes do not count: drivers send `utf-8`, `'utf-8'`, `UNICODE`.
pub(crate) fn client_encoding(name: &str) -> Option<(CopyEncoding, &'static str)> {
    let letters: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_lowercase())
        .collect();
    match letters.as_str() {
        "utf8" | "unicode" => Some((CopyEncoding::Utf8, "UTF8")),
        "latin1" | "iso88591" => Some((CopyEncoding::Latin1, "LATIN1")),
        // No conversion: the bytes are taken for UTF-8 and checked.
        "sqlascii" => Some((CopyEncoding::Utf8, "SQL_ASCII")),
        _ => None,
    }
}
