//! Result sets on the wire: RowDescription and DataRow, text and binary.
//!
//! Owns the encoding of cells. Promises PostgreSQL's text forms and binary forms. Never makes
//! a result.

use super::encoding::ClientEncoding;
use super::message::unfit;
use super::reply::put;
use crate::diagnostic::Diagnostic;
use crate::sql::{Cell, ResultColumn, push_cell_text};
use bytes::{BufMut, BytesMut};
use pgwire::messages::data::{DataRow, FieldDescription, RowDescription};

/// Which columns of a result are binary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ResultFormats {
    /// As in a Bind: none (all text), one for all, or one a column. Each is 0 or 1.
    codes: Vec<i16>,
}

impl ResultFormats {
    /// Checks a Bind's codes against the columns.
    ///
    /// # Errors
    /// 08P01 when they are neither none, nor one, nor one a column.
    pub(super) fn of(codes: Vec<i16>, columns: usize) -> Result<Self, Box<Diagnostic>> {
        match codes.len() {
            0 | 1 => Ok(ResultFormats { codes }),
            count if count == columns => Ok(ResultFormats { codes }),
            count => Err(unfit(format!(
                "bind message has {count} result formats but query has {columns} columns"
            ))),
        }
    }

    /// As in a Bind.
    pub(super) fn codes(&self) -> &[i16] {
        &self.codes
    }

    /// 1 where the column is binary.
    pub(super) fn code(&self, column: usize) -> i16 {
        match self.codes.as_slice() {
            [] => 0,
            [one] => *one,
            codes => codes.get(column).copied().unwrap_or(0),
        }
    }
}

/// Appends the RowDescription of `columns`.
pub(super) fn put_description(
    output: &mut BytesMut,
    columns: &[ResultColumn],
    formats: &ResultFormats,
) {
    let fields = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            FieldDescription::new(
                column.name.replace('\0', ""),
                // pgwire has it signed; the bits are the same.
                column.table_oid.cast_signed(),
                column.attribute_number,
                column.type_oid,
                column.type_size,
                column.type_modifier,
                formats.code(index),
            )
        })
        .collect();
    put(output, &RowDescription::new(fields));
}

/// Appends a DataRow.
pub(super) fn put_row(
    output: &mut BytesMut,
    encoding: ClientEncoding,
    row: &[Option<Cell>],
    formats: &ResultFormats,
) {
    let mut data = BytesMut::new();
    for (index, cell) in row.iter().enumerate() {
        let Some(cell) = cell else {
            data.put_i32(-1);
            continue;
        };
        let length_at = data.len();
        data.put_i32(0);
        put_cell(&mut data, encoding, cell, formats.code(index));
        let length = i32::try_from(data.len() - length_at - 4).unwrap_or(i32::MAX);
        data[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
    }
    let fields = i16::try_from(row.len()).unwrap_or(i16::MAX);
    put(output, &DataRow::new(data, fields));
}

/// Appends a value in the form of that code, without its length.
pub(super) fn put_cell(data: &mut BytesMut, encoding: ClientEncoding, cell: &Cell, format: i16) {
    if format == 1 {
        put_binary(data, encoding, cell);
    } else {
        put_text(data, encoding, cell);
    }
}

fn put_binary(data: &mut BytesMut, encoding: ClientEncoding, cell: &Cell) {
    match cell {
        Cell::Bool(value) => data.put_u8(u8::from(*value)),
        Cell::Int2(value) => data.put_i16(*value),
        Cell::Int4(value) => data.put_i32(*value),
        Cell::Int8(value) => data.put_i64(*value),
        Cell::Float8(value) => data.put_f64(*value),
        Cell::Oid(value) => data.put_u32(*value),
        Cell::Char(value) => data.put_u8(*value),
        Cell::Text(value) => data.put_slice(&encoding.encode(value)),
        Cell::TimestampTz { microseconds, .. } => data.put_i64(*microseconds),
        Cell::Named { oid, .. } => data.put_u32(*oid),
        Cell::Float4(value) => data.put_f32(*value),
        Cell::Bytes(bytes) => data.put_slice(bytes),
        Cell::Array {
            element_oid,
            elements,
        } => put_array(data, encoding, *element_oid, elements),
        Cell::Void => {}
    }
}

fn put_text(data: &mut BytesMut, encoding: ClientEncoding, cell: &Cell) {
    let mut text = String::new();
    push_cell_text(&mut text, cell);
    data.put_slice(&encoding.encode(&text));
}

/// The binary form of an array of one dimension.
fn put_array(
    data: &mut BytesMut,
    encoding: ClientEncoding,
    element_oid: u32,
    elements: &[Option<Cell>],
) {
    let length = i32::try_from(elements.len()).unwrap_or(i32::MAX);
    data.put_i32(i32::from(length > 0));
    // Whether there are nulls.
    data.put_i32(i32::from(elements.iter().any(Option::is_none)));
    data.put_u32(element_oid);
    if length > 0 {
        data.put_i32(length);
        // The lower bound.
        data.put_i32(1);
    }
    for element in elements {
        let Some(element) = element else {
            data.put_i32(-1);
            continue;
        };
        let mut bytes = BytesMut::new();
        put_binary(&mut bytes, encoding, element);
        data.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        data.put_slice(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_look_as_in_postgresql() {
        let cells = [
            Some(Cell::Array {
                element_oid: 20,
                elements: vec![Some(Cell::Int8(1)), None, Some(Cell::Int8(-2))],
            }),
            Some(Cell::Array {
                element_oid: 25,
                elements: ["a", "b c", "q\"\\", "NULL", "", "\u{b}"]
                    .map(|text| Some(Cell::Text(text.to_owned())))
                    .to_vec(),
            }),
            Some(Cell::Bytes(vec![0, 255])),
            Some(Cell::Float4(0.1)),
            Some(Cell::Array {
                element_oid: 25,
                elements: Vec::new(),
            }),
        ];
        let mut output = BytesMut::new();
        put_row(
            &mut output,
            ClientEncoding::Utf8,
            &cells,
            &ResultFormats::default(),
        );
        let text = String::from_utf8_lossy(&output).into_owned();
        assert!(text.contains("{1,NULL,-2}"), "{text}");
        assert!(text.contains(r#"{a,"b c","q\"\\","NULL","","#), "{text}");
        assert!(text.contains("\"\u{b}\"}"), "{text}");
        assert!(text.contains("\\x00ff"), "{text}");
        assert!(text.contains("0.1"), "{text}");
        assert!(text.ends_with("{}"), "{text}");
    }

    #[test]
    fn a_null_in_an_array_is_told_in_its_head() {
        let formats = ResultFormats::of(vec![1], 1).expect("one code is allowed");
        let mut output = BytesMut::new();
        let row = [Some(Cell::Array {
            element_oid: 20,
            elements: vec![None, Some(Cell::Int8(7))],
        })];
        put_row(&mut output, ClientEncoding::Utf8, &row, &formats);
        let mut expected = vec![b'D', 0, 0, 0, 46, 0, 1, 0, 0, 0, 36];
        // Dimensions, nulls, type, length, lower bound.
        for number in [1_i32, 1, 20, 2, 1, -1, 8] {
            expected.extend(number.to_be_bytes());
        }
        expected.extend(7_i64.to_be_bytes());
        assert_eq!(output, expected);
    }

    #[test]
    fn one_format_code_counts_for_all_columns() {
        let formats = ResultFormats::of(vec![1], 2).expect("one code is allowed");
        let mut output = BytesMut::new();
        let row = [Some(Cell::Int8(7)), None, Some(Cell::Bool(true))];
        put_row(&mut output, ClientEncoding::Utf8, &row, &formats);
        let mut expected = vec![b'D', 0, 0, 0, 27, 0, 3];
        expected.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7]);
        expected.extend([0xff; 4]);
        expected.extend([0, 0, 0, 1, 1]);
        assert_eq!(output, expected);
    }

    #[test]
    fn result_formats_that_do_not_fit_the_columns_are_refused() {
        assert!(ResultFormats::of(vec![0, 1], 3).is_err());
        assert!(ResultFormats::of(vec![0, 1], 2).is_ok());
        assert!(ResultFormats::of(vec![], 3).is_ok());
    }
}
