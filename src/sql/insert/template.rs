//! A prepared INSERT: its rows taken apart once, so that a Bind costs no parsing.
//!
//! Owns the values by column, row after row, and the types of the parameters. Promises that
//! what can be refused at Parse is refused there. Never holds a parameter's value.

use super::assignment::check_assignment;
use super::expression::{Expression, Node};
use super::refusal::Refusal;
use super::scanner::{RowSink, Value};
use crate::catalog::{Column, ColumnType, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::value::is_assignable;
use crate::rows::{RowBuilder, WireFormat};
use crate::sql::bindings::Bindings;
use crate::sql::type_name::{CastType, Family};
use std::ops::Range;

/// Most parameters that Bind can carry.
const PARAMETERS_MAX: usize = 65_535;

/// A value of a row.
#[derive(Debug)]
enum Cell {
    Null,
    Default,
    /// Bytes of `constants`; the type's OID, or 0 for the column's.
    Constant {
        text: Range<usize>,
        type_oid: u32,
    },
    /// A parameter (from 0) and how its bytes are read.
    Parameter {
        index: usize,
        reading: Reading,
    },
}

/// How the bytes of a parameter reach the builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// A text is of the column's type, or as good as that.
    ColumnType,
    /// By the type that the parameter has.
    OwnType,
    /// As a text of the column's type: strings that a cast turns into something else.
    Text,
    /// As a text of the type with this OID.
    TextOf(u32),
}

impl Reading {
    /// How bytes of a parameter of that format are read.
    fn of(self, format: WireFormat) -> WireFormat {
        match (self, format) {
            (Reading::ColumnType, WireFormat::TextOf(_)) => WireFormat::Text,
            (Reading::ColumnType | Reading::OwnType, format) => format,
            (Reading::Text, _) => WireFormat::Text,
            (Reading::TextOf(oid), _) => WireFormat::TextOf(oid),
        }
    }
}

/// The rows of a statement.
#[derive(Debug)]
pub(in crate::sql) struct Template {
    /// Values, row after row.
    cells: Vec<Cell>,
    /// Values of a row.
    width: usize,
    constants: Vec<u8>,
    /// OIDs; 0 where nothing tells.
    parameter_types: Vec<u32>,
}

impl Template {
    /// The OIDs of the parameters, 0 where nothing tells.
    pub fn known_types(&self) -> &[u32] {
        &self.parameter_types
    }

    /// Whether the value at `place` of row `row` is a null; a parameter that the Bind does not
    /// have is none.
    pub fn is_null(&self, row: usize, place: usize, bindings: &Bindings) -> bool {
        match self.cells.get(row * self.width + place) {
            Some(Cell::Null) => true,
            Some(Cell::Parameter { index, .. }) => {
                matches!(bindings.get(*index), Some((_, None)))
            }
            _ => false,
        }
    }

    /// The bytes of the value at `place` of row `row`.
    pub fn bytes<'a>(&'a self, row: usize, place: usize, bindings: &'a Bindings) -> &'a [u8] {
        match self.cells.get(row * self.width + place) {
            Some(Cell::Constant { text, .. }) => &self.constants[text.clone()],
            Some(Cell::Parameter { index, .. }) => bindings
                .get(*index)
                .and_then(|(_, value)| value)
                .unwrap_or_default(),
            _ => &[],
        }
    }

    /// The bytes of the value at `place` of row `row`, and how they are read; `None` is a null.
    ///
    /// # Errors
    /// 42P02 for a parameter that the Bind does not have.
    pub fn field<'a>(
        &'a self,
        row: usize,
        place: usize,
        bindings: &'a Bindings,
    ) -> Result<Option<(WireFormat, &'a [u8])>, Box<Diagnostic>> {
        Ok(match self.cells.get(row * self.width + place) {
            Some(Cell::Constant { text, type_oid }) => {
                let format = match type_oid {
                    0 => WireFormat::Text,
                    oid => WireFormat::TextOf(*oid),
                };
                Some((format, &self.constants[text.clone()]))
            }
            Some(Cell::Parameter { index, reading }) => {
                let (format, value) = bindings.get(*index).ok_or_else(|| no_parameter(*index))?;
                value.map(|value| (reading.of(format), value))
            }
            Some(Cell::Null | Cell::Default) | None => None,
        })
    }

    pub fn rows(&self) -> usize {
        self.cells.len().checked_div(self.width).unwrap_or(0)
    }

    /// Gives the values of row `row` to the builder.
    ///
    /// # Errors
    /// Those of the builder; 42P02 for a parameter that the Bind does not have.
    pub fn fill<B: RowBuilder>(
        &self,
        row: usize,
        columns: &[usize],
        bindings: &Bindings,
        builder: &mut B,
    ) -> Result<(), Box<Diagnostic>> {
        let cells = &self.cells[row * self.width..(row + 1) * self.width];
        for (cell, &column) in cells.iter().zip(columns) {
            match cell {
                Cell::Default => {}
                Cell::Null => builder.null(column)?,
                Cell::Constant { text, type_oid } => {
                    let format = match type_oid {
                        0 => WireFormat::Text,
                        oid => WireFormat::TextOf(*oid),
                    };
                    builder.field(column, format, &self.constants[text.clone()])?;
                }
                Cell::Parameter { index, reading } => {
                    let (format, value) =
                        bindings.get(*index).ok_or_else(|| no_parameter(*index))?;
                    let format = reading.of(format);
                    match value {
                        Some(value) => builder.field(column, format, value)?,
                        None => builder.null(column)?,
                    }
                }
            }
        }
        Ok(())
    }
}

#[cold]
fn no_parameter(index: usize) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::UNDEFINED_PARAMETER,
        format!("there is no parameter ${}", index + 1),
    ))
}

/// The OIDs of a statement's parameters.
///
/// # Errors
/// 42P18 for a parameter of which nothing tells the type.
pub(in crate::sql) fn all_known(types: &[u32]) -> Result<Vec<u32>, Box<Diagnostic>> {
    match types.iter().position(|oid| *oid == 0) {
        Some(index) => Err(Box::new(Diagnostic::error(
            SqlState::INDETERMINATE_DATATYPE,
            format!("could not determine data type of parameter ${}", index + 1),
        ))),
        None => Ok(types.to_vec()),
    }
}

/// Gathers the values of the rows.
pub(in crate::sql) struct TemplateMaker<'t> {
    template: Template,
    table: &'static Table,
    columns: &'t [usize],
}

impl<'t> TemplateMaker<'t> {
    /// `declared`: the OIDs of Parse, 0 where the client leaves the type open.
    pub fn new(table: &'static Table, columns: &'t [usize], declared: &[u32]) -> Self {
        TemplateMaker {
            template: Template {
                cells: Vec::new(),
                width: 0,
                constants: Vec::new(),
                parameter_types: declared.to_vec(),
            },
            table,
            columns,
        }
    }

    pub fn finish(self) -> Template {
        self.template
    }

    fn parameter(&mut self, expression: &Expression<'_>, column: &Column) -> Result<Cell, Refusal> {
        let Node::Parameter(number) = expression.node else {
            return Err(Refusal::new(SqlState::SYNTAX_ERROR, "syntax error"));
        };
        let index = (number as usize)
            .checked_sub(1)
            .filter(|index| *index < PARAMETERS_MAX)
            .ok_or_else(|| {
                Refusal::new(
                    SqlState::UNDEFINED_PARAMETER,
                    format!("there is no parameter ${number}"),
                )
            })?;
        let types = &mut self.template.parameter_types;
        if types.len() <= index {
            types.resize(index + 1, 0);
        }
        let expected = expression
            .casts
            .first()
            .map_or(column.column_type.oid(), |cast| cast.oid());
        if types[index] == 0 {
            types[index] = expected;
        }
        let reading = reading(types[index], &expression.casts, column)?;
        Ok(Cell::Parameter { index, reading })
    }
}

impl<'a> RowSink<'a> for TemplateMaker<'_> {
    fn value(&mut self, place: usize, value: Value<'a>) -> Result<(), Box<Diagnostic>> {
        // The first row's width is every row's: the scanner has checked.
        self.template.width = self.template.width.max(place + 1);
        let cell = match value {
            Value::Null => Cell::Null,
            Value::Default => Cell::Default,
            Value::Text { text, type_oid } => {
                let start = self.template.constants.len();
                self.template.constants.extend_from_slice(&text);
                Cell::Constant {
                    text: start..self.template.constants.len(),
                    type_oid,
                }
            }
            Value::Parameter(expression) => {
                let column = &self.table.columns[self.columns[place]];
                self.parameter(&expression, column)
                    .map_err(Refusal::unplaced)?
            }
        };
        self.template.cells.push(cell);
        Ok(())
    }
}

/// How a parameter of type `oid` reaches the column through the casts.
///
/// # Errors
/// 42804 where PostgreSQL refuses the assignment, 0A000 for casts that are not made here.
fn reading(oid: u32, casts: &[CastType], column: &Column) -> Result<Reading, Refusal> {
    let Some(own) = CastType::of_oid(oid) else {
        // A type that is none of PostgreSQL's scalar ones: the builder knows whether it fits.
        return if casts.is_empty() {
            Ok(Reading::OwnType)
        } else {
            Err(unsupported())
        };
    };
    let Some(last) = casts.last() else {
        // A kindness to clients that know no type json: their strings are taken for it.
        if column.column_type == ColumnType::Json && is_text(own) {
            return Ok(Reading::Text);
        }
        check_assignment(own, column)?;
        return Ok(as_typed(own, column));
    };
    check_assignment(*last, column)?;
    if casts.iter().all(|cast| same_values(own, *cast)) || is_assignment(own, casts, column) {
        return Ok(as_typed(own, column));
    }
    // Text and binary of a string are the same bytes, so that they can be read as another type.
    match casts {
        [cast] if is_text(own) && cast.length.is_none() && !cast.array => {
            Ok(if cast.oid() == column.column_type.oid() {
                Reading::Text
            } else {
                Reading::TextOf(cast.oid())
            })
        }
        _ => Err(unsupported()),
    }
}

/// Reading by type, on the builder's shortest road.
fn as_typed(own: CastType, column: &Column) -> Reading {
    let string_column = matches!(
        column.column_type,
        ColumnType::Text | ColumnType::Varchar(_)
    );
    if own.oid() == column.column_type.oid() || (string_column && is_text(own)) {
        Reading::ColumnType
    } else {
        Reading::OwnType
    }
}

fn is_text(cast: CastType) -> bool {
    cast.family() == Family::Text
}

/// Whether the one cast does what the assignment would do without it: `$1::real[]` of doubles for a
/// column of reals.
fn is_assignment(own: CastType, casts: &[CastType], column: &Column) -> bool {
    let [cast] = casts else { return false };
    cast.oid() == column.column_type.oid()
        && cast.length.is_none()
        && own.array == cast.array
        && is_assignable(column.column_type, own.oid())
}

/// Whether a cast changes nothing that the column could tell.
fn same_values(own: CastType, cast: CastType) -> bool {
    let whole = |cast: CastType| matches!(cast.family(), Family::Integer { .. });
    let float = |cast: CastType| matches!(cast.family(), Family::Float | Family::Numeric);
    (own.oid() == cast.oid() && cast.length.is_none())
        || (is_text(own) && is_text(cast) && cast.length.is_none())
        || (whole(own) && (whole(cast) || float(cast)))
        || (own.family() == Family::Json && cast.family() == Family::Json)
        || (float(own) && cast.entry.internal_name == "float8")
        || (cast.family() == Family::TimestampTz
            && matches!(own.family(), Family::Timestamp | Family::Date))
}

fn unsupported() -> Refusal {
    Refusal::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        "this cast of a parameter is not supported",
    )
    .with_hint("Send the parameter with the column's type, or leave its type open.")
}
