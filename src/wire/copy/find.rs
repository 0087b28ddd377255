//! Finding the next special byte where it is usually near.
//!
//! Owns a search that looks at eight bytes at a time for the first few steps and only then
//! calls the vector search, whose start costs more than a short field. Never reads beyond
//! the slice.

use memchr::memchr2;

/// Bytes that are searched in steps of eight before the vector search takes over.
const NEAR_BYTES: usize = 24;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The index of the first byte that is `first` or `second`.
#[inline(always)]
pub fn find2(first: u8, second: u8, bytes: &[u8]) -> Option<usize> {
    let firsts = ONES * u64::from(first);
    let seconds = ONES * u64::from(second);
    // The lowest byte found by each term is right; a borrow can only taint higher ones.
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word;
    let mut at = 0;
    while at < NEAR_BYTES {
        let Some((eight, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<8>) else {
            return find_near_end(first, second, bytes, at);
        };
        let word = u64::from_le_bytes(*eight);
        let found = (zero_byte(word ^ firsts) | zero_byte(word ^ seconds)) & HIGHS;
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr2(first, second, &bytes[at..]).map(|far| at + far)
}

/// The search in the last, fewer than eight, bytes.
#[inline]
fn find_near_end(first: u8, second: u8, bytes: &[u8], from: usize) -> Option<usize> {
    bytes[from..]
        .iter()
        .position(|byte| *byte == first || *byte == second)
        .map(|near| from + near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds(
            bytes in prop::collection::vec(prop::sample::select(b"ab\t\n\x09\x0a\x00\x80\xff\x01x".to_vec()), 0..100),
            padding in 0usize..80,
            first in prop::sample::select(b"\t,\x00\xff\x80".to_vec()),
            second in prop::sample::select(b"\n\"\x01".to_vec()),
        ) {
            let mut padded = vec![b'x'; padding];
            padded.extend(bytes);
            let plain = padded.iter().position(|byte| *byte == first || *byte == second);
            prop_assert_eq!(find2(first, second, &padded), plain);
        }
    }
}
