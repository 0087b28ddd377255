//! System relations: their columns and rows.
//!
//! Owns the list. Promises PostgreSQL's column names and types; a column that is not listed is
//! not guessed. `pg_proc` holds only the functions that types name, so that it may only be
//! reached through them. Never depends on the session, but
//! for the custom tables of its user.

use super::types::TYPES;
use super::{INFORMATION_SCHEMA_OID, PG_CATALOG_OID, letter, oid, rows, text, truth};
use crate::catalog::{CDF_OID, Namespace, PENSTOCK_OID, PUBLIC_OID};
use crate::sql::Cell;
use crate::sql::query::value::Row;

const BOOL: u32 = 16;
const CHAR: u32 = 18;
const NAME: u32 = 19;
const INT2: u32 = 21;
const INT4: u32 = 23;
const REGPROC: u32 = 24;
const TEXT: u32 = 25;
const OID: u32 = 26;
const FLOAT4: u32 = 700;

/// A relation of the system catalog.
#[derive(Debug)]
pub(in crate::sql::query) struct SystemRelation {
    pub name: &'static str,
    /// Names and types' OIDs.
    pub columns: &'static [(&'static str, u32)],
    /// What is in it.
    pub rows: fn(&Namespace) -> Vec<Row>,
    /// Whether `SELECT *` would show every column that PostgreSQL has.
    pub whole: bool,
    /// The column through which alone it may be reached, joined by `oid`.
    pub only_through: Option<&'static [&'static str]>,
}

/// The relation of that name in pg_catalog.
pub(in crate::sql::query) fn find(name: &str) -> Option<&'static SystemRelation> {
    RELATIONS.iter().find(|relation| relation.name == name)
}

static RELATIONS: [SystemRelation; 7] = [
    SystemRelation {
        name: "pg_type",
        columns: &[
            ("oid", OID),
            ("typname", NAME),
            ("typnamespace", OID),
            ("typowner", OID),
            ("typlen", INT2),
            ("typtype", CHAR),
            ("typcategory", CHAR),
            ("typispreferred", BOOL),
            ("typisdefined", BOOL),
            ("typdelim", CHAR),
            ("typrelid", OID),
            ("typelem", OID),
            ("typarray", OID),
            ("typreceive", REGPROC),
            ("typsend", REGPROC),
            ("typnotnull", BOOL),
            ("typbasetype", OID),
            ("typtypmod", INT4),
            ("typndims", INT4),
            ("typdefault", TEXT),
        ],
        rows: |_| type_rows(),
        whole: false,
        only_through: None,
    },
    SystemRelation {
        name: "pg_namespace",
        columns: &[("oid", OID), ("nspname", NAME), ("nspowner", OID)],
        rows: |_| namespace_rows(),
        whole: false,
        only_through: None,
    },
    SystemRelation {
        name: "pg_proc",
        columns: &[("oid", OID), ("proname", NAME), ("pronamespace", OID)],
        rows: |_| function_rows(),
        whole: false,
        only_through: Some(&["typreceive", "typsend"]),
    },
    SystemRelation {
        name: "pg_range",
        columns: &[
            ("rngtypid", OID),
            ("rngsubtype", OID),
            ("rngmultitypid", OID),
        ],
        rows: |_| range_rows(),
        whole: false,
        only_through: None,
    },
    SystemRelation {
        name: "pg_enum",
        columns: &[
            ("oid", OID),
            ("enumtypid", OID),
            ("enumsortorder", FLOAT4),
            ("enumlabel", NAME),
        ],
        // No enum can be made here.
        rows: |_| Vec::new(),
        whole: true,
        only_through: None,
    },
    SystemRelation {
        name: "pg_class",
        columns: &[
            ("oid", OID),
            ("relname", NAME),
            ("relnamespace", OID),
            ("reltype", OID),
            ("reloftype", OID),
            ("relowner", OID),
            ("relnatts", INT2),
            ("relkind", CHAR),
            ("relpersistence", CHAR),
            ("relispartition", BOOL),
            ("relisshared", BOOL),
        ],
        rows: class_rows,
        whole: false,
        only_through: None,
    },
    SystemRelation {
        name: "pg_attribute",
        columns: &[
            ("attrelid", OID),
            ("attname", NAME),
            ("atttypid", OID),
            ("attlen", INT2),
            ("attnum", INT2),
            ("attndims", INT4),
            ("atttypmod", INT4),
            ("attnotnull", BOOL),
            ("atthasdef", BOOL),
            ("attidentity", CHAR),
            ("attgenerated", CHAR),
            ("attisdropped", BOOL),
            ("attislocal", BOOL),
        ],
        rows: attribute_rows,
        whole: false,
        only_through: None,
    },
];

/// `pg_authid.oid` of the owner of everything.
const OWNER_OID: u32 = 10;

fn type_rows() -> Vec<Row> {
    rows(TYPES.iter(), |row| {
        let named = |oid: u32, name: &str| {
            Some(Cell::Named {
                oid,
                text: name.to_owned(),
            })
        };
        vec![
            oid(row.oid),
            text(row.name.as_str()),
            oid(PG_CATALOG_OID),
            oid(OWNER_OID),
            Some(Cell::Int2(row.length)),
            letter(row.kind),
            letter(row.category),
            truth(row.preferred),
            truth(true),
            letter(row.delimiter),
            oid(0),
            oid(row.element),
            oid(row.array),
            named(row.receive.oid, &row.receive.name),
            named(row.send.oid, &row.send.name),
            truth(false),
            oid(0),
            Some(Cell::Int4(-1)),
            Some(Cell::Int4(0)),
            None,
        ]
    })
}

fn namespace_rows() -> Vec<Row> {
    let namespaces = [
        (PG_CATALOG_OID, "pg_catalog"),
        (PUBLIC_OID, crate::catalog::PUBLIC),
        (INFORMATION_SCHEMA_OID, "information_schema"),
        (CDF_OID, crate::catalog::CDF),
        (PENSTOCK_OID, crate::catalog::PENSTOCK),
    ];
    rows(namespaces, |(namespace, name)| {
        vec![oid(namespace), text(name), oid(OWNER_OID)]
    })
}

fn function_rows() -> Vec<Row> {
    let mut functions: Vec<_> = TYPES
        .iter()
        .flat_map(|row| [&row.receive, &row.send])
        .filter(|function| function.oid != 0)
        .collect();
    functions.sort_by_key(|function| function.oid);
    functions.dedup();
    rows(functions, |function| {
        vec![
            oid(function.oid),
            text(function.name.as_str()),
            oid(PG_CATALOG_OID),
        ]
    })
}

fn range_rows() -> Vec<Row> {
    rows(TYPES.iter().filter(|row| row.kind == b'r'), |row| {
        vec![oid(row.oid), oid(row.subtype), oid(row.multirange)]
    })
}

fn class_rows(namespace: &Namespace) -> Vec<Row> {
    rows(namespace.tables(), |table| {
        vec![
            oid(table.oid),
            text(table.name),
            oid(table.schema_oid()),
            oid(0),
            oid(0),
            oid(OWNER_OID),
            i16::try_from(table.columns.len()).ok().map(Cell::Int2),
            letter(b'r'),
            letter(b'p'),
            truth(false),
            truth(false),
        ]
    })
}

fn attribute_rows(namespace: &Namespace) -> Vec<Row> {
    let columns = namespace.tables().flat_map(|table| {
        table
            .columns
            .iter()
            .zip(1_i16..)
            .map(move |(column, number)| (table, column, number))
    });
    rows(columns, |(table, column, number)| {
        vec![
            oid(table.oid),
            text(column.name),
            oid(column.column_type.oid()),
            Some(Cell::Int2(column.column_type.type_size())),
            Some(Cell::Int2(number)),
            Some(Cell::Int4(i32::from(column.column_type.is_array()))),
            Some(Cell::Int4(column.column_type.type_modifier())),
            truth(column.required),
            truth(false),
            // Empty, which "char" holds as a zero byte.
            letter(0),
            letter(0),
            truth(false),
            truth(true),
        ]
    })
}
