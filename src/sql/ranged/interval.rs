//! Spans of time that a condition adds to a moment: `now() - interval '1 day'`.
//!
//! Owns PostgreSQL's type `interval`: its text in words, as `1:30:00` and as ISO 8601, its binary
//! form, and its addition, months first, then days of the session's time zone, then the rest. Never
//! writes one.

use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::value::LocalOffsets;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

const US_PER_SECOND: i64 = 1_000_000;
const US_PER_DAY: i64 = 86_400 * US_PER_SECOND;

/// A span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interval {
    months: i64,
    days: i64,
    us: i64,
}

/// What a unit is a multiple of.
#[derive(Clone, Copy)]
enum Unit {
    Months(i64),
    Days(i64),
    Us(i64),
}

impl Interval {
    /// Reads the text form; `unit` is that of a number that names none.
    ///
    /// # Errors
    /// 22007 for what is no interval, 22008 for one that is too long.
    pub fn parse(text: &str, unit: Option<&str>) -> Result<Self, Box<Diagnostic>> {
        let invalid = || {
            Box::new(Diagnostic::error(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid input syntax for type interval: \"{text}\""),
            ))
        };
        let default = match unit {
            Some(name) => Unit::named(name).ok_or_else(invalid)?,
            None => Unit::Us(US_PER_SECOND),
        };
        let trimmed = text.trim();
        let read = match trimmed.strip_prefix(['P', 'p']) {
            Some(iso) => Self::of_iso(iso),
            None => Self::of_words(trimmed, default),
        };
        read.ok_or_else(invalid)
    }

    /// Takes the binary form: microseconds, days, months.
    ///
    /// # Errors
    /// 22P03.
    pub fn of_binary(value: &[u8]) -> Result<Self, Box<Diagnostic>> {
        let read = || {
            let (us, rest) = value.split_first_chunk::<8>()?;
            let (days, rest) = rest.split_first_chunk::<4>()?;
            let months: [u8; 4] = rest.try_into().ok()?;
            Some(Interval {
                months: i64::from(i32::from_be_bytes(months)),
                days: i64::from(i32::from_be_bytes(*days)),
                us: i64::from_be_bytes(*us),
            })
        };
        read().ok_or_else(|| {
            Box::new(Diagnostic::error(
                SqlState::INVALID_BINARY_REPRESENTATION,
                "incorrect binary data format for an interval",
            ))
        })
    }

    /// So many times as long; backwards where `times` is negative.
    pub fn times(self, times: i64) -> Option<Self> {
        Some(Interval {
            months: self.months.checked_mul(times)?,
            days: self.days.checked_mul(times)?,
            us: self.us.checked_mul(times)?,
        })
    }

    /// The moment so long after another one, in milliseconds since 1970; `None` beyond the years
    /// of a timestamp.
    pub fn after(self, ms: i64, time_zone: &TimeZone) -> Option<i64> {
        let mut at_ms = ms;
        if self.months != 0 || self.days != 0 {
            let timestamp = Timestamp::from_millisecond(ms).ok()?;
            let span = Span::new().try_months(self.months).ok()?;
            let later = time_zone.to_datetime(timestamp).checked_add(span).ok()?;
            let span = Span::new().try_days(self.days).ok()?;
            let later = later.checked_add(span).ok()?;
            // Taken as UTC: only the calendar is wanted.
            let local_ms = TimeZone::UTC.to_timestamp(later).ok()?.as_millisecond();
            let offset_s =
                LocalOffsets::new(time_zone.clone()).offset_s(local_ms.div_euclid(1000))?;
            at_ms = local_ms - offset_s * 1000;
        }
        let us = at_ms.checked_mul(1000)?.checked_add(self.us)?;
        // Half a millisecond counts as a whole one, as everywhere.
        Some(us.checked_add(500)?.div_euclid(1000))
    }

    fn add(&mut self, whole: i64, fraction: f64, unit: Unit) -> Option<()> {
        match unit {
            Unit::Months(months) if fraction == 0.0 => {
                self.months = self.months.checked_add(whole.checked_mul(months)?)?;
            }
            // A part of a month has no length of its own.
            Unit::Months(_) => return None,
            Unit::Days(days) => {
                self.days = self.days.checked_add(whole.checked_mul(days)?)?;
                let us = (fraction * (days * US_PER_DAY) as f64).round() as i64;
                self.us = self.us.checked_add(us)?;
            }
            Unit::Us(us) => {
                self.us = self.us.checked_add(whole.checked_mul(us)?)?;
                self.us = self.us.checked_add((fraction * us as f64).round() as i64)?;
            }
        }
        Some(())
    }

    /// `1 day 2 hours`, `1 mon -3 days 04:05:06.7 ago`.
    fn of_words(text: &str, default: Unit) -> Option<Self> {
        let mut interval = Interval::default();
        let mut found = false;
        let mut rest = text.trim_start_matches('@').trim_start();
        while !rest.is_empty() {
            if rest.eq_ignore_ascii_case("ago") {
                return found.then(|| interval.times(-1)).flatten();
            }
            let (number, behind) = split(rest, |c| !matches!(c, '+' | '-' | '0'..='9' | '.' | ':'));
            found = true;
            rest = behind.trim_start();
            if number.contains(':') {
                interval.add_time(number)?;
            } else {
                let (whole, fraction) = read_number(number)?;
                let (word, behind) = split(rest, |c| !c.is_ascii_alphabetic());
                let unit = match word {
                    "" => default,
                    // Behind a number without a unit.
                    word if word.eq_ignore_ascii_case("ago") => default,
                    word => {
                        rest = behind;
                        Unit::named(word)?
                    }
                };
                interval.add(whole, fraction, unit)?;
            }
            rest = rest.trim_start_matches([',', ' ', '\t']);
        }
        found.then_some(interval)
    }

    /// `HH:MM[:SS[.f]]`, with a sign or without.
    fn add_time(&mut self, text: &str) -> Option<()> {
        let (sign, text) = match text.strip_prefix('-') {
            Some(text) => (-1, text),
            None => (1, text.trim_start_matches('+')),
        };
        let mut parts = text.split(':');
        let whole = |part: Option<&str>| part?.parse::<u32>().ok().map(i64::from);
        let hours = whole(parts.next())?;
        let minutes = whole(parts.next()).filter(|minutes| *minutes < 60)?;
        let seconds = match parts.next() {
            Some(seconds) => seconds.parse::<f64>().ok()?,
            None => 0.0,
        };
        if parts.next().is_some() || !(0.0..60.0).contains(&seconds) {
            return None;
        }
        let us = (hours * 3600 + minutes * 60) * US_PER_SECOND
            + (seconds * US_PER_SECOND as f64).round() as i64;
        self.us = self.us.checked_add(sign * us)?;
        Some(())
    }

    /// ISO 8601 behind its P: `1Y2M3DT4H5M6S`.
    fn of_iso(text: &str) -> Option<Self> {
        let mut interval = Interval::default();
        let mut in_time = false;
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if first.eq_ignore_ascii_case(&'t') && !in_time {
                in_time = true;
                rest = &rest[1..];
                continue;
            }
            let (number, behind) = split(rest, |c| !matches!(c, '+' | '-' | '0'..='9' | '.'));
            let (whole, fraction) = read_number(number)?;
            let letter = behind.chars().next()?.to_ascii_uppercase();
            let unit = match (letter, in_time) {
                ('Y', false) => Unit::Months(12),
                ('M', false) => Unit::Months(1),
                ('W', false) => Unit::Days(7),
                ('D', false) => Unit::Days(1),
                ('H', true) => Unit::Us(3600 * US_PER_SECOND),
                ('M', true) => Unit::Us(60 * US_PER_SECOND),
                ('S', true) => Unit::Us(US_PER_SECOND),
                _ => return None,
            };
            interval.add(whole, fraction, unit)?;
            rest = &behind[1..];
        }
        (!text.is_empty()).then_some(interval)
    }
}

impl Unit {
    /// PostgreSQL's words for units.
    fn named(word: &str) -> Option<Unit> {
        Some(match word.to_ascii_lowercase().as_str() {
            "us" | "usec" | "usecs" | "microsecond" | "microseconds" => Unit::Us(1),
            "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => Unit::Us(1000),
            "s" | "sec" | "secs" | "second" | "seconds" => Unit::Us(US_PER_SECOND),
            "m" | "min" | "mins" | "minute" | "minutes" => Unit::Us(60 * US_PER_SECOND),
            "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Us(3600 * US_PER_SECOND),
            "d" | "day" | "days" => Unit::Days(1),
            "w" | "week" | "weeks" => Unit::Days(7),
            "mon" | "mons" | "month" | "months" => Unit::Months(1),
            "y" | "yr" | "yrs" | "year" | "years" => Unit::Months(12),
            "decade" | "decades" => Unit::Months(120),
            _ => return None,
        })
    }
}

/// The part up to the first character that is none of it, and what follows.
fn split(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// The whole part and the fraction, both with the sign.
fn read_number(text: &str) -> Option<(i64, f64)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let sign = if whole.starts_with('-') { -1.0 } else { 1.0 };
    let number: i64 = match whole {
        "" | "-" | "+" if !fraction.is_empty() => 0,
        whole => whole.parse().ok()?,
    };
    let fraction = match fraction {
        "" => 0.0,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("0.{digits}").parse::<f64>().ok()?
        }
        _ => return None,
    };
    Some((number, sign * fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (i64, i64, i64) {
        let Interval { months, days, us } = Interval::parse(text, None).expect(text);
        (months, days, us)
    }

    #[test]
    fn intervals_are_read_as_postgresql_reads_them() {
        const HOUR: i64 = 3_600_000_000;
        for (text, expected) in [
            ("1 day", (0, 1, 0)),
            ("-1 day", (0, -1, 0)),
            ("7d", (0, 7, 0)),
            ("2 weeks", (0, 14, 0)),
            ("1.5 hours", (0, 0, HOUR + HOUR / 2)),
            ("1.5 days", (0, 1, 12 * HOUR)),
            ("-0.5 s", (0, 0, -500_000)),
            (
                "1 year 2 mons -3 days 04:05:06.5",
                (14, -3, 4 * HOUR + 306_500_000),
            ),
            ("3 days ago", (0, -3, 0)),
            ("@ 1 minute", (0, 0, 60_000_000)),
            ("10", (0, 0, 10_000_000)),
            ("01:30", (0, 0, HOUR + HOUR / 2)),
            ("-01:00", (0, 0, -HOUR)),
            // As Python and psycopg2 write them.
            ("1 day, 0:00:01", (0, 1, 1_000_000)),
            ("-1 day, 23:00:00", (0, -1, 23 * HOUR)),
            ("1 days 3600.000000 seconds", (0, 1, HOUR)),
            ("P1Y2M3DT4H5M6S", (14, 3, 4 * HOUR + 306_000_000)),
            ("PT0.5S", (0, 0, 500_000)),
            ("P1W", (0, 7, 0)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(
            Interval::parse("2", Some("day")),
            Interval::parse("2 days", None)
        );
        for text in [
            "",
            "ago",
            "day",
            "1 moon",
            "1 day x",
            "P",
            "1.5 months",
            "1:2:3:4",
            "1:99",
        ] {
            let refusal = Interval::parse(text, None).expect_err(text);
            assert_eq!(refusal.sqlstate.code(), "22007", "{text}");
        }
    }

    #[test]
    fn days_are_those_of_the_sessions_zone_and_months_end_where_they_end() {
        let oslo = TimeZone::get("Europe/Oslo").expect("bundled");
        let at = |text: &str| {
            let timestamp: Timestamp = text.parse().expect("a time");
            timestamp.as_millisecond()
        };
        for (from, interval, to) in [
            // The clocks change in between: the day has 23 hours.
            ("2026-03-29T10:00:00Z", "-1 day", "2026-03-28T11:00:00Z"),
            ("2026-03-29T10:00:00Z", "-24 hours", "2026-03-28T10:00:00Z"),
            ("2026-03-31T10:00:00Z", "-1 month", "2026-02-28T11:00:00Z"),
            (
                "2026-01-31T10:00:00Z",
                "1 month 1 day",
                "2026-03-01T10:00:00Z",
            ),
            ("2026-01-31T10:00:00Z", "0.0004 s", "2026-01-31T10:00:00Z"),
        ] {
            let interval = Interval::parse(interval, None).expect(interval);
            assert_eq!(interval.after(at(from), &oslo), Some(at(to)), "{from}");
        }
        let forever = Interval::parse("99999 years", None).expect("an interval");
        assert_eq!(forever.after(0, &oslo), None);
    }

    #[test]
    fn the_binary_form_is_microseconds_days_and_months() {
        let mut binary = 5_i64.to_be_bytes().to_vec();
        binary.extend_from_slice(&(-2_i32).to_be_bytes());
        binary.extend_from_slice(&1_i32.to_be_bytes());
        let read = Interval::of_binary(&binary).expect("sound");
        assert_eq!((read.months, read.days, read.us), (1, -2, 5));
        assert!(Interval::of_binary(&binary[1..]).is_err());
    }
}
