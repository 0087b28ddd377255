//! Order-independent checksums of datapoints, RAW rows and the items of other writes.
//!
//! They let a load test prove that everything arrived, once, without reading it back:
//! the test sums what it sent with the functions here and compares the sum with
//! `GET /_emulator/statistics`. A sum, not an exclusive or, so that a row that arrives
//! twice shows too. All arithmetic wraps at 64 bits.
//!
//! ```text
//! points = Σ series(reference) × point(timestamp, value, status)
//! rows   = Σ table(database, table) × row(key, columns)
//! objects of one operation = Σ object(item)
//! ```
//!
//! The product lets a reader add up the points of a series first and multiply once,
//! wherever in the message the reference stands. The left factor is odd, hence never
//! loses a bit of the right one. This is no cryptographic hash.

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX_A: u64 = 0xbf58_476d_1ce4_e5b9;
const MIX_B: u64 = 0x94d0_49bb_1331_11eb;
const STATUS: u64 = 0xd6e8_feb8_6659_fd93;

/// The value bits of a point without a value (a Bad status allows that).
pub const NULL_VALUE_BITS: u64 = 0x7ff8_0000_dead_beef;

#[inline]
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(MIX_A);
    x = (x ^ (x >> 27)).wrapping_mul(MIX_B);
    x ^ (x >> 31)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Hash of a byte string: two little-endian words of eight bytes at a time, the last ones
/// padded with zeros, the length mixed in.
#[inline]
pub fn bytes(text: &[u8]) -> u64 {
    let mut hash = SPREAD ^ (text.len() as u64).wrapping_mul(MIX_B);
    let mut pairs = text.chunks_exact(16);
    for pair in &mut pairs {
        let (low, high) = pair.split_at(8);
        hash = fold(word(low) ^ MIX_A, word(high) ^ hash);
    }
    let rest = pairs.remainder();
    let (low, high) = rest.split_at(rest.len().min(8));
    fold(word(low) ^ MIX_B, word(high) ^ hash)
}

/// Up to eight bytes as a little-endian word.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    if let Ok(eight) = bytes.try_into() {
        return u64::from_le_bytes(eight);
    }
    bytes
        .iter()
        .rev()
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Factor of a series that is named by its external id.
#[inline]
pub fn series_by_external_id(external_id: &[u8]) -> u64 {
    bytes(external_id) | 1
}

/// Factor of a series that is named by its numeric id.
#[inline]
pub fn series_by_id(id: i64) -> u64 {
    mix(id as u64 ^ SPREAD) | 1
}

/// Factor of a series that is named by its instance id.
#[inline]
pub fn series_by_instance_id(space: &[u8], external_id: &[u8]) -> u64 {
    fold(bytes(space) ^ SPREAD, bytes(external_id) | 1) | 1
}

/// A point: `value_bits` are the bits of the double, [`bytes`] of the string, or
/// [`NULL_VALUE_BITS`]; `status_code` is 0 for Good.
#[inline]
pub fn point(timestamp_ms: i64, value_bits: u64, status_code: u64) -> u64 {
    let x = (timestamp_ms as u64).wrapping_mul(SPREAD) ^ value_bits;
    mix(x ^ status_code.wrapping_mul(STATUS))
}

/// Factor of a RAW table.
#[inline]
pub fn table(database: &[u8], table: &[u8]) -> u64 {
    fold(bytes(database) ^ SPREAD, bytes(table) | 1) | 1
}

/// A RAW row: the key without JSON escapes, the columns object byte for byte as sent.
#[inline]
pub fn row(key: &[u8], columns: &[u8]) -> u64 {
    mix(bytes(key).wrapping_mul(SPREAD) ^ bytes(columns))
}

/// An item of a request, as JSON. Its blanks, its escapes and the order of its members do
/// not count, and a member that is null counts as absent.
///
/// # Errors
///
/// When the text is not JSON.
pub fn object(item: &str) -> serde_json::Result<u64> {
    serde_json::from_str(item).map(|super::object_sum::Digest(hash)| hash)
}

/// Two hashes as one; their order counts.
#[inline]
pub(super) fn pair(first: u64, second: u64) -> u64 {
    mix(first.wrapping_mul(SPREAD) ^ second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_does_not_depend_on_the_order_of_points() {
        let points = [(1, 2.5_f64), (2, -1.0), (3, 0.0)];
        let sum = |order: &[usize]| {
            order.iter().fold(0_u64, |sum, &i| {
                sum.wrapping_add(point(points[i].0, points[i].1.to_bits(), 0))
            })
        };
        assert_eq!(sum(&[0, 1, 2]), sum(&[2, 0, 1]));
        assert_ne!(sum(&[0, 1, 2]), sum(&[0, 1, 1]));
    }

    #[test]
    fn points_swapped_between_two_series_change_the_sum() {
        let (a, b) = (series_by_external_id(b"a"), series_by_external_id(b"b"));
        let (p, q) = (point(1, 1, 0), point(2, 2, 0));
        let straight = a.wrapping_mul(p).wrapping_add(b.wrapping_mul(q));
        let swapped = a.wrapping_mul(q).wrapping_add(b.wrapping_mul(p));
        assert_ne!(straight, swapped);
    }

    #[test]
    fn strings_that_differ_only_in_trailing_zeros_hash_apart() {
        assert_ne!(bytes(b"a"), bytes(b"a\0"));
        assert_ne!(bytes(b""), bytes(b"\0"));
        assert_ne!(bytes(b"12345678"), bytes(b"12345678\0"));
    }

    #[test]
    fn the_status_of_a_point_counts() {
        assert_ne!(point(5, 7, 0), point(5, 7, 0x8000_0000));
    }
}
