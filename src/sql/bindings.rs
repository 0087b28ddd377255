//! The parameters of a Bind message.
//!
//! Owns their formats, types and values. Promises as many values as types, and formats that
//! exist. Never decodes a value.

use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::WireFormat;
use bytes::Bytes;
use std::sync::Arc;

/// Parameter values of one execution.
#[derive(Clone, Debug)]
pub struct Bindings {
    /// OIDs, from the prepared statement.
    types: Arc<[u32]>,
    /// Whether each is binary; empty: all are text; one: holds for all.
    binary: Vec<bool>,
    /// `None` is NULL.
    values: Vec<Option<Bytes>>,
}

impl Bindings {
    /// No parameters: a simple Query.
    pub fn none() -> Self {
        Bindings {
            types: Arc::new([]),
            binary: Vec::new(),
            values: Vec::new(),
        }
    }

    /// The parameters of a Bind for the prepared statement called `statement`, whose parameters
    /// have the types `types`.
    ///
    /// # Errors
    /// 08P01 for a wrong number of formats or values, 22023 for an unknown format.
    pub fn new(
        statement: &str,
        types: Arc<[u32]>,
        formats: &[i16],
        values: Vec<Option<Bytes>>,
    ) -> Result<Self, Box<Diagnostic>> {
        let violation = |message: String| {
            Err(Box::new(Diagnostic::error(
                SqlState::PROTOCOL_VIOLATION,
                message,
            )))
        };
        if formats.len() > 1 && formats.len() != values.len() {
            return violation(format!(
                "bind message has {} parameter formats but {} parameters",
                formats.len(),
                values.len()
            ));
        }
        if values.len() != types.len() {
            return violation(format!(
                "bind message supplies {} parameters, but prepared statement \"{statement}\" requires {}",
                values.len(),
                types.len()
            ));
        }
        let mut binary = Vec::with_capacity(formats.len());
        for format in formats {
            binary.push(match format {
                0 => false,
                1 => true,
                other => {
                    return Err(Box::new(Diagnostic::error(
                        SqlState::INVALID_PARAMETER_VALUE,
                        format!("unsupported format code: {other}"),
                    )));
                }
            });
        }
        Ok(Bindings {
            types,
            binary,
            values,
        })
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Parameter `index` (from 0): its format and its value, `None` for NULL. Nothing if there
    /// is no such parameter.
    pub fn get(&self, index: usize) -> Option<(WireFormat, Option<&[u8]>)> {
        let value = self.values.get(index)?.as_deref();
        let binary = match self.binary.as_slice() {
            [] => false,
            [all] => *all,
            each => *each.get(index)?,
        };
        let type_oid = *self.types.get(index)?;
        let format = if binary {
            WireFormat::Binary(type_oid)
        } else {
            WireFormat::TextOf(type_oid)
        };
        Some((format, value))
    }

    /// The types of the parameters.
    pub fn types(&self) -> &[u32] {
        &self.types
    }
}
