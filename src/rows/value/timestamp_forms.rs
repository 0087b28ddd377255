//! Reading timestamps in the other forms that PostgreSQL takes.
//!
//! Owns dates with month names, in the session's day and month order, without separators,
//! by day of year or Julian day; `now`, `today`, `epoch`; AM and PM, AD and BC; zones by
//! name, abbreviation and POSIX rule. Promises PostgreSQL's SQLSTATEs and messages. Runs
//! only for what the short way does not take, so clarity comes before speed.

use super::civil::{MS_PER_DAY, days_from_civil, days_in_month};
use super::settings::{DateOrder, ValueSettings};
use super::timestamp::{fraction_us, round_to_ms};
use super::timestamp_fault::Fault;
use super::timestamp_fields::{Field, split_fields};
use super::zone::LocalOffsets;
use super::zone_names::{NamedZone, find_zone};
use crate::diagnostic::Diagnostic;

/// Julian day of 1970-01-01.
const JULIAN_EPOCH_DAYS: i64 = 2_440_588;

/// Reads a timestamp; milliseconds since 1970 UTC.
pub fn parse(
    value: &[u8],
    settings: &ValueSettings,
    offsets: &mut LocalOffsets,
) -> Result<i64, Box<Diagnostic>> {
    read(value, settings, offsets, true).map_err(|fault| fault.diagnostic(value, true))
}

/// Reads a timestamp whose zone, if it names one, is to be passed over.
pub fn parse_local(
    value: &[u8],
    settings: &ValueSettings,
    offsets: &mut LocalOffsets,
) -> Result<i64, Box<Diagnostic>> {
    read(value, settings, offsets, false).map_err(|fault| fault.diagnostic(value, false))
}

/// Half of a day, for twelve-hour clocks.
#[derive(Clone, Copy, PartialEq)]
enum Meridiem {
    Before,
    After,
}

/// A day that is named by its distance from the start of the statement.
#[derive(Clone, Copy)]
enum Special {
    Now,
    Epoch,
    /// Midnight so many days after today.
    Day(i64),
}

/// What the fields have said so far.
#[derive(Default)]
struct Reading {
    year: Option<i64>,
    /// Digits of the year as written: two mean this century or the last.
    year_digits: usize,
    month: Option<i64>,
    month_named: bool,
    day: Option<i64>,
    /// Days since 1970, where the date was given as a whole.
    days: Option<i64>,
    time_us: Option<i64>,
    zone: Option<NamedZone>,
    meridiem: Option<Meridiem>,
    before_christ: bool,
    special: Option<Special>,
}

fn read(
    value: &[u8],
    settings: &ValueSettings,
    offsets: &mut LocalOffsets,
    zoned: bool,
) -> Result<i64, Fault> {
    let text = std::str::from_utf8(value).map_err(|_| Fault::Syntax)?;
    let mut reading = Reading::default();
    for field in split_fields(text).ok_or(Fault::Syntax)? {
        match field {
            Field::Date(parts) => reading.date(&parts, settings.date_order)?,
            Field::Time(time) => reading.time(&time)?,
            Field::Number(digits) => reading.number(&digits, settings.date_order)?,
            Field::Offset { west, digits } => {
                reading.zone(NamedZone::Fixed(offset_s(west, &digits)?))?
            }
            Field::Word(word) => reading.word(&word)?,
        }
    }
    if !zoned {
        reading.zone = None;
    }
    reading.finish(settings, offsets)
}

fn integer(digits: &str) -> Result<i64, Fault> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Syntax);
    }
    digits.parse().map_err(|_| Fault::Field)
}

/// Seconds east of UTC of `HH`, `HHMM`, `HH:MM` or `HH:MM:SS`.
fn offset_s(west: bool, digits: &str) -> Result<i64, Fault> {
    let mut parts = digits.split(':');
    let hours = parts.next().unwrap_or_default();
    let (hours, minutes, seconds) = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) if hours.len() > 2 => {
            let (hours, minutes) = hours.split_at(hours.len() - 2);
            (integer(hours)?, integer(minutes)?, 0)
        }
        (None, ..) => (integer(hours)?, 0, 0),
        (Some(minutes), None, _) => (integer(hours)?, integer(minutes)?, 0),
        (Some(minutes), Some(seconds), None) => {
            (integer(hours)?, integer(minutes)?, integer(seconds)?)
        }
        _ => return Err(Fault::Syntax),
    };
    if hours > 15 || minutes > 59 || seconds > 59 {
        return Err(Fault::Displacement);
    }
    let offset_s = (hours * 60 + minutes) * 60 + seconds;
    Ok(if west { -offset_s } else { offset_s })
}

impl Reading {
    fn has_date(&self) -> bool {
        self.days.is_some() || (self.year.is_some() && self.month.is_some() && self.day.is_some())
    }

    fn zone(&mut self, zone: NamedZone) -> Result<(), Fault> {
        if self.zone.replace(zone).is_some() {
            return Err(Fault::Syntax);
        }
        Ok(())
    }

    /// A date with separators.
    fn date(&mut self, parts: &[String], order: DateOrder) -> Result<(), Fault> {
        if self.has_date() || self.month.is_some() || self.year.is_some() || self.day.is_some() {
            return Err(Fault::Syntax);
        }
        if let [year, day_of_year] = parts {
            // `2026.305`: the day of the year.
            if year.len() != 4 || day_of_year.len() != 3 {
                return Err(Fault::Syntax);
            }
            let (year, day_of_year) = (integer(year)?, integer(day_of_year)?);
            let days_of_year = 337 + days_in_month(year, 2);
            if year == 0 || !(1..=days_of_year).contains(&day_of_year) {
                return Err(Fault::Field);
            }
            self.days = Some(days_from_civil(year, 1, 1) + day_of_year - 1);
            return Ok(());
        }
        let [first, second, third] = parts else {
            return Err(Fault::Syntax);
        };
        if let Some(month) = month_number(first) {
            (self.month, self.month_named) = (Some(month), true);
            self.day = Some(integer(second)?);
            return self.set_year(third);
        }
        if let Some(month) = month_number(second) {
            (self.month, self.month_named) = (Some(month), true);
            let year_first = order == DateOrder::YearMonthDay && third.len() <= 2;
            let (year, day) = if first.len() > 2 || year_first {
                (first, third)
            } else {
                (third, first)
            };
            self.day = Some(integer(day)?);
            return self.set_year(year);
        }
        let (year, month, day) = match order {
            _ if first.len() > 2 => (first, second, third),
            DateOrder::YearMonthDay => (first, second, third),
            DateOrder::MonthDayYear => (third, first, second),
            DateOrder::DayMonthYear => (third, second, first),
        };
        self.month = Some(integer(month)?);
        self.day = Some(integer(day)?);
        self.set_year(year)
    }

    fn set_year(&mut self, digits: &str) -> Result<(), Fault> {
        self.year = Some(integer(digits)?);
        self.year_digits = digits.len();
        Ok(())
    }

    /// `HH:MM`, `HH:MM:SS`, `HH:MM:SS.f`.
    fn time(&mut self, time: &str) -> Result<(), Fault> {
        let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
        let mut parts = clock.split(':');
        let hour = integer(parts.next().unwrap_or_default())?;
        let minute = integer(parts.next().unwrap_or_default())?;
        let second = parts.next().map_or(Ok(0), integer)?;
        if parts.next().is_some() {
            return Err(Fault::Syntax);
        }
        self.set_time(hour, minute, second, fraction)
    }

    fn set_time(
        &mut self,
        hour: i64,
        minute: i64,
        second: i64,
        fraction: &str,
    ) -> Result<(), Fault> {
        if self.time_us.is_some() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Fault::Syntax);
        }
        let fraction_us = fraction_us(fraction.as_bytes());
        // A leap second and the end of a day are the first moment of what follows.
        let whole_day = hour == 24 && minute == 0 && second == 0 && fraction_us == 0;
        if (hour > 23 && !whole_day) || minute > 59 || second > 60 {
            return Err(Fault::Field);
        }
        self.time_us = Some(((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction_us);
        Ok(())
    }

    /// Digits that stand alone.
    fn number(&mut self, digits: &str, order: DateOrder) -> Result<(), Fault> {
        if let Some((whole, fraction)) = digits.split_once('.') {
            // `101010.5`: a time of day with a fraction.
            if self.has_date() && whole.len() == 6 {
                let clock = integer(whole)?;
                return self.set_time(clock / 10_000, clock / 100 % 100, clock % 100, fraction);
            }
            return Err(Fault::Syntax);
        }
        let number = integer(digits)?;
        if self.has_date() {
            return match digits.len() {
                4 => self.set_time(number / 100, number % 100, 0, ""),
                6 => self.set_time(number / 10_000, number / 100 % 100, number % 100, ""),
                _ => Err(Fault::Syntax),
            };
        }
        let untouched = self.year.is_none() && self.month.is_none() && self.day.is_none();
        match digits.len() {
            6.. if untouched => {
                (self.year, self.year_digits) = (Some(number / 10_000), digits.len() - 4);
                (self.month, self.day) = (Some(number / 100 % 100), Some(number % 100));
            }
            // `1 Nov 2026` where the year comes first: it was the day after all.
            3.. if self.month_named && self.year_digits <= 2 && self.day.is_none() => {
                self.day = self.year.replace(number);
                self.year_digits = digits.len();
            }
            3.. if self.year.is_none() => {
                (self.year, self.year_digits) = (Some(number), digits.len())
            }
            3.. => return Err(Fault::Syntax),
            _ => {
                let slots = match order {
                    _ if self.month_named => [2, 0, 1],
                    DateOrder::MonthDayYear => [1, 2, 0],
                    DateOrder::DayMonthYear => [2, 1, 0],
                    DateOrder::YearMonthDay => [0, 1, 2],
                };
                let free = slots.into_iter().find(|slot| match slot {
                    0 => self.year.is_none(),
                    1 => self.month.is_none(),
                    _ => self.day.is_none(),
                });
                match free {
                    Some(0) => (self.year, self.year_digits) = (Some(number), digits.len()),
                    Some(1) => self.month = Some(number),
                    Some(_) => self.day = Some(number),
                    None => return Err(Fault::Syntax),
                }
            }
        }
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Fault> {
        if let Some(month) = month_number(word) {
            if self.month_named {
                return Err(Fault::Syntax);
            }
            // `1 Nov 2026`: the number before a month's name was the day.
            if let Some(number) = self.month.replace(month) {
                if self.day.is_some() {
                    return Err(Fault::Syntax);
                }
                self.day = Some(number);
            }
            self.month_named = true;
            return Ok(());
        }
        let special = match word {
            "am" => return self.meridiem(Meridiem::Before),
            "pm" => return self.meridiem(Meridiem::After),
            "ad" | "a.d." => return Ok(()),
            "bc" | "b.c." => {
                self.before_christ = true;
                return Ok(());
            }
            "at" | "on" => return Ok(()),
            "infinity" | "inf" | "+infinity" | "-infinity" => return Err(Fault::Infinite),
            "now" => Some(Special::Now),
            "epoch" => Some(Special::Epoch),
            "today" => Some(Special::Day(0)),
            "tomorrow" => Some(Special::Day(1)),
            "yesterday" => Some(Special::Day(-1)),
            _ if is_day_name(word) => return Ok(()),
            _ => None,
        };
        if let Some(special) = special {
            if self.special.replace(special).is_some() {
                return Err(Fault::Syntax);
            }
            return Ok(());
        }
        if let Some(days) = word.strip_prefix('j').and_then(|days| integer(days).ok()) {
            self.days = Some(days - JULIAN_EPOCH_DAYS);
            return Ok(());
        }
        match find_zone(word) {
            Some(zone) => self.zone(zone),
            None if word.contains('/') => Err(Fault::UnknownZone(word.to_owned())),
            None => Err(Fault::Syntax),
        }
    }

    fn meridiem(&mut self, meridiem: Meridiem) -> Result<(), Fault> {
        if self.meridiem.replace(meridiem).is_some() {
            return Err(Fault::Syntax);
        }
        Ok(())
    }

    /// Milliseconds since 1970 UTC of all that was read.
    fn finish(self, settings: &ValueSettings, offsets: &mut LocalOffsets) -> Result<i64, Fault> {
        let days = match self.special {
            Some(_) if self.days.is_some() || self.year.is_some() => return Err(Fault::Syntax),
            Some(Special::Now) => return Ok(settings.started.as_millisecond()),
            Some(Special::Epoch) => return Ok(0),
            Some(Special::Day(days)) => {
                let today = settings.time_zone.to_datetime(settings.started).date();
                let (year, month, day) = (today.year(), today.month(), today.day());
                days_from_civil(year.into(), month.into(), day.into()) + days
            }
            None => match self.days {
                Some(days) => days,
                None => self.calendar_days()?,
            },
        };
        let mut time_us = self.time_us.unwrap_or(0);
        if let Some(meridiem) = self.meridiem {
            const HOUR_US: i64 = 3_600_000_000;
            let hour = time_us / HOUR_US;
            if self.time_us.is_none() || hour > 12 {
                return Err(Fault::Field);
            }
            time_us = match (meridiem, hour) {
                (Meridiem::Before, 12) => time_us - 12 * HOUR_US,
                (Meridiem::After, 0..=11) => time_us + 12 * HOUR_US,
                _ => time_us,
            };
        }
        let local_ms = days
            .checked_mul(MS_PER_DAY)
            .ok_or(Fault::Range)?
            .checked_add(round_to_ms(time_us))
            .ok_or(Fault::Range)?;
        let local_s = local_ms.div_euclid(1000);
        let offset_s = match self.zone {
            Some(NamedZone::Fixed(offset_s)) => offset_s,
            Some(NamedZone::Rules(zone)) => LocalOffsets::new(zone)
                .offset_s(local_s)
                .ok_or(Fault::Range)?,
            None => offsets.offset_s(local_s).ok_or(Fault::Range)?,
        };
        Ok(local_ms - offset_s * 1000)
    }

    fn calendar_days(&self) -> Result<i64, Fault> {
        let (Some(year), Some(month), Some(day)) = (self.year, self.month, self.day) else {
            return Err(Fault::Syntax);
        };
        let year = match year {
            _ if self.before_christ && year >= 1 => 1 - year,
            0 if self.year_digits > 2 => return Err(Fault::Field),
            0..=69 if self.year_digits <= 2 => year + 2000,
            70..=99 if self.year_digits <= 2 => year + 1900,
            year => year,
        };
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(Fault::MonthOrDay);
        }
        if day > days_in_month(year, month) {
            return Err(Fault::Field);
        }
        if !(-4713..=9999).contains(&year) {
            return Err(Fault::Range);
        }
        Ok(days_from_civil(year, month, day))
    }
}

/// 1 to 12 for an English month's name or its short form.
fn month_number(word: &str) -> Option<i64> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    if word == "sept" {
        return Some(9);
    }
    let index = NAMES
        .iter()
        .position(|name| word == *name || word == &name[..3])?;
    Some(index as i64 + 1)
}

/// Whether the word is an English day of the week; it says nothing that the date does not.
fn is_day_name(word: &str) -> bool {
    const NAMES: [&str; 7] = [
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ];
    NAMES
        .iter()
        .any(|name| word.len() >= 3 && word.len() <= 5 && name.starts_with(word) || word == *name)
}
