//! Decimal numbers as text: rounding and writing out, without losing a digit.
//!
//! Owns what PostgreSQL does with `numeric` constants that end up in integer or text columns.
//! Promises exact results. Never goes through a double.

/// Most digits that a written-out number may take: `numeric` holds 131,072 before the point.
const DIGITS_MAX: i64 = 131_072;

/// A decimal number taken apart: value = ±digits × 10^exponent.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// ASCII digits without leading zeros; empty for zero.
    digits: Vec<u8>,
    exponent: i64,
}

/// Takes a number apart; `None` if the text is no plain decimal number.
fn parse(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], rest[at + 1..].parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let digits: Vec<u8> = whole
        .bytes()
        .chain(fraction.bytes())
        .skip_while(|digit| *digit == b'0')
        .collect();
    Some(Decimal {
        negative,
        digits,
        exponent: exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?,
    })
}

/// Rounds to a whole number, halves away from zero; `None` if the text is no number, the
/// inner `None` if the result is no i64.
pub(crate) fn round_to_integer(text: &str) -> Option<Option<i64>> {
    let decimal = parse(text)?;
    if decimal.digits.is_empty() {
        return Some(Some(0));
    }
    let digits = i64::try_from(decimal.digits.len()).ok()?;
    // Beyond 19 digits nothing fits; far below the point everything is zero.
    if digits.saturating_add(decimal.exponent) > 19 {
        return Some(None);
    }
    if digits.saturating_add(decimal.exponent) < 0 {
        return Some(Some(0));
    }
    let (kept, round_up) = if decimal.exponent < 0 {
        let kept = usize::try_from(digits + decimal.exponent).ok()?;
        (&decimal.digits[..kept], decimal.digits[kept] >= b'5')
    } else {
        (&decimal.digits[..], false)
    };
    let mut value: i128 = kept
        .iter()
        .fold(0, |value, digit| value * 10 + i128::from(digit - b'0'));
    value += i128::from(round_up);
    for _ in 0..decimal.exponent.max(0) {
        value *= 10;
    }
    if decimal.negative {
        value = -value;
    }
    Some(i64::try_from(value).ok())
}

/// The number as PostgreSQL prints a `numeric`: no exponent, the fraction's zeros kept. `None`
/// if the text is no number or too long to write out.
pub(crate) fn write_out(text: &str) -> Option<String> {
    let decimal = parse(text)?;
    let fraction = usize::try_from((-decimal.exponent).max(0)).ok()?;
    let digits = i64::try_from(decimal.digits.len()).ok()?;
    if fraction as i64 > DIGITS_MAX || digits.saturating_add(decimal.exponent) > DIGITS_MAX {
        return None;
    }
    let leading = (fraction + 1).saturating_sub(decimal.digits.len());
    let mut whole = vec![b'0'; leading];
    whole.extend_from_slice(&decimal.digits);
    if !decimal.digits.is_empty() {
        let zeros = usize::try_from(decimal.exponent.max(0)).ok()?;
        whole.resize(whole.len() + zeros, b'0');
    }
    let point = whole.len() - fraction;
    let mut written = String::with_capacity(whole.len() + 2);
    if decimal.negative && !decimal.digits.is_empty() {
        written.push('-');
    }
    for (index, digit) in whole.iter().enumerate() {
        if index == point {
            written.push('.');
        }
        written.push(char::from(*digit));
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (text, rounded) in [
            ("1.5", 2),
            ("2.5", 3),
            ("-2.5", -3),
            ("2.4999", 2),
            ("1e3", 1000),
            ("0.5", 1),
            ("0.05", 0),
            ("0e400", 0),
            ("1e-400", 0),
            ("9223372036854775807.4", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(round_to_integer(text), Some(Some(rounded)), "{text}");
        }
    }

    #[test]
    fn what_is_no_bigint_is_told_from_what_is_no_number() {
        assert_eq!(round_to_integer("9223372036854775807.5"), Some(None));
        assert_eq!(round_to_integer("1e400"), Some(None));
        assert_eq!(round_to_integer("NaN"), None);
        assert_eq!(round_to_integer("."), None);
    }

    #[test]
    fn numbers_are_written_out_as_numeric_prints_them() {
        for (text, written) in [
            ("1.50", "1.50"),
            ("1e3", "1000"),
            ("007", "7"),
            ("-.50", "-0.50"),
            ("-0", "0"),
            ("1.5e-3", "0.0015"),
            ("12.5e1", "125"),
        ] {
            assert_eq!(write_out(text).as_deref(), Some(written), "{text}");
        }
        assert_eq!(write_out("1e999999999"), None);
    }
}
