//! Which columns statements join by, and where that says nothing.

use super::{BoundStatement, Needed};
use crate::catalog;
use crate::rows::value::ValueSettings;

fn needs_of(name: &str, sql: &str) -> Needed {
    let settings = ValueSettings::default();
    let statement = BoundStatement {
        sql,
        parameters: &[],
        settings: &settings,
    };
    let table = catalog::table_of_full_name(name).expect("the table exists");
    statement.needs(table, "public", name)
}

/// The keys of a table, as `column = relation.key`.
fn keys_of(name: &str, sql: &str) -> Vec<String> {
    let table = catalog::table_of_full_name(name).expect("the table exists");
    let keys = needs_of(name, sql).keys;
    keys.iter()
        .map(|key| {
            let schema = key.schema.as_ref().map(|schema| format!("{schema}."));
            let column = table.columns[key.column].name;
            format!(
                "{column} = {}{}.{}",
                schema.unwrap_or_default(),
                key.relation,
                key.key
            )
        })
        .collect()
}

fn assets(sql: &str) -> Vec<String> {
    keys_of("assets", sql)
}

#[test]
fn equalities_with_columns_of_others_are_keys() {
    for (sql, keys) in [
        (
            "UPDATE assets SET name = i.name FROM interim i WHERE assets.external_id = i.k",
            "external_id = interim.k",
        ),
        (
            "UPDATE public.assets AS a SET name = i.name FROM pg_temp.interim AS i \
             WHERE i.k = a.external_id AND i.name <> ''",
            "external_id = pg_temp.interim.k",
        ),
        (
            "DELETE FROM assets USING interim WHERE (assets.id = interim.\"Id\") AND true",
            "id = interim.Id",
        ),
        (
            "SELECT * FROM interim JOIN assets a ON a.external_id = interim.k WHERE interim.n > 1",
            "external_id = interim.k",
        ),
        (
            "SELECT * FROM assets JOIN interim USING (external_id)",
            "external_id = interim.external_id",
        ),
        (
            "SELECT * FROM interim LEFT JOIN assets USING (external_id)",
            "external_id = interim.external_id",
        ),
        (
            "SELECT * FROM interim i LEFT JOIN assets a ON a.external_id = i.k WHERE a.id IS NULL",
            "external_id = interim.k",
        ),
        (
            "SELECT * FROM assets a RIGHT JOIN interim i ON a.external_id = i.k",
            "external_id = interim.k",
        ),
        (
            "SELECT * FROM interim i LEFT JOIN (assets a JOIN events e ON e.type = 'x') \
             ON a.external_id = i.k",
            "external_id = interim.k",
        ),
        (
            "INSERT INTO assets (external_id) SELECT i.k FROM interim i \
             LEFT JOIN assets a ON i.k = a.external_id WHERE a.id IS NULL",
            "external_id = interim.k",
        ),
        (
            "INSERT INTO assets (external_id) SELECT i.k FROM interim i \
             WHERE NOT EXISTS (SELECT 1 FROM assets a WHERE a.external_id = i.k)",
            "external_id = interim.k",
        ),
        (
            "SELECT * FROM assets WHERE external_id IN (SELECT k FROM interim WHERE n = 1 LIMIT 3)",
            "external_id = interim.k",
        ),
        (
            "SELECT * FROM assets WHERE external_id = ANY (SELECT i.k FROM interim i)",
            "external_id = interim.k",
        ),
        (
            "DELETE FROM assets WHERE EXISTS (SELECT * FROM interim WHERE k = assets.external_id)",
            "external_id = interim.k",
        ),
        (
            "MERGE INTO assets AS a USING interim AS i ON a.external_id = i.k \
             WHEN MATCHED THEN UPDATE SET name = i.name \
             WHEN NOT MATCHED THEN INSERT (external_id, name) VALUES (i.k, i.name)",
            "external_id = interim.k",
        ),
        (
            "WITH changed AS (UPDATE assets SET name = 'x' FROM interim i \
             WHERE assets.external_id = i.k RETURNING 1) SELECT count(*) FROM changed",
            "external_id = interim.k",
        ),
    ] {
        assert_eq!(assets(sql), [keys], "{sql}");
    }
}

#[test]
fn what_may_be_true_without_the_equality_says_nothing() {
    for sql in [
        // Not of every row.
        "SELECT * FROM assets a JOIN interim i ON a.external_id = i.k OR a.id = 1",
        "SELECT * FROM assets a JOIN interim i ON NOT (a.external_id = i.k)",
        "SELECT * FROM assets a JOIN interim i ON (a.external_id = i.k) IS NOT TRUE",
        "SELECT * FROM assets WHERE external_id NOT IN (SELECT k FROM interim)",
        "SELECT * FROM assets WHERE NOT EXISTS (SELECT 1 FROM interim WHERE k = assets.external_id)",
        "SELECT * FROM assets WHERE EXISTS (SELECT count(*) FROM interim WHERE k = assets.external_id)",
        "SELECT * FROM assets a, interim i WHERE a.external_id <> i.k",
        // The join keeps rows of the table.
        "SELECT * FROM assets a LEFT JOIN interim i ON a.external_id = i.k",
        "SELECT * FROM interim i RIGHT JOIN assets a ON a.external_id = i.k",
        "SELECT * FROM assets a FULL JOIN interim i ON a.external_id = i.k",
        "SELECT * FROM assets LEFT JOIN interim USING (external_id)",
        "SELECT * FROM assets FULL JOIN interim USING (external_id)",
        "SELECT * FROM assets NATURAL JOIN interim",
        "MERGE INTO assets a USING interim i ON a.external_id = i.k \
         WHEN NOT MATCHED BY SOURCE THEN DELETE",
        "MERGE INTO interim i USING assets a ON a.external_id = i.k \
         WHEN NOT MATCHED THEN INSERT (k) VALUES (a.external_id)",
        // No plain columns.
        "SELECT * FROM assets a JOIN interim i ON lower(a.external_id) = i.k",
        "SELECT * FROM assets a JOIN interim i ON a.external_id = lower(i.k)",
        "SELECT * FROM assets a JOIN interim i ON a.external_id = i.k || 'x'",
        "SELECT * FROM assets WHERE external_id IN (SELECT upper(k) FROM interim)",
        "SELECT * FROM assets a JOIN interim i ON a.external_id = k",
        // It is not known whose columns they are.
        "SELECT * FROM assets a JOIN (SELECT * FROM interim) i ON a.external_id = i.k",
        "SELECT * FROM assets a JOIN interim i (n, k) ON a.external_id = i.k",
        "SELECT * FROM assets a, generate_series(1, 2) AS i (k) WHERE a.id = i.k",
        "WITH interim AS (SELECT 'x' AS k) SELECT * FROM assets a JOIN interim i ON a.external_id = i.k",
        "WITH interim (k) AS (SELECT 'x') SELECT * FROM assets a JOIN interim i ON a.external_id = i.k",
        "SELECT * FROM interim o WHERE EXISTS (SELECT 1 FROM assets a, (SELECT 'x' AS k) o \
         WHERE a.external_id = o.k)",
        "SELECT * FROM interim i, LATERAL (SELECT * FROM assets a WHERE a.external_id = i.k) AS l",
        // The table is named twice.
        "SELECT * FROM assets a JOIN interim i ON a.external_id = i.k JOIN assets b ON b.id = a.id",
        "INSERT INTO assets (external_id) SELECT i.k FROM interim i JOIN assets a \
         ON a.external_id = i.k JOIN assets b ON b.id = a.id",
    ] {
        assert_eq!(assets(sql), [""; 0], "{sql}");
    }
}

#[test]
fn the_innermost_of_a_name_is_meant() {
    let sql = "SELECT * FROM outer_one i WHERE EXISTS \
               (SELECT 1 FROM assets a, inner_one i WHERE a.external_id = i.k)";
    assert_eq!(assets(sql), ["external_id = inner_one.k"]);
}

#[test]
fn values_that_a_statement_lists_are_conditions() {
    let sql = "UPDATE assets SET name = v.name FROM (VALUES ('a', 'A'), ('b', 'B'), (NULL, 'C')) \
               AS v (k, name) WHERE assets.external_id = v.k";
    let needed = needs_of("assets", sql);
    let said: Vec<String> = needed
        .conditions
        .iter()
        .map(|condition| condition.in_words("external_id"))
        .collect();
    assert_eq!(said, ["external_id IN ('a', 'b')"]);
    for sql in [
        "UPDATE assets SET name = v.name FROM (VALUES (lower('A'), 'A')) AS v (k, name) \
         WHERE assets.external_id = v.k",
        "UPDATE assets SET name = v.name FROM (VALUES ('a', 'A')) AS v (k) \
         WHERE assets.external_id = v.column2",
    ] {
        assert_eq!(needs_of("assets", sql), Needed::default(), "{sql}");
    }
}

#[test]
fn a_merge_makes_no_row_over_one_that_was_not_read() {
    let merge = |on: &str, key: &str| {
        let sql = format!(
            "MERGE INTO raw_rows r USING interim i ON {on} WHEN NOT MATCHED THEN \
             INSERT (_raw_database, _raw_table, _raw_key) VALUES ('d', 't', {key})"
        );
        let needed = needs_of("raw_rows", &sql);
        (needed.keys.len(), needed.conditions.len())
    };
    assert_eq!(merge("r._raw_key = i.k", "i.k"), (1, 0));
    assert_eq!(merge("r._raw_key = i.k", "i.other"), (0, 0));
    assert_eq!(merge("r._raw_key = i.k", "upper(i.k)"), (0, 0));
    // A row of another table with the key of one that is made would be left out.
    assert_eq!(
        merge("r._raw_key = i.k AND r._raw_table = 't'", "i.k"),
        (1, 0)
    );
    let matched = "MERGE INTO raw_rows r USING interim i ON r._raw_key = i.k AND r._raw_table = 't' \
                   WHEN MATCHED THEN DELETE";
    assert_eq!(needs_of("raw_rows", matched).conditions.len(), 1);
}
