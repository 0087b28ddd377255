//! The whole pipeline against the local CDF, over HTTP: encoders, client, answers and verdicts
//! together.

use crate::rows::{datapoints, raw_rows};
use actix::System;
use penstock::catalog::{self, Resource};
use penstock::cdf::{Credentials, Identity, Project, Secret, TokenCache};
use penstock::diagnostic::SqlState;
use penstock::emulator::{self, EmulatorHandle, EmulatorOptions};
use penstock::pipeline::{Intake, MemoryBudget, Outcome, PipelineSettings, Submission, Ticket};
use penstock::rows::{
    Action, DatapointValues, ObjectBatch, ObjectColumn, ObjectValues, RowBatch, RowNumbers,
    SeriesReference, TextColumn, hash_key,
};
use std::future::Future;
use std::sync::Arc;

struct Pipeline {
    intake: Intake,
    memory: MemoryBudget,
    emulator: EmulatorHandle,
}

impl Pipeline {
    fn identity(&self, create_missing_time_series: bool) -> Arc<Identity> {
        Arc::new(Identity {
            project: Project {
                base_url: self.emulator.base_url(),
                name: "plant".to_owned(),
            },
            name: "client".to_owned(),
            credentials: Credentials::FixedToken(Secret::new("token")),
            create_missing_time_series,
            required_access: Default::default(),
        })
    }

    async fn deliver(
        &self,
        identity: Arc<Identity>,
        resource: Resource,
        batch: RowBatch,
    ) -> Outcome {
        let ticket = Ticket::new();
        let submission = Submission {
            identity,
            part: ticket.part(batch.rows() as u64, 1),
            permit: self.memory.connection().acquire(batch.bytes()).await,
            batch,
            connection: 1,
            ticket_waits: true,
            sent_before: None,
        };
        self.intake.submit(resource, submission);
        ticket.settled().await
    }

    async fn write(&self, points: &[(SeriesReference, i64)]) -> Outcome {
        let batch = datapoints(points, 1);
        self.deliver(self.identity(false), Resource::Datapoints, batch)
            .await
    }

    async fn make_series(&self, names: &[&str], is_string: bool) -> Outcome {
        let batch = series(names, is_string);
        self.deliver(self.identity(false), Resource::TimeSeries, batch)
            .await
    }
}

fn run<F: Future<Output = ()>>(test: impl FnOnce(Pipeline) -> F) {
    System::new().block_on(async {
        let emulator = emulator::start(EmulatorOptions::default()).expect("the local CDF starts");
        let tokens = Arc::new(TokenCache::new());
        let intake = Intake::start(PipelineSettings::default(), tokens).expect("it starts");
        test(Pipeline {
            intake,
            memory: MemoryBudget::new(1 << 20, 1 << 20),
            emulator,
        })
        .await;
    });
}

fn series(names: &[&str], is_string: bool) -> RowBatch {
    let table = catalog::table(None, "time_series").expect("the table exists");
    let column = |name| table.column_index(name).expect("the column exists");
    let mut external_ids = TextColumn::default();
    names
        .iter()
        .for_each(|name| external_ids.push(name.as_bytes()));
    RowBatch::Objects(ObjectBatch {
        table,
        action: Action::Create,
        rows: names.len(),
        columns: vec![
            ObjectColumn {
                column: column("external_id"),
                values: ObjectValues::Text(external_ids),
                present: vec![true; names.len()],
            },
            ObjectColumn {
                column: column("is_string"),
                values: ObjectValues::Bool(vec![is_string; names.len()]),
                present: vec![true; names.len()],
            },
        ],
        key_hashes: names.iter().map(|name| hash_key(*name)).collect(),
        row_numbers: RowNumbers::From(1),
    })
}

fn by_name(name: &str) -> SeriesReference {
    SeriesReference::ExternalId(name.into())
}

fn counts(outcome: &Outcome) -> (u64, u64, u64, u64) {
    (
        outcome.accepted,
        outcome.rejected,
        outcome.failed,
        outcome.unknown,
    )
}

fn first_error(outcome: &Outcome) -> (u64, SqlState) {
    let (row, reason) = outcome.first_error.as_ref().expect("a row is not accepted");
    (*row, reason.sqlstate)
}

#[test]
fn good_rows_arrive_beside_a_missing_series_and_one_of_the_wrong_type() {
    run(|pipeline| async move {
        assert_eq!(
            counts(&pipeline.make_series(&["a", "b"], false).await),
            (2, 0, 0, 0)
        );
        assert_eq!(
            counts(&pipeline.make_series(&["text"], true).await),
            (1, 0, 0, 0)
        );
        let points = [
            (by_name("a"), 1),
            (by_name("text"), 1),
            (by_name("b"), 1),
            (by_name("none"), 1),
            (by_name("a"), 2),
        ];
        let outcome = pipeline.write(&points).await;
        assert_eq!(counts(&outcome), (3, 2, 0, 0), "{outcome:?}");
        assert_eq!(first_error(&outcome), (2, SqlState::DATATYPE_MISMATCH));
        let outcome = pipeline.write(&points[3..]).await;
        assert_eq!(first_error(&outcome), (1, SqlState::FOREIGN_KEY_VIOLATION));
        let (_, reason) = outcome.first_error.expect("checked above");
        assert_eq!(reason.message, "time series \"none\" does not exist");
    });
}

#[test]
fn missing_series_are_made_with_the_type_of_their_table() {
    run(|pipeline| async move {
        let identity = pipeline.identity(true);
        let RowBatch::Datapoints(mut batch) = datapoints(&[(by_name("new"), 1)], 1) else {
            panic!("datapoints are made");
        };
        let mut values = TextColumn::default();
        values.push(b"open");
        batch.table = catalog::STRING_DATAPOINTS;
        batch.values = DatapointValues::Text(values);
        let batch = RowBatch::Datapoints(batch);
        let outcome = pipeline
            .deliver(identity, Resource::Datapoints, batch)
            .await;
        assert_eq!(counts(&outcome), (1, 0, 0, 0), "{outcome:?}");
        let outcome = pipeline.write(&[(by_name("new"), 1)]).await;
        assert_eq!(first_error(&outcome), (1, SqlState::DATATYPE_MISMATCH));
    });
}

#[test]
fn a_series_that_exists_is_refused_by_row_and_the_others_are_made() {
    run(|pipeline| async move {
        assert_eq!(
            counts(&pipeline.make_series(&["b"], false).await),
            (1, 0, 0, 0)
        );
        let outcome = pipeline.make_series(&["a", "b", "c"], false).await;
        assert_eq!(counts(&outcome), (2, 1, 0, 0), "{outcome:?}");
        assert_eq!(first_error(&outcome), (2, SqlState::UNIQUE_VIOLATION));
        let (_, reason) = outcome.first_error.expect("checked above");
        assert_eq!(
            reason.message,
            "duplicate key value violates unique constraint \"time_series_pkey\""
        );
    });
}

#[test]
fn a_series_is_written_by_an_id_that_cdf_has_and_not_by_one_that_it_has_not() {
    run(|pipeline| async move {
        let outcome = pipeline.write(&[(SeriesReference::Id(4711), 1)]).await;
        assert_eq!(counts(&outcome), (0, 1, 0, 0), "{outcome:?}");
        assert_eq!(first_error(&outcome), (1, SqlState::FOREIGN_KEY_VIOLATION));
    });
}

#[test]
fn raw_rows_make_their_database_and_table() {
    run(|pipeline| async move {
        let batch = raw_rows("measurements", &[1, 2, 3, 2], 1);
        let identity = pipeline.identity(false);
        let outcome = pipeline.deliver(identity, Resource::RawRows, batch).await;
        assert_eq!(counts(&outcome), (4, 0, 0, 0), "{outcome:?}");
    });
}

#[test]
fn an_address_where_nobody_listens_is_tried_until_the_ticket_is_cancelled() {
    run(|pipeline| async move {
        let mut identity = Identity {
            project: Project {
                base_url: "http://127.0.0.1:9".to_owned(),
                name: "plant".to_owned(),
            },
            name: "client".to_owned(),
            credentials: Credentials::FixedToken(Secret::new("token")),
            create_missing_time_series: false,
            required_access: Default::default(),
        };
        identity.name.push_str("-2");
        let identity = Arc::new(identity);
        let batch = raw_rows("t", &[1], 1);
        let ticket = Ticket::new();
        let submission = Submission {
            identity: identity.clone(),
            part: ticket.part(1, 1),
            permit: pipeline.memory.connection().acquire(batch.bytes()).await,
            batch,
            connection: 1,
            ticket_waits: true,
            sent_before: None,
        };
        pipeline.intake.submit(Resource::RawRows, submission);
        ticket.abort();
        pipeline.intake.cancelled(&identity, Resource::RawRows);
        let outcome = ticket.settled().await;
        assert_eq!(counts(&outcome), (0, 0, 1, 0), "{outcome:?}");
        assert_eq!(first_error(&outcome), (1, SqlState::QUERY_CANCELED));
    });
}
