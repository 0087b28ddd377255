//! Reading `bigint[]`.
//!
//! Owns the elements of integer arrays. Promises PostgreSQL's messages. Never reads the array
//! around them: [`super::array`] does.

use super::array::{for_each_of_binary, for_each_of_text};
use super::bigint::parse_bigint;
use super::refusal::fixed_size;
use crate::diagnostic::Diagnostic;

/// Reads the text form.
///
/// # Errors
/// 22P02, 22003; 22004 for a null element, 0A000 for several dimensions.
pub fn parse_bigint_array(value: &[u8]) -> Result<Vec<i64>, Box<Diagnostic>> {
    let mut numbers = Vec::new();
    for_each_of_text(value, |element| {
        numbers.push(parse_bigint(element)?);
        Ok(())
    })?;
    Ok(numbers)
}

/// Reads the binary form of an array whose elements have the type `element_oid`: 20, 21 or
/// 23 for elements of 8, 2 or 4 bytes.
///
/// # Errors
/// 08P01, 22P03, 42804, 54000 as PostgreSQL; 22004 for a null element, 0A000 for several
/// dimensions.
pub fn read_bigint_array(value: &[u8], element_oid: u32) -> Result<Vec<i64>, Box<Diagnostic>> {
    let mut numbers = Vec::new();
    for_each_of_binary(value, element_oid, |element| {
        numbers.push(match element_oid {
            21 => i64::from(i16::from_be_bytes(fixed_size(element)?)),
            23 => i64::from(i32::from_be_bytes(fixed_size(element)?)),
            _ => i64::from_be_bytes(fixed_size(element)?),
        });
        Ok(())
    })?;
    Ok(numbers)
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
