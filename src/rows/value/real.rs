//! Reading reals.
//!
//! Owns the text form of `real`, and how a real becomes a double. Promises the real nearest to
//! the text, as PostgreSQL reads it, and the double with the same shortest decimal form: 0.1
//! stays 0.1. Never judges a range of CDF's.

use super::blanks::trim;
use super::refusal::{invalid_syntax, quoted};
use crate::diagnostic::{Diagnostic, SqlState};

/// Reads a real's text form: decimal or exponent notation, `NaN`, `inf`, `Infinity`, with
/// blanks around.
///
/// # Errors
/// 22P02 for anything else, 22003 when the number is too large or too small for a real.
pub fn parse_real(value: &[u8]) -> Result<f64, Box<Diagnostic>> {
    let trimmed = trim(value);
    let (negative, unsigned) = match trimmed {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if matches!(unsigned, [] | [b'-' | b'+', ..]) {
        return Err(invalid_syntax("real", value));
    }
    let number: f32 = fast_float2::parse(unsigned).map_err(|_| invalid_syntax("real", value))?;
    let is_digits = unsigned[0].is_ascii_digit() || unsigned[0] == b'.';
    let vanished = number == 0.0
        && unsigned
            .iter()
            .take_while(|byte| !matches!(byte, b'e' | b'E'))
            .any(|byte| matches!(byte, b'1'..=b'9'));
    if is_digits && (number.is_infinite() || vanished) {
        return Err(Box::new(Diagnostic::error(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("\"{}\" is out of range for type real", quoted(value)),
        )));
    }
    Ok(widened(if negative { -number } else { number }))
}

/// The double nearest to the shortest decimal form of a real.
pub fn widened(real: f32) -> f64 {
    if !real.is_finite() {
        return f64::from(real);
    }
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(real);
    // The form of a finite number reads back; its exact value stands for one that would not.
    fast_float2::parse(shortest).unwrap_or(f64::from(real))
}

/// A double as a real, as PostgreSQL assigns.
///
/// # Errors
/// 22003 when the number is too large or too small for a real.
pub fn from_double(number: f64) -> Result<f64, Box<Diagnostic>> {
    let real = number as f32;
    let fault = match (real.is_infinite(), real == 0.0) {
        (true, _) if number.is_finite() => "value out of range: overflow",
        (_, true) if number != 0.0 => "value out of range: underflow",
        _ => return Ok(widened(real)),
    };
    Err(Box::new(Diagnostic::error(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        fault,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_real_keeps_its_shortest_decimal_form() {
        for (text, number) in [
            ("0.1", 0.1),
            ("-0.1", -0.1),
            ("16777217", 16_777_216.0),
            (" 1e38 ", 1e38),
            ("3.4028235e38", 3.4028235e38),
            (".5", 0.5),
            ("+7", 7.0),
        ] {
            assert_eq!(parse_real(text.as_bytes()), Ok(number), "{text}");
        }
        assert!(parse_real(b"NaN").is_ok_and(f64::is_nan));
    }

    #[test]
    fn what_is_no_real_is_refused_in_the_words_of_postgresql() {
        for (text, code, message) in [
            ("x", "22P02", "invalid input syntax for type real: \"x\""),
            ("", "22P02", "invalid input syntax for type real: \"\""),
            (
                "+-1",
                "22P02",
                "invalid input syntax for type real: \"+-1\"",
            ),
            ("1e39", "22003", "\"1e39\" is out of range for type real"),
            ("1e-50", "22003", "\"1e-50\" is out of range for type real"),
        ] {
            let refusal = parse_real(text.as_bytes()).expect_err(text);
            assert_eq!(refusal.sqlstate.code(), code);
            assert_eq!(refusal.message, message);
        }
        for (number, message) in [
            (1e300, "value out of range: overflow"),
            (1e-300, "value out of range: underflow"),
        ] {
            assert_eq!(from_double(number).expect_err("no real").message, message);
        }
    }

    proptest! {
        #[test]
        fn every_real_survives_the_way_through_a_double(real in any::<f32>()) {
            let double = widened(real);
            prop_assert_eq!((double as f32).to_bits() , real.to_bits());
            if real.is_finite() {
                prop_assert_eq!(parse_real(real.to_string().as_bytes()), Ok(double));
            }
        }
    }
}
