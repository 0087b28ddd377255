//! What a small statement waits for beside a bulk load: `penstock bench --beside-s`.
//!
//! Owns the test: one connection inserts row after row, first alone and then while all others
//! send their loads over and over. Promises that the loads run for the whole time that the row
//! times are taken in, and that both series are as long. Never judges: it prints the ratio.

use super::connection::Connection;
use super::load::Load;
use super::report::Latencies;
use super::rows::Dataset;
use super::run::Bench;
use super::{BenchArguments, BenchError, Mode};
use serde::Serialize;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Between two rows: a client that thinks, not one that floods.
const PAUSE: Duration = Duration::from_millis(5);

/// Rows that are inserted over and over.
const ROWS: u64 = 1000;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct BesideReport {
    /// Statements of one row with nothing else under way.
    pub idle: Latencies,
    /// The same beside the loads.
    pub beside: Latencies,
    /// p99 beside by p99 idle.
    pub p99_ratio: f64,
    /// Connections that sent loads, and what they brought through meanwhile.
    pub connections: u64,
    pub load_rows_per_s: f64,
    /// How long the sink held each answer back.
    pub answer_delay_ms: u64,
}

impl BesideReport {
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("figures and names are always JSON")
    }

    pub fn to_table(&self) -> String {
        let mut table = String::new();
        for (name, latencies) in [("idle", &self.idle), ("beside the load", &self.beside)] {
            let Latencies {
                count,
                p50_ms,
                p90_ms,
                p99_ms,
                max_ms,
            } = latencies;
            let _ = writeln!(
                table,
                "{name:<16} {count:>6} rows   p50 {p50_ms:>8.2} ms   p90 {p90_ms:>8.2} ms   p99 {p99_ms:>8.2} ms   max {max_ms:>8.2} ms"
            );
        }
        let _ = writeln!(
            table,
            "p99 beside by p99 idle: {:.2}; {} connections brought {:.0} rows/s through; answers held back {} ms",
            self.p99_ratio, self.connections, self.load_rows_per_s, self.answer_delay_ms
        );
        table
    }
}

/// Runs the test.
///
/// # Errors
/// Something does not start, breaks or refuses.
pub(super) fn measure(
    arguments: &BenchArguments,
    dataset: &Dataset,
    time: Duration,
) -> Result<BesideReport, BenchError> {
    let bench = Bench::start(arguments)?;
    if dataset.table.has_series() && !arguments.no_series {
        super::run::make_series(&bench.target, dataset)?;
    }
    if arguments.answer_delay_ms > 0 {
        let url = bench.sink_url.as_ref().ok_or_else(|| {
            BenchError::Arguments("--answer-delay-ms needs --sink-url".to_owned())
        })?;
        super::sink::delay_answers(url, arguments.answer_delay_ms)?;
    }
    // Later in time than all rows of the loads: a row that overwrites one of theirs would wait
    // for it, and that is order, not fairness.
    let later = dataset.rows..dataset.rows + ROWS;
    let row = Load::build(*dataset, Mode::Insert1, later, 1);
    let mut connection = Connection::open(&bench.target)?;
    let idle = insert_rows(&mut connection, &row, time)?;
    let ends = AtomicBool::new(false);
    let sent = AtomicU64::new(0);
    let began = Instant::now();
    let beside = thread::scope(|scope| {
        let loads: Vec<_> = (0..arguments.connections)
            .map(|number| {
                let (ends, sent, target) = (&ends, &sent, &bench.target);
                scope.spawn(move || {
                    let rows = dataset.share(number, arguments.connections);
                    let count = rows.end - rows.start;
                    let load = Load::build(*dataset, arguments.mode, rows, arguments.rows_per_sync);
                    let mut connection = Connection::open(target)?;
                    connection.prepare(&load)?;
                    while !ends.load(Ordering::Relaxed) {
                        connection.send_load(&load, &mut Vec::new())?;
                        sent.fetch_add(count, Ordering::Relaxed);
                    }
                    Ok::<(), BenchError>(())
                })
            })
            .collect();
        // The first rows of the loads are on their way: from here on they saturate.
        let warm_up = insert_rows(&mut connection, &row, time / 4);
        let beside = warm_up.and_then(|_| insert_rows(&mut connection, &row, time));
        ends.store(true, Ordering::Relaxed);
        for load in loads {
            load.join().map_err(|_| {
                BenchError::Answer("a connection of the test ended by a fault".to_owned())
            })??;
        }
        beside
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let (idle, beside) = (Latencies::of(idle), Latencies::of(beside));
    Ok(BesideReport {
        p99_ratio: beside.p99_ms / idle.p99_ms,
        idle,
        beside,
        connections: arguments.connections,
        load_rows_per_s: sent.load(Ordering::Relaxed) as f64 / seconds,
        answer_delay_ms: arguments.answer_delay_ms,
    })
}

/// Inserts rows one by one for `time`. Returns how long each took.
fn insert_rows(
    connection: &mut Connection,
    rows: &Load,
    time: Duration,
) -> Result<Vec<Duration>, BenchError> {
    let mut times = Vec::new();
    let ends = Instant::now() + time;
    for exchange in rows.exchanges.iter().cycle() {
        if Instant::now() >= ends {
            break;
        }
        let began = Instant::now();
        connection.exchange(rows, exchange)?;
        times.push(began.elapsed());
        thread::sleep(PAUSE);
    }
    Ok(times)
}
