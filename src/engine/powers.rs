//! How the gateway has its way in an engine, and how its user's rights are told apart from that.
//!
//! Owns the SQL that differs between an engine whose superuser the gateway is and one in which it
//! owns the tables and nothing else. Promises the same to statements either way: who asks, and what
//! a key means while rows are in its table. Never runs anything.

use super::dressing::{Dressing, identifier, literal};
use crate::catalog::Table;
use std::sync::Arc;

/// SQL after which the superuser asks. Role 10 is the one that the engine was made with, whatever it is
/// called now.
const AS_SUPERUSER: &str = "SELECT pg_catalog.set_config('session_authorization', rolname, false) \
     FROM pg_catalog.pg_roles WHERE oid = 10";

/// What the gateway may do in an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Powers {
    /// Everything: the engine is its own. Statements run as this role.
    Superuser(Arc<str>),
    /// It owns the tables. Statements run as this role.
    Owner(Arc<str>),
}

impl Powers {
    /// The role of the client's statements, as SQL.
    pub fn user(&self) -> String {
        match self {
            Powers::Superuser(user) | Powers::Owner(user) => identifier(user),
        }
    }

    /// SQL after which the client's role asks.
    pub fn as_user(&self) -> String {
        let user = self.user();
        match self {
            Powers::Superuser(_) => format!("SET SESSION AUTHORIZATION {user}"),
            Powers::Owner(_) => format!("SET ROLE {user}"),
        }
    }

    /// SQL after which the owner of the tables asks.
    pub fn as_owner(&self) -> &'static str {
        match self {
            Powers::Superuser(_) => AS_SUPERUSER,
            Powers::Owner(_) => "RESET ROLE",
        }
    }

    /// What an engine must know before rows of the table are in it: where some have no key, the key
    /// does not tell rows apart, though tools are shown it as the primary one. To the owner it is a
    /// unique one meanwhile; to the superuser, one that may be checked later, from which PostgreSQL
    /// draws no conclusions either.
    pub fn doubt_key(&self, table: &Table) -> String {
        if table.optional_key().next().is_none() {
            return String::new();
        }
        match self {
            Powers::Superuser(_) => format!(
                "UPDATE pg_catalog.pg_constraint SET condeferrable = true WHERE conrelid = {} AND \
                 contype = 'p';",
                table.oid
            ),
            Powers::Owner(_) => {
                let nullable: Vec<String> = table
                    .optional_key()
                    .map(|index| {
                        let name = identifier(table.columns[index].name);
                        format!("ALTER COLUMN {name} DROP NOT NULL")
                    })
                    .collect();
                let name = full_name(table);
                let unique = format!("UNIQUE ({})", key_columns(table));
                of_primary_key(
                    table,
                    &format!(
                        "EXECUTE format({}, made.conname);",
                        literal(&format!(
                            "ALTER TABLE {} DROP CONSTRAINT %1$I; ALTER TABLE {} {}; ALTER TABLE {} \
                             ADD CONSTRAINT %1$I {}",
                            escaped(&name),
                            escaped(&name),
                            escaped(&nullable.join(", ")),
                            escaped(&name),
                            escaped(&unique)
                        ))
                    ),
                )
            }
        }
    }

    /// The same before a statement is planned, as far as a plan depends on it. A superuser's engine has
    /// keys that may be NULL from the start.
    pub fn doubt_before_plan(&self, table: &Table) -> String {
        match self {
            Powers::Superuser(_) => String::new(),
            Powers::Owner(_) => self.doubt_key(table),
        }
    }

    /// SQL that lets rows without their key in, or shows the keys as NOT NULL, where that is not seen
    /// to table by table.
    pub fn keys(&self, dressing: &Dressing, are_required: bool) -> String {
        match self {
            Powers::Superuser(_) => dressing.keys(are_required),
            Powers::Owner(_) => String::new(),
        }
    }

    /// SQL that lets rows in whose key is there already.
    pub fn admit_duplicates(&self, table: &Table) -> String {
        match self {
            Powers::Superuser(_) => set_unique(table, false),
            Powers::Owner(_) => {
                let drop = format!(
                    "ALTER TABLE {} DROP CONSTRAINT %I",
                    escaped(&full_name(table))
                );
                let each = format!("EXECUTE format({}, made.conname);", literal(&drop));
                of_constraints(table, "contype IN ('p', 'u')", &each)
            }
        }
    }

    /// SQL that refuses them again. The owner's empties the table: nothing of it is wanted any more.
    pub fn refuse_duplicates(&self, table: &Table) -> String {
        match self {
            Powers::Superuser(_) => set_unique(table, true),
            Powers::Owner(_) if table.key.is_empty() => String::new(),
            Powers::Owner(_) => {
                let name = full_name(table);
                format!(
                    "DELETE FROM {name}; ALTER TABLE {name} ADD PRIMARY KEY ({});\n",
                    key_columns(table)
                )
            }
        }
    }
}

/// Whether the keys of the table are checked.
fn set_unique(table: &Table, is_unique: bool) -> String {
    format!(
        "UPDATE pg_catalog.pg_index SET indisunique = {is_unique} WHERE indrelid = {}::regclass AND \
         indisprimary;\n",
        literal(&full_name(table))
    )
}

/// SQL that does something with the primary key, if it is there still. PostgreSQL knows its name.
fn of_primary_key(table: &Table, each: &str) -> String {
    of_constraints(table, "contype = 'p'", each)
}

/// SQL that does something with constraints of the table: `made` is each of them.
fn of_constraints(table: &Table, condition: &str, each: &str) -> String {
    format!(
        "DO $penstock$ DECLARE made record; BEGIN FOR made IN SELECT conname FROM \
         pg_catalog.pg_constraint WHERE conrelid = {}::regclass AND {condition} LOOP {each} END LOOP; \
         END $penstock$;\n",
        literal(&full_name(table))
    )
}

/// SQL as a part of what format() takes.
fn escaped(sql: &str) -> String {
    sql.replace('%', "%%")
}

fn key_columns(table: &Table) -> String {
    let names: Vec<String> = (table.key.iter())
        .map(|index| identifier(table.columns[*index].name))
        .collect();
    names.join(", ")
}

fn full_name(table: &Table) -> String {
    format!("{}.{}", identifier(table.schema), identifier(table.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Namespace;

    fn table(name: &str) -> &'static Table {
        let found = Namespace::default().table(None, name);
        found.expect("it is built in")
    }

    #[test]
    fn an_owner_changes_no_catalog() {
        let owner = Powers::Owner("reader".into());
        for sql in [
            owner.doubt_key(table("assets")),
            owner.admit_duplicates(table("assets")),
            owner.refuse_duplicates(table("assets")),
            owner.as_owner().to_owned(),
            owner.as_user(),
        ] {
            assert!(!sql.contains("UPDATE pg_catalog"), "{sql}");
            assert!(!sql.contains("SESSION AUTHORIZATION"), "{sql}");
        }
    }

    #[test]
    fn a_key_that_all_rows_have_is_not_doubted() {
        for powers in [Powers::Owner("a".into()), Powers::Superuser("a".into())] {
            assert_eq!(powers.doubt_key(table("raw_rows")), "");
            assert!(powers.doubt_key(table("assets")).contains("'p'"));
        }
    }
}
