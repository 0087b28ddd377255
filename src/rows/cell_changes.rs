//! Changes of some cells of a RAW row.
//!
//! Owns their text, `{"set":{"a":1},"remove":["b"]}`, with `"make":{…}` where a row is made that is
//! missing, and what a row becomes by them. Promises
//! that cells which no change names stay as they are, byte for byte and in their order. Never
//! reads CDF.

use crate::diagnostic::{Diagnostic, SqlState};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What becomes of cells.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellChanges<'a> {
    /// New values.
    #[serde(borrow)]
    set: Cells<'a>,
    /// Cells that go.
    #[serde(borrow)]
    remove: Vec<Cow<'a, str>>,
    /// What becomes of a row that does not exist.
    #[serde(borrow, default)]
    make: Option<Cells<'a>>,
}

impl<'a> CellChanges<'a> {
    /// Reads their text.
    ///
    /// # Errors
    /// It is none.
    pub fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Checks their text, as dead letters keep it.
    ///
    /// # Errors
    /// 22023: it is none.
    pub(super) fn check(json: &[u8]) -> Result<(), Box<Diagnostic>> {
        let text = std::str::from_utf8(json).unwrap_or_default();
        CellChanges::read(text).map(drop).map_err(|fault| {
            Box::new(
                Diagnostic::error(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("the columns are no changes of cells: {fault}"),
                )
                .with_hint(
                    "Changes of cells are {\"set\": {\"name\": value, …}, \"remove\": [\"name\", …]}.",
                ),
            )
        })
    }

    /// The row that is made where there is none, if one is.
    pub fn made(self) -> Option<Cells<'a>> {
        self.make
    }

    /// The new value of a cell, if it has one.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.set.value(name)
    }

    /// Whether a change takes the cell away.
    pub fn removes(&self, name: &str) -> bool {
        self.remove.iter().any(|removed| removed == name)
    }

    /// Writes their text; `set` and `make` are the insides of JSON objects, `remove` that of a list.
    pub(super) fn write(text: &mut Vec<u8>, set: &[u8], remove: &[u8], make: Option<&[u8]>) {
        text.extend_from_slice(b"{\"set\":{");
        text.extend_from_slice(set);
        text.extend_from_slice(b"},\"remove\":[");
        text.extend_from_slice(remove);
        text.push(b']');
        if let Some(make) = make {
            text.extend_from_slice(b",\"make\":{");
            text.extend_from_slice(make);
            text.push(b'}');
        }
        text.push(b'}');
    }
}

/// The cells of a row, in their order.
#[derive(Debug, Default)]
pub struct Cells<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Cells<'a> {
    /// The cells of a row's columns, a JSON object.
    ///
    /// # Errors
    /// It is none.
    pub fn read(columns: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(columns)
    }

    /// The value of a cell, as JSON.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value.get())
    }

    /// Makes the changes.
    pub fn change(&mut self, changes: CellChanges<'a>) {
        for (name, value) in changes.set.0 {
            match self.0.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => self.0.push((name, value)),
            }
        }
        let is_removed = |name: &Cow<'a, str>| changes.remove.contains(name);
        self.0.retain(|(name, _)| !is_removed(name));
    }

    /// Appends the cells as a JSON object.
    pub fn write(&self, body: &mut Vec<u8>) {
        body.push(b'{');
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            let written = serde_json::to_writer(&mut *body, name);
            debug_assert!(written.is_ok(), "a string is JSON, and memory takes it");
            body.push(b':');
            body.extend_from_slice(value.get().as_bytes());
        }
        body.push(b'}');
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Cells<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;
        impl<'de> Visitor<'de> for Ordered {
            type Value = Cells<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut cells = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    let value: &RawValue = map.next_value().map_err(A::Error::custom)?;
                    cells.push((name, value));
                }
                Ok(Cells(cells))
            }
        }
        deserializer.deserialize_map(Ordered)
    }
}

/// A name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    fn changed(columns: &str, changes: &[&str]) -> String {
        let mut cells = Cells::read(columns).expect("an object");
        for text in changes {
            cells.change(CellChanges::read(text).expect("changes"));
        }
        let mut body = Vec::new();
        cells.write(&mut body);
        String::from_utf8(body).expect("text")
    }

    #[test]
    fn cells_that_no_change_names_stay_as_they_were_written() {
        assert_eq!(
            changed(
                r#"{"b": 1.50, "a\"": {"x":  1}, "c": null}"#,
                &[
                    r#"{"set":{"d":2,"b":null},"remove":["c"]}"#,
                    r#"{"set":{"c":3},"remove":["d"]}"#
                ]
            ),
            r#"{"b":null,"a\"":{"x":  1},"c":3}"#
        );
    }

    #[test]
    fn what_is_no_change_is_refused() {
        for text in [
            "{}",
            "{\"set\":{}}",
            "[]",
            "{\"set\":[],\"remove\":[]}",
            "{\"set\":{},\"remove\":[],\"x\":1}",
        ] {
            assert!(CellChanges::read(text).is_err(), "{text}");
        }
    }

    fn object() -> impl Strategy<Value = Map<String, Value>> {
        let value = prop_oneof![
            Just(json!(null)),
            any::<i32>().prop_map(|n| json!(n)),
            ".{0,4}".prop_map(|s| json!(s))
        ];
        prop::collection::hash_map("[a-d\"\\\\é]{1,2}", value, 0..5)
            .prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn changes_do_what_they_would_do_to_a_map(
            row in object(),
            changes in prop::collection::vec((object(), prop::collection::vec("[a-d]{1,2}", 0..3)), 0..4),
        ) {
            let texts: Vec<String> = changes
                .iter()
                .map(|(set, remove)| json!({"set": set, "remove": remove}).to_string())
                .collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mut expected = row.clone();
            for (set, remove) in changes {
                expected.extend(set);
                expected.retain(|name, _| !remove.contains(name));
            }
            let became: Map<String, Value> =
                serde_json::from_str(&changed(&json!(row).to_string(), &texts)).expect("an object");
            prop_assert_eq!(became, expected);
        }
    }
}
