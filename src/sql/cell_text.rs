//! The text form of values, as PostgreSQL writes it.
//!
//! Owns the texts of the types that results and loads have. Promises what PostgreSQL reads back as
//! the same value. Never knows an encoding: it is UTF-8 here.

use super::answer::{Cell, array_text, bytes_text};

/// Appends the text of a value.
pub fn push_cell_text(text: &mut String, cell: &Cell) {
    match cell {
        Cell::Bool(value) => text.push(if *value { 't' } else { 'f' }),
        Cell::Int2(value) => text.push_str(itoa::Buffer::new().format(*value)),
        Cell::Int4(value) => text.push_str(itoa::Buffer::new().format(*value)),
        Cell::Int8(value) => text.push_str(itoa::Buffer::new().format(*value)),
        Cell::Float8(value) => text.push_str(&double_text(*value)),
        Cell::Oid(value) => text.push_str(itoa::Buffer::new().format(*value)),
        // PostgreSQL shows the zero byte as nothing.
        Cell::Char(0) | Cell::Void => {}
        Cell::Char(value) => text.push(char::from(*value)),
        Cell::Text(value)
        | Cell::TimestampTz { text: value, .. }
        | Cell::Named { text: value, .. } => text.push_str(value),
        Cell::Float4(value) => text.push_str(&float_text(*value)),
        Cell::Bytes(bytes) => text.push_str(&bytes_text(bytes)),
        Cell::Array { elements, .. } => {
            let texts = elements.iter().map(|element| {
                let mut text = String::new();
                push_cell_text(&mut text, element.as_ref()?);
                Some(text)
            });
            text.push_str(&array_text(texts));
        }
    }
}

/// PostgreSQL's shortest text of a double: an exponent below -4 or from 15 on is written out.
fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    // Rust's exponent form has the shortest digits that read back as the same value.
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&exponent) {
        format!("{value}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}

/// A real as PostgreSQL shows it: the shortest digits that make it.
fn float_text(value: f32) -> String {
    // The shortest digits of the real, as a double with the same ones.
    format!("{value:e}")
        .parse::<f64>()
        .map_or_else(|_| value.to_string(), double_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_look_as_in_postgresql() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (100_000_000_000_000.0, "100000000000000"),
            (1e15, "1e+15"),
            (1.25e-5, "1.25e-05"),
            (0.0001, "0.0001"),
            (1e100, "1e+100"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double_text(value), text);
        }
    }
}
