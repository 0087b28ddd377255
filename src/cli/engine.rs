//! `penstock engine`: the child process that a gateway starts for an embedded PostgreSQL.
//!
//! Owns nothing but the call. Never is of use to a person.

use crate::engine;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub struct EngineArguments {
    /// Where its files go
    #[arg(long)]
    directory: PathBuf,
    /// Where it listens
    #[arg(long)]
    socket: PathBuf,
}

pub fn run(arguments: &EngineArguments) -> ExitCode {
    match engine::serve(&arguments.directory, &arguments.socket) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
