//! Numbers with units, as settings take and show them.
//!
//! Owns PostgreSQL's unit names and which unit SHOW prefers. Promises its errors for what is
//! no number or out of range. Never knows a setting's meaning.

use super::definition::{Definition, Unit};
use crate::diagnostic::Diagnostic;
use std::ops::RangeInclusive;

/// Names of units with their size in the base unit (milliseconds, bytes), largest first: SHOW
/// takes the first that divides the value.
const TIME_UNITS: [(&str, f64); 6] = [
    ("d", 86_400_000.0),
    ("h", 3_600_000.0),
    ("min", 60_000.0),
    ("s", 1000.0),
    ("ms", 1.0),
    ("us", 0.001),
];
const MEMORY_UNITS: [(&str, f64); 5] = [
    ("TB", 1_099_511_627_776.0),
    ("GB", 1_073_741_824.0),
    ("MB", 1_048_576.0),
    ("kB", 1024.0),
    ("B", 1.0),
];

impl Unit {
    /// The unit names that go with it, and how many base units it is.
    fn family(self) -> (&'static [(&'static str, f64)], f64) {
        match self {
            Unit::None => (&[], 1.0),
            Unit::Milliseconds => (&TIME_UNITS, 1.0),
            Unit::Seconds => (&TIME_UNITS, 1000.0),
            Unit::Kilobytes => (&MEMORY_UNITS, 1024.0),
        }
    }
}

/// # Errors
/// 22023 for what is no number, an unknown unit, or a value out of range.
pub(super) fn canonical_integer(
    definition: &Definition,
    value: &str,
    range: RangeInclusive<i64>,
    unit: Unit,
) -> Result<String, Box<Diagnostic>> {
    let (units, base) = unit.family();
    let trimmed = value.trim();
    let unit_start = trimmed
        .find(|character: char| character.is_ascii_alphabetic())
        .unwrap_or(trimmed.len());
    let (digits, unit_name) = trimmed.split_at(unit_start);
    let number: f64 = digits
        .trim()
        .parse()
        .map_err(|_| definition.invalid_value(value))?;
    let scaled = if unit_name.is_empty() {
        number
    } else {
        let size = units
            .iter()
            .find(|(name, _)| *name == unit_name)
            .map(|(_, size)| size / base);
        match size {
            Some(size) => number * size,
            None => {
                let mut diagnostic = definition.invalid_value(value);
                if !units.is_empty() {
                    let mut names: Vec<String> = units
                        .iter()
                        .map(|(name, _)| format!("\"{name}\""))
                        .collect();
                    names.reverse();
                    diagnostic.hint = Some(format!(
                        "Valid units for this parameter are {}.",
                        join_with_and(&names)
                    ));
                }
                return Err(diagnostic);
            }
        }
    };
    let rounded = scaled.round();
    if !(rounded >= *range.start() as f64 && rounded <= *range.end() as f64) {
        let suffix = match unit {
            Unit::None => "",
            Unit::Milliseconds => " ms",
            Unit::Seconds => " s",
            Unit::Kilobytes => " kB",
        };
        return Err(definition.invalid(format!(
            "{rounded}{suffix} is outside the valid range for parameter \"{}\" ({} .. {})",
            definition.name,
            range.start(),
            range.end()
        )));
    }
    // In range, so the conversion is exact.
    let whole = rounded as i64;
    Ok(show_integer(whole, units, base))
}

fn show_integer(value: i64, units: &[(&str, f64)], base: f64) -> String {
    if value <= 0 || units.is_empty() {
        return value.to_string();
    }
    for (name, size) in units {
        let size = (size / base) as i64;
        if size >= 1 && value % size == 0 {
            return format!("{}{name}", value / size);
        }
    }
    value.to_string()
}

/// The milliseconds of a time as SHOW prints it; 0 for what SHOW does not print.
pub(super) fn milliseconds(shown: &str) -> u64 {
    let unit_start = shown
        .find(|character: char| character.is_ascii_alphabetic())
        .unwrap_or(shown.len());
    let (digits, unit_name) = shown.split_at(unit_start);
    let size = TIME_UNITS
        .iter()
        .find(|(name, _)| *name == unit_name)
        .map_or(1, |(_, size)| *size as u64);
    digits.parse::<u64>().map_or(0, |count| count * size)
}

/// # Errors
/// 22023 for what is no number or out of range.
pub(super) fn canonical_real(
    definition: &Definition,
    value: &str,
    range: RangeInclusive<f64>,
) -> Result<String, Box<Diagnostic>> {
    let number: f64 = value
        .trim()
        .parse()
        .map_err(|_| definition.invalid_value(value))?;
    if !range.contains(&number) {
        return Err(definition.invalid(format!(
            "{number} is outside the valid range for parameter \"{}\" ({} .. {})",
            definition.name,
            range.start(),
            range.end()
        )));
    }
    Ok(number.to_string())
}

fn join_with_and(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    }
}
