//! `penstock dev` as a child process, and CDF's API beside it.
//!
//! Owns the process of one test: started on free ports, ended with the test. Reads back through
//! plain HTTP and JSON, so that nothing of the gateway's own encoders judges itself.

use futures::future::poll_fn;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, Socket};

/// A gateway with its emulator, alone for one test.
pub struct DevProcess {
    child: Child,
    postgres: String,
    cdf: String,
    /// Where the gateway's own HTTP server listens.
    pub admin: String,
    http: reqwest::Client,
}

impl DevProcess {
    /// Starts `penstock dev` with further flags and waits for its ready line.
    pub fn start(flags: &[&str]) -> Self {
        // Another test of this process may have been first: either way one is installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::new();
        let mut child = Command::new(env!("CARGO_BIN_EXE_penstock"))
            .args([
                "dev",
                "--listen",
                "127.0.0.1:0",
                "--cdf-listen",
                "127.0.0.1:0",
                "--http-listen",
                "127.0.0.1:0",
                "--project",
                "test",
                "--user",
                "tester",
                "--password",
                "secret",
            ])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary under test starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let ready = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find(|line| line.starts_with("penstock dev ready"))
            .expect("the ready line comes before the output ends");
        let field = |name: &str| {
            ready
                .split(' ')
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
                .unwrap_or_else(|| panic!("no {name} in {ready:?}"))
                .to_owned()
        };
        DevProcess {
            postgres: field("postgres"),
            cdf: field("cdf"),
            admin: field("http"),
            child,
            http,
        }
    }

    /// A client of its own, signed in, and the messages of the notices that it gets.
    pub async fn connect_with_notices(&self) -> (Client, UnboundedReceiver<String>) {
        let (client, mut connection) = self.sign_in().await;
        let (told, notices) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notice(notice) = message {
                    // A test that does not look at its notices has dropped the other side.
                    let _ = told.send(notice.message().to_owned());
                }
            }
        });
        (client, notices)
    }

    /// A client of its own, signed in.
    pub async fn connect(&self) -> Client {
        let (client, connection) = self.sign_in().await;
        tokio::spawn(connection);
        client
    }

    async fn sign_in(&self) -> (Client, Connection<Socket, NoTlsStream>) {
        let (host, port) = self.postgres.rsplit_once(':').expect("host:port");
        tokio_postgres::Config::new()
            .host(host)
            .port(port.parse().expect("a port"))
            .user("tester")
            .password("secret")
            .dbname("tester")
            .connect(NoTls)
            .await
            .expect("the gateway accepts its user")
    }

    /// Makes time series in CDF.
    pub async fn create_series(&self, external_ids: &[&str], is_string: bool) {
        let items: Vec<Value> = external_ids
            .iter()
            .map(|external_id| json!({"externalId": external_id, "isString": is_string}))
            .collect();
        self.post("timeseries", json!({ "items": items })).await;
    }

    /// All points of a series, (timestamp in ms, value), in order of time.
    pub async fn points(&self, external_id: &str) -> Vec<(i64, Value)> {
        let mut points = Vec::new();
        let mut start = -2_208_988_800_000_i64;
        loop {
            let answer = self
                .post(
                    "timeseries/data/list",
                    json!({"items": [{"externalId": external_id}], "start": start,
                           "end": 4_102_444_800_000_i64, "limit": 100_000}),
                )
                .await;
            let page = answer["items"][0]["datapoints"]
                .as_array()
                .expect("datapoints")
                .clone();
            for point in &page {
                let timestamp = point["timestamp"].as_i64().expect("a timestamp");
                points.push((timestamp, point["value"].clone()));
                start = timestamp + 1;
            }
            if page.len() < 100_000 {
                return points;
            }
        }
    }

    /// One RAW row's columns, if the row exists.
    pub async fn raw_row(&self, database: &str, table: &str, key: &str) -> Option<Value> {
        let response = self
            .http
            .get(self.url(&format!("raw/dbs/{database}/tables/{table}/rows/{key}")))
            .bearer_auth("any")
            .send()
            .await
            .expect("the emulator answers");
        if response.status() == 404 {
            return None;
        }
        let body = response.text().await.expect("a body");
        let row: Value = serde_json::from_str(&body).expect("JSON");
        Some(row["columns"].clone())
    }

    /// Time series by external id, as CDF shows it.
    pub async fn series(&self, external_id: &str) -> Value {
        let answer = self
            .post(
                "timeseries/byids",
                json!({"items": [{"externalId": external_id}]}),
            )
            .await;
        answer["items"][0].clone()
    }

    /// Arms faults in the emulator.
    pub async fn faults(&self, faults: Value) {
        let response = self
            .http
            .post(format!("{}/_emulator/faults", self.cdf))
            .body(faults.to_string())
            .header("content-type", "application/json")
            .send()
            .await
            .expect("the emulator answers");
        assert!(
            response.status().is_success(),
            "{}",
            response.text().await.unwrap_or_default()
        );
    }

    /// The requests that CDF saw.
    pub async fn requests(&self) -> Vec<Value> {
        let body = self
            .http
            .get(format!("{}/_emulator/requests", self.cdf))
            .send()
            .await
            .expect("the emulator answers")
            .text()
            .await
            .expect("a body");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        answer["items"]
            .as_array()
            .expect("a list of requests")
            .clone()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let response = self
            .http
            .post(self.url(path))
            .bearer_auth("any")
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .expect("the emulator answers");
        let status = response.status();
        let text = response.text().await.expect("a body");
        assert!(status.is_success(), "{path} answered {status}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/projects/test/{path}", self.cdf)
    }

    /// Kills the process without a word to it.
    pub fn kill(mut self) {
        self.child.kill().expect("the process runs");
        self.child.wait().expect("the process ends");
    }

    /// Asks the process to end and waits for its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill exists");
        self.child.wait().expect("the process ends").code()
    }
}

impl Drop for DevProcess {
    fn drop(&mut self) {
        // Already ended is fine: the test asked for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
