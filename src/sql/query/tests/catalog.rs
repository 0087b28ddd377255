//! Questions to the system catalog, as drivers ask them.

use super::{answer, answer_with, columns, query, rows};
use crate::sql::query::value::text_of;
use crate::sql::{Bindings, Cell, Settings};
use bytes::Bytes;
use std::sync::Arc;

#[test]
fn extension_types_are_looked_up_in_vain() {
    for (text, width) in [
        (
            "select oid, typbasetype from pg_type where typname = 'lo'",
            2,
        ),
        (
            "SELECT t.oid, typarray FROM pg_type t JOIN pg_namespace ns ON typnamespace = ns.oid WHERE typname = 'hstore'",
            2,
        ),
        ("select oid, enumlabel from pg_enum", 2),
    ] {
        let answer = answer(text).expect(text);
        assert_eq!(
            (answer.columns.len(), answer.rows.len()),
            (width, 0),
            "{text}"
        );
    }
}

#[test]
fn a_type_is_looked_up_by_its_name() {
    let text = "SELECT typname AS name, oid, typarray AS array_oid, oid::regtype::text AS regtype, \
                typdelim AS delimiter FROM pg_type t WHERE t.oid = to_regtype($1) ORDER BY t.oid";
    let query = query(text);
    assert_eq!(
        columns(text),
        [
            "name:19:-1",
            "oid:26:-1",
            "array_oid:26:-1",
            "regtype:25:-1",
            "delimiter:18:-1"
        ]
    );
    let types: Arc<[u32]> = query.parameter_types(&[]).expect("types").into();
    assert_eq!(*types, [25]);
    let mut settings = Settings::new("writer", []).expect("defaults");
    for (name, expected) in [
        ("hstore", None),
        ("int8", Some(("int8", 20, 1016, "bigint"))),
        (
            "timestamp with time zone",
            Some(("timestamptz", 1184, 1185, "timestamp with time zone")),
        ),
    ] {
        let bindings =
            Bindings::new("", types.clone(), &[], vec![Some(Bytes::from(name))]).expect("bindings");
        let answer = answer_with(&query, &mut settings, &bindings).expect(name);
        let expected: Vec<Vec<Option<Cell>>> = expected
            .into_iter()
            .map(|(name, oid, array, shown)| {
                vec![
                    Some(Cell::Text(name.to_owned())),
                    Some(Cell::Oid(oid)),
                    Some(Cell::Oid(array)),
                    Some(Cell::Text(shown.to_owned())),
                    Some(Cell::Char(b',')),
                ]
            })
            .collect();
        assert_eq!(answer.rows, expected, "{name}");
    }
}

#[test]
fn the_columns_of_a_table_are_looked_up_by_its_name() {
    let text = "SELECT attr.attname, attr.atttypid FROM pg_catalog.pg_attribute AS attr WHERE \
                attr.attrelid = $1::regclass::oid AND attr.attnum > 0 AND NOT attr.attisdropped";
    let query = query(text);
    let types: Arc<[u32]> = query.parameter_types(&[]).expect("types").into();
    assert_eq!(*types, [2205]);
    let mut settings = Settings::new("writer", []).expect("defaults");
    let name = Bytes::from("\"public\" . \"raw_tables\"");
    let bindings = Bindings::new("", types.clone(), &[], vec![Some(name)]).expect("bindings");
    let answer = answer_with(&query, &mut settings, &bindings).expect("columns");
    assert_eq!(answer.rows.len(), 2);
    assert_eq!(
        answer.rows[1],
        [
            Some(Cell::Text("_raw_table".to_owned())),
            Some(Cell::Oid(1043))
        ]
    );
    let bindings =
        Bindings::new("", types, &[], vec![Some(Bytes::from("nope"))]).expect("bindings");
    let missing = answer_with(&query, &mut settings, &bindings).expect_err("42P01");
    assert_eq!(missing.sqlstate.code(), "42P01");
}

#[test]
fn a_table_is_found_among_the_relations() {
    let text = |name: &str| {
        format!(
            "SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace \
             ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace \
             WHERE pg_catalog.pg_class.relname = '{name}' \
             AND pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) \
             AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) \
             AND pg_catalog.pg_namespace.nspname != 'pg_catalog'"
        )
    };
    assert_eq!(rows(&text("raw_rows")), [["raw_rows"]]);
    assert!(rows(&text("pandas_new")).is_empty());
}

#[test]
fn array_types_name_their_elements() {
    let found = rows(
        "select b.oid, b.typarray from pg_catalog.pg_type a left join pg_catalog.pg_type b \
         on b.oid = a.typelem where a.typcategory = 'A' group by b.oid, b.typarray order by b.oid",
    );
    assert_eq!(found[0], ["16", "1000"]);
    for pair in [
        ["20", "1016"],
        ["701", "1022"],
        ["1184", "1185"],
        ["1043", "1015"],
        ["114", "199"],
    ] {
        assert!(found.iter().any(|row| row == &pair), "{pair:?}");
    }
}

/// What a driver that loads types asks, with all its joins.
const TYPE_LOADING: &str = "
    SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid
    FROM (
        SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.relkind, typ.typnotnull,
            elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname,
            CASE WHEN elemproc.proname = 'array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype
        FROM (
            SELECT typ.oid, typnamespace, typname, typnotnull, relkind,
                CASE WHEN proc.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS typtype,
                CASE
                    WHEN proc.proname = 'array_recv' THEN typ.typelem
                    WHEN typ.typtype = 'r' THEN rngsubtype
                    WHEN typ.typtype = 'm' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = typ.oid)
                    WHEN typ.typtype = 'd' THEN typ.typbasetype
                END AS elemtypoid
            FROM pg_type AS typ
            LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid)
            LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive
            LEFT JOIN pg_range ON (pg_range.rngtypid = typ.oid)
        ) AS typ
        LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemtypoid
        LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive
    ) AS t
    JOIN pg_namespace AS ns ON (ns.oid = typnamespace)
    WHERE typtype IN ('b', 'r', 'm', 'e', 'd') OR (typtype = 'c' AND relkind = 'c')
        OR (typtype = 'p' AND typname IN ('record', 'void', 'unknown'))
        OR (typtype = 'a' AND (elemtyptype IN ('b', 'r', 'm', 'e', 'd')
            OR (elemtyptype = 'p' AND elemtypname IN ('record', 'void'))))
    ORDER BY CASE WHEN typtype IN ('b', 'e', 'p') THEN 0 WHEN typtype = 'r' THEN 2
        WHEN typtype = 'm' THEN 3 WHEN typtype = 'a' THEN 5 END";

#[test]
fn drivers_load_the_types_of_postgresql() {
    assert_eq!(
        columns(TYPE_LOADING),
        [
            "nspname:19:-1",
            "oid:26:-1",
            "typname:19:-1",
            "typtype:18:-1",
            "typnotnull:16:-1",
            "elemtypoid:26:-1"
        ]
    );
    let found = rows(TYPE_LOADING);
    for (oid, name, kind, element) in [
        ("16", "bool", "b", "~"),
        ("20", "int8", "b", "~"),
        ("25", "text", "b", "~"),
        ("701", "float8", "b", "~"),
        ("114", "json", "b", "~"),
        ("1043", "varchar", "b", "~"),
        ("1184", "timestamptz", "b", "~"),
        ("1700", "numeric", "b", "~"),
        ("705", "unknown", "p", "~"),
        ("2249", "record", "p", "~"),
        ("2278", "void", "p", "~"),
        ("22", "int2vector", "b", "~"),
        ("3904", "int4range", "r", "23"),
        ("3910", "tstzrange", "r", "1184"),
        ("4451", "int4multirange", "m", "3904"),
        ("1016", "_int8", "a", "20"),
        ("1006", "_int2vector", "a", "22"),
        ("2287", "_record", "a", "2249"),
        ("6150", "_int4multirange", "a", "4451"),
    ] {
        let row = ["pg_catalog", oid, name, kind, "false", element];
        assert!(found.iter().any(|found| found == &row), "{name}");
    }
    // Base types first, arrays last: their elements are known by then.
    let place = |name: &str| found.iter().position(|row| row[2] == name);
    assert!(place("int8") < place("int4range"));
    assert!(place("int4range") < place("int4multirange"));
    assert!(place("int4multirange") < place("_int8"));
    assert!(
        !found
            .iter()
            .any(|row| row[2] == "trigger" || row[2] == "anyelement")
    );
}

#[test]
fn types_are_found_with_those_they_consist_of() {
    let text = "WITH RECURSIVE typeinfo_tree(oid, ns, name, kind, basetype, elemtype, elemdelim, \
         range_subtype, attrtypoids, attrnames, depth) AS ( \
         SELECT t.oid, n.nspname, t.typname, t.typtype, NULL, t.typelem, NULL, NULL, NULL, NULL, 0 \
         FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = any($1::oid[]) \
         UNION ALL SELECT t.oid, '', t.typname, t.typtype, NULL, t.typelem, NULL, NULL, NULL, NULL, \
         tt.depth + 1 FROM pg_type t, typeinfo_tree tt WHERE t.oid = tt.elemtype) \
         SELECT DISTINCT *, basetype::regtype::text AS basetype_name, \
         elemtype::regtype::text AS elemtype_name, range_subtype::regtype::text AS range_subtype_name \
         FROM typeinfo_tree ORDER BY depth DESC";
    let query = query(text);
    assert_eq!(query.parameter_types(&[]), Ok(vec![1028]));
    let mut array = Vec::new();
    for word in [1_u32, 0, 26, 2, 1, 4, 1016, 4, 3904] {
        array.extend_from_slice(&word.to_be_bytes());
    }
    let types: Arc<[u32]> = Arc::new([1028]);
    let mut settings = Settings::new("writer", []).expect("defaults");
    for (format, value) in [(1, Bytes::from(array)), (0, Bytes::from("{1016, 3904}"))] {
        let bindings =
            Bindings::new("", types.clone(), &[format], vec![Some(value)]).expect("bindings");
        let answer = answer_with(&query, &mut settings, &bindings).expect("types");
        let found: Vec<String> = answer
            .rows
            .iter()
            .map(|row| {
                let cells: Vec<String> = row
                    .iter()
                    .map(|cell| cell.as_ref().map_or("~".to_owned(), text_of))
                    .collect();
                cells.join(" ")
            })
            .collect();
        assert_eq!(
            found,
            [
                "20 pg_catalog int8 b ~ 0 ~ ~ ~ ~ 1 ~ - ~",
                "23 pg_catalog int4 b ~ 0 ~ ~ ~ ~ 1 ~ - ~",
                "1016 pg_catalog _int8 b ~ 20 , ~ ~ ~ 0 ~ bigint ~",
                "3904 pg_catalog int4range r ~ 0 ~ 23 ~ ~ 0 ~ - integer",
            ]
        );
    }
    let broken = Bindings::new("", types, &[1], vec![Some(Bytes::from_static(&[1, 2]))]);
    let error = answer_with(&query, &mut settings, &broken.expect("bindings")).expect_err("22P03");
    assert_eq!(error.sqlstate.code(), "22P03");
}
