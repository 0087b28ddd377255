//! `penstock user`: the users of a gateway's state store.
//!
//! Owns the commands. Promises that a password is printed once and kept nowhere, that secrets come
//! from the environment, a file or standard input and never from the command line, and that a
//! gateway that runs sees a change within a second. Works on the store of a configuration, or on the
//! accounts API of a gateway.

mod local;
mod remote;

use crate::cdf::Secret;
use clap::{Args, Subcommand, ValueEnum};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Options of `penstock user`.
#[derive(Args)]
pub struct UserArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a user and print its password, once: with client credentials in a state store, or with
    /// the nonce of a session by the API
    Create(CreateArguments),
    /// Show the users, a line each
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Take a user away, with its tables; its connections end
    Delete {
        #[command(flatten)]
        place: Place,
        name: String,
    },
    /// Give a user of a state store another password, and print it once
    RotatePassword {
        /// The configuration file of the gateway
        #[arg(long)]
        config: PathBuf,
        name: String,
    },
    /// Give a user of a state store the new secret of its application
    RotateSecret {
        /// The configuration file of the gateway
        #[arg(long)]
        config: PathBuf,
        name: String,
        #[command(flatten)]
        secret: SecretArguments,
    },
}

/// Where users are: in a store, or behind an API.
#[derive(Args, Clone)]
struct Place {
    /// The configuration file of the gateway, whose state store is used
    #[arg(long, conflicts_with = "api", required_unless_present = "api")]
    config: Option<PathBuf>,
    /// The address of a gateway's accounts API
    #[arg(long, requires = "project")]
    api: Option<String>,
    /// The CDF project
    #[arg(long)]
    project: Option<String>,
    /// File that holds a bearer token for the API
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// The bearer token itself
    #[arg(long, env = "PENSTOCK_TOKEN", hide_env_values = true, hide = true)]
    token: Option<String>,
}

/// Where the secret of the application comes from; without any, standard input.
#[derive(Args, Clone)]
struct SecretArguments {
    /// Name of an environment variable that holds the client secret
    #[arg(long, conflicts_with = "client_secret_file")]
    client_secret_env: Option<String>,
    /// File that holds the client secret
    #[arg(long)]
    client_secret_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DialectOption {
    #[value(name = "1.0")]
    First,
    #[value(name = "2.0")]
    Second,
}

#[derive(Args, Clone)]
struct CreateArguments {
    #[command(flatten)]
    place: Place,
    /// The user's name; one is made up where none is given. Not with --api
    #[arg(long, conflicts_with = "api")]
    name: Option<String>,
    /// Scheme and host of CDF; accounts.cdf_base_url where it is not given
    #[arg(long, conflicts_with = "api")]
    base_url: Option<String>,
    /// The identity provider's token address
    #[arg(long, conflicts_with = "api")]
    token_url: Option<String>,
    /// The application's client id
    #[arg(long, conflicts_with = "api")]
    client_id: Option<String>,
    #[command(flatten)]
    secret: SecretArguments,
    /// The scope; that of CDF at --base-url where it is not given
    #[arg(long, conflicts_with = "api")]
    scope: Option<String>,
    /// Whose names of tables and columns the user writes
    #[arg(long, value_enum, default_value = "2.0", conflicts_with = "api")]
    dialect: DialectOption,
    /// Name of an environment variable that holds the nonce of a session. With --api
    #[arg(long, requires = "api")]
    nonce_env: Option<String>,
}

/// What a command printed, or one sentence of why it did nothing.
type Done = Result<String, String>;

/// Runs the command and tells by the exit code.
pub fn run(arguments: &UserArguments) -> ExitCode {
    let done = match &arguments.command {
        Command::Create(create) => match &create.place.config {
            Some(config) => local::create(config, create),
            None => remote::create(&create.place, create),
        },
        Command::List { place } => match &place.config {
            Some(config) => local::list(config, place.project.as_deref()),
            None => remote::list(place),
        },
        Command::Delete { place, name } => match &place.config {
            Some(config) => local::delete(config, name),
            None => remote::delete(place, name),
        },
        Command::RotatePassword { config, name } => local::rotate_password(config, name),
        Command::RotateSecret {
            config,
            name,
            secret,
        } => local::rotate_secret(config, name, secret),
    };
    match done {
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

impl SecretArguments {
    fn read(&self) -> Result<Secret, String> {
        let text = match (&self.client_secret_env, &self.client_secret_file) {
            (Some(variable), _) => from_environment(variable)?,
            (None, Some(file)) => from_file(file)?,
            (None, None) => {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .map_err(|error| format!("standard input cannot be read: {error}"))?;
                text
            }
        };
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            return Err("the client secret is empty".to_owned());
        }
        Ok(Secret::new(secret))
    }
}

fn from_environment(variable: &str) -> Result<String, String> {
    std::env::var(variable)
        .map_err(|_| format!("the environment variable {variable} is not set, or not UTF-8"))
}

fn from_file(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))
}
