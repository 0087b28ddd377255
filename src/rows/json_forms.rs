//! The forms that CDF asks of JSON in some columns.
//!
//! Owns the rules of CDF's API reference for columns of sequences, and for raw tables, contacts and
//! notifications of extraction pipelines. Promises the place of what is wrong, as a path from the
//! value's root, `$`. Never refuses a field that it does not know: CDF may.

use super::geo_location::check_geo_location;
use super::metadata::check_metadata;
use crate::catalog::JsonForm;
use crate::diagnostic::{Diagnostic, SqlState};
use serde_json::{Map, Value};
use std::collections::HashSet;

type Checked = Result<(), Box<Diagnostic>>;

const SEQUENCE_COLUMNS_MAX: usize = 400;
const SEQUENCE_STRING_COLUMNS_MAX: usize = 200;
const SEQUENCE_VALUE_TYPES: [&str; 3] = ["STRING", "DOUBLE", "LONG"];
const SEQUENCE_METADATA_BYTES_MAX: u32 = 10_000;
const EXTERNAL_ID_CHARACTERS_MAX: usize = 255;
const EMAIL_CHARACTERS_MAX: usize = 254;

/// Checks JSON, already known to be JSON.
///
/// # Errors
/// 22023 for another form, 22001 for texts that are too long, 54000 for too many elements, 23514 for
/// words and names that CDF does not take there.
pub fn check_form(form: JsonForm, json: &[u8]) -> Checked {
    let value: Value = serde_json::from_slice(json)
        .map_err(|fault| unfit("$", &format!("cannot be read: {fault}")))?;
    match form {
        JsonForm::GeoLocation => check_geo_location(&value),
        JsonForm::SequenceColumns => check_sequence_columns(&value),
        JsonForm::RawTables => check_raw_tables(&value),
        JsonForm::Contacts => check_contacts(&value),
        JsonForm::NotificationConfig => check_notification_config(&value),
    }
}

/// 22023: what stands there has another form.
pub(super) fn unfit(place: &str, what: &str) -> Box<Diagnostic> {
    refusal(SqlState::INVALID_PARAMETER_VALUE, place, what)
}

fn refusal(sqlstate: SqlState, place: &str, what: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(sqlstate, format!("{place} {what}")))
}

fn list<'a>(value: &'a Value, place: &str) -> Result<&'a [Value], Box<Diagnostic>> {
    match value {
        Value::Array(elements) => Ok(elements),
        _ => Err(unfit(place, "must be a JSON array")),
    }
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, Box<Diagnostic>> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(unfit(place, "must be a JSON object")),
    }
}

/// A string of an object, if it has one; null is none.
fn text<'a>(
    fields: &'a Map<String, Value>,
    place: &str,
    name: &str,
    characters_max: usize,
) -> Result<Option<&'a str>, Box<Diagnostic>> {
    let place = || format!("{place}.{name}");
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            let characters = text.chars().count();
            if characters > characters_max {
                let what = format!("has {characters} characters");
                let refusal = refusal(SqlState::STRING_DATA_RIGHT_TRUNCATION, &place(), &what);
                return Err(Box::new(
                    refusal.with_hint(format!("CDF takes up to {characters_max}.")),
                ));
            }
            Ok(Some(text))
        }
        Some(_) => Err(unfit(&place(), "must be a string")),
    }
}

/// A string that the object must have, of one character at least.
fn name<'a>(
    fields: &'a Map<String, Value>,
    place: &str,
    name: &str,
    characters_max: usize,
) -> Result<&'a str, Box<Diagnostic>> {
    match text(fields, place, name, characters_max)? {
        None => Err(unfit(&format!("{place}.{name}"), "is missing")),
        Some("") => Err(unfit(&format!("{place}.{name}"), "is empty")),
        Some(text) => Ok(text),
    }
}

fn check_sequence_columns(value: &Value) -> Checked {
    let columns = list(value, "$")?;
    if columns.is_empty() {
        return Err(unfit("$", "names no column: CDF makes no sequence without"));
    }
    too_many(columns.len(), SEQUENCE_COLUMNS_MAX, "columns")?;
    let mut names = HashSet::new();
    let mut strings = 0;
    for (index, column) in columns.iter().enumerate() {
        let place = format!("$[{index}]");
        let fields = object(column, &place)?;
        let external_id = name(fields, &place, "externalId", EXTERNAL_ID_CHARACTERS_MAX)?;
        text(fields, &place, "name", 255)?;
        text(fields, &place, "description", 1000)?;
        if let Some(value_type) = text(fields, &place, "valueType", usize::MAX)? {
            // CDF's SDKs write it in several ways.
            let known = |word: &&str| word.eq_ignore_ascii_case(value_type);
            if !SEQUENCE_VALUE_TYPES.iter().any(known) {
                let what = format!("\"{value_type}\" is not a value that CDF knows here");
                let place = format!("{place}.valueType");
                let refusal = refusal(SqlState::CHECK_VIOLATION, &place, &what);
                let words = SEQUENCE_VALUE_TYPES.join(", ");
                return Err(Box::new(
                    refusal.with_hint(format!("Write one of {words}.")),
                ));
            }
            strings += usize::from(value_type.eq_ignore_ascii_case("STRING"));
        }
        if let Some(metadata) = fields.get("metadata").filter(|value| !value.is_null()) {
            let written = metadata.to_string();
            let most = SEQUENCE_METADATA_BYTES_MAX;
            check_metadata(written.as_bytes(), most, most).map_err(|mut refusal| {
                refusal.message = format!("{place}.metadata: {}", refusal.message);
                refusal
            })?;
        }
        if !names.insert(external_id) {
            let what = format!("\"{external_id}\" is the name of another column");
            let place = format!("{place}.externalId");
            return Err(refusal(SqlState::CHECK_VIOLATION, &place, &what));
        }
    }
    too_many(
        strings,
        SEQUENCE_STRING_COLUMNS_MAX,
        "columns of type STRING",
    )
}

fn too_many(count: usize, most: usize, what: &str) -> Checked {
    if count <= most {
        return Ok(());
    }
    let refusal = refusal(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        "$",
        &format!("has {count} {what}"),
    );
    Err(Box::new(
        refusal.with_hint(format!("CDF takes up to {most}.")),
    ))
}

fn check_raw_tables(value: &Value) -> Checked {
    for (index, table) in list(value, "$")?.iter().enumerate() {
        let place = format!("$[{index}]");
        let fields = object(table, &place)?;
        name(fields, &place, "dbName", usize::MAX)?;
        name(fields, &place, "tableName", usize::MAX)?;
    }
    Ok(())
}

fn check_contacts(value: &Value) -> Checked {
    for (index, contact) in list(value, "$")?.iter().enumerate() {
        let place = format!("$[{index}]");
        let fields = object(contact, &place)?;
        text(fields, &place, "name", usize::MAX)?;
        text(fields, &place, "role", usize::MAX)?;
        if let Some(email) = text(fields, &place, "email", EMAIL_CHARACTERS_MAX)?
            && !email.contains('@')
        {
            let place = format!("{place}.email");
            return Err(unfit(&place, "is no address of mail"));
        }
        match fields.get("sendNotification") {
            None | Some(Value::Null | Value::Bool(_)) => {}
            Some(_) => {
                let place = format!("{place}.sendNotification");
                return Err(unfit(&place, "must be true or false"));
            }
        }
    }
    Ok(())
}

fn check_notification_config(value: &Value) -> Checked {
    let field = "allowedNotSeenRangeInMinutes";
    match object(value, "$")?.get(field) {
        None | Some(Value::Null) => Ok(()),
        Some(minutes) if minutes.is_u64() => Ok(()),
        Some(_) => Err(unfit(
            &format!("$.{field}"),
            "must be a whole number of minutes, from 0 on",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(form: JsonForm, value: &Value) -> String {
        match check_form(form, value.to_string().as_bytes()) {
            Ok(()) => "taken".to_owned(),
            Err(refusal) => format!("{} {}", refusal.sqlstate.code(), refusal.message),
        }
    }

    #[test]
    fn columns_of_sequences_say_where_they_are_wrong() {
        let check = |value: Value| said(JsonForm::SequenceColumns, &value);
        let column = |name: String| json!({"externalId": name});
        assert_eq!(
            check(json!([
                {"externalId": "a", "valueType": "String", "metadata": {"k": "v"}, "name": null},
                {"externalId": "b", "valueType": "LONG", "description": "d"},
                {"externalId": "c"}
            ])),
            "taken"
        );
        for (value, refused) in [
            (json!({}), "22023 $ must be a JSON array"),
            (json!([]), "22023 $ names no column"),
            (json!(["a"]), "22023 $[0] must be a JSON object"),
            (json!([{"name": "a"}]), "22023 $[0].externalId is missing"),
            (
                json!([{"externalId": ""}]),
                "22023 $[0].externalId is empty",
            ),
            (
                json!([{"externalId": "é".repeat(256)}]),
                "22001 $[0].externalId has 256 characters",
            ),
            (
                json!([{"externalId": "a", "valueType": "FLOAT"}]),
                "23514 $[0].valueType \"FLOAT\"",
            ),
            (
                json!([{"externalId": "a", "metadata": {"k": 1}}]),
                "22023 $[0].metadata: metadata must be",
            ),
            (
                json!([{"externalId": "a"}, {"externalId": "a"}]),
                "23514 $[1].externalId \"a\" is the name",
            ),
        ] {
            let said = check(value);
            assert!(said.starts_with(refused), "{said} does not say {refused}");
        }
        let many = |count: usize| (0..count).map(|n| column(n.to_string())).collect();
        assert_eq!(check(Value::Array(many(400))), "taken");
        assert_eq!(check(Value::Array(many(401))), "54000 $ has 401 columns");
        let strings = (0..201).map(|n| json!({"externalId": n.to_string(), "valueType": "STRING"}));
        assert_eq!(
            check(Value::Array(strings.collect())),
            "54000 $ has 201 columns of type STRING"
        );
    }

    #[test]
    fn what_describes_pipelines_has_its_form() {
        use JsonForm::{Contacts, NotificationConfig, RawTables};
        for (form, value, expected) in [
            (RawTables, json!([]), "taken"),
            (
                RawTables,
                json!([{"dbName": "d", "tableName": "t"}]),
                "taken",
            ),
            (
                RawTables,
                json!([{"dbName": "d"}]),
                "22023 $[0].tableName is missing",
            ),
            (
                RawTables,
                json!([{"dbName": 1, "tableName": "t"}]),
                "22023 $[0].dbName must be a string",
            ),
            (
                Contacts,
                json!([{"name": "n", "email": "a@b", "sendNotification": true}, {}]),
                "taken",
            ),
            (
                Contacts,
                json!([{"email": "nobody"}]),
                "22023 $[0].email is no address of mail",
            ),
            (
                Contacts,
                json!([{"sendNotification": "yes"}]),
                "22023 $[0].sendNotification must be true or false",
            ),
            (NotificationConfig, json!({}), "taken"),
            (
                NotificationConfig,
                json!({"allowedNotSeenRangeInMinutes": -1}),
                "22023 $.allowedNotSeenRangeInMinutes must be a whole number of minutes, from 0 on",
            ),
        ] {
            assert_eq!(said(form, &value), expected);
        }
    }
}
