//! A row as one text, as PostgreSQL writes a composite value.
//!
//! Owns the cut into its fields. Promises that a null is told from an empty text, and that every text
//! comes back as it was. Never knows what the fields mean.

/// The fields of `(a,"b c",,"")`, each `None` where it is null; nothing where the text is no row.
pub fn fields_of_record(record: &str) -> Option<Vec<Option<String>>> {
    let inner = record.strip_prefix('(')?.strip_suffix(')')?;
    let mut fields = Vec::new();
    let mut field: Option<String> = None;
    let mut is_quoted = false;
    let mut characters = inner.chars().peekable();
    loop {
        let Some(character) = characters.next() else {
            fields.push(field);
            return (!is_quoted).then_some(fields);
        };
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.get_or_insert_default().push('"');
            }
            '"' => {
                is_quoted = !is_quoted;
                field.get_or_insert_default();
            }
            '\\' => field.get_or_insert_default().push(characters.next()?),
            ',' if !is_quoted => fields.push(field.take()),
            other => field.get_or_insert_default().push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_empty_texts_and_texts_of_any_characters_come_back() {
        let fields = fields_of_record(r#"(7,,"","a ""b"" \\ (c), d",æ)"#).expect("it is a row");
        let expected = [
            Some("7"),
            None,
            Some(""),
            Some(r#"a "b" \ (c), d"#),
            Some("æ"),
        ];
        let found: Vec<Option<&str>> = fields.iter().map(Option::as_deref).collect();
        assert_eq!(found, expected);
        assert_eq!(fields_of_record("()"), Some(vec![None]));
    }

    #[test]
    fn what_is_no_row_is_none() {
        for text in ["", "a", "(a", "(\"a)", "(a\\)"] {
            assert_eq!(fields_of_record(text), None, "{text}");
        }
    }
}
