//! An emulator, a scanner, and rows taken apart.

use penstock::catalog::{self, Table};
use penstock::cdf::{CdfClient, Credentials, Identity, Project, Secret, TokenCache};
use penstock::config::RetrySettings;
use penstock::emulator::{EmulatorHandle, EmulatorOptions, start};
use penstock::pipeline::pacing::{Pacing, PacingTerms};
use penstock::scan::{Condition, Scan, ScanFault, ScanMemory, Scanner, Taken};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A row; `None` is NULL.
pub type Row = Vec<Option<String>>;

pub const ROWS_MAX: u64 = 1_000_000;

pub struct World {
    _emulator: EmulatorHandle,
    base_url: String,
    http: reqwest::Client,
    scanner: Scanner,
    memory: ScanMemory,
    identity: Arc<Identity>,
}

/// The built-in table of that full name.
pub fn table(name: &str) -> &'static Table {
    catalog::table_of_full_name(name).expect("the table exists")
}

/// A column of a table, by index.
pub fn column(table: &Table, name: &str) -> usize {
    table.column_index(name).expect("the column exists")
}

impl World {
    pub fn new() -> Self {
        Self::with_memory(64 << 20)
    }

    /// One whose scans share so many bytes.
    pub fn with_memory(bytes_max: usize) -> Self {
        let memory = ScanMemory::new(bytes_max);
        let emulator = start(EmulatorOptions::default()).expect("the emulator starts");
        let base_url = emulator.base_url();
        let retry = RetrySettings {
            initial_interval_ms: 1,
            interval_max_ms: 5,
            ..RetrySettings::default()
        };
        let terms = PacingTerms {
            retry: retry.clone(),
            ..PacingTerms::default()
        };
        let pacing = Pacing::new(terms, Instant::now(), 7);
        let client = CdfClient::new(Duration::from_secs(30), Arc::new(TokenCache::new()))
            .expect("the HTTP client starts");
        let identity = Identity {
            project: Project {
                base_url: base_url.clone(),
                name: "plant".to_owned(),
            },
            name: "reader".to_owned(),
            credentials: Credentials::FixedToken(Secret::new("fixed")),
            create_missing_time_series: false,
            required_access: Default::default(),
        };
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build()
            .expect("the HTTP client starts");
        World {
            _emulator: emulator,
            base_url,
            http,
            scanner: Scanner::new(client, &pacing, retry, memory.clone()),
            memory,
            identity: Arc::new(identity),
        }
    }

    /// Posts to the project, and insists that it is taken.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/api/v1/projects/plant{path}", self.base_url);
        self.send(
            self.http
                .post(url)
                .bearer_auth("a token")
                .body(body.to_string()),
        )
        .await
    }

    /// Orders faults, or forgets what was asked so far.
    pub async fn order(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/_emulator/{path}", self.base_url);
        self.send(self.http.post(url).body(body.to_string())).await
    }

    /// How often an operation was asked for, and what it was answered.
    pub async fn statuses(&self, operation: &str) -> Vec<u64> {
        let url = format!("{}/_emulator/requests?operation={operation}", self.base_url);
        let log = self.send(self.http.get(url)).await;
        let items = log["items"].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .filter_map(|entry| entry["status"].as_u64())
            .collect()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Value {
        let request = request.header("content-type", "application/json");
        let answer = request.send().await.expect("the emulator answers");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.expect("the answer is whole");
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!((200..300).contains(&status), "{status}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Makes objects, 1000 a call.
    pub async fn make(&self, path: &str, items: &[Value]) {
        for chunk in items.chunks(1000) {
            self.post(path, json!({"items": chunk})).await;
        }
    }

    /// Bytes that scans hold now.
    pub fn used_bytes(&self) -> usize {
        self.memory.used_bytes()
    }

    pub fn rows_of(&self, scan: &Scan) -> penstock::scan::ScanRows {
        self.scanner.begin(self.identity.clone(), scan)
    }

    /// Runs a scan to its end.
    pub async fn scan(&self, scan: &Scan) -> Result<Vec<Row>, ScanFault> {
        let mut rows = self.rows_of(scan);
        let mut text = Vec::new();
        while let Some(chunk) = rows.next_chunk().await? {
            assert!(chunk.ends_with(b"\n"), "a chunk ends with a line");
            text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(text).expect("the lines are UTF-8");
        let rows: Vec<Row> = text.lines().map(row).collect();
        for row in &rows {
            assert_eq!(row.len(), scan.table.columns.len());
        }
        Ok(rows)
    }

    /// All rows that meet the conditions, sorted.
    pub async fn select(&self, table: &'static Table, conditions: &[Condition]) -> Vec<Row> {
        let scan = Scan {
            conditions: conditions.to_vec(),
            ..Scan::of(table, ROWS_MAX)
        };
        let mut rows = self.scan(&scan).await.expect("the table is read");
        rows.sort();
        rows
    }

    /// One column of all rows that meet the conditions, sorted; insists that CDF took them all.
    pub async fn select_exactly(
        &self,
        table: &'static Table,
        shown: &str,
        conditions: &[Condition],
    ) -> Vec<String> {
        let scan = Scan {
            conditions: conditions.to_vec(),
            ..Scan::of(table, ROWS_MAX)
        };
        for planned in scan.plan().conditions {
            assert_eq!(planned.taken, Taken::Exactly, "{:?}", planned.condition);
        }
        let shown = column(table, shown);
        let rows = self.select(table, conditions).await;
        let mut shown: Vec<String> = rows
            .into_iter()
            .map(|mut row| row[shown].take().unwrap_or_default())
            .collect();
        shown.sort();
        shown
    }
}

/// A line of COPY in text format.
fn row(line: &str) -> Row {
    line.split('\t').map(field).collect()
}

fn field(text: &str) -> Option<String> {
    if text == "\\N" {
        return None;
    }
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        value.push(match characters.next() {
            Some('t') => '\t',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('\\') => '\\',
            other => panic!("an escape that is none: {other:?}"),
        });
    }
    Some(value)
}
