//! Which rows of a piece CDF has, found out in as few calls as CDF takes.
//!
//! Owns the questions and their answers. Promises that each row is told whether CDF has it, or
//! how many points of it; that a call makes progress; and that points which are close together
//! are read together, those far apart each by itself. Never writes.
//!
//! The positions of a series or a sequence are put in order and cut into strips. A strip is read
//! from its first position that is not known to its last, and goes on behind what a page has
//! shown: where CDF has few points between, a page covers all of them, and where it has many,
//! the next question skips to the next position that is wanted.

use crate::catalog::Resource;
use crate::cdf::{
    POINT_QUESTIONS_MAX, POINTS_PER_ANSWER_MAX, PointQuestion, PresentPage, ROWS_PER_ANSWER_MAX,
    Reference, RowQuestion,
};
use crate::pipeline::attempt::Call;
use crate::pipeline::segment::{Piece, Segment};
use crate::rows::{ObjectBatch, ObjectValues, RowBatch, SEQUENCE_ROW_COLUMNS, SeriesReference};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Whose positions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Series(SeriesReference),
    Sequence(Reference),
}

/// Positions that a row of the piece asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    positions: Range<i64>,
    /// Index among the rows of the piece.
    row: usize,
}

/// Positions of one owner that are read one behind the other.
#[derive(Clone, Debug)]
struct Strip {
    owner: Owner,
    /// Ascending.
    wanted: Vec<Wanted>,
    /// Where the next question begins; the end of the last when all is known.
    next: i64,
}

impl Strip {
    fn end(&self) -> i64 {
        self.wanted
            .last()
            .map_or(i64::MIN, |last| last.positions.end)
    }

    fn is_done(&self) -> bool {
        self.next >= self.end()
    }
}

/// What is known, and what is still to be asked.
#[derive(Debug)]
pub struct Presence {
    pub piece: Arc<Piece>,
    resource: Resource,
    /// Points of the other type are none of the table's.
    strings: bool,
    strips: Vec<Strip>,
    /// Strips of the call under way.
    asked: Vec<usize>,
    /// Per row of the piece, how many of its positions CDF has.
    found: Vec<u64>,
}

impl Presence {
    /// Of the rows of a piece. `counts`: a position counts for the first row only that names
    /// it, as a delete takes it away once; otherwise for each.
    pub fn of(piece: Arc<Piece>, resource: Resource, strings: bool, counts: bool) -> Self {
        let mut by_owner: Vec<(Owner, Vec<Wanted>)> = Vec::new();
        let mut place_of: HashMap<Owner, usize> = HashMap::new();
        let mut rows = 0;
        for segment in &piece.segments {
            for row in segment.rows.clone() {
                if let Some((owner, positions)) = place(segment, row) {
                    let place = *place_of.entry(owner.clone()).or_insert_with(|| {
                        by_owner.push((owner, Vec::new()));
                        by_owner.len() - 1
                    });
                    let row = rows;
                    by_owner[place].1.push(Wanted { positions, row });
                }
                rows += 1;
            }
        }
        for (_, wanted) in &mut by_owner {
            if counts {
                *wanted = each_once(wanted);
            }
            wanted.sort_by_key(|wanted| wanted.positions.start);
        }
        Presence {
            strips: strips(by_owner, rows, resource),
            piece,
            resource,
            strings,
            asked: Vec::new(),
            found: vec![0; rows],
        }
    }

    /// The next call; `None` when everything is known.
    pub fn call(&mut self) -> Option<Call> {
        let open = (0..self.strips.len()).filter(|strip| !self.strips[*strip].is_done());
        if self.resource == Resource::SequenceRows {
            self.asked = open.take(1).collect();
            let strip = &self.strips[*self.asked.first()?];
            let Owner::Sequence(sequence) = &strip.owner else {
                return None;
            };
            let numbers = strip.next..strip.end();
            return Some(Call::FindRows(RowQuestion {
                sequence: sequence.clone(),
                limit: width(&numbers).min(ROWS_PER_ANSWER_MAX),
                numbers,
            }));
        }
        self.asked = open.take(POINT_QUESTIONS_MAX).collect();
        let share = POINTS_PER_ANSWER_MAX / self.asked.len().max(1);
        let questions: Vec<PointQuestion> = self
            .asked
            .iter()
            .filter_map(|strip| {
                let strip = &self.strips[*strip];
                let Owner::Series(series) = &strip.owner else {
                    return None;
                };
                let times_ms = strip.next..strip.end();
                Some(PointQuestion {
                    series: series.clone(),
                    limit: width(&times_ms).min(share),
                    times_ms,
                })
            })
            .collect();
        (!questions.is_empty()).then(|| Call::FindPoints(questions.into()))
    }

    /// Takes in the answers to the last call, in the order of its questions.
    pub fn absorb(&mut self, pages: Vec<PresentPage>) {
        for (strip, page) in std::mem::take(&mut self.asked).into_iter().zip(pages) {
            let strip = &mut self.strips[strip];
            let counts = match strip.owner {
                Owner::Series(_) => page.is_string == self.strings,
                Owner::Sequence(_) => true,
            };
            for position in page.positions.iter().filter(|_| counts) {
                let wanted = &strip.wanted;
                let behind = wanted.partition_point(|one| one.positions.start <= *position);
                // Several rows may name one position; ranges do not overlap.
                for one in wanted[..behind].iter().rev() {
                    if !one.positions.contains(position) {
                        break;
                    }
                    self.found[one.row] += 1;
                }
            }
            strip.next = match page.positions.last() {
                Some(last) if page.has_more => {
                    let behind = |one: &&Wanted| one.positions.end > last.saturating_add(1);
                    let next = strip.wanted.iter().find(behind);
                    next.map_or(strip.end(), |next| {
                        next.positions.start.max(last.saturating_add(1))
                    })
                }
                _ => strip.end(),
            };
        }
    }

    /// Whether there is more to ask.
    pub fn has_questions(&self) -> bool {
        self.strips.iter().any(|strip| !strip.is_done())
    }

    /// Per row of the piece, how many of its positions CDF has.
    pub fn found(&self) -> &[u64] {
        &self.found
    }
}

fn width(positions: &Range<i64>) -> usize {
    usize::try_from(positions.end.saturating_sub(positions.start)).unwrap_or(usize::MAX)
}

/// Whose positions a row names, and which.
fn place(segment: &Segment, row: usize) -> Option<(Owner, Range<i64>)> {
    match &segment.submission.batch {
        RowBatch::Datapoints(batch) => {
            let series = batch.series[batch.series_index[row] as usize].reference();
            let times_ms = batch.timestamps_ms[row]..batch.last_ms(row) + 1;
            Some((Owner::Series(series.clone()), times_ms))
        }
        RowBatch::Objects(batch) => {
            let number = sequence_row_number(batch, row)?;
            let sequence = sequence_of(batch, row)?;
            Some((Owner::Sequence(sequence), number..number.saturating_add(1)))
        }
        RowBatch::RawRows(_) => None,
    }
}

fn sequence_of(batch: &ObjectBatch, row: usize) -> Option<Reference> {
    let [_, external_id, id, ..] = SEQUENCE_ROW_COLUMNS;
    [external_id, id].into_iter().find_map(|index| {
        let column = batch.column(index).filter(|column| column.present[row])?;
        match &column.values {
            ObjectValues::Text(names) => Some(Reference::ExternalId(names.text(row).into())),
            ObjectValues::BigInt(ids) => Some(Reference::Id(ids[row])),
            _ => None,
        }
    })
}

fn sequence_row_number(batch: &ObjectBatch, row: usize) -> Option<i64> {
    let [_, _, _, row_number, _] = SEQUENCE_ROW_COLUMNS;
    match &batch.column(row_number)?.values {
        ObjectValues::BigInt(numbers) => Some(numbers[row]),
        _ => None,
    }
}

/// The same positions, each for the first row that names it.
fn each_once(wanted: &[Wanted]) -> Vec<Wanted> {
    // By first position, what is taken and by which row.
    let mut taken: BTreeMap<i64, Wanted> = BTreeMap::new();
    for Wanted { positions, row } in wanted {
        let mut at = positions.start;
        while at < positions.end {
            let before = taken.range(..=at).next_back().map(|(_, one)| one);
            if let Some(end) = before.map(|one| one.positions.end).filter(|end| *end > at) {
                at = end;
                continue;
            }
            let next = taken
                .range(at..)
                .next()
                .map_or(i64::MAX, |(start, _)| *start);
            let end = positions.end.min(next);
            let positions = at..end;
            taken.insert(
                at,
                Wanted {
                    positions,
                    row: *row,
                },
            );
            at = end;
        }
    }
    taken.into_values().collect()
}

/// Strips of about equal length, so that one call asks for all of them.
fn strips(by_owner: Vec<(Owner, Vec<Wanted>)>, rows: usize, resource: Resource) -> Vec<Strip> {
    let length = match resource {
        Resource::SequenceRows => usize::MAX,
        _ => rows.div_ceil(POINT_QUESTIONS_MAX).max(1),
    };
    let mut strips = Vec::new();
    for (owner, wanted) in by_owner {
        let mut first = 0;
        while first < wanted.len() {
            let mut end = first.saturating_add(length).min(wanted.len());
            // Rows that name one position stay together.
            while end < wanted.len() && wanted[end].positions == wanted[end - 1].positions {
                end += 1;
            }
            strips.push(Strip {
                owner: owner.clone(),
                next: wanted[first].positions.start,
                wanted: wanted[first..end].to_vec(),
            });
            first = end;
        }
    }
    strips
}

#[cfg(test)]
#[path = "presence_tests.rs"]
mod tests;
