//! Rows of `penstock.dead_letters`, page by page.
//!
//! Owns the filter that a statement's conditions come to, and the place in the store. Promises every
//! letter of one user that meets the conditions, and no other's, nor those of a user who had the name
//! before for another project; PostgreSQL leaves out what comes beside. Holds one page at a time.

use super::rows::{StateWriter, number, optional, text};
use crate::catalog::Table;
use crate::cdf::Project;
use crate::dead_letters::{
    DeadLetterStore, Letter, LetterFilter, LetterSource, LetterState, StoreError,
};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::scan::Condition;
use serde_json::{Map, Value};

/// Letters of one page.
const PAGE_LETTERS: usize = 1000;

/// The letters of one user that a statement reads.
pub(super) struct LetterPages {
    store: DeadLetterStore,
    filter: LetterFilter,
    project: Project,
    after: i64,
    is_over: bool,
}

impl LetterPages {
    /// Those of `user`, who writes to `project`, that may meet the conditions on `table`.
    pub(super) fn new(
        store: Option<&DeadLetterStore>,
        (user, project): (&str, &Project),
        table: &Table,
        conditions: &[Condition],
    ) -> Result<Self, Box<Diagnostic>> {
        let Some(store) = store else {
            return Err(Box::new(
                Diagnostic::error(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "this gateway has no store of dead letters",
                )
                .with_hint("Its operator sets dead_letters.directory to keep some."),
            ));
        };
        let mut pages = LetterPages {
            store: store.clone(),
            filter: LetterFilter::default(),
            project: project.clone(),
            after: 0,
            is_over: false,
        };
        for condition in conditions {
            pages.narrow(table.columns[condition.column()].name, condition);
        }
        // Last: no condition widens it.
        pages.filter.user = Some(user.to_owned());
        Ok(pages)
    }

    /// Leaves letters out that do not meet a condition, where the store can.
    fn narrow(&mut self, column: &str, condition: &Condition) {
        match condition {
            Condition::OneOf { values, .. } => {
                let [value] = values.as_slice() else {
                    return;
                };
                match column {
                    "table_name" => self.filter.table = Some(value.clone()),
                    "sqlstate" => self.filter.sqlstate = Some(value.clone()),
                    "source" => self.filter.source = LetterSource::of(value),
                    "state" => self.filter.state = LetterState::of(value),
                    "id" => self.filter.ids.extend(value.parse::<i64>()),
                    _ => {}
                }
            }
            Condition::Range {
                from: Some(from), ..
            } if column == "id" => {
                if let Ok(id) = from.value.parse::<i64>() {
                    self.after = self.after.max(id.saturating_sub(1));
                }
            }
            _ => {}
        }
    }

    /// Writes the next page that has letters of the user's; `false`: there was none.
    ///
    /// # Errors
    /// The store cannot be read; 53400 past the bound of the writer.
    pub(super) async fn write_next(
        &mut self,
        writer: &mut StateWriter,
    ) -> Result<bool, Box<Diagnostic>> {
        let mut has_written = false;
        while !self.is_over && !has_written {
            let page = self
                .store
                .page(self.filter.clone(), self.after, PAGE_LETTERS)
                .await
                .map_err(|error| unreadable(&error))?;
            self.is_over = page.is_empty();
            for letter in page {
                self.after = letter.id;
                let is_of_project =
                    letter.project == self.project.name && letter.base_url == self.project.base_url;
                if is_of_project {
                    write(writer, letter)?;
                    has_written = true;
                }
            }
        }
        Ok(has_written)
    }
}

fn write(writer: &mut StateWriter, letter: Letter) -> Result<(), Box<Diagnostic>> {
    let values = letter.values.into_iter();
    let values: Map<String, Value> = letter
        .columns
        .into_iter()
        .zip(values.map(Value::from))
        .collect();
    let reason = letter.reason;
    writer.row([
        number(letter.id),
        number(letter.time),
        text(letter.state.name()),
        text(letter.source.name()),
        text(letter.project),
        text(letter.table),
        text(letter.action),
        letter.key,
        text(reason.sqlstate),
        text(reason.message),
        reason.detail,
        reason.column,
        optional(reason.cdf_code),
        reason.request_id,
        optional(letter.line),
        optional(letter.row_number),
        text(Value::Object(values).to_string()),
        optional(letter.acknowledged),
        number(letter.replays),
        optional(letter.replayed),
    ])
}

fn unreadable(error: &StoreError) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::IO_ERROR,
        format!("dead letters cannot be read: {error}"),
    ))
}
