//! Names of PostgreSQL's types, as casts and definitions write them.
//!
//! Owns which types casts may name, their spellings and OIDs. Promises the names that
//! PostgreSQL uses in messages. Never converts a value.

use super::cursor::Cursor;
use super::lexer::Token;
use super::syntax::error_at;
use crate::diagnostic::{Diagnostic, SqlState};

/// What values of a type are, as far as casts care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Boolean,
    /// Whole numbers between these two.
    Integer {
        least: i64,
        most: i64,
    },
    /// Exact decimals.
    Numeric,
    /// Binary floating point.
    Float,
    Text,
    /// `char(n)`: trailing blanks do not count.
    PaddedText,
    TimestampTz,
    Timestamp,
    Date,
    Json,
    Bytea,
    Other,
}

/// One scalar type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TypeEntry {
    /// `pg_type.typname`.
    pub internal_name: &'static str,
    /// As messages and format_type name it.
    pub sql_name: &'static str,
    pub oid: u32,
    pub array_oid: u32,
    pub family: Family,
}

/// A type as a cast names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CastType {
    pub entry: &'static TypeEntry,
    pub array: bool,
    /// `n` of `varchar(n)` and `char(n)`.
    pub length: Option<u32>,
}

const fn entry(
    internal_name: &'static str,
    sql_name: &'static str,
    oid: u32,
    array_oid: u32,
    family: Family,
) -> TypeEntry {
    TypeEntry {
        internal_name,
        sql_name,
        oid,
        array_oid,
        family,
    }
}

const SMALLINT: Family = Family::Integer {
    least: i16::MIN as i64,
    most: i16::MAX as i64,
};
const INTEGER: Family = Family::Integer {
    least: i32::MIN as i64,
    most: i32::MAX as i64,
};
const BIGINT: Family = Family::Integer {
    least: i64::MIN,
    most: i64::MAX,
};
const OID: Family = Family::Integer {
    least: 0,
    most: u32::MAX as i64,
};

static TYPES: [TypeEntry; 31] = [
    entry("bool", "boolean", 16, 1000, Family::Boolean),
    entry("int2", "smallint", 21, 1005, SMALLINT),
    entry("int4", "integer", 23, 1007, INTEGER),
    entry("int8", "bigint", 20, 1016, BIGINT),
    entry("oid", "oid", 26, 1028, OID),
    entry("numeric", "numeric", 1700, 1231, Family::Numeric),
    entry("float4", "real", 700, 1021, Family::Float),
    entry("float8", "double precision", 701, 1022, Family::Float),
    entry("text", "text", 25, 1009, Family::Text),
    entry("varchar", "character varying", 1043, 1015, Family::Text),
    entry("bpchar", "character", 1042, 1014, Family::PaddedText),
    entry("name", "name", 19, 1003, Family::Text),
    entry("char", "\"char\"", 18, 1002, Family::Other),
    entry(
        "timestamptz",
        "timestamp with time zone",
        1184,
        1185,
        Family::TimestampTz,
    ),
    entry(
        "timestamp",
        "timestamp without time zone",
        1114,
        1115,
        Family::Timestamp,
    ),
    entry("date", "date", 1082, 1182, Family::Date),
    entry("time", "time without time zone", 1083, 1183, Family::Other),
    entry("timetz", "time with time zone", 1266, 1270, Family::Other),
    entry("interval", "interval", 1186, 1187, Family::Other),
    entry("json", "json", 114, 199, Family::Json),
    entry("jsonb", "jsonb", 3802, 3807, Family::Json),
    entry("uuid", "uuid", 2950, 2951, Family::Other),
    entry("bytea", "bytea", 17, 1001, Family::Bytea),
    entry("xml", "xml", 142, 143, Family::Other),
    entry("inet", "inet", 869, 1041, Family::Other),
    entry("regclass", "regclass", 2205, 2210, Family::Other),
    entry("regtype", "regtype", 2206, 2211, Family::Other),
    entry("regproc", "regproc", 24, 1008, Family::Other),
    entry("regnamespace", "regnamespace", 4089, 4090, Family::Other),
    entry("money", "money", 790, 791, Family::Other),
    entry("unknown", "unknown", 705, 0, Family::Text),
];

impl CastType {
    /// The type with that internal name; only for names of the list above.
    pub fn named(internal_name: &str) -> Option<CastType> {
        let entry = TYPES
            .iter()
            .find(|entry| entry.internal_name == internal_name)?;
        Some(CastType {
            entry,
            array: false,
            length: None,
        })
    }

    /// The scalar or array type of that OID.
    pub fn of_oid(oid: u32) -> Option<CastType> {
        let entry = TYPES
            .iter()
            .find(|entry| oid != 0 && (entry.oid == oid || entry.array_oid == oid))?;
        Some(CastType {
            entry,
            array: entry.oid != oid,
            length: None,
        })
    }

    pub fn oid(self) -> u32 {
        if self.array {
            self.entry.array_oid
        } else {
            self.entry.oid
        }
    }

    /// As PostgreSQL's messages name it.
    pub fn sql_name(self) -> String {
        if self.array {
            format!("{}[]", self.entry.sql_name)
        } else {
            self.entry.sql_name.to_owned()
        }
    }

    /// The family of a scalar; arrays are of none.
    pub fn family(self) -> Family {
        if self.array {
            Family::Other
        } else {
            self.entry.family
        }
    }

    /// The family of what the array, or the scalar, consists of.
    pub fn element_family(self) -> Family {
        self.entry.family
    }
}

/// Reads a type's name, with its modifier and array brackets.
///
/// # Errors
/// 42601, 42704 for a type that does not exist here.
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<CastType, Box<Diagnostic>> {
    let offset = cursor.offset();
    let quoted = matches!(cursor.peek().token, Token::QuotedName(_));
    let mut name = cursor.name()?;
    let mut qualified = false;
    if cursor.accept_symbol(".")? {
        if name != "pg_catalog" {
            return Err(unknown(cursor, offset, &name));
        }
        name = cursor.name()?;
        qualified = true;
    }
    let internal = if quoted || qualified {
        name.as_ref()
    } else {
        spelled(cursor, &name)?
    };
    let mut entry = CastType::named(internal)
        .ok_or_else(|| unknown(cursor, offset, &name))?
        .entry;
    let mut length = None;
    if cursor.accept_symbol("(")? {
        let first = number(cursor)?;
        if cursor.accept_symbol(",")? {
            number(cursor)?;
        }
        cursor.expect_symbol(")")?;
        match internal {
            "varchar" | "bpchar" => length = Some(first),
            "float8" if name == "float" && first <= 24 => {
                entry = CastType::named("float4").map_or(entry, |float4| float4.entry);
            }
            _ => {}
        }
    } else if internal == "bpchar" && !qualified && name != "bpchar" {
        // `char` alone is `char(1)`.
        length = Some(1);
    }
    if matches!(internal, "timestamp" | "time") && !quoted && !qualified {
        let with_zone = match cursor.accept_one_of(&["with", "without"])? {
            Some(word) => {
                cursor.expect_word("time")?;
                cursor.expect_word("zone")?;
                word == "with"
            }
            None => false,
        };
        if with_zone {
            let zoned = if internal == "time" {
                "timetz"
            } else {
                "timestamptz"
            };
            entry = CastType::named(zoned).map_or(entry, |zoned| zoned.entry);
        }
    }
    let mut array = false;
    loop {
        if cursor.accept_symbol("[")? {
            if matches!(cursor.peek().token, Token::Number(_)) {
                cursor.advance()?;
            }
            cursor.expect_symbol("]")?;
            array = true;
        } else if !array && cursor.accept_word("array")? {
            array = true;
        } else {
            break;
        }
    }
    Ok(CastType {
        entry,
        array,
        length,
    })
}

/// The internal name of an unquoted spelling, which may take a second word.
fn spelled<'n>(cursor: &mut Cursor<'_>, name: &'n str) -> Result<&'n str, Box<Diagnostic>> {
    Ok(match name {
        "boolean" => "bool",
        "smallint" => "int2",
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "decimal" | "dec" => "numeric",
        "real" => "float4",
        "float" => "float8",
        "double" => {
            cursor.expect_word("precision")?;
            "float8"
        }
        "character" | "char" | "nchar" => {
            if cursor.accept_word("varying")? {
                "varchar"
            } else {
                "bpchar"
            }
        }
        other => other,
    })
}

fn number(cursor: &mut Cursor<'_>) -> Result<u32, Box<Diagnostic>> {
    match cursor.peek().token {
        Token::Number(digits) => {
            let number = digits.parse().map_err(|_| cursor.unexpected())?;
            cursor.advance()?;
            Ok(number)
        }
        _ => Err(cursor.unexpected()),
    }
}

fn unknown(cursor: &Cursor<'_>, offset: usize, name: &str) -> Box<Diagnostic> {
    error_at(
        cursor.text(),
        offset,
        SqlState::UNDEFINED_OBJECT,
        format!("type \"{name}\" does not exist"),
    )
}
