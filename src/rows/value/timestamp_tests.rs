//! Timestamps as PostgreSQL reads them, and where reading differs on purpose.

use super::{DateOrder, TimestampReader, ValueSettings};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn reader(zone: &str, order: &str) -> TimestampReader {
    TimestampReader::new(ValueSettings {
        time_zone: TimeZone::get(zone).expect("a zone of the bundled database"),
        date_order: match order {
            "DMY" => DateOrder::DayMonthYear,
            "YMD" => DateOrder::YearMonthDay,
            _ => DateOrder::MonthDayYear,
        },
        started: Timestamp::from_millisecond(1_793_491_200_123).expect("in range"),
    })
}

/// Literals that PostgreSQL refuses for the order of their parts and we read all the same.
const READ_ALL_THE_SAME: [&str; 2] = ["10:10 2026-11-01", "04:05:06 2026-01-08"];

#[test]
fn literals_mean_what_they_mean_in_postgresql() {
    let mut checked = 0;
    let mut differences = Vec::new();
    for line in include_str!("expected/timestamps.tsv").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [zone, order, literal, ref expected @ ..] = fields[..] else {
            continue;
        };
        if READ_ALL_THE_SAME.contains(&literal) {
            continue;
        }
        let found = match reader(zone, order).parse(literal.as_bytes()) {
            Ok(ms) => vec![ms.to_string()],
            Err(refusal) => {
                let mut found = vec![refusal.sqlstate.code().to_owned(), refusal.message];
                found.extend(refusal.hint);
                found
            }
        };
        if found != expected {
            differences.push(format!(
                "{zone} {order} {literal:?}: {found:?}, not {expected:?}"
            ));
        }
        checked += 1;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(checked > 300, "the list was read");
}

#[test]
fn infinity_is_refused_because_cdf_has_none() {
    for literal in ["infinity", "-infinity", " Infinity "] {
        let refusal = reader("UTC", "MDY")
            .parse(literal.as_bytes())
            .expect_err(literal);
        assert_eq!(refusal.sqlstate.code(), "22008");
        assert!(refusal.hint.is_some());
    }
    assert!(reader("UTC", "MDY").from_binary(i64::MAX).is_err());
    assert!(reader("UTC", "MDY").from_binary(i64::MIN).is_err());
}

#[test]
fn years_beyond_9999_are_out_of_range() {
    let refusal = reader("Europe/Oslo", "MDY")
        .parse(b"99999-01-01")
        .expect_err("too far away");
    assert_eq!(refusal.sqlstate.code(), "22008");
}

#[test]
fn words_for_a_day_count_from_the_start_of_the_statement() {
    // 2026-11-01 00:00:00.123 UTC is the evening before in New York.
    for (zone, literal, ms) in [
        ("UTC", "now", 1_793_491_200_123),
        ("UTC", "today", 1_793_491_200_000),
        ("UTC", "tomorrow 08:00 PM", 1_793_649_600_000),
        ("America/New_York", "today", 1_793_419_200_000),
        ("UTC", "yesterday", 1_793_404_800_000),
    ] {
        assert_eq!(
            reader(zone, "MDY").parse(literal.as_bytes()),
            Ok(ms),
            "{zone} {literal}"
        );
    }
}

#[test]
fn a_zone_in_a_local_timestamp_has_no_meaning() {
    let mut reader = reader("Europe/Oslo", "MDY");
    let noon = reader.parse(b"2026-11-01 12:00:00").expect("valid");
    assert_eq!(reader.parse_local(b"2026-11-01 12:00:00-08"), Ok(noon));
}

#[test]
fn binary_forms_are_rounded_and_put_into_the_zone() {
    let mut oslo = reader("Europe/Oslo", "MDY");
    assert_eq!(oslo.from_binary(0), Ok(946_684_800_000));
    assert_eq!(oslo.from_binary(499), Ok(946_684_800_000));
    assert_eq!(oslo.from_binary(500), Ok(946_684_800_001));
    assert_eq!(oslo.from_binary(-500), Ok(946_684_800_000));
    assert_eq!(oslo.from_binary(-501), Ok(946_684_799_999));
    assert_eq!(oslo.from_binary_local(0), Ok(946_681_200_000));
    assert_eq!(oslo.from_binary_date(0), Ok(946_681_200_000));
    assert!(oslo.from_binary_date(i32::MAX).is_err());
}

proptest! {
    #[test]
    fn iso_timestamps_agree_with_jiff(
        ms in -62_135_596_800_000i64..253_370_764_800_000,
        offset_minutes in -15 * 60i32..15 * 60,
        decimals in 0usize..4,
        with_t in any::<bool>(),
    ) {
        let scale = 10i64.pow(3 - decimals as u32);
        let ms = ms.div_euclid(scale) * scale;
        let zone = TimeZone::fixed(
            jiff::tz::Offset::from_seconds(offset_minutes * 60).expect("below a day"),
        );
        let local = zone.to_datetime(Timestamp::from_millisecond(ms).expect("in range"));
        prop_assume!((1..=9999).contains(&local.year()));
        let mut text = local.strftime(if with_t { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string();
        if decimals > 0 {
            let fraction = format!("{:03}", ms.rem_euclid(1000));
            text.push('.');
            text.push_str(&fraction[..decimals]);
        }
        let sign = if offset_minutes < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset_minutes.abs() / 60, offset_minutes.abs() % 60);
        text.push_str(&match minutes {
            0 => format!("{sign}{hours:02}"),
            minutes => format!("{sign}{hours:02}:{minutes:02}"),
        });
        prop_assert_eq!(reader("Europe/Oslo", "MDY").parse(text.as_bytes()), Ok(ms), "{}", text);
    }

    #[test]
    fn the_short_way_and_the_long_way_agree(
        text in "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]([ T][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{0,8})?)?( ?(Z|[+-][01][0-9](:?[0-6][0-9])?))?)?"
    ) {
        let mut short = reader("America/New_York", "MDY");
        // Quotes are passed over by the long way and unknown to the short one.
        let mut long = short.clone();
        let quoted = format!("'{text}'");
        let short = short.parse(text.as_bytes()).map_err(|refusal| refusal.sqlstate);
        let long = long.parse(quoted.as_bytes()).map_err(|refusal| refusal.sqlstate);
        prop_assert_eq!(short, long, "{}", text);
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..48)) {
        let _ = reader("Europe/Oslo", "DMY").parse(&bytes);
    }

    #[test]
    fn words_and_numbers_never_panic(text in "[0-9a-zTZ:+./ -]{0,40}") {
        let mut reader = reader("Europe/Oslo", "DMY");
        let _ = reader.parse(text.as_bytes());
        let _ = reader.parse_local(text.as_bytes());
    }
}
