//! Which records of a stream are settled: a low-water mark and the ranges above it.
//!
//! Owns the set. Promises that it stays as small as the holes in it, however many records it
//! covers, and that a bounded copy of it errs to the safe side. Never forgets a number.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of numbers as disjoint, non-touching ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// By first number, the end.
    ranges: BTreeMap<u64, u64>,
}

impl Settled {
    /// All numbers below `end`.
    pub fn below(end: u64) -> Self {
        let mut settled = Settled::default();
        settled.insert(0..end);
        settled
    }

    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        // The common case: the range that ends where this one starts grows.
        if let Some((before, before_end)) = self.ranges.range_mut(..=start).next_back()
            && *before_end >= start
        {
            if *before_end >= end {
                return;
            }
            start = *before;
        }
        while let Some((next, next_end)) = self.ranges.range(start..=end).next_back() {
            if *next == start && *next_end >= end {
                return;
            }
            end = end.max(*next_end);
            let next = *next;
            self.ranges.remove(&next);
            if next == start {
                break;
            }
        }
        self.ranges.insert(start, end);
    }

    pub fn contains(&self, number: u64) -> bool {
        self.first_missing(number) != number
    }

    /// Whether all of `range` is settled.
    pub fn covers(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.first_missing(range.start) >= range.end
    }

    /// The first number from `from` on that is not settled.
    pub fn first_missing(&self, from: u64) -> u64 {
        match self.ranges.range(..=from).next_back() {
            Some((_, end)) if *end > from => *end,
            _ => from,
        }
    }

    /// The numbers of `range` that are not settled, as ranges.
    pub fn missing_in(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut missing = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let start = self.first_missing(at);
            let end = self
                .ranges
                .range(start..)
                .next()
                .map_or(range.end, |(next, _)| (*next).min(range.end));
            if start < end {
                missing.push(start..end);
            }
            at = end.max(start);
            if start >= range.end {
                break;
            }
        }
        missing
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.iter().map(|(start, end)| *start..*end)
    }

    /// Ranges in the set.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Takes out everything from `from` on.
    pub fn truncate(&mut self, from: u64) {
        self.ranges.split_off(&from);
        if let Some((_, end)) = self.ranges.iter_mut().next_back() {
            *end = (*end).min(from);
        }
    }

    /// The first `ranges_max` ranges: what lies behind counts as not settled.
    pub fn bounded(&self, ranges_max: usize) -> Self {
        Settled {
            ranges: self
                .ranges
                .iter()
                .take(ranges_max)
                .map(|(start, end)| (*start, *end))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_set_of_ranges_holds_the_same_numbers_as_a_set_of_numbers(
            inserted in prop::collection::vec((0_u64..60, 0_u64..9), 0..40),
            asked in 0_u64..70,
            width in 0_u64..20,
            cut in 0_u64..70,
        ) {
            let mut settled = Settled::default();
            let mut numbers = BTreeSet::new();
            for (start, width) in inserted {
                settled.insert(start..start + width);
                numbers.extend(start..start + width);
            }
            let listed: Vec<u64> = settled.ranges().flatten().collect();
            prop_assert_eq!(&listed, &numbers.iter().copied().collect::<Vec<_>>());
            let ranges: Vec<_> = settled.ranges().collect();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert_eq!(settled.contains(asked), numbers.contains(&asked));
            let range = asked..asked + width;
            prop_assert_eq!(
                settled.covers(&range),
                range.clone().all(|number| numbers.contains(&number))
            );
            let missing: Vec<u64> = settled.missing_in(range.clone()).into_iter().flatten().collect();
            let wanted: Vec<u64> = range.filter(|number| !numbers.contains(number)).collect();
            prop_assert_eq!(missing, wanted);
            settled.truncate(cut);
            let listed: Vec<u64> = settled.ranges().flatten().collect();
            let wanted: Vec<u64> = numbers.iter().copied().filter(|number| *number < cut).collect();
            prop_assert_eq!(listed, wanted);
        }
    }
}
