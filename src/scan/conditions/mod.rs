//! Which rows of a table a statement needs, from its text.
//!
//! Owns the reading of statements for this one question. Promises conditions that hold for every
//! row of the table that can make a difference to what the statement answers, and a limit only
//! where so many rows suffice. Where anything is in doubt it says less, and more is read. Never
//! fails, and never decides what CDF can take: the scan does.
//!
//! Nothing is said of a table that the text names twice, however: the second use would see the
//! first one's rows. What the text does not show (views, functions) is the caller's to know.

mod comparison;
mod constant;
mod from;
mod keys;
#[cfg(test)]
mod keys_tests;
mod limit;
mod merged;
mod occurrence;
mod others;
mod place;
#[cfg(test)]
mod tests;

use super::condition::Condition;
use crate::catalog::Table;
use crate::rows::value::ValueSettings;
use crate::sql::is_deep;
use comparison::{Comparisons, Said};
pub use keys::JoinKey;
use keys::{Among, Keys};
use place::Place;
use sqlparser::ast::Ident;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// A parameter that is bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// OID of the type that it was declared with; 0: the statement decides.
    pub type_oid: u32,
    /// In PostgreSQL's text form; `None` is NULL.
    pub text: Option<String>,
}

/// A statement that is going to run.
#[derive(Clone, Copy, Debug)]
pub struct BoundStatement<'a> {
    /// One statement.
    pub sql: &'a str,
    pub parameters: &'a [Parameter],
    /// How its times are read, and when its transaction began.
    pub settings: &'a ValueSettings,
}

/// What a statement needs of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// All of them hold for the rows that are needed.
    pub conditions: Vec<Condition>,
    /// Columns whose values are among those of other relations, for the rows that are needed.
    pub keys: Vec<JoinKey>,
    /// So many rows suffice, if CDF takes all conditions exactly.
    pub limit: Option<u64>,
}

/// The table that is asked about, as the statement may name it.
struct Named<'a> {
    table: &'static Table,
    schema: &'a str,
    name: &'a str,
}

/// What constants depend on.
struct Surroundings<'a> {
    parameters: &'a [Parameter],
    settings: &'a ValueSettings,
}

impl BoundStatement<'_> {
    /// What the statement needs of `table`, which it names `name`, perhaps with `schema`. Without
    /// conditions and limit where that cannot be told: all rows.
    pub fn needs(&self, table: &'static Table, schema: &str, name: &str) -> Needed {
        let named = Named {
            table,
            schema,
            name,
        };
        self.read(&named).unwrap_or_default()
    }

    fn read(&self, named: &Named<'_>) -> Option<Needed> {
        // Most statements that cannot be read are not worth their parsing.
        if is_deep(self.sql) {
            return None;
        }
        let uses = occurrence::uses(self.sql, named)?;
        if !(1..=2).contains(&uses) {
            return None;
        }
        let statements = Parser::parse_sql(&PostgreSqlDialect {}, self.sql).ok()?;
        let [statement] = statements.as_slice() else {
            return None;
        };
        // Rows that an INSERT makes are none that it reads.
        if uses != 1 + usize::from(place::inserts_into(statement, named)) {
            return None;
        }
        let place = place::find(statement, named)?;
        let around = Surroundings {
            parameters: self.parameters,
            settings: self.settings,
        };
        let comparisons = Comparisons {
            named,
            place: &place,
            around: &around,
        };
        let mut parts = Vec::new();
        for required in &place.required {
            place::conjuncts(required, &mut parts);
        }
        let readers = Keys {
            sql: self.sql,
            comparisons: &comparisons,
        };
        let mut conditions = Vec::new();
        let mut keys = Vec::new();
        let mut take = |among: Among| match among {
            Among::Key(key) => keys.push(key),
            Among::Said(Said::Exactly(said) | Said::AtLeast(said)) => conditions.extend(said),
            Among::Said(Said::Nothing) => {}
        };
        let mut is_all_said = true;
        let mut said = Vec::new();
        for part in parts {
            match comparisons.read(part) {
                Said::Exactly(conditions) => said.extend(conditions),
                Said::AtLeast(conditions) => {
                    said.extend(conditions);
                    is_all_said = false;
                }
                Said::Nothing => {
                    is_all_said = false;
                    readers.read(part).into_iter().for_each(&mut take);
                }
            }
        }
        readers.of_using().into_iter().for_each(&mut take);
        said.append(&mut conditions);
        if readers.may_overwrite() {
            said.clear();
            keys.retain(|key| readers.is_inserted(key));
        }
        Some(Needed {
            limit: is_all_said.then(|| limit::limit(&place, &around)).flatten(),
            conditions: said,
            keys,
        })
    }
}

/// An identifier as PostgreSQL takes it.
fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}
