//! The functions that queries may call.
//!
//! Owns their names, argument types, result types and what they return. Promises what
//! PostgreSQL returns, about this session. Never has a function whose answer would be a lie.

use super::system;
use super::value::{Value, integer_of, text_of};
use super::{CancelOutcome, QueryContext};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::settings::parse_bool;
use crate::sql::{Cell, SERVER_VERSION, SetScope};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Most bytes that repeat() makes.
const REPEATED_BYTES_MAX: usize = 1 << 20;

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
const EPOCH_DIFFERENCE_US: i64 = 946_684_800_000_000;

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Version,
    CurrentDatabase,
    CurrentSchema,
    CurrentUser,
    CurrentSetting,
    SetConfig,
    Notify,
    BackendPid,
    CancelBackend,
    ServerPort,
    ClientPort,
    TransactionTime,
    ClockTime,
    IsInRecovery,
    AdvisoryUnlockAll,
    ClientEncoding,
    TableIsVisible,
    ToRegclass,
    ToRegtype,
    FormatType,
    Length,
    Repeat,
    Lower,
    Upper,
}

/// A function's types by OID: what it takes, what it gives.
pub(super) struct Signature {
    pub function: Function,
    pub arguments: &'static [u32],
    /// How many of the arguments may be left out.
    pub optional: usize,
    pub result: u32,
}

const BOOL: u32 = 16;
const NAME: u32 = 19;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const OID: u32 = 26;
const TIMESTAMPTZ: u32 = 1184;
const REGCLASS: u32 = 2205;
const REGTYPE: u32 = 2206;
const VOID: u32 = 2278;

/// The function of that name, in lower case and without schema.
pub(super) fn find(name: &str) -> Option<Signature> {
    let (function, arguments, optional, result): (_, &'static [u32], _, _) = match name {
        "version" => (Function::Version, &[], 0, TEXT),
        "current_database" | "current_catalog" => (Function::CurrentDatabase, &[], 0, NAME),
        "current_schema" => (Function::CurrentSchema, &[], 0, NAME),
        "current_user" | "session_user" | "user" | "current_role" => {
            (Function::CurrentUser, &[], 0, NAME)
        }
        "current_setting" => (Function::CurrentSetting, &[TEXT, BOOL], 1, TEXT),
        "set_config" => (Function::SetConfig, &[TEXT, TEXT, BOOL], 0, TEXT),
        "pg_notify" => (Function::Notify, &[TEXT, TEXT], 0, VOID),
        "pg_backend_pid" => (Function::BackendPid, &[], 0, INT4),
        "pg_cancel_backend" => (Function::CancelBackend, &[INT4], 0, BOOL),
        "inet_server_port" => (Function::ServerPort, &[], 0, INT4),
        "inet_client_port" => (Function::ClientPort, &[], 0, INT4),
        "now" | "current_timestamp" | "transaction_timestamp" | "statement_timestamp" => {
            (Function::TransactionTime, &[], 0, TIMESTAMPTZ)
        }
        "clock_timestamp" => (Function::ClockTime, &[], 0, TIMESTAMPTZ),
        "pg_is_in_recovery" => (Function::IsInRecovery, &[], 0, BOOL),
        "pg_advisory_unlock_all" => (Function::AdvisoryUnlockAll, &[], 0, VOID),
        "pg_client_encoding" => (Function::ClientEncoding, &[], 0, NAME),
        "pg_table_is_visible" => (Function::TableIsVisible, &[OID], 0, BOOL),
        "to_regclass" => (Function::ToRegclass, &[TEXT], 0, REGCLASS),
        "to_regtype" => (Function::ToRegtype, &[TEXT], 0, REGTYPE),
        "format_type" => (Function::FormatType, &[OID, INT4], 0, TEXT),
        "length" | "char_length" | "character_length" => (Function::Length, &[TEXT], 0, INT4),
        "repeat" => (Function::Repeat, &[TEXT, INT4], 0, TEXT),
        "lower" => (Function::Lower, &[TEXT], 0, TEXT),
        "upper" => (Function::Upper, &[TEXT], 0, TEXT),
        _ => return None,
    };
    Some(Signature {
        function,
        arguments,
        optional,
        result,
    })
}

impl Function {
    /// What it returns for these arguments.
    ///
    /// # Errors
    /// Those of settings; 54000 for a text beyond all bounds.
    pub fn call(
        self,
        arguments: &[Value],
        context: &mut QueryContext<'_>,
    ) -> Result<Value, Box<Diagnostic>> {
        let text = |index: usize| arguments.get(index).and_then(Option::as_ref).map(text_of);
        let number = |index: usize| {
            arguments
                .get(index)
                .and_then(Option::as_ref)
                .and_then(integer_of)
        };
        let name = |value: &str| Some(Cell::Text(value.to_owned()));
        Ok(match self {
            Function::Version => Some(Cell::Text(format!(
                "PostgreSQL {SERVER_VERSION} on {}-{}",
                std::env::consts::ARCH,
                std::env::consts::OS
            ))),
            Function::CurrentDatabase => name(context.database),
            Function::CurrentSchema => name(crate::catalog::PUBLIC),
            Function::CurrentUser => name(context.user),
            Function::CurrentSetting => return current_setting(&text, context),
            Function::SetConfig => return set_config(&text, context),
            Function::Notify => {
                // No name and no payload are the same as empty ones.
                let said = [0, 1].map(|index| text(index).unwrap_or_default());
                context.said.push(said.into());
                Some(Cell::Void)
            }
            Function::BackendPid => Some(Cell::Int4(context.backend_pid)),
            Function::CancelBackend => match number(0) {
                Some(process_id) => Some(cancel(process_id, context)?),
                None => None,
            },
            Function::ServerPort => context.ports.0.map(|port| Cell::Int4(i32::from(port))),
            Function::ClientPort => context.ports.1.map(|port| Cell::Int4(i32::from(port))),
            Function::TransactionTime => Some(time(context.transaction_started, context)),
            Function::ClockTime => Some(time(Timestamp::now(), context)),
            Function::IsInRecovery => Some(Cell::Bool(false)),
            Function::AdvisoryUnlockAll => Some(Cell::Void),
            Function::ClientEncoding => name(context.settings.get("client_encoding")?),
            Function::TableIsVisible => {
                number(0).map(|oid| Cell::Bool(system::is_visible(oid, context.namespace)))
            }
            Function::ToRegclass | Function::ToRegtype => {
                let type_name = match self {
                    Function::ToRegclass => "regclass",
                    _ => "regtype",
                };
                text(0).and_then(|name| {
                    system::named_by_text(type_name, &name, context.namespace).ok()
                })
            }
            Function::FormatType => number(0).map(|oid| {
                Cell::Text(system::format_type(
                    u32::try_from(oid).unwrap_or(0),
                    number(1).and_then(|modifier| i32::try_from(modifier).ok()),
                ))
            }),
            Function::Length => text(0)
                .map(|text| Cell::Int4(i32::try_from(text.chars().count()).unwrap_or(i32::MAX))),
            Function::Repeat => match (text(0), number(1)) {
                (Some(text), Some(times)) => Some(Cell::Text(repeat(&text, times)?)),
                _ => None,
            },
            Function::Lower => text(0).map(|text| Cell::Text(text.to_lowercase())),
            Function::Upper => text(0).map(|text| Cell::Text(text.to_uppercase())),
        })
    }
}

/// Breaks off what runs in another session of the same user.
fn cancel(process_id: i64, context: &QueryContext<'_>) -> Result<Cell, Box<Diagnostic>> {
    let outcome = i32::try_from(process_id).map_or(CancelOutcome::NoSuchSession, |process_id| {
        context.sessions.cancel_for(process_id, context.user)
    });
    match outcome {
        CancelOutcome::Sent => Ok(Cell::Bool(true)),
        CancelOutcome::NoSuchSession => Ok(Cell::Bool(false)),
        CancelOutcome::Denied => Err(Box::new(
            Diagnostic::error(
                SqlState::INSUFFICIENT_PRIVILEGE,
                "permission denied to cancel query",
            )
            .with_detail("The session is another user's."),
        )),
    }
}

fn current_setting(
    text: &impl Fn(usize) -> Option<String>,
    context: &QueryContext<'_>,
) -> Result<Value, Box<Diagnostic>> {
    let Some(name) = text(0) else {
        return Ok(None);
    };
    match context.settings.get(&name) {
        Ok(value) => Ok(Some(Cell::Text(value.to_owned()))),
        // The second argument says that a missing setting is no error.
        Err(_) if text(1).and_then(|flag| parse_bool(&flag)) == Some(true) => Ok(None),
        Err(error) => Err(error),
    }
}

fn set_config(
    text: &impl Fn(usize) -> Option<String>,
    context: &mut QueryContext<'_>,
) -> Result<Value, Box<Diagnostic>> {
    let Some(name) = text(0) else {
        return Err(Box::new(Diagnostic::error(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "SET requires parameter name",
        )));
    };
    let local = text(2).and_then(|flag| parse_bool(&flag)) == Some(true);
    let value = match text(1) {
        // Local outside of a transaction lasts for this statement: nothing would see it.
        Some(value) if local && !context.in_transaction => {
            context.settings.canonical(&name, &value)?
        }
        Some(value) => {
            let scope = if local {
                SetScope::Local
            } else {
                SetScope::Session
            };
            context.settings.set_text(&name, &value, scope)?
        }
        None => {
            context.settings.set(&name, &[], SetScope::Session)?;
            context.settings.get(&name)?.to_owned()
        }
    };
    Ok(Some(Cell::Text(value)))
}

/// A time in the session's zone, as PostgreSQL prints it with DateStyle ISO.
fn time(at: Timestamp, context: &QueryContext<'_>) -> Cell {
    time_cell(at, context.settings.time_zone())
}

/// A time in a zone, as PostgreSQL prints it with DateStyle ISO.
pub fn time_cell(at: Timestamp, zone: &TimeZone) -> Cell {
    let zoned = at.to_zoned(zone.clone());
    let mut text = zoned.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let microseconds = at.as_microsecond().rem_euclid(1_000_000);
    if microseconds != 0 {
        let fraction = format!("{microseconds:06}");
        text.push('.');
        text.push_str(fraction.trim_end_matches('0'));
    }
    text.push_str(&offset(zoned.offset().seconds()));
    Cell::TimestampTz {
        microseconds: at.as_microsecond() - EPOCH_DIFFERENCE_US,
        text,
    }
}

/// `+02`, `-03:30`.
fn offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.unsigned_abs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{sign}{hours:02}");
    if minutes != 0 || rest != 0 {
        text.push_str(&format!(":{minutes:02}"));
    }
    if rest != 0 {
        text.push_str(&format!(":{rest:02}"));
    }
    text
}

fn repeat(text: &str, times: i64) -> Result<String, Box<Diagnostic>> {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    match text.len().checked_mul(times) {
        Some(bytes) if bytes <= REPEATED_BYTES_MAX => Ok(text.repeat(times)),
        _ => Err(Box::new(Diagnostic::error(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "requested length too large",
        ))),
    }
}
