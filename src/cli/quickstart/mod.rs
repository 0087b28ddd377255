//! `penstock quickstart`: a local CDF, a gateway, a million rows, and the proof.
//!
//! Owns the sequence: start both on free ports, make series, stream, read back, show. Promises
//! exit code 1 if a single row differs. Never needs anything but this binary.

mod load;
mod report;
mod sample;
mod verify;

use super::dev::{Dev, DevArguments};
use super::signals::Signals;
use crate::cdf::{CdfClient, Credentials, Identity, Project, RequiredAccess, Secret, TokenCache};
use crate::config::LogSettings;
use crate::telemetry;
use clap::Args;
use report::TableReport;
use sample::Sample;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Gateway user, password and database of the quickstart.
const USER: &str = "penstock";
const PROJECT: &str = "quickstart";

/// Longest answer that reading back waits for.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Options of `penstock quickstart`.
#[derive(Args)]
pub struct QuickstartArguments {
    /// End after the report instead of serving on until Ctrl-C
    #[arg(long)]
    pub exit: bool,
}

/// Why the quickstart ended early.
#[derive(Debug, thiserror::Error)]
enum QuickstartError {
    #[error("{0}")]
    Start(#[from] super::dev::DevError),
    #[error("the gateway refused: {0}")]
    Client(#[from] tokio_postgres::Error),
    #[error("the rows cannot be read back: {0}")]
    ReadBack(String),
    #[error("signals cannot be received: {0}")]
    Signals(#[from] std::io::Error),
}

/// Runs the sequence.
pub fn run(arguments: &QuickstartArguments) -> ExitCode {
    let logs = LogSettings {
        filter: "warn".to_owned(),
        ..LogSettings::default()
    };
    if let Err(error) = telemetry::logs::install(&logs) {
        eprintln!("the logs cannot start: {error}");
        return ExitCode::FAILURE;
    }
    match actix_rt::System::new().block_on(quickstart(arguments)) {
        Ok(exit_code) => exit_code,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn quickstart(arguments: &QuickstartArguments) -> Result<ExitCode, QuickstartError> {
    let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let dev = Dev::start(&DevArguments {
        listen: free_port,
        cdf_listen: free_port,
        http_listen: free_port,
        project: PROJECT.to_owned(),
        user: USER.to_owned(),
        password: USER.to_owned(),
        sink: false,
        create_missing_time_series: false,
        dead_letters: None,
        engine_url: None,
        admin_token: None,
    })?;
    let signals = Signals::listen()?;
    let address = dev.postgres_address();
    let url = format!("postgresql://{USER}:{USER}@{address}/{USER}");
    println!("gateway at {address}, local CDF at {}\n", dev.cdf_url());

    let sample = Sample::default();
    let reports = load_and_verify(&dev, &url, &sample).await?;
    println!("\n{}", report::render(&reports));
    let complete = reports.iter().all(TableReport::is_complete);
    if complete {
        println!("Every row that was sent is in CDF, and none differs.");
    } else {
        println!("CDF does not have what was sent.");
    }
    if arguments.exit || !complete {
        dev.stop().await;
        return Ok(if complete {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    println!(
        "\nGo on by hand (Ctrl-C here ends it):\n  psql {url} -c \"INSERT INTO double_datapoints \
         (external_id, timestamp, value) VALUES ('{}', now(), 42)\"\n  metrics: http://{}/metrics",
        sample.series(0).external_id,
        dev.http_address()
    );
    Ok(signals.ended(dev.stop()).await.exit_code())
}

async fn load_and_verify(
    dev: &Dev,
    url: &str,
    sample: &Sample,
) -> Result<[TableReport; 2], QuickstartError> {
    let client = load::connect(url).await?;
    let series = load::create_series(&client, sample).await?;
    println!("made {series} time series by INSERT; now COPY:");
    let points = load::copy_datapoints(&client, sample).await?;
    let raw = load::copy_raw_rows(&client, sample).await?;

    println!("reading everything back through CDF's API …");
    let cdf_url = dev.cdf_url();
    let identity = reader(&cdf_url);
    let unreadable = |failure: crate::cdf::AttemptFailure| {
        QuickstartError::ReadBack(failure.reason().to_string())
    };
    let reader = CdfClient::new(READ_TIMEOUT, Arc::new(TokenCache::new()))
        .map_err(|reason| QuickstartError::ReadBack(reason.to_string()))?;
    let points_found = verify::datapoints(&reader, &identity, sample)
        .await
        .map_err(unreadable)?;
    let raw_found = verify::raw_rows(&reader, &identity, sample)
        .await
        .map_err(unreadable)?;
    Ok([
        TableReport {
            table: "double_datapoints",
            rows_sent: points.rows,
            rows_in_cdf: points_found.rows,
            rows_different: points_found.different,
            elapsed: points.elapsed,
            requests: verify::requests(&cdf_url, "datapoints.insert").await,
        },
        TableReport {
            table: "raw_rows",
            rows_sent: raw.rows,
            rows_in_cdf: raw_found.rows,
            rows_different: raw_found.different,
            elapsed: raw.elapsed,
            requests: verify::requests(&cdf_url, "raw.rows.insert").await,
        },
    ])
}

/// Reads with a token of its own: the local CDF takes any.
fn reader(cdf_url: &str) -> Identity {
    Identity {
        project: Project {
            base_url: cdf_url.to_owned(),
            name: PROJECT.to_owned(),
        },
        name: "quickstart-reader".to_owned(),
        credentials: Credentials::FixedToken(Secret::new("quickstart-reader")),
        create_missing_time_series: false,
        required_access: RequiredAccess::default(),
    }
}
