//! The rows of `pg_type`, `pg_range` and `pg_proc`.
//!
//! Owns putting them together from postgres-types and the base types. Promises the OIDs and
//! names of PostgreSQL. Never lists types of users: there are none.

use super::base_types::BASE_TYPES;
use postgres_types::{Kind, Type};
use std::collections::HashMap;
use std::sync::LazyLock;

/// OIDs of built-in types lie below this.
const BUILT_IN_OID_MAX: u32 = 10_000;

/// A function of a type: its OID in `pg_proc` and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sql::query) struct TypeFunction {
    pub oid: u32,
    pub name: String,
}

/// A row of `pg_type`.
#[derive(Clone, Debug)]
pub(in crate::sql::query) struct TypeRow {
    pub oid: u32,
    pub name: String,
    pub length: i16,
    /// `typtype`: b, p, r, m.
    pub kind: u8,
    pub category: u8,
    pub preferred: bool,
    /// `typdelim`.
    pub delimiter: u8,
    /// `typelem`.
    pub element: u32,
    /// `typarray`.
    pub array: u32,
    pub receive: TypeFunction,
    pub send: TypeFunction,
    /// `rngsubtype`, of a range or a multirange.
    pub subtype: u32,
    /// `rngmultitypid`, of a range.
    pub multirange: u32,
}

/// Every type, by OID.
pub(in crate::sql::query) static TYPES: LazyLock<Vec<TypeRow>> = LazyLock::new(type_rows);

/// The type of that OID.
pub(in crate::sql::query) fn type_by_oid(oid: u32) -> Option<&'static TypeRow> {
    let index = TYPES.binary_search_by_key(&oid, |row| row.oid).ok()?;
    TYPES.get(index)
}

/// The type of that internal name.
pub(in crate::sql::query) fn type_by_name(name: &str) -> Option<&'static TypeRow> {
    TYPES.iter().find(|row| row.name == name)
}

fn type_rows() -> Vec<TypeRow> {
    let known: Vec<Type> = (1..BUILT_IN_OID_MAX).filter_map(Type::from_oid).collect();
    let mut arrays = HashMap::new();
    let mut multiranges = HashMap::new();
    for known_type in &known {
        match known_type.kind() {
            // The two vectors are no array types of their elements.
            Kind::Array(element) if !is_vector(known_type.oid()) => {
                arrays.insert(element.oid(), known_type.oid());
            }
            _ if known_type.oid() == Type::RECORD_ARRAY.oid() => {
                arrays.insert(Type::RECORD.oid(), known_type.oid());
            }
            Kind::Multirange(subtype) => {
                multiranges.insert(subtype.oid(), known_type.oid());
            }
            _ => {}
        }
    }
    known
        .iter()
        .map(|known_type| {
            let oid = known_type.oid();
            let array = arrays.get(&oid).copied().unwrap_or(0);
            TypeRow {
                array,
                ..type_row(known_type, &multiranges)
            }
        })
        .collect()
}

fn type_row(known: &Type, multiranges: &HashMap<u32, u32>) -> TypeRow {
    let function = |oid, name: &str| TypeFunction {
        oid,
        name: name.to_owned(),
    };
    let row = TypeRow {
        oid: known.oid(),
        name: known.name().to_owned(),
        length: -1,
        kind: b'b',
        category: b'U',
        preferred: false,
        // Only boxes have commas inside.
        delimiter: if matches!(known.oid(), 603 | 1020) {
            b';'
        } else {
            b','
        },
        element: element_of_base(known.oid()),
        array: 0,
        receive: function(0, "-"),
        send: function(0, "-"),
        subtype: 0,
        multirange: 0,
    };
    let base = BASE_TYPES
        .binary_search_by_key(&known.oid(), |base| base.oid)
        .ok()
        .and_then(|index| BASE_TYPES.get(index));
    if let Some(base) = base {
        return TypeRow {
            length: base.length,
            kind: if matches!(known.kind(), Kind::Pseudo) || known.oid() == Type::UNKNOWN.oid() {
                b'p'
            } else {
                b'b'
            },
            category: base.category,
            preferred: base.preferred,
            receive: function(base.functions.0, base.receive_name),
            send: function(base.functions.1, &base.receive_name.replace("recv", "send")),
            ..row
        };
    }
    match known.kind() {
        // The array of records is itself a pseudo-type.
        _ if known.oid() == Type::RECORD_ARRAY.oid() => TypeRow {
            kind: b'p',
            category: b'P',
            element: Type::RECORD.oid(),
            ..array_row(row)
        },
        Kind::Array(element) => TypeRow {
            element: element.oid(),
            ..array_row(row)
        },
        Kind::Range(subtype) => TypeRow {
            kind: b'r',
            category: b'R',
            receive: function(3836, "range_recv"),
            send: function(3837, "range_send"),
            subtype: subtype.oid(),
            multirange: multiranges.get(&subtype.oid()).copied().unwrap_or(0),
            ..row
        },
        Kind::Multirange(subtype) => TypeRow {
            kind: b'm',
            category: b'R',
            receive: function(4233, "multirange_recv"),
            send: function(4234, "multirange_send"),
            subtype: subtype.oid(),
            ..row
        },
        _ => TypeRow {
            length: 4,
            kind: b'p',
            category: b'P',
            ..row
        },
    }
}

fn array_row(row: TypeRow) -> TypeRow {
    let function = |oid, name: &str| TypeFunction {
        oid,
        name: name.to_owned(),
    };
    TypeRow {
        category: b'A',
        receive: function(2400, "array_recv"),
        send: function(2401, "array_send"),
        ..row
    }
}

fn is_vector(oid: u32) -> bool {
    matches!(oid, 22 | 30)
}

/// `typelem` of the base types that can be subscripted.
fn element_of_base(oid: u32) -> u32 {
    match oid {
        19 => 18,
        22 => 21,
        30 => 26,
        600 | 628 => 701,
        601 | 603 => 600,
        _ => 0,
    }
}
