//! RAW rows in JSON, read without keeping them.
//!
//! Owns the reader of `{"items": [{"key": …, "columns": {…}}, …]}` for sink mode. Every
//! byte is checked to be JSON; nothing is allocated per row but the keys for the log.

use super::json_text::{JsonText, NotJson, StringSpan};
use crate::emulator::answer::Refusal;
use crate::emulator::call::Tally;
use crate::emulator::checksum;
use crate::emulator::json;
use crate::emulator::raw::check_row;
use std::borrow::Cow;

/// Reads a body. `rows_sum` is not yet multiplied by the factor of the table.
pub fn read_rows(body: &[u8]) -> Result<Tally, Refusal> {
    let text = std::str::from_utf8(body).map_err(|error| not_json(error.valid_up_to()))?;
    let mut reader = JsonText::new(text);
    let mut tally = None;
    reader.expect(b'{')?;
    if !reader.take(b'}') {
        loop {
            let name = reader.string()?;
            reader.expect(b':')?;
            if meaning(name)? == "items" {
                if tally.is_some() {
                    return Err(doubled("items"));
                }
                tally = Some(read_items(&mut reader)?);
            } else {
                reader.value()?;
            }
            if reader.take(b'}') {
                break;
            }
            reader.expect(b',')?;
        }
    }
    reader.end()?;
    tally.ok_or_else(|| missing("items"))
}

fn read_items(reader: &mut JsonText<'_>) -> Result<Tally, Refusal> {
    let mut tally = Tally::default();
    reader.expect(b'[')?;
    if reader.take(b']') {
        return Ok(tally);
    }
    loop {
        let (key, columns) = read_row(reader)?;
        check_row(&key, columns)?;
        let hash = checksum::row(key.as_bytes(), columns.as_bytes());
        tally.rows_sum = tally.rows_sum.wrapping_add(hash);
        tally.rows += 1;
        if tally.wants_keys() {
            tally.keys.push(key.into_owned());
        }
        if reader.take(b']') {
            tally.items = tally.rows;
            return Ok(tally);
        }
        reader.expect(b',')?;
    }
}

fn read_row<'a>(reader: &mut JsonText<'a>) -> Result<(Cow<'a, str>, &'a str), Refusal> {
    let (mut key, mut columns) = (None, None);
    reader.expect(b'{')?;
    if reader.take_exactly(b"\"key\":\"") {
        // The usual row names its key first and writes no blanks.
        key = Some(meaning(reader.string_after_quote()?)?);
        if reader.take_exactly(b",\"columns\":") {
            columns = Some(reader.value()?);
        }
        if !reader.take(b'}') {
            reader.expect(b',')?;
            read_fields(reader, &mut key, &mut columns)?;
        }
    } else if !reader.take(b'}') {
        read_fields(reader, &mut key, &mut columns)?;
    }
    Ok((
        key.ok_or_else(|| missing("key"))?,
        columns.ok_or_else(|| missing("columns"))?,
    ))
}

/// Reads fields in any order, to the end of their object.
fn read_fields<'a>(
    reader: &mut JsonText<'a>,
    key: &mut Option<Cow<'a, str>>,
    columns: &mut Option<&'a str>,
) -> Result<(), Refusal> {
    loop {
        let name = reader.string()?;
        reader.expect(b':')?;
        match meaning(name)?.as_ref() {
            "key" if key.is_some() => return Err(doubled("key")),
            "key" => *key = Some(meaning(reader.string()?)?),
            "columns" if columns.is_some() => return Err(doubled("columns")),
            "columns" => *columns = Some(reader.value()?),
            _ => {
                reader.value()?;
            }
        }
        if reader.take(b'}') {
            return Ok(());
        }
        reader.expect(b',')?;
    }
}

/// What a string means, its escapes undone.
fn meaning(span: StringSpan<'_>) -> Result<Cow<'_, str>, Refusal> {
    if span.escaped {
        json::read(format!("\"{}\"", span.text).as_bytes()).map(Cow::Owned)
    } else {
        Ok(Cow::Borrowed(span.text))
    }
}

fn missing(field: &str) -> Refusal {
    Refusal::MissingFields {
        message: format!("Some required fields are missing: {field}"),
        fields: vec![field.to_owned()],
    }
}

fn doubled(field: &str) -> Refusal {
    Refusal::invalid(format!(
        "Request body is not valid: duplicate field `{field}`"
    ))
}

fn not_json(at: usize) -> Refusal {
    Refusal::invalid(format!("Request body is not valid: no JSON at byte {at}"))
}

impl From<NotJson> for Refusal {
    fn from(fault: NotJson) -> Self {
        not_json(fault.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(body: &str) -> Result<u64, u16> {
        read_rows(body.as_bytes())
            .map(|tally| tally.rows_sum)
            .map_err(|refusal| refusal.status())
    }

    #[test]
    fn the_order_of_rows_and_of_their_fields_does_not_matter() {
        let a = r#"{"items":[{"key":"1","columns":{"a":1}},{"key":"2","columns":{}}]}"#;
        let b = r#"{"items":[{"columns":{},"key":"2"}, {"key":"1","columns":{"a":1}}]}"#;
        assert_eq!(sum(a), sum(b));
        assert!(sum(a).is_ok());
    }

    #[test]
    fn a_key_counts_without_its_escapes() {
        let plain = r#"{"items":[{"key":"é","columns":{}}]}"#;
        let escaped = r#"{"items":[{"key":"\u00e9","columns":{}}]}"#;
        assert_eq!(sum(plain), sum(escaped));
    }

    #[test]
    fn rows_without_key_or_columns_are_refused() {
        for body in [
            r#"{"items":[{"key":"1"}]}"#,
            r#"{"items":[{"columns":{}}]}"#,
            r#"{"items":[{"key":"","columns":{}}]}"#,
            r#"{"items":[{"key":"1","columns":[]}]}"#,
            r#"{"items":[{"key":"1","columns":{}}"#,
            r#"{"rows":[]}"#,
            r#"{"items":[{"key":"\ud800","columns":{}}]}"#,
        ] {
            assert_eq!(sum(body), Err(400), "{body}");
        }
    }
}
