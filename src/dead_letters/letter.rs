//! A dead letter: a row that CDF will not have as it is, with why and whose it was.
//!
//! Owns what a letter holds, before and after it is stored. Promises that the row is kept as
//! the text that COPY would carry, with NULL apart. Never holds a secret: an identity is kept by
//! its name.

use super::key::key_of;
use crate::catalog::Table;
use crate::cdf::Identity;
use crate::diagnostic::Diagnostic;
use crate::rows::value::{DateOrder, ValueSettings};
use crate::rows::{Action, RowText};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a row became a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterSource {
    /// The statement was acknowledged by the journal, and then the row was refused.
    Journaled,
    /// COPY with ON_ERROR ignore went on without the row.
    CopyIgnored,
    /// Acknowledged and sent, and nobody knows whether CDF has the row.
    UnknownOutcome,
}

impl LetterSource {
    /// The name in the store, in the API and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            LetterSource::Journaled => "journaled",
            LetterSource::CopyIgnored => "copy_ignored",
            LetterSource::UnknownOutcome => "unknown_outcome",
        }
    }

    /// The source of that name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Journaled, Self::CopyIgnored, Self::UnknownOutcome]
            .into_iter()
            .find(|source| source.name() == name)
    }
}

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    /// As it came.
    Open,
    /// Somebody changed its values; not replayed yet.
    Edited,
    /// CDF accepted it.
    Replayed,
}

impl LetterState {
    /// The name in the store and in the API.
    pub fn name(self) -> &'static str {
        match self {
            LetterState::Open => "open",
            LetterState::Edited => "edited",
            LetterState::Replayed => "replayed",
        }
    }

    /// The state of that name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Open, Self::Edited, Self::Replayed]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// Where rows came from: one value for all rows of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterOrigin {
    pub source: LetterSource,
    /// Address and name of the CDF project.
    pub base_url: String,
    pub project: String,
    /// The gateway user.
    pub user: String,
    /// The principal in CDF, by its name.
    pub identity: String,
    /// The zone that timestamps without one were written in; empty where the text names its own.
    pub time_zone: String,
    pub date_order: DateOrder,
}

impl LetterOrigin {
    /// The origin of rows whose text does not depend on a session's settings.
    pub fn new(source: LetterSource, user: &str, identity: &Identity) -> Self {
        LetterOrigin {
            source,
            base_url: identity.project.base_url.clone(),
            project: identity.project.name.clone(),
            user: user.to_owned(),
            identity: identity.name.clone(),
            time_zone: String::new(),
            date_order: DateOrder::default(),
        }
    }

    /// The origin of rows that are kept as the client wrote them, under its TimeZone (as SHOW
    /// prints it) and DateStyle.
    pub fn read_by(self, time_zone: &str, date_order: DateOrder) -> Self {
        LetterOrigin {
            time_zone: time_zone.to_owned(),
            date_order,
            ..self
        }
    }
}

/// Why a row was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterReason {
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    /// The column whose value is to blame, if that is known.
    pub column: Option<String>,
    /// CDF's error code; `None` where the gateway refused the row.
    pub cdf_code: Option<u16>,
    pub request_id: Option<String>,
}

impl From<&Diagnostic> for LetterReason {
    fn from(diagnostic: &Diagnostic) -> Self {
        let answer = diagnostic.answer.as_ref();
        LetterReason {
            sqlstate: diagnostic.sqlstate.code().to_owned(),
            message: diagnostic.message.clone(),
            detail: diagnostic.detail.clone(),
            column: diagnostic.column.clone(),
            cdf_code: answer.map(|answer| answer.code),
            request_id: answer.and_then(|answer| answer.request_id.clone()),
        }
    }
}

/// A letter that is not stored yet.
#[derive(Clone, Debug)]
pub struct NewLetter {
    pub origin: Arc<LetterOrigin>,
    pub table: &'static Table,
    pub row: RowText,
    pub reason: Arc<LetterReason>,
    /// Line of the COPY data, from 1, where that is known.
    pub line: Option<u64>,
    /// Number of the row in its statement, from 1, where that is known.
    pub row_number: Option<u64>,
    /// When the client was told that the row is safe, if it was.
    pub acknowledged: Option<Timestamp>,
    /// Where a row of the journal stood there. A letter with a place that a stored one has is
    /// that letter, and not stored again.
    pub journal_row: Option<String>,
}

/// What a stored letter costs beside its texts.
const LETTER_BYTES: usize = 200;

impl NewLetter {
    /// What the letter weighs in memory and, about, on disk.
    pub fn bytes(&self) -> usize {
        let values: usize = self.row.values.iter().flatten().map(String::len).sum();
        let detail = self.reason.detail.as_ref().map_or(0, String::len);
        LETTER_BYTES + values + self.reason.message.len() + detail
    }

    /// The key of the row, as text; `None` where the row has none.
    pub fn key(&self) -> Option<String> {
        key_of(self.table, &self.row.columns, &self.row.values)
    }
}

/// A stored letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// Grows with time; never used twice.
    pub id: i64,
    /// When the row was refused, RFC 3339.
    pub time: Timestamp,
    pub state: LetterState,
    pub source: LetterSource,
    pub base_url: String,
    pub project: String,
    pub user: String,
    pub identity: String,
    pub table: String,
    pub resource: String,
    /// What the row does: `insert`, `update`, `delete`, …
    #[serde(default = "insert")]
    pub action: String,
    /// Key of the row when it was stored: a JSON array of texts.
    pub key: Option<String>,
    pub columns: Vec<String>,
    /// Per column its text as COPY would carry it, without escapes; `null` is NULL.
    pub values: Vec<Option<String>>,
    #[serde(flatten)]
    pub reason: LetterReason,
    pub line: Option<u64>,
    pub row_number: Option<u64>,
    /// When the client was told that the row is safe, if it was.
    pub acknowledged: Option<Timestamp>,
    pub time_zone: String,
    pub date_order: String,
    /// Replays so far, whatever became of them.
    pub replays: u64,
    /// When CDF accepted it.
    pub replayed: Option<Timestamp>,
}

/// What rows of letters did before any did something else.
fn insert() -> String {
    Action::Create.name().to_owned()
}

impl Letter {
    /// The settings that the values are to be read by: those of the session that wrote them.
    pub fn value_settings(&self) -> ValueSettings {
        let name = self.time_zone.as_str();
        ValueSettings {
            // Rendered rows name UTC in their text and need no zone.
            time_zone: TimeZone::get(name)
                .or_else(|_| TimeZone::posix(name))
                .unwrap_or(TimeZone::UTC),
            date_order: date_order(&self.date_order),
            started: self.time,
        }
    }
}

/// The name of the order in the store: the second half of DateStyle.
pub(super) fn date_order_name(order: DateOrder) -> &'static str {
    match order {
        DateOrder::MonthDayYear => "MDY",
        DateOrder::DayMonthYear => "DMY",
        DateOrder::YearMonthDay => "YMD",
    }
}

fn date_order(name: &str) -> DateOrder {
    match name {
        "DMY" => DateOrder::DayMonthYear,
        "YMD" => DateOrder::YearMonthDay,
        _ => DateOrder::MonthDayYear,
    }
}
