//! Commands about the session itself: SET, RESET, DISCARD, DEALLOCATE, CLOSE, LISTEN, NOTIFY.
//!
//! Owns their shapes and their parsing. Promises every spelling that drivers and pools use.
//! Never changes a setting: [`super::Settings::apply`] does.

use super::cursor::Cursor;
use super::lexer::Token;
use super::statement::TransactionModes;
use super::transaction;
use crate::diagnostic::{Diagnostic, SqlState};

/// Bytes of a name; PostgreSQL cuts longer ones.
const NAME_BYTES_MAX: usize = 63;

/// How long a SET lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetScope {
    Session,
    /// To the end of the transaction.
    Local,
}

/// What DISCARD drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscardTarget {
    All,
    Plans,
    Sequences,
    Temporary,
}

/// A command about the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// `SET name = values`; no values: DEFAULT. Several spellings end here.
    Set {
        scope: SetScope,
        name: String,
        values: Vec<String>,
    },
    SetTransaction(TransactionModes),
    /// `SET SESSION CHARACTERISTICS AS TRANSACTION`.
    SetSessionCharacteristics(TransactionModes),
    /// `None`: DEFAULT.
    SetSessionAuthorization(Option<String>),
    /// Does what DEFAULT does, under a tag of its own.
    ResetSessionAuthorization,
    /// `None`: NONE.
    SetRole(Option<String>),
    /// No constraint here can be deferred: nothing to do.
    SetConstraints,
    Reset(String),
    ResetAll,
    Discard(DiscardTarget),
    /// A prepared statement; `None`: all.
    Deallocate(Option<String>),
    /// A cursor; `None`: all.
    CloseCursor(Option<String>),
    /// A channel.
    Listen(String),
    Notify {
        channel: String,
        payload: String,
    },
    /// A channel; `None`: all.
    Unlisten(Option<String>),
}

impl SessionCommand {
    /// Whether it is about one statement or cursor, by name.
    pub fn names_one(&self) -> bool {
        matches!(
            self,
            SessionCommand::Deallocate(Some(_)) | SessionCommand::CloseCursor(Some(_))
        )
    }

    /// The command tag of success.
    pub fn tag(&self) -> &'static str {
        match self {
            SessionCommand::Set { .. }
            | SessionCommand::SetTransaction(_)
            | SessionCommand::SetSessionCharacteristics(_)
            | SessionCommand::SetSessionAuthorization(_)
            | SessionCommand::SetRole(_) => "SET",
            SessionCommand::SetConstraints => "SET CONSTRAINTS",
            SessionCommand::Reset(_)
            | SessionCommand::ResetAll
            | SessionCommand::ResetSessionAuthorization => "RESET",
            SessionCommand::Discard(DiscardTarget::All) => "DISCARD ALL",
            SessionCommand::Discard(DiscardTarget::Plans) => "DISCARD PLANS",
            SessionCommand::Discard(DiscardTarget::Sequences) => "DISCARD SEQUENCES",
            SessionCommand::Discard(DiscardTarget::Temporary) => "DISCARD TEMP",
            SessionCommand::Deallocate(Some(_)) => "DEALLOCATE",
            SessionCommand::Deallocate(None) => "DEALLOCATE ALL",
            SessionCommand::CloseCursor(Some(_)) => "CLOSE CURSOR",
            SessionCommand::CloseCursor(None) => "CLOSE CURSOR ALL",
            SessionCommand::Listen(_) => "LISTEN",
            SessionCommand::Notify { .. } => "NOTIFY",
            SessionCommand::Unlisten(_) => "UNLISTEN",
        }
    }
}

/// Parses a command about the session.
///
/// # Errors
/// 42601.
pub(crate) fn parse(text: &str) -> Result<SessionCommand, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    let cursor = &mut cursor;
    let first = cursor.name()?;
    let command = match first.as_ref() {
        "set" => set(cursor)?,
        "reset" => reset(cursor)?,
        "discard" => {
            let targets = ["all", "plans", "sequences", "temp", "temporary"];
            SessionCommand::Discard(match cursor.accept_one_of(&targets)? {
                Some("all") => DiscardTarget::All,
                Some("plans") => DiscardTarget::Plans,
                Some("sequences") => DiscardTarget::Sequences,
                Some(_) => DiscardTarget::Temporary,
                None => return Err(cursor.unexpected()),
            })
        }
        "deallocate" => {
            let mut ahead = cursor.clone();
            // `prepare` may itself be the name of a statement.
            if ahead.accept_word("prepare")? && !ahead.at_end() {
                *cursor = ahead;
            }
            SessionCommand::Deallocate(name_or_all(cursor)?)
        }
        "close" => SessionCommand::CloseCursor(name_or_all(cursor)?),
        "listen" => SessionCommand::Listen(channel(cursor)?),
        "notify" => SessionCommand::Notify {
            channel: channel(cursor)?,
            payload: match cursor.accept_symbol(",")? {
                true => cursor.text_constant()?.into_owned(),
                false => String::new(),
            },
        },
        "unlisten" => SessionCommand::Unlisten(match cursor.accept_symbol("*")? {
            true => None,
            false => Some(channel(cursor)?),
        }),
        _ => return Err(Cursor::new(text)?.unexpected()),
    };
    cursor.expect_end()?;
    Ok(command)
}

/// A channel's name, as much of it as a name may have.
fn channel(cursor: &mut Cursor<'_>) -> Result<String, Box<Diagnostic>> {
    let mut name = cursor.name()?.into_owned();
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    Ok(name)
}

fn name_or_all(cursor: &mut Cursor<'_>) -> Result<Option<String>, Box<Diagnostic>> {
    if cursor.accept_word("all")? {
        Ok(None)
    } else {
        Ok(Some(cursor.name()?.into_owned()))
    }
}

fn reset(cursor: &mut Cursor<'_>) -> Result<SessionCommand, Box<Diagnostic>> {
    if cursor.accept_word("all")? {
        return Ok(SessionCommand::ResetAll);
    }
    if followed_by(cursor, "time", "zone")? {
        return Ok(SessionCommand::Reset("timezone".to_owned()));
    }
    if followed_by(cursor, "session", "authorization")? {
        return Ok(SessionCommand::ResetSessionAuthorization);
    }
    if followed_by(cursor, "transaction", "isolation")? {
        cursor.expect_word("level")?;
        return Ok(SessionCommand::Reset("transaction_isolation".to_owned()));
    }
    Ok(SessionCommand::Reset(setting_name(cursor)?))
}

fn set(cursor: &mut Cursor<'_>) -> Result<SessionCommand, Box<Diagnostic>> {
    let mut scope = SetScope::Session;
    let mut ahead = cursor.clone();
    match ahead.accept_one_of(&["session", "local"])? {
        Some("session") => {
            if followed_by(&mut ahead, "characteristics", "as")? {
                ahead.expect_word("transaction")?;
                *cursor = ahead;
                let modes = transaction::modes(cursor)?;
                return Ok(SessionCommand::SetSessionCharacteristics(modes));
            }
            if ahead.at_word("authorization") {
                ahead.advance()?;
                *cursor = ahead;
                return session_authorization(cursor);
            }
            // A setting of that name would be followed by `=` or `TO`.
            if !ahead.at_symbol("=") && !ahead.at_word("to") {
                *cursor = ahead;
            }
        }
        Some(_) if !ahead.at_symbol("=") && !ahead.at_word("to") => {
            scope = SetScope::Local;
            *cursor = ahead;
        }
        _ => {}
    }
    let command = |name: &str, values| SessionCommand::Set {
        scope,
        name: name.to_owned(),
        values,
    };
    if followed_by(cursor, "time", "zone")? {
        return Ok(command("timezone", time_zone(cursor)?));
    }
    let mut ahead = cursor.clone();
    let word = ahead.name()?;
    if !ahead.at_symbol("=") && !ahead.at_word("to") && !ahead.at_symbol(".") {
        match word.as_ref() {
            "transaction" => {
                *cursor = ahead;
                if cursor.accept_word("snapshot")? {
                    return Err(cursor.error(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        "SET TRANSACTION SNAPSHOT is not supported",
                    ));
                }
                return Ok(SessionCommand::SetTransaction(transaction::modes(cursor)?));
            }
            "names" => {
                *cursor = ahead;
                let values = if cursor.at_end() || cursor.accept_word("default")? {
                    Vec::new()
                } else {
                    vec![cursor.text_constant()?.into_owned()]
                };
                return Ok(command("client_encoding", values));
            }
            "schema" => {
                *cursor = ahead;
                let schema = cursor.text_constant()?.into_owned();
                return Ok(command("search_path", vec![schema]));
            }
            "role" => {
                *cursor = ahead;
                let role = name_or_text(cursor)?;
                let role = if role == "none" { None } else { Some(role) };
                return Ok(SessionCommand::SetRole(role));
            }
            "constraints" => return constraints(cursor),
            "session" => {}
            _ => {}
        }
    }
    let name = setting_name(cursor)?;
    if !cursor.accept_symbol("=")? {
        cursor.expect_word("to")?;
    }
    if cursor.accept_word("default")? {
        return Ok(command(&name, Vec::new()));
    }
    let mut values = vec![value(cursor)?];
    while cursor.accept_symbol(",")? {
        values.push(value(cursor)?);
    }
    Ok(command(&name, values))
}

/// Takes two keywords in a row, or nothing.
fn followed_by(
    cursor: &mut Cursor<'_>,
    first: &str,
    second: &str,
) -> Result<bool, Box<Diagnostic>> {
    let mut ahead = cursor.clone();
    let found = ahead.accept_word(first)? && ahead.accept_word(second)?;
    if found {
        *cursor = ahead;
    }
    Ok(found)
}

fn session_authorization(cursor: &mut Cursor<'_>) -> Result<SessionCommand, Box<Diagnostic>> {
    Ok(SessionCommand::SetSessionAuthorization(
        if cursor.accept_word("default")? {
            None
        } else {
            Some(name_or_text(cursor)?)
        },
    ))
}

fn constraints(cursor: &mut Cursor<'_>) -> Result<SessionCommand, Box<Diagnostic>> {
    cursor.advance()?;
    loop {
        cursor.name()?;
        if !cursor.accept_symbol(",")? && !cursor.accept_symbol(".")? {
            break;
        }
    }
    match cursor.accept_one_of(&["deferred", "immediate"])? {
        Some(_) => Ok(SessionCommand::SetConstraints),
        None => Err(cursor.unexpected()),
    }
}

fn name_or_text(cursor: &mut Cursor<'_>) -> Result<String, Box<Diagnostic>> {
    if matches!(cursor.peek().token, Token::Text(_)) {
        Ok(cursor.text_constant()?.into_owned())
    } else {
        Ok(cursor.name()?.into_owned())
    }
}

/// A setting's name, in lower case as settings are looked up; it may have a prefix.
fn setting_name(cursor: &mut Cursor<'_>) -> Result<String, Box<Diagnostic>> {
    let mut name = cursor.name()?.into_owned();
    while cursor.accept_symbol(".")? {
        name.push('.');
        name.push_str(&cursor.name()?);
    }
    Ok(name)
}

/// One value: a word, a string, a number with a sign.
fn value(cursor: &mut Cursor<'_>) -> Result<String, Box<Diagnostic>> {
    let sign = if cursor.accept_symbol("-")? {
        "-"
    } else {
        cursor.accept_symbol("+")?;
        ""
    };
    if let Token::Number(number) = cursor.peek().token {
        cursor.advance()?;
        return Ok(format!("{sign}{number}"));
    }
    if !sign.is_empty() {
        return Err(cursor.unexpected());
    }
    name_or_text(cursor)
}

/// The value of `SET TIME ZONE`. Hours, as a number or an interval, become the POSIX form
/// that PostgreSQL shows: east of Greenwich is negative there.
fn time_zone(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Box<Diagnostic>> {
    if cursor.accept_one_of(&["default", "local"])?.is_some() {
        return Ok(Vec::new());
    }
    let mut ahead = cursor.clone();
    if ahead.accept_word("interval")? && matches!(ahead.peek().token, Token::Text(_)) {
        *cursor = ahead;
        let offset = cursor.offset();
        let interval = cursor.text_constant()?;
        if cursor.accept_word("hour")? && cursor.accept_word("to")? {
            cursor.expect_word("minute")?;
        }
        let seconds = super::settings::interval_seconds(&interval).ok_or_else(|| {
            super::syntax::error_at(
                cursor.text(),
                offset,
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid input syntax for type interval: \"{interval}\""),
            )
        })?;
        return Ok(vec![super::settings::posix_time_zone(seconds)]);
    }
    Ok(vec![value(cursor)?])
}
