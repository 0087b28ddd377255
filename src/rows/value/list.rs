//! Reading lists of any element type, as JSON arrays.
//!
//! Owns the elements of lists, and JSON arrays in the place of PostgreSQL's text form. Promises
//! one JSON array per list, which is what CDF takes, and PostgreSQL's messages for an element
//! that is not of its type. Never reads the array around the elements: [`super::array`] does.

use super::array::{for_each_of_binary, for_each_of_text, null_element};
use super::bigint::parse_bigint;
use super::blanks::skip_leading;
use super::boolean::parse_bool;
use super::double::parse_double;
use super::json_text::{push_bool, push_double, push_integer, push_json, push_string};
use super::real::{from_double, parse_real, widened};
use super::refusal::{fixed_size, incorrect_binary_format};
use super::wire_type;
use crate::catalog::ColumnType;
use crate::diagnostic::{Diagnostic, SqlState};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Appends the text form (`{a,"b c"}`) of a list of `element`s, or a JSON array, as JSON.
///
/// # Errors
/// 22P02, 22003, 22021, 54000; 22004 for a null element, 0A000 for several dimensions.
pub fn parse_list(
    value: &[u8],
    element: ColumnType,
    json: &mut Vec<u8>,
) -> Result<(), Box<Diagnostic>> {
    json.push(b'[');
    if is_json(value) {
        for_each_of_json(value, element, |text| {
            push_separator(json);
            push_text(json, element, text)
        })?;
    } else {
        for_each_of_text(value, |text| {
            push_separator(json);
            push_text(json, element, text)
        })?;
    }
    json.push(b']');
    Ok(())
}

/// Appends the binary form of a list, whose elements were sent as type `sent`, as JSON.
///
/// # Errors
/// 08P01, 22P03, 42804, 54000 as PostgreSQL, 22003, 22021; 22004 for a null element, 0A000 for
/// several dimensions.
pub fn read_list(
    value: &[u8],
    element: ColumnType,
    sent: u32,
    json: &mut Vec<u8>,
) -> Result<(), Box<Diagnostic>> {
    json.push(b'[');
    for_each_of_binary(value, sent, |bytes| {
        push_separator(json);
        push_binary(json, element, sent, bytes)
    })?;
    json.push(b']');
    Ok(())
}

/// Whether the value is a JSON array; PostgreSQL's text form may open with `[` too, when it
/// names its bounds: `[0:1]={1,2}`.
fn is_json(value: &[u8]) -> bool {
    let [b'[', inside @ ..] = skip_leading(value) else {
        return false;
    };
    let bounds = inside
        .iter()
        .take_while(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b':'))
        .count();
    match &inside[bounds..] {
        [b']', after @ ..] => !matches!(skip_leading(after).first(), Some(b'=' | b'[')),
        _ => true,
    }
}

fn for_each_of_json(
    value: &[u8],
    element: ColumnType,
    mut take: impl FnMut(&[u8]) -> Result<(), Box<Diagnostic>>,
) -> Result<(), Box<Diagnostic>> {
    let malformed = |detail: String| {
        Box::new(
            Diagnostic::error(
                SqlState::INVALID_TEXT_REPRESENTATION,
                "malformed JSON array",
            )
            .with_detail(detail),
        )
    };
    let elements: Vec<&RawValue> =
        serde_json::from_slice(value).map_err(|error| malformed(error.to_string()))?;
    let strings = matches!(element, ColumnType::Text | ColumnType::Varchar(_));
    for raw in elements {
        match raw.get() {
            "null" => return Err(null_element()),
            text if strings => {
                let string: Cow<'_, str> = serde_json::from_str(text)
                    .map_err(|_| malformed(format!("{text} is not a string")))?;
                take(string.as_bytes())?;
            }
            text => take(text.as_bytes())?,
        }
    }
    Ok(())
}

/// A comma, unless the element is the first.
fn push_separator(json: &mut Vec<u8>) {
    if json.last() != Some(&b'[') {
        json.push(b',');
    }
}

fn push_text(json: &mut Vec<u8>, element: ColumnType, text: &[u8]) -> Result<(), Box<Diagnostic>> {
    match element {
        ColumnType::Bool => push_bool(json, parse_bool(text)?),
        ColumnType::BigInt => push_integer(json, parse_bigint(text)?),
        ColumnType::DoublePrecision => push_double(json, parse_double(text)?)?,
        ColumnType::Real => push_double(json, parse_real(text)?)?,
        ColumnType::Json => push_json(json, text)?,
        _ => push_string(json, text)?,
    }
    Ok(())
}

fn push_binary(
    json: &mut Vec<u8>,
    element: ColumnType,
    sent: u32,
    bytes: &[u8],
) -> Result<(), Box<Diagnostic>> {
    let integer = |bytes: &[u8]| {
        Ok::<i64, Box<Diagnostic>>(match sent {
            wire_type::INT2 => i64::from(i16::from_be_bytes(fixed_size(bytes)?)),
            wire_type::INT4 => i64::from(i32::from_be_bytes(fixed_size(bytes)?)),
            _ => i64::from_be_bytes(fixed_size(bytes)?),
        })
    };
    match (element, sent) {
        (ColumnType::Bool, _) => match bytes {
            [] => return Err(wire_type::no_data()),
            [byte] => push_bool(json, *byte != 0),
            _ => return Err(incorrect_binary_format()),
        },
        (ColumnType::BigInt, _) => push_integer(json, integer(bytes)?),
        (ColumnType::DoublePrecision, wire_type::FLOAT4) => {
            push_double(json, f64::from(f32::from_be_bytes(fixed_size(bytes)?)))?;
        }
        (ColumnType::Real, wire_type::FLOAT4) => {
            push_double(json, widened(f32::from_be_bytes(fixed_size(bytes)?)))?;
        }
        (ColumnType::DoublePrecision, wire_type::FLOAT8) => {
            push_double(json, f64::from_be_bytes(fixed_size(bytes)?))?;
        }
        (ColumnType::Real, wire_type::FLOAT8) => {
            push_double(json, from_double(f64::from_be_bytes(fixed_size(bytes)?))?)?;
        }
        (ColumnType::DoublePrecision, _) => push_double(json, integer(bytes)? as f64)?,
        (ColumnType::Real, _) => push_double(json, from_double(integer(bytes)? as f64)?)?,
        (ColumnType::Json, wire_type::JSONB) => push_json(json, wire_type::jsonb_text(bytes)?)?,
        (ColumnType::Json, _) => push_json(json, bytes)?,
        _ => push_string(json, bytes)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str, element: ColumnType) -> Result<String, Box<Diagnostic>> {
        let mut json = Vec::new();
        parse_list(value.as_bytes(), element, &mut json)?;
        Ok(String::from_utf8(json).expect("JSON is UTF-8"))
    }

    fn binary(element_oid: u32, elements: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for header in [1, 0, element_oid as i32, elements.len() as i32, 1] {
            bytes.extend(header.to_be_bytes());
        }
        for element in elements {
            bytes.extend((element.len() as i32).to_be_bytes());
            bytes.extend_from_slice(element);
        }
        bytes
    }

    #[test]
    fn lists_of_every_element_type_are_read_from_both_text_forms() {
        for (value, element, json) in [
            ("{t,f,yes}", ColumnType::Bool, "[true,false,true]"),
            ("[true, false]", ColumnType::Bool, "[true,false]"),
            ("{1,-2}", ColumnType::BigInt, "[1,-2]"),
            ("[1,-2]", ColumnType::BigInt, "[1,-2]"),
            ("[0:1]={1,2}", ColumnType::BigInt, "[1,2]"),
            ("[5]", ColumnType::BigInt, "[5]"),
            ("{1.5,2e3}", ColumnType::DoublePrecision, "[1.5,2000.0]"),
            ("{0.1}", ColumnType::Real, "[0.1]"),
            (
                "{a,\"b \\\"c\\\"\"}",
                ColumnType::Varchar(0),
                r#"["a","b \"c\""]"#,
            ),
            (r#"["a","b"]"#, ColumnType::Text, r#"["a","b"]"#),
            (r#"{"{\"a\": 1}",7}"#, ColumnType::Json, r#"[{"a": 1},7]"#),
            (
                r#"[{"a": [1]}, "x"]"#,
                ColumnType::Json,
                r#"[{"a": [1]},"x"]"#,
            ),
            ("{}", ColumnType::Json, "[]"),
            (" [ ] ", ColumnType::Json, "[]"),
        ] {
            assert_eq!(parsed(value, element).as_deref(), Ok(json), "{value}");
        }
    }

    #[test]
    fn an_element_that_is_not_of_its_type_is_refused_as_postgresql_refuses_it_alone() {
        for (value, element, code) in [
            ("{2}", ColumnType::Bool, "22P02"),
            ("{1.5}", ColumnType::BigInt, "22P02"),
            ("{x}", ColumnType::DoublePrecision, "22P02"),
            ("{NaN}", ColumnType::DoublePrecision, "22003"),
            ("{1e39}", ColumnType::Real, "22003"),
            ("{a}", ColumnType::Json, "22P02"),
            ("[1]", ColumnType::Text, "22P02"),
            ("[1", ColumnType::BigInt, "22P02"),
            ("[null]", ColumnType::Json, "22004"),
            ("{NULL}", ColumnType::Bool, "22004"),
            ("{{1},{2}}", ColumnType::BigInt, "0A000"),
        ] {
            let refusal = parsed(value, element).expect_err(value);
            assert_eq!(
                refusal.sqlstate.code(),
                code,
                "{value}: {}",
                refusal.message
            );
        }
    }

    #[test]
    fn binary_lists_are_read_by_the_type_that_was_sent() {
        for (element, sent, elements, json) in [
            (
                ColumnType::Bool,
                wire_type::BOOL,
                vec![&[1u8][..], &[0]],
                "[true,false]",
            ),
            (
                ColumnType::Real,
                wire_type::FLOAT4,
                vec![&0.1f32.to_be_bytes()[..]],
                "[0.1]",
            ),
            (
                ColumnType::DoublePrecision,
                wire_type::INT4,
                vec![&7i32.to_be_bytes()[..]],
                "[7.0]",
            ),
            (
                ColumnType::Json,
                wire_type::JSONB,
                vec![&b"\x01{}"[..]],
                "[{}]",
            ),
            (
                ColumnType::Varchar(0),
                wire_type::TEXT,
                vec![&b"a\"b"[..]],
                r#"["a\"b"]"#,
            ),
        ] {
            let mut read = Vec::new();
            read_list(&binary(sent, &elements), element, sent, &mut read).expect(json);
            assert_eq!(String::from_utf8_lossy(&read), json);
        }
    }

    #[test]
    fn string_arrays_become_json_arrays() {
        for (text, json) in [
            ("{}", "[]"),
            ("{a,b}", r#"["a","b"]"#),
            (r#"{"a b", c }"#, r#"["a b","c"]"#),
            (
                r#"{"say \"hi\"",back\\slash,"comma, brace}"}"#,
                r#"["say \"hi\"","back\\slash","comma, brace}"]"#,
            ),
            (r#"{"null"}"#, r#"["null"]"#),
            ("[0:1]={x,y}", r#"["x","y"]"#),
            (r#" ["x", "y"]"#, r#"["x","y"]"#),
            ("[]", "[]"),
        ] {
            assert_eq!(
                parsed(text, ColumnType::Text).as_deref(),
                Ok(json),
                "{text}"
            );
        }
    }

    #[test]
    fn nulls_and_broken_arrays_are_refused() {
        for (text, code) in [
            ("{a,NULL}", "22004"),
            ("{{a},{b}}", "0A000"),
            ("{a", "22P02"),
            (r#"{"a}"#, "22P02"),
            (r#"["a", 1]"#, "22P02"),
            ("a", "22P02"),
        ] {
            let refusal = parsed(text, ColumnType::Text).expect_err(text);
            assert_eq!(refusal.sqlstate.code(), code, "{text}");
        }
        let refusal =
            parse_list(b"{\xff}", ColumnType::Text, &mut Vec::new()).expect_err("no UTF-8");
        assert_eq!(refusal.sqlstate.code(), "22021");
    }
}
