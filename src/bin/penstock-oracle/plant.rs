//! The plant under test: a CDF and a gateway, each in a process of its own.
//!
//! Owns both processes and the gateway's configuration. Promises that the CDF outlives the
//! gateway, and that a gateway comes back on the same address with the same files. Never
//! writes rows.

use crate::options::Options;
use crate::process::{Process, Signal};
use anyhow::Context;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio_postgres::Config;

/// CDF's project, and the gateway's user and password.
pub const PROJECT: &str = "oracle";
const USER: &str = "oracle";
const PASSWORD: &str = "oracle-password";

/// A request is given up after this. Late answers come later.
pub const REQUEST_TIMEOUT_S: u64 = 2;

/// Keys of an unanswered request wait so long. Delayed requests land earlier.
pub const STALE_WRITE_GUARD_MS: u64 = 2_500;

/// The journal's bound: small, so that an outage reaches it.
const JOURNAL_BYTES_MAX: u64 = 24 << 20;

/// Small files, so that there are several to damage.
const SEGMENT_BYTES: u64 = 2 << 20;

/// How long a gateway may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(40);

pub struct Plant {
    pub cdf: Process,
    pub cdf_url: String,
    pub http: reqwest::Client,
    gateway: Option<Process>,
    binary: PathBuf,
    directory: PathBuf,
    clock_library: Option<PathBuf>,
    postgres_port: u16,
    http_address: String,
}

impl Plant {
    /// Starts both.
    pub fn start(options: &Options, directory: &Path) -> anyhow::Result<Self> {
        let binary = options.binary()?;
        let mut command = Command::new(&binary);
        command.args(["emulator", "--listen", "127.0.0.1:0", "--project", PROJECT]);
        let log = directory.join("cdf.log");
        let cdf = Process::start(command, "penstock emulator ready", &log)?;
        let cdf_url = cdf.told("cdf")?.to_owned();
        let mut plant = Plant {
            cdf,
            cdf_url,
            http: reqwest::Client::new(),
            gateway: None,
            binary,
            directory: directory.to_owned(),
            clock_library: options.clock_library(),
            postgres_port: 0,
            http_address: "127.0.0.1:0".to_owned(),
        };
        std::fs::write(plant.clock_file(), "+0\n")?;
        plant.start_gateway()?;
        Ok(plant)
    }

    /// Where the gateway keeps its journal: on the disk that can be filled.
    pub fn journal(&self) -> PathBuf {
        self.directory.join("disk/journal")
    }

    /// Where it keeps dead letters.
    pub fn dead_letters(&self) -> PathBuf {
        self.directory.join("dead-letters")
    }

    /// The programme under test.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    fn clock_file(&self) -> PathBuf {
        self.directory.join("clock")
    }

    /// Whether the gateway's clock can be stepped.
    pub fn has_clock(&self) -> bool {
        self.clock_library.is_some()
    }

    /// Sets the gateway's clock `seconds` ahead of the machine's, or behind.
    pub fn step_clock(&self, seconds: i64) -> anyhow::Result<()> {
        // Renamed into place: the library must never read half a file.
        let next = self.directory.join("clock.next");
        std::fs::write(&next, format!("{seconds:+}\n"))?;
        std::fs::rename(next, self.clock_file())?;
        Ok(())
    }

    /// Starts the gateway, on the address that it had before.
    pub fn start_gateway(&mut self) -> anyhow::Result<()> {
        let file = self.directory.join("penstock.toml");
        std::fs::write(&file, self.configuration())?;
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg(&file);
        if let Some(library) = &self.clock_library {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME_TIMESTAMP_FILE", self.clock_file())
                .env("FAKETIME_CACHE_DURATION", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let log = self.directory.join("gateway.log");
        let gateway = Process::start(command, "penstock serve ready", &log)?;
        let postgres = gateway.told("postgres")?;
        let port = postgres.rsplit(':').next().context("host:port")?;
        self.postgres_port = port.parse()?;
        self.http_address = gateway.told("http")?.to_owned();
        self.gateway = Some(gateway);
        Ok(())
    }

    fn configuration(&self) -> String {
        let Plant {
            cdf_url,
            postgres_port,
            http_address,
            ..
        } = self;
        let journal = self.journal();
        let dead_letters = self.dead_letters();
        format!(
            r#"[listen]
postgres = "127.0.0.1:{postgres_port}"
http = "{http_address}"

[[users]]
name = "{USER}"
password = "{PASSWORD}"
cdf = "plant"

[cdf.plant]
base_url = "{cdf_url}"
project = "{PROJECT}"
token_url = "{cdf_url}/oauth2/token"
client_id = "oracle"
client_secret = "oracle"

[retry]
request_timeout_s = {REQUEST_TIMEOUT_S}
stale_write_guard_ms = {STALE_WRITE_GUARD_MS}
initial_interval_ms = 50
interval_max_ms = 1_000

[timeouts]
drain_s = 20

[journal]
directory = {journal:?}
bytes_max = {JOURNAL_BYTES_MAX}
segment_bytes = {SEGMENT_BYTES}
parked_retry_s = 1

# Each crash counts as a tenth of a budget of bytes. Here crashes come every few seconds, and the
# budget would soon be all that is tested.
[limits.raw_rows]
bytes_per_window = 0
project.bytes_per_window = 0
window_s = 0

[dead_letters]
directory = {dead_letters:?}
"#
        )
    }

    /// How producers connect.
    pub fn postgres(&self) -> Config {
        let mut config = Config::new();
        config
            .host("127.0.0.1")
            .port(self.postgres_port)
            .user(USER)
            .password(PASSWORD)
            .dbname(USER)
            .connect_timeout(Duration::from_secs(5));
        config
    }

    /// The running gateway.
    pub fn gateway(&mut self) -> anyhow::Result<&mut Process> {
        self.gateway.as_mut().context("the gateway runs")
    }

    /// SIGKILL. It does not come back by itself.
    pub fn kill_gateway(&mut self) -> anyhow::Result<()> {
        if let Some(mut gateway) = self.gateway.take() {
            gateway.kill()?;
        }
        Ok(())
    }

    /// SIGTERM, and a new gateway once the old one has ended well.
    pub async fn restart_gateway(&mut self) -> anyhow::Result<()> {
        if let Some(mut gateway) = self.gateway.take() {
            gateway.signal(Signal::Terminate)?;
            let status = gateway.wait(DRAIN).await?;
            anyhow::ensure!(status.success(), "the gateway ended with {status}");
        }
        self.start_gateway()
    }

    /// Starts the gateway again if it has ended by itself. Returns whether it had.
    pub fn revive_gateway(&mut self) -> anyhow::Result<bool> {
        let has_ended = match &mut self.gateway {
            Some(gateway) => gateway.ended()?.is_some(),
            None => true,
        };
        if has_ended {
            self.start_gateway()?;
        }
        Ok(has_ended)
    }

    /// Lets the CDF meet faults, as its admin call takes them.
    pub async fn inject(&self, faults: Value) -> anyhow::Result<()> {
        let url = format!("{}/_emulator/faults", self.cdf_url);
        let answer = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .body(faults.to_string())
            .send()
            .await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// Ends all faults of the CDF.
    pub async fn clear_faults(&self) -> anyhow::Result<()> {
        let url = format!("{}/_emulator/faults", self.cdf_url);
        self.http.delete(url).send().await?.error_for_status()?;
        Ok(())
    }

    /// Lets every token of the CDF expire.
    pub async fn expire_tokens(&self) -> anyhow::Result<()> {
        let url = format!("{}/_emulator/tokens", self.cdf_url);
        self.http.delete(url).send().await?.error_for_status()?;
        Ok(())
    }
}
