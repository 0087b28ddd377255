//! Checking an object against its schema, without building it.
//!
//! Owns the one reader that knows what a field may hold. It reads JSON text for a create
//! call and the fields of a stored object after an update, so that both obey the same
//! rules, and notes on the way what the object refers to. Nothing is allocated but for the
//! references that it finds. It looks nothing up.

use super::schema::{Field, Fields, Rule, Schema, Target};
use super::sequences::check_columns;
use crate::emulator::answer::Refusal;
use crate::emulator::json;
use crate::emulator::metadata::Measure;
use crate::emulator::reference::{ID_MAX, check_chars};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;
use std::collections::HashSet;
use std::fmt;

/// What objects are called and refer to.
#[derive(Debug, Default)]
pub struct Found {
    pub external_ids: Vec<String>,
    pub data_sets: HashSet<i64>,
    pub assets: HashSet<i64>,
    pub labels: HashSet<String>,
    /// `startTime` and `endTime` of the object that is being read.
    start_ms: Option<i64>,
    end_ms: Option<i64>,
}

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

/// Reads the value of a field; whether it is there, which null is not.
struct ValueSeed<'a> {
    field: &'a Field,
    found: &'a mut Found,
    refusal: &'a mut Option<Refusal>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<bool, D::Error> {
        let structure = match self.field.rule {
            Rule::Structure(check) => Some(check),
            Rule::Columns => Some(check_columns as fn(&Value) -> Result<(), Refusal>),
            _ => None,
        };
        if let Some(check) = structure {
            let value = Value::deserialize(value)?;
            let present = !value.is_null();
            if present && let Err(refusal) = check(&value) {
                return self.refuse(refusal);
            }
            return Ok(present);
        }
        value.deserialize_any(self)
    }
}

impl ValueSeed<'_> {
    fn refuse<T, E: Error>(self, refusal: Refusal) -> Result<T, E> {
        *self.refusal = Some(refusal);
        Err(E::custom("refused"))
    }

    fn judge<E: Error>(self, verdict: Result<(), Refusal>) -> Result<bool, E> {
        match verdict {
            Ok(()) => Ok(true),
            Err(refusal) => self.refuse(refusal),
        }
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = bool;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.field.rule {
            Rule::Text { .. } | Rule::Choice(_) => "a string",
            Rule::Time | Rule::Id(_) => "a whole number",
            Rule::Number { .. } => "a number",
            Rule::Flag => "true or false",
            Rule::Metadata(_) => "an object of strings",
            Rule::Labels { .. } => "a list of labels",
            Rule::Ids { .. } => "a list of ids",
            Rule::Structure(_) | Rule::Columns => "an object or a list",
        };
        write!(text, "{} to be {what}", self.field.name)
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        match self.field.rule {
            Rule::Flag => Ok(true),
            _ => Err(E::invalid_type(de::Unexpected::Bool(value), &self)),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        let name = self.field.name;
        match self.field.rule {
            Rule::Time if value < 0 => self.refuse(Refusal::invalid(format!(
                "{name}: must not be before 1970, got {value}"
            ))),
            Rule::Time => {
                match name {
                    "startTime" => self.found.start_ms = Some(value),
                    "endTime" => self.found.end_ms = Some(value),
                    _ => {}
                }
                Ok(true)
            }
            Rule::Id(target) => {
                self.found.note(target, value);
                self.judge(check_id(name, value))
            }
            Rule::Number { .. } => self.visit_f64(value as f64),
            _ => Err(E::invalid_type(de::Unexpected::Signed(value), &self)),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Err(E::invalid_value(de::Unexpected::Unsigned(value), &self)),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        match self.field.rule {
            Rule::Number { min, max } if (min..=max).contains(&value) => Ok(true),
            Rule::Number { min, max } => {
                let name = self.field.name;
                self.refuse(Refusal::invalid(format!(
                    "{name}: must be from {min} to {max}, got {value}"
                )))
            }
            _ => Err(E::invalid_type(de::Unexpected::Float(value), &self)),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<bool, E> {
        let name = self.field.name;
        match self.field.rule {
            Rule::Text {
                chars_min,
                chars_max,
            } => {
                if name == "externalId" {
                    self.found.external_ids.push(value.to_owned());
                }
                self.judge(check_text_length(name, value, chars_min, chars_max))
            }
            Rule::Choice(words) => {
                if words.iter().any(|word| word.eq_ignore_ascii_case(value)) {
                    return Ok(true);
                }
                self.refuse(Refusal::invalid(format!(
                    "{name}: '{value}' is not one of {}",
                    words.join(", ")
                )))
            }
            _ => Err(E::invalid_type(de::Unexpected::Str(value), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<bool, A::Error> {
        let Rule::Metadata(limits) = self.field.rule else {
            return Err(A::Error::invalid_type(de::Unexpected::Map, &self));
        };
        let mut measure = Measure::default();
        while let Some((key_bytes, value_bytes)) = pairs.next_entry_seed(BytesSeed, BytesSeed)? {
            if let Err(refusal) = measure.add(key_bytes, value_bytes, limits) {
                return self.refuse(refusal);
            }
        }
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let (most, count, distinct) = match self.field.rule {
            Rule::Ids { of, most } => {
                let (mut ids, mut count) = (HashSet::new(), 0);
                while let Some(id) = list.next_element::<i64>()? {
                    if let Err(refusal) = check_id(self.field.name, id) {
                        return self.refuse(refusal);
                    }
                    self.found.note(of, id);
                    ids.insert(id);
                    count += 1;
                }
                (most, count, ids.len())
            }
            Rule::Labels { most } => {
                let (mut labels, mut count) = (HashSet::new(), 0);
                while let Some(label) = list.next_element::<LabelReference>()? {
                    labels.insert(label.external_id);
                    count += 1;
                }
                let distinct = labels.len();
                self.found.labels.extend(labels);
                (most, count, distinct)
            }
            _ => return Err(A::Error::invalid_type(de::Unexpected::Seq, &self)),
        };
        let name = self.field.name;
        if count > most {
            return self.refuse(Refusal::invalid(format!(
                "{name}: at most {most} are allowed, got {count}"
            )));
        }
        if distinct < count {
            return self.refuse(Refusal::invalid(format!("{name}: must be unique")));
        }
        Ok(true)
    }
}

impl Found {
    fn note(&mut self, target: Target, id: i64) {
        match target {
            Target::DataSet => _ = self.data_sets.insert(id),
            Target::Asset => _ = self.assets.insert(id),
            Target::Unchecked => {}
        }
    }
}

#[derive(Deserialize)]
struct LabelReference {
    #[serde(rename = "externalId")]
    external_id: String,
}

/// Reads a string as its length in bytes.
struct BytesSeed;

impl<'de> DeserializeSeed<'de> for BytesSeed {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<usize, D::Error> {
        text.deserialize_str(self)
    }
}

impl Visitor<'_> for BytesSeed {
    type Value = usize;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a string in metadata")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        Ok(text.len())
    }
}

fn check_id(name: &str, id: i64) -> Result<(), Refusal> {
    if (1..=ID_MAX).contains(&id) {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "{name}: has to be from 1 to {ID_MAX}, got {id}"
    )))
}

fn check_text_length(name: &str, text: &str, least: usize, most: usize) -> Result<(), Refusal> {
    if text.is_empty() && least > 0 {
        return Err(Refusal::invalid(format!("{name}: must not be empty")));
    }
    check_chars(name, text, most)
}
