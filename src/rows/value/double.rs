//! Reading double precision numbers.
//!
//! Owns the text form of `double precision`. Promises the nearest double, as PostgreSQL
//! reads it. Never judges a range of CDF's: the builders do.

use super::blanks::trim;
use super::refusal::{invalid_syntax, quoted};
use crate::diagnostic::{Diagnostic, SqlState};

/// Powers of ten that a double holds exactly, as far as the short form needs them.
const POWERS_OF_TEN: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// Reads a double's text form: decimal or exponent notation, `NaN`, `inf`, `Infinity`,
/// with blanks around.
///
/// # Errors
/// 22P02 for anything else, 22003 when the number is too large or too small for a double.
#[inline]
pub fn parse_double(value: &[u8]) -> Result<f64, Box<Diagnostic>> {
    match parse_short(value) {
        Some(number) => Ok(number),
        None => parse_any(value),
    }
}

/// Reads up to 15 digits with at most one point: digits and power are exact doubles, so one
/// division rounds correctly.
#[inline]
pub(super) fn parse_short(value: &[u8]) -> Option<f64> {
    let (negative, digits) = match value {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    let mut mantissa = 0u64;
    let mut index = 0;
    while index < digits.len() {
        let digit = digits[index].wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        mantissa = mantissa * 10 + u64::from(digit);
        index += 1;
    }
    let mut decimals = 0;
    if index < digits.len() {
        // A point needs a digit before it here; the long form takes `.5`.
        if digits[index] != b'.' || index == 0 {
            return None;
        }
        let fraction = &digits[index + 1..];
        for byte in fraction {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            mantissa = mantissa * 10 + u64::from(digit);
        }
        decimals = fraction.len();
    }
    let number = mantissa as f64 / POWERS_OF_TEN[decimals];
    Some(if negative { -number } else { number })
}

/// Reads every other form.
fn parse_any(value: &[u8]) -> Result<f64, Box<Diagnostic>> {
    let trimmed = trim(value);
    let unsigned = match trimmed {
        [b'-' | b'+', rest @ ..] => rest,
        rest => rest,
    };
    // A second sign would be taken by the parser after we took a plus.
    if matches!(unsigned, [] | [b'-' | b'+', ..]) {
        return Err(invalid_syntax("double precision", value));
    }
    let number: f64 =
        fast_float2::parse(unsigned).map_err(|_| invalid_syntax("double precision", value))?;
    let is_digits = unsigned[0].is_ascii_digit() || unsigned[0] == b'.';
    let vanished = number == 0.0
        && unsigned
            .iter()
            .take_while(|byte| !matches!(byte, b'e' | b'E'))
            .any(|byte| matches!(byte, b'1'..=b'9'));
    if is_digits && (number.is_infinite() || vanished) {
        return Err(Box::new(Diagnostic::error(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!(
                "\"{}\" is out of range for type double precision",
                quoted(value)
            ),
        )));
    }
    Ok(if trimmed[0] == b'-' { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_of_postgresql_are_read() {
        for (text, number) in [
            ("0", 0.0),
            ("21.37", 21.37),
            ("-0.1", -0.1),
            (" 1 ", 1.0),
            ("+1.5", 1.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1E-3", 0.001),
            (
                "123456789012345678901234567890",
                123456789012345678901234567890.0,
            ),
            ("inf", f64::INFINITY),
            ("+Infinity", f64::INFINITY),
            ("-INF", f64::NEG_INFINITY),
            ("1.7976931348623157e308", f64::MAX),
            ("5e-324", 5e-324),
            ("0e-999", 0.0),
        ] {
            assert_eq!(parse_double(text.as_bytes()), Ok(number), "{text}");
        }
        for text in ["NaN", "nan", " NAN "] {
            assert!(parse_double(text.as_bytes()).expect(text).is_nan());
        }
    }

    #[test]
    fn refusals_are_worded_as_in_postgresql() {
        for text in [
            "", " ", "x", "infinit", "1.5 x", "1,5", "--1", "+-1", "-", ".", "1e", "e5", "1..2",
        ] {
            let refusal = parse_double(text.as_bytes()).expect_err(text);
            assert_eq!(
                refusal.message,
                format!("invalid input syntax for type double precision: \"{text}\"")
            );
        }
        for text in ["1e400", "-1e400", "1e-400"] {
            let refusal = parse_double(text.as_bytes()).expect_err(text);
            assert_eq!(refusal.sqlstate.code(), "22003");
            assert_eq!(
                refusal.message,
                format!("\"{text}\" is out of range for type double precision")
            );
        }
    }

    proptest! {
        #[test]
        fn every_double_is_read_back_exactly(number in any::<f64>()) {
            prop_assume!(number.is_finite());
            prop_assert_eq!(
                parse_double(number.to_string().as_bytes()).map(f64::to_bits),
                Ok(number.to_bits())
            );
        }

        #[test]
        fn short_decimals_are_the_nearest_double(units in -99_999_999i64..99_999_999, decimals in 0usize..7) {
            let text = if decimals == 0 {
                units.to_string()
            } else {
                format!("{}{:0width$}", if units < 0 { "-" } else { "" }, units.abs(), width = decimals + 1)
            };
            let text = if decimals == 0 { text } else {
                let point = text.len() - decimals;
                format!("{}.{}", &text[..point], &text[point..])
            };
            let expected: f64 = text.parse().expect("a decimal number");
            prop_assert_eq!(parse_double(text.as_bytes()), Ok(expected));
        }
    }
}
