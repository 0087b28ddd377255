//! The elements of an array of keys.
//!
//! Owns them one behind the other, so that thousands cost one buffer. Promises the array forms
//! that columns take. Never reads an element: the row builder does.

use crate::catalog::ColumnType;
use crate::diagnostic::Diagnostic;
use crate::rows::WireFormat;
use crate::rows::value::{for_each_of_binary, for_each_of_text};
use crate::sql::type_name::CastType;

/// Elements as bytes.
#[derive(Debug)]
pub(in crate::sql) struct Elements {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    pub format: WireFormat,
}

impl Elements {
    /// The elements of an array in its text form.
    ///
    /// # Errors
    /// 22P02, 22004, 0A000.
    pub fn of_text(value: &[u8]) -> Result<Self, Box<Diagnostic>> {
        let mut elements = Elements::empty(WireFormat::Text);
        for_each_of_text(value, |element| elements.push(element))?;
        Ok(elements)
    }

    /// The elements of a parameter.
    ///
    /// # Errors
    /// The same, and 08P01, 22P03, 42804 for binary forms.
    pub fn of_parameter(
        format: WireFormat,
        value: &[u8],
        column_type: ColumnType,
    ) -> Result<Self, Box<Diagnostic>> {
        let WireFormat::Binary(oid) = format else {
            return Self::of_text(value);
        };
        let element_oid = CastType::of_oid(oid)
            .filter(|cast| cast.array)
            .map_or(column_type.oid(), |cast| cast.entry.oid);
        let mut elements = Elements::empty(WireFormat::Binary(element_oid));
        for_each_of_binary(value, element_oid, |element| elements.push(element))?;
        Ok(elements)
    }

    fn empty(format: WireFormat) -> Self {
        Elements {
            bytes: Vec::new(),
            ends: Vec::new(),
            format,
        }
    }

    fn push(&mut self, element: &[u8]) -> Result<(), Box<Diagnostic>> {
        self.bytes.extend_from_slice(element);
        self.ends.push(self.bytes.len());
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Element `index`, which must be below the length.
    pub fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }
}
