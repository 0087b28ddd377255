//! The positions that conditions leave: times in milliseconds, or numbers of rows.
//!
//! Owns the arithmetic of comparisons. Promises the positions that fulfil every condition given,
//! and no other. Never knows what stands at a position.

use std::ops::Range;

/// How a position compares with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Positions: those of a list, or all of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Positions {
    range: Range<i64>,
    /// Sorted, each once.
    listed: Option<Vec<i64>>,
}

impl Positions {
    /// All positions that there can be.
    pub fn all(range: Range<i64>) -> Self {
        Positions {
            range,
            listed: None,
        }
    }

    /// Leaves those that compare so with `value`; the ends of the numbers stand for infinities.
    pub fn compare(&mut self, comparison: Comparison, value: i64) {
        let Range { start, end } = &mut self.range;
        match comparison {
            Comparison::Equal => self.keep(vec![value]),
            Comparison::Less => *end = value.min(*end),
            Comparison::AtMost => *end = value.saturating_add(1).min(*end),
            Comparison::Greater => *start = value.saturating_add(1).max(*start),
            Comparison::AtLeast => *start = value.max(*start),
        }
    }

    /// Leaves those that are in `values`, which may be in any order.
    pub fn keep(&mut self, mut values: Vec<i64>) {
        values.sort_unstable();
        values.dedup();
        if let Some(listed) = &self.listed {
            values.retain(|value| listed.binary_search(value).is_ok());
        }
        self.listed = Some(values);
    }

    /// What is left: a list, or a range that is not empty.
    pub fn left(self) -> Left {
        let range = self.range;
        match self.listed {
            Some(mut listed) => {
                listed.retain(|position| range.contains(position));
                Left::Listed(listed)
            }
            None if range.is_empty() => Left::Listed(Vec::new()),
            None => Left::Range(range),
        }
    }
}

/// The positions that fulfil all conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Listed(Vec<i64>),
    Range(Range<i64>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Condition {
        Compare(Comparison, i64),
        In(Vec<i64>),
        Null,
    }

    fn condition() -> impl Strategy<Value = Condition> {
        let comparison = prop_oneof![
            Just(Comparison::Equal),
            Just(Comparison::Less),
            Just(Comparison::AtMost),
            Just(Comparison::Greater),
            Just(Comparison::AtLeast),
        ];
        let value = prop_oneof![8 => -3_i64..24, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
        prop_oneof![
            8 => (comparison, value).prop_map(|(comparison, value)| {
                Condition::Compare(comparison, value)
            }),
            2 => prop::collection::vec(-3_i64..24, 0..6).prop_map(Condition::In),
            1 => Just(Condition::Null),
        ]
    }

    /// What a filter over every point says.
    fn holds(condition: &Condition, point: i64) -> bool {
        match condition {
            Condition::Compare(Comparison::Equal, value) => point == *value,
            Condition::Compare(Comparison::Less, value) => point < *value,
            Condition::Compare(Comparison::AtMost, value) => point <= *value,
            Condition::Compare(Comparison::Greater, value) => point > *value,
            Condition::Compare(Comparison::AtLeast, value) => point >= *value,
            Condition::In(values) => values.contains(&point),
            Condition::Null => false,
        }
    }

    proptest! {
        #[test]
        fn conditions_leave_what_a_filter_over_all_points_leaves(
            conditions in prop::collection::vec(condition(), 0..5),
            points in prop::collection::btree_set(0_i64..20, 0..20),
        ) {
            let mut positions = Positions::all(0..20);
            for condition in &conditions {
                match condition {
                    Condition::Compare(comparison, value) => positions.compare(*comparison, *value),
                    Condition::In(values) => positions.keep(values.clone()),
                    Condition::Null => positions.keep(Vec::new()),
                }
            }
            let left = positions.left();
            let kept: Vec<i64> = points
                .iter()
                .copied()
                .filter(|point| match &left {
                    Left::Listed(listed) => listed.contains(point),
                    Left::Range(range) => range.contains(point),
                })
                .collect();
            let wanted: Vec<i64> = points
                .iter()
                .copied()
                .filter(|point| conditions.iter().all(|condition| holds(condition, *point)))
                .collect();
            prop_assert_eq!(kept, wanted);
            if let Left::Listed(listed) = &left {
                prop_assert!(listed.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(listed.iter().all(|position| (0..20).contains(position)));
            }
        }
    }
}
