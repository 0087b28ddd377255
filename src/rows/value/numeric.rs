//! Reading `numeric` values, which clients send into number columns.
//!
//! Owns the binary form of numeric and the rounding to bigint. Promises PostgreSQL's
//! rounding: half away from zero. Numbers are kept as decimal text: nothing is lost before
//! the column's own type decides.

use super::refusal::{incorrect_binary_format, insufficient_data};
use crate::diagnostic::{Diagnostic, SqlState};

/// Decimal text of a numeric's binary form.
///
/// # Errors
/// 08P01 when it is short, 22P03 when it is long or malformed.
pub fn numeric_text(binary: &[u8]) -> Result<String, Box<Diagnostic>> {
    let (header, rest) = binary
        .split_first_chunk::<8>()
        .ok_or_else(insufficient_data)?;
    let [n1, n2, w1, w2, s1, s2, ..] = *header;
    let groups = usize::from(u16::from_be_bytes([n1, n2]));
    let weight = i16::from_be_bytes([w1, w2]);
    let sign = match u16::from_be_bytes([s1, s2]) {
        0x0000 => "",
        0x4000 => "-",
        0xc000 => return Ok("NaN".to_owned()),
        0xd000 => return Ok("Infinity".to_owned()),
        0xf000 => return Ok("-Infinity".to_owned()),
        _ => return Err(invalid("invalid sign in external \"numeric\" value")),
    };
    if rest.len() < groups * 2 {
        return Err(insufficient_data());
    }
    if rest.len() > groups * 2 {
        return Err(incorrect_binary_format());
    }
    let mut text = String::with_capacity(groups * 4 + 12);
    text.push_str(sign);
    text.push('0');
    for group in rest.chunks_exact(2) {
        let group = u16::from_be_bytes([group[0], group[1]]);
        if group > 9999 {
            return Err(invalid("invalid digit in external \"numeric\" value"));
        }
        text.push_str(&format!("{group:04}"));
    }
    // The groups count ten-thousands; the exponent says where the point stands.
    let exponent = (i32::from(weight) + 1 - groups as i32) * 4;
    text.push_str(&format!("e{exponent}"));
    Ok(text)
}

#[cold]
fn invalid(message: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::INVALID_BINARY_REPRESENTATION,
        message,
    ))
}

/// A decimal number as its nearest integer, half away from zero; `None` for what is no
/// decimal number, `Some(None)` beyond 64 bits.
pub fn nearest_integer(text: &[u8]) -> Option<Option<i64>> {
    let text = std::str::from_utf8(super::blanks::trim(text)).ok()?;
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // How many of the digits stand before the point once the exponent has moved it.
    let before_point = whole.len() as i64 + i64::from(exponent);
    let mut number = 0i64;
    let mut rounds_up = false;
    for (index, digit) in digits().map(|byte| i64::from(byte - b'0')).enumerate() {
        if (index as i64) < before_point {
            // Downwards, since the lowest number has no positive twin.
            match number.checked_mul(10).and_then(|n| n.checked_sub(digit)) {
                Some(next) => number = next,
                None => return Some(None),
            }
        } else {
            rounds_up = index as i64 == before_point && digit >= 5;
            break;
        }
    }
    let missing = before_point - (whole.len() + fraction.len()) as i64;
    for _ in 0..missing {
        if number == 0 {
            break;
        }
        match number.checked_mul(10) {
            Some(next) => number = next,
            None => return Some(None),
        }
    }
    if rounds_up {
        match number.checked_sub(1) {
            Some(next) => number = next,
            None => return Some(None),
        }
    }
    Some(if negative {
        Some(number)
    } else {
        number.checked_neg()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(weight: i16, sign: u16, groups: &[u16]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((groups.len() as u16).to_be_bytes());
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend(0u16.to_be_bytes());
        for group in groups {
            bytes.extend(group.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn binary_numerics_read_as_their_decimal_value() {
        for (bytes, number) in [
            (binary(0, 0, &[12, 3400]), 12.34),
            (binary(1, 0x4000, &[1, 2345]), -12345.0),
            (binary(-1, 0, &[5]), 0.0005),
            (binary(0, 0, &[]), 0.0),
            (binary(2, 0, &[1]), 1e8),
        ] {
            let text = numeric_text(&bytes).expect("a numeric");
            assert_eq!(text.parse(), Ok(number), "{text}");
        }
        assert_eq!(numeric_text(&binary(0, 0xc000, &[])).as_deref(), Ok("NaN"));
    }

    #[test]
    fn malformed_numerics_are_refused() {
        let whole = binary(0, 0, &[1, 2]);
        for (bytes, code) in [
            (whole[..7].to_vec(), "08P01"),
            (whole[..10].to_vec(), "08P01"),
            ([whole.as_slice(), b"x"].concat(), "22P03"),
            (binary(0, 7, &[]), "22P03"),
            (binary(0, 0, &[10_000]), "22P03"),
        ] {
            let refusal = numeric_text(&bytes).expect_err("malformed");
            assert_eq!(refusal.sqlstate.code(), code);
        }
    }

    #[test]
    fn halves_round_away_from_zero() {
        for (text, number) in [
            ("1.5", Some(2)),
            ("2.5", Some(3)),
            ("-1.5", Some(-2)),
            ("1.4999", Some(1)),
            ("12e3", Some(12_000)),
            ("0.0004e4", Some(4)),
            ("0.5", Some(1)),
            ("0.49", Some(0)),
            ("1e-10", Some(0)),
            ("0e999999999", Some(0)),
            ("9223372036854775807.4", Some(i64::MAX)),
            ("9223372036854775807.5", None),
            ("-9223372036854775808", Some(i64::MIN)),
            ("1e19", None),
            (" 7 ", Some(7)),
        ] {
            assert_eq!(nearest_integer(text.as_bytes()), Some(number), "{text}");
        }
        for text in ["", "x", "1e", "NaN", "1.2.3", "."] {
            assert_eq!(nearest_integer(text.as_bytes()), None, "{text}");
        }
    }
}
