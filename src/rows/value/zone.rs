//! Offsets of the session's time zone for local times.
//!
//! Owns the mapping from a local time to its UTC offset, as PostgreSQL resolves it: a time
//! skipped by a change of clocks counts by the offset before it, a repeated one by the
//! offset after it. Remembers the stretch of time in which the last offset holds, so that
//! rows close in time cost a comparison. Never reads names.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

const SECONDS_PER_DAY: i64 = 86_400;

/// Seconds that local time may be apart from UTC, doubled: how far a stretch is kept from
/// the changes at its ends.
const MARGIN_S: i64 = 2 * SECONDS_PER_DAY;

/// The offsets of one zone.
#[derive(Clone, Debug)]
pub struct LocalOffsets {
    time_zone: TimeZone,
    /// Local seconds since 1970 from which, and before which, `offset_s` surely holds.
    from_s: i64,
    to_s: i64,
    offset_s: i64,
}

impl LocalOffsets {
    pub fn new(time_zone: TimeZone) -> Self {
        let (from_s, to_s, offset_s) = match time_zone.to_fixed_offset() {
            Ok(offset) => (i64::MIN, i64::MAX, i64::from(offset.seconds())),
            Err(_) => (0, 0, 0),
        };
        LocalOffsets {
            time_zone,
            from_s,
            to_s,
            offset_s,
        }
    }

    /// Seconds east of UTC at a local time, given as seconds since 1970-01-01 of that local
    /// time; `None` outside the years -9999 to 9999.
    #[inline]
    pub fn offset_s(&mut self, local_s: i64) -> Option<i64> {
        if self.from_s <= local_s && local_s < self.to_s {
            return Some(self.offset_s);
        }
        self.look_up(local_s)
    }

    fn look_up(&mut self, local_s: i64) -> Option<i64> {
        let offset = match self
            .time_zone
            .to_ambiguous_timestamp(civil(local_s)?)
            .offset()
        {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } => before,
            AmbiguousOffset::Fold { after, .. } => after,
        };
        let offset_s = i64::from(offset.seconds());
        if let Ok(timestamp) = Timestamp::from_second(local_s - offset_s) {
            let previous = self.time_zone.preceding(timestamp).next();
            let next = self.time_zone.following(timestamp).next();
            let from_s =
                previous.map_or(local_s, |change| change.timestamp().as_second() + MARGIN_S);
            let to_s = next.map_or(local_s + 1, |change| {
                change.timestamp().as_second() - MARGIN_S
            });
            if from_s <= local_s && local_s < to_s {
                (self.from_s, self.to_s, self.offset_s) = (from_s, to_s, offset_s);
            }
        }
        Some(offset_s)
    }
}

/// A local time from its seconds since 1970.
fn civil(local_s: i64) -> Option<DateTime> {
    // Taken as UTC: only the calendar is wanted.
    let timestamp = Timestamp::from_second(local_s).ok()?;
    Some(TimeZone::UTC.to_datetime(timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> i64 {
        let datetime: DateTime = text.parse().expect("a local time");
        TimeZone::UTC
            .to_timestamp(datetime)
            .expect("in range")
            .as_second()
    }

    fn offset(offsets: &mut LocalOffsets, text: &str) -> i64 {
        offsets.offset_s(local(text)).expect("in range")
    }

    #[test]
    fn a_skipped_hour_counts_by_the_offset_before_and_a_repeated_one_by_the_offset_after() {
        let zone = TimeZone::get("Europe/Oslo").expect("bundled");
        let mut offsets = LocalOffsets::new(zone);
        for (text, offset_s) in [
            ("2026-03-29T01:59:59", 3600),
            ("2026-03-29T02:30:00", 3600),
            ("2026-03-29T03:00:00", 7200),
            ("2026-10-25T01:59:59", 7200),
            ("2026-10-25T02:30:00", 3600),
            ("2026-10-25T03:00:00", 3600),
            ("2026-07-01T12:00:00", 7200),
            ("2026-12-01T12:00:00", 3600),
        ] {
            assert_eq!(offset(&mut offsets, text), offset_s, "{text}");
        }
    }

    #[test]
    fn what_is_remembered_is_what_would_be_looked_up() {
        for name in [
            "Europe/Oslo",
            "America/New_York",
            "Australia/Lord_Howe",
            "Asia/Kolkata",
        ] {
            let zone = TimeZone::get(name).expect("bundled");
            let mut warm = LocalOffsets::new(zone.clone());
            let mut at = local("1899-12-25T00:17:00");
            while at < local("2100-01-05T00:00:00") {
                let mut cold = LocalOffsets::new(zone.clone());
                assert_eq!(warm.offset_s(at), cold.offset_s(at), "{name} {at}");
                at += 13 * 3600 + 1801;
            }
        }
    }
}
