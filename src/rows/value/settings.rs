//! What a session's settings say about reading values.
//!
//! Owns the settings at the start of a statement: they hold for all its rows, as in
//! PostgreSQL. Never follows a later SET.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The order of day, month and year where a date leaves it open: the second half of DateStyle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DateOrder {
    #[default]
    MonthDayYear,
    DayMonthYear,
    YearMonthDay,
}

/// The session's settings that change what a value means.
#[derive(Clone, Debug)]
pub struct ValueSettings {
    /// The zone of timestamps that name none.
    pub time_zone: TimeZone,
    pub date_order: DateOrder,
    /// When the statement (in a transaction: the transaction) began: what `now` stands for.
    pub started: Timestamp,
}

impl Default for ValueSettings {
    /// UTC and month before day, as a new PostgreSQL cluster; started now.
    fn default() -> Self {
        ValueSettings {
            time_zone: TimeZone::UTC,
            date_order: DateOrder::default(),
            started: Timestamp::now(),
        }
    }
}
