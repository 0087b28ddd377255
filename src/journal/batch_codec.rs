//! Batches of rows as bytes, and back.
//!
//! Owns the layout: columns as they lie in memory, little endian. Promises that what is read
//! equals what was written, hashes of keys made anew (their seed belongs to the process), and
//! that bytes which no writer made are refused. Never checks integrity: the record's checksum
//! does.
//!
//! ```text
//! kind u8 · rows u32 · row numbers · columns of that kind
//! row numbers:  0 first u64  |  1 u64 × rows
//! text column:  ends u32 × rows · length u32 · bytes
//! series:       0 id u64  |  1 external id  |  2 space · external id
//! statuses:     code u32 × rows · 1 without a value, u8 × rows
//! ```

use super::fields::{Fields, Unreadable, put_bytes, put_column, put_text};
use super::point_codec;
use crate::catalog::Table;
use crate::rows::{
    Action, Assigned, Assignment, ConflictUpdate, ObjectBatch, ObjectColumn, ObjectValues,
    RawAction, RawBatch, RawDestination, RowBatch, RowNumbers, TextColumn, hash_key, row_key_hash,
};
use std::sync::Arc;

const RAW_ROWS: u8 = 3;
const OBJECTS: u8 = 4;
/// Objects that are not just made: what they do follows the columns.
const OBJECT_CHANGES: u8 = 5;
/// RAW rows that are not just inserted: what they do follows the columns.
const RAW_CHANGES: u8 = 10;

/// Appends `batch` to `bytes`.
pub fn encode(bytes: &mut Vec<u8>, batch: &RowBatch) {
    let kind = match batch {
        RowBatch::Datapoints(batch) => point_codec::kind(batch),
        RowBatch::RawRows(batch) if batch.action == RawAction::Insert => RAW_ROWS,
        RowBatch::RawRows(_) => RAW_CHANGES,
        RowBatch::Objects(batch) if batch.action == Action::Create => OBJECTS,
        RowBatch::Objects(_) => OBJECT_CHANGES,
    };
    bytes.push(kind);
    bytes.extend_from_slice(&(batch.rows() as u32).to_le_bytes());
    match batch {
        RowBatch::Datapoints(batch) => {
            put_row_numbers(bytes, &batch.row_numbers);
            point_codec::put(bytes, batch);
        }
        RowBatch::RawRows(batch) => {
            put_row_numbers(bytes, &batch.row_numbers);
            put_text(bytes, &batch.destination.database);
            put_text(bytes, &batch.destination.table);
            put_texts(bytes, &batch.keys);
            put_texts(bytes, &batch.columns);
            if kind == RAW_CHANGES {
                put_text(bytes, batch.action.name());
            }
        }
        RowBatch::Objects(batch) => {
            put_objects(bytes, batch);
            if kind == OBJECT_CHANGES {
                put_action(bytes, batch);
            }
        }
    }
}

/// Reads a batch of `table` that fills `bytes`.
///
/// # Errors
/// The bytes are not such a batch.
pub fn decode(bytes: &[u8], table: &'static Table) -> Result<RowBatch, Unreadable> {
    let mut fields = Fields::new(bytes);
    let kind = fields.u8()?;
    let rows = fields.length()?;
    let row_numbers = row_numbers(&mut fields, rows)?;
    let batch = match kind {
        kind if point_codec::is_kind(kind) => RowBatch::Datapoints(point_codec::read(
            &mut fields,
            kind,
            table,
            rows,
            row_numbers,
        )?),
        RAW_ROWS | RAW_CHANGES => raw_rows(&mut fields, kind, rows, row_numbers)?,
        OBJECTS => RowBatch::Objects(objects(&mut fields, table, rows, row_numbers)?),
        OBJECT_CHANGES => {
            let batch = objects(&mut fields, table, rows, row_numbers)?;
            let action = action(&mut fields, table)?;
            RowBatch::Objects(ObjectBatch { action, ..batch })
        }
        _ => return Err(Unreadable("its kind of rows is not known")),
    };
    if fields.is_empty() {
        Ok(batch)
    } else {
        Err(Unreadable("there is more than its rows"))
    }
}

fn put_row_numbers(bytes: &mut Vec<u8>, numbers: &RowNumbers) {
    match numbers {
        RowNumbers::From(first) => {
            bytes.push(0);
            bytes.extend_from_slice(&first.to_le_bytes());
        }
        RowNumbers::Listed(numbers) => {
            bytes.push(1);
            put_column(bytes, numbers.iter().map(|number| number.to_le_bytes()));
        }
    }
}

fn row_numbers(fields: &mut Fields<'_>, rows: usize) -> Result<RowNumbers, Unreadable> {
    match fields.u8()? {
        0 => fields.u64().map(RowNumbers::From),
        1 => Ok(RowNumbers::Listed(
            fields
                .column(rows)?
                .iter()
                .map(|number| u64::from_le_bytes(*number))
                .collect(),
        )),
        _ => Err(Unreadable("its row numbers are of an unknown kind")),
    }
}

pub(super) fn put_texts(bytes: &mut Vec<u8>, texts: &TextColumn) {
    put_column(bytes, texts.ends().iter().map(|end| end.to_le_bytes()));
    put_bytes(bytes, texts.all_bytes());
}

pub(super) fn texts(fields: &mut Fields<'_>, rows: usize) -> Result<TextColumn, Unreadable> {
    let ends = fields.column(rows)?;
    let ends = ends.iter().map(|end| u32::from_le_bytes(*end)).collect();
    let bytes = fields.bytes()?.to_vec();
    TextColumn::from_parts(ends, bytes).ok_or(Unreadable("a column of text is not sound"))
}

fn raw_rows(
    fields: &mut Fields<'_>,
    kind: u8,
    rows: usize,
    row_numbers: RowNumbers,
) -> Result<RowBatch, Unreadable> {
    let destination = Arc::new(RawDestination {
        database: fields.text()?.into(),
        table: fields.text()?.into(),
    });
    let keys = texts(fields, rows)?;
    let columns = texts(fields, rows)?;
    let action = match kind {
        RAW_CHANGES => RawAction::named(fields.text()?)
            .ok_or(Unreadable("its RAW rows do something unknown"))?,
        _ => RawAction::Insert,
    };
    let key_hashes = (0..rows).map(|row| hash_key(keys.bytes(row))).collect();
    Ok(RowBatch::RawRows(RawBatch {
        destination,
        action,
        keys,
        key_hashes,
        columns,
        row_numbers,
    }))
}

/// Columns go by name: a later version may know more of them.
fn put_objects(bytes: &mut Vec<u8>, batch: &ObjectBatch) {
    put_row_numbers(bytes, &batch.row_numbers);
    bytes.extend_from_slice(&(batch.columns.len() as u32).to_le_bytes());
    for column in &batch.columns {
        put_text(bytes, batch.table.columns[column.column].name);
        let flag = |flag: &bool| [u8::from(*flag)];
        put_column(bytes, column.present.iter().map(flag));
        match &column.values {
            ObjectValues::Bool(values) => {
                bytes.push(1);
                put_column(bytes, values.iter().map(flag));
            }
            ObjectValues::BigInt(values) => {
                bytes.push(2);
                put_column(bytes, values.iter().map(|value| value.to_le_bytes()));
            }
            ObjectValues::Double(values) => {
                bytes.push(3);
                put_column(bytes, values.iter().map(|value| value.to_le_bytes()));
            }
            ObjectValues::Text(values) => {
                bytes.push(4);
                put_texts(bytes, values);
            }
            ObjectValues::TimestampMs(values) => {
                bytes.push(5);
                put_column(bytes, values.iter().map(|value| value.to_le_bytes()));
            }
            ObjectValues::Json(values) => {
                bytes.push(6);
                put_texts(bytes, values);
            }
            ObjectValues::TextArray(values) => {
                bytes.push(8);
                put_texts(bytes, values);
            }
            ObjectValues::BigIntArray(values) => {
                bytes.push(7);
                for array in values {
                    bytes.extend_from_slice(&(array.len() as u32).to_le_bytes());
                    put_column(bytes, array.iter().map(|value| value.to_le_bytes()));
                }
            }
        }
    }
}

/// What the objects do; columns by name.
fn put_action(bytes: &mut Vec<u8>, batch: &ObjectBatch) {
    let name = |column: usize| batch.table.columns[column].name;
    match &batch.action {
        Action::Create => bytes.push(0),
        Action::CreateMissing => bytes.push(1),
        Action::Update => bytes.push(2),
        // Objects are counted by what CDF answers: both are one.
        Action::Delete | Action::DeleteFound => bytes.push(3),
        Action::Empty => bytes.push(5),
        Action::Upsert(update) => {
            bytes.push(4);
            bytes.extend_from_slice(&(update.assignments.len() as u32).to_le_bytes());
            for assignment in &update.assignments {
                put_text(bytes, name(assignment.column));
                match assignment.value {
                    Assigned::Excluded(column) => {
                        bytes.push(0);
                        put_text(bytes, name(column));
                    }
                    Assigned::Constant => bytes.push(1),
                }
            }
            match &update.constants {
                None => bytes.push(0),
                Some(constants) => {
                    bytes.push(1);
                    put_objects(bytes, constants);
                }
            }
        }
    }
}

fn action(fields: &mut Fields<'_>, table: &'static Table) -> Result<Action, Unreadable> {
    let index = |name: &str| {
        table
            .column_index(name)
            .map_err(|_| Unreadable("a column is not in its table"))
    };
    Ok(match fields.u8()? {
        0 => Action::Create,
        1 => Action::CreateMissing,
        2 => Action::Update,
        3 => Action::Delete,
        5 => Action::Empty,
        4 => {
            let mut assignments = Vec::new();
            for _ in 0..fields.length()? {
                let column = index(fields.text()?)?;
                let value = match fields.u8()? {
                    0 => Assigned::Excluded(index(fields.text()?)?),
                    1 => Assigned::Constant,
                    _ => return Err(Unreadable("an assignment is of an unknown kind")),
                };
                assignments.push(Assignment { column, value });
            }
            let constants = match fields.u8()? {
                0 => None,
                _ => {
                    let row_numbers = row_numbers(fields, 1)?;
                    Some(objects(fields, table, 1, row_numbers)?)
                }
            };
            Action::Upsert(Arc::new(ConflictUpdate {
                assignments,
                constants,
            }))
        }
        _ => return Err(Unreadable("its objects do something unknown")),
    })
}

fn objects(
    fields: &mut Fields<'_>,
    table: &'static Table,
    rows: usize,
    row_numbers: RowNumbers,
) -> Result<ObjectBatch, Unreadable> {
    let count = fields.length()?;
    let mut columns: Vec<ObjectColumn> = Vec::new();
    for _ in 0..count {
        let name = fields.text()?;
        let column = table
            .column_index(name)
            .map_err(|_| Unreadable("a column is not in its table"))?;
        let present = flags(fields, rows)?;
        let values = object_values(fields, rows)?;
        columns.push(ObjectColumn {
            column,
            values,
            present,
        });
    }
    let find = |index: usize| columns.iter().find(|column| column.column == index);
    let key_hashes = (0..rows)
        .map(|row| row_key_hash(table, row, find))
        .collect();
    Ok(ObjectBatch {
        table,
        action: Action::Create,
        rows,
        columns,
        key_hashes,
        row_numbers,
    })
}

fn flags(fields: &mut Fields<'_>, rows: usize) -> Result<Vec<bool>, Unreadable> {
    Ok(fields.take(rows)?.iter().map(|flag| *flag != 0).collect())
}

pub(super) fn integers(fields: &mut Fields<'_>, count: usize) -> Result<Vec<i64>, Unreadable> {
    let values = fields.column(count)?.iter();
    Ok(values.map(|value| i64::from_le_bytes(*value)).collect())
}

fn object_values(fields: &mut Fields<'_>, rows: usize) -> Result<ObjectValues, Unreadable> {
    Ok(match fields.u8()? {
        1 => ObjectValues::Bool(flags(fields, rows)?),
        2 => ObjectValues::BigInt(integers(fields, rows)?),
        3 => {
            let values = fields.column(rows)?.iter();
            ObjectValues::Double(values.map(|value| f64::from_le_bytes(*value)).collect())
        }
        4 => ObjectValues::Text(texts(fields, rows)?),
        5 => ObjectValues::TimestampMs(integers(fields, rows)?),
        6 => ObjectValues::Json(texts(fields, rows)?),
        7 => {
            let mut arrays = Vec::new();
            for _ in 0..rows {
                let length = fields.length()?;
                arrays.push(integers(fields, length)?);
            }
            ObjectValues::BigIntArray(arrays)
        }
        8 => ObjectValues::TextArray(texts(fields, rows)?),
        _ => return Err(Unreadable("a column is of an unknown type")),
    })
}
