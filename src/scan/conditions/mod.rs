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
mod limit;
mod occurrence;
mod place;
#[cfg(test)]
mod tests;

use super::condition::Condition;
use crate::catalog::Table;
use crate::rows::value::ValueSettings;
use crate::sql::is_deep;
use comparison::{Comparisons, Said};
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
        if is_deep(self.sql) || !occurrence::is_named_once(self.sql, named) {
            return None;
        }
        let statements = Parser::parse_sql(&PostgreSqlDialect {}, self.sql).ok()?;
        let [statement] = statements.as_slice() else {
            return None;
        };
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
        let mut conditions = Vec::new();
        let mut is_all_said = true;
        for part in parts {
            match comparisons.read(part) {
                Said::Exactly(said) => conditions.extend(said),
                Said::AtLeast(said) => {
                    conditions.extend(said);
                    is_all_said = false;
                }
                Said::Nothing => is_all_said = false,
            }
        }
        Some(Needed {
            limit: is_all_said.then(|| limit::limit(&place, &around)).flatten(),
            conditions,
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
