//! `penstock emulator`: a local CDF in a process of its own.
//!
//! Owns the command's options and its life: it prints one ready line on standard output
//! and runs until SIGTERM or Ctrl-C. What it serves is the library's part.

use super::signals::Signals;
use crate::emulator::{Budgets, ClientCredentials, EmulatorOptions, start};
use clap::Args;
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;

/// Options of `penstock emulator`.
#[derive(Args)]
pub struct EmulatorArguments {
    /// Address to listen on, host:port; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:8010")]
    pub listen: String,
    /// Serve only this project; without it every project name is served
    #[arg(long)]
    pub project: Option<String>,
    /// Check, count and sum writes without storing them
    #[arg(long)]
    pub sink: bool,
    /// Accept only bearer tokens that the token endpoint issued
    #[arg(long)]
    pub require_token: bool,
    /// The only client id that the token endpoint accepts; without it any pair is accepted
    #[arg(long, requires = "client_secret")]
    pub client_id: Option<String>,
    /// The secret of that client
    #[arg(
        long,
        env = "PENSTOCK_EMULATOR_CLIENT_SECRET",
        requires = "client_id",
        hide_env_values = true
    )]
    pub client_secret: Option<String>,
    /// Let groups and their capabilities decide who may do what
    #[arg(long, requires = "admin_client_id")]
    pub enforce_access: bool,
    /// The application that administers every project
    #[arg(long, requires = "admin_client_secret")]
    pub admin_client_id: Option<String>,
    /// The secret of that application
    #[arg(
        long,
        env = "PENSTOCK_EMULATOR_ADMIN_CLIENT_SECRET",
        requires = "admin_client_id",
        hide_env_values = true
    )]
    pub admin_client_secret: Option<String>,
    /// Where clients reach it, as token issuers name it; by default where it listens
    #[arg(long)]
    pub public_url: Option<String>,
    /// An audience that tokens for CDF may name, besides its own address; repeatable
    #[arg(long = "audience")]
    pub audiences: Vec<String>,
    /// Lifetime of the tokens that it issues, in seconds
    #[arg(long, default_value_t = 3_600)]
    pub token_lifetime_s: u64,
    /// Worker threads
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    /// Budgets to enforce: a TOML file, or "published" for the figures that CDF publishes
    #[arg(long)]
    pub budgets: Option<String>,
}

/// Runs until SIGTERM or Ctrl-C.
pub fn run(arguments: EmulatorArguments) -> ExitCode {
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("penstock emulator: {message}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: EmulatorArguments) -> Result<(), String> {
    // The signals are taken over before the ready line: a caller may stop us right after it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start a runtime: {error}"))?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::listen().map_err(|error| format!("cannot take over signals: {error}"))?
    };
    let token_lifetime_s = arguments.token_lifetime_s;
    let emulator = start(options(arguments)?).map_err(|error| error.to_string())?;
    emulator.set_token_lifetime_s(token_lifetime_s);
    let ready = format!(
        "penstock emulator ready cdf={} token_url={}\n",
        emulator.base_url(),
        emulator.token_url()
    );
    let mut output = std::io::stdout();
    output
        .write_all(ready.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| format!("cannot write the ready line: {error}"))?;
    runtime.block_on(signals.next());
    emulator.stop();
    Ok(())
}

fn options(arguments: EmulatorArguments) -> Result<EmulatorOptions, String> {
    let clients = pair(arguments.client_id, arguments.client_secret);
    let admin = pair(arguments.admin_client_id, arguments.admin_client_secret);
    let budgets = match arguments.budgets.as_deref() {
        None => Budgets::default(),
        Some("published") => Budgets::published(),
        Some(file) => read_budgets(file)?,
    };
    Ok(EmulatorOptions {
        listen: address(&arguments.listen)?,
        project: arguments.project,
        sink: arguments.sink,
        accept_any_token: !arguments.require_token,
        clients: clients.into_iter().collect(),
        threads: arguments.threads,
        budgets,
        public_url: arguments.public_url,
        audiences: arguments.audiences,
        enforce_access: arguments.enforce_access,
        admin,
        ..EmulatorOptions::default()
    })
}

/// clap sees to it that either both or none are given.
fn pair(client_id: Option<String>, client_secret: Option<String>) -> Option<ClientCredentials> {
    client_id
        .zip(client_secret)
        .map(|(client_id, client_secret)| ClientCredentials {
            client_id,
            client_secret,
        })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| format!("--listen {text}: not an address of the form host:port"))
}

fn read_budgets(file: &str) -> Result<Budgets, String> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("--budgets {file}: {error}"))?;
    toml::from_str(&text).map_err(|error| format!("--budgets {file}: {error}"))
}
