//! `penstock emulator`: a local CDF in a process of its own.
use clap::Args;
use std::process::ExitCode;

/// Options of `penstock emulator`.
#[derive(Args)]
pub struct EmulatorArguments {
    /// Address to listen on, host:port; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:8010")]
    pub listen: String,
}

/// Runs until SIGTERM or Ctrl-C.
pub fn run(_arguments: EmulatorArguments) -> ExitCode {
    ExitCode::SUCCESS
}
