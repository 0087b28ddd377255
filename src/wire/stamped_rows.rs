//! The time of a change in the rows that the change returns.
//!
//! Owns the way of a time that CDF gives into rows that an engine has made before. Promises that
//! rows which were not sent, because nothing of them changes, keep the time that they have in CDF. Never
//! touches another value.

use super::encoding::ClientEncoding;
use super::result::{ResultFormats, put_cell};
use super::returned::not_told;
use super::returned_cells::of_object;
use crate::catalog::Column;
use crate::diagnostic::Diagnostic;
use bytes::{Buf, BufMut, BytesMut};
use jiff::tz::TimeZone;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

/// Bytes before the fields of a DataRow: kind, length, number of fields.
const HEAD_BYTES: usize = 7;

/// What CDF told of a row that was sent.
pub(super) enum Fate<'o> {
    /// What it is now.
    Made(&'o RawValue),
    /// There was nothing to change any more.
    Skipped,
    Untold,
}

/// Times to be put into rows.
#[derive(Debug)]
pub(super) struct Stamps {
    /// Fields of each row, from 0.
    pub(super) places: Vec<usize>,
    pub(super) column: &'static Column,
    pub(super) formats: ResultFormats,
    pub(super) zone: TimeZone,
    /// Which row of which part of the statement each row of the answer was sent as.
    pub(super) sent: HashMap<usize, (usize, u64)>,
}

impl Stamps {
    /// Appends the row with number `index`, from 0. `fate`: what became of a row of a part.
    ///
    /// # Errors
    /// 40003 for a row of which CDF did not tell what it made.
    pub(super) fn put<'o>(
        &self,
        output: &mut BytesMut,
        encoding: ClientEncoding,
        index: usize,
        row: &[u8],
        fate: &impl Fn(usize, u64) -> Fate<'o>,
    ) -> Result<(), Box<Diagnostic>> {
        let Some((part, number)) = self.sent.get(&index) else {
            output.extend_from_slice(row);
            return Ok(());
        };
        let object = match fate(*part, *number) {
            Fate::Made(object) => object,
            Fate::Skipped => {
                output.extend_from_slice(row);
                return Ok(());
            }
            Fate::Untold => return Err(not_told()),
        };
        let fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(object.get()).map_err(|_| not_told())?;
        let time = of_object(self.column, &fields, &self.zone).ok_or_else(not_told)?;
        let start = output.len();
        output.extend_from_slice(&row[..HEAD_BYTES.min(row.len())]);
        let mut rest = row.get(HEAD_BYTES..).unwrap_or_default();
        let mut place = 0;
        while rest.len() >= 4 {
            let length = rest.get_i32();
            // A null has a length below zero.
            let bytes = usize::try_from(length).unwrap_or(0).min(rest.len());
            if self.places.contains(&place) {
                let length_at = output.len();
                output.put_i32(0);
                put_cell(output, encoding, &time, self.formats.code(place));
                let stamped = u32::try_from(output.len() - length_at - 4).unwrap_or(u32::MAX);
                output[length_at..length_at + 4].copy_from_slice(&stamped.to_be_bytes());
            } else {
                output.put_i32(length);
                output.extend_from_slice(&rest[..bytes]);
            }
            rest.advance(bytes);
            place += 1;
        }
        // Its own length, which counts itself.
        let length = u32::try_from(output.len() - start - 1).unwrap_or(u32::MAX);
        output[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::sql::Cell;

    #[test]
    fn a_row_gets_the_time_and_keeps_the_rest() {
        let table = catalog::table(None, "assets").expect("the table exists");
        let column = table
            .column_index("last_updated_time")
            .expect("the column exists");
        let stamps = Stamps {
            places: vec![1],
            column: &table.columns[column],
            formats: ResultFormats::default(),
            zone: TimeZone::UTC,
            sent: HashMap::from([(0, (0, 1)), (2, (0, 2))]),
        };
        let row = |time: Option<&str>| {
            let mut row = BytesMut::new();
            let text = |text: &str| Some(Cell::Text(text.to_owned()));
            let cells = [text("pump"), time.and_then(text), None];
            super::super::result::put_row(
                &mut row,
                ClientEncoding::Utf8,
                &cells,
                &ResultFormats::default(),
            );
            row
        };
        let object: Box<RawValue> =
            serde_json::from_str(r#"{"lastUpdatedTime": 1500}"#).expect("an object");
        let put = |index| {
            let mut output = BytesMut::new();
            let fate = |_, number| match number {
                1 => Fate::Made(&object),
                _ => Fate::Skipped,
            };
            let before = row(Some("1970-01-01 00:00:00+00"));
            let done = stamps.put(&mut output, ClientEncoding::Utf8, index, &before, &fate);
            done.expect("it is told");
            output
        };
        assert_eq!(put(0), row(Some("1970-01-01 00:00:01.5+00")));
        assert_eq!(put(1), row(Some("1970-01-01 00:00:00+00")));
        assert_eq!(put(2), row(Some("1970-01-01 00:00:00+00")));
    }
}
