//! Reading `text[]`, and JSON arrays of strings in its place.
//!
//! Owns the elements of string arrays. Promises a JSON array of strings, which is what CDF
//! takes. Never checks a length: the builders do.

use super::array::{for_each_of_binary, for_each_of_text};
use super::blanks::skip_leading;
use super::text::{check_text, invalid_encoding};
use crate::diagnostic::{Diagnostic, SqlState};
use std::io::Write;

/// The array that is being gathered.
struct JsonList {
    json: Vec<u8>,
}

impl JsonList {
    fn new() -> Self {
        JsonList { json: vec![b'['] }
    }

    fn push(&mut self, element: &[u8]) -> Result<(), Box<Diagnostic>> {
        check_text(element)?;
        let text = std::str::from_utf8(element).map_err(|_| invalid_encoding(element))?;
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        let written = serde_json::to_writer(self.json.by_ref(), text);
        debug_assert!(written.is_ok(), "a string is JSON, and memory takes it");
        Ok(())
    }

    fn finish(mut self) -> Vec<u8> {
        self.json.push(b']');
        self.json
    }
}

/// Reads the text form (`{a,"b c"}`), or a JSON array of strings.
///
/// # Errors
/// 22P02, 22021; 22004 for a null element, 0A000 for several dimensions.
pub fn parse_text_array(value: &[u8]) -> Result<Vec<u8>, Box<Diagnostic>> {
    let mut list = JsonList::new();
    // `[` opens PostgreSQL's lower bounds too, but no quote or bracket follows there.
    let is_json = matches!(skip_leading(value), [b'[', inside @ ..]
        if matches!(skip_leading(inside).first(), Some(b'"' | b']')));
    if is_json {
        let elements: Vec<String> = serde_json::from_slice(value).map_err(|error| {
            Box::new(
                Diagnostic::error(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    "malformed JSON array of strings",
                )
                .with_detail(error.to_string()),
            )
        })?;
        for element in elements {
            list.push(element.as_bytes())?;
        }
    } else {
        for_each_of_text(value, |element| list.push(element))?;
    }
    Ok(list.finish())
}

/// Reads the binary form of an array of strings: `text[]` or `varchar[]`.
///
/// # Errors
/// 08P01, 22P03, 42804, 54000 as PostgreSQL, 22021; 22004 for a null element, 0A000 for several
/// dimensions.
pub fn read_text_array(value: &[u8], element_oid: u32) -> Result<Vec<u8>, Box<Diagnostic>> {
    let mut list = JsonList::new();
    for_each_of_binary(value, element_oid, |element| list.push(element))?;
    Ok(list.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        String::from_utf8(parse_text_array(text.as_bytes()).expect(text)).expect("JSON is UTF-8")
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
            assert_eq!(parsed(text), json, "{text}");
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
            let refusal = parse_text_array(text.as_bytes()).expect_err(text);
            assert_eq!(refusal.sqlstate.code(), code, "{text}");
        }
        let refusal = parse_text_array(b"{\xff}").expect_err("no UTF-8");
        assert_eq!(refusal.sqlstate.code(), "22021");
    }
}
