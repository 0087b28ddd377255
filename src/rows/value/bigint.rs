//! Reading 64-bit integers.
//!
//! Owns the text form of `bigint`. Promises PostgreSQL's messages. Never rounds: other
//! number types are cast elsewhere.

use super::blanks::trim;
use super::refusal::{invalid_syntax, quoted};
use crate::diagnostic::{Diagnostic, SqlState};

/// Reads a bigint's text form: blanks around, a sign, digits.
///
/// # Errors
/// 22P02 for anything else, 22003 beyond 64 bits.
#[inline]
pub fn parse_bigint(value: &[u8]) -> Result<i64, Box<Diagnostic>> {
    // Up to 18 digits cannot overflow.
    if !value.is_empty() && value.len() <= 18 {
        let mut number = 0i64;
        let mut digits_only = true;
        for byte in value {
            let digit = byte.wrapping_sub(b'0');
            digits_only &= digit <= 9;
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
        }
        if digits_only {
            return Ok(number);
        }
    }
    parse_any(value)
}

/// Reads what is not just a few digits.
fn parse_any(value: &[u8]) -> Result<i64, Box<Diagnostic>> {
    let trimmed = trim(value);
    let (negative, digits) = match trimmed {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(invalid_syntax("bigint", value));
    }
    let mut number = 0i64;
    for byte in digits {
        let digit = i64::from(byte - b'0');
        // Downwards, since the lowest number has no positive twin.
        number = number
            .checked_mul(10)
            .and_then(|number| number.checked_sub(digit))
            .ok_or_else(|| out_of_range(value))?;
    }
    if negative {
        Ok(number)
    } else {
        number.checked_neg().ok_or_else(|| out_of_range(value))
    }
}

#[cold]
fn out_of_range(value: &[u8]) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!(
            "value \"{}\" is out of range for type bigint",
            quoted(value)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blanks_and_signs_are_read() {
        for (text, number) in [
            ("0", 0),
            (" 12 ", 12),
            ("+12", 12),
            ("-12", -12),
            ("\t007\n", 7),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("0000000000000000000000001", 1),
        ] {
            assert_eq!(parse_bigint(text.as_bytes()), Ok(number), "{text}");
        }
    }

    #[test]
    fn refusals_are_worded_as_in_postgresql() {
        for text in ["", " ", "x", "1_2", "1.5", "--1", "+", "1 2", "0x10"] {
            let refusal = parse_bigint(text.as_bytes()).expect_err(text);
            assert_eq!(
                refusal.message,
                format!("invalid input syntax for type bigint: \"{text}\"")
            );
        }
        for text in ["9223372036854775808", "-9223372036854775809"] {
            let refusal = parse_bigint(text.as_bytes()).expect_err(text);
            assert_eq!(refusal.sqlstate.code(), "22003");
            assert_eq!(
                refusal.message,
                format!("value \"{text}\" is out of range for type bigint")
            );
        }
    }

    proptest! {
        #[test]
        fn every_number_is_read_back(number in any::<i64>()) {
            prop_assert_eq!(parse_bigint(number.to_string().as_bytes()), Ok(number));
        }
    }
}
