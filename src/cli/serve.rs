//! `penstock serve`: the gateway by its configuration file.
//!
//! Owns the process around the gateway: configuration, logs, signals, exit code. Promises one
//! ready line on standard output. Never changes a setting by itself.

use super::signals::Signals;
use crate::config::Configuration;
use crate::gateway::Gateway;
use crate::telemetry;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

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
    let gateway = match Gateway::start(configuration) {
        Ok(gateway) => gateway,
        Err(error) => {
            eprintln!("penstock cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("signals cannot be received: {error}");
            return ExitCode::FAILURE;
        }
    };
    let accounts = gateway
        .accounts_address()
        .map(|address| format!(" accounts={address}"));
    println!(
        "penstock serve ready postgres={} http={}{}",
        gateway.postgres_address(),
        gateway.http_address(),
        accounts.unwrap_or_default()
    );
    signals.ended(gateway.drain()).await.exit_code()
}
