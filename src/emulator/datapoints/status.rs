//! Status codes of datapoints: 32 bits as OPC UA lays them out.
//!
//! Owns their check, and the way between a code (2147483648) and its symbol
//! (`"Bad, Low"`). Good is 0 and the default.

use super::status_symbols::SYMBOLS;
use crate::emulator::answer::Refusal;

/// The upper 16 bits: severity and sub code.
const CATEGORY_BITS: u32 = 0xffff_0000;
const STRUCTURE_CHANGED: u32 = 1 << 15;
const SEMANTICS_CHANGED: u32 = 1 << 14;
/// Bits 11 to 13, and 5 and 6.
const RESERVED_BITS: u32 = 0b11_1000_0110_0000;
/// Says that the bits below it mean something.
const INFO_TYPE: u32 = 1 << 10;
const INFO_BITS: u32 = INFO_TYPE - 1;
const LIMIT_BITS: u32 = 0b11 << 8;
const ORIGIN_BITS: u32 = 0b11;

/// Flags of the lower half with their bits, in the order in which symbols list them.
const FLAGS: [(&str, u32, u32); 11] = [
    // (name, bits, mask): set when code & mask == bits.
    ("StructureChanged", STRUCTURE_CHANGED, STRUCTURE_CHANGED),
    ("SemanticsChanged", SEMANTICS_CHANGED, SEMANTICS_CHANGED),
    ("Low", 0b01 << 8, LIMIT_BITS),
    ("High", 0b10 << 8, LIMIT_BITS),
    ("Constant", 0b11 << 8, LIMIT_BITS),
    ("Overflow", 1 << 7, 1 << 7),
    ("MultipleValues", 1 << 4, 1 << 4),
    ("ExtraData", 1 << 3, 1 << 3),
    ("Partial", 1 << 2, 1 << 2),
    ("Calculated", 0b01, ORIGIN_BITS),
    ("Interpolated", 0b10, ORIGIN_BITS),
];

/// The severity of a code, its upper two bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Good,
    Uncertain,
    Bad,
}

/// A checked status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusCode(u32);

impl StatusCode {
    pub const GOOD: Self = Self(0);

    /// The status that a request gives by code, by symbol, by both (they have to agree) or
    /// not at all.
    pub fn given(code: Option<i64>, symbol: Option<&str>) -> Result<Self, Refusal> {
        let by_code = code.map(Self::from_code).transpose()?;
        let by_symbol = symbol.map(Self::from_symbol).transpose()?;
        match (by_code, by_symbol) {
            (Some(code), Some(symbol)) if code != symbol => {
                Err(Refusal::invalid("Status code and symbol do not match"))
            }
            (Some(status), _) | (None, Some(status)) => Ok(status),
            (None, None) => Ok(Self::GOOD),
        }
    }

    /// Checks a numeric code.
    pub fn from_code(code: i64) -> Result<Self, Refusal> {
        let refused = |why: &str| {
            Err(Refusal::invalid(format!(
                "Invalid status code {code}: {why}"
            )))
        };
        let Ok(bits) = u32::try_from(code) else {
            return refused("it does not fit into 32 bits");
        };
        if bits == 0 {
            return Ok(Self::GOOD);
        }
        if category_symbol(bits).is_none() {
            return refused("unknown category");
        }
        if bits & RESERVED_BITS != 0 {
            return refused("reserved bits are set");
        }
        if bits & INFO_TYPE == 0 && bits & INFO_BITS != 0 {
            return refused("info bits are set without the info type");
        }
        if bits & ORIGIN_BITS == ORIGIN_BITS {
            return refused("Calculated and Interpolated exclude each other");
        }
        Ok(Self(bits))
    }

    /// Reads a symbol: a category, then flags after commas or blanks.
    pub fn from_symbol(symbol: &str) -> Result<Self, Refusal> {
        let refused =
            |why: String| Refusal::invalid(format!("Invalid status symbol '{symbol}': {why}"));
        let mut words = symbol.split([',', ' ']).filter(|word| !word.is_empty());
        let category = words.next().unwrap_or_default();
        let mut bits = SYMBOLS
            .iter()
            .find(|(_, name)| *name == category)
            .map(|(upper, _)| u32::from(*upper) << 16)
            .ok_or_else(|| refused("unknown severity or sub code".to_owned()))?;
        for word in words {
            let (_, flag, mask) = FLAGS
                .iter()
                .find(|(name, ..)| *name == word)
                .ok_or_else(|| refused(format!("unsupported flag {word}")))?;
            let taken = bits & mask;
            if taken != 0 && taken != *flag {
                return Err(refused(format!("{word} excludes another flag")));
            }
            bits |= flag;
        }
        if bits & INFO_BITS != 0 {
            bits |= INFO_TYPE;
        }
        Ok(Self(bits))
    }

    pub fn code(self) -> u32 {
        self.0
    }

    pub fn severity(self) -> Severity {
        match self.0 >> 30 {
            0 => Severity::Good,
            1 => Severity::Uncertain,
            _ => Severity::Bad,
        }
    }

    /// The symbol, `"BadNoData, Low"` say.
    pub fn symbol(self) -> String {
        let mut symbol = category_symbol(self.0).unwrap_or("Good").to_owned();
        for (name, bits, mask) in FLAGS {
            if self.0 & mask == bits {
                symbol.push_str(", ");
                symbol.push_str(name);
            }
        }
        symbol
    }
}

fn category_symbol(bits: u32) -> Option<&'static str> {
    let upper = u16::try_from((bits & CATEGORY_BITS) >> 16).ok()?;
    let index = SYMBOLS
        .binary_search_by_key(&upper, |(upper, _)| *upper)
        .ok()?;
    Some(SYMBOLS[index].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_of_the_table_comes_back_from_its_code() {
        for (upper, name) in SYMBOLS {
            let code = i64::from(upper) << 16;
            assert_eq!(
                StatusCode::from_code(code).map(StatusCode::symbol),
                Ok(name.to_owned())
            );
            assert_eq!(
                StatusCode::from_symbol(name).map(|s| i64::from(s.code())),
                Ok(code)
            );
        }
    }

    #[test]
    fn flags_set_the_info_type() {
        let status = StatusCode::from_symbol("Bad, Low");
        assert_eq!(status.clone().map(StatusCode::code), Ok(0x8000_0500));
        assert_eq!(status.map(StatusCode::symbol), Ok("Bad, Low".to_owned()));
    }

    #[test]
    fn codes_that_mean_nothing_are_refused() {
        for code in [
            -1,
            1 << 32,
            0xc000_0000,
            0x8000_0800,
            0x8000_0001,
            0x8000_0403,
            0x7fff_0000,
        ] {
            assert!(StatusCode::from_code(code).is_err(), "{code:#x}");
        }
    }

    #[test]
    fn code_and_symbol_have_to_agree() {
        assert_eq!(
            StatusCode::given(Some(1_073_741_824), Some("Uncertain")).map(|s| s.code()),
            Ok(0x4000_0000)
        );
        assert!(StatusCode::given(Some(0), Some("Bad")).is_err());
        assert_eq!(StatusCode::given(None, None), Ok(StatusCode::GOOD));
    }
}
