//! Rows of the gateway's state as lines of `COPY … FROM STDIN` in text format.
//!
//! Owns the lines and the bound on them. Promises a value for each column of the relation, and a
//! fault where there would be more rows than a statement may read. Never knows what the rows mean.

use crate::catalog::{GatewayState, RowShape, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::scan::push_escaped;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// A value as PostgreSQL reads it; `None`: NULL.
pub(super) type Value = Option<String>;

/// Lines of one relation.
#[derive(Debug)]
pub(super) struct StateWriter {
    table: &'static Table,
    text: String,
    rows_left: u64,
    rows_max: u64,
}

impl StateWriter {
    /// Of up to `rows_max` rows of `table`.
    pub(super) fn new(table: &'static Table, rows_max: u64) -> Self {
        StateWriter {
            table,
            text: String::new(),
            rows_left: rows_max,
            rows_max,
        }
    }

    /// Appends a row: a value for each column.
    ///
    /// # Errors
    /// 53400 past the bound.
    pub(super) fn row<const COLUMNS: usize>(
        &mut self,
        values: [Value; COLUMNS],
    ) -> Result<(), Box<Diagnostic>> {
        debug_assert_eq!(COLUMNS, self.table.columns.len(), "{}", self.table.name);
        self.rows_left = match self.rows_left.checked_sub(1) {
            Some(left) => left,
            None => return Err(self.too_many()),
        };
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.text.push('\t');
            }
            match value {
                None => self.text.push_str("\\N"),
                // PostgreSQL has no text with a zero byte.
                Some(value) if value.contains('\0') => {
                    push_escaped(&mut self.text, &value.replace('\0', "\u{fffd}"));
                }
                Some(value) => push_escaped(&mut self.text, value),
            }
        }
        self.text.push('\n');
        Ok(())
    }

    /// The lines so far, which are gone then.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    fn too_many(&self) -> Box<Diagnostic> {
        Box::new(
            Diagnostic::error(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                format!(
                    "the statement would read more than {} rows of {}",
                    self.rows_max,
                    self.table.full_name()
                ),
            )
            .with_hint(match self.table.shape {
                RowShape::GatewayState(GatewayState::DeadLetters) => {
                    "Compare table_name, sqlstate, state, source or id with constants in WHERE, or \
                     let the operator set engine.scan_rows_max higher."
                }
                _ => "The operator may set engine.scan_rows_max higher.",
            }),
        )
    }
}

/// A text.
pub(super) fn text(value: impl Into<String>) -> Value {
    Some(value.into())
}

/// A number, or a flag.
pub(super) fn number(value: impl ToString) -> Value {
    Some(value.to_string())
}

/// A number that may not be there.
pub(super) fn optional(value: Option<impl ToString>) -> Value {
    value.map(|value| value.to_string())
}

/// Seconds.
pub(super) fn seconds(age: Option<Duration>) -> Value {
    age.map(|age| format!("{:.3}", age.as_secs_f64()))
}

/// The two clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Instant,
    pub(super) wall: Timestamp,
}

impl Moment {
    pub(super) fn read() -> Self {
        Moment {
            now: Instant::now(),
            wall: Timestamp::now(),
        }
    }

    /// A time of the clock that nobody sets, as the wall clock tells it.
    pub(super) fn time(self, at: Option<Instant>) -> Value {
        let at = at?;
        let wall = match at.checked_duration_since(self.now) {
            Some(ahead) => self.wall.checked_add(ahead),
            None => self.wall.checked_sub(self.now - at),
        };
        Some(wall.ok()?.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::STATE_TABLES;

    #[test]
    fn values_are_escaped_and_rows_are_bounded() {
        let table = STATE_TABLES.iter().find(|table| table.name == "queues");
        let mut writer = StateWriter::new(table.expect("there is one"), 1);
        let mut values: [Value; 15] = Default::default();
        values[0] = text("a\tb\\c\nd\0");
        values[5] = number(7);
        writer.row(values.clone()).expect("there is room for one");
        let line = writer.take();
        assert!(line.starts_with("a\\tb\\\\c\\nd\u{fffd}\t\\N\t"), "{line}");
        assert!(line.contains("\t7\t") && line.ends_with("\\N\n"), "{line}");
        let refused = writer.row(values).expect_err("that is one too many");
        assert_eq!(refused.sqlstate, SqlState::CONFIGURATION_LIMIT_EXCEEDED);
        assert!(refused.message.contains("penstock.queues"), "{refused}");
    }

    #[test]
    fn times_of_both_sides_of_now_are_told() {
        let moment = Moment::read();
        let hour = Duration::from_secs(3600);
        let later = moment.time(Some(moment.now + hour)).expect("a time");
        assert_eq!(later, (moment.wall + hour).to_string());
        assert_eq!(moment.time(None), None);
    }
}
