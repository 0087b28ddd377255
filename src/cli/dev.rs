//! `penstock dev`: a local CDF and a gateway in one process, for trying and for tests.
//!
//! Owns the flags, the one user and the ready line. Promises that only HTTP passes between the
//! two, that the emulator has threads of its own, and that the gateway drains before the
//! emulator stops. Never reads a configuration file.

use super::signals::Signals;
use crate::cdf::{Credentials, Identity, Project, RequiredAccess, Secret};
use crate::config::{Configuration, EngineKind, LogSettings, Password, User, UserModes};
use crate::emulator::{self, EmulatorHandle, EmulatorOptions};
use crate::gateway::Gateway;
use crate::telemetry;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Options of `penstock dev`.
#[derive(Args, Clone)]
pub struct DevArguments {
    /// Where PostgreSQL clients connect; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:5432")]
    pub listen: SocketAddr,
    /// Where the local CDF listens
    #[arg(long, default_value = "127.0.0.1:8010")]
    pub cdf_listen: SocketAddr,
    /// Where health and metrics are served
    #[arg(long, default_value = "127.0.0.1:9187")]
    pub http_listen: SocketAddr,
    /// Name of the CDF project
    #[arg(long, default_value = "dev")]
    pub project: String,
    /// The gateway user; the database has the same name
    #[arg(long, default_value = "penstock")]
    pub user: String,
    /// The user's password
    #[arg(long, default_value = "penstock")]
    pub password: String,
    /// Let the local CDF check and count rows without keeping them
    #[arg(long)]
    pub sink: bool,
    /// Make time series that a datapoint names and that do not exist
    #[arg(long)]
    pub create_missing_time_series: bool,
    /// Directory for rows that CDF refuses for good; without it none are kept
    #[arg(long)]
    pub dead_letters: Option<PathBuf>,
    /// A PostgreSQL, 16 or later, that runs what is not the gateway's own, by its URL; without it an
    /// embedded one does
    #[arg(long, env = "PENSTOCK_ENGINE_URL", hide_env_values = true)]
    pub engine_url: Option<String>,
    /// Bearer token of the HTTP paths that show or change rows; without it they are closed
    #[arg(long, env = "PENSTOCK_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
}

/// Why the pair did not start.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    #[error("the local CDF cannot start: {0}")]
    Emulator(#[from] emulator::EmulatorError),
    #[error("the gateway cannot start: {0}")]
    Gateway(#[from] crate::gateway::GatewayError),
}

/// A gateway with its local CDF.
pub struct Dev {
    gateway: Gateway,
    emulator: EmulatorHandle,
}

impl Dev {
    /// Starts both. Must be called inside an actix system.
    ///
    /// # Errors
    /// The part that could not start.
    pub fn start(arguments: &DevArguments) -> Result<Self, DevError> {
        let emulator = emulator::start(EmulatorOptions {
            listen: arguments.cdf_listen,
            project: Some(arguments.project.clone()),
            sink: arguments.sink,
            accept_any_token: true,
            ..EmulatorOptions::default()
        })?;
        let gateway = Gateway::start(&configuration(arguments, &emulator.base_url()))?;
        Ok(Dev { gateway, emulator })
    }

    /// Where PostgreSQL clients connect.
    pub fn postgres_address(&self) -> SocketAddr {
        self.gateway.postgres_address()
    }

    /// Where health and metrics are served.
    pub fn http_address(&self) -> SocketAddr {
        self.gateway.http_address()
    }

    /// Scheme and address of the local CDF.
    pub fn cdf_url(&self) -> String {
        self.emulator.base_url()
    }

    /// Drains the gateway, then stops the emulator.
    pub async fn stop(self) {
        self.gateway.drain().await;
        self.emulator.stop();
    }
}

/// The gateway's configuration: defaults, and one user who writes with a token that the
/// emulator takes as it is.
fn configuration(arguments: &DevArguments, cdf_url: &str) -> Configuration {
    let identity = Identity {
        project: Project {
            base_url: cdf_url.to_owned(),
            name: arguments.project.clone(),
        },
        name: arguments.user.clone(),
        credentials: Credentials::FixedToken(Secret::new(arguments.user.clone())),
        create_missing_time_series: arguments.create_missing_time_series,
        required_access: RequiredAccess::default(),
    };
    let mut configuration = Configuration::default();
    configuration.listen.postgres = arguments.listen;
    configuration.listen.http = arguments.http_listen;
    configuration
        .dead_letters
        .directory
        .clone_from(&arguments.dead_letters);
    configuration.admin.token = arguments.admin_token.clone().map(Secret::new);
    if let Some(url) = &arguments.engine_url {
        configuration.engine.kind = EngineKind::External;
        configuration.engine.url = Some(Secret::new(url.clone()));
    }
    configuration.users = vec![User {
        name: arguments.user.clone(),
        password: Password::Plain(Secret::new(arguments.password.clone())),
        identity: Arc::new(identity),
        modes: UserModes::default(),
    }];
    configuration
}

/// Serves until SIGTERM or Ctrl-C.
pub fn run(arguments: &DevArguments) -> ExitCode {
    if let Err(error) = telemetry::logs::install(&LogSettings::default()) {
        eprintln!("the logs cannot start: {error}");
        return ExitCode::FAILURE;
    }
    actix_rt::System::new().block_on(serve(arguments))
}

async fn serve(arguments: &DevArguments) -> ExitCode {
    let dev = match Dev::start(arguments) {
        Ok(dev) => dev,
        Err(error) => {
            eprintln!("{error}");
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
    println!(
        "penstock dev ready postgres={} cdf={} http={} project={} user={} password={}",
        dev.postgres_address(),
        dev.cdf_url(),
        dev.http_address(),
        arguments.project,
        arguments.user,
        arguments.password
    );
    signals.ended(dev.stop()).await.exit_code()
}
