//! A campaign: producers write, faults come and go, then calm, then judgement.
//!
//! Owns the order of events. Promises that a fault is followed by the next only after writes
//! went through again, so that each meets a gateway that works. Never stops at the first
//! finding: the report is whole.

use crate::confession;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::found;
use crate::keys::{SharedGroups, point_series};
use crate::ledger::{Ledger, Totals};
use crate::options::Options;
use crate::plant::Plant;
use crate::producer::Producer;
use crate::verdict::Verdict;
use anyhow::Context;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long after a fault a write must go through again: replay, guard and back-off included.
const RECOVERY: Duration = Duration::from_secs(60);

/// Rows that must be acknowledged after a fault before the next one.
const ROWS_BETWEEN: u64 = 200;

/// How often states are looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// What a campaign came to.
pub struct Report {
    pub faults: BTreeMap<&'static str, u32>,
    pub skipped: BTreeMap<&'static str, &'static str>,
    pub totals: Totals,
    /// From the end of the faults until everything owed was found.
    pub settled_in: Option<Duration>,
    /// Faults after which no write went through in time.
    pub stalls: Vec<&'static str>,
    /// How often the gateway ended by itself.
    pub own_ends: u32,
    pub fresh_row_flows: bool,
    pub verdict: Verdict,
    pub corrupt_rows: u64,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.verdict.is_good() && self.stalls.is_empty() && self.fresh_row_flows
    }
}

/// Runs a campaign in `directory`.
pub async fn run(options: &Options, seed: u64, directory: &Path) -> anyhow::Result<Report> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut disk = Disk::new(&directory.join("disk"))?;
    let mut plant = Plant::start(options, directory)?;
    found::make_series(&plant, &point_series(options.producers)).await?;
    let (faults, skipped) = faults(options, &plant, &disk)?;
    let ledger = Ledger::default();
    let (end, ended) = watch::channel(false);
    let shared = SharedGroups::default();
    let mut producers = JoinSet::new();
    for number in 0..options.producers {
        let producer = Producer {
            number,
            seed,
            postgres: plant.postgres(),
            ledger: ledger.clone(),
            shared: shared.clone(),
            ended: ended.clone(),
        };
        producers.spawn(producer.run());
    }
    let mut report = Report {
        faults: BTreeMap::new(),
        skipped,
        totals: Totals::default(),
        settled_in: None,
        stalls: Vec::new(),
        own_ends: 0,
        fresh_row_flows: false,
        verdict: Verdict::default(),
        corrupt_rows: 0,
    };
    let until = Instant::now() + Duration::from_secs_f64(options.minutes * 60.0);
    let mut drawn = 0;
    let mut waiting = Vec::new();
    while Instant::now() < until && options.faults.is_none_or(|most| drawn < most) {
        if waiting.is_empty() {
            // Each kind comes once before any comes again, in an order of the seed's own.
            waiting = shuffled(&faults, &mut random);
        }
        let Some(fault) = waiting.pop() else { break };
        drawn += 1;
        *report.faults.entry(fault.name()).or_default() += 1;
        strike(fault, &mut plant, &mut disk, &mut random).await?;
        if !recovers(&mut plant, &ledger, &mut report.own_ends).await? {
            report.stalls.push(fault.name());
            tracing::error!(fault = fault.name(), "no write went through after it");
        }
    }
    end.send_replace(true);
    // A producer that panics has found a wrong success.
    while let Some(ended) = producers.join_next().await {
        ended.context("a producer failed")?;
    }
    calm(&mut plant, &ledger, options, &mut report).await?;
    Ok(report)
}

/// The kinds to draw from, and those that this machine cannot have.
type Kinds = (Vec<Fault>, BTreeMap<&'static str, &'static str>);

fn faults(options: &Options, plant: &Plant, disk: &Disk) -> anyhow::Result<Kinds> {
    for name in &options.only {
        anyhow::ensure!(
            Fault::ALL.iter().any(|fault| fault.name() == name),
            "no fault is called {name}"
        );
    }
    let mut skipped = BTreeMap::new();
    let mut faults = Vec::new();
    for fault in Fault::ALL {
        if !options.only.is_empty() && !options.only.iter().any(|name| name == fault.name()) {
            continue;
        }
        match fault.obstacle(plant, disk) {
            Some(obstacle) => {
                skipped.insert(fault.name(), obstacle);
            }
            None => faults.push(fault),
        }
    }
    Ok((faults, skipped))
}

fn shuffled(faults: &[Fault], random: &mut StdRng) -> Vec<Fault> {
    faults
        .choose_multiple(random, faults.len())
        .copied()
        .collect()
}

/// One fault, from its begin to its end.
async fn strike(
    fault: Fault,
    plant: &mut Plant,
    disk: &mut Disk,
    random: &mut StdRng,
) -> anyhow::Result<()> {
    let lasts = Duration::from_millis(random.random_range(200..3_000));
    tracing::info!(fault = fault.name(), ?lasts, "begins");
    fault.begin(plant, disk, random).await?;
    tokio::time::sleep(lasts).await;
    fault.end(plant, disk).await
}

/// Whether writes are acknowledged again in time. A gateway that has ended is started again,
/// as a service manager would.
async fn recovers(plant: &mut Plant, ledger: &Ledger, own_ends: &mut u32) -> anyhow::Result<bool> {
    let until = Instant::now() + RECOVERY;
    let wanted = ledger.totals().acknowledged + ROWS_BETWEEN;
    while ledger.totals().acknowledged < wanted {
        if Instant::now() > until {
            return Ok(false);
        }
        *own_ends += u32::from(plant.revive_gateway()?);
        tokio::time::sleep(GLANCE).await;
    }
    Ok(true)
}

/// Waits until everything owed is there, or the time is over, and judges.
async fn calm(
    plant: &mut Plant,
    ledger: &Ledger,
    options: &Options,
    report: &mut Report,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let until = begun + Duration::from_secs(options.calm_s);
    report.totals = ledger.totals();
    loop {
        report.own_ends += u32::from(plant.revive_gateway()?);
        let confessed = confession::read(plant)?;
        let found = found::read(plant).await?;
        report.corrupt_rows = confessed.corrupt_rows;
        report.verdict = Verdict::of(&ledger.snapshot(), &found, &confessed);
        if report.verdict.is_good() {
            report.settled_in = Some(begun.elapsed());
            break;
        }
        if Instant::now() > until {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    report.fresh_row_flows = fresh_row(plant, ledger).await;
    Ok(())
}

/// Whether a row that is written now arrives.
async fn fresh_row(plant: &Plant, ledger: &Ledger) -> bool {
    let (end, ended) = watch::channel(false);
    let before = ledger.totals().acknowledged;
    let producer = Producer {
        number: 0,
        seed: before,
        postgres: plant.postgres(),
        ledger: ledger.clone(),
        shared: SharedGroups::default(),
        ended,
    };
    let producer = tokio::spawn(producer.run());
    let until = Instant::now() + RECOVERY;
    while ledger.totals().acknowledged == before && Instant::now() < until {
        tokio::time::sleep(GLANCE).await;
    }
    end.send_replace(true);
    producer.await.is_ok() && ledger.totals().acknowledged > before
}
