//! One entry for the values of a statement: column and wire format in, Rust value out.
//!
//! Owns the choice of reader by wire format. Promises that the common forms (text, and the
//! binary form of the column's own type) cost one comparison on the way. Never applies a
//! rule of CDF's.

use super::bigint::parse_bigint;
use super::bigint_array::{parse_bigint_array, read_bigint_array};
use super::boolean::parse_bool;
use super::bytea::{parse_bytea, push_hexadecimal};
use super::double::{parse_double, parse_short};
use super::json::{JsonKind, check_json, is_ascii_json_object};
use super::list::{parse_list, read_list};
use super::real::{from_double, parse_real, widened};
use super::refusal::{fixed_size, incorrect_binary_format};
use super::settings::ValueSettings;
use super::timestamp::{TimestampReader, since_2000_us_to_ms};
use super::wire_type::{self, type_mismatch};
use crate::catalog::{Column, ColumnType};
use crate::diagnostic::Diagnostic;
use crate::rows::WireFormat;
use std::borrow::Cow;

/// Reads the values of one statement.
#[derive(Clone, Debug)]
pub struct ValueReader {
    timestamps: TimestampReader,
}

impl ValueReader {
    pub fn new(settings: ValueSettings) -> Self {
        ValueReader {
            timestamps: TimestampReader::new(settings),
        }
    }

    /// A bigint.
    ///
    /// # Errors
    /// 22P02, 22003, 42804, 08P01, 22P03.
    #[inline]
    pub fn bigint(
        &self,
        column: &Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<i64, Box<Diagnostic>> {
        match format {
            WireFormat::Text => parse_bigint(value),
            WireFormat::Binary(wire_type::INT8) => Ok(i64::from_be_bytes(fixed_size(value)?)),
            WireFormat::Binary(oid) => wire_type::bigint_from_binary(column, oid, value),
            WireFormat::TextOf(oid) => wire_type::bigint_from_text(column, oid, value),
        }
    }

    /// A double.
    ///
    /// # Errors
    /// 22P02, 22003, 42804, 08P01, 22P03.
    #[inline]
    pub fn double(
        &self,
        column: &Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<f64, Box<Diagnostic>> {
        match format {
            WireFormat::Text => parse_double(value),
            WireFormat::Binary(wire_type::FLOAT8) => Ok(f64::from_be_bytes(fixed_size(value)?)),
            WireFormat::Binary(oid) => wire_type::double_from_binary(column, oid, value),
            WireFormat::TextOf(oid) => {
                self.check_assignable(column, oid)?;
                parse_double(value)
            }
        }
    }

    /// Milliseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// 22007, 22008, 22009, 22023, 42804, 08P01, 22P03.
    #[inline]
    pub fn timestamp_ms(
        &mut self,
        column: &Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<i64, Box<Diagnostic>> {
        match format {
            WireFormat::Text => self.timestamps.parse(value),
            WireFormat::Binary(wire_type::TIMESTAMPTZ) => self
                .timestamps
                .from_binary(i64::from_be_bytes(fixed_size(value)?)),
            format => self.timestamp_ms_of_type(column, format, value),
        }
    }

    /// An infinite timestamp as the end of the numbers that it lies at; `None`: it is none.
    pub fn infinity(&self, format: WireFormat, value: &[u8]) -> Option<i64> {
        match format {
            WireFormat::Binary(wire_type::TIMESTAMPTZ | wire_type::TIMESTAMP) => {
                let since_2000_us = i64::from_be_bytes(value.try_into().ok()?);
                [i64::MIN, i64::MAX]
                    .into_iter()
                    .find(|end| *end == since_2000_us)
            }
            WireFormat::Binary(wire_type::DATE) => {
                match i32::from_be_bytes(value.try_into().ok()?) {
                    i32::MIN => Some(i64::MIN),
                    i32::MAX => Some(i64::MAX),
                    _ => None,
                }
            }
            _ => match value.trim_ascii().to_ascii_lowercase().as_slice() {
                b"infinity" | b"+infinity" => Some(i64::MAX),
                b"-infinity" => Some(i64::MIN),
                _ => None,
            },
        }
    }

    fn timestamp_ms_of_type(
        &mut self,
        column: &Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<i64, Box<Diagnostic>> {
        match format {
            WireFormat::Binary(wire_type::TIMESTAMP) => self
                .timestamps
                .from_binary_local(i64::from_be_bytes(fixed_size(value)?)),
            WireFormat::Binary(wire_type::DATE) => self
                .timestamps
                .from_binary_date(i32::from_be_bytes(fixed_size(value)?)),
            WireFormat::TextOf(wire_type::TIMESTAMP) => self.timestamps.parse_local(value),
            WireFormat::Text
            | WireFormat::Binary(wire_type::UNKNOWN | 0)
            | WireFormat::TextOf(
                wire_type::UNKNOWN | wire_type::TIMESTAMPTZ | wire_type::DATE | 0,
            ) => self.timestamps.parse(value),
            WireFormat::Binary(oid) | WireFormat::TextOf(oid) => Err(type_mismatch(column, oid)),
        }
    }

    /// A double in one of its common forms; `None` for every other form, valid or not.
    #[inline(always)]
    pub fn common_double(format: WireFormat, value: &[u8]) -> Option<f64> {
        match format {
            WireFormat::Text => parse_short(value),
            WireFormat::Binary(wire_type::FLOAT8) => value.try_into().ok().map(f64::from_be_bytes),
            _ => None,
        }
    }

    /// Milliseconds of a timestamp in one of its common forms; `None` for every other form,
    /// valid or not. An infinity becomes a time far away, beyond what CDF takes.
    #[inline(always)]
    pub fn common_timestamp_ms(&mut self, format: WireFormat, value: &[u8]) -> Option<i64> {
        match format {
            WireFormat::Text => self.timestamps.parse_iso(value),
            WireFormat::Binary(wire_type::TIMESTAMPTZ) => {
                let since_2000_us = value.try_into().ok().map(i64::from_be_bytes)?;
                Some(since_2000_us_to_ms(since_2000_us))
            }
            _ => None,
        }
    }

    /// Whether the field is a JSON object of ASCII characters in its plain form.
    #[inline]
    pub fn is_common_json_object(format: WireFormat, value: &[u8]) -> bool {
        matches!(
            format,
            WireFormat::Text | WireFormat::Binary(wire_type::JSON)
        ) && is_ascii_json_object(value)
    }

    /// Whether a string's bytes are the field's bytes.
    #[inline]
    pub fn is_verbatim(format: WireFormat) -> bool {
        matches!(
            format,
            WireFormat::Text
                | WireFormat::TextOf(_)
                | WireFormat::Binary(wire_type::VARCHAR | wire_type::TEXT)
        )
    }

    /// A boolean.
    ///
    /// # Errors
    /// 22P02, 42804, 08P01, 22P03.
    pub fn boolean(
        &self,
        column: &Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<bool, Box<Diagnostic>> {
        match format {
            WireFormat::Text => parse_bool(value),
            WireFormat::Binary(wire_type::BOOL) => match value {
                [] => Err(wire_type::no_data()),
                [byte] => Ok(*byte != 0),
                _ => Err(incorrect_binary_format()),
            },
            WireFormat::Binary(wire_type::UNKNOWN | 0) => parse_bool(value),
            WireFormat::Binary(oid) => Err(type_mismatch(column, oid)),
            WireFormat::TextOf(oid) => {
                self.check_assignable(column, oid)?;
                parse_bool(value)
            }
        }
    }

    /// The bytes of a string; encoding and length are the caller's to check.
    ///
    /// # Errors
    /// 0A000, 08P01, 22P03.
    #[inline]
    pub fn text<'a>(
        &self,
        format: WireFormat,
        value: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, Box<Diagnostic>> {
        match format {
            WireFormat::Binary(oid) if !Self::is_verbatim(format) => {
                wire_type::text_from_binary(oid, value)
            }
            _ => Ok(Cow::Borrowed(value)),
        }
    }

    /// Checked JSON, and what it is outermost.
    ///
    /// # Errors
    /// 22P02, 22021, 54000, 42804, 22P03.
    #[inline]
    pub fn json<'a>(
        &self,
        column: &Column,
        format: WireFormat,
        value: &'a [u8],
    ) -> Result<(&'a [u8], JsonKind), Box<Diagnostic>> {
        let json = match format {
            WireFormat::Text | WireFormat::Binary(wire_type::JSON | wire_type::UNKNOWN | 0) => {
                value
            }
            WireFormat::Binary(wire_type::JSONB) => wire_type::jsonb_text(value)?,
            WireFormat::Binary(oid) => return Err(type_mismatch(column, oid)),
            WireFormat::TextOf(oid) => {
                self.check_assignable(column, oid)?;
                value
            }
        };
        check_json(json).map(|kind| (json, kind))
    }

    /// A real, as the double with the same shortest decimal form.
    ///
    /// # Errors
    /// 22P02, 22003, 42804, 08P01, 22P03.
    pub fn real(
        &self,
        column: &Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<f64, Box<Diagnostic>> {
        match format {
            WireFormat::Text | WireFormat::Binary(wire_type::UNKNOWN | 0) => parse_real(value),
            WireFormat::Binary(wire_type::FLOAT4) => {
                Ok(widened(f32::from_be_bytes(fixed_size(value)?)))
            }
            WireFormat::Binary(oid) => {
                from_double(wire_type::double_from_binary(column, oid, value)?)
            }
            WireFormat::TextOf(oid) => {
                self.check_assignable(column, oid)?;
                parse_real(value)
            }
        }
    }

    /// Appends bytes in PostgreSQL's hexadecimal text form, `\x0a`.
    ///
    /// # Errors
    /// 22P02, 22023, 42804.
    pub fn bytea(
        &self,
        column: &Column,
        format: WireFormat,
        value: &[u8],
        text: &mut Vec<u8>,
    ) -> Result<(), Box<Diagnostic>> {
        match format {
            WireFormat::Text | WireFormat::Binary(wire_type::UNKNOWN | 0) => {
                parse_bytea(value, text)
            }
            WireFormat::Binary(wire_type::BYTEA) => {
                text.extend_from_slice(b"\\x");
                push_hexadecimal(text, value);
                Ok(())
            }
            WireFormat::Binary(oid) => Err(type_mismatch(column, oid)),
            WireFormat::TextOf(oid) => {
                self.check_assignable(column, oid)?;
                parse_bytea(value, text)
            }
        }
    }

    /// Appends a list as a JSON array, whatever the column's elements are.
    ///
    /// # Errors
    /// 22P02, 22003, 22004, 22021, 42804, 54000, 08P01, 22P03, 0A000.
    pub fn list(
        &self,
        column: &Column,
        format: WireFormat,
        value: &[u8],
        json: &mut Vec<u8>,
    ) -> Result<(), Box<Diagnostic>> {
        let Some(element) = column.column_type.element() else {
            return Err(type_mismatch(column, wire_type::UNKNOWN));
        };
        let of_type = match format {
            WireFormat::Text => return parse_list(value, element, json),
            WireFormat::Binary(oid) | WireFormat::TextOf(oid) => oid,
        };
        self.check_assignable(column, of_type)?;
        match (format, wire_type::element_of(of_type)) {
            (WireFormat::Binary(_), Some(sent)) => read_list(value, element, sent, json),
            // Text and binary of a string are the same bytes.
            _ => parse_list(value, element, json),
        }
    }

    /// An array of bigints.
    ///
    /// # Errors
    /// 22P02, 22003, 22004, 42804, 54000, 08P01, 22P03, 0A000.
    pub fn bigint_array(
        &self,
        column: &Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<Vec<i64>, Box<Diagnostic>> {
        match format {
            WireFormat::Text | WireFormat::Binary(wire_type::UNKNOWN | 0) => {
                parse_bigint_array(value)
            }
            WireFormat::Binary(wire_type::INT8_ARRAY) => read_bigint_array(value, wire_type::INT8),
            WireFormat::Binary(wire_type::INT4_ARRAY) => read_bigint_array(value, wire_type::INT4),
            WireFormat::Binary(wire_type::INT2_ARRAY) => read_bigint_array(value, wire_type::INT2),
            WireFormat::Binary(oid) => Err(type_mismatch(column, oid)),
            WireFormat::TextOf(oid) => {
                self.check_assignable(column, oid)?;
                parse_bigint_array(value)
            }
        }
    }

    fn check_assignable(&self, column: &Column, oid: u32) -> Result<(), Box<Diagnostic>> {
        if wire_type::is_assignable(column.column_type, oid) {
            Ok(())
        } else {
            Err(type_mismatch(column, oid))
        }
    }

    /// Whether the column's type is read by [`ValueReader::text`].
    pub fn is_text(column: &Column) -> bool {
        matches!(
            column.column_type,
            ColumnType::Text | ColumnType::Varchar(_)
        )
    }
}
