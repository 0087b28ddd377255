//! The values of conditions as what CDF compares: whole numbers, milliseconds, words.
//!
//! Owns the way from PostgreSQL's text form. Promises either the same value or none: what cannot
//! be compared exactly is not read, and its condition stays with PostgreSQL. Never rounds to the
//! nearest, as a bound that moves would lose rows.

use super::condition::{Bound, Condition};
use crate::rows::value::{TimestampReader, ValueSettings};

/// CDF's ids: 1 to 2^53 - 1.
const ID_MAX: i64 = (1 << 53) - 1;

const US_PER_MS: i64 = 1000;

/// Whole numbers between two ends, both included; an end that is `None` is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub from: Option<i64>,
    pub to: Option<i64>,
}

impl Span {
    /// Nothing lies between the ends.
    pub fn is_empty(self) -> bool {
        matches!((self.from, self.to), (Some(from), Some(to)) if from > to)
    }

    pub fn has(self, value: i64) -> bool {
        self.from.is_none_or(|from| from <= value) && self.to.is_none_or(|to| value <= to)
    }

    /// What lies in both.
    pub fn and(self, other: Span) -> Span {
        Span {
            from: self.from.max(other.from),
            to: match (self.to, other.to) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
        }
    }
}

/// A whole number, as PostgreSQL reads `bigint`.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.trim_matches(|character: char| character.is_ascii_whitespace())
        .parse()
        .ok()
}

/// Ids that objects can have; of other numbers there is no object. `None`: one is no number.
pub(super) fn ids(values: &[String]) -> Option<Vec<i64>> {
    let ids = values
        .iter()
        .map(|value| integer(value))
        .collect::<Option<Vec<i64>>>()?;
    let mut ids: Vec<i64> = ids
        .into_iter()
        .filter(|id| (1..=ID_MAX).contains(id))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    Some(ids)
}

/// Texts that fit into a field of so many characters; longer ones are nobody's. `None`: one is
/// empty, which CDF has no filter for.
pub(super) fn texts(values: &[String], characters_max: usize) -> Option<Vec<String>> {
    if values.iter().any(String::is_empty) {
        return None;
    }
    let mut texts: Vec<String> = values
        .iter()
        .filter(|value| value.chars().count() <= characters_max)
        .cloned()
        .collect();
    texts.sort_unstable();
    texts.dedup();
    Some(texts)
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "t" | "true" => Some(true),
        "f" | "false" => Some(false),
        _ => None,
    }
}

/// Microseconds since 1970-01-01 UTC; a time without a zone is in UTC.
pub(super) fn time_us(text: &str) -> Option<i64> {
    time_us_in(text, &ValueSettings::default(), false)
}

/// The same by the settings of a session. Of a local time a zone in the text means nothing.
pub(super) fn time_us_in(text: &str, settings: &ValueSettings, is_local: bool) -> Option<i64> {
    // `now`, `infinity`, `epoch`: not the same at every moment, or nothing that CDF has.
    if !text.starts_with(|character: char| character.is_ascii_digit()) {
        return None;
    }
    let (text, rest_us) = without_microseconds(text)?;
    let mut reader = TimestampReader::new(settings.clone());
    let ms = match is_local {
        true => reader.parse_local(text.as_bytes()),
        false => reader.parse(text.as_bytes()),
    };
    ms.ok()?.checked_mul(US_PER_MS)?.checked_add(rest_us)
}

/// The text with its seconds cut to milliseconds, and the microseconds cut off; `None`: there are
/// digits that PostgreSQL would round.
fn without_microseconds(text: &str) -> Option<(String, i64)> {
    let Some(point) = text.find('.') else {
        return Some((text.to_owned(), 0));
    };
    let (head, tail) = text.split_at(point);
    let is_after_seconds = head.len() >= 3 && head.as_bytes()[head.len() - 3] == b':';
    if !is_after_seconds || text.matches('.').count() > 1 {
        return None;
    }
    let fraction = &tail[1..];
    let digits = fraction
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(fraction.len());
    let (digits, rest) = fraction.split_at(digits);
    if digits.len() <= 3 {
        return Some((text.to_owned(), 0));
    }
    let (milliseconds, microseconds) = digits.split_at(3);
    if microseconds.len() > 3 {
        return None;
    }
    let us: i64 = format!("{microseconds:0<3}").parse().ok()?;
    Some((format!("{head}.{milliseconds}{rest}"), us))
}

/// The whole numbers that a condition lets through, if it says nothing else of them.
pub(super) fn integers(condition: &Condition) -> Option<Span> {
    span(condition, integer)
}

/// The milliseconds whose times a condition lets through. CDF's times are whole milliseconds, so
/// bounds between two of them move inwards.
pub(super) fn times_ms(condition: &Condition) -> Option<Span> {
    match condition {
        Condition::OneOf { values, .. } => match values.as_slice() {
            [one] => {
                let us = time_us(one)?;
                Some(Span {
                    from: Some(ceiling_ms(us)),
                    to: Some(us.div_euclid(US_PER_MS)),
                })
            }
            _ => None,
        },
        Condition::Range { from, to, .. } => {
            let from = match from {
                None => None,
                Some(bound) => {
                    let us = time_us(&bound.value)?;
                    Some(match bound.is_inclusive {
                        true => ceiling_ms(us),
                        false => us.div_euclid(US_PER_MS) + 1,
                    })
                }
            };
            let to = match to {
                None => None,
                Some(bound) => {
                    let us = time_us(&bound.value)?;
                    Some(match bound.is_inclusive {
                        true => us.div_euclid(US_PER_MS),
                        false => ceiling_ms(us) - 1,
                    })
                }
            };
            Some(Span { from, to })
        }
        _ => None,
    }
}

fn ceiling_ms(us: i64) -> i64 {
    -(-us).div_euclid(US_PER_MS)
}

fn span(condition: &Condition, read: impl Fn(&str) -> Option<i64>) -> Option<Span> {
    match condition {
        Condition::OneOf { values, .. } => match values.as_slice() {
            [one] => {
                let one = read(one)?;
                Some(Span {
                    from: Some(one),
                    to: Some(one),
                })
            }
            _ => None,
        },
        Condition::Range { from, to, .. } => {
            let end = |bound: &Option<Bound>, step: i64| match bound {
                None => Some(None),
                Some(bound) => {
                    let value = read(&bound.value)?;
                    Some(Some(match bound.is_inclusive {
                        true => value,
                        false => value.checked_add(step)?,
                    }))
                }
            };
            Some(Span {
                from: end(from, 1)?,
                to: end(to, -1)?,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_microsecond() {
        for (text, us) in [
            ("1970-01-01 00:00:01+00", Some(1_000_000)),
            ("1970-01-01 00:00:00.0015+00", Some(1_500)),
            ("1970-01-01 00:00:00.001999+00", Some(1_999)),
            ("1970-01-01 02:00:00.5+02", Some(500_000)),
            ("1969-12-31 23:59:59.9999+00", Some(-100)),
            ("1970-01-01", Some(0)),
            ("1970-01-01 00:00:00.0000001+00", None),
            ("now", None),
            ("infinity", None),
            ("01.02.1970", None),
        ] {
            assert_eq!(time_us(text), us, "{text}");
        }
    }

    #[test]
    fn bounds_between_two_milliseconds_move_inwards() {
        let range = |from: Option<Bound>, to: Option<Bound>| {
            times_ms(&Condition::Range {
                column: 0,
                from,
                to,
            })
        };
        let at = "1970-01-01 00:00:00.0015+00";
        let whole = "1970-01-01 00:00:00.001+00";
        let from = |bound| range(Some(bound), None).and_then(|span| span.from);
        let to = |bound| range(None, Some(bound)).and_then(|span| span.to);
        assert_eq!(from(Bound::inclusive(at)), Some(2));
        assert_eq!(from(Bound::exclusive(at)), Some(2));
        assert_eq!(to(Bound::inclusive(at)), Some(1));
        assert_eq!(to(Bound::exclusive(at)), Some(1));
        assert_eq!(from(Bound::inclusive(whole)), Some(1));
        assert_eq!(from(Bound::exclusive(whole)), Some(2));
        assert_eq!(to(Bound::inclusive(whole)), Some(1));
        assert_eq!(to(Bound::exclusive(whole)), Some(0));
        let never = times_ms(&Condition::equals(0, at)).expect("it is a time");
        assert!(never.is_empty(), "no millisecond is that time");
    }

    #[test]
    fn ids_that_no_object_has_fall_away() {
        let values = ["7", "0", "-1", "9007199254740992", "7"].map(str::to_owned);
        assert_eq!(ids(&values), Some(vec![7]));
        assert_eq!(ids(&["x".to_owned()]), None);
    }
}
