//! The query string of requests about dead letters.
//!
//! Owns the names of the parameters. Promises that an unknown one is refused: a misspelt filter
//! would mean every letter. Never reads a letter.

use super::refusal::ApiRefusal;
use crate::dead_letters::{ExportFormat, LetterFilter, LetterSource, LetterState};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

/// Letters of a page, unless the caller says otherwise.
const LIMIT: usize = 100;

/// Letters of a page, at most.
const LIMIT_MAX: usize = 1000;

/// Which letters, and how they are to be shown.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LetterQuery {
    /// Separated by commas.
    id: Option<String>,
    table: Option<String>,
    user: Option<String>,
    sqlstate: Option<String>,
    source: Option<LetterSource>,
    state: Option<LetterState>,
    since: Option<String>,
    until: Option<String>,
    after: Option<i64>,
    limit: Option<usize>,
    pub format: ExportFormat,
}

impl LetterQuery {
    /// The filter that it names.
    ///
    /// # Errors
    /// An id or a time that is none.
    pub fn filter(&self) -> Result<LetterFilter, ApiRefusal> {
        let ids = self.id.as_deref().unwrap_or_default();
        let ids = ids
            .split(',')
            .filter(|id| !id.is_empty())
            .map(|id| {
                id.trim()
                    .parse()
                    .map_err(|_| ApiRefusal::bad(format!("\"{id}\" is no id")))
            })
            .collect::<Result<_, _>>()?;
        Ok(LetterFilter {
            ids,
            table: self.table.clone(),
            user: self.user.clone(),
            sqlstate: self.sqlstate.clone(),
            source: self.source,
            state: self.state,
            since: self.since.as_deref().map(time).transpose()?,
            until: self.until.as_deref().map(time).transpose()?,
        })
    }

    /// The id behind which the page begins.
    pub fn after(&self) -> i64 {
        self.after.unwrap_or(0)
    }

    /// Letters of the page.
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX)
    }
}

/// RFC 3339, or a date, which means its begin in UTC.
fn time(text: &str) -> Result<Timestamp, ApiRefusal> {
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| {
            let date = text.parse::<Date>().ok()?;
            Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
        })
        .ok_or_else(|| {
            ApiRefusal::bad(format!(
                "\"{text}\" is no time: write 2026-01-31 or 2026-01-31T12:00:00Z"
            ))
        })
}
