//! The two forms of an array, whatever its elements are.
//!
//! Owns the text form (`{1,2}`) and the binary form of one-dimensional arrays. Promises
//! PostgreSQL's messages for what is malformed; arrays of several dimensions and with nulls,
//! which PostgreSQL would take, are refused because CDF has no such lists. Never reads an
//! element: the caller does.

use super::blanks::{skip_leading, trim};
use super::refusal::{incorrect_binary_format, insufficient_data, quoted};
use crate::diagnostic::{Diagnostic, SqlState};
use std::borrow::Cow;

/// Calls `element` with each element of the text form, without its quotes and escapes.
///
/// # Errors
/// 22P02; 22004 for a null element, 0A000 for several dimensions; those of `element`.
pub fn for_each_of_text(
    value: &[u8],
    mut element: impl FnMut(&[u8]) -> Result<(), Box<Diagnostic>>,
) -> Result<(), Box<Diagnostic>> {
    let malformed = |detail: &str| {
        Box::new(
            Diagnostic::error(
                SqlState::INVALID_TEXT_REPRESENTATION,
                format!("malformed array literal: \"{}\"", quoted(value)),
            )
            .with_detail(detail),
        )
    };
    let mut rest = skip_leading(value);
    // Lower bounds (`[0:1]=`) have no meaning in a list.
    if rest.first() == Some(&b'[') {
        let equals = memchr::memchr(b'=', rest)
            .ok_or_else(|| malformed("Missing \"=\" after array dimensions."))?;
        rest = skip_leading(&rest[equals + 1..]);
    }
    let Some((b'{', inside)) = rest.split_first() else {
        return Err(malformed(
            "Array value must start with \"{\" or dimension information.",
        ));
    };
    rest = inside;
    let mut elements = 0;
    loop {
        rest = skip_leading(rest);
        let after = match rest {
            [] => return Err(malformed("Unexpected end of input.")),
            [b'{', ..] => return Err(several_dimensions()),
            [b'}', after @ ..] if elements == 0 => {
                rest = after;
                break;
            }
            [b'}', ..] => return Err(malformed("Unexpected \"}\" character.")),
            [b',', ..] => return Err(malformed("Unexpected \",\" character.")),
            [b'"', inside @ ..] => {
                let (text, after) =
                    quoted_element(inside).ok_or_else(|| malformed("Unexpected end of input."))?;
                element(&text)?;
                after
            }
            rest => {
                let end = plain_end(rest).ok_or_else(|| malformed("Unexpected end of input."))?;
                let text = trim(&rest[..end]);
                if text.eq_ignore_ascii_case(b"null") {
                    return Err(null_element());
                }
                element(&without_escapes(text))?;
                &rest[end..]
            }
        };
        elements += 1;
        match skip_leading(after) {
            [b',', next @ ..] => rest = next,
            [b'}', after @ ..] => {
                rest = after;
                break;
            }
            [] => return Err(malformed("Unexpected end of input.")),
            _ => return Err(malformed("Unexpected array element.")),
        }
        if skip_leading(rest).first() == Some(&b'}') {
            return Err(malformed("Unexpected \"}\" character."));
        }
    }
    if skip_leading(rest).is_empty() {
        Ok(())
    } else {
        Err(malformed("Junk after closing right brace."))
    }
}

/// An element up to its closing quote, and what stands behind that.
fn quoted_element(inside: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', inside.get(at..)?)?;
        if inside[at] == b'"' {
            return Some((without_escapes(&inside[..at]), &inside[at + 1..]));
        }
        at += 2;
    }
}

/// Where an element without quotes ends: at the next comma or brace that no backslash hides.
fn plain_end(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr3(b',', b'}', b'\\', rest.get(at..)?)?;
        if rest[at] != b'\\' {
            return Some(at);
        }
        at += 2;
    }
}

fn without_escapes(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            byte => plain.push(*byte),
        }
    }
    Cow::Owned(plain)
}

/// Calls `element` with the bytes of each element of the binary form, whose elements must have
/// the type `element_oid`.
///
/// # Errors
/// 08P01, 22P03, 42804, 54000 as PostgreSQL; 22004 for a null element, 0A000 for several
/// dimensions; those of `element`.
pub fn for_each_of_binary(
    value: &[u8],
    element_oid: u32,
    mut element: impl FnMut(&[u8]) -> Result<(), Box<Diagnostic>>,
) -> Result<(), Box<Diagnostic>> {
    let mut rest = value;
    let dimensions = take_i32(&mut rest)?;
    let flags = take_i32(&mut rest)?;
    let sent_oid = take_i32(&mut rest)? as u32;
    if !(0..=6).contains(&dimensions) {
        return Err(Box::new(Diagnostic::error(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("number of array dimensions ({dimensions}) exceeds the maximum allowed (6)"),
        )));
    }
    if !(0..=1).contains(&flags) {
        return Err(Box::new(Diagnostic::error(
            SqlState::INVALID_BINARY_REPRESENTATION,
            "invalid array flags",
        )));
    }
    if sent_oid != element_oid {
        return Err(Box::new(Diagnostic::error(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "binary data has array element type {sent_oid} instead of expected {element_oid}"
            ),
        )));
    }
    match dimensions {
        0 if rest.is_empty() => return Ok(()),
        0 => return Err(incorrect_binary_format()),
        1 => {}
        _ => return Err(several_dimensions()),
    }
    let length = take_i32(&mut rest)?;
    let _lower_bound = take_i32(&mut rest)?;
    let Some(length) = usize::try_from(length).ok().filter(|n| *n <= 134_217_727) else {
        return Err(Box::new(Diagnostic::error(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "array size exceeds the maximum allowed (134217727)",
        )));
    };
    for _ in 0..length {
        let size = take_i32(&mut rest)?;
        if size == -1 {
            return Err(null_element());
        }
        let size = usize::try_from(size).map_err(|_| insufficient_data())?;
        if rest.len() < size {
            return Err(insufficient_data());
        }
        let (bytes, after) = rest.split_at(size);
        element(bytes)?;
        rest = after;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(incorrect_binary_format())
    }
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, Box<Diagnostic>> {
    let (bytes, after) = rest.split_first_chunk().ok_or_else(insufficient_data)?;
    *rest = after;
    Ok(i32::from_be_bytes(*bytes))
}

/// 22004: CDF's lists hold no nulls.
#[cold]
pub fn null_element() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::NULL_VALUE_NOT_ALLOWED,
        "an array for CDF must not contain nulls",
    ))
}

#[cold]
fn several_dimensions() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::FEATURE_NOT_SUPPORTED,
        "an array for CDF must have one dimension",
    ))
}
