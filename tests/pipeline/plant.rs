//! A pipeline and a local CDF of one test, over HTTP, and rows of objects to write.
//!
//! Owns both. Rows are given as text, as COPY gives them; what CDF has afterwards is asked of CDF.

use actix::System;
use penstock::catalog::{self, Resource, Table};
use penstock::cdf::{Credentials, Identity, Project, Secret, TokenCache};
use penstock::emulator::{self, EmulatorHandle, EmulatorOptions};
use penstock::pipeline::{
    ConnectionBudget, Intake, MemoryBudget, Outcome, PipelineSettings, Submission, Ticket,
};
use penstock::rows::value::ValueSettings;
use penstock::rows::{
    Action, AnyBuilder, Assigned, Assignment, BatchBounds, ConflictUpdate, RowBatch, RowBuilder,
    WireFormat,
};
use serde_json::{Value, json};
use std::future::Future;
use std::sync::Arc;

/// Rows that a connection hands over at once.
const BATCH_ROWS: usize = 10_000;

/// A pipeline and the CDF that it writes to.
pub struct Plant {
    pub intake: Intake,
    pub budget: ConnectionBudget,
    emulator: EmulatorHandle,
    http: reqwest::Client,
}

impl Plant {
    pub fn identity(&self) -> Arc<Identity> {
        Arc::new(Identity {
            project: Project {
                base_url: self.emulator.base_url(),
                name: "plant".to_owned(),
            },
            name: "client".to_owned(),
            credentials: Credentials::FixedToken(Secret::new("token")),
            create_missing_time_series: false,
            required_access: Default::default(),
        })
    }

    /// Writes the rows as one statement.
    pub async fn write(&self, batches: Vec<RowBatch>) -> Outcome {
        let ticket = Ticket::new();
        self.submit(&ticket, batches).await;
        ticket.settled().await
    }

    pub async fn submit(&self, ticket: &Ticket, batches: Vec<RowBatch>) {
        let count = batches.len();
        let identity = self.identity();
        for (number, batch) in batches.into_iter().enumerate() {
            let RowBatch::Objects(objects) = &batch else {
                panic!("objects are written");
            };
            let resource: Resource = objects.table.resource;
            let submission = Submission {
                identity: identity.clone(),
                part: ticket.part(batch.rows() as u64, batch.row_number(0)),
                permit: self.budget.acquire(batch.bytes()).await,
                batch,
                connection: 1,
                ticket_waits: number + 1 == count,
                sent_before: None,
            };
            self.intake.submit(resource, submission);
            if number + 1 == count {
                self.intake.ticket_waits(&identity, resource, 1);
            }
        }
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/api/v1/projects/plant{path}", self.emulator.base_url());
        let answer = self
            .http
            .post(url)
            .bearer_auth("token")
            .body(body.to_string())
            .send()
            .await
            .expect("the local CDF answers");
        let text = answer.text().await.expect("the answer has an end");
        serde_json::from_str(&text).expect("the answer is JSON")
    }

    /// What CDF has of these objects.
    pub async fn by_ids(&self, path: &str, names: &[&str]) -> Vec<Value> {
        let items: Vec<Value> = names
            .iter()
            .map(|name| json!({"externalId": name}))
            .collect();
        let page = self
            .post(
                &format!("{path}/byids"),
                json!({"items": items, "ignoreUnknownIds": true}),
            )
            .await;
        page["items"].as_array().cloned().unwrap_or_default()
    }

    /// Requests that CDF has answered, by operation.
    pub async fn requests(&self, operation: &str) -> u64 {
        let url = format!("{}/_emulator/statistics", self.emulator.base_url());
        let answer = self.http.get(url).send().await.expect("it answers");
        let text = answer.text().await.expect("the answer has an end");
        let report: Value = serde_json::from_str(&text).expect("the answer is JSON");
        report["operations"][operation]["requests"]
            .as_u64()
            .unwrap_or(0)
    }
}

pub fn run<F: Future<Output = ()>>(test: impl FnOnce(Plant) -> F) {
    System::new().block_on(async {
        // reqwest asks for a TLS provider even where it will only speak plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let emulator = emulator::start(EmulatorOptions::default()).expect("the local CDF starts");
        let tokens = Arc::new(TokenCache::new());
        let intake = Intake::start(PipelineSettings::default(), tokens).expect("it starts");
        test(Plant {
            intake,
            budget: MemoryBudget::new(64 << 20, 64 << 20).connection(),
            emulator,
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a plain client needs nothing"),
        })
        .await;
    });
}

/// Rows of `table`: values of `columns` as text, `None` for null.
pub fn rows<'a>(
    table: &'static Table,
    action: &Action,
    columns: &[&str],
    values: impl IntoIterator<Item = Vec<Option<&'a str>>>,
) -> Vec<RowBatch> {
    let indexes: Vec<usize> = columns
        .iter()
        .map(|name| table.column_index(name).expect("the column exists"))
        .collect();
    let bounds = BatchBounds {
        rows: BATCH_ROWS,
        bytes: 8 << 20,
    };
    let settings = ValueSettings::default();
    let mut builder = AnyBuilder::of_objects(table, action.clone(), &indexes, settings, bounds);
    let mut batches = Vec::new();
    for (number, row) in (1..).zip(values) {
        for (index, value) in indexes.iter().zip(row) {
            match value {
                Some(value) => builder.field(*index, WireFormat::Text, value.as_bytes()),
                None => builder.null(*index),
            }
            .expect("the value is right");
        }
        builder.finish_row(number).expect("the row is right");
        if builder.is_full() {
            batches.extend(builder.take());
        }
    }
    batches.extend(builder.take());
    batches
}

pub fn table(name: &str) -> &'static Table {
    let schema = (name == "data_sets").then_some(catalog::CDF);
    catalog::table(schema, name).expect("the table exists")
}

/// `DO UPDATE SET column = excluded.column` for these columns.
pub fn set_excluded(table: &Table, columns: &[&str]) -> Action {
    let assignments = columns
        .iter()
        .map(|name| {
            let column = table.column_index(name).expect("the column exists");
            Assignment {
                column,
                value: Assigned::Excluded(column),
            }
        })
        .collect();
    Action::Upsert(Arc::new(ConflictUpdate {
        assignments,
        constants: None,
    }))
}

/// Assets `first..end`, each with its number in its description.
pub fn assets(
    action: &Action,
    numbers: std::ops::Range<usize>,
    description: &str,
) -> Vec<RowBatch> {
    let names: Vec<String> = numbers.map(|number| format!("asset-{number}")).collect();
    let values = names
        .iter()
        .map(|name| vec![Some(name.as_str()), Some(name.as_str()), Some(description)]);
    let columns = ["external_id", "name", "description"];
    rows(table("assets"), action, &columns, values)
}

pub fn counts(outcome: &Outcome) -> [u64; 5] {
    [
        outcome.accepted,
        outcome.skipped,
        outcome.rejected,
        outcome.failed,
        outcome.unknown,
    ]
}
