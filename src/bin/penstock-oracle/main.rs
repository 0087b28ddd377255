//! Writes through a gateway while everything goes wrong, then looks for every row.
//!
//! Producers take versions from a [`ledger`]; what the gateway acknowledges becomes a debt.
//! A [`campaign`] lets [`fault`]s come and go, drawn from a printed seed. Then calm, and five
//! properties are judged ([`verdict`]): every acknowledged row is in CDF, in dead letters or
//! counted by a corruption report; nothing is in CDF that was not sent; values are what was
//! sent; the last write of each key wins; a fresh row still flows. CDF, gateway and ledger are
//! processes of their own.

mod campaign;
mod confession;
mod disk;
mod fault;
mod found;
mod journal_files;
mod keys;
mod ledger;
mod options;
mod payload;
mod plant;
mod process;
mod producer;
mod statement;
mod verdict;

use clap::Parser;
use options::Options;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("PENSTOCK_ORACLE_LOG")
                .unwrap_or_else(|_| "info".into()),
        )
        .init();
    // Installed once for every client of this process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seed = options.seed.unwrap_or_else(rand::random);
    println!("seed {seed}");
    let directory = match &options.directory {
        Some(given) => given.clone(),
        None => std::env::temp_dir().join(format!("penstock-oracle-{seed}-{}", std::process::id())),
    };
    std::fs::create_dir_all(&directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(campaign::run(&options, seed, &directory))?;
    for (fault, times) in &report.faults {
        println!("fault {fault}: {times}");
    }
    for (fault, why) in &report.skipped {
        println!("skipped {fault}: {why}");
    }
    println!(
        "rows sent {}, acknowledged {}; in dead letters {}, corrupt {}, excused by corruption {}",
        report.totals.sent,
        report.totals.acknowledged,
        report.verdict.in_letters,
        report.corrupt_rows,
        report.verdict.excused_by_corruption
    );
    println!("the gateway ended by itself {} times", report.own_ends);
    if let Some(settled_in) = report.settled_in {
        println!(
            "everything was found {:.1} s after the faults",
            settled_in.as_secs_f64()
        );
    }
    for stall in &report.stalls {
        println!("stall: no write went through after {stall}");
    }
    if !report.fresh_row_flows {
        println!("stall: a fresh row does not flow");
    }
    for line in report.verdict.lines() {
        println!("{line}");
    }
    if report.is_good() {
        println!("verdict: good");
        if options.directory.is_none() {
            std::fs::remove_dir_all(&directory)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "verdict: BAD; seed {seed}, files in {}",
        directory.display()
    );
    Ok(ExitCode::FAILURE)
}
