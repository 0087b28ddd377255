//! Rows as bytes of the wire: COPY text and binary, literals, parameters.
//!
//! Owns the four encodings of a row. Promises that all four carry the same row. Never allocates
//! per row: timestamps repeat, so their text is kept.

use super::TargetTable;
use super::rows::{Dataset, RAW_DATABASE, RAW_TABLE, Row, push_series_name};
use jiff::Timestamp;

/// PostgreSQL counts microseconds from 2000-01-01T00:00:00Z; this is it in Unix milliseconds.
const POSTGRES_EPOCH_MS: i64 = 946_684_800_000;

/// The start of COPY's binary format: signature, flags, length of the extension.
pub const COPY_BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The end of COPY's binary format: a tuple with -1 columns.
pub const COPY_BINARY_TRAILER: &[u8] = &[0xff, 0xff];

/// Writes rows of one dataset.
pub struct RowEncoder {
    dataset: Dataset,
    /// The text of the last timestamp.
    timestamp_ms: i64,
    timestamp: Vec<u8>,
    /// A value whose length goes before it.
    value: Vec<u8>,
}

impl RowEncoder {
    pub fn new(dataset: Dataset) -> Self {
        RowEncoder {
            dataset,
            timestamp_ms: i64::MIN,
            timestamp: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Name and columns of the table, for COPY and INSERT.
    pub fn target(&self) -> &'static str {
        match self.dataset.table {
            TargetTable::DoubleDatapoints => "double_datapoints (external_id, timestamp, value)",
            TargetTable::StringDatapoints => "string_datapoints (external_id, timestamp, value)",
            TargetTable::RawRows => "raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)",
            TargetTable::Assets => "assets (external_id, name, description)",
            TargetTable::Events => "events (external_id, start_time, type, description)",
        }
    }

    /// OIDs of the columns' types, for a prepared statement: varchar, timestamptz, float8, json.
    pub fn parameter_types(&self) -> &'static [u32] {
        match self.dataset.table {
            TargetTable::DoubleDatapoints => &[1043, 1184, 701],
            TargetTable::StringDatapoints => &[1043, 1184, 1043],
            TargetTable::RawRows => &[1043, 1043, 25, 114],
            TargetTable::Assets => &[1043, 1043, 1043],
            TargetTable::Events => &[1043, 1184, 1043, 1043],
        }
    }

    /// One line of COPY's text format. No value here needs an escape.
    pub fn push_copy_text(&mut self, index: u64, out: &mut Vec<u8>) {
        let row = self.dataset.row(index);
        match self.dataset.table {
            TargetTable::DoubleDatapoints => {
                self.push_series_and_time(&row, b"\t", out);
                row.push_decimal(out);
            }
            TargetTable::StringDatapoints => {
                self.push_series_and_time(&row, b"\t", out);
                row.push_string(out);
            }
            TargetTable::RawRows => {
                out.extend_from_slice(RAW_DATABASE.as_bytes());
                out.push(b'\t');
                out.extend_from_slice(RAW_TABLE.as_bytes());
                out.push(b'\t');
                row.push_raw_key(out);
                out.push(b'\t');
                row.push_raw_columns(out);
            }
            TargetTable::Assets | TargetTable::Events => self.push_object(&row, b"\t", out),
        }
        out.push(b'\n');
    }

    /// One tuple of COPY's binary format.
    pub fn push_copy_binary(&mut self, index: u64, out: &mut Vec<u8>) {
        let columns = self.parameter_types().len() as u16;
        out.extend_from_slice(&columns.to_be_bytes());
        self.push_binary_values(index, out);
    }

    /// The row as literals in parentheses, for VALUES. No value here needs an escape.
    pub fn push_literals(&mut self, index: u64, out: &mut Vec<u8>) {
        let row = self.dataset.row(index);
        out.extend_from_slice(b"('");
        match self.dataset.table {
            TargetTable::DoubleDatapoints => {
                self.push_series_and_time(&row, b"','", out);
                out.truncate(out.len() - 1);
                row.push_decimal(out);
            }
            TargetTable::StringDatapoints => {
                self.push_series_and_time(&row, b"','", out);
                row.push_string(out);
                out.push(b'\'');
            }
            TargetTable::RawRows => {
                out.extend_from_slice(RAW_DATABASE.as_bytes());
                out.extend_from_slice(b"','");
                out.extend_from_slice(RAW_TABLE.as_bytes());
                out.extend_from_slice(b"','");
                row.push_raw_key(out);
                out.extend_from_slice(b"','");
                row.push_raw_columns(out);
                out.push(b'\'');
            }
            TargetTable::Assets | TargetTable::Events => {
                self.push_object(&row, b"','", out);
                out.push(b'\'');
            }
        }
        out.push(b')');
    }

    /// The values in binary format, each behind its length, as Bind and COPY have them.
    pub fn push_binary_values(&mut self, index: u64, out: &mut Vec<u8>) {
        let row = self.dataset.row(index);
        let microseconds = (row.timestamp_ms - POSTGRES_EPOCH_MS) * 1000;
        match self.dataset.table {
            TargetTable::DoubleDatapoints => {
                self.push_value(out, |value| push_series_name(value, row.series));
                push_fixed(out, &microseconds.to_be_bytes());
                push_fixed(out, &row.double().to_be_bytes());
            }
            TargetTable::StringDatapoints => {
                self.push_value(out, |value| push_series_name(value, row.series));
                push_fixed(out, &microseconds.to_be_bytes());
                self.push_value(out, |value| row.push_string(value));
            }
            TargetTable::RawRows => {
                push_fixed(out, RAW_DATABASE.as_bytes());
                push_fixed(out, RAW_TABLE.as_bytes());
                self.push_value(out, |value| row.push_raw_key(value));
                self.push_value(out, |value| row.push_raw_columns(value));
            }
            TargetTable::Assets | TargetTable::Events => {
                self.push_value(out, |value| row.push_raw_key(value));
                if self.dataset.table == TargetTable::Events {
                    push_fixed(out, &microseconds.to_be_bytes());
                }
                self.push_value(out, |value| push_series_name(value, row.series));
                self.push_value(out, |value| row.push_string(value));
            }
        }
    }

    /// Key, time of an event, name, and description, as text with separators between.
    fn push_object(&mut self, row: &Row, separator: &[u8], out: &mut Vec<u8>) {
        row.push_raw_key(out);
        out.extend_from_slice(separator);
        if self.dataset.table == TargetTable::Events {
            self.push_time(row, out);
            out.extend_from_slice(separator);
        }
        push_series_name(out, row.series);
        out.extend_from_slice(separator);
        row.push_string(out);
    }

    /// Series, separator, timestamp, separator.
    fn push_series_and_time(&mut self, row: &Row, separator: &[u8], out: &mut Vec<u8>) {
        push_series_name(out, row.series);
        out.extend_from_slice(separator);
        self.push_time(row, out);
        out.extend_from_slice(separator);
    }

    fn push_time(&mut self, row: &Row, out: &mut Vec<u8>) {
        if self.timestamp_ms != row.timestamp_ms {
            self.timestamp_ms = row.timestamp_ms;
            self.timestamp.clear();
            let text = Timestamp::from_millisecond(row.timestamp_ms).map_or_else(
                |_| String::from("infinity"),
                |timestamp| timestamp.strftime("%Y-%m-%d %H:%M:%S%.3f+00").to_string(),
            );
            self.timestamp.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(&self.timestamp);
    }

    fn push_value(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.value.clear();
        write(&mut self.value);
        push_fixed(out, &self.value);
    }
}

fn push_fixed(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoder(table: TargetTable) -> RowEncoder {
        RowEncoder::new(Dataset {
            table,
            rows: 100,
            series: 7,
        })
    }

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("the encodings are text")
    }

    #[test]
    fn a_datapoint_in_text_is_a_line_of_three_columns() {
        let mut encoder = encoder(TargetTable::DoubleDatapoints);
        let line = text(|out| encoder.push_copy_text(8, out));
        let columns: Vec<&str> = line.trim_end().split('\t').collect();
        assert_eq!(
            columns[..2],
            ["sensor_000001", "2024-01-01 00:00:01.000+00"]
        );
        assert_eq!(columns[2].parse(), Ok(encoder.dataset.row(8).double()));
    }

    #[test]
    fn a_raw_row_in_text_is_a_hundred_bytes() {
        let mut encoder = encoder(TargetTable::RawRows);
        let lengths: Vec<usize> = (0..100)
            .map(|index| text(|out| encoder.push_copy_text(index, out)).len())
            .collect();
        let average = lengths.iter().sum::<usize>() / lengths.len();
        assert!((98..=102).contains(&average), "{average}");
    }

    #[test]
    fn the_literals_are_the_line_with_quotes() {
        for table in [
            TargetTable::DoubleDatapoints,
            TargetTable::StringDatapoints,
            TargetTable::RawRows,
            TargetTable::Assets,
            TargetTable::Events,
        ] {
            let mut encoder = encoder(table);
            let line = text(|out| encoder.push_copy_text(5, out));
            let literals = text(|out| encoder.push_literals(5, out));
            let unquoted = literals
                .trim_matches(['(', ')'])
                .replace("','", "\t")
                .replace("',", "\t")
                .replace('\'', "");
            assert_eq!(unquoted, line.trim_end());
        }
    }

    #[test]
    fn a_binary_tuple_holds_each_value_behind_its_length() {
        let mut encoder = encoder(TargetTable::DoubleDatapoints);
        let mut tuple = Vec::new();
        encoder.push_copy_binary(8, &mut tuple);
        assert_eq!(tuple.len(), 2 + (4 + 13) + (4 + 8) + (4 + 8));
        assert_eq!(tuple[..2], [0, 3]);
        assert_eq!(tuple[2..19], *b"\0\0\0\x0dsensor_000001");
        let microseconds: [u8; 8] = tuple[23..31].try_into().expect("eight bytes");
        // 2024-01-01T00:00:01Z is 757,382,401 seconds after 2000-01-01.
        assert_eq!(i64::from_be_bytes(microseconds), 757_382_401_000_000);
        let value: [u8; 8] = tuple[35..].try_into().expect("eight bytes");
        assert_eq!(f64::from_be_bytes(value), encoder.dataset.row(8).double());
    }
}
