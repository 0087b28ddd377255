//! Parsing of transaction control.
//!
//! Owns BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK, ABORT, SAVEPOINT, RELEASE and the
//! transaction modes. Promises every spelling of PostgreSQL's grammar. Never runs a
//! transaction.

use super::cursor::Cursor;
use super::statement::{IsolationLevel, TransactionCommand, TransactionModes};
use crate::diagnostic::Diagnostic;

/// The command that starts with `word`; `None` for two-phase commit, which is none of ours.
///
/// # Errors
/// 42601.
pub(crate) fn parse(text: &str) -> Result<Option<TransactionCommand>, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    let cursor = &mut cursor;
    let first = cursor.name()?;
    let command = match first.as_ref() {
        "begin" => {
            accept_noise(cursor)?;
            TransactionCommand::Begin {
                start: false,
                modes: modes(cursor)?,
            }
        }
        "start" => {
            cursor.expect_word("transaction")?;
            TransactionCommand::Begin {
                start: true,
                modes: modes(cursor)?,
            }
        }
        "commit" | "end" => {
            if first == "commit" && cursor.at_word("prepared") {
                return Ok(None);
            }
            accept_noise(cursor)?;
            TransactionCommand::Commit {
                chain: chain(cursor)?,
            }
        }
        "rollback" | "abort" => {
            if first == "rollback" && cursor.at_word("prepared") {
                return Ok(None);
            }
            accept_noise(cursor)?;
            if first == "rollback" && cursor.accept_word("to")? {
                cursor.accept_word("savepoint")?;
                TransactionCommand::RollbackTo(cursor.name()?.into_owned())
            } else {
                TransactionCommand::Rollback {
                    chain: chain(cursor)?,
                }
            }
        }
        "savepoint" => TransactionCommand::Savepoint(cursor.name()?.into_owned()),
        "release" => {
            cursor.accept_word("savepoint")?;
            TransactionCommand::Release(cursor.name()?.into_owned())
        }
        _ => return Err(Cursor::new(text)?.unexpected()),
    };
    cursor.expect_end()?;
    Ok(Some(command))
}

fn accept_noise(cursor: &mut Cursor<'_>) -> Result<(), Box<Diagnostic>> {
    cursor.accept_one_of(&["work", "transaction"])?;
    Ok(())
}

fn chain(cursor: &mut Cursor<'_>) -> Result<bool, Box<Diagnostic>> {
    if !cursor.accept_word("and")? {
        return Ok(false);
    }
    let not = cursor.accept_word("no")?;
    cursor.expect_word("chain")?;
    Ok(!not)
}

/// Reads transaction modes up to something else.
///
/// # Errors
/// 42601.
pub(crate) fn modes(cursor: &mut Cursor<'_>) -> Result<TransactionModes, Box<Diagnostic>> {
    let mut modes = TransactionModes::default();
    loop {
        match cursor.accept_one_of(&["isolation", "read", "deferrable", "not"])? {
            Some("isolation") => {
                cursor.expect_word("level")?;
                modes.isolation = Some(isolation_level(cursor)?);
            }
            Some("read") => {
                modes.read_only = match cursor.accept_one_of(&["only", "write"])? {
                    Some(word) => Some(word == "only"),
                    None => return Err(cursor.unexpected()),
                }
            }
            Some("deferrable") => modes.deferrable = Some(true),
            Some("not") => {
                cursor.expect_word("deferrable")?;
                modes.deferrable = Some(false);
            }
            _ => return Ok(modes),
        }
        cursor.accept_symbol(",")?;
    }
}

fn isolation_level(cursor: &mut Cursor<'_>) -> Result<IsolationLevel, Box<Diagnostic>> {
    match cursor.accept_one_of(&["read", "repeatable", "serializable"])? {
        Some("read") => match cursor.accept_one_of(&["uncommitted", "committed"])? {
            Some("uncommitted") => Ok(IsolationLevel::ReadUncommitted),
            Some(_) => Ok(IsolationLevel::ReadCommitted),
            None => Err(cursor.unexpected()),
        },
        Some("repeatable") => {
            cursor.expect_word("read")?;
            Ok(IsolationLevel::RepeatableRead)
        }
        Some(_) => Ok(IsolationLevel::Serializable),
        None => Err(cursor.unexpected()),
    }
}
