//! The test itself: start, prepare, send round after round, measure.
//!
//! Owns the order of a test and what is read before and after a round. Promises that all
//! connections of a round begin together and that nothing else runs while the clock does.

use super::connection::{Connection, Target};
use super::load::Load;
use super::processes::{Measured, Pair};
use super::report::{Delivery, Latencies, Report, Round};
use super::rows::{Dataset, series_name};
use super::sink::SinkCounters;
use super::{Ack, BenchArguments, BenchError, TargetTable};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Time series made by one INSERT: CDF's bound of a request.
const SERIES_PER_INSERT: u64 = 1000;

/// What is measured, and against what.
pub(super) struct Bench {
    pub(super) target: Target,
    gateway: Option<Measured>,
    sink: Option<Measured>,
    pub(super) sink_url: Option<String>,
    /// Ends its processes when the test is over.
    _pair: Option<Pair>,
}

/// One connection and what it sends.
struct Sender {
    connection: Connection,
    load: Load,
}

/// Runs the whole test.
///
/// # Errors
/// Something does not start, breaks or refuses.
pub fn measure(arguments: &BenchArguments, dataset: &Dataset) -> Result<Report, BenchError> {
    let bench = Bench::start(arguments)?;
    let is_datapoints = dataset.table.has_series();
    if is_datapoints && !arguments.no_series {
        make_series(&bench.target, dataset)?;
    }
    let mut senders = (0..arguments.connections)
        .map(|number| {
            let rows = dataset.share(number, arguments.connections);
            let load = Load::build(*dataset, arguments.mode, rows, arguments.rows_per_sync);
            let mut connection = Connection::open(&bench.target)?;
            if let Some(ack) = arguments.ack {
                let ack = match ack {
                    Ack::Delivered => "delivered",
                    Ack::Journaled => "journaled",
                };
                connection.statement(&format!("SET penstock.ack = '{ack}'"))?;
            }
            connection.prepare(&load)?;
            Ok(Sender { connection, load })
        })
        .collect::<Result<Vec<Sender>, BenchError>>()?;
    let checksum = bench.sink_url.as_ref().map(|_| dataset.checksum());
    let rounds = (0..arguments.rounds)
        .map(|_| bench.round(dataset, &mut senders, checksum))
        .collect::<Result<Vec<Round>, BenchError>>()?;
    let resident = bench.gateway.map(|gateway| gateway.resident_bytes_peak());
    Ok(Report {
        mode: arguments.mode,
        table: arguments.table,
        connections: arguments.connections,
        series: arguments.series,
        rows: arguments.rows,
        bytes: senders
            .iter()
            .map(|sender| sender.load.bytes.len() as u64)
            .sum(),
        rounds,
        gateway_resident_bytes_peak: resident.transpose()?,
    })
}

impl Bench {
    pub(super) fn start(arguments: &BenchArguments) -> Result<Self, BenchError> {
        if let Some(url) = &arguments.target {
            return Ok(Bench {
                target: Target::parse(url)?,
                gateway: arguments.gateway_pid.map(Measured::new),
                sink: arguments.sink_pid.map(Measured::new),
                sink_url: arguments.sink_url.clone(),
                _pair: None,
            });
        }
        let pair = Pair::start(
            arguments.ack,
            arguments.journal.as_deref(),
            arguments.unpaced,
        )?;
        Ok(Bench {
            target: pair.target()?,
            gateway: Some(pair.gateway()),
            sink: Some(pair.sink()),
            sink_url: Some(pair.sink_url()?),
            _pair: Some(pair),
        })
    }

    fn round(
        &self,
        dataset: &Dataset,
        senders: &mut [Sender],
        checksum: Option<u64>,
    ) -> Result<Round, BenchError> {
        let counted = |url: &String| SinkCounters::read(url, dataset.table);
        let before = self.sink_url.as_ref().map(counted).transpose()?;
        let cpu_before = self.cpu_times()?;
        let began = Instant::now();
        let (duration, times) = send(senders)?;
        let after = match (&self.sink_url, before) {
            (Some(url), Some(before)) => Some(arrived(url, dataset, before)?),
            _ => None,
        };
        let arrival = began.elapsed();
        let cpu_after = self.cpu_times()?;
        let per_row = |before: Option<Duration>, after: Option<Duration>| {
            let spent = after?.checked_sub(before?)?;
            Some(spent.as_nanos() as f64 / dataset.rows as f64)
        };
        let delivery = match (before, after, checksum) {
            (Some(before), Some(after), Some(checksum)) => {
                let received = after.since(before);
                Some(Delivery {
                    rows: received.rows,
                    requests: received.requests,
                    seconds: arrival.as_secs_f64(),
                    is_complete: received.rows == dataset.rows && received.checksum == checksum,
                })
            }
            _ => None,
        };
        Ok(Round {
            seconds: duration.as_secs_f64(),
            rows_per_s: dataset.rows as f64 / duration.as_secs_f64(),
            latencies: Latencies::of(times),
            gateway_cpu_ns_per_row: per_row(cpu_before.gateway, cpu_after.gateway),
            sink_cpu_ns_per_row: per_row(cpu_before.sink, cpu_after.sink),
            client_cpu_ns_per_row: per_row(Some(cpu_before.client), Some(cpu_after.client)),
            delivery,
        })
    }

    fn cpu_times(&self) -> Result<CpuTimes, BenchError> {
        let of = |process: Option<Measured>| process.map(|process| process.cpu_time()).transpose();
        Ok(CpuTimes {
            gateway: of(self.gateway)?,
            sink: of(self.sink)?,
            client: Measured::own().cpu_time()?,
        })
    }
}

/// How long no row may arrive before the rest counts as missing.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(10);

/// The sink's counters once all rows of a round have arrived, or none arrives any more: rows may
/// have been acknowledged before.
fn arrived(url: &str, dataset: &Dataset, before: SinkCounters) -> Result<SinkCounters, BenchError> {
    let mut last = SinkCounters::read(url, dataset.table)?;
    let mut progressed = Instant::now();
    while last.since(before).rows < dataset.rows && progressed.elapsed() < ARRIVAL_PATIENCE {
        thread::sleep(Duration::from_millis(10));
        let now = SinkCounters::read(url, dataset.table)?;
        if now != last {
            (last, progressed) = (now, Instant::now());
        }
    }
    Ok(last)
}

struct CpuTimes {
    gateway: Option<Duration>,
    sink: Option<Duration>,
    client: Duration,
}

/// Sends every load once, all connections at the same time. Returns the time from the common
/// start to the last answer, and the time of every exchange.
fn send(senders: &mut [Sender]) -> Result<(Duration, Vec<Duration>), BenchError> {
    let start = Barrier::new(senders.len() + 1);
    thread::scope(|scope| {
        let threads: Vec<_> = senders
            .iter_mut()
            .map(|sender| {
                let start = &start;
                scope.spawn(move || {
                    let mut times = Vec::with_capacity(sender.load.exchanges.len());
                    start.wait();
                    sender.connection.send_load(&sender.load, &mut times)?;
                    Ok::<_, BenchError>(times)
                })
            })
            .collect();
        start.wait();
        let begin = Instant::now();
        let mut times = Vec::new();
        for thread in threads {
            let sent = thread.join().map_err(|_| {
                BenchError::Answer("a connection of the test ended by a fault".to_owned())
            })?;
            times.extend(sent?);
        }
        Ok((begin.elapsed(), times))
    })
}

/// Makes the time series through the gateway. Those that are there from an earlier test stay.
pub(super) fn make_series(target: &Target, dataset: &Dataset) -> Result<(), BenchError> {
    let is_string = dataset.table == TargetTable::StringDatapoints;
    let mut connection = Connection::open(target)?;
    let mut start = 0;
    while start < dataset.series {
        let end = dataset.series.min(start + SERIES_PER_INSERT);
        let values: Vec<String> = (start..end)
            .map(|series| format!("('{}', {is_string})", series_name(series)))
            .collect();
        let statement = format!(
            "INSERT INTO time_series (external_id, is_string) VALUES {}",
            values.join(", ")
        );
        match connection.statement(&statement) {
            Ok(_) => {}
            Err(BenchError::Answer(text)) if text.contains(UNIQUE_VIOLATION) => {}
            Err(error) => return Err(error),
        }
        start = end;
    }
    Ok(())
}

/// "They exist already", as an answer tells it.
const UNIQUE_VIOLATION: &str = "refuses with 23505";
