//! What the sink counted: `GET /_emulator/statistics`.
//!
//! Owns the calls to the sink and the figures taken from its answers. Promises differences, so that rows
//! of an earlier round do not count. Never trusts the gateway's own metrics.

use super::{BenchError, TargetTable};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

/// The sink's counters for one table, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkCounters {
    /// Rows that CDF would have.
    pub rows: u64,
    /// Sum of their checksums, wrapping.
    pub checksum: u64,
    /// Write requests that were committed.
    pub requests: u64,
}

impl SinkCounters {
    /// Asks the sink at `url`.
    ///
    /// # Errors
    /// It is not there, or answers something else.
    pub fn read(url: &str, table: TargetTable) -> Result<Self, BenchError> {
        let body = get(url, "/_emulator/statistics")?;
        let figures: Value = serde_json::from_str(&body)
            .map_err(|error| BenchError::Answer(format!("{url}: {error}")))?;
        Self::of(&figures, table)
            .ok_or_else(|| BenchError::Answer(format!("{url} does not answer as an emulator")))
    }

    fn of(figures: &Value, table: TargetTable) -> Option<Self> {
        let operation = match table {
            TargetTable::DoubleDatapoints | TargetTable::StringDatapoints => "datapoints.insert",
            TargetTable::RawRows => "raw.rows.insert",
            TargetTable::Assets => "assets.create",
            TargetTable::Events => "events.create",
        };
        let all = figures.get("checksums")?;
        let sums = match table {
            TargetTable::DoubleDatapoints | TargetTable::StringDatapoints => all.get("points")?,
            TargetTable::RawRows => all.get("rows")?,
            TargetTable::Assets | TargetTable::Events => {
                match all.get("items")?.get(operation) {
                    Some(sums) => sums,
                    // No such object yet.
                    None => return Some(SinkCounters::default()),
                }
            }
        };
        let requests = figures
            .get("operations")?
            .get(operation)
            .and_then(|operation| operation.get("accepted"))
            .and_then(Value::as_u64);
        Some(SinkCounters {
            rows: sums.get("count")?.as_u64()?,
            checksum: u64::from_str_radix(sums.get("sum")?.as_str()?, 16).ok()?,
            // No such request yet: the operation is not listed.
            requests: requests.unwrap_or(0),
        })
    }

    /// What came since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        SinkCounters {
            rows: self.rows - earlier.rows,
            checksum: self.checksum.wrapping_sub(earlier.checksum),
            requests: self.requests - earlier.requests,
        }
    }
}

/// Lets the sink answer every write `delay_ms` later, from now on.
///
/// # Errors
/// It is not there, or answers something else.
pub fn delay_answers(url: &str, delay_ms: u64) -> Result<(), BenchError> {
    let rule = serde_json::json!([{"kind": "late_answer", "delay_ms": delay_ms}]).to_string();
    exchange(url, "POST", "/_emulator/faults", &rule).map(|_| ())
}

/// The body of a GET over a connection of its own.
fn get(url: &str, path: &str) -> Result<String, BenchError> {
    exchange(url, "GET", path, "")
}

fn exchange(url: &str, method: &str, path: &str, body: &str) -> Result<String, BenchError> {
    let authority = url
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'))
        .ok_or_else(|| BenchError::Arguments(format!("{url} is no http address")))?;
    let failed = || BenchError::io(url.to_owned());
    let mut stream = TcpStream::connect(authority).map_err(failed())?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .map_err(failed())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed())?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(BenchError::Answer(format!(
            "{url}{path} answers {}",
            answer.lines().next().unwrap_or("nothing")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_counters_of_a_table_are_found_and_subtracted() {
        let figures = |count: u64, sum: &str, accepted: u64| {
            json!({
                "checksums": {"points": {"count": count, "sum": sum}, "rows": {"count": 0, "sum": "0000000000000000"}},
                "operations": {"datapoints.insert": {"accepted": accepted}},
            })
        };
        let table = TargetTable::DoubleDatapoints;
        let before = SinkCounters::of(&figures(10, "fffffffffffffffe", 1), table);
        let after = SinkCounters::of(&figures(30, "0000000000000003", 4), table);
        let (Some(before), Some(after)) = (before, after) else {
            panic!("the figures are as the emulator shows them");
        };
        assert_eq!(
            after.since(before),
            SinkCounters {
                rows: 20,
                checksum: 5,
                requests: 3
            }
        );
        let nothing = SinkCounters::of(&figures(0, "0000000000000000", 0), TargetTable::RawRows);
        assert_eq!(nothing, Some(SinkCounters::default()));
        assert_eq!(SinkCounters::of(&json!({}), table), None);
    }
}
