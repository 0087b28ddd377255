//! `penstock journal`: what is in a journal, whether it is sound, and mending it.
//!
//! Owns the reports. Promises that inspect and verify change nothing and may run beside a
//! gateway, that repair keeps every byte that it takes out, and that the exit code of verify
//! tells whether there is damage. Never delivers a row.

use crate::journal::recovery::{Mending, Recovered, RecoveryError, recover, segments};
use crate::journal::segment::{Found, Scan, SegmentHeader};
use crate::journal::{DirectoryLock, PARKED, set_aside};
use clap::{Args, Subcommand};
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Options of `penstock journal`.
#[derive(Args)]
pub struct JournalArguments {
    #[command(subcommand)]
    command: JournalCommand,
}

#[derive(Subcommand)]
enum JournalCommand {
    /// Show what is in a journal and how much of it is not delivered
    Inspect {
        /// The directory of the journal
        directory: PathBuf,
    },
    /// Read every record and tell of damage; exit code 1 if there is any
    Verify {
        /// The directory of the journal
        directory: PathBuf,
    },
    /// Keep damaged bytes aside so that the gateway can start; no gateway may use the journal
    Repair {
        /// The directory of the journal
        directory: PathBuf,
    },
}

/// Runs the command and tells by the exit code.
pub fn run(arguments: &JournalArguments) -> ExitCode {
    let done = match &arguments.command {
        JournalCommand::Inspect { directory } => inspect(directory),
        JournalCommand::Verify { directory } => verify(directory),
        JournalCommand::Repair { directory } => repair(directory),
    };
    match done {
        Ok((report, code)) => {
            print!("{report}");
            code
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Recovery(#[from] RecoveryError),
    #[error("{directory} cannot be repaired: {cause}")]
    Unusable { directory: PathBuf, cause: String },
    #[error("the report cannot be written")]
    Report(#[from] fmt::Error),
}

/// The stores in the directory of a journal, with their titles.
fn stores(directory: &Path) -> Vec<(&'static str, PathBuf)> {
    let mut stores = vec![("Acknowledged rows", directory.to_owned())];
    let parked = directory.join(PARKED);
    if parked.is_dir() {
        stores.push(("Parked rows", parked));
    }
    stores
}

fn inspect(directory: &Path) -> Result<(String, ExitCode), Trouble> {
    let mut report = String::new();
    for (title, directory) in stores(directory) {
        let found = recover(&directory, Mending::LookOnly)?;
        writeln!(
            report,
            "{title}: {} segments, {} bytes, {} records; the next record is number {}.",
            found.segments.iter().count(),
            found.segments.bytes(),
            found.records,
            found.next_sequence
        )?;
        for (id, stream) in &found.streams {
            let open: u64 = found
                .settled(*id)
                .missing_in(0..stream.end)
                .iter()
                .map(|range| range.end - range.start)
                .sum();
            writeln!(
                report,
                "  {}: {} records with {} rows, {open} records not settled",
                stream.name,
                stream
                    .present
                    .ranges()
                    .map(|range| range.end - range.start)
                    .sum::<u64>(),
                stream.rows
            )?;
        }
        put_damages(&mut report, &found)?;
    }
    Ok((report, ExitCode::SUCCESS))
}

fn put_damages(report: &mut String, found: &Recovered) -> fmt::Result {
    for damage in &found.damages {
        write!(
            report,
            "  Damage: segment {}, offset {}, {} bytes, ",
            damage.segment,
            damage.bytes.start,
            damage.bytes.end - damage.bytes.start
        )?;
        match damage.rows {
            Some(rows) => writeln!(report, "{rows} rows")?,
            None => writeln!(report, "an unknown number of rows")?,
        }
    }
    if found.cut_bytes > 0 {
        writeln!(
            report,
            "  {} bytes at the end were not written to their end and never acknowledged.",
            found.cut_bytes
        )?;
    }
    Ok(())
}

fn verify(directory: &Path) -> Result<(String, ExitCode), Trouble> {
    let mut report = String::new();
    let mut is_sound = true;
    for (title, directory) in stores(directory) {
        let found = recover(&directory, Mending::LookOnly)?;
        let strange = records_not_understood(&directory)?;
        writeln!(
            report,
            "{title}: {} records are sound, {} places are damaged, {strange} records are not \
             understood by this version.",
            found.records - strange,
            found.damages.len()
        )?;
        put_damages(&mut report, &found)?;
        is_sound &= found.damages.is_empty() && strange == 0;
    }
    let code = if is_sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    Ok((report, code))
}

/// Sound records whose table or columns this version does not know.
fn records_not_understood(directory: &Path) -> Result<u64, RecoveryError> {
    let mut strange = 0;
    for (number, path) in segments(directory)? {
        let Ok(bytes) = std::fs::read(&path) else {
            // The gateway has deleted it meanwhile.
            continue;
        };
        let Ok((header, _)) = SegmentHeader::decode(&bytes, number) else {
            continue;
        };
        for found in Scan::new(&bytes, header.key) {
            if let Found::Record(header, place) = found {
                let contents = header.read(&bytes[place]);
                let batch = contents.and_then(|contents| contents.batch());
                strange += u64::from(batch.is_err());
            }
        }
    }
    Ok(strange)
}

fn repair(directory: &Path) -> Result<(String, ExitCode), Trouble> {
    let unusable = |cause: String| Trouble::Unusable {
        directory: directory.to_owned(),
        cause,
    };
    if !directory.is_dir() {
        return Err(unusable("it is no directory".to_owned()));
    }
    let _lock = DirectoryLock::take(directory).map_err(|error| unusable(error.to_string()))?;
    let mut report = String::new();
    for (title, directory) in stores(directory) {
        for name in set_aside(&directory).map_err(|error| unusable(error.to_string()))? {
            writeln!(
                report,
                "{title}: {name} has no sound header; it was moved to the damaged bytes."
            )?;
        }
        let found = recover(&directory, Mending::Repair)?;
        writeln!(
            report,
            "{title}: {} records are sound; {} damaged places are kept aside, {} bytes that were \
             never acknowledged were cut off.",
            found.records,
            found.damages.len(),
            found.cut_bytes
        )?;
        put_damages(&mut report, &found)?;
    }
    Ok((report, ExitCode::SUCCESS))
}
