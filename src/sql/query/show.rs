//! SHOW: settings as a result.
//!
//! Owns its spellings and its columns. Promises the column name that PostgreSQL gives, which is
//! the setting's own spelling. Never changes a setting.

use crate::diagnostic::Diagnostic;
use crate::sql::cursor::Cursor;
use crate::sql::settings::Settings;
use crate::sql::{Answer, Cell, ResultColumn, settings};

const TEXT: u32 = 25;

/// What to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Show {
    One(String),
    All,
}

/// Parses a statement that starts with SHOW.
///
/// # Errors
/// 42601.
pub(super) fn parse(text: &str) -> Result<Show, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    cursor.expect_word("show")?;
    let show = if cursor.accept_word("all")? {
        Show::All
    } else {
        Show::One(setting(&mut cursor)?)
    };
    cursor.expect_end()?;
    Ok(show)
}

fn setting(cursor: &mut Cursor<'_>) -> Result<String, Box<Diagnostic>> {
    let mut ahead = cursor.clone();
    for (words, name) in [
        (["time", "zone", ""], "timezone"),
        (
            ["transaction", "isolation", "level"],
            "transaction_isolation",
        ),
        (["session", "authorization", ""], "session_authorization"),
    ] {
        ahead = cursor.clone();
        let mut found = true;
        for word in words.iter().filter(|word| !word.is_empty()) {
            found = found && ahead.accept_word(word)?;
        }
        if found {
            *cursor = ahead;
            return Ok(name.to_owned());
        }
    }
    drop(ahead);
    let mut name = cursor.name()?.into_owned();
    while cursor.accept_symbol(".")? {
        name.push('.');
        name.push_str(&cursor.name()?);
    }
    Ok(name)
}

impl Show {
    pub fn columns(&self) -> Vec<ResultColumn> {
        match self {
            Show::One(name) => vec![ResultColumn::of_type(
                settings::spelling(name).unwrap_or(name),
                TEXT,
            )],
            Show::All => ["name", "setting", "description"]
                .into_iter()
                .map(|name| ResultColumn::of_type(name, TEXT))
                .collect(),
        }
    }

    /// # Errors
    /// 42704.
    pub fn answer(&self, settings: &Settings) -> Result<Answer, Box<Diagnostic>> {
        let text = |text: &str| Some(Cell::Text(text.to_owned()));
        let rows = match self {
            Show::One(name) => vec![vec![text(settings.get(name)?)]],
            Show::All => settings
                .all()
                .iter()
                .map(|row| vec![text(row.name), text(&row.value), text(row.description)])
                .collect(),
        };
        Ok(Answer {
            columns: self.columns(),
            rows,
            tag: "SHOW",
        })
    }
}
