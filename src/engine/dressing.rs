//! What makes an engine look like the database of one user.
//!
//! Owns the SQL that creates the gateway's tables, empty, with their types, keys and comments, and
//! the user's role and database. Promises the OIDs of the catalog, so that every answer of the
//! gateway means the same table by the same number. Never holds a row.

use crate::catalog::{
    CDF, CDF_OID, Column, ColumnType, Namespace, PENSTOCK, PENSTOCK_OID, PUBLIC, RowShape, Table,
};
use std::fmt::Write;
use std::sync::Arc;

/// The role that owns the tables, so that the user does not. It makes way for a user of that name.
const OWNER: &str = "penstock";

/// The user's role before there is a user.
const NOBODY: &str = "penstock_user";

/// What is made from here on cannot take the number of a built-in table, of either version.
const FIRST_FREE_OID: u32 = 18_000;

/// Functions of PostgreSQL's that run SQL which they get as a text, or make themselves. No plan tells
/// which tables that reads: what it finds there could be another statement's rows, or none.
const RUN_UNSEEN_SQL: &str = "proname ~ '^(query|table|schema|database)_to_xml' OR \
    proname = 'ts_stat' OR (proname = 'ts_rewrite' AND pronargs = 2)";

/// Where PostgreSQL notes the numbers of schemas and tables.
const NOTED: [(&str, &str); 13] = [
    ("pg_namespace", "oid"),
    ("pg_class", "oid"),
    ("pg_class", "relnamespace"),
    ("pg_attribute", "attrelid"),
    ("pg_type", "typrelid"),
    ("pg_type", "typnamespace"),
    ("pg_index", "indrelid"),
    ("pg_constraint", "conrelid"),
    ("pg_constraint", "connamespace"),
    ("pg_description", "objoid"),
    ("pg_depend", "objid"),
    ("pg_depend", "refobjid"),
    ("pg_shdepend", "objid"),
];

/// What the databases of many users have in common: the built-in tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Base {
    tables: Arc<[&'static Table]>,
}

impl PartialEq for Base {
    fn eq(&self, other: &Self) -> bool {
        let others = other.tables.iter().copied();
        self.tables.len() == other.tables.len()
            && (self.tables.iter().copied().zip(others))
                .all(|(one, other)| std::ptr::eq(one, other))
    }
}

impl Eq for Base {}

impl Base {
    fn of(tables: impl Iterator<Item = &'static Table>) -> Self {
        let mut tables: Vec<_> = tables.collect();
        tables.sort_by_key(|table| table.oid);
        Base {
            tables: tables.into(),
        }
    }

    /// SQL that makes it of a fresh engine: transactions to be run one after the other, each by a
    /// new connection, so that none remembers what the next one changes beneath it.
    pub fn steps(&self) -> [String; 2] {
        [self.creation(), self.renumbering()]
    }

    fn creation(&self) -> String {
        let mut sql = String::from("BEGIN;\n");
        let _ = writeln!(
            sql,
            "DO $$ DECLARE made oid; BEGIN LOOP made := lo_create(0); PERFORM lo_unlink(made); EXIT \
             WHEN made >= {FIRST_FREE_OID}; END LOOP; END $$;"
        );
        let _ = writeln!(
            sql,
            "SET LOCAL client_min_messages = warning;\n\
             UPDATE pg_authid SET rolname = '{OWNER}' WHERE oid = 10;\n\
             CREATE ROLE {NOBODY} LOGIN;\n\
             CREATE SCHEMA {CDF};\n\
             COMMENT ON SCHEMA {CDF} IS 'Tables that Cognite''s gateway does not have';\n\
             CREATE SCHEMA {PENSTOCK};\n\
             COMMENT ON SCHEMA {PENSTOCK} IS 'The gateway''s own state, as it is when it is asked for';\n\
             GRANT USAGE ON SCHEMA {PUBLIC}, {CDF}, {PENSTOCK} TO {NOBODY};\n\
             DO $$ DECLARE unseen regprocedure; BEGIN FOR unseen IN SELECT oid FROM pg_proc WHERE \
             pronamespace = 'pg_catalog'::regnamespace AND ({RUN_UNSEEN_SQL}) LOOP EXECUTE \
             format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', unseen); END LOOP; END $$;",
        );
        for table in self.tables.iter() {
            create(&mut sql, table);
        }
        grant_names(&mut sql, &self.tables, NOBODY);
        sql.push_str("COMMIT;\n");
        sql
    }

    fn renumbering(&self) -> String {
        let schemas = [(CDF, CDF_OID), (PENSTOCK, PENSTOCK_OID)].map(|(name, oid)| {
            format!("INSERT INTO numbers SELECT oid, {oid} FROM pg_namespace WHERE nspname = '{name}';\n")
        });
        renumbering(&schemas.concat(), &self.tables)
    }
}

/// The look of one user's database. Cheap to clone; equal where the database is the same.
#[derive(Clone, Debug)]
pub struct Dressing {
    pub user: Arc<str>,
    pub database: Arc<str>,
    base: Base,
    /// The user's own, in the order of their OIDs.
    own_tables: Arc<[&'static Table]>,
    /// All of this in bytes. A table is made once, so that its address is its version.
    key: Arc<[u8]>,
}

impl PartialEq for Dressing {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Dressing {}

impl Dressing {
    /// The database as `user` sees it now.
    pub fn of(user: &str, database: &str, namespace: &Namespace) -> Self {
        let base = Base::of(namespace.built_in_tables());
        let own_tables = Base::of(namespace.own_tables()).tables;
        let mut key = Vec::new();
        for text in [user, database] {
            key.extend_from_slice(&text.len().to_ne_bytes());
            key.extend_from_slice(text.as_bytes());
        }
        for table in base.tables.iter().chain(own_tables.iter()) {
            let address = std::ptr::from_ref::<Table>(table).addr();
            key.extend_from_slice(&address.to_ne_bytes());
        }
        Dressing {
            user: user.into(),
            database: database.into(),
            base,
            own_tables,
            key: key.into(),
        }
    }

    /// What it has in common with others.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// Bytes that no other look has.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The tables that it shows.
    pub fn tables(&self) -> impl Iterator<Item = &'static Table> {
        self.base
            .tables
            .iter()
            .chain(self.own_tables.iter())
            .copied()
    }

    /// The table of that schema and name.
    pub fn table(&self, schema: &str, name: &str) -> Option<&'static Table> {
        self.tables()
            .find(|table| table.schema == schema && table.name == name)
    }

    /// SQL that lets rows without their key in, or shows the keys as NOT NULL.
    pub fn keys(&self, are_required: bool) -> String {
        keys(self.tables(), are_required)
    }

    /// SQL that makes it of an engine with its base: transactions to be run one after the other, by
    /// one connection.
    pub fn steps(&self) -> Vec<String> {
        let mut steps = vec![self.naming()];
        if !self.own_tables.is_empty() {
            steps.push(renumbering("", &self.own_tables));
        }
        steps
    }

    fn naming(&self) -> String {
        let mut sql = String::from("BEGIN;\n");
        let (user, database) = (literal(&self.user), literal(&self.database));
        // Names that PostgreSQL reserves are no obstacle here: the gateway has taken them. The databases
        // that every new PostgreSQL has are in the way of theirs, and nobody's to see. Without
        // a list of its own a database allows what new ones do: temporary tables.
        let _ = writeln!(
            sql,
            "SET LOCAL client_min_messages = warning;\n\
             UPDATE pg_authid SET rolname = rolname || '_owner' WHERE rolname = {user} AND rolname <> \
             '{NOBODY}';\n\
             UPDATE pg_authid SET rolname = {user} WHERE rolname = '{NOBODY}';\n\
             DELETE FROM pg_database WHERE datname <> current_database();\n\
             DELETE FROM pg_shdescription WHERE classoid = 'pg_database'::regclass;\n\
             UPDATE pg_database SET datname = {database}, datistemplate = false, datacl = NULL;",
        );
        for table in self.own_tables.iter() {
            create(&mut sql, table);
        }
        grant_names(&mut sql, &self.own_tables, &identifier(&self.user));
        sql.push_str("COMMIT;\n");
        sql
    }
}

/// Lets `user` know tables: information_schema shows only what one may do something with. Reading
/// is granted table by table, when there are rows. The gateway's own state is nobody's to change.
pub(super) fn grant_names(sql: &mut String, tables: &[&Table], user: &str) {
    let is_state = |table: &Table| matches!(table.shape, RowShape::GatewayState(_));
    for (rights, of_state) in [
        ("INSERT, UPDATE, DELETE, REFERENCES", false),
        ("REFERENCES", true),
    ] {
        let meant = tables.iter().filter(|table| is_state(table) == of_state);
        let names: Vec<String> = meant.map(|table| full_name(table)).collect();
        if !names.is_empty() {
            let _ = writeln!(sql, "GRANT {rights} ON {} TO {user};", names.join(", "));
        }
    }
}

/// Gives tables the OIDs of the catalog, wherever PostgreSQL has noted them. `more` adds to the
/// numbers that change.
fn renumbering(more: &str, tables: &[&Table]) -> String {
    let mut sql = String::from("BEGIN;\n");
    let _ = writeln!(
        sql,
        "CREATE TEMP TABLE numbers (before oid, after oid) ON COMMIT DROP;"
    );
    sql.push_str(more);
    for table in tables {
        let _ = writeln!(
            sql,
            "INSERT INTO numbers SELECT c.oid, {} FROM pg_class c JOIN pg_namespace n ON \
             n.oid = c.relnamespace WHERE n.nspname = {} AND c.relname = {} AND c.relkind = 'r';",
            table.oid,
            literal(table.schema),
            literal(table.name),
        );
    }
    for (catalog, column) in NOTED {
        let _ = writeln!(
            sql,
            "UPDATE pg_catalog.{catalog} SET {column} = numbers.after FROM numbers WHERE \
             {catalog}.{column} = numbers.before;"
        );
    }
    sql.push_str(&keys(tables.iter().copied(), false));
    sql.push_str(&column_comments(tables));
    sql.push_str("COMMIT;\n");
    sql
}

/// SQL that lets rows without their key in, where CDF has such, or shows what a primary key is to
/// PostgreSQL: NOT NULL, without which it copies none.
fn keys<'a>(tables: impl Iterator<Item = &'a Table>, are_required: bool) -> String {
    let mut sql = String::new();
    for table in tables {
        for index in table.optional_key() {
            let _ = writeln!(
                sql,
                "UPDATE pg_catalog.pg_attribute SET attnotnull = {are_required} WHERE attrelid = {} \
                 AND attnum = {};",
                table.oid,
                index + 1
            );
        }
    }
    sql
}

fn full_name(table: &Table) -> String {
    format!("{}.{}", identifier(table.schema), identifier(table.name))
}

/// Comments of all columns as one statement: COMMENT ON takes one for each, and there are hundreds. The
/// tables have their numbers already.
fn column_comments(tables: &[&Table]) -> String {
    let comments = tables.iter().flat_map(|table| {
        (0..table.columns.len()).map(|index| {
            let text = literal(&table.column_comment(index));
            format!("({}, {}, {text})", table.oid, index + 1)
        })
    });
    format!(
        "INSERT INTO pg_catalog.pg_description (objoid, classoid, objsubid, description) SELECT oid, \
         'pg_catalog.pg_class'::regclass, number, comment FROM (VALUES {}) AS comments (oid, number, \
         comment);\n",
        comments.collect::<Vec<_>>().join(", ")
    )
}

/// CREATE TABLE and its COMMENT.
pub(super) fn create(sql: &mut String, table: &Table) {
    let name = full_name(table);
    let mut parts: Vec<String> = table.columns.iter().map(column).collect();
    if !table.key.is_empty() {
        let key: Vec<String> = table
            .key
            .iter()
            .map(|index| identifier(table.columns[*index].name))
            .collect();
        parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    let _ = writeln!(sql, "CREATE TABLE {name} ({});", parts.join(", "));
    let _ = writeln!(
        sql,
        "COMMENT ON TABLE {name} IS {};",
        literal(table.comment)
    );
}

fn column(column: &Column) -> String {
    let not_null = if column.required { " NOT NULL" } else { "" };
    format!(
        "{} {}{not_null}",
        identifier(column.name),
        type_of(column.column_type)
    )
}

/// The type as SQL writes it.
pub(super) fn type_of(column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Varchar(length) if length > 0 => format!("character varying({length})"),
        other => other.sql_name().to_owned(),
    }
}

/// A name that means itself, whatever it holds.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text that means itself, whatever it holds and whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_mean_themselves() {
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }

    #[test]
    fn the_look_is_the_same_for_the_same_tables() {
        let namespace = Namespace::default();
        let one = Dressing::of("loader", "postgres", &namespace);
        let other = Dressing::of("loader", "postgres", &namespace);
        assert_eq!(one, other);
        assert_eq!(one.steps(), other.steps());
        assert_ne!(one, Dressing::of("reader", "postgres", &namespace));
    }
}
