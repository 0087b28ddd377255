//! The rows: the same for the same options, on every machine.
//!
//! Owns what row number `n` is. Promises rows in the order in which devices report: every
//! series once, then the next second. Never encodes: [`encoding`](super::encoding) does.

use super::TargetTable;
use crate::emulator::checksum;

/// 2024-01-01T00:00:00Z in milliseconds.
const FIRST_TIMESTAMP_MS: i64 = 1_704_067_200_000;

/// Milliseconds from one report of a series to the next.
const INTERVAL_MS: i64 = 1_000;

/// The RAW database and table that rows are written to.
pub const RAW_DATABASE: &str = "bench";
pub const RAW_TABLE: &str = "rows";

/// All rows of one round.
#[derive(Clone, Copy, Debug)]
pub struct Dataset {
    pub table: TargetTable,
    pub rows: u64,
    pub series: u64,
}

/// Row `index`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub index: u64,
    /// Number of the series, below [`Dataset::series`].
    pub series: u64,
    pub timestamp_ms: i64,
    /// The value in hundredths: a number with two decimals, as sensors report them.
    pub hundredths: u64,
}

impl Dataset {
    /// Row `index`.
    pub fn row(&self, index: u64) -> Row {
        let tick = i64::try_from(index / self.series).unwrap_or(i64::MAX / (2 * INTERVAL_MS));
        // Fibonacci hashing spreads neighbours; 20 bits give values up to 10485.75.
        let hundredths = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
        Row {
            index,
            series: index % self.series,
            timestamp_ms: FIRST_TIMESTAMP_MS + tick * INTERVAL_MS,
            hundredths,
        }
    }

    /// The rows of connection `connection` of `connections`.
    pub fn share(&self, connection: u64, connections: u64) -> std::ops::Range<u64> {
        let start = |connection: u64| {
            let wide = u128::from(self.rows) * u128::from(connection) / u128::from(connections);
            u64::try_from(wide).unwrap_or(self.rows)
        };
        start(connection)..start(connection + 1)
    }

    /// What the sink's checksum must grow by in one round.
    pub fn checksum(&self) -> u64 {
        let factors: Vec<u64> = match self.table {
            TargetTable::DoubleDatapoints | TargetTable::StringDatapoints => (0..self.series)
                .map(|series| checksum::series_by_external_id(series_name(series).as_bytes()))
                .collect(),
            TargetTable::RawRows | TargetTable::Assets | TargetTable::Events => Vec::new(),
        };
        let raw_table = checksum::table(RAW_DATABASE.as_bytes(), RAW_TABLE.as_bytes());
        let mut text = Vec::new();
        let mut columns = Vec::new();
        (0..self.rows).fold(0_u64, |sum, index| {
            let row = self.row(index);
            let term = match self.table {
                TargetTable::DoubleDatapoints => {
                    let point = checksum::point(row.timestamp_ms, row.double().to_bits(), 0);
                    factors[row.series as usize].wrapping_mul(point)
                }
                TargetTable::StringDatapoints => {
                    text.clear();
                    row.push_string(&mut text);
                    let point = checksum::point(row.timestamp_ms, checksum::bytes(&text), 0);
                    factors[row.series as usize].wrapping_mul(point)
                }
                TargetTable::RawRows => {
                    text.clear();
                    columns.clear();
                    row.push_raw_key(&mut text);
                    row.push_raw_columns(&mut columns);
                    raw_table.wrapping_mul(checksum::row(&text, &columns))
                }
                TargetTable::Assets | TargetTable::Events => {
                    text.clear();
                    row.push_object(self.table, &mut text);
                    let item = std::str::from_utf8(&text).unwrap_or_default();
                    checksum::object(item).unwrap_or_default()
                }
            };
            sum.wrapping_add(term)
        })
    }
}

impl Row {
    /// The value as a number.
    pub fn double(&self) -> f64 {
        self.hundredths as f64 / 100.0
    }

    /// The value as a decimal: `1234.56`.
    pub fn push_decimal(&self, out: &mut Vec<u8>) {
        push_number(out, self.hundredths / 100);
        out.push(b'.');
        push_padded(out, self.hundredths % 100, 2);
    }

    /// The value as a state: `running at 1234.56 rpm`.
    pub fn push_string(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"running at ");
        self.push_decimal(out);
        out.extend_from_slice(b" rpm");
    }

    /// The key of a RAW row, and the external id of an object.
    pub fn push_raw_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"key-");
        push_padded(out, self.index, 10);
    }

    /// The columns of a RAW row: a JSON object that makes the row 100 bytes long in COPY's text.
    pub fn push_raw_columns(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"sensor\":\"");
        push_series_name(out, self.series);
        out.extend_from_slice(b"\",\"value\":");
        self.push_decimal(out);
        out.extend_from_slice(b",\"unit\":\"bar\",\"quality\":\"good\"}");
    }
}

impl Row {
    /// The JSON that CDF should get for an asset or an event.
    fn push_object(&self, table: TargetTable, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"externalId\":\"");
        self.push_raw_key(out);
        out.extend_from_slice(match table {
            TargetTable::Events => b"\",\"type\":\"",
            _ => b"\",\"name\":\"",
        });
        push_series_name(out, self.series);
        out.extend_from_slice(b"\",\"description\":\"");
        self.push_string(out);
        if table == TargetTable::Events {
            out.extend_from_slice(b"\",\"startTime\":");
            out.extend_from_slice(itoa::Buffer::new().format(self.timestamp_ms).as_bytes());
            out.push(b'}');
        } else {
            out.extend_from_slice(b"\"}");
        }
    }
}

/// The external id of a series: `sensor_000042`.
pub fn series_name(series: u64) -> String {
    format!("sensor_{series:06}")
}

/// The same, without an allocation.
pub fn push_series_name(out: &mut Vec<u8>, series: u64) {
    out.extend_from_slice(b"sensor_");
    push_padded(out, series, 6);
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn push_padded(out: &mut Vec<u8>, number: u64, digits: usize) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(number).as_bytes();
    out.extend(std::iter::repeat_n(b'0', digits.saturating_sub(text.len())));
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATASET: Dataset = Dataset {
        table: TargetTable::DoubleDatapoints,
        rows: 10,
        series: 4,
    };

    #[test]
    fn every_series_reports_once_before_the_next_second() {
        let rows: Vec<(u64, i64)> = (0..5)
            .map(|index| DATASET.row(index))
            .map(|row| (row.series, row.timestamp_ms - FIRST_TIMESTAMP_MS))
            .collect();
        assert_eq!(rows, [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1000)]);
    }

    #[test]
    fn the_shares_of_the_connections_are_all_rows_once() {
        for connections in [1, 3, 4, 7, 10, 13] {
            let rows: Vec<u64> = (0..connections)
                .flat_map(|connection| DATASET.share(connection, connections))
                .collect();
            assert_eq!(
                rows,
                (0..10).collect::<Vec<u64>>(),
                "{connections} connections"
            );
        }
    }

    #[test]
    fn the_decimal_is_the_number() {
        for index in 0..1000 {
            let row = DATASET.row(index * 7919);
            let mut text = Vec::new();
            row.push_decimal(&mut text);
            let text = String::from_utf8(text).expect("digits are UTF-8");
            assert_eq!(text.parse(), Ok(row.double()), "{text}");
        }
    }

    #[test]
    fn the_checksum_tells_other_rows_apart() {
        let tables = [
            TargetTable::DoubleDatapoints,
            TargetTable::StringDatapoints,
            TargetTable::RawRows,
            TargetTable::Assets,
            TargetTable::Events,
        ];
        for table in tables {
            let all = Dataset { table, ..DATASET };
            let less = Dataset { rows: 9, ..all };
            assert_ne!(all.checksum(), less.checksum());
            assert_eq!(all.checksum(), all.checksum());
        }
    }
}
