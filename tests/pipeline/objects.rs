//! Objects of every kind against the local CDF, over HTTP: made, upserted, changed and deleted.
//!
//! Rows are given as text, as COPY gives them; what CDF has afterwards is asked of CDF.

use actix::System;
use penstock::catalog::{self, Resource, Table};
use penstock::cdf::{Credentials, Identity, Project, Secret, TokenCache};
use penstock::diagnostic::SqlState;
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
struct Plant {
    intake: Intake,
    budget: ConnectionBudget,
    emulator: EmulatorHandle,
    http: reqwest::Client,
}

impl Plant {
    fn identity(&self) -> Arc<Identity> {
        Arc::new(Identity {
            project: Project {
                base_url: self.emulator.base_url(),
                name: "plant".to_owned(),
            },
            name: "client".to_owned(),
            credentials: Credentials::FixedToken(Secret::new("token")),
            create_missing_time_series: false,
        })
    }

    /// Writes the rows as one statement.
    async fn write(&self, batches: Vec<RowBatch>) -> Outcome {
        let ticket = Ticket::new();
        self.submit(&ticket, batches).await;
        ticket.settled().await
    }

    async fn submit(&self, ticket: &Ticket, batches: Vec<RowBatch>) {
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
                self.intake.ticket_waits(&identity, resource);
            }
        }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
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
    async fn by_ids(&self, path: &str, names: &[&str]) -> Vec<Value> {
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
    async fn requests(&self, operation: &str) -> u64 {
        let url = format!("{}/_emulator/statistics", self.emulator.base_url());
        let answer = self.http.get(url).send().await.expect("it answers");
        let text = answer.text().await.expect("the answer has an end");
        let report: Value = serde_json::from_str(&text).expect("the answer is JSON");
        report["operations"][operation]["requests"]
            .as_u64()
            .unwrap_or(0)
    }
}

fn run<F: Future<Output = ()>>(test: impl FnOnce(Plant) -> F) {
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
fn rows<'a>(
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

fn table(name: &str) -> &'static Table {
    let schema = (name == "data_sets").then_some(catalog::CDF);
    catalog::table(schema, name).expect("the table exists")
}

/// `DO UPDATE SET column = excluded.column` for these columns.
fn set_excluded(table: &Table, columns: &[&str]) -> Action {
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
fn assets(action: &Action, numbers: std::ops::Range<usize>, description: &str) -> Vec<RowBatch> {
    let names: Vec<String> = numbers.map(|number| format!("asset-{number}")).collect();
    let values = names
        .iter()
        .map(|name| vec![Some(name.as_str()), Some(name.as_str()), Some(description)]);
    let columns = ["external_id", "name", "description"];
    rows(table("assets"), action, &columns, values)
}

fn counts(outcome: &Outcome) -> [u64; 5] {
    [
        outcome.accepted,
        outcome.skipped,
        outcome.rejected,
        outcome.failed,
        outcome.unknown,
    ]
}

#[test]
fn an_upsert_of_assets_of_which_half_are_new_takes_two_requests_a_thousand() {
    run(|plant| async move {
        let made = plant.write(assets(&Action::Create, 0..50_000, "old")).await;
        assert_eq!(
            counts(&made),
            [50_000, 0, 0, 0, 0],
            "{:?}",
            made.first_error
        );
        assert_eq!(plant.requests("assets.create").await, 50);
        let upsert = set_excluded(table("assets"), &["name", "description"]);
        // Old and new in turn, so that every request meets both.
        let names: Vec<String> = (0..50_000)
            .flat_map(|number| [number, number + 50_000])
            .map(|number| format!("asset-{number}"))
            .collect();
        let values = names
            .iter()
            .map(|name| vec![Some(name.as_str()), Some(name.as_str()), Some("new")]);
        let columns = ["external_id", "name", "description"];
        let outcome = plant
            .write(rows(table("assets"), &upsert, &columns, values))
            .await;
        assert_eq!(
            counts(&outcome),
            [100_000, 0, 0, 0, 0],
            "{:?}",
            outcome.first_error
        );
        let requests =
            plant.requests("assets.create").await - 50 + plant.requests("assets.update").await;
        assert!(requests <= 220, "{requests} requests");
        for asset in plant
            .by_ids(
                "/assets",
                &["asset-0", "asset-49999", "asset-50000", "asset-99999"],
            )
            .await
        {
            assert_eq!(asset["description"], "new", "{asset}");
        }
    });
}

#[test]
fn an_upsert_of_new_assets_learns_to_make_them_first() {
    run(|plant| async move {
        let upsert = set_excluded(table("assets"), &["name"]);
        let outcome = plant.write(assets(&upsert, 0..20_000, "x")).await;
        assert_eq!(counts(&outcome), [20_000, 0, 0, 0, 0]);
        let requests =
            plant.requests("assets.create").await + plant.requests("assets.update").await;
        assert!(requests <= 28, "{requests} requests");
        let outcome = plant.write(assets(&upsert, 0..20_000, "x")).await;
        assert_eq!(counts(&outcome), [20_000, 0, 0, 0, 0]);
    });
}

#[test]
fn an_update_of_a_hundred_thousand_assets_takes_a_request_a_thousand() {
    run(|plant| async move {
        plant
            .write(assets(&Action::Create, 0..100_000, "old"))
            .await;
        let outcome = plant
            .write(assets(&Action::Update, 0..100_000, "new"))
            .await;
        assert_eq!(counts(&outcome), [100_000, 0, 0, 0, 0]);
        let requests = plant.requests("assets.update").await;
        assert!(requests <= 110, "{requests} requests");
    });
}

#[test]
fn doing_nothing_skips_what_exists_and_an_update_what_does_not() {
    run(|plant| async move {
        plant.write(assets(&Action::Create, 0..10, "old")).await;
        let ticket = Ticket::new();
        let batches = assets(&Action::CreateMissing, 5..15, "new");
        plant.submit(&ticket, batches).await;
        let outcome = ticket.settled().await;
        assert_eq!(counts(&outcome), [5, 5, 0, 0, 0]);
        let mut skipped = ticket.take_skipped();
        skipped.sort_unstable();
        assert_eq!(skipped, [1, 2, 3, 4, 5]);
        assert_eq!(
            plant.by_ids("/assets", &["asset-5"]).await[0]["description"],
            "old"
        );
        let outcome = plant
            .write(assets(&Action::Update, 10..20, "changed"))
            .await;
        assert_eq!(counts(&outcome), [5, 5, 0, 0, 0]);
        assert!(plant.by_ids("/assets", &["asset-19"]).await.is_empty());
    });
}

#[test]
fn an_update_takes_away_what_is_null() {
    run(|plant| async move {
        plant.write(assets(&Action::Create, 0..1, "old")).await;
        let values = [vec![Some("asset-0"), None, Some("renamed")]];
        let columns = ["external_id", "description", "name"];
        let batches = rows(table("assets"), &Action::Update, &columns, values);
        assert_eq!(counts(&plant.write(batches).await), [1, 0, 0, 0, 0]);
        let asset = &plant.by_ids("/assets", &["asset-0"]).await[0];
        assert_eq!(asset["name"], "renamed");
        assert_eq!(asset.get("description"), None);
    });
}

#[test]
fn deleted_assets_are_gone_and_unknown_ones_do_no_harm() {
    run(|plant| async move {
        plant.write(assets(&Action::Create, 0..10, "old")).await;
        let names: Vec<String> = (5..15).map(|number| format!("asset-{number}")).collect();
        let values = names.iter().map(|name| vec![Some(name.as_str())]);
        let batches = rows(table("assets"), &Action::Delete, &["external_id"], values);
        let outcome = plant.write(batches).await;
        assert_eq!(outcome.rejected + outcome.failed + outcome.unknown, 0);
        let left = plant
            .by_ids("/assets", &["asset-4", "asset-5", "asset-9"])
            .await;
        assert_eq!(left.len(), 1);
    });
}

#[test]
fn a_row_that_points_at_nothing_is_blamed_and_the_others_are_written() {
    run(|plant| async move {
        let values = [
            vec![Some("a"), Some("a"), None, None],
            vec![Some("b"), Some("b"), Some("4711"), None],
            vec![Some("c"), Some("c"), None, Some("{no-such-label}")],
            vec![Some("d"), Some("d"), None, None],
        ];
        let columns = ["external_id", "name", "data_set_id", "labels"];
        let batches = rows(table("assets"), &Action::Create, &columns, values);
        let outcome = plant.write(batches).await;
        assert_eq!(counts(&outcome), [2, 0, 2, 0, 0], "{outcome:?}");
        let (row, reason) = outcome.first_error.expect("two rows are refused");
        assert_eq!(row, 2);
        assert_eq!(reason.sqlstate, SqlState::FOREIGN_KEY_VIOLATION);
        assert_eq!(reason.column.as_deref(), Some("data_set_id"));
    });
}

#[test]
fn every_kind_of_object_is_made() {
    run(|plant| async move {
        let one = |name: &str, columns: &[&str], values: Vec<Option<&str>>| {
            rows(table(name), &Action::Create, columns, [values])
        };
        let made = plant
            .write(one(
                "data_sets",
                &["external_id", "name"],
                vec![Some("ds"), Some("Set")],
            ))
            .await;
        assert_eq!(counts(&made), [1, 0, 0, 0, 0], "{made:?}");
        let data_set = plant.by_ids("/datasets", &["ds"]).await[0]["id"].to_string();
        let list = format!("{{{data_set}}}");
        let columns = "[{\"externalId\": \"c1\", \"valueType\": \"DOUBLE\"}, \
                       {\"externalId\": \"c2\", \"valueType\": \"STRING\"}]";
        let cases: Vec<Vec<RowBatch>> = vec![
            one(
                "labels",
                &["external_id", "name", "data_set_id"],
                vec![Some("pump"), Some("Pump"), Some(&list)],
            ),
            one(
                "assets",
                &["external_id", "name", "labels", "metadata", "data_set_id"],
                vec![
                    Some("a"),
                    Some("A"),
                    Some("{pump}"),
                    Some("{\"k\": \"v\"}"),
                    Some(&data_set),
                ],
            ),
            one(
                "events",
                &["external_id", "start_time", "end_time", "type"],
                vec![
                    Some("e"),
                    Some("2026-01-01T00:00:00Z"),
                    Some("2026-01-02T00:00:00Z"),
                    Some("stop"),
                ],
            ),
            one(
                "files",
                &["external_id", "name"],
                vec![Some("f"), Some("f.txt")],
            ),
            one(
                "relationships",
                &[
                    "external_id",
                    "source_external_id",
                    "source_type",
                    "target_external_id",
                    "target_type",
                    "confidence",
                ],
                vec![
                    Some("r"),
                    Some("a"),
                    Some("asset"),
                    Some("e"),
                    Some("event"),
                    Some("0.5"),
                ],
            ),
            one(
                "sequences",
                &["external_id", "columns"],
                vec![Some("q"), Some(columns)],
            ),
            one(
                "extraction_pipelines",
                &["external_id", "name", "data_set_id"],
                vec![Some("x"), Some("X"), Some(&data_set)],
            ),
            one(
                "extraction_pipeline_runs",
                &["external_id", "status", "message"],
                vec![Some("x"), Some("success"), Some("done")],
            ),
        ];
        for batches in cases {
            let name = match &batches[0] {
                RowBatch::Objects(batch) => batch.table.name,
                _ => "",
            };
            let outcome = plant.write(batches).await;
            assert_eq!(counts(&outcome), [1, 0, 0, 0, 0], "{name}: {outcome:?}");
        }
        let asset = &plant.by_ids("/assets", &["a"]).await[0];
        assert_eq!(asset["labels"], json!([{"externalId": "pump"}]));
        assert_eq!(asset["metadata"], json!({"k": "v"}));
        let label = &plant.by_ids("/labels", &["pump"]).await[0];
        assert_eq!(label["dataSetId"].to_string(), data_set);
    });
}

#[test]
fn rows_of_sequences_are_written_by_lists_and_by_names_and_cells_merge() {
    run(|plant| async move {
        let columns = "[{\"externalId\": \"c1\", \"valueType\": \"DOUBLE\"}, \
                       {\"externalId\": \"c2\", \"valueType\": \"STRING\"}]";
        let values = [
            vec![Some("q"), Some(columns)],
            vec![Some("p"), Some(columns)],
        ];
        let made = rows(
            table("sequences"),
            &Action::Create,
            &["external_id", "columns"],
            values,
        );
        assert_eq!(counts(&plant.write(made).await), [2, 0, 0, 0, 0]);
        let columns = ["values", "external_id", "row_number", "columns"];
        let values = [
            vec![Some("[1, \"a\"]"), Some("q"), Some("1"), Some("{c1,c2}")],
            vec![Some("[2.5]"), Some("q"), Some("2"), Some("{c1}")],
            vec![Some("{\"c2\": \"b\"}"), Some("q"), Some("2"), None],
            vec![Some("{\"c1\": 7}"), Some("p"), Some("1"), None],
            vec![Some("{\"c1\": 7}"), Some("none"), Some("1"), None],
        ];
        let batches = rows(table("sequence_rows"), &Action::Create, &columns, values);
        let outcome = plant.write(batches).await;
        assert_eq!(counts(&outcome), [4, 0, 1, 0, 0], "{outcome:?}");
        assert_eq!(outcome.first_error.map(|(row, _)| row), Some(5));
        let page = plant
            .post(
                "/sequences/data/list",
                json!({"externalId": "q", "columns": ["c1", "c2"], "limit": 10}),
            )
            .await;
        let cells: Vec<Value> = page["rows"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| row["values"].clone())
            .collect();
        assert_eq!(cells, [json!([1, "a"]), json!([2.5, "b"])]);
    });
}

#[test]
fn what_cdf_made_of_rows_is_told_where_it_is_wanted() {
    run(|plant| async move {
        let ticket = Ticket::wanting_objects();
        plant
            .submit(&ticket, assets(&Action::Create, 0..3, "new"))
            .await;
        assert_eq!(counts(&ticket.settled().await), [3, 0, 0, 0, 0]);
        let mut returned = ticket.take_returned();
        returned.sort_by_key(|(row, _)| *row);
        let names: Vec<String> = returned
            .iter()
            .map(|(row, object)| {
                let object: Value = serde_json::from_str(object.get()).expect("it is JSON");
                assert!(object["id"].as_i64().is_some_and(|id| id > 0), "{object}");
                format!("{row}: {}", object["externalId"])
            })
            .collect();
        assert_eq!(
            names,
            ["1: \"asset-0\"", "2: \"asset-1\"", "3: \"asset-2\""]
        );
    });
}

/// Assets of which each but the first is the child of the one before.
fn chain(order: impl Iterator<Item = usize>) -> Vec<RowBatch> {
    let names: Vec<(String, Option<String>)> = order
        .map(|number| {
            let parent = (number > 0).then(|| format!("link-{}", number - 1));
            (format!("link-{number}"), parent)
        })
        .collect();
    let values = names
        .iter()
        .map(|(name, parent)| vec![Some(name.as_str()), Some(name.as_str()), parent.as_deref()]);
    let columns = ["external_id", "name", "parent_external_id"];
    rows(table("assets"), &Action::Create, &columns, values)
}

#[test]
fn children_that_come_before_their_parents_are_made_after_them() {
    run(|plant| async move {
        // The last child comes first, four requests' worth before its parent's parent.
        let outcome = plant.write(chain((0..4_500).rev())).await;
        assert_eq!(
            counts(&outcome),
            [4_500, 0, 0, 0, 0],
            "{:?}",
            outcome.first_error
        );
        let last = &plant.by_ids("/assets", &["link-4499"]).await[0];
        let parent = &plant.by_ids("/assets", &["link-4498"]).await[0];
        assert_eq!(last["parentId"], parent["id"]);
    });
}

#[test]
fn children_wait_for_a_parent_that_a_later_statement_makes() {
    run(|plant| async move {
        let child = Ticket::new();
        let mut batches = chain(1..2);
        // More rows of the statement are to come.
        let RowBatch::Objects(_) = &batches[0] else {
            panic!("objects are written");
        };
        let first = batches.remove(0);
        let identity = plant.identity();
        let submission = Submission {
            identity: identity.clone(),
            part: child.part(1, 1),
            permit: plant.budget.acquire(first.bytes()).await,
            batch: first,
            connection: 7,
            ticket_waits: false,
            sent_before: None,
        };
        plant.intake.submit(Resource::Assets, submission);
        let parents = plant.write(chain(0..1)).await;
        assert_eq!(counts(&parents), [1, 0, 0, 0, 0]);
        assert_eq!(counts(&child.settled().await), [1, 0, 0, 0, 0]);
    });
}

#[test]
fn a_child_without_a_parent_is_refused_when_its_statement_ends() {
    run(|plant| async move {
        let began = std::time::Instant::now();
        let outcome = plant.write(chain(5..7)).await;
        // Well below the time for which silence is borne.
        assert!(began.elapsed() < std::time::Duration::from_secs(20));
        assert_eq!(counts(&outcome), [0, 0, 2, 0, 0], "{outcome:?}");
        let (row, reason) = outcome.first_error.expect("both rows are refused");
        assert_eq!((row, reason.sqlstate), (1, SqlState::FOREIGN_KEY_VIOLATION));
        assert_eq!(reason.column.as_deref(), Some("parent_external_id"));
    });
}
