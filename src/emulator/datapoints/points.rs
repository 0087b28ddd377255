//! The stored points of one series.
//!
//! Owns their order by time. A point with a timestamp that is there already replaces it:
//! the last write wins.

use super::status::{Severity, StatusCode};
use std::collections::BTreeMap;
use std::ops::Range;

/// A value, or none (a Bad status allows that), and its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Point<V> {
    pub value: Option<V>,
    pub status: StatusCode,
}

/// Points with their timestamps in ms.
pub type Timed<V> = Vec<(i64, Point<V>)>;

/// Points of either type.
#[derive(Debug, Clone, PartialEq)]
pub enum TypedPoints {
    Numeric(Timed<f64>),
    Text(Timed<Box<str>>),
}

impl TypedPoints {
    /// The timestamps, in their order.
    pub fn timestamps(&self) -> Box<dyn Iterator<Item = i64> + '_> {
        match self {
            Self::Numeric(points) => Box::new(points.iter().map(|(timestamp, _)| *timestamp)),
            Self::Text(points) => Box::new(points.iter().map(|(timestamp, _)| *timestamp)),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Numeric(points) => points.len(),
            Self::Text(points) => points.len(),
        }
    }
}

/// Which points a reader wants to see.
#[derive(Debug, Clone, Copy)]
pub struct StatusFilter {
    /// Leave out Bad points.
    pub ignore_bad: bool,
    /// Take Uncertain ones for Bad.
    pub uncertain_is_bad: bool,
}

impl StatusFilter {
    fn shows(self, status: StatusCode) -> bool {
        let bad = match status.severity() {
            Severity::Good => false,
            Severity::Uncertain => self.uncertain_is_bad,
            Severity::Bad => true,
        };
        !(bad && self.ignore_bad)
    }
}

/// A page of points.
#[derive(Debug)]
pub struct PointPage {
    pub points: TypedPoints,
    /// Timestamp of the next point, when there is one in the range.
    pub next: Option<i64>,
}

/// The points of one series, in the order of time.
#[derive(Debug)]
pub enum Points {
    Numeric(BTreeMap<i64, Point<f64>>),
    Text(BTreeMap<i64, Point<Box<str>>>),
}

impl Points {
    /// No points yet.
    pub fn new(is_string: bool) -> Self {
        if is_string {
            Self::Text(BTreeMap::new())
        } else {
            Self::Numeric(BTreeMap::new())
        }
    }

    /// Stores points; those of the other type were refused before.
    pub fn insert(&mut self, points: TypedPoints) {
        match (self, points) {
            (Self::Numeric(stored), TypedPoints::Numeric(points)) => stored.extend(points),
            (Self::Text(stored), TypedPoints::Text(points)) => stored.extend(points),
            // An empty list has no type of its own.
            (Self::Numeric(_), TypedPoints::Text(_)) | (Self::Text(_), TypedPoints::Numeric(_)) => {
            }
        }
    }

    /// Removes the points of a time range.
    pub fn remove(&mut self, range: Range<i64>) {
        match self {
            Self::Numeric(points) => remove(points, range),
            Self::Text(points) => remove(points, range),
        }
    }

    /// The first `limit` points of a time range.
    pub fn page(&self, range: Range<i64>, limit: usize, filter: StatusFilter) -> PointPage {
        match self {
            Self::Numeric(points) => {
                let (points, next) = page(points, range, limit, filter);
                PointPage {
                    points: TypedPoints::Numeric(points),
                    next,
                }
            }
            Self::Text(points) => {
                let (points, next) = page(points, range, limit, filter);
                PointPage {
                    points: TypedPoints::Text(points),
                    next,
                }
            }
        }
    }

    /// The last point before `before`.
    pub fn last_before(&self, before: i64, filter: StatusFilter) -> TypedPoints {
        let range = i64::MIN..before;
        match self {
            Self::Numeric(points) => TypedPoints::Numeric(last(points, range, filter)),
            Self::Text(points) => TypedPoints::Text(last(points, range, filter)),
        }
    }
}

fn remove<V>(points: &mut BTreeMap<i64, Point<V>>, range: Range<i64>) {
    let mut rest = points.split_off(&range.start);
    let mut after = rest.split_off(&range.end);
    points.append(&mut after);
}

fn page<V: Clone>(
    points: &BTreeMap<i64, Point<V>>,
    range: Range<i64>,
    limit: usize,
    filter: StatusFilter,
) -> (Timed<V>, Option<i64>) {
    let mut shown = points
        .range(range)
        .filter(|(_, point)| filter.shows(point.status))
        .map(|(timestamp, point)| (*timestamp, point.clone()));
    let page = shown.by_ref().take(limit).collect();
    (page, shown.next().map(|(timestamp, _)| timestamp))
}

fn last<V: Clone>(
    points: &BTreeMap<i64, Point<V>>,
    range: Range<i64>,
    filter: StatusFilter,
) -> Timed<V> {
    points
        .range(range)
        .rev()
        .find(|(_, point)| filter.shows(point.status))
        .map(|(timestamp, point)| (*timestamp, point.clone()))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: StatusFilter = StatusFilter {
        ignore_bad: false,
        uncertain_is_bad: false,
    };

    fn numeric(points: &[(i64, f64)]) -> TypedPoints {
        let point = |&(timestamp, value)| {
            let point = Point {
                value: Some(value),
                status: StatusCode::GOOD,
            };
            (timestamp, point)
        };
        TypedPoints::Numeric(points.iter().map(point).collect())
    }

    #[test]
    fn the_last_write_of_a_timestamp_wins() {
        let mut points = Points::new(false);
        points.insert(numeric(&[(2, 1.0), (1, 1.0), (2, 5.0)]));
        assert_eq!(
            points.page(0..10, 10, ALL).points,
            numeric(&[(1, 1.0), (2, 5.0)])
        );
    }

    #[test]
    fn a_page_says_where_the_next_one_starts() {
        let mut points = Points::new(false);
        points.insert(numeric(&[(1, 1.0), (2, 2.0), (3, 3.0)]));
        assert_eq!(points.page(0..4, 2, ALL).next, Some(3));
        assert_eq!(points.page(0..3, 2, ALL).next, None);
    }

    #[test]
    fn a_removed_range_leaves_its_end_in_place() {
        let mut points = Points::new(false);
        points.insert(numeric(&[(1, 1.0), (2, 2.0), (3, 3.0)]));
        points.remove(1..3);
        assert_eq!(
            points.page(i64::MIN..i64::MAX, 9, ALL).points,
            numeric(&[(3, 3.0)])
        );
    }
}
