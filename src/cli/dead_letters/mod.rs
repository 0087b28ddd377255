//! `penstock dead-letters`: what operators do with refused rows.
//!
//! Owns the commands and their options. Promises that what a gateway must do (edit, import,
//! replay) goes by its HTTP API, and that the others work on the directory of a stopped gateway,
//! too. Never prints the token.

mod local;
mod remote;
mod table;

use crate::dead_letters::{ExportFormat, LetterFilter, LetterSource, LetterState};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::path::PathBuf;
use std::process::ExitCode;

/// Options of `penstock dead-letters`.
#[derive(Args)]
pub struct DeadLettersArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show letters, a line each
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        filter: FilterArguments,
        /// Letters to show, at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Begin behind this id
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
    /// Show everything that is known of one letter
    Show {
        #[command(flatten)]
        place: Place,
        id: i64,
    },
    /// Write letters to standard output, to keep or to edit them
    Export {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        filter: FilterArguments,
        /// jsonl, or csv for the letters of one --table
        #[arg(long, value_enum, default_value = "jsonl")]
        format: Layout,
    },
    /// Give a letter other values
    Edit {
        #[command(flatten)]
        gateway: GatewayArguments,
        id: i64,
        /// The new values: COLUMN=TEXT, or COLUMN for NULL; other columns stay as they are
        #[arg(required = true)]
        values: Vec<String>,
    },
    /// Read an edited export back: letters whose values differ get the new ones
    Import {
        #[command(flatten)]
        gateway: GatewayArguments,
        file: PathBuf,
        /// jsonl or csv, as it was exported
        #[arg(long, value_enum, default_value = "jsonl")]
        format: Layout,
    },
    /// Write the rows of letters again, and wait until CDF has accepted them
    Replay {
        #[command(flatten)]
        gateway: GatewayArguments,
        #[command(flatten)]
        filter: FilterArguments,
        /// Replay every letter, when no filter is given
        #[arg(long)]
        all: bool,
        /// Also where the key was written since, which the replay undoes
        #[arg(long)]
        force: bool,
    },
    /// Delete letters
    Purge {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        filter: FilterArguments,
        /// Delete every letter, when no filter is given
        #[arg(long)]
        all: bool,
    },
}

/// The gateway that keeps the letters.
#[derive(Args, Clone)]
struct GatewayArguments {
    /// Address of the gateway's HTTP server
    #[arg(long, default_value = "127.0.0.1:9187")]
    http: String,
    /// The bearer token of the gateway's [admin] section
    #[arg(long, env = "PENSTOCK_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// File that holds the token
    #[arg(long, conflicts_with = "token")]
    token_file: Option<PathBuf>,
}

/// A gateway, or the directory of one.
#[derive(Args, Clone)]
struct Place {
    #[command(flatten)]
    gateway: GatewayArguments,
    /// Read the directory of the store instead of asking a gateway
    #[arg(long)]
    directory: Option<PathBuf>,
}

/// Which letters are meant; all conditions must hold.
#[derive(Args, Clone)]
struct FilterArguments {
    /// Ids, separated by commas
    #[arg(long, value_delimiter = ',')]
    id: Vec<i64>,
    #[arg(long)]
    table: Option<String>,
    /// The gateway user who wrote the row
    #[arg(long)]
    user: Option<String>,
    #[arg(long)]
    sqlstate: Option<String>,
    /// journaled, copy_ignored or unknown_outcome
    #[arg(long, value_parser = source)]
    source: Option<LetterSource>,
    /// open, edited or replayed
    #[arg(long, value_parser = state)]
    state: Option<LetterState>,
    /// Refused at this time or later: 2026-01-31 or 2026-01-31T12:00:00Z
    #[arg(long, value_parser = time)]
    since: Option<Timestamp>,
    /// Refused before this time
    #[arg(long, value_parser = time)]
    until: Option<Timestamp>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Layout {
    Jsonl,
    Csv,
}

impl From<Layout> for ExportFormat {
    fn from(layout: Layout) -> Self {
        match layout {
            Layout::Jsonl => ExportFormat::Jsonl,
            Layout::Csv => ExportFormat::Csv,
        }
    }
}

impl From<FilterArguments> for LetterFilter {
    fn from(arguments: FilterArguments) -> Self {
        LetterFilter {
            ids: arguments.id,
            table: arguments.table,
            user: arguments.user,
            sqlstate: arguments.sqlstate,
            source: arguments.source,
            state: arguments.state,
            since: arguments.since,
            until: arguments.until,
        }
    }
}

fn source(name: &str) -> Result<LetterSource, String> {
    LetterSource::of(name)
        .ok_or_else(|| "use journaled, copy_ignored or unknown_outcome".to_owned())
}

fn state(name: &str) -> Result<LetterState, String> {
    LetterState::of(name).ok_or_else(|| "use open, edited or replayed".to_owned())
}

fn time(text: &str) -> Result<Timestamp, String> {
    let of_date = || {
        let date = text.parse::<Date>().ok()?;
        Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    text.parse::<Timestamp>()
        .ok()
        .or_else(of_date)
        .ok_or_else(|| "write 2026-01-31 or 2026-01-31T12:00:00Z".to_owned())
}

/// A command that did not do what it was asked; the text says why.
type Done = Result<ExitCode, String>;

/// Does what the command says; 1 when it could not, 2 when a replay left letters behind.
pub fn run(arguments: DeadLettersArguments) -> ExitCode {
    match dispatch(arguments.command) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Done {
    match command {
        Command::List {
            place,
            filter,
            limit,
            after,
        } => match place.directory {
            Some(directory) => local::list(&directory, &filter.into(), after, limit),
            None => remote::list(&place.gateway, &filter.into(), after, limit),
        },
        Command::Show { place, id } => match place.directory {
            Some(directory) => local::show(&directory, id),
            None => remote::show(&place.gateway, id),
        },
        Command::Export {
            place,
            filter,
            format,
        } => match place.directory {
            Some(directory) => local::export(&directory, &filter.into(), format.into()),
            None => remote::export(&place.gateway, &filter.into(), format.into()),
        },
        Command::Edit {
            gateway,
            id,
            values,
        } => remote::edit(&gateway, id, &values),
        Command::Import {
            gateway,
            file,
            format,
        } => remote::import(&gateway, &file, format.into()),
        Command::Replay {
            gateway,
            filter,
            all,
            force,
        } => {
            let filter = named(filter.into(), all)?;
            remote::replay(&gateway, &filter, force)
        }
        Command::Purge { place, filter, all } => {
            let filter = named(filter.into(), all)?;
            match place.directory {
                Some(directory) => local::purge(&directory, &filter),
                None => remote::purge(&place.gateway, &filter),
            }
        }
    }
}

/// A filter that means every letter must be meant so.
fn named(filter: LetterFilter, all: bool) -> Result<LetterFilter, String> {
    if filter.is_empty() && !all {
        return Err(
            "Name the letters by a filter such as --id or --table, or say --all.".to_owned(),
        );
    }
    Ok(filter)
}
