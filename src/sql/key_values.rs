//! The values that a condition gives for one column: `= x`, `IN (x, …)`, `= ANY (array)`.
//!
//! Owns the way from the text of a condition to the bytes of its values, with parameters in
//! their places. Promises a hundred thousand values without an allocation for each. Never
//! decodes a value: builders and readers do.

use super::assignments::{ends_value, is_too_much};
use super::bindings::Bindings;
use super::change::Elements;
use super::cursor::Cursor;
use super::insert::expression::{self, Node};
use super::insert::scanner::{RowSink, value_of};
use super::insert::template::{Template, TemplateMaker};
use super::syntax::{error_at, position};
use super::type_name;
use crate::catalog::{ColumnType, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::WireFormat;

/// `timestamp with time zone[]`.
const TIMESTAMPTZ_ARRAY: u32 = 1185;

/// Where the values of a column stand in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// One value, or several with commas between them, the first at that byte.
    Listed(usize),
    /// An array at that byte.
    AnyOf(usize),
}

/// The values of a column, taken apart once for all executions.
#[derive(Debug)]
pub(super) enum ValuesPlan {
    Listed(Template),
    /// The text form of an array.
    Array(String),
    /// A parameter, from 0, that is an array.
    Parameter(usize),
    /// `= ANY (NULL)`, or of an empty array.
    None,
}

/// The values of a column in one execution.
#[derive(Debug)]
pub(super) enum Values<'a> {
    Listed(&'a Template, &'a Bindings),
    Elements(Elements),
    None,
}

impl ValuesPlan {
    /// Takes the values of column `column` of `table` apart. `types`: the OIDs of the parameters as far
    /// as they are known; those of these values are added.
    ///
    /// # Errors
    /// 42804, 22P02 … for values that do not fit the column.
    pub fn new(
        text: &str,
        table: &'static Table,
        column: usize,
        place: Place,
        types: &mut Vec<u32>,
    ) -> Result<Self, Box<Diagnostic>> {
        match place {
            Place::Listed(offset) => listed(text, table, column, offset, types),
            Place::AnyOf(offset) => any_of(text, table, column, offset, types),
        }
    }

    /// The values with these parameters.
    ///
    /// # Errors
    /// Those of an array's form; 42P02.
    pub fn values<'a>(
        &'a self,
        column_type: ColumnType,
        bindings: &'a Bindings,
    ) -> Result<Values<'a>, Box<Diagnostic>> {
        Ok(match self {
            ValuesPlan::Listed(template) => Values::Listed(template, bindings),
            ValuesPlan::Array(text) => Values::Elements(Elements::of_text(text.as_bytes())?),
            ValuesPlan::None => Values::None,
            ValuesPlan::Parameter(index) => match bindings.get(*index) {
                Some((format, Some(value))) => {
                    Values::Elements(Elements::of_parameter(format, value, column_type)?)
                }
                Some((_, None)) => Values::None,
                None => return Err(no_parameter(*index)),
            },
        })
    }
}

impl Values<'_> {
    /// How many there are, nulls among them.
    pub fn len(&self) -> usize {
        match self {
            Values::Listed(template, _) => template.rows(),
            Values::Elements(elements) => elements.len(),
            Values::None => 0,
        }
    }

    /// Value `index`, and how its bytes are read; `None` is a null, which equals nothing.
    ///
    /// # Errors
    /// 42P02 for a parameter that the Bind does not have.
    pub fn get(&self, index: usize) -> Result<Option<(WireFormat, &[u8])>, Box<Diagnostic>> {
        match self {
            Values::Listed(template, bindings) => template.field(index, 0, bindings),
            Values::Elements(elements) => Ok(Some((elements.format, elements.get(index)))),
            Values::None => Ok(None),
        }
    }
}

fn listed(
    text: &str,
    table: &'static Table,
    column: usize,
    offset: usize,
    types: &mut Vec<u32>,
) -> Result<ValuesPlan, Box<Diagnostic>> {
    let columns = [column];
    let mut maker = TemplateMaker::new(table, &columns, types);
    let described = &table.columns[column];
    let mut cursor = Cursor::starting_at(text, offset)?;
    loop {
        let at = cursor.offset();
        let value = value_of(expression::value(&mut cursor)?, described)
            .map_err(|refusal| refusal.at(position(text, at)))?;
        maker.value(0, value)?;
        if !cursor.accept_symbol(",")? {
            let template = maker.finish();
            *types = template.known_types().to_vec();
            return Ok(ValuesPlan::Listed(template));
        }
    }
}

fn any_of(
    text: &str,
    table: &'static Table,
    column: usize,
    offset: usize,
    types: &mut Vec<u32>,
) -> Result<ValuesPlan, Box<Diagnostic>> {
    let mut cursor = Cursor::starting_at(text, offset)?;
    if cursor.at_word("array") {
        cursor.advance()?;
        cursor.expect_symbol("[")?;
        if cursor.at_symbol("]") {
            return Ok(ValuesPlan::None);
        }
        return listed(text, table, column, cursor.offset(), types);
    }
    let expression = expression::value(&mut cursor)?;
    match expression.node {
        Node::Null => Ok(ValuesPlan::None),
        Node::Text(array) => Ok(ValuesPlan::Array(array.into_owned())),
        Node::Parameter(number) => {
            let index = (number as usize).saturating_sub(1);
            if types.len() <= index {
                types.resize(index + 1, 0);
            }
            if types[index] == 0 {
                let array = match table.columns[column].column_type {
                    ColumnType::BigInt => ColumnType::BigIntArray.oid(),
                    ColumnType::TimestampTz => TIMESTAMPTZ_ARRAY,
                    _ => ColumnType::TextArray.oid(),
                };
                types[index] = expression.casts.first().map_or(array, |cast| cast.oid());
            }
            Ok(ValuesPlan::Parameter(index))
        }
        _ => Err(error_at(
            text,
            offset,
            SqlState::DATATYPE_MISMATCH,
            "op ANY/ALL (array) requires array on right side",
        )),
    }
}

/// Whether what comes is the beginning of an expression, though it reads like the name of a column.
pub(super) fn begins_expression(cursor: &Cursor<'_>) -> bool {
    [
        "not",
        "true",
        "false",
        "null",
        "case",
        "array",
        "exists",
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "current_user",
        "session_user",
        "user",
    ]
    .iter()
    .any(|word| cursor.at_word(word))
}

/// Steps over one value; `false`: it is more than a constant or a parameter.
///
/// # Errors
/// 42601.
pub(super) fn step_value(cursor: &mut Cursor<'_>) -> Result<bool, Box<Diagnostic>> {
    if cursor.at_word("default") {
        return Err(cursor.unexpected());
    }
    match expression::value(cursor) {
        Ok(_) => Ok(ends_value(cursor) || cursor.at_word("and")),
        Err(error) if is_too_much(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Steps over `(x, …)`, behind IN; `None`: there is more than values.
///
/// # Errors
/// 42601.
pub(super) fn step_list(cursor: &mut Cursor<'_>) -> Result<Option<Place>, Box<Diagnostic>> {
    cursor.expect_symbol("(")?;
    let start = cursor.offset();
    loop {
        if !step_value(cursor)? {
            return Ok(None);
        }
        if !cursor.accept_symbol(",")? {
            break;
        }
    }
    cursor.expect_symbol(")")?;
    Ok(Some(Place::Listed(start)))
}

/// Steps over `(array)`, behind ANY; `None`: there is more than an array.
///
/// # Errors
/// 42601.
pub(super) fn step_array(cursor: &mut Cursor<'_>) -> Result<Option<Place>, Box<Diagnostic>> {
    cursor.expect_symbol("(")?;
    let start = cursor.offset();
    let mut ahead = cursor.clone();
    if ahead.accept_word("array")? && ahead.at_symbol("[") {
        *cursor = ahead;
        cursor.advance()?;
        while !cursor.at_symbol("]") {
            match expression::value(cursor) {
                Ok(_) if cursor.at_symbol(",") || cursor.at_symbol("]") => {}
                Ok(_) => return Ok(None),
                Err(error) if is_too_much(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
            if !cursor.accept_symbol(",")? {
                break;
            }
        }
        cursor.expect_symbol("]")?;
        while cursor.accept_symbol("::")? {
            type_name::parse(cursor)?;
        }
    } else if !step_value(cursor)? {
        return Ok(None);
    }
    Ok(cursor.accept_symbol(")")?.then_some(Place::AnyOf(start)))
}

/// 42P02.
fn no_parameter(index: usize) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::UNDEFINED_PARAMETER,
        format!("there is no parameter ${}", index + 1),
    ))
}
