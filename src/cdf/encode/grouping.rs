//! Rows of several batches, gathered by the series or key that they write to.
//!
//! Owns the counting sort and "the last row wins". Promises that a series named by several
//! batches is one item. Never allocates per row.

use crate::rows::SeriesKey;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

/// A hasher for keys that carry their hash.
#[derive(Default)]
pub struct CarriedHash(u64);

impl Hasher for CarriedHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Keys here write one u64; anything else still spreads.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

pub type CarriedHashMap<K, V> = HashMap<K, V, BuildHasherDefault<CarriedHash>>;

/// A series by its carried hash; the same allocation is the same series without a look at it.
#[derive(Clone, Copy, Eq)]
struct SeriesByHash<'a>(&'a Arc<SeriesKey>);

impl PartialEq for SeriesByHash<'_> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.0, other.0) || self.0.reference() == other.0.reference()
    }
}

impl Hash for SeriesByHash<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash());
    }
}

/// Numbers series across batches, in the order in which they are first met.
#[derive(Default)]
pub struct SeriesNumbers<'a> {
    numbers: CarriedHashMap<SeriesByHash<'a>, u32>,
    /// The series, by number.
    pub series: Vec<&'a SeriesKey>,
}

impl<'a> SeriesNumbers<'a> {
    /// The number of `key`, a new one if it was not met before.
    pub fn number(&mut self, key: &'a Arc<SeriesKey>) -> u32 {
        let next = self.series.len() as u32;
        let number = *self.numbers.entry(SeriesByHash(key)).or_insert(next);
        if number == next {
            self.series.push(key);
        }
        number
    }
}

/// A datapoint on its way into an item.
#[derive(Clone, Copy, Debug)]
pub struct Point<V> {
    pub timestamp_ms: i64,
    pub value: V,
}

/// Puts the points of one series in order if they are not, and drops all but the last of
/// those with one timestamp. Returns how many are left, at the front.
pub fn last_per_timestamp<V: Copy>(points: &mut [Point<V>]) -> usize {
    if points
        .windows(2)
        .all(|pair| pair[0].timestamp_ms < pair[1].timestamp_ms)
    {
        return points.len();
    }
    // Stable: of equal timestamps the later row stays behind the earlier one.
    points.sort_by_key(|point| point.timestamp_ms);
    let mut kept = 0;
    for index in 0..points.len() {
        let superseded = points
            .get(index + 1)
            .is_some_and(|next| next.timestamp_ms == points[index].timestamp_ms);
        if !superseded {
            points[kept] = points[index];
            kept += 1;
        }
    }
    kept
}
