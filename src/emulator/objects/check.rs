//! Checking an object against its schema, without building it.
//!
//! Owns the one reader that knows which fields an object has. It reads JSON text for a create
//! call and the fields of a stored object after an update, so that both obey the same
//! rules, and notes on the way what the object refers to. Nothing is allocated but for the
//! references that it finds. It looks nothing up.

use super::check_value::ValueSeed;
use super::field::{Field, Fields};
use super::found::Found;
use super::schema::Schema;
use crate::emulator::answer::Refusal;
use crate::emulator::json;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Checks an object in JSON.
pub fn check_text(schema: &Schema, text: &str, found: &mut Found) -> Result<(), Refusal> {
    let mut reader = serde_json::Deserializer::from_str(text);
    check_object(schema, &mut reader, found)
}

/// Checks the fields of an object.
pub fn check_fields(schema: &Schema, fields: &Fields, found: &mut Found) -> Result<(), Refusal> {
    check_object(schema, fields, found)
}

/// Checks the value of one field.
pub fn check_value(field: &Field, value: &Value, found: &mut Found) -> Result<(), Refusal> {
    let mut refusal = None;
    let seed = ValueSeed {
        field,
        found,
        refusal: &mut refusal,
    };
    let read = seed.deserialize(value);
    answer(read.map(drop), refusal)
}

fn check_object<'de, D>(schema: &Schema, object: D, found: &mut Found) -> Result<(), Refusal>
where
    D: Deserializer<'de>,
{
    let mut refusal = None;
    let visitor = ObjectVisitor {
        schema,
        found,
        refusal: &mut refusal,
    };
    let read = object.deserialize_map(visitor);
    answer(read, refusal)
}

/// A refusal with a shape of its own goes before what the reader says about the text.
fn answer<E: fmt::Display>(read: Result<(), E>, refusal: Option<Refusal>) -> Result<(), Refusal> {
    match (read, refusal) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(refusal)) => Err(refusal),
        (Err(error), None) => Err(json::refusal(&error.to_string())),
    }
}

struct ObjectVisitor<'a> {
    schema: &'a Schema,
    found: &'a mut Found,
    refusal: &'a mut Option<Refusal>,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = 0_u64;
        (self.found.start_ms, self.found.end_ms) = (None, None);
        while let Some(known) = members.next_key_seed(NameSeed(self.schema))? {
            let Some((index, field)) = known else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            let present = members.next_value_seed(ValueSeed {
                field,
                found: &mut *self.found,
                refusal: &mut *self.refusal,
            })?;
            let bit = 1 << index;
            if seen & bit != 0 {
                return Err(A::Error::duplicate_field(field.name));
            }
            seen |= if present { bit } else { 0 };
        }
        let fields = self.schema.fields.iter().enumerate();
        let mut absent = fields.filter(|(index, field)| field.required && seen & (1 << index) == 0);
        if let Some((_, field)) = absent.next() {
            return Err(A::Error::missing_field(field.name));
        }
        if let (Some(start), Some(end)) = (self.found.start_ms, self.found.end_ms)
            && end < start
        {
            return Err(A::Error::custom("endTime must not be before startTime"));
        }
        if let Some((one, other)) = self.schema.exclusive
            && self.schema.given(one, seen)
            && self.schema.given(other, seen)
        {
            return Err(A::Error::custom(format!(
                "only one of {one} and {other} is allowed"
            )));
        }
        Ok(())
    }
}

/// Reads the name of a member as the field that it names.
struct NameSeed<'a>(&'a Schema);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Option<(usize, &'static Field)>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Option<(usize, &'static Field)>;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.field(name))
    }
}
