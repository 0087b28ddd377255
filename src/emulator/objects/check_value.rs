//! Checking the value of one field.
//!
//! Owns what each kind of field may hold, its limits, and the noting of what a value refers
//! to. Texts and metadata are measured while they are read and not kept.

use super::field::{Field, Rule};
use super::found::Found;
use super::sequences::check_columns;
use crate::emulator::answer::Refusal;
use crate::emulator::metadata::Measure;
use crate::emulator::reference::{ID_MAX, check_chars};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;
use std::collections::HashSet;
use std::fmt;

/// Reads the value of a field; whether it is there, which null is not.
pub struct ValueSeed<'a> {
    pub field: &'a Field,
    pub found: &'a mut Found,
    /// What to say when the value is refused, where the reader would say something else.
    pub refusal: &'a mut Option<Refusal>,
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
