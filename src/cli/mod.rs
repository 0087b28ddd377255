//! The command line: one file a command, this one only picks.
use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod bench;
mod check;
mod dead_letters;
mod dev;
mod emulator;
#[cfg(feature = "embedded-postgres")]
mod engine;
mod journal;
mod quickstart;
mod serve;
mod signals;
mod standby;
mod state;
mod table;
mod tables;
mod user;

#[derive(Parser)]
#[command(name = "penstock", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Load a gateway and prove that every row arrived
    Bench(bench::BenchArguments),
    /// Tell whether a configuration file can be used
    Check(check::CheckArguments),
    /// See, mend and replay rows that CDF refused for good
    DeadLetters(dead_letters::DeadLettersArguments),
    /// See what is in a journal, check it, mend it
    Journal(journal::JournalArguments),
    /// Make, show and delete users that are kept in a state store
    User(user::UserArguments),
    /// Look after the state store itself
    State(state::StateArguments),
    /// Make, show and delete custom tables of users
    Table(table::TableArguments),
    /// Serve clients as a configuration file says
    Serve(serve::ServeArguments),
    /// Print the documentation of every table
    Tables(tables::TablesArguments),
    /// Run a gateway and a local CDF together, for trying and for tests
    Dev(dev::DevArguments),
    /// See a million rows arrive: gateway, local CDF, a client, and everything read back
    Quickstart(quickstart::QuickstartArguments),
    /// Run a local CDF that checks what CDF checks
    Emulator(emulator::EmulatorArguments),
    /// Be the PostgreSQL of a gateway, which starts this by itself
    #[cfg(feature = "embedded-postgres")]
    #[command(hide = true)]
    Engine(engine::EngineArguments),
}

/// Reads the command line, runs the command and returns its exit code.
pub fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::DeadLetters(arguments) => dead_letters::run(arguments),
        Command::Journal(arguments) => journal::run(&arguments),
        Command::User(arguments) => user::run(&arguments),
        Command::State(arguments) => state::run(&arguments),
        Command::Table(arguments) => table::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Tables(arguments) => tables::run(&arguments),
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Quickstart(arguments) => quickstart::run(&arguments),
        Command::Emulator(arguments) => emulator::run(arguments),
        #[cfg(feature = "embedded-postgres")]
        Command::Engine(arguments) => engine::run(&arguments),
    }
}
