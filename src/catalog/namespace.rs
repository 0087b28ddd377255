//! The tables that the names of a user's statements mean.
//!
//! Owns the order of the look-up: built-in tables first, then the user's own. Promises 42P01 with
//! the names that exist. Never changes: a session sees the tables that were there when it began.

use super::custom::{CustomTables, custom_tables_of};
use super::table::Table;
use super::{CDF, Dialect, PUBLIC, STATE_TABLES, TABLES, first_version, table};
use crate::diagnostic::Diagnostic;

/// What names mean. Cheap to clone; the default has the built-in tables alone.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    custom: CustomTables,
    dialect: Dialect,
}

impl Namespace {
    /// The built-in names and these tables.
    #[cfg(test)]
    pub fn with(tables: impl IntoIterator<Item = &'static Table>) -> Self {
        Namespace {
            custom: CustomTables::new(tables),
            dialect: Dialect::Second,
        }
    }

    /// The built-in names of a version, and these tables.
    #[cfg(test)]
    pub fn with_dialect(
        dialect: Dialect,
        tables: impl IntoIterator<Item = &'static Table>,
    ) -> Self {
        Namespace {
            dialect,
            ..Namespace::with(tables)
        }
    }

    /// The names of that user, who writes `dialect`, as they are now.
    pub fn of_user(user: &str, dialect: Dialect) -> Self {
        Namespace {
            custom: custom_tables_of(user),
            dialect,
        }
    }

    /// Every table that the system catalog lists: the built-in ones that this user can name, and
    /// the user's own by name.
    pub fn tables(&self) -> impl Iterator<Item = &'static Table> + use<> {
        self.built_in_tables().chain(self.own_tables())
    }

    /// Those of them that every user of the same version can name.
    pub fn built_in_tables(&self) -> impl Iterator<Item = &'static Table> + use<> {
        built_in(self.dialect)
    }

    /// Those of them that are the user's own, by name.
    pub fn own_tables(&self) -> impl Iterator<Item = &'static Table> + use<> {
        self.custom.sorted().into_iter()
    }

    /// The table of that OID among [`Self::tables`].
    pub fn table_of_oid(&self, oid: u32) -> Option<&'static Table> {
        built_in(self.dialect)
            .find(|table| table.oid == oid)
            .or_else(|| self.custom.of_oid(oid))
    }

    /// The table of that name. `schema` is `None` where the statement names none, which means
    /// schema public.
    ///
    /// # Errors
    /// 42P01 with the names that exist.
    pub fn table(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<&'static Table, Box<Diagnostic>> {
        let found = match (self.dialect, schema) {
            (Dialect::First, None | Some(PUBLIC)) => first_version::table(schema, name),
            _ => table(schema, name),
        };
        found.or_else(|undefined| match schema {
            None | Some(PUBLIC) => self.custom.find(name).ok_or(undefined),
            Some(_) => Err(undefined),
        })
    }
}

/// The built-in tables that a dialect has names for: schemas cdf and penstock are there for both.
fn built_in(dialect: Dialect) -> impl Iterator<Item = &'static Table> {
    let is_first = dialect == Dialect::First;
    let first = is_first.then(first_version::tables);
    let today = TABLES.iter().copied();
    first
        .into_iter()
        .flatten()
        .chain(today.filter(move |table| !is_first || table.schema == CDF))
        .chain(STATE_TABLES)
}
