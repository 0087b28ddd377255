//! The status of a datapoint: a code of OPC UA, and whether there is a value at all.
//!
//! Owns the rules for codes and symbols. Promises codes that CDF documents: 32 bits, a category
//! that has a name, flags that do not exclude each other. Never allocates to read one.

use super::status_categories::CATEGORIES;
use crate::diagnostic::{Diagnostic, SqlState};

/// Severity and sub code.
const CATEGORY_SHIFT: u32 = 16;
/// Of the upper two bits, the one that says Bad.
const BAD: u32 = 1 << 31;
/// What OPC UA leaves unused below the category.
const UNUSED: u32 = 0x3860;
/// The bits below it mean something.
const HAS_INFO: u32 = 0x400;
const INFO: u32 = HAS_INFO - 1;

/// A flag in the lower half of a code.
struct Flag {
    name: &'static str,
    bits: u32,
    /// Flags of one field exclude each other.
    field: u32,
}

const fn flag(name: &'static str, bits: u32, field: u32) -> Flag {
    Flag { name, bits, field }
}

/// In the order in which symbols name them.
const FLAGS: [Flag; 11] = [
    flag("StructureChanged", 0x8000, 0x8000),
    flag("SemanticsChanged", 0x4000, 0x4000),
    flag("Low", 0x100, 0x300),
    flag("High", 0x200, 0x300),
    flag("Constant", 0x300, 0x300),
    flag("Overflow", 0x80, 0x80),
    flag("MultipleValues", 0x10, 0x10),
    flag("ExtraData", 0x8, 0x8),
    flag("Partial", 0x4, 0x4),
    flag("Calculated", 0x1, 0x3),
    flag("Interpolated", 0x2, 0x3),
];

/// What a datapoint is beside its time and its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointStatus {
    /// 0 is Good.
    pub code: u32,
    /// The value that stands in its column means nothing.
    pub has_no_value: bool,
}

impl PointStatus {
    /// What nearly every point is.
    pub const GOOD: PointStatus = PointStatus {
        code: 0,
        has_no_value: false,
    };
}

/// Whether a point with that code may be without a value, or have one of any size.
#[inline]
pub fn is_bad(code: u32) -> bool {
    code & BAD != 0
}

/// A code as a client gave it.
///
/// # Errors
/// 22003 beyond 32 bits, 22023 for bits that mean nothing.
pub fn check_status_code(given: i64) -> Result<u32, Box<Diagnostic>> {
    let Ok(code) = u32::try_from(given) else {
        return Err(Box::new(
            Diagnostic::error(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("value \"{given}\" is out of range for a status code"),
            )
            .with_hint("Status codes of OPC UA have 32 bits: 0 to 4294967295."),
        ));
    };
    let fault = if category_of(code).is_none() {
        "its upper 16 bits name no category"
    } else if code & UNUSED != 0 {
        "bits are set that OPC UA does not use"
    } else if code & HAS_INFO == 0 && code & INFO != 0 {
        "flags are set without the bit 0x400, which says that they are used"
    } else if code & 0x3 == 0x3 {
        "Calculated and Interpolated exclude each other"
    } else {
        return Ok(code);
    };
    Err(refused(format!("{given} is no status code: {fault}")))
}

/// The code of a symbol: a category, then flags behind commas or blanks.
///
/// # Errors
/// 22023 naming the word that is not known.
pub fn read_status_symbol(symbol: &[u8]) -> Result<u32, Box<Diagnostic>> {
    let unknown = |word: &[u8], what: &str| {
        refused(format!(
            "\"{}\" is no status symbol: \"{}\" is no {what}",
            super::value::quoted(symbol),
            super::value::quoted(word)
        ))
    };
    let mut words = symbol
        .split(|byte| matches!(byte, b',' | b' '))
        .filter(|word| !word.is_empty());
    let category = words.next().unwrap_or_default();
    let place = CATEGORIES
        .binary_search_by(|(name, _)| name.as_bytes().cmp(category))
        .map_err(|_| unknown(category, "category"))?;
    let mut code = u32::from(CATEGORIES[place].1) << CATEGORY_SHIFT;
    for word in words {
        let flag = FLAGS
            .iter()
            .find(|flag| flag.name.as_bytes() == word)
            .ok_or_else(|| unknown(word, "flag"))?;
        let taken = code & flag.field;
        if taken != 0 && taken != flag.bits {
            return Err(refused(format!(
                "\"{}\" is no status symbol: {} excludes another flag",
                super::value::quoted(symbol),
                flag.name
            )));
        }
        code |= flag.bits;
    }
    if code & INFO != 0 {
        code |= HAS_INFO;
    }
    Ok(code)
}

/// The symbol of a code that was checked.
pub fn status_symbol(code: u32) -> String {
    let mut symbol = category_of(code).unwrap_or("Good").to_owned();
    for flag in FLAGS {
        if code & flag.field == flag.bits {
            symbol.push_str(", ");
            symbol.push_str(flag.name);
        }
    }
    symbol
}

fn category_of(code: u32) -> Option<&'static str> {
    let upper = code >> CATEGORY_SHIFT;
    // Nearly all codes of an installation are one of these.
    match code >> CATEGORY_SHIFT {
        0 => return Some("Good"),
        0x4000 => return Some("Uncertain"),
        0x8000 => return Some("Bad"),
        _ => {}
    }
    CATEGORIES
        .iter()
        .find(|(_, known)| u32::from(*known) == upper)
        .map(|(name, _)| *name)
}

#[cold]
fn refused(message: String) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(SqlState::INVALID_PARAMETER_VALUE, message).with_hint(
            "Write a status as CDF documents it: a code such as 2147483648, or a symbol such as \
             Bad or \"BadNoData, Low\".",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlstate<T>(result: Result<T, Box<Diagnostic>>) -> &'static str {
        result.map_or_else(|refusal| refusal.sqlstate.code(), |_| "00000")
    }

    #[test]
    fn the_table_is_in_order_and_names_each_category_once() {
        for pair in CATEGORIES.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{}", pair[1].0);
        }
        let mut codes: Vec<u16> = CATEGORIES.iter().map(|(_, code)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), CATEGORIES.len());
    }

    #[test]
    fn the_severity_of_a_code_is_in_its_name() {
        for (name, upper) in CATEGORIES {
            let severity = match upper >> 14 {
                0 => "Good",
                1 => "Uncertain",
                _ => "Bad",
            };
            assert!(name.starts_with(severity), "{name}");
            assert_eq!(is_bad(u32::from(upper) << 16), severity == "Bad");
        }
    }

    #[test]
    fn every_code_comes_back_from_its_symbol() {
        for (name, upper) in CATEGORIES {
            for lower in 0..=u16::MAX {
                let code = u32::from(upper) << 16 | u32::from(lower);
                // All flags with a few categories, no flags with all of them.
                let few = matches!(upper, 0 | 0x4000 | 0x8000 | 0x809b);
                if (lower != 0 && !few) || check_status_code(i64::from(code)).is_err() {
                    continue;
                }
                let symbol = status_symbol(code);
                let read = read_status_symbol(symbol.as_bytes());
                // The bit that announces flags says nothing where there are none.
                let told = match code & INFO {
                    0 => code & !HAS_INFO,
                    _ => code,
                };
                assert_eq!(read.ok(), Some(told), "{name} {lower:#x} {symbol}");
            }
        }
    }

    #[test]
    fn codes_that_mean_nothing_are_refused() {
        for code in [-1, 1 << 32, i64::MAX, i64::MIN] {
            assert_eq!(sqlstate(check_status_code(code)), "22003", "{code}");
        }
        for code in [
            0xc000_0000,
            0x8000_0800,
            0x8000_0001,
            0x8000_0403,
            0x7fff_0000,
            0x0001_0000,
        ] {
            assert_eq!(sqlstate(check_status_code(code)), "22023", "{code:#x}");
        }
        assert_eq!(check_status_code(0x8000_0500).ok(), Some(0x8000_0500));
    }

    #[test]
    fn symbols_that_mean_nothing_are_refused() {
        assert_eq!(read_status_symbol(b"Bad, Low").ok(), Some(0x8000_0500));
        assert_eq!(read_status_symbol(b"Bad Low").ok(), Some(0x8000_0500));
        for symbol in ["", "bad", "Low", "Bad, Low, High", "Bad, bad", "Great", " "] {
            let refusal = read_status_symbol(symbol.as_bytes()).expect_err(symbol);
            assert_eq!(refusal.sqlstate.code(), "22023", "{symbol}");
            assert!(refusal.hint.is_some());
        }
    }
}
