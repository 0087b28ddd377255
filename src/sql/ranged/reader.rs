//! Reading the rows of a change by position into a row builder.
//!
//! Owns where reading stands: it stops when the builder is full and goes on later. Promises each
//! (key, position) once, ranges of times whole where they are deleted, and no row for a null,
//! which compares with nothing. Never holds a row.

use super::positions::{Left, Positions};
use super::shift::{Shift, too_long};
use super::{Plan, RangedChange, refusal};
use crate::catalog::{Column, ColumnType, Resource};
use crate::diagnostic::Diagnostic;
use crate::rows::value::{ValueReader, ValueSettings};
use crate::rows::{DATAPOINT_FIRST_MS, DATAPOINT_LAST_MS, RowBuilder, WireFormat};
use crate::sql::change::ChangeKind;
use crate::sql::key_values::Values;
use crate::sql::{Bindings, InsertProgress, RowReader};
use jiff::tz::TimeZone;
use std::collections::HashSet;
use std::ops::Range;

/// Row numbers that a range may stand for: CDF takes each by itself, 10,000 a request.
pub(super) const ROWS_MAX: i64 = 10_000;

/// Microseconds between 1970-01-01 and 2000-01-01, where PostgreSQL's binary form begins.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

const INT8: u32 = 20;
const TIMESTAMPTZ: u32 = 1184;

/// Where rows are, within each series or sequence.
#[derive(Debug)]
enum Spots {
    Listed(Vec<i64>),
    /// Times that are deleted as one.
    Range(Range<i64>),
}

/// Reads rows; resumable.
#[derive(Debug)]
pub struct RangedReader<'a> {
    statement: &'a RangedChange,
    plan: &'a Plan,
    bindings: &'a Bindings,
    keys: Values<'a>,
    space: Option<Values<'a>>,
    /// The keys to take: each once, no null.
    wanted: Vec<u32>,
    spots: Spots,
    next: usize,
}

impl<'a> RangedReader<'a> {
    pub(super) fn new(
        statement: &'a RangedChange,
        plan: &'a Plan,
        bindings: &'a Bindings,
        settings: ValueSettings,
    ) -> Result<Self, Box<Diagnostic>> {
        let table = statement.table;
        let key_type = table.columns[statement.key.column].column_type;
        let keys = plan.key.values(key_type, bindings)?;
        let space = match (&plan.space, &statement.space) {
            (Some(space), Some(term)) => {
                let space_type = table.columns[term.column].column_type;
                Some(space.values(space_type, bindings)?)
            }
            _ => None,
        };
        if space.as_ref().is_some_and(|space| space.len() > 1) {
            return Err(refusal::several_spaces(table));
        }
        let has_space = match &space {
            Some(space) => space.len() == 1 && space.get(0)?.is_some(),
            None => true,
        };
        let positions = positions(statement, plan, bindings, settings)?;
        let spots = match positions.left() {
            Left::Listed(listed) => Spots::Listed(listed),
            Left::Range(range) if table.resource == Resource::SequenceRows => {
                if range.end.saturating_sub(range.start) > ROWS_MAX {
                    return Err(refusal::too_wide(table, ROWS_MAX));
                }
                Spots::Listed(range.collect())
            }
            Left::Range(_) if statement.kind == ChangeKind::Update => {
                return Err(refusal::update_of_range(table));
            }
            Left::Range(range) => Spots::Range(range),
        };
        Ok(RangedReader {
            wanted: match has_space {
                true => wanted(&keys)?,
                false => Vec::new(),
            },
            statement,
            plan,
            bindings,
            keys,
            space,
            spots,
            next: 0,
        })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.wanted.len() * self.spots()
    }

    fn spots(&self) -> usize {
        match &self.spots {
            Spots::Listed(listed) => listed.len(),
            Spots::Range(_) => 1,
        }
    }

    fn row<B: RowBuilder>(
        &self,
        builder: &mut B,
        index: usize,
        row_number: u64,
    ) -> Result<(), Box<Diagnostic>> {
        let statement = self.statement;
        let [key, position, ..] = statement.columns[..] else {
            return Ok(());
        };
        let (place, spot) = (index / self.spots(), index % self.spots());
        if let Some((format, value)) = self.keys.get(self.wanted[place] as usize)? {
            builder.field(key, format, value)?;
        }
        if let (Some(space), Some(term)) = (&self.space, &statement.space)
            && let Some((format, value)) = space.get(0)?
        {
            builder.field(term.column, format, value)?;
        }
        let is_time = statement.table.columns[position].column_type == ColumnType::TimestampTz;
        let deletes = statement.kind == ChangeKind::Delete;
        match &self.spots {
            Spots::Range(range) => builder.delete_between(range.start, range.end)?,
            Spots::Listed(listed) if is_time && deletes => {
                builder.delete_between(listed[spot], listed[spot] + 1)?;
            }
            Spots::Listed(listed) if is_time => {
                let since_2000_us = listed[spot] * 1000 - POSTGRES_EPOCH_US;
                let format = WireFormat::Binary(TIMESTAMPTZ);
                builder.field(position, format, &since_2000_us.to_be_bytes())?;
            }
            Spots::Listed(listed) => {
                let format = WireFormat::Binary(INT8);
                builder.field(position, format, &listed[spot].to_be_bytes())?;
            }
        }
        let set_columns = &statement.columns[2 + usize::from(statement.space.is_some())..];
        if !set_columns.is_empty() {
            let set = &self.plan.set;
            set.fill(0, set_columns, self.bindings, builder)?;
        }
        builder.finish_row(row_number)
    }
}

/// The positions that fulfil the conditions.
fn positions(
    statement: &RangedChange,
    plan: &Plan,
    bindings: &Bindings,
    settings: ValueSettings,
) -> Result<Positions, Box<Diagnostic>> {
    let column = &statement.table.columns[statement.columns[1]];
    let mut positions = Positions::all(match statement.table.resource {
        Resource::SequenceRows => 0..i64::MAX,
        _ => DATAPOINT_FIRST_MS..DATAPOINT_LAST_MS + 1,
    });
    let time_zone = settings.time_zone.clone();
    let mut reader = ValueReader::new(settings);
    for (comparison, values, shifts) in &plan.terms {
        let values = values.values(column.column_type, bindings)?;
        let mut read = Vec::with_capacity(values.len());
        for index in 0..values.len() {
            if let Some((format, value)) = values.get(index)? {
                let value = position(&mut reader, column, format, value)?;
                read.extend(shifted(value, shifts, bindings, &time_zone)?);
            }
        }
        match (read.as_slice(), values.len()) {
            ([only], 1) => positions.compare(*comparison, *only),
            // Several values stand behind IN and ANY; none is a null, or an empty array.
            _ => positions.keep(read),
        }
    }
    Ok(positions)
}

/// The time with its spans added; `None` where one is null. An infinity stays one.
fn shifted(
    mut time_ms: i64,
    shifts: &[Shift],
    bindings: &Bindings,
    time_zone: &TimeZone,
) -> Result<Option<i64>, Box<Diagnostic>> {
    for shift in shifts {
        let Some(interval) = shift.interval(bindings)? else {
            return Ok(None);
        };
        if time_ms != i64::MIN && time_ms != i64::MAX {
            time_ms = interval.after(time_ms, time_zone).ok_or_else(too_long)?;
        }
    }
    Ok(Some(time_ms))
}

/// A position as the condition writes it; infinities are the ends of the numbers.
fn position(
    reader: &mut ValueReader,
    column: &'static Column,
    format: WireFormat,
    value: &[u8],
) -> Result<i64, Box<Diagnostic>> {
    let read = match column.column_type {
        ColumnType::TimestampTz => match reader.infinity(format, value) {
            Some(infinity) => Ok(infinity),
            None => reader.timestamp_ms(column, format, value),
        },
        _ => reader.bigint(column, format, value),
    };
    read.map_err(|mut diagnostic| {
        diagnostic.column = Some(column.name.to_owned());
        diagnostic
    })
}

/// Indexes of the keys that come for the first time and are no nulls.
fn wanted(keys: &Values<'_>) -> Result<Vec<u32>, Box<Diagnostic>> {
    let mut wanted = Vec::with_capacity(keys.len());
    let mut seen: HashSet<&[u8]> = HashSet::new();
    for index in 0..keys.len() {
        if let Some((_, value)) = keys.get(index)?
            && (keys.len() == 1 || seen.insert(value))
        {
            wanted.push(index as u32);
        }
    }
    Ok(wanted)
}

impl RowReader for RangedReader<'_> {
    fn read<B: RowBuilder>(
        &mut self,
        builder: &mut B,
        next_row_number: u64,
    ) -> Result<InsertProgress, Box<Diagnostic>> {
        let mut rows_read = 0;
        while self.next < self.rows() && !builder.is_full() {
            let row_number = next_row_number + rows_read;
            if let Err(diagnostic) = self.row(builder, self.next, row_number) {
                builder.abandon_row();
                return Err(diagnostic);
            }
            self.next += 1;
            rows_read += 1;
        }
        Ok(InsertProgress {
            rows_read,
            finished: self.next >= self.rows(),
        })
    }
}
