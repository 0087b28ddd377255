//! The blanks that PostgreSQL's input functions skip around a value.
//!
//! Owns the set: that of C's `isspace`. Never looks inside a value.

/// Whether `byte` is a blank.
#[inline]
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// The value without leading blanks.
#[inline]
pub fn skip_leading(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_blank(*first)
    {
        value = rest;
    }
    value
}

/// The value without blanks around it.
#[inline]
pub fn trim(value: &[u8]) -> &[u8] {
    let mut value = skip_leading(value);
    while let [rest @ .., last] = value
        && is_blank(*last)
    {
        value = rest;
    }
    value
}
