//! Cutting a timestamp's text into fields, as PostgreSQL's date parser cuts it.
//!
//! Owns where a field begins and ends. Promises lower-case words. Never knows what a field
//! means.

/// One field of a timestamp.
#[derive(Debug, PartialEq, Eq)]
pub enum Field {
    /// Two or three parts that were joined by `-`, `/` or `.`.
    Date(Vec<String>),
    /// Digits with colons, perhaps with a fraction.
    Time(String),
    /// Digits, perhaps with one point.
    Number(String),
    /// A signed displacement: digits and colons.
    Offset { west: bool, digits: String },
    /// Letters, and what zone names have behind them.
    Word(String),
}

/// The fields of `text`; `None` where no field can be cut.
pub fn split_fields(text: &str) -> Option<Vec<Field>> {
    let lower = text.to_ascii_lowercase();
    let bytes = lower.as_bytes();
    let mut fields = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = at;
        match byte {
            b'0'..=b'9' => {
                at = end_of(bytes, at, |byte| byte.is_ascii_digit());
                match bytes.get(at) {
                    Some(b':') => {
                        at = end_of(bytes, at, |byte| {
                            byte.is_ascii_digit() || matches!(byte, b':' | b'.')
                        });
                        fields.push(Field::Time(lower[start..at].to_owned()));
                    }
                    Some(separator @ (b'-' | b'/' | b'.')) if !is_offset(&fields, bytes, at) => {
                        let separator = *separator;
                        // Letters belong to a date only as the name of its month.
                        let month_named = bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic);
                        at = end_of(bytes, at, |byte| {
                            byte == separator
                                || byte.is_ascii_digit()
                                || (month_named && byte.is_ascii_alphabetic())
                        });
                        fields.push(date_or_number(&lower[start..at], separator));
                    }
                    _ => fields.push(Field::Number(lower[start..at].to_owned())),
                }
            }
            b't' if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => at += 1,
            b'a'..=b'z' => {
                at = end_of(bytes, at, |byte| byte.is_ascii_alphabetic());
                let month_first = matches!(bytes.get(at), Some(b'-'))
                    && at - start >= 3
                    && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
                    && bytes[at + 1..].contains(&b'-');
                if month_first {
                    at = end_of(bytes, at, |byte| {
                        byte.is_ascii_alphanumeric() || byte == b'-'
                    });
                    fields.push(date_or_number(&lower[start..at], b'-'));
                } else {
                    // Zone names go on: `america/new_york`, `pst8pdt`, `gmt+2`.
                    at = end_of(bytes, at, |byte| {
                        byte.is_ascii_alphanumeric()
                            || matches!(byte, b'/' | b'_' | b'+' | b'-' | b'.')
                    });
                    fields.push(Field::Word(lower[start..at].to_owned()));
                }
            }
            b'+' | b'-' => {
                at += 1;
                at = end_of(bytes, at, |byte| byte == b' ');
                let from = at;
                if bytes.get(at).is_some_and(u8::is_ascii_digit) {
                    at = end_of(bytes, at, |byte| byte.is_ascii_digit() || byte == b':');
                    fields.push(Field::Offset {
                        west: *byte == b'-',
                        digits: lower[from..at].to_owned(),
                    });
                } else if bytes[at..].starts_with(b"infinity") {
                    at += b"infinity".len();
                    fields.push(Field::Word("infinity".to_owned()));
                } else {
                    return None;
                }
            }
            byte if super::blanks::is_blank(*byte) || byte.is_ascii_punctuation() => at += 1,
            _ => return None,
        }
    }
    Some(fields)
}

fn end_of(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes[from..]
        .iter()
        .position(|byte| !belongs(*byte))
        .map_or(bytes.len(), |length| from + length)
}

/// Whether the `-` at `at` begins a displacement: digits after a date are a time of day.
fn is_offset(fields: &[Field], bytes: &[u8], at: usize) -> bool {
    bytes[at] == b'-'
        && fields
            .iter()
            .any(|field| matches!(field, Field::Date(_) | Field::Number(_)))
}

fn date_or_number(text: &str, separator: u8) -> Field {
    let parts: Vec<String> = text
        .split(char::from(separator))
        .map(str::to_owned)
        .collect();
    let is_fraction =
        separator == b'.' && parts.len() == 2 && !(parts[0].len() == 4 && parts[1].len() == 3);
    if is_fraction {
        Field::Number(text.to_owned())
    } else {
        Field::Date(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_end_where_postgresql_ends_them() {
        let word = |text: &str| Field::Word(text.to_owned());
        let date = |text: &str| Field::Date(text.split('-').map(str::to_owned).collect());
        let time = |text: &str| Field::Time(text.to_owned());
        let number = |text: &str| Field::Number(text.to_owned());
        let offset = |west, digits: &str| Field::Offset {
            west,
            digits: digits.to_owned(),
        };
        for (text, fields) in [
            (
                "2026-11-01 10:10:10.5+02",
                vec![date("2026-11-01"), time("10:10:10.5"), offset(false, "02")],
            ),
            (
                "2026-11-01T10:10 -01:30",
                vec![date("2026-11-01"), time("10:10"), offset(true, "01:30")],
            ),
            (
                "20261101T101010-02",
                vec![number("20261101"), number("101010"), offset(true, "02")],
            ),
            (
                "Nov-01-2026 America/New_York",
                vec![date("nov-01-2026"), word("america/new_york")],
            ),
            (
                "Sun Nov 01, 2026",
                vec![word("sun"), word("nov"), number("01"), number("2026")],
            ),
            ("  \"now\" ", vec![word("now")]),
        ] {
            assert_eq!(split_fields(text), Some(fields), "{text}");
        }
        assert_eq!(split_fields("2026-11-01 é"), None);
    }
}
