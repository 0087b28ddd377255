//! `penstock serve`: the gateway by its configuration file.
//!
//! Owns the process around the gateway: configuration, logs, signals, the wait for the lease, exit
//! code. Promises one ready line on standard output, once clients are served. Never changes a
//! setting by itself.

use super::signals::{Ending, Signals};
use super::standby::Standby;
use crate::config::Configuration;
use crate::gateway::Gateway;
use crate::state::{StateError, Tenure};
use crate::telemetry;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Exit code of a process that ended itself because it could not keep the lease (EX_TEMPFAIL).
const EXIT_LEASE_LOST: i32 = 75;

/// How long clients may take to hear of it: nothing more is sent to CDF meanwhile, since the term for
/// writing is over, and the margin of the lease is longer.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(500);

/// Options of `penstock serve`.
#[derive(Args)]
pub struct ServeArguments {
    /// The configuration file; `config/penstock.toml` names every option
    pub configuration: PathBuf,
}

/// Serves until SIGTERM or Ctrl-C, then drains.
pub fn run(arguments: &ServeArguments) -> ExitCode {
    let configuration = match Configuration::load(&arguments.configuration) {
        Ok(configuration) => configuration,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = telemetry::logs::install(&configuration.logs) {
        eprintln!("logs.filter cannot be read: {error}");
        return ExitCode::FAILURE;
    }
    for warning in configuration.warnings() {
        tracing::warn!("{warning}");
    }
    actix_rt::System::new().block_on(serve(&configuration))
}

async fn serve(configuration: &Configuration) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("signals cannot be received: {error}");
            return ExitCode::FAILURE;
        }
    };
    let begun = tokio::select! {
        begun = begin(configuration) => begun,
        () = signals.next() => return Ending::Drained.exit_code(),
    };
    let started = begun.map_err(|error| error.to_string()).and_then(|tenure| {
        // Reading a journal may take its time, and what is in it is sent at once.
        if let Some(tenure) = &tenure {
            tenure.when_lost(|| {
                tracing::error!(
                    "the lease is lost: the process ends itself with exit code {EXIT_LEASE_LOST}"
                );
                std::process::exit(EXIT_LEASE_LOST);
            });
        }
        let term = tenure.as_ref().map(Tenure::term);
        Gateway::start_for(configuration, term)
            .map(|gateway| (gateway, tenure))
            .map_err(|error| error.to_string())
    });
    let (gateway, tenure) = match started {
        Ok(started) => started,
        Err(error) => {
            eprintln!("penstock cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(tenure) = &tenure {
        let stop = gateway.stopper();
        tenure.when_lost(move || {
            tracing::error!(
                "the lease is lost: connections are ended, and the process ends itself with exit \
                 code {EXIT_LEASE_LOST} before another gateway can take over"
            );
            stop.stop_within(LAST_WORDS_WITHIN);
            std::process::exit(EXIT_LEASE_LOST);
        });
    }
    let accounts = gateway
        .accounts_address()
        .map(|address| format!(" accounts={address}"));
    println!(
        "penstock serve ready postgres={} http={}{}",
        gateway.postgres_address(),
        gateway.http_address(),
        accounts.unwrap_or_default()
    );
    let mut is_settled = false;
    let ending = signals
        .ended(async { is_settled = gateway.drain().await })
        .await;
    match tenure {
        // Rows may be on their way to CDF: nobody takes over at once.
        Some(tenure) if !is_settled => tenure.abandon(),
        tenure => drop(tenure),
    }
    ending.exit_code()
}

/// Waits until this process may serve. Meanwhile health and metrics are there, and readiness says
/// that somebody else serves.
async fn begin(configuration: &Configuration) -> Result<Option<Tenure>, StateError> {
    let Some(location) = configuration.state.location.clone() else {
        return Ok(None);
    };
    // Before the first handle: one that was made earlier counts into nothing.
    telemetry::install();
    let lease = Duration::from_secs(configuration.state.lease_s);
    let standby = Arc::new(Standby::new(configuration.listen.http));
    let waiting = standby.clone();
    let begun = Tenure::begin(location, lease, move |holder| waiting.show(holder)).await;
    standby.end();
    begun.map(Some)
}
