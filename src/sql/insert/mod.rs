//! `INSERT INTO table (columns) VALUES …`.
//!
//! Owns the statement's head and, through its reader, its rows. Promises that a prebuilt
//! statement of thousands of literals is read once, without an allocation per row. Never
//! decodes a value: the row builder does.

mod ahead;
mod assignment;
mod coercion;
mod conflict;
mod decimal;
pub(in crate::sql) mod expression;
mod planned;
mod reader;
#[cfg(test)]
pub(in crate::sql) mod recorder;
mod refusal;
pub(in crate::sql) mod scanner;
mod tail;
pub(in crate::sql) mod template;
#[cfg(test)]
mod tests;

pub use planned::{Arbiter, PlannedInsert};
pub use reader::{InsertProgress, InsertReader, RowReader};

use super::bindings::Bindings;
use super::classify::{cold, cold_or};
use super::cursor::Cursor;
use super::returning::Returning;
use super::statement::Statement;
use super::target::{Write, check_allows, column_list, named_table};
use crate::catalog::{Namespace, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::Action;
use crate::rows::value::ValueSettings;
use conflict::{Conflict, Unfit};
use scanner::{Behind, Scanner};
use std::sync::OnceLock;
use template::{Template, TemplateMaker};

/// How many rows are looked at before they are read: statements that are made of a template show in
/// each row what they hold.
const LOOKED_AT_ROWS: usize = 16;

/// An INSERT whose rows are literals and parameters.
#[derive(Debug)]
pub struct InsertStatement {
    table: &'static Table,
    database: Option<String>,
    /// Indexes in the table's columns, in the order of the values.
    columns: Vec<usize>,
    text: Box<str>,
    /// Where the rows start in `text`; `None` for DEFAULT VALUES.
    rows_start: Option<usize>,
    /// Where they end.
    rows_end: usize,
    /// Where the column list starts, if there is one.
    list_start: Option<usize>,
    /// What becomes of rows whose key exists; `None`: the statement does not say.
    conflict: Option<Conflict>,
    returning: Option<Returning>,
    /// Made at Parse, or at the first Bind.
    template: OnceLock<Template>,
}

impl InsertStatement {
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// The database that a three-part name starts with.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Indexes in the table's columns, in the order of the values.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The type of each parameter: as declared in Parse, or, where that says 0 or nothing, as
    /// its cast or its target column says.
    ///
    /// # Errors
    /// 42601 for syntax, 42804 for types that do not fit the column, 42P18 for a parameter that
    /// is never used.
    pub fn parameter_types(&self, declared: &[u32]) -> Result<Vec<u32>, Box<Diagnostic>> {
        let rows = match self.rows_start {
            Some(_) => self.template(declared)?.known_types(),
            None => declared,
        };
        let known = match &self.conflict {
            Some(Conflict::Update(update)) => {
                update.values(&self.text, self.table, rows)?.known_types()
            }
            _ => rows,
        };
        if self.rows_start.is_none() && self.conflict.is_none() {
            return Ok(declared.to_vec());
        }
        template::all_known(known)
    }

    /// What the statement returns of its rows.
    pub fn returning(&self) -> Option<&Returning> {
        self.returning.as_ref()
    }

    /// Whether the statement says what becomes of rows whose key exists.
    pub fn names_conflict(&self) -> bool {
        self.conflict.is_some()
    }

    /// Whether a key that comes twice in the statement is an error: DO UPDATE would change a row
    /// that it has just made.
    pub fn updates_once(&self) -> bool {
        matches!(self.conflict, Some(Conflict::Update(_)))
    }

    /// The same statement for a PostgreSQL, where its first rows hold what only that works out:
    /// functions, operators, queries. All rows are not looked at: that would be reading them twice.
    /// Not to be asked of a statement that [`Self::parameter_types`] has taken apart.
    pub fn planned(&self) -> Option<Statement> {
        self.planned_within(LOOKED_AT_ROWS)
    }

    /// The same where any row holds such a thing, and reading has come to it: `failure` is what it said.
    pub fn planned_after(&self, failure: &Diagnostic) -> Option<Statement> {
        takes_plan(failure)
            .then(|| self.planned_within(usize::MAX))
            .flatten()
    }

    fn planned_within(&self, rows_max: usize) -> Option<Statement> {
        self.rows_start?;
        let unfit = self.scanner().first_unfit(rows_max)?;
        takes_plan(&unfit).then(|| cold_or("INSERT", &self.text, unfit))
    }

    /// The same for an error that [`Self::parameter_types`] has given.
    ///
    /// # Errors
    /// The error itself where a PostgreSQL would have no use for the statement either.
    pub fn planned_for(&self, unfit: Box<Diagnostic>) -> Result<Statement, Box<Diagnostic>> {
        match takes_plan(&unfit) {
            true => Ok(cold_or("INSERT", &self.text, unfit)),
            false => Err(unfit),
        }
    }

    /// Whether the rows are SQL, whatever their values are.
    ///
    /// # Errors
    /// 42601.
    pub fn check_syntax(&self) -> Result<(), Box<Diagnostic>> {
        match self.rows_start {
            Some(_) => self.scanner().check_syntax(),
            None => Ok(()),
        }
    }

    /// What the rows do, with these parameters. Values are read by `settings`.
    ///
    /// # Errors
    /// Those of the values that DO UPDATE sets; 428C9 where it sets a column that CDF fills,
    /// unless `ignores_read_only`.
    pub fn action(
        &self,
        bindings: &Bindings,
        settings: impl FnOnce() -> ValueSettings,
        ignores_read_only: bool,
    ) -> Result<Action, Box<Diagnostic>> {
        match &self.conflict {
            None | Some(Conflict::AsCdfDoes) => Ok(Action::Create),
            Some(Conflict::Skip) => Ok(Action::CreateMissing),
            Some(Conflict::Update(update)) => {
                if !ignores_read_only {
                    update.check_read_only()?;
                }
                update.action(&self.text, self.table, bindings, settings())
            }
        }
    }

    /// Reads the rows, with these parameters. Without any, and unless the statement was
    /// prepared by [`Self::parameter_types`], they are read straight from the text.
    pub fn reader<'a>(&'a self, bindings: &'a Bindings) -> InsertReader<'a> {
        InsertReader::new(self, bindings)
    }

    /// The rows taken apart, with the parameter types of the first call.
    fn template(&self, declared: &[u32]) -> Result<&Template, Box<Diagnostic>> {
        if let Some(template) = self.template.get() {
            return Ok(template);
        }
        let mut maker = TemplateMaker::new(self.table, &self.columns, declared);
        let mut scanner = self.scanner();
        loop {
            scanner.row(&mut maker)?;
            if scanner.behind()? == Behind::End {
                break;
            }
        }
        Ok(self.template.get_or_init(|| maker.finish()))
    }

    fn scanner(&self) -> Scanner<'_> {
        Scanner::new(
            &self.text[..self.rows_end],
            self.table,
            &self.columns,
            self.list_start,
            self.rows_start.unwrap_or(self.rows_end),
        )
    }
}

/// Parses the head of a statement that starts with INSERT.
///
/// # Errors
/// 42601, 42P01, 42703, 42701.
pub(crate) fn parse(text: &str, namespace: &Namespace) -> Result<Statement, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    let cursor = &mut cursor;
    cursor.expect_word("insert")?;
    cursor.expect_word("into")?;
    let named = named_table(cursor, namespace)?;
    let alias = match cursor.accept_word("as")? {
        true => Some(cursor.name()?),
        false => None,
    };
    let list_start = cursor.at_symbol("(").then(|| cursor.offset());
    if list_start.is_some() && is_query(cursor)? {
        return Ok(cold("INSERT", text));
    }
    let columns = column_list(cursor, named.table)?;
    let (rows_start, rows_end) = if list_start.is_none() && cursor.accept_word("default")? {
        cursor.expect_word("values")?;
        (None, cursor.offset())
    } else if cursor.at_word("values") {
        let start = cursor.peek().range.end;
        let scanner = Scanner::new(text, named.table, &columns, list_start, start);
        (Some(start), tail::start(text, scanner))
    } else if ["select", "with", "table", "overriding"]
        .iter()
        .any(|word| cursor.at_word(word))
        || cursor.at_symbol("(")
    {
        return Ok(cold("INSERT", text));
    } else {
        return Err(cursor.unexpected());
    };
    check_allows(named.table, Write::Insert)?;
    let tail = match tail::parse(text, rows_end, named.table, &columns, alias.as_deref()) {
        Ok(tail) => tail,
        Err(Unfit::NeedsPlan(otherwise)) => return Ok(cold_or("INSERT", text, otherwise)),
        Err(Unfit::Wrong(wrong)) => return Err(wrong),
    };
    Ok(Statement::Insert(InsertStatement {
        table: named.table,
        database: named.database,
        columns,
        text: text.into(),
        rows_start,
        rows_end,
        list_start,
        conflict: tail.conflict,
        returning: tail.returning,
        template: OnceLock::new(),
    }))
}

/// Whether a value is refused that PostgreSQL may well know what to do with.
fn takes_plan(unfit: &Diagnostic) -> bool {
    matches!(
        unfit.sqlstate,
        SqlState::FEATURE_NOT_SUPPORTED | SqlState::UNDEFINED_OBJECT
    )
}

/// Whether the parenthesis that comes next opens a query instead of a column list.
fn is_query(cursor: &Cursor<'_>) -> Result<bool, Box<Diagnostic>> {
    let mut ahead = cursor.clone();
    while ahead.accept_symbol("(")? {}
    if ahead.accept_word("values")? {
        // Or a column of that name.
        return Ok(ahead.at_symbol("("));
    }
    Ok(ahead.at_word("select") || ahead.at_word("with"))
}
