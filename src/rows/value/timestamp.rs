//! Reading timestamps: the short way for ISO 8601, which nearly every client sends.
//!
//! Owns the reader of `timestamp with time zone` and its memory of the last date and zone
//! offset. Promises milliseconds since 1970-01-01 UTC: PostgreSQL's microseconds, rounded to
//! the nearest millisecond, half up. Years -4713 to 9999. Other forms are read by
//! [`super::timestamp_forms`].

use super::civil::{MS_PER_DAY, days_from_civil, days_in_month};
use super::refusal::quoted;
use super::settings::ValueSettings;
use super::timestamp_forms;
use super::zone::LocalOffsets;
use crate::diagnostic::{Diagnostic, SqlState};

/// Microseconds between 1970-01-01 and 2000-01-01, where PostgreSQL's binary form begins.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// Days between 1970-01-01 and 2000-01-01.
const POSTGRES_EPOCH_DAYS: i64 = 10_957;

/// Reads timestamps of one statement.
#[derive(Clone, Debug)]
pub struct TimestampReader {
    settings: ValueSettings,
    offsets: LocalOffsets,
    /// The date read last, as written, and its days since 1970.
    date: [u8; 10],
    days: i64,
}

/// A time of day with what follows it still to be read.
struct TimeOfDay<'a> {
    ms: i64,
    rest: &'a [u8],
}

impl TimestampReader {
    pub fn new(settings: ValueSettings) -> Self {
        TimestampReader {
            offsets: LocalOffsets::new(settings.time_zone.clone()),
            settings,
            date: *b"1970-01-01",
            days: 0,
        }
    }

    /// Reads the text form of `timestamp with time zone`.
    ///
    /// # Errors
    /// 22007 for what is no timestamp, 22008 for fields out of range and for infinity, 22009
    /// and 22023 for zones.
    #[inline]
    pub fn parse(&mut self, value: &[u8]) -> Result<i64, Box<Diagnostic>> {
        match self.parse_iso(value) {
            Some(ms) => Ok(ms),
            None => timestamp_forms::parse(value, &self.settings, &mut self.offsets),
        }
    }

    /// Reads the text form of `timestamp without time zone`: a zone in it has no meaning, the
    /// session's holds.
    ///
    /// # Errors
    /// As [`TimestampReader::parse`].
    pub fn parse_local(&mut self, value: &[u8]) -> Result<i64, Box<Diagnostic>> {
        timestamp_forms::parse_local(value, &self.settings, &mut self.offsets)
    }

    /// Takes the binary form of `timestamp with time zone`: microseconds since 2000-01-01 UTC.
    ///
    /// # Errors
    /// 22008 for infinity and for times beyond the range of a timestamp.
    #[inline]
    pub fn from_binary(&self, since_2000_us: i64) -> Result<i64, Box<Diagnostic>> {
        if since_2000_us == i64::MAX || since_2000_us == i64::MIN {
            return Err(infinite(if since_2000_us > 0 {
                b"infinity"
            } else {
                b"-infinity"
            }));
        }
        Ok(since_2000_us_to_ms(since_2000_us))
    }

    /// Takes the binary form of `timestamp without time zone`, in the session's zone.
    ///
    /// # Errors
    /// As [`TimestampReader::from_binary`].
    pub fn from_binary_local(&mut self, since_2000_us: i64) -> Result<i64, Box<Diagnostic>> {
        let local_ms = self.from_binary(since_2000_us)?;
        self.local_to_utc(local_ms).ok_or_else(out_of_range)
    }

    /// Takes the binary form of `date`: days since 2000-01-01, midnight in the session's zone.
    ///
    /// # Errors
    /// 22008 for infinity and for dates beyond the range of a timestamp.
    pub fn from_binary_date(&mut self, since_2000_days: i32) -> Result<i64, Box<Diagnostic>> {
        match since_2000_days {
            i32::MAX => return Err(infinite(b"infinity")),
            i32::MIN => return Err(infinite(b"-infinity")),
            _ => {}
        }
        let local_ms = (i64::from(since_2000_days) + POSTGRES_EPOCH_DAYS) * MS_PER_DAY;
        self.local_to_utc(local_ms).ok_or_else(out_of_range)
    }

    #[inline]
    fn local_to_utc(&mut self, local_ms: i64) -> Option<i64> {
        let offset_s = self.offsets.offset_s(local_ms.div_euclid(1000))?;
        Some(local_ms - offset_s * 1000)
    }

    /// `YYYY-MM-DD`, and perhaps `[ T]HH:MM[:SS[.f…]]`, blanks, `Z` or `±HH[[:]MM[:SS]]`.
    /// `None` for everything else, valid or not.
    #[inline]
    pub(super) fn parse_iso(&mut self, value: &[u8]) -> Option<i64> {
        let (date, rest) = value.split_first_chunk::<10>()?;
        if *date != self.date {
            self.days = parse_date(date)?;
            self.date = *date;
        }
        let midnight_ms = self.days * MS_PER_DAY;
        let time = match rest {
            [] => return self.local_to_utc(midnight_ms),
            [b' ' | b'T', rest @ ..] => parse_time(rest)?,
            _ => return None,
        };
        let local_ms = midnight_ms + time.ms;
        match time.rest {
            [] => self.local_to_utc(local_ms),
            b"+00" | b"Z" => Some(local_ms),
            zone => Some(local_ms - parse_offset_s(zone)? * 1000),
        }
    }
}

/// Milliseconds since 1970 of PostgreSQL's binary form; an infinity becomes a time far away.
#[inline]
pub(super) fn since_2000_us_to_ms(since_2000_us: i64) -> i64 {
    round_to_ms(since_2000_us) + POSTGRES_EPOCH_US / 1000
}

/// Days since 1970 of `YYYY-MM-DD`.
#[inline]
fn parse_date(date: &[u8; 10]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else {
        return None;
    };
    let year = two_digits(*y1, *y2)? * 100 + two_digits(*y3, *y4)?;
    let month = two_digits(*m1, *m2)?;
    let day = two_digits(*d1, *d2)?;
    let valid =
        year >= 1 && (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
    valid.then(|| days_from_civil(year, month, day))
}

#[inline]
fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    let tens = tens.wrapping_sub(b'0');
    let ones = ones.wrapping_sub(b'0');
    (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// `HH:MM` with optional seconds and fraction, below 24:00.
#[inline]
fn parse_time(value: &[u8]) -> Option<TimeOfDay<'_>> {
    let Some((clock, rest)) = value.split_first_chunk::<8>() else {
        return parse_minutes(value);
    };
    let Some((hour, minute, second)) = parse_clock(*clock) else {
        return parse_minutes(value);
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let ms = ((hour * 60 + minute) * 60 + second) * 1000;
    match rest {
        [b'.', rest @ ..] => {
            let digits = rest
                .iter()
                .position(|byte| !byte.is_ascii_digit())
                .unwrap_or(rest.len());
            let (fraction, rest) = rest.split_at(digits);
            Some(TimeOfDay {
                ms: ms + round_to_ms(fraction_us(fraction)),
                rest,
            })
        }
        rest => Some(TimeOfDay { ms, rest }),
    }
}

/// `HH:MM` without seconds.
#[inline]
fn parse_minutes(value: &[u8]) -> Option<TimeOfDay<'_>> {
    let ([h1, h2, b':', m1, m2], rest) = value.split_first_chunk::<5>()? else {
        return None;
    };
    let hour = two_digits(*h1, *h2)?;
    let minute = two_digits(*m1, *m2)?;
    let ends = !matches!(rest, [b':' | b'.' | b'0'..=b'9', ..]);
    (hour < 24 && minute < 60 && ends).then_some(TimeOfDay {
        ms: (hour * 60 + minute) * 60_000,
        rest,
    })
}

/// Hours, minutes and seconds of `HH:MM:SS`, all eight bytes looked at together.
#[inline]
fn parse_clock(clock: [u8; 8]) -> Option<(i64, i64, i64)> {
    // After the exclusive or, digits are 0 to 9 and colons are 0; the sum carries into the
    // high bit of a byte that is more than that.
    let digits = u64::from_le_bytes(clock) ^ u64::from_le_bytes(*b"00:00:00");
    let carried = digits.wrapping_add(u64::from_le_bytes([
        0x76, 0x76, 0x7f, 0x76, 0x76, 0x7f, 0x76, 0x76,
    ]));
    if (digits | carried) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let [h1, h2, _, m1, m2, _, s1, s2] = digits.to_le_bytes();
    let number = |tens: u8, ones: u8| i64::from(tens * 10 + ones);
    Some((number(h1, h2), number(m1, m2), number(s1, s2)))
}

/// Microseconds of the digits behind a point; the seventh rounds, as PostgreSQL does.
#[inline]
pub(super) fn fraction_us(digits: &[u8]) -> i64 {
    let mut us = 0;
    for index in 0..6 {
        let digit = digits.get(index).map_or(0, |byte| byte - b'0');
        us = us * 10 + i64::from(digit);
    }
    let rounds_up = digits.get(6).is_some_and(|digit| *digit >= b'5');
    us + i64::from(rounds_up)
}

/// Milliseconds nearest to microseconds, half up.
#[inline]
pub(super) fn round_to_ms(us: i64) -> i64 {
    us.saturating_add(500).div_euclid(1000)
}

/// Seconds east of UTC of `Z`, `±HH`, `±HHMM`, `±HH:MM` or `±HH:MM:SS`, after blanks.
#[inline]
fn parse_offset_s(zone: &[u8]) -> Option<i64> {
    let zone = super::blanks::skip_leading(zone);
    let (west, digits) = match zone {
        b"Z" | b"z" => return Some(0),
        [b'+', digits @ ..] => (false, digits),
        [b'-', digits @ ..] => (true, digits),
        _ => return None,
    };
    let (hours, minutes, seconds) = match digits {
        [h1, h2] => (two_digits(*h1, *h2)?, 0, 0),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => {
            (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?, 0)
        }
        [h1, h2, b':', m1, m2, b':', s1, s2] => (
            two_digits(*h1, *h2)?,
            two_digits(*m1, *m2)?,
            two_digits(*s1, *s2)?,
        ),
        _ => return None,
    };
    if hours > 15 || minutes > 59 || seconds > 59 {
        return None;
    }
    let offset_s = (hours * 60 + minutes) * 60 + seconds;
    Some(if west { -offset_s } else { offset_s })
}

/// 22008: CDF has no infinite time.
#[cold]
pub(super) fn infinite(value: &[u8]) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("timestamp out of range: \"{}\"", quoted(value)),
        )
        .with_hint("CDF has no infinite timestamps."),
    )
}

/// 22008 for a value without text.
#[cold]
fn out_of_range() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::DATETIME_FIELD_OVERFLOW,
        "timestamp out of range",
    ))
}
