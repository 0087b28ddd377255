//! Reading `bigint[]`.
//!
//! Owns the text form (`{1,2}`) and the binary form of one-dimensional integer arrays.
//! Promises PostgreSQL's messages for what is malformed; arrays of several dimensions and
//! with nulls, which PostgreSQL would take, are refused because CDF has no such lists.

use super::bigint::parse_bigint;
use super::blanks::{skip_leading, trim};
use super::refusal::{fixed_size, incorrect_binary_format, insufficient_data, quoted};
use crate::diagnostic::{Diagnostic, SqlState};

/// Reads the text form.
///
/// # Errors
/// 22P02, 22003; 22004 for a null element, 0A000 for several dimensions.
pub fn parse_bigint_array(value: &[u8]) -> Result<Vec<i64>, Box<Diagnostic>> {
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
    let mut numbers = Vec::new();
    loop {
        rest = skip_leading(rest);
        let (element, after) = match rest {
            [] => return Err(malformed("Unexpected end of input.")),
            [b'{', ..] => return Err(several_dimensions()),
            [b'}', after @ ..] if numbers.is_empty() => {
                rest = after;
                break;
            }
            [b'}', ..] => return Err(malformed("Unexpected \"}\" character.")),
            [b',', ..] => return Err(malformed("Unexpected \",\" character.")),
            [b'"', quoted_rest @ ..] => {
                let end = memchr::memchr(b'"', quoted_rest)
                    .ok_or_else(|| malformed("Unexpected end of input."))?;
                (&quoted_rest[..end], &quoted_rest[end + 1..])
            }
            rest => {
                let end = memchr::memchr2(b',', b'}', rest)
                    .ok_or_else(|| malformed("Unexpected end of input."))?;
                let element = trim(&rest[..end]);
                if element.eq_ignore_ascii_case(b"null") {
                    return Err(null_element());
                }
                (element, &rest[end..])
            }
        };
        numbers.push(parse_bigint(element)?);
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
        Ok(numbers)
    } else {
        Err(malformed("Junk after closing right brace."))
    }
}

/// Reads the binary form of an array whose elements have the type `element_oid`: 20, 21 or
/// 23 for elements of 8, 2 or 4 bytes.
///
/// # Errors
/// 08P01, 22P03, 42804, 54000 as PostgreSQL; 22004 for a null element, 0A000 for several
/// dimensions.
pub fn read_bigint_array(value: &[u8], element_oid: u32) -> Result<Vec<i64>, Box<Diagnostic>> {
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
        0 if rest.is_empty() => return Ok(Vec::new()),
        0 => return Err(incorrect_binary_format()),
        1 => {}
        _ => return Err(several_dimensions()),
    }
    let length = take_i32(&mut rest)?;
    let _lower_bound = take_i32(&mut rest)?;
    // As many elements as bytes can hold at most: nothing is reserved on a client's word.
    let Some(length) = usize::try_from(length).ok().filter(|n| *n <= 134_217_727) else {
        return Err(Box::new(Diagnostic::error(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "array size exceeds the maximum allowed (134217727)",
        )));
    };
    let mut numbers = Vec::with_capacity(length.min(rest.len() / 4));
    for _ in 0..length {
        let size = take_i32(&mut rest)?;
        if size == -1 {
            return Err(null_element());
        }
        let size = usize::try_from(size).map_err(|_| insufficient_data())?;
        if rest.len() < size {
            return Err(insufficient_data());
        }
        let (element, after) = rest.split_at(size);
        numbers.push(match element_oid {
            21 => i64::from(i16::from_be_bytes(fixed_size(element)?)),
            23 => i64::from(i32::from_be_bytes(fixed_size(element)?)),
            _ => i64::from_be_bytes(fixed_size(element)?),
        });
        rest = after;
    }
    if rest.is_empty() {
        Ok(numbers)
    } else {
        Err(incorrect_binary_format())
    }
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, Box<Diagnostic>> {
    let (bytes, after) = rest.split_first_chunk().ok_or_else(insufficient_data)?;
    *rest = after;
    Ok(i32::from_be_bytes(*bytes))
}

#[cold]
fn null_element() -> Box<Diagnostic> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_arrays_are_read() {
        for (text, numbers) in [
            ("{1,2}", vec![1, 2]),
            ("{}", vec![]),
            (" { 1 , \"2\" } ", vec![1, 2]),
            ("[0:1]={-1,2}", vec![-1, 2]),
            ("{ }", vec![]),
        ] {
            assert_eq!(parse_bigint_array(text.as_bytes()), Ok(numbers), "{text}");
        }
    }

    #[test]
    fn malformed_arrays_are_refused_with_the_details_of_postgresql() {
        for (text, detail) in [
            ("{", "Unexpected end of input."),
            ("{1,2", "Unexpected end of input."),
            (
                "",
                "Array value must start with \"{\" or dimension information.",
            ),
            (
                "1,2",
                "Array value must start with \"{\" or dimension information.",
            ),
            ("{1,2}x", "Junk after closing right brace."),
            ("{1,,2}", "Unexpected \",\" character."),
            ("{1,}", "Unexpected \"}\" character."),
        ] {
            let refusal = parse_bigint_array(text.as_bytes()).expect_err(text);
            assert_eq!(refusal.detail.as_deref(), Some(detail), "{text}");
            assert_eq!(refusal.sqlstate.code(), "22P02");
        }
        for (text, code) in [
            ("{1,x}", "22P02"),
            ("{1,null}", "22004"),
            ("{{1},{2}}", "0A000"),
            ("{99999999999999999999}", "22003"),
        ] {
            let refusal = parse_bigint_array(text.as_bytes()).expect_err(text);
            assert_eq!(refusal.sqlstate.code(), code, "{text}");
        }
    }

    fn binary(header: [i32; 3], dimension: &[i32], elements: &[&[u8]]) -> Vec<u8> {
        let mut bytes: Vec<u8> = header
            .iter()
            .chain(dimension)
            .flat_map(|number| number.to_be_bytes())
            .collect();
        for element in elements {
            bytes.extend((element.len() as i32).to_be_bytes());
            bytes.extend_from_slice(element);
        }
        bytes
    }

    #[test]
    fn binary_arrays_are_read() {
        let one = 1i64.to_be_bytes();
        let two = (-2i32).to_be_bytes();
        let eights = binary([1, 0, 20], &[1, 1], &[&one]);
        assert_eq!(read_bigint_array(&eights, 20), Ok(vec![1]));
        let fours = binary([1, 0, 23], &[1, 1], &[&two]);
        assert_eq!(read_bigint_array(&fours, 23), Ok(vec![-2]));
        assert_eq!(
            read_bigint_array(&binary([0, 0, 20], &[], &[]), 20),
            Ok(vec![])
        );
    }

    #[test]
    fn malformed_binary_arrays_get_the_codes_of_postgresql() {
        let one = 1i64.to_be_bytes();
        for (bytes, code) in [
            (binary([1, 0, 23], &[1, 1], &[&one]), "42804"),
            (binary([2, 0, 20], &[1, 1, 1, 1], &[&one]), "0A000"),
            (binary([1, 0, 20], &[2, 1], &[&one]), "08P01"),
            (binary([1, 0, 20], &[1, 1], &[&one, &one]), "22P03"),
            (binary([7, 0, 20], &[], &[]), "54000"),
            (binary([1, 2, 20], &[1, 1], &[&one]), "22P03"),
            (binary([1, 0, 20], &[-1, 1], &[&one]), "54000"),
            (binary([1, 0, 20], &[1, 1], &[b"123"]), "08P01"),
            (binary([1, 0, 20], &[1, 1, -1], &[]), "22004"),
            (vec![0, 0, 0], "08P01"),
        ] {
            let refusal = read_bigint_array(&bytes, 20).expect_err("malformed");
            assert_eq!(refusal.sqlstate.code(), code);
        }
    }
}
