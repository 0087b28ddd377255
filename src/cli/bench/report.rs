//! What a test found, for people and for machines.
//!
//! Owns the figures and their medians. Promises that the table and the JSON show the same
//! figures, and that a figure that was not measured is not shown. Never rounds before a median.

use super::{Mode, TargetTable};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// The whole test.
#[derive(Clone, Debug)]
pub struct Report {
    pub mode: Mode,
    pub table: TargetTable,
    pub connections: u64,
    pub series: u64,
    /// Rows and bytes of one round, as sent.
    pub rows: u64,
    pub bytes: u64,
    /// At least one.
    pub rounds: Vec<Round>,
    pub gateway_resident_bytes_peak: Option<u64>,
}

/// One round.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    pub seconds: f64,
    pub rows_per_s: f64,
    pub latencies: Latencies,
    pub gateway_cpu_ns_per_row: Option<f64>,
    pub sink_cpu_ns_per_row: Option<f64>,
    pub client_cpu_ns_per_row: Option<f64>,
    /// What the sink says of this round; `None`: nobody asked it.
    pub delivery: Option<Delivery>,
}

/// What arrived.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    pub rows: u64,
    pub requests: u64,
    /// From the start of the round until all of them had arrived.
    pub seconds: f64,
    /// Every row, once, with its values.
    pub is_complete: bool,
}

/// Times of single statements (in mode prepared: of pipelines), in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Latencies {
    pub count: usize,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Latencies {
    /// By nearest rank.
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times
                .get(rank - 1)
                .map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Latencies {
            count: times.len(),
            p50_ms: at(50),
            p90_ms: at(90),
            p99_ms: at(99),
            max_ms: at(100),
        }
    }
}

impl Report {
    /// Whether every row of every round arrived; `None`: nobody looked.
    pub fn is_complete(&self) -> Option<bool> {
        let deliveries: Vec<&Delivery> = self.deliveries().collect();
        if deliveries.is_empty() {
            return None;
        }
        Some(deliveries.iter().all(|delivery| delivery.is_complete))
    }

    fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.rounds
            .iter()
            .filter_map(|round| round.delivery.as_ref())
    }

    /// The middle round's value of a figure; `None` if it was not measured.
    fn median(&self, figure: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.rounds.iter().filter_map(figure).collect();
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        match values.len() {
            0 => None,
            length if length % 2 == 1 => Some(values[middle]),
            _ => Some(f64::midpoint(values[middle - 1], values[middle])),
        }
    }

    fn megabytes_per_s(&self, rows_per_s: f64) -> f64 {
        rows_per_s * self.bytes as f64 / self.rows as f64 / 1e6
    }

    /// One JSON object.
    pub fn to_json(&self) -> Value {
        let rows_per_s = self.median(|round| Some(round.rows_per_s));
        json!({
            "mode": name(self.mode),
            "table": name(self.table),
            "connections": self.connections,
            "series": self.series,
            "rows": self.rows,
            "bytes": self.bytes,
            "median": {
                "rows_per_s": rows_per_s,
                "megabytes_per_s": rows_per_s.map(|rate| self.megabytes_per_s(rate)),
                "p50_ms": self.median(|round| Some(round.latencies.p50_ms)),
                "p90_ms": self.median(|round| Some(round.latencies.p90_ms)),
                "p99_ms": self.median(|round| Some(round.latencies.p99_ms)),
                "max_ms": self.median(|round| Some(round.latencies.max_ms)),
                "gateway_cpu_ns_per_row": self.median(|round| round.gateway_cpu_ns_per_row),
                "sink_cpu_ns_per_row": self.median(|round| round.sink_cpu_ns_per_row),
                "client_cpu_ns_per_row": self.median(|round| round.client_cpu_ns_per_row),
            },
            "gateway_resident_bytes_peak": self.gateway_resident_bytes_peak,
            "is_complete": self.is_complete(),
            "rounds": self.rounds,
        })
    }

    /// A table for people.
    pub fn to_table(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_table(&mut out);
        out
    }

    fn write_table(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "{} into {}: {} rows of {:.0} bytes over {} series, {} connection(s)\n",
            name(self.mode),
            name(self.table),
            thousands(self.rows),
            self.bytes as f64 / self.rows as f64,
            thousands(self.series),
            self.connections,
        )?;
        writeln!(
            out,
            "{:>8} {:>12} {:>8} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9} {:>9}",
            "round",
            "rows/s",
            "MB/s",
            "p50 ms",
            "p90 ms",
            "p99 ms",
            "max ms",
            "gateway",
            "sink",
            "client"
        )?;
        for (number, round) in self.rounds.iter().enumerate() {
            self.write_line(out, &(number + 1).to_string(), |figure| figure(round))?;
        }
        self.write_line(out, "median", |figure| self.median(figure))?;
        writeln!(
            out,
            "\ngateway, sink and client are CPU nanoseconds per row."
        )?;
        if let Some(bytes) = self.gateway_resident_bytes_peak {
            let mebibytes = bytes as f64 / f64::from(1 << 20);
            writeln!(out, "The gateway held at most {mebibytes:.0} MiB.")?;
        }
        match self.is_complete() {
            None => writeln!(
                out,
                "Nobody looked whether the rows arrived: no --sink-url."
            ),
            Some(is_complete) => self.write_deliveries(out, is_complete),
        }
    }

    fn write_deliveries(&self, out: &mut String, is_complete: bool) -> std::fmt::Result {
        let rows: u64 = self.deliveries().map(|delivery| delivery.rows).sum();
        let requests: u64 = self.deliveries().map(|delivery| delivery.requests).sum();
        let sent = self.rows * self.rounds.len() as u64;
        writeln!(
            out,
            "The sink counted {} of {} rows in {} requests, {:.0} rows per request{}.",
            thousands(rows),
            thousands(sent),
            thousands(requests),
            rows as f64 / requests.max(1) as f64,
            match (is_complete, rows == sent) {
                (true, _) => ", with the values that were sent",
                (false, true) => ": THE VALUES DIFFER",
                (false, false) => ": ROWS ARE MISSING OR DOUBLED",
            }
        )
    }

    /// One line of the table; `value` gives a figure of a round, or its median.
    fn write_line(
        &self,
        out: &mut String,
        label: &str,
        value: impl Fn(&dyn Fn(&Round) -> Option<f64>) -> Option<f64>,
    ) -> std::fmt::Result {
        let rate = value(&|round| Some(round.rows_per_s)).unwrap_or_default();
        let millis = |figure: fn(&Latencies) -> f64| {
            value(&|round| Some(figure(&round.latencies)))
                .map_or_else(String::new, |value| format!("{value:.2}"))
        };
        let nanos = |figure: fn(&Round) -> Option<f64>| {
            value(&figure).map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"))
        };
        writeln!(
            out,
            "{:>8} {:>12} {:>8.1} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9} {:>9}",
            label,
            thousands(rate as u64),
            self.megabytes_per_s(rate),
            millis(|latencies| latencies.p50_ms),
            millis(|latencies| latencies.p90_ms),
            millis(|latencies| latencies.p99_ms),
            millis(|latencies| latencies.max_ms),
            nanos(|round| round.gateway_cpu_ns_per_row),
            nanos(|round| round.sink_cpu_ns_per_row),
            nanos(|round| round.client_cpu_ns_per_row),
        )
    }
}

/// The name of an option's value.
fn name(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

/// 1234567 as 1,234,567.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(rows_per_s: f64, delivery: Option<(u64, bool)>) -> Round {
        Round {
            seconds: 1000.0 / rows_per_s,
            rows_per_s,
            latencies: Latencies::of(vec![Duration::from_millis(3)]),
            gateway_cpu_ns_per_row: Some(100.0),
            sink_cpu_ns_per_row: None,
            client_cpu_ns_per_row: Some(5.0),
            delivery: delivery.map(|(rows, is_complete)| Delivery {
                rows,
                requests: 2,
                seconds: 1.0,
                is_complete,
            }),
        }
    }

    fn report(rounds: Vec<Round>) -> Report {
        Report {
            mode: Mode::Insert1000,
            table: TargetTable::RawRows,
            connections: 1,
            series: 10,
            rows: 1000,
            bytes: 50_000,
            rounds,
            gateway_resident_bytes_peak: Some(64 << 20),
        }
    }

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        let latencies = Latencies::of(times);
        assert_eq!(latencies.count, 200);
        assert_eq!(latencies.p50_ms, 100.0);
        assert_eq!(latencies.p90_ms, 180.0);
        assert_eq!(latencies.p99_ms, 198.0);
        assert_eq!(latencies.max_ms, 200.0);
    }

    #[test]
    fn the_median_is_the_middle_of_the_rounds() {
        let rounds = [30.0, 10.0, 20.0].map(|rate| round(rate, None));
        let json = report(rounds.to_vec()).to_json();
        assert_eq!(json["median"]["rows_per_s"], json!(20.0));
        assert_eq!(json["median"]["sink_cpu_ns_per_row"], Value::Null);
        let json = report(rounds[..2].to_vec()).to_json();
        assert_eq!(json["median"]["rows_per_s"], json!(20.0));
    }

    #[test]
    fn a_single_incomplete_round_makes_the_test_incomplete() {
        let complete = round(10.0, Some((1000, true)));
        let lacking = round(10.0, Some((999, false)));
        assert_eq!(report(vec![complete.clone()]).is_complete(), Some(true));
        let both = report(vec![complete, lacking]);
        assert_eq!(both.is_complete(), Some(false));
        assert!(
            both.to_table().contains("1,999 of 2,000"),
            "{}",
            both.to_table()
        );
        assert!(both.to_table().contains("ROWS ARE MISSING"));
        assert_eq!(report(vec![round(10.0, None)]).is_complete(), None);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let grouped: Vec<String> = [0, 999, 1000, 1_234_567].map(thousands).to_vec();
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567"]);
    }
}
