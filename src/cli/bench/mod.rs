//! `penstock bench`: a load test that proves what it measured.
//!
//! Owns the command: it starts a sink and a gateway in processes of their own (or drives the
//! one it is given), sends prebuilt bytes over its own small client, and compares what the sink
//! counted with what was sent. Promises the same bytes for the same options, and exit code 1
//! when a row is missing. Never measures the building of its own data.

mod beside;
mod connection;
mod encoding;
mod load;
mod processes;
mod report;
mod rows;
mod run;
mod sink;

use clap::{Args, ValueEnum};
use rows::Dataset;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How rows are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// COPY in text format, one statement per connection and round
    CopyText,
    /// COPY in binary format, one statement per connection and round
    CopyBinary,
    /// INSERT of one row as a simple query, each waiting for its answer
    #[value(name = "insert-1")]
    Insert1,
    /// INSERT of 1,000 rows as a simple query, each waiting for its answer
    #[value(name = "insert-1000")]
    Insert1000,
    /// A prepared INSERT of one row with binary parameters, --rows-per-sync in a pipeline
    Prepared,
}

/// Where rows are sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum TargetTable {
    DoubleDatapoints,
    StringDatapoints,
    RawRows,
    Assets,
    Events,
}

impl TargetTable {
    /// Whether its rows are points of series that must exist.
    pub fn has_series(self) -> bool {
        matches!(
            self,
            TargetTable::DoubleDatapoints | TargetTable::StringDatapoints
        )
    }
}

/// When rows are to be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ack {
    /// When the sink has them
    Delivered,
    /// When they are in the gateway's journal
    Journaled,
}

/// Options of `penstock bench`.
#[derive(Args, Clone, Debug)]
pub struct BenchArguments {
    #[arg(long, value_enum, default_value = "copy-text")]
    pub mode: Mode,
    #[arg(long, value_enum, default_value = "double_datapoints")]
    pub table: TargetTable,
    /// Connections that send at the same time; each sends its share of the rows
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub connections: u64,
    /// Rows of one round
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub rows: u64,
    /// Time series that the rows belong to
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=999_999))]
    pub series: u64,
    /// How often all rows are sent; figures are the median of the rounds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub rounds: u64,
    /// Rows of one pipeline in mode prepared
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub rows_per_sync: u64,
    /// When the gateway acknowledges rows; the time until the sink has them is told as well
    #[arg(long, value_enum)]
    pub ack: Option<Ack>,
    /// Where the gateway that is started keeps its journal, to choose the disk; it is removed
    /// afterwards
    #[arg(long, conflicts_with = "target")]
    pub journal: Option<PathBuf>,
    /// Drive this gateway (or PostgreSQL) instead of starting one:
    /// postgres://user:password@host:port/database
    #[arg(long)]
    pub target: Option<String>,
    /// The sink behind --target, to compare what arrived: the emulator's address, such as
    /// http://127.0.0.1:8010
    #[arg(long, requires = "target")]
    pub sink_url: Option<String>,
    /// Process id of the gateway behind --target, to measure its CPU and memory
    #[arg(long, requires = "target")]
    pub gateway_pid: Option<u32>,
    /// Process id of the sink behind --target, to measure its CPU
    #[arg(long, requires = "target")]
    pub sink_pid: Option<u32>,
    /// The gateway that is started does not keep CDF's rates: measure it, and not CDF's limits
    #[arg(long, conflicts_with = "target")]
    pub unpaced: bool,
    /// Do not make the time series first: they exist, or the target is PostgreSQL
    #[arg(long)]
    pub no_series: bool,
    /// Write the rows of one round to this file, as \copy and psql read them, and send nothing
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// Measure something else: for so many seconds one more connection inserts row after row
    /// alone, and then beside all others, which repeat their rows
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub beside_s: Option<u64>,
    /// With --beside-s: the sink answers so much later, as a CDF far away does
    #[arg(long, default_value_t = 0, requires = "beside_s")]
    pub answer_delay_ms: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Sends, measures, prints, and tells by the exit code whether every row arrived.
pub fn run(arguments: &BenchArguments) -> ExitCode {
    let dataset = Dataset {
        table: arguments.table,
        rows: arguments.rows,
        series: arguments.series,
    };
    if let Some(path) = &arguments.file {
        return match load::write_file(&dataset, arguments.mode, path) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    if let Some(seconds) = arguments.beside_s {
        return match beside::measure(arguments, &dataset, Duration::from_secs(seconds)) {
            Ok(report) if arguments.json => {
                println!("{}", report.to_json());
                ExitCode::SUCCESS
            }
            Ok(report) => {
                print!("{}", report.to_table());
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        };
    }
    let report = match run::measure(arguments, &dataset) {
        Ok(report) => report,
        Err(error) => return fail(&error),
    };
    if arguments.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", report.to_table());
    }
    match report.is_complete() {
        Some(false) => ExitCode::FAILURE,
        Some(true) | None => ExitCode::SUCCESS,
    }
}

fn fail(error: &BenchError) -> ExitCode {
    eprintln!("penstock bench: {error}");
    ExitCode::FAILURE
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file or a connection.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// The far end answered something else than it should.
    #[error("{0}")]
    Answer(String),
    /// What was asked for cannot be done.
    #[error("{0}")]
    Arguments(String),
}

impl BenchError {
    /// Wraps an error of the system with what was tried.
    pub(crate) fn io(tried: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let tried = tried.into();
        move |error| BenchError::Io(tried, error)
    }
}
