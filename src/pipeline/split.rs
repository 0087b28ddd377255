//! Taking a piece apart: the rows that CDF names from the others, or one half from the other.
//!
//! Owns the matching of CDF's references with rows. Promises that the order of rows is kept
//! within each part. Never copies rows: parts are ranges.

use super::segment::{Piece, Segment};
use crate::cdf::Reference;
use crate::rows::{ObjectBatch, ObjectValues, RowBatch, SEQUENCE_ROW_COLUMNS, SeriesKey};
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A piece without the rows that CDF named, and those rows.
#[derive(Debug, Default)]
pub struct Parted {
    /// Each with the index of the reference that names it.
    pub named: Vec<(Segment, usize)>,
    pub rest: Piece,
}

/// Takes out the rows that `references` name.
pub fn take_out(piece: &Piece, references: &[Reference]) -> Parted {
    let index: HashMap<&Reference, usize> = references
        .iter()
        .enumerate()
        .map(|(index, reference)| (reference, index))
        .collect();
    let (mut named, mut rest) = (Vec::new(), Vec::new());
    let classify = |batch: &RowBatch| classes_by_reference(batch, &index);
    for_each_run(piece, classify, |segment, class| match class {
        Some(reference) => named.push((segment, reference)),
        None => rest.push(segment),
    });
    Parted {
        named,
        rest: Piece::new(rest),
    }
}

/// Parts of a piece of RAW tables, by database: its name stands in the path of the request.
pub fn by_database(piece: &Piece) -> Vec<Piece> {
    let mut parts: Vec<Vec<Segment>> = Vec::new();
    let mut number_of: HashMap<String, usize> = HashMap::new();
    for segment in &piece.segments {
        let RowBatch::Objects(batch) = &segment.submission.batch else {
            continue;
        };
        let databases = batch
            .columns
            .iter()
            .find_map(|column| match &column.values {
                ObjectValues::Text(values)
                    if batch.table.columns[column.column].field == "dbName" =>
                {
                    Some(values)
                }
                _ => None,
            });
        for row in segment.rows.clone() {
            let database = databases.map_or("", |values| values.text(row));
            let number = match number_of.get(database) {
                Some(number) => *number,
                None => {
                    parts.push(Vec::new());
                    number_of.insert(database.to_owned(), parts.len() - 1);
                    parts.len() - 1
                }
            };
            match parts[number].last_mut() {
                Some(last)
                    if Arc::ptr_eq(&last.submission, &segment.submission)
                        && last.rows.end == row =>
                {
                    last.rows.end = row + 1;
                }
                _ => parts[number].push(Segment {
                    submission: segment.submission.clone(),
                    rows: row..row + 1,
                }),
            }
        }
    }
    parts.into_iter().map(Piece::new).collect()
}

/// Sequences whose rows one request writes or deletes, by CDF's API reference.
const SEQUENCES_MAX: usize = 1000;

/// Parts of a piece of sequence rows in each of which every sequence has one list of columns: CDF
/// takes a sequence once in a request, and so many of them. A row that comes again is in no earlier
/// part than before: its last cells stay.
pub fn by_sequence_columns(piece: &Piece) -> Vec<Piece> {
    let mut parts: Vec<(HashMap<String, String>, Vec<Segment>)> = Vec::new();
    let mut part_of_key: HashMap<u64, usize> = HashMap::new();
    for segment in &piece.segments {
        let RowBatch::Objects(batch) = &segment.submission.batch else {
            continue;
        };
        for row in segment.rows.clone() {
            let (sequence, columns) = sequence_and_columns(batch, row);
            let key = batch.key_hashes[row];
            let first = part_of_key.get(&key).copied().unwrap_or(0);
            let number = parts
                .iter()
                .skip(first)
                .position(|(known, _)| match known.get(&sequence) {
                    Some(other) => *other == columns,
                    None => known.len() < SEQUENCES_MAX,
                })
                .map_or_else(
                    || {
                        parts.push((HashMap::new(), Vec::new()));
                        parts.len() - 1
                    },
                    |place| first + place,
                );
            part_of_key.insert(key, number);
            let (known, segments) = &mut parts[number];
            known.insert(sequence, columns);
            match segments.last_mut() {
                Some(last)
                    if Arc::ptr_eq(&last.submission, &segment.submission)
                        && last.rows.end == row =>
                {
                    last.rows.end = row + 1;
                }
                _ => segments.push(Segment {
                    submission: segment.submission.clone(),
                    rows: row..row + 1,
                }),
            }
        }
    }
    parts
        .into_iter()
        .map(|(_, segments)| Piece::new(segments))
        .collect()
}

/// What names the sequence of a row, and the columns that it writes.
fn sequence_and_columns(batch: &ObjectBatch, row: usize) -> (String, String) {
    let text = |index: usize| {
        let column = batch.column(index).filter(|column| column.present[row])?;
        Some(match &column.values {
            ObjectValues::Text(values)
            | ObjectValues::Json(values)
            | ObjectValues::TextArray(values) => values.text(row).to_owned(),
            ObjectValues::BigInt(values) => values[row].to_string(),
            _ => return None,
        })
    };
    let [values, external_id, id, _, columns] = SEQUENCE_ROW_COLUMNS;
    let sequence = match (text(external_id), text(id)) {
        (Some(name), _) => format!("name {name}"),
        (None, number) => format!("id {}", number.unwrap_or_default()),
    };
    let columns = text(columns).unwrap_or_else(|| {
        // The values name their columns.
        let cells: BTreeMap<String, IgnoredAny> =
            serde_json::from_str(&text(values).unwrap_or_default()).unwrap_or_default();
        let names: Vec<&String> = cells.keys().collect();
        serde_json::to_string(&names).unwrap_or_default()
    });
    (sequence, columns)
}

/// The rows whose series `is_named` picks, and the others.
pub fn part_by_series(piece: &Piece, is_named: impl Fn(&Arc<SeriesKey>) -> bool) -> (Piece, Piece) {
    let classify = |batch: &RowBatch| match batch {
        RowBatch::Datapoints(batch) => Classes::PerSeries(
            batch
                .series
                .iter()
                .map(|series| is_named(series).then_some(0))
                .collect(),
        ),
        RowBatch::RawRows(_) | RowBatch::Objects(_) => Classes::None,
    };
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for_each_run(piece, classify, |segment, class| match class {
        Some(_) => named.push(segment),
        None => others.push(segment),
    });
    (Piece::new(named), Piece::new(others))
}

/// Two halves of a piece: by series where there are several, since what spoils a request is
/// usually the same for all points of a series; otherwise by rows. `None`: one row only.
pub fn halve(piece: &Piece) -> Option<(Piece, Piece)> {
    let rows = piece.rows();
    if rows < 2 {
        return None;
    }
    let series = series_of(piece);
    if series.len() < 2 {
        return Some(cut_after(piece, rows / 2));
    }
    let later: HashSet<u64> = series[series.len() / 2..]
        .iter()
        .map(|series| series.hash())
        .collect();
    let (second, first) = part_by_series(piece, |series| later.contains(&series.hash()));
    Some((first, second))
}

/// Distinct series of a piece, in the order in which they appear.
pub fn series_of(piece: &Piece) -> Vec<Arc<SeriesKey>> {
    let mut seen = HashSet::new();
    let mut order = Vec::new();
    for segment in &piece.segments {
        if let RowBatch::Datapoints(batch) = &segment.submission.batch {
            for index in &batch.series_index[segment.rows.clone()] {
                let series = &batch.series[*index as usize];
                if seen.insert(series.hash()) {
                    order.push(series.clone());
                }
            }
        }
    }
    order
}

fn cut_after(piece: &Piece, rows: u64) -> (Piece, Piece) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut left = rows as usize;
    for segment in &piece.segments {
        let middle = segment.rows.start + left.min(segment.rows.len());
        left -= middle - segment.rows.start;
        for (part, range) in [
            (&mut first, segment.rows.start..middle),
            (&mut second, middle..segment.rows.end),
        ] {
            if !range.is_empty() {
                part.push(Segment {
                    submission: segment.submission.clone(),
                    rows: range,
                });
            }
        }
    }
    (Piece::new(first), Piece::new(second))
}

/// The class of each row of a batch.
enum Classes {
    /// By index of the row's series.
    PerSeries(Vec<Option<usize>>),
    PerRow(Vec<Option<usize>>),
    /// All rows are of no class.
    None,
}

/// Calls `emit` for each run of rows with one class.
fn for_each_run(
    piece: &Piece,
    classify: impl Fn(&RowBatch) -> Classes,
    mut emit: impl FnMut(Segment, Option<usize>),
) {
    // A piece that was split before has many segments of one submission in a row.
    let mut last: Option<(&Segment, Classes)> = None;
    for segment in &piece.segments {
        let batch = &segment.submission.batch;
        let known = last
            .as_ref()
            .is_some_and(|(other, _)| Arc::ptr_eq(&other.submission, &segment.submission));
        if !known {
            last = Some((segment, classify(batch)));
        }
        let Some((_, classes)) = &last else { continue };
        let class_of = |row: usize| match (classes, batch) {
            (Classes::PerSeries(classes), RowBatch::Datapoints(batch)) => {
                classes[batch.series_index[row] as usize]
            }
            (Classes::PerRow(classes), _) => classes[row],
            _ => None,
        };
        let mut start = segment.rows.start;
        while start < segment.rows.end {
            let class = class_of(start);
            let end = (start + 1..segment.rows.end)
                .find(|row| class_of(*row) != class)
                .unwrap_or(segment.rows.end);
            let run = Segment {
                submission: segment.submission.clone(),
                rows: start..end,
            };
            emit(run, class);
            start = end;
        }
    }
}

fn classes_by_reference(batch: &RowBatch, index: &HashMap<&Reference, usize>) -> Classes {
    match batch {
        RowBatch::Datapoints(batch) => Classes::PerSeries(
            batch
                .series
                .iter()
                .map(|series| index.get(&Reference::from(series.reference())).copied())
                .collect(),
        ),
        RowBatch::Objects(batch) => Classes::PerRow(object_classes(batch, index)),
        // CDF's answers about RAW rows name none.
        RowBatch::RawRows(_) => Classes::None,
    }
}

/// Per row of `batch`, which reference names it: by external id, by name, or by what one of
/// its columns points at.
fn object_classes(batch: &ObjectBatch, index: &HashMap<&Reference, usize>) -> Vec<Option<usize>> {
    let mut classes = vec![None; batch.rows];
    for column in &batch.columns {
        let described = &batch.table.columns[column.column];
        for (row, class) in classes.iter_mut().enumerate() {
            if class.is_some() || !column.present[row] {
                continue;
            }
            let find = |reference: Reference| index.get(&reference).copied();
            let in_column = |id: &i64| {
                find(Reference::InColumn {
                    column: described.name,
                    id: *id,
                })
            };
            let by_name = |name: &str| {
                find(Reference::NameInColumn {
                    column: described.name,
                    name: name.into(),
                })
            };
            *class = match &column.values {
                ObjectValues::Text(values) if described.field == "externalId" => {
                    find(Reference::ExternalId(values.text(row).into()))
                }
                ObjectValues::Text(values) if described.field == "name" => {
                    find(Reference::Name(values.text(row).into()))
                }
                ObjectValues::Text(values) => by_name(values.text(row)),
                ObjectValues::BigInt(values) if described.field == "id" => {
                    find(Reference::Id(values[row]))
                }
                ObjectValues::BigInt(values) => in_column(&values[row]),
                ObjectValues::BigIntArray(values) => values[row].iter().find_map(in_column),
                ObjectValues::TextArray(values) => {
                    serde_json::from_slice::<Vec<String>>(values.bytes(row))
                        .unwrap_or_default()
                        .iter()
                        .find_map(|name| by_name(name))
                }
                _ => None,
            };
        }
    }
    classes
}
