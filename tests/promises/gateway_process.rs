//! A gateway with a journal, and CDF beside it, as processes of their own: either can die and
//! come back without the other.
//!
//! Owns the processes and the directory of one test. Reads CDF back through plain HTTP and JSON.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls};

/// How long rows may take into CDF before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

static TESTS: AtomicU32 = AtomicU32::new(0);

/// A running `penstock`, killed with the test.
struct Process(Child);

impl Process {
    /// Starts it and waits for the line that begins with `ready`; returns that line.
    fn start(command: &mut Command, ready: &str) -> (Self, String) {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary under test starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let process = Process(child);
        let line = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find(|line| line.starts_with(ready))
            .expect("the ready line comes before the output ends");
        (process, line)
    }

    fn kill(&mut self) {
        // Already ended is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// CDF and a gateway.
pub struct GatewayProcess {
    gateway: Option<Process>,
    postgres: String,
    metrics: String,
    cdf: Process,
    cdf_url: String,
    directory: PathBuf,
    http: reqwest::Client,
}

impl GatewayProcess {
    /// Starts both; `journal` are lines of the section `[journal]`.
    pub fn start(journal: &str) -> Self {
        // Another test of this process may have been first: either way one is installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "journal-{}-{}",
            std::process::id(),
            TESTS.fetch_add(1, Ordering::Relaxed)
        ));
        // What an earlier run with this process id left.
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("the directory can be made");
        let (cdf, line) = Process::start(
            penstock().args(["emulator", "--listen", "127.0.0.1:0", "--project", "test"]),
            "penstock emulator ready",
        );
        let cdf_url = word_with(&line, "cdf=");
        let configuration = format!(
            r#"
            [listen]
            postgres = "127.0.0.1:0"
            http = "127.0.0.1:0"
            [timeouts]
            drain_s = 2
            [retry]
            initial_interval_ms = 20
            interval_max_ms = 200
            stale_write_guard_ms = 50
            [journal]
            directory = "journal"
            position_interval_ms = 50
            {journal}
            # The gateway's own ways are promised here, and none of a PostgreSQL that starts beside it.
            [engine]
            kind = "off"
            [state]
            path = "state.sqlite"
            [[users]]
            name = "tester"
            password = "secret"
            cdf = "test"
            [cdf.test]
            base_url = "{cdf_url}"
            project = "test"
            token = "tester"
            "#
        );
        std::fs::write(directory.join("penstock.toml"), configuration).expect("writable");
        let mut process = GatewayProcess {
            gateway: None,
            postgres: String::new(),
            metrics: String::new(),
            cdf,
            cdf_url,
            directory,
            http: reqwest::Client::new(),
        };
        process.start_gateway();
        process
    }

    /// Starts the gateway again after it was killed or has ended.
    pub fn start_gateway(&mut self) {
        let (gateway, line) = Process::start(
            penstock()
                .arg("serve")
                .arg(self.directory.join("penstock.toml")),
            "penstock serve ready",
        );
        self.postgres = word_with(&line, "postgres=");
        self.metrics = word_with(&line, "http=");
        self.gateway = Some(gateway);
    }

    /// Where the gateway serves metrics and dead letters.
    pub fn http_address(&self) -> &str {
        &self.metrics
    }

    /// SIGKILL: the gateway ends between two instructions.
    pub fn kill_gateway(&mut self) {
        if let Some(mut gateway) = self.gateway.take() {
            gateway.kill();
        }
    }

    /// SIGTERM; returns the exit code.
    pub fn end_gateway(&mut self) -> Option<i32> {
        let mut gateway = self.gateway.take().expect("the gateway runs");
        let pid = gateway.0.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill exists");
        gateway.0.wait().expect("the process ends").code()
    }

    /// Where the journal's files are.
    pub fn journal(&self) -> PathBuf {
        self.directory.join("journal")
    }

    /// The segments of the journal, in their order.
    pub fn segments(&self) -> Vec<PathBuf> {
        let mut segments: Vec<PathBuf> = std::fs::read_dir(self.journal())
            .expect("the journal is there")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "segment")
            })
            .collect();
        segments.sort();
        segments
    }

    /// Runs `penstock journal`; returns its exit code and output.
    pub fn journal_command(&self, command: &str) -> (Option<i32>, String) {
        let output = penstock()
            .args(["journal", command])
            .arg(self.journal())
            .output()
            .expect("the command runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    }

    /// Makes a custom table of the user `tester`; returns what the command printed, and whether it
    /// succeeded.
    pub fn create_table(&self, definition: &Value) -> (bool, String) {
        let file = self.directory.join("table.json");
        std::fs::write(&file, definition.to_string()).expect("writable");
        self.table_command("create", &[file.to_str().expect("a path of text")])
    }

    /// Runs `penstock table` for the user `tester`; returns what it printed, and whether it
    /// succeeded.
    pub fn table_command(&self, command: &str, arguments: &[&str]) -> (bool, String) {
        let output = penstock()
            .args(["table", command, "--user", "tester", "--config"])
            .arg(self.directory.join("penstock.toml"))
            .args(arguments)
            .output()
            .expect("the command runs");
        let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
        printed.push_str(&String::from_utf8_lossy(&output.stderr));
        (output.status.success(), printed)
    }

    /// Waits until new connections see a table.
    pub async fn wait_for_table(&self, name: &str) {
        let began = Instant::now();
        loop {
            let client = self.connect().await;
            let probe = format!("SELECT * FROM \"{name}\" LIMIT 0");
            if client.simple_query(&probe).await.is_ok() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "no connection sees {name}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A client of its own, signed in, whose rows are journaled.
    pub async fn connect(&self) -> Client {
        let (host, port) = self.postgres.rsplit_once(':').expect("host:port");
        let (client, connection) = tokio_postgres::Config::new()
            .host(host)
            .port(port.parse().expect("a port"))
            .user("tester")
            .password("secret")
            .dbname("tester")
            .connect(NoTls)
            .await
            .expect("the gateway accepts its user");
        tokio::spawn(connection);
        client
            .batch_execute("SET penstock.ack = 'journaled'")
            .await
            .expect("the setting exists");
        client
    }

    /// CDF answers every write with 503 until [`GatewayProcess::cdf_is_back`].
    pub async fn cdf_is_down(&self) {
        let writes = ["datapoints.insert", "raw.rows", "time_series.create"];
        let down = |operation| json!({ "operation": operation, "kind": "status", "status": 503 });
        self.faults(writes.map(down).into()).await;
    }

    pub async fn cdf_is_back(&self) {
        let response = self
            .http
            .delete(format!("{}/_emulator/faults", self.cdf_url))
            .send()
            .await
            .expect("the emulator answers");
        assert!(response.status().is_success());
    }

    pub async fn faults(&self, faults: Value) {
        self.send(
            self.http
                .post(format!("{}/_emulator/faults", self.cdf_url))
                .body(faults.to_string()),
        )
        .await;
    }

    /// Makes time series in CDF.
    pub async fn create_series(&self, external_ids: &[&str]) {
        let items: Vec<Value> = external_ids
            .iter()
            .map(|external_id| json!({ "externalId": external_id }))
            .collect();
        self.post("timeseries", json!({ "items": items })).await;
    }

    /// All points of a series, (timestamp in ms, value), in order of time.
    pub async fn points(&self, external_id: &str) -> Vec<(i64, f64)> {
        let answer = self
            .post(
                "timeseries/data/list",
                json!({"items": [{"externalId": external_id}], "start": 0,
                       "end": 4_102_444_800_000_i64, "limit": 100_000, "ignoreUnknownIds": true}),
            )
            .await;
        let Some(points) = answer["items"][0]["datapoints"].as_array() else {
            return Vec::new();
        };
        points
            .iter()
            .map(|point| {
                let timestamp = point["timestamp"].as_i64().expect("a timestamp");
                (timestamp, point["value"].as_f64().expect("a number"))
            })
            .collect()
    }

    /// Waits until the points of a series are these.
    pub async fn wait_for_points(&self, external_id: &str, wanted: &[(i64, f64)]) {
        let began = Instant::now();
        loop {
            let points = self.points(external_id).await;
            if points == wanted {
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{external_id} has {} points, not the {} wanted; the first: {:?}",
                points.len(),
                wanted.len(),
                points.first()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The value of a metric without labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self
            .http
            .get(format!("http://{}/metrics", self.metrics))
            .send()
            .await
            .expect("the gateway answers")
            .text()
            .await
            .expect("a body");
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
            .unwrap_or_else(|| panic!("no {name}"))
    }

    /// Waits until a metric has a value that `is_wanted`.
    pub async fn wait_for_metric(&self, name: &str, is_wanted: impl Fn(f64) -> bool) {
        let began = Instant::now();
        loop {
            let value = self.metric(name).await;
            if is_wanted(value) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{name} stays {value}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Reads from CDF.
    pub async fn get(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/projects/test/{path}", self.cdf_url);
        let text = self.send(self.http.get(url)).await;
        serde_json::from_str(&text).expect("JSON")
    }

    /// Asks CDF for something.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/api/v1/projects/test/{path}", self.cdf_url);
        let text = self.send(self.http.post(url).body(body.to_string())).await;
        serde_json::from_str(&text).expect("JSON")
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> String {
        let response = request
            .bearer_auth("reader")
            .header("content-type", "application/json")
            .send()
            .await
            .expect("the emulator answers");
        let status = response.status();
        let text = response.text().await.expect("a body");
        assert!(status.is_success(), "{status}: {text}");
        text
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        self.kill_gateway();
        self.cdf.kill();
        if !std::thread::panicking() {
            // What stays is overwritten by the next run.
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

fn penstock() -> Command {
    Command::new(env!("CARGO_BIN_EXE_penstock"))
}

/// What stands behind `start` in one of the words of `line`.
fn word_with(line: &str, start: &str) -> String {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix(start))
        .unwrap_or_else(|| panic!("no {start} in {line:?}"))
        .to_owned()
}
