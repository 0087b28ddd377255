//! Reading JSON bodies, and saying what is wrong with them as CDF does.
//!
//! Owns the mapping from a parse error to a refusal: an absent required field has a shape
//! of its own (`missingFields`), everything else is a plain 400.

use super::answer::Refusal;
use serde::Deserialize;

/// Reads any JSON as `T`, which may borrow from it.
pub fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| refusal(&error.to_string()))
}

/// Reads a request body, which has to be an object: serde would take an array for a
/// structure as well, its elements for the fields in their order.
pub fn read_object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Refusal::invalid(
            "Request body is not valid: expected a JSON object",
        ));
    }
    read(body)
}

/// Checks the number of `items`, as every list of the API is bounded.
pub fn check_items(what: &str, items: usize, most: usize) -> Result<(), Refusal> {
    if items == 0 {
        return Err(Refusal::invalid(format!(
            "items: at least 1 {what} is required"
        )));
    }
    if items > most {
        return Err(Refusal::invalid(format!(
            "items: at most {most} {what} per request are allowed, got {items}"
        )));
    }
    Ok(())
}

/// What to say about a body that a reader could not read.
pub fn refusal(text: &str) -> Refusal {
    let field = text
        .split_once("missing field `")
        .and_then(|(_, rest)| rest.split_once('`'))
        .map(|(field, _)| field);
    match field {
        Some(field) => Refusal::MissingFields {
            message: format!("Some required fields are missing: {field}"),
            fields: vec![field.to_owned()],
        },
        None => Refusal::invalid(format!("Request body is not valid: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Row {
        key: String,
    }

    #[test]
    fn an_absent_field_is_named_without_an_envelope() {
        assert_eq!(
            read::<Row>(b"{}"),
            Err(Refusal::MissingFields {
                message: "Some required fields are missing: key".into(),
                fields: vec!["key".into()],
            })
        );
    }

    #[test]
    fn a_broken_body_is_a_plain_400() {
        assert!(matches!(
            read::<Row>(b"{\"key\":"),
            Err(Refusal::Invalid(_))
        ));
    }
}
