//! The command line: one file a command, this one only picks.
use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod check;
mod emulator;

#[derive(Parser)]
#[command(name = "penstock", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell whether a configuration file can be used
    Check(check::CheckArguments),
    /// Run a local CDF that checks what CDF checks
    Emulator(emulator::EmulatorArguments),
}

/// Reads the command line, runs the command and returns its exit code.
pub fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Emulator(arguments) => emulator::run(arguments),
    }
}
