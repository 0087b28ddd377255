//! Which letters are meant.
//!
//! Owns the filters of the API and their SQL. Promises that every value is bound, never pasted.
//! A filter without a condition means every letter.

use super::StoreError;
use super::letter::{LetterSource, LetterState};
use jiff::Timestamp;
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

/// Ids that one filter may name.
pub const IDS_MAX: usize = 10_000;

/// Conditions that all must hold; those that are absent hold for every letter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LetterFilter {
    /// One of these; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<LetterSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<LetterState>,
    /// Refused at or after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Refused before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A WHERE clause and what its marks stand for.
pub(super) struct Condition {
    pub sql: String,
    pub values: Vec<Value>,
}

impl LetterFilter {
    /// Exactly one letter.
    pub fn one(id: i64) -> Self {
        LetterFilter {
            ids: vec![id],
            ..LetterFilter::default()
        }
    }

    /// Whether no condition is given, so that every letter is meant.
    pub fn is_empty(&self) -> bool {
        *self == LetterFilter::default()
    }

    /// The condition, with `id > after` for paging.
    ///
    /// # Errors
    /// Refused when too many ids are named.
    pub(super) fn condition(&self, after: i64) -> Result<Condition, StoreError> {
        if self.ids.len() > IDS_MAX {
            return Err(StoreError::Refused(format!(
                "{} ids are named, at most {IDS_MAX} may be",
                self.ids.len()
            )));
        }
        let mut condition = Condition {
            sql: "WHERE id > ?".to_owned(),
            values: vec![Value::Integer(after)],
        };
        let mut also = |sql: &str, value: Value| {
            condition.sql.push_str(" AND ");
            condition.sql.push_str(sql);
            condition.values.push(value);
        };
        for (column, text) in [
            ("table_name = ?", self.table.as_deref()),
            ("user_name = ?", self.user.as_deref()),
            ("sqlstate = ?", self.sqlstate.as_deref()),
            ("source = ?", self.source.map(LetterSource::name)),
            ("state = ?", self.state.map(LetterState::name)),
        ] {
            if let Some(text) = text {
                also(column, Value::Text(text.to_owned()));
            }
        }
        for (column, time) in [("time_ms >= ?", self.since), ("time_ms < ?", self.until)] {
            if let Some(time) = time {
                also(column, Value::Integer(time.as_millisecond()));
            }
        }
        if !self.ids.is_empty() {
            let ids = serde_json::to_string(&self.ids)?;
            also("id IN (SELECT value FROM json_each(?))", Value::Text(ids));
        }
        Ok(condition)
    }
}
