//! Strict reading of what callers send.
//!
//! Owns the rules for JSON bodies: unknown fields, nulls, wrong types, numbers of items. Promises
//! that every fault names the place in the body, as `items.0.credentials.nonce`. Never knows what a
//! field means.

use super::fault::ApiFault;
use serde_json::{Map, Value};

/// An object of the body, and where it stands.
pub(super) struct Fields<'a> {
    fields: &'a Map<String, Value>,
    place: String,
}

impl<'a> Fields<'a> {
    /// The whole body.
    ///
    /// # Errors
    /// It is no object.
    pub fn of_body(body: &'a Value) -> Result<Self, ApiFault> {
        Self::at(body, String::new())
    }

    fn at(value: &'a Value, place: String) -> Result<Self, ApiFault> {
        match value {
            Value::Object(fields) => Ok(Fields { fields, place }),
            Value::Null => Err(null(&place)),
            _ => Err(expected("an object", &place)),
        }
    }

    fn place_of(&self, field: &str) -> String {
        match self.place.as_str() {
            "" => field.to_owned(),
            place => format!("{place}.{field}"),
        }
    }

    /// Refuses fields that nobody knows: a misspelt option must not be taken for its default.
    ///
    /// # Errors
    /// 422 with the first one.
    pub fn only(self, known: &[&str]) -> Result<Self, ApiFault> {
        match self
            .fields
            .keys()
            .find(|field| !known.contains(&field.as_str()))
        {
            None => Ok(self),
            Some(unknown) => Err(ApiFault::invalid(format!(
                "Extra inputs are not permitted: {}; known are {}",
                self.place_of(unknown),
                known.join(", ")
            ))),
        }
    }

    /// The value as it is, if the field is there; a null is a fault.
    ///
    /// # Errors
    /// 400: null.
    pub fn given(&self, field: &str) -> Result<Option<&'a Value>, ApiFault> {
        match self.fields.get(field) {
            Some(Value::Null) => Err(null(&self.place_of(field))),
            value => Ok(value),
        }
    }

    fn needed(&self, field: &str) -> Result<&'a Value, ApiFault> {
        self.given(field)?
            .ok_or_else(|| ApiFault::invalid(format!("Field required: {}", self.place_of(field))))
    }

    /// An object that has to be there.
    ///
    /// # Errors
    /// It is absent, null or something else.
    pub fn object(&self, field: &str) -> Result<Fields<'a>, ApiFault> {
        Self::at(self.needed(field)?, self.place_of(field))
    }

    /// A string that has to be there and is not empty.
    ///
    /// # Errors
    /// It is absent, null, empty or something else.
    pub fn text(&self, field: &str) -> Result<&'a str, ApiFault> {
        match self.needed(field)? {
            Value::String(text) if !text.is_empty() => Ok(text),
            _ => Err(expected(
                "a string that is not empty",
                &self.place_of(field),
            )),
        }
    }

    /// A boolean that may be absent, which is `false`.
    ///
    /// # Errors
    /// It is null or something else.
    pub fn flag(&self, field: &str) -> Result<bool, ApiFault> {
        match self.given(field)? {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(expected("a boolean", &self.place_of(field))),
        }
    }

    /// A string that may be absent.
    ///
    /// # Errors
    /// It is null or something else.
    pub fn text_if_given(&self, field: &str) -> Result<Option<&'a str>, ApiFault> {
        match self.given(field)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(expected("a string", &self.place_of(field))),
        }
    }

    /// A whole number that may be absent.
    ///
    /// # Errors
    /// It is null or something else.
    pub fn number_if_given(&self, field: &str) -> Result<Option<i64>, ApiFault> {
        match self.given(field)? {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| expected("a whole number", &self.place_of(field))),
        }
    }

    /// The values of a list that has to be there, of 1 to `max` elements.
    ///
    /// # Errors
    /// It is absent, null, something else, empty or too long.
    pub fn list(&self, field: &str, max: usize) -> Result<&'a [Value], ApiFault> {
        let place = self.place_of(field);
        let Value::Array(values) = self.needed(field)? else {
            return Err(expected("a list", &place));
        };
        if values.is_empty() || values.len() > max {
            return Err(ApiFault::invalid(format!(
                "{place} has {} elements: there must be 1 to {max}",
                values.len()
            )));
        }
        Ok(values)
    }

    /// The objects of a list that has to be there, of 1 to `max` elements.
    ///
    /// # Errors
    /// As [`Self::list`], or an element is no object.
    pub fn objects(&self, field: &str, max: usize) -> Result<Vec<Fields<'a>>, ApiFault> {
        let place = self.place_of(field);
        self.list(field, max)?
            .iter()
            .enumerate()
            .map(|(index, value)| Self::at(value, format!("{place}.{index}")))
            .collect()
    }
}

fn null(place: &str) -> ApiFault {
    let place = if place.is_empty() { "the body" } else { place };
    ApiFault::bad(format!("null values are not allowed: {place} is null"))
}

fn expected(what: &str, place: &str) -> ApiFault {
    let place = if place.is_empty() { "the body" } else { place };
    ApiFault::invalid(format!("Input should be {what}: {place}"))
}
