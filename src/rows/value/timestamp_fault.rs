//! Why a value is no timestamp, in PostgreSQL's words.
//!
//! Owns the kinds of faults and their SQLSTATEs. Never reads a value.

use super::refusal::quoted;
use super::timestamp::infinite;
use crate::diagnostic::{Diagnostic, SqlState};

/// Why a value is no timestamp.
pub enum Fault {
    Syntax,
    /// A field beyond its range.
    Field,
    /// Month or day beyond their range: perhaps they were meant the other way round.
    MonthOrDay,
    Displacement,
    UnknownZone(String),
    Range,
    Infinite,
}

impl Fault {
    /// The refusal of `value`; `zoned` tells which of the two timestamp types it was for.
    pub fn diagnostic(self, value: &[u8], zoned: bool) -> Box<Diagnostic> {
        let shown = quoted(value);
        let overflow = SqlState::DATETIME_FIELD_OVERFLOW;
        Box::new(match self {
            Fault::Syntax => {
                let kind = if zoned {
                    "timestamp with time zone"
                } else {
                    "timestamp"
                };
                Diagnostic::error(
                    SqlState::INVALID_DATETIME_FORMAT,
                    format!("invalid input syntax for type {kind}: \"{shown}\""),
                )
            }
            Fault::Field => Diagnostic::error(
                overflow,
                format!("date/time field value out of range: \"{shown}\""),
            ),
            Fault::MonthOrDay => Diagnostic::error(
                overflow,
                format!("date/time field value out of range: \"{shown}\""),
            )
            .with_hint("Perhaps you need a different \"datestyle\" setting."),
            Fault::Displacement => Diagnostic::error(
                SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                format!("time zone displacement out of range: \"{shown}\""),
            ),
            Fault::UnknownZone(name) => Diagnostic::error(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("time zone \"{name}\" not recognized"),
            ),
            Fault::Range => {
                Diagnostic::error(overflow, format!("timestamp out of range: \"{shown}\""))
            }
            Fault::Infinite => return infinite(value),
        })
    }
}
