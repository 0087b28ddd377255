//! `ON CONFLICT …` behind the rows of an INSERT.
//!
//! Owns what an INSERT does with rows whose key exists: nothing, or an update by constants,
//! parameters and `excluded`. Promises PostgreSQL's errors for a target that is no key, and 0A000
//! for what CDF cannot do. Never reads a row.

use super::scanner::{RowSink, Value, value_at};
use super::template::{Template, TemplateMaker};
use crate::catalog::{OnExisting, Resource, RowShape, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::value::ValueSettings;
use crate::rows::{
    Action, Assigned, Assignment, BatchBounds, ConflictUpdate, ObjectBuilder, RowBatch, RowBuilder,
};
use crate::sql::assignments::{self, SetItem, SetList, Source, Unread, fixed_at_creation};
use crate::sql::bindings::Bindings;
use crate::sql::cursor::Cursor;
use crate::sql::syntax::{error_at, position};
use std::sync::{Arc, OnceLock};

/// What an INSERT does with rows whose key exists.
#[derive(Debug)]
pub(super) enum Conflict {
    /// What CDF does anyway.
    AsCdfDoes,
    /// Leaves them out.
    Skip,
    Update(Box<UpdateClause>),
}

/// Clauses that are not taken as they are.
#[derive(Debug)]
pub(super) enum Unfit {
    /// No SQL, or nothing that CDF does.
    Wrong(Box<Diagnostic>),
    /// Something to be worked out over the row that exists, which needs a plan; without one it is
    /// refused so.
    NeedsPlan(Box<Diagnostic>),
}

impl From<Box<Diagnostic>> for Unfit {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Unfit::Wrong(diagnostic)
    }
}

/// `DO UPDATE SET …`.
#[derive(Debug)]
pub(super) struct UpdateClause {
    items: Vec<SetItem>,
    read_only: Option<Box<Diagnostic>>,
    /// Columns that are set to a constant or a parameter.
    valued: Vec<usize>,
    values: OnceLock<Template>,
    /// Made once, where no value takes part.
    plain: OnceLock<Arc<ConflictUpdate>>,
}

/// Reads the clause, whose ON comes next. `columns`: those of the INSERT.
///
/// # Errors
/// 42601, 42703, 42704, 42P10, 428C9; 0A000 for what is not done here.
pub(super) fn parse(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
    columns: &[usize],
) -> Result<Conflict, Unfit> {
    let start = cursor.offset();
    cursor.expect_word("on")?;
    cursor.expect_word("conflict")?;
    let has_target = target(cursor, table)?;
    cursor.expect_word("do")?;
    if cursor.accept_word("nothing")? {
        return Ok(nothing(cursor, table, start)?);
    }
    cursor.expect_word("update")?;
    if !has_target {
        return Err(Unfit::Wrong(error_at(
            cursor.text(),
            start,
            SqlState::SYNTAX_ERROR,
            "ON CONFLICT DO UPDATE requires inference specification or constraint name",
        )));
    }
    cursor.expect_word("set")?;
    let list = assignments::parse(cursor, table, true).map_err(|unread| match unread {
        Unread::Wrong(diagnostic) => Unfit::Wrong(diagnostic),
        Unread::TooMuch(offset) => Unfit::NeedsPlan(unsupported(
            cursor.text(),
            offset,
            "expressions are not supported in DO UPDATE SET",
            "Set excluded columns, constants or parameters.",
        )),
    })?;
    if cursor.at_word("where") {
        return Err(Unfit::NeedsPlan(unsupported(
            cursor.text(),
            cursor.offset(),
            "ON CONFLICT DO UPDATE … WHERE is not supported",
            "CDF changes objects by their key alone: leave WHERE out.",
        )));
    }
    update(cursor.text(), table, columns, list, start)
}

/// The conflict target; `false`: there is none.
fn target(cursor: &mut Cursor<'_>, table: &'static Table) -> Result<bool, Box<Diagnostic>> {
    let start = cursor.offset();
    if cursor.accept_word("on")? {
        cursor.expect_word("constraint")?;
        let name = cursor.name()?;
        let is_key = !table.key.is_empty() && name == format!("{}_pkey", table.name);
        if !is_key {
            return Err(Box::new(Diagnostic::error(
                SqlState::UNDEFINED_OBJECT,
                format!(
                    "constraint \"{name}\" for table \"{}\" does not exist",
                    table.name
                ),
            )));
        }
        return Ok(true);
    }
    if !cursor.accept_symbol("(")? {
        return Ok(false);
    }
    let mut columns = Vec::new();
    loop {
        let offset = cursor.offset();
        if cursor.at_symbol("(") {
            return Err(no_such_key(cursor.text(), start));
        }
        let name = cursor.name()?;
        let column = table.column_index(&name).map_err(|_| {
            error_at(
                cursor.text(),
                offset,
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" does not exist"),
            )
        })?;
        columns.push(column);
        if !cursor.accept_symbol(",")? {
            break;
        }
    }
    cursor.expect_symbol(")")?;
    columns.sort_unstable();
    columns.dedup();
    if cursor.at_word("where") || !is_key(table, &columns) {
        return Err(no_such_key(cursor.text(), start));
    }
    Ok(true)
}

/// Whether the columns, in order, are a key of the table.
fn is_key(table: &Table, columns: &[usize]) -> bool {
    if table.key.is_empty() {
        return table.keys_by_name().iter().any(|key| key == columns);
    }
    let mut key = table.key.to_vec();
    key.sort_unstable();
    key == columns
}

fn no_such_key(text: &str, offset: usize) -> Box<Diagnostic> {
    error_at(
        text,
        offset,
        SqlState::INVALID_COLUMN_REFERENCE,
        "there is no unique or exclusion constraint matching the ON CONFLICT specification",
    )
}

fn nothing(
    cursor: &Cursor<'_>,
    table: &'static Table,
    start: usize,
) -> Result<Conflict, Box<Diagnostic>> {
    match table.on_existing {
        OnExisting::Refuse => Ok(Conflict::Skip),
        OnExisting::Append => Ok(Conflict::AsCdfDoes),
        // An instance can be written on the condition that there is none.
        OnExisting::Overwrite if table.resource == Resource::Instances => Ok(Conflict::Skip),
        // The session decides whether rows are read for it.
        OnExisting::Overwrite if table.resource == Resource::RawRows => Ok(Conflict::Skip),
        OnExisting::Overwrite => Err(unsupported(
            cursor.text(),
            start,
            &format!(
                "ON CONFLICT DO NOTHING is not supported for \"{}\"",
                table.name
            ),
            "CDF overwrites what exists, and tells nobody: leave ON CONFLICT out, or use DO UPDATE.",
        )),
    }
}

fn update(
    text: &str,
    table: &'static Table,
    columns: &[usize],
    list: SetList,
    start: usize,
) -> Result<Conflict, Unfit> {
    let SetList { items, read_only } = list;
    if table.on_existing == OnExisting::Overwrite {
        if overwrites(table, columns, &items) {
            return Ok(Conflict::AsCdfDoes);
        }
        let hint = match table.shape {
            RowShape::RawColumns(_) if changes_cells(table, &items) => {
                // The key that is set to itself stays.
                let items = items
                    .into_iter()
                    .filter(|item| !table.key.contains(&item.column))
                    .collect();
                return Ok(Conflict::Update(Box::new(UpdateClause {
                    items,
                    read_only,
                    valued: Vec::new(),
                    values: OnceLock::new(),
                    plain: OnceLock::new(),
                })));
            }
            RowShape::RawColumns(_) => {
                "Set columns other than the key to excluded values of the same type."
            }
            _ => "CDF replaces the value by the new one: set it to its excluded value.",
        };
        let refusal = unsupported(
            text,
            start,
            &format!(
                "this ON CONFLICT DO UPDATE is not supported for \"{}\"",
                table.name
            ),
            hint,
        );
        return Err(match table.key.is_empty() {
            // All of its rows cannot be read for this.
            true => Unfit::Wrong(refusal),
            false => Unfit::NeedsPlan(refusal),
        });
    }
    if table
        .endpoints
        .is_none_or(|endpoints| endpoints.update.is_none())
    {
        return Err(Unfit::Wrong(unsupported(
            text,
            start,
            &format!(
                "ON CONFLICT DO UPDATE is not supported for \"{}\"",
                table.name
            ),
            match table.endpoints.and_then(|endpoints| endpoints.delete) {
                Some(_) => {
                    "CDF has no call that changes one: use DO NOTHING, or DELETE and INSERT."
                }
                None => "CDF has no call that changes one: use DO NOTHING.",
            },
        )));
    }
    for item in &items {
        if let Some(mut fixed) = fixed_at_creation(table, item.column) {
            fixed.position = Some(position(text, start));
            return Err(Unfit::Wrong(fixed));
        }
        let names_itself = table.references().any(|column| column == item.column);
        if names_itself && item.source != Source::Excluded(item.column) {
            return Err(Unfit::Wrong(unsupported(
                text,
                start,
                &format!(
                    "column \"{}\" cannot be updated: it names the object",
                    table.columns[item.column].name
                ),
                "Leave it out of SET.",
            )));
        }
    }
    let valued = items
        .iter()
        .filter(|item| !matches!(item.source, Source::Excluded(_)))
        .map(|item| item.column)
        .collect();
    Ok(Conflict::Update(Box::new(UpdateClause {
        items,
        read_only,
        valued,
        values: OnceLock::new(),
        plain: OnceLock::new(),
    })))
}

/// Whether the update sets cells of a RAW row to values of the new one, and leaves the key alone.
fn changes_cells(table: &Table, items: &[SetItem]) -> bool {
    items.iter().all(|item| match item.source {
        Source::Excluded(column) if table.key.contains(&item.column) => column == item.column,
        Source::Excluded(column) => {
            table.columns[column].column_type == table.columns[item.column].column_type
        }
        Source::Value(_) | Source::Default => false,
    })
}

/// Whether the update is what CDF does with an existing row: every value is the new one.
fn overwrites(table: &Table, columns: &[usize], items: &[SetItem]) -> bool {
    let names = [
        "instance_space",
        "external_id",
        "id",
        "timestamp",
        "row_number",
        "columns",
        "_raw_database",
        "_raw_table",
        "_raw_key",
    ];
    let all_new = items
        .iter()
        .all(|item| item.source == Source::Excluded(item.column));
    // RAW replaces a row whole: columns that the statement does not name would be lost.
    let is_whole = match table.shape {
        RowShape::RawColumns(_) => (0..table.columns.len())
            .filter(|column| table.columns[*column].is_writable())
            .all(|column| columns.contains(&column)),
        _ => true,
    };
    all_new
        && is_whole
        && columns
            .iter()
            .filter(|column| !table.key.contains(column))
            .filter(|column| !names.contains(&table.columns[**column].name))
            .filter(|column| table.columns[**column].is_writable())
            .all(|column| items.iter().any(|item| item.column == *column))
}

impl UpdateClause {
    /// The values that columns are set to; `known`: the types of parameters that are known.
    ///
    /// # Errors
    /// Those of the values.
    pub fn values(
        &self,
        text: &str,
        table: &'static Table,
        known: &[u32],
    ) -> Result<&Template, Box<Diagnostic>> {
        if let Some(values) = self.values.get() {
            return Ok(values);
        }
        let mut maker = TemplateMaker::new(table, &self.valued, known);
        let mut place = 0;
        for item in &self.items {
            let value = match item.source {
                Source::Excluded(_) => continue,
                Source::Default => Value::Null,
                Source::Value(offset) => value_at(text, offset, &table.columns[item.column])?,
            };
            maker.value(place, value)?;
            place += 1;
        }
        Ok(self.values.get_or_init(|| maker.finish()))
    }

    /// # Errors
    /// 428C9 where a column is set that CDF fills.
    pub fn check_read_only(&self) -> Result<(), Box<Diagnostic>> {
        match &self.read_only {
            Some(diagnostic) => Err(diagnostic.clone()),
            None => Ok(()),
        }
    }

    /// What the rows do, with these parameters.
    ///
    /// # Errors
    /// Those of the values.
    pub fn action(
        &self,
        text: &str,
        table: &'static Table,
        bindings: &Bindings,
        settings: ValueSettings,
    ) -> Result<Action, Box<Diagnostic>> {
        if let Some(plain) = self.plain.get() {
            return Ok(Action::Upsert(plain.clone()));
        }
        let assignments = self
            .items
            .iter()
            .map(|item| Assignment {
                column: item.column,
                value: match item.source {
                    Source::Excluded(column) => Assigned::Excluded(column),
                    Source::Value(_) | Source::Default => Assigned::Constant,
                },
            })
            .collect();
        if self.valued.is_empty() {
            let update = Arc::new(ConflictUpdate {
                assignments,
                constants: None,
            });
            return Ok(Action::Upsert(self.plain.get_or_init(|| update).clone()));
        }
        let template = self.values(text, table, bindings.types())?;
        let bounds = BatchBounds {
            rows: 1,
            bytes: usize::MAX,
        };
        let mut builder = ObjectBuilder::new(table, Action::Update, &self.valued, settings, bounds);
        template.fill(0, &self.valued, bindings, &mut builder)?;
        builder.finish_row(1)?;
        let constants = builder.take().into_iter().find_map(|batch| match batch {
            RowBatch::Objects(batch) => Some(batch),
            _ => None,
        });
        Ok(Action::Upsert(Arc::new(ConflictUpdate {
            assignments,
            constants,
        })))
    }
}

fn unsupported(text: &str, offset: usize, message: &str, hint: &str) -> Box<Diagnostic> {
    let mut diagnostic = error_at(text, offset, SqlState::FEATURE_NOT_SUPPORTED, message);
    diagnostic.hint = Some(hint.to_owned());
    diagnostic
}
