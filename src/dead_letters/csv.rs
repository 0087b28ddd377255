//! CSV as PostgreSQL writes it: NULL is an empty field, an empty string is two quotes.
//!
//! Owns writing and reading records. Promises that what was written reads the same. Never knows
//! what the fields mean.

/// Appends one record.
pub fn write_record<'a>(output: &mut String, fields: impl Iterator<Item = Option<&'a str>>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            output.push(',');
        }
        let Some(field) = field else { continue };
        let is_plain = !field.is_empty() && !field.contains(['"', ',', '\n', '\r']);
        if is_plain {
            output.push_str(field);
        } else {
            output.push('"');
            output.push_str(&field.replace('"', "\"\""));
            output.push('"');
        }
    }
    output.push('\n');
}

/// Fields of a record; `None` is NULL.
pub type Fields = Vec<Option<String>>;

/// The records of `text`, each with the line that it starts in, from 1.
///
/// # Errors
/// The line of a quote that nothing closes.
pub fn records(text: &str) -> Result<Vec<(usize, Fields)>, usize> {
    let mut records = Vec::new();
    let mut characters = text.chars().peekable();
    let mut line = 1;
    while characters.peek().is_some() {
        let first_line = line;
        let mut fields = Vec::new();
        loop {
            let mut field = String::new();
            let mut is_quoted = false;
            let end = loop {
                match characters.next() {
                    Some('"') => {
                        is_quoted = true;
                        loop {
                            match characters.next() {
                                Some('"') if characters.peek() == Some(&'"') => {
                                    characters.next();
                                    field.push('"');
                                }
                                Some('"') => break,
                                Some(character) => {
                                    line += usize::from(character == '\n');
                                    field.push(character);
                                }
                                None => return Err(first_line),
                            }
                        }
                    }
                    Some('\r') if characters.peek() == Some(&'\n') => {}
                    Some(character @ (',' | '\n')) => break Some(character),
                    Some(character) => field.push(character),
                    None => break None,
                }
            };
            fields.push((is_quoted || !field.is_empty()).then_some(field));
            if end != Some(',') {
                line += 1;
                break;
            }
        }
        // A line without anything is no record.
        if fields != [None] {
            records.push((first_line, fields));
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_come_back(
            written in prop::collection::vec(
                prop::collection::vec(prop::option::of("[ab\",\n\r é]{0,5}"), 2..5),
                0..6,
            ),
        ) {
            let mut text = String::new();
            for record in &written {
                write_record(&mut text, record.iter().map(Option::as_deref));
            }
            let read: Vec<_> = records(&text)
                .expect("quotes are closed")
                .into_iter()
                .map(|(_, record)| record)
                .collect();
            prop_assert_eq!(read, written);
        }
    }

    #[test]
    fn lines_are_counted_through_quotes_and_an_open_quote_is_told() {
        let read = records("a,b\r\n\"x\ny\",\n\n,\"\"\n").expect("quotes are closed");
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            read,
            [
                (1, vec![some("a"), some("b")]),
                (2, vec![some("x\ny"), None]),
                (5, vec![None, some("")]),
            ]
        );
        assert_eq!(records("a\n\"b\n"), Err(2));
    }
}
