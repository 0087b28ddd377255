//! The whole pipeline against a local CDF that enforces budgets, over real sockets. Requests are
//! counted, not timed: exactness is for the tests on virtual time.

use crate::rows::raw_rows;
use actix::System;
use penstock::catalog::Resource;
use penstock::cdf::{Credentials, Identity, Project, Secret, TokenCache};
use penstock::config::{BatchSettings, BatchTable, LimitsTable, OperationLimits, PacingSettings};
use penstock::emulator::{self, Budget, BudgetScope, Budgets, EmulatorHandle, EmulatorOptions};
use penstock::pipeline::{
    DrainTimedOut, Intake, MemoryBudget, PipelineSettings, Submission, Ticket,
};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A CDF that enforces `budget`.
fn cdf(budget: Budget) -> EmulatorHandle {
    emulator::start(EmulatorOptions {
        budgets: Budgets {
            budget: vec![budget],
            ..Budgets::default()
        },
        ..EmulatorOptions::default()
    })
    .expect("the local CDF starts")
}

/// Answers of CDF to inserts of RAW rows, by status.
async fn answers(cdf: &EmulatorHandle) -> Value {
    let url = format!("{}/_emulator/statistics", cdf.base_url());
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .expect("the HTTP client starts");
    let answer = http.get(url).send().await.expect("the local CDF answers");
    let text = answer.text().await.expect("with a body");
    let figures: Value = serde_json::from_str(&text).expect("in JSON");
    figures["operations"]["raw.rows.insert"]["answers"].clone()
}

/// A pipeline with ten rows to a request.
fn pipeline(limits: LimitsTable, state_file: Option<PathBuf>) -> Intake {
    let settings = PipelineSettings {
        batch: BatchTable {
            raw_rows: BatchSettings {
                items_max: 10,
                linger_ms: 1,
                ..BatchSettings::default()
            },
            ..BatchTable::default()
        },
        limits,
        pacing: PacingSettings {
            state_file,
            ..PacingSettings::default()
        },
        ..PipelineSettings::default()
    };
    Intake::start(settings, Arc::new(TokenCache::new())).expect("it starts")
}

/// Ten rows for a request of their own.
async fn submit(intake: &Intake, cdf: &EmulatorHandle, number: i64) -> Ticket {
    let identity = Arc::new(Identity {
        project: Project {
            base_url: cdf.base_url(),
            name: "plant".to_owned(),
        },
        name: "client".to_owned(),
        credentials: Credentials::FixedToken(Secret::new("token")),
        create_missing_time_series: false,
        required_access: Default::default(),
    });
    let keys: Vec<i64> = (number * 10..number * 10 + 10).collect();
    let batch = raw_rows("t", &keys, 1);
    let ticket = Ticket::new();
    let submission = Submission {
        identity,
        part: ticket.part(10, 1),
        permit: MemoryBudget::new(1 << 20, 1 << 20)
            .connection()
            .acquire(batch.bytes())
            .await,
        batch,
        connection: 1,
        ticket_waits: true,
        sent_before: None,
    };
    intake.submit(Resource::RawRows, submission);
    ticket
}

#[test]
fn a_load_above_the_rate_is_paced_so_that_cdf_refuses_nothing() {
    System::new().block_on(async {
        let cdf = cdf(Budget {
            requests_per_s: Some(40.0),
            concurrent_requests: Some(4),
            ..Budget::unlimited(BudgetScope::Identity, "raw.rows.insert")
        });
        let limits = LimitsTable {
            // What is sent evenly does not arrive evenly.
            budget_share: 0.9,
            raw_rows: OperationLimits {
                requests_per_s: 40,
                concurrency: 4,
                ..OperationLimits::default()
            },
            ..LimitsTable::default()
        };
        let intake = pipeline(limits, None);
        let mut tickets = Vec::new();
        for number in 0..80 {
            tickets.push(submit(&intake, &cdf, number).await);
        }
        for ticket in tickets {
            assert_eq!(ticket.settled().await.accepted, 10);
        }
        let answers = answers(&cdf).await;
        assert_eq!(answers["429"], Value::Null, "{answers}");
        assert_eq!(answers["200"], 80, "{answers}");
    });
}

#[test]
fn a_restart_in_the_middle_of_a_window_remembers_what_was_spent() {
    const BYTES: u64 = 4_000;
    let file = std::env::temp_dir().join(format!("penstock-pacing-{}.json", std::process::id()));
    let _ = std::fs::remove_file(&file);
    System::new().block_on(async {
        let cdf = cdf(Budget {
            raw_bytes_per_window: Some(BYTES),
            ..Budget::unlimited(BudgetScope::Identity, "raw")
        });
        let limits = LimitsTable {
            raw_rows: OperationLimits {
                bytes_per_window: BYTES,
                window_s: 600,
                ..OperationLimits::default()
            },
            ..LimitsTable::default()
        };
        // Ten rows are some 500 bytes in memory and less in a body: the window holds at least
        // six requests, and not fifty.
        let before = pipeline(limits.clone(), Some(file.clone()));
        for number in 0..6 {
            let outcome = submit(&before, &cdf, number).await.settled().await;
            assert_eq!(outcome.accepted, 10);
        }
        let patience = Duration::from_secs(60);
        assert_eq!(before.drain(patience).await, Ok(()));
        let spent = std::fs::read_to_string(&file).expect("it is written at the end");
        assert!(spent.contains("\"clean\": true"), "{spent}");
        drop(before);

        let after = pipeline(limits, Some(file.clone()));
        let mut tickets = Vec::new();
        for number in 6..50 {
            tickets.push(submit(&after, &cdf, number).await);
        }
        let stuck = after.drain(Duration::from_millis(500)).await;
        assert_eq!(
            stuck,
            Err(DrainTimedOut { batchers: 1 }),
            "the window is full"
        );
        let answers = answers(&cdf).await;
        assert_eq!(answers["429"], Value::Null, "{answers}");
        let sent = answers["200"].as_u64().expect("some were sent");
        assert!((6..50).contains(&sent), "{answers}");
        let spent = std::fs::read_to_string(&file).expect("it is still there");
        assert!(spent.contains("\"clean\": false"), "{spent}");
    });
    std::fs::remove_file(&file).expect("the file can be removed");
}
