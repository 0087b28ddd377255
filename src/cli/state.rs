//! `penstock state`: the state store itself.
//!
//! Owns the commands. Promises that a rotation seals all secrets again or none. Never prints a
//! secret.

use crate::config::Configuration;
use crate::state::StateStore;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Options of `penstock state`.
#[derive(Args)]
pub struct StateArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Seal every secret with state.key; those sealed with state.previous_key still open
    RotateKey {
        /// The configuration file of the gateway, with both keys
        #[arg(long)]
        config: PathBuf,
    },
}

/// Runs the command and tells by the exit code.
pub fn run(arguments: &StateArguments) -> ExitCode {
    let Command::RotateKey { config } = &arguments.command;
    match rotate_key(config) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

fn rotate_key(config: &Path) -> Result<String, String> {
    let configuration = Configuration::load(config).map_err(|error| error.to_string())?;
    let settings = &configuration.state;
    let location = settings
        .location
        .clone()
        .ok_or("the configuration names no state store")?;
    let keys = settings
        .keys()
        .ok_or("the configuration names no key: set state.key_env or state.key_file")?;
    let name = keys.name().to_owned();
    let mut store = StateStore::open(&location, Some(keys)).map_err(|error| error.to_string())?;
    let count = store.seal_again().map_err(|error| error.to_string())?;
    Ok(format!(
        "{count} secrets are sealed with the key {name}; state.previous_key can go\n"
    ))
}
