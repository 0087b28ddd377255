//! Result sets on the wire: RowDescription and DataRow, text and binary.
//!
//! Owns the encoding of cells. Promises PostgreSQL's text forms and binary forms. Never makes
//! a result.

use super::encoding::ClientEncoding;
use super::message::unfit;
use super::reply::put;
use crate::diagnostic::Diagnostic;
use crate::sql::{Cell, ResultColumn, array_text, bytes_text};
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
        if formats.code(index) == 1 {
            put_binary(&mut data, encoding, cell);
        } else {
            put_text(&mut data, encoding, cell);
        }
        let length = i32::try_from(data.len() - length_at - 4).unwrap_or(i32::MAX);
        data[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
    }
    let fields = i16::try_from(row.len()).unwrap_or(i16::MAX);
    put(output, &DataRow::new(data, fields));
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
    match cell {
        Cell::Bool(value) => data.put_u8(if *value { b't' } else { b'f' }),
        Cell::Int2(value) => data.put_slice(itoa::Buffer::new().format(*value).as_bytes()),
        Cell::Int4(value) => data.put_slice(itoa::Buffer::new().format(*value).as_bytes()),
        Cell::Int8(value) => data.put_slice(itoa::Buffer::new().format(*value).as_bytes()),
        Cell::Float8(value) => data.put_slice(double_text(*value).as_bytes()),
        Cell::Oid(value) => data.put_slice(itoa::Buffer::new().format(*value).as_bytes()),
        // PostgreSQL shows the zero byte as nothing.
        Cell::Char(0) => {}
        Cell::Char(value) => data.put_u8(*value),
        Cell::Text(value)
        | Cell::TimestampTz { text: value, .. }
        | Cell::Named { text: value, .. } => {
            data.put_slice(&encoding.encode(value));
        }
        Cell::Float4(value) => data.put_slice(float_text(*value).as_bytes()),
        Cell::Bytes(bytes) => data.put_slice(bytes_text(bytes).as_bytes()),
        Cell::Array { elements, .. } => {
            let texts = elements.iter().map(|element| {
                let mut text = BytesMut::new();
                // Encoded as a whole, below.
                put_text(&mut text, ClientEncoding::Utf8, element);
                String::from_utf8_lossy(&text).into_owned()
            });
            data.put_slice(&encoding.encode(&array_text(texts)));
        }
        Cell::Void => {}
    }
}

/// The binary form of an array of one dimension.
fn put_array(data: &mut BytesMut, encoding: ClientEncoding, element_oid: u32, elements: &[Cell]) {
    let length = i32::try_from(elements.len()).unwrap_or(i32::MAX);
    data.put_i32(i32::from(length > 0));
    // No nulls.
    data.put_i32(0);
    data.put_u32(element_oid);
    if length > 0 {
        data.put_i32(length);
        // The lower bound.
        data.put_i32(1);
    }
    for element in elements {
        let mut bytes = BytesMut::new();
        put_binary(&mut bytes, encoding, element);
        data.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        data.put_slice(&bytes);
    }
}

/// PostgreSQL's shortest text of a double: an exponent below -4 or from 15 on is written out.
fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    // Rust's exponent form has the shortest digits that read back as the same value.
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&exponent) {
        format!("{value}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}

/// A real as PostgreSQL shows it: the shortest digits that make it.
fn float_text(value: f32) -> String {
    // The shortest digits of the real, as a double with the same ones.
    format!("{value:e}")
        .parse::<f64>()
        .map_or_else(|_| value.to_string(), double_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_look_as_in_postgresql() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (100_000_000_000_000.0, "100000000000000"),
            (1e15, "1e+15"),
            (1.25e-5, "1.25e-05"),
            (0.0001, "0.0001"),
            (1e100, "1e+100"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double_text(value), text);
        }
    }

    #[test]
    fn arrays_look_as_in_postgresql() {
        let cells = [
            Some(Cell::Array {
                element_oid: 20,
                elements: vec![Cell::Int8(1), Cell::Int8(-2)],
            }),
            Some(Cell::Array {
                element_oid: 25,
                elements: ["a", "b c", "q\"\\", "NULL", ""]
                    .map(|text| Cell::Text(text.to_owned()))
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
        assert!(text.contains("{1,-2}"), "{text}");
        assert!(text.contains(r#"{a,"b c","q\"\\","NULL",""}"#), "{text}");
        assert!(text.contains("\\x00ff"), "{text}");
        assert!(text.contains("0.1"), "{text}");
        assert!(text.ends_with("{}"), "{text}");
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
