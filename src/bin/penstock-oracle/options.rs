//! The command line.
//!
//! Owns the options and what is found on this machine. Promises that one seed draws the same
//! faults every time. Never starts anything.

use anyhow::Context;
use clap::Parser;
use std::path::{Path, PathBuf};

/// Debian's place of the library that steps a process's clock (package faketime).
const CLOCK_LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// Writes through a gateway while everything goes wrong, then looks for every row.
#[derive(Clone, Debug, Parser)]
#[command(name = "penstock-oracle", version)]
pub struct Options {
    /// How long faults go on; the calm that follows is not counted.
    #[arg(long, default_value_t = 2.0)]
    pub minutes: f64,
    /// Ends the faults after so many, whatever the time.
    #[arg(long)]
    pub faults: Option<usize>,
    /// Draws faults and writes; without it, one is drawn and printed.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Only these kinds of faults, by the names that are printed.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Clients that write at the same time.
    #[arg(long, default_value_t = 8)]
    pub producers: usize,
    /// Seconds until every row must be in CDF after the faults.
    #[arg(long, default_value_t = 120)]
    pub calm_s: u64,
    /// The programme under test; by default the one beside this one.
    #[arg(long)]
    pub penstock: Option<PathBuf>,
    /// Where logs, journal and configuration go; by default a new directory, removed after a
    /// run that found nothing.
    #[arg(long)]
    pub directory: Option<PathBuf>,
}

impl Options {
    /// The programme under test.
    pub fn binary(&self) -> anyhow::Result<PathBuf> {
        if let Some(given) = &self.penstock {
            return Ok(given.clone());
        }
        let own = std::env::current_exe()?;
        let binary = own
            .parent()
            .context("this programme lies in a directory")?
            .join("penstock");
        anyhow::ensure!(binary.is_file(), "no programme at {}", binary.display());
        Ok(binary)
    }

    /// The library that steps clocks, if this machine has it.
    pub fn clock_library(&self) -> Option<PathBuf> {
        let library = Path::new(CLOCK_LIBRARY);
        library.is_file().then(|| library.to_owned())
    }
}
