//! A result set that the session makes itself.
//!
//! Owns the rows and columns of answers such as `SHOW` or `select version()`. Promises one
//! cell per column in every row. Never encodes wire bytes: the wire side does, in text or
//! binary.

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultColumn {
    pub name: String,
    pub type_oid: u32,
    /// -1 where the type has no modifier.
    pub type_modifier: i32,
    /// -1 for types of variable size.
    pub type_size: i16,
    /// 0 where the column is no column of a table.
    pub table_oid: u32,
    /// From 1; 0 where the column is no column of a table.
    pub attribute_number: i16,
}

/// A value; `None` in a row is NULL.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Float8(f64),
    Oid(u32),
    /// PostgreSQL's one-byte `"char"`.
    Char(u8),
    /// text, varchar, name, json, unknown: the same bytes in text and binary.
    Text(String),
    /// timestamptz: binary is microseconds since 2000-01-01 UTC; the text is in the session's
    /// time zone already.
    TimestampTz {
        microseconds: i64,
        text: String,
    },
    /// regclass, regtype, regproc, regnamespace: binary is the OID, text the name.
    Named {
        oid: u32,
        text: String,
    },
    Float4(f32),
    Bytes(Vec<u8>),
    /// A list of one dimension; an element that is `None` is NULL.
    Array {
        element_oid: u32,
        elements: Vec<Option<Cell>>,
    },
    /// void: no bytes in text and binary.
    Void,
}

/// A whole result.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub columns: Vec<ResultColumn>,
    pub rows: Vec<Vec<Option<Cell>>>,
    /// The word of the command tag: `SELECT` (with the count appended) or `SHOW` (without).
    pub tag: &'static str,
}

impl ResultColumn {
    /// It is of no table that has a number.
    pub fn forget_table(&mut self) {
        self.table_oid = 0;
        self.attribute_number = 0;
    }

    /// A column that is no column of a table.
    pub fn of_type(name: impl Into<String>, type_oid: u32) -> Self {
        let type_size = match type_oid {
            16 | 18 => 1,
            21 => 2,
            23 | 24 | 26 | 700 | 1082 | 2205 => 4,
            20 | 701 | 1083 | 1114 | 1184 => 8,
            19 => 64,
            2278 => 4,
            705 | 2275 => -2,
            _ => -1,
        };
        ResultColumn {
            name: name.into(),
            type_oid,
            type_modifier: -1,
            type_size,
            table_oid: 0,
            attribute_number: 0,
        }
    }
}

/// The text form of a list, from those of its elements: `{1,2}`, `{a,"b c",NULL}`.
pub fn array_text(elements: impl Iterator<Item = Option<String>>) -> String {
    let elements: Vec<String> = elements
        .map(|element| element.map_or_else(|| "NULL".to_owned(), |text| array_element(&text)))
        .collect();
    format!("{{{}}}", elements.join(","))
}

/// `\x0a0b`.
pub fn bytes_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// A text as an element of an array, quoted where it needs it.
fn array_element(value: &str) -> String {
    let is_bare = !value.is_empty()
        && !value.eq_ignore_ascii_case("null")
        && !value.contains(|character: char| {
            // A vertical tab is a blank of PostgreSQL's, too.
            matches!(character, '{' | '}' | ',' | '"' | '\\' | '\u{b}')
                || character.is_ascii_whitespace()
        });
    if is_bare {
        return value.to_owned();
    }
    let escaped = value.replace('\\', r"\\").replace('"', r#"\""#);
    format!("\"{escaped}\"")
}
