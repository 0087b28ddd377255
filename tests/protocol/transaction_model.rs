//! Any sequence of statements, savepoints and errors ends as PostgreSQL's rules say, wherever
//! the rows wait meanwhile: in memory, on disk, or both.
//!
//! The model is a list of rows and a list of savepoints; a failed sequence is shrunk, and printed
//! with its seed.

use crate::client::Client;
use crate::gateway::Gateway;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
enum Step {
    /// So many rows, by INSERT or COPY.
    Insert(usize),
    Copy(usize),
    Savepoint(u8),
    Release(u8),
    RollBackTo(u8),
    Wrong,
    /// A second transaction in the same session: COMMIT or ROLLBACK of the first.
    End {
        commits: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    // Three names, so that they nest and are used again.
    let name = 0..3_u8;
    prop_oneof![
        4 => (1..400_usize).prop_map(Step::Insert),
        3 => (1..1500_usize).prop_map(Step::Copy),
        4 => name.clone().prop_map(Step::Savepoint),
        2 => name.clone().prop_map(Step::Release),
        4 => name.prop_map(Step::RollBackTo),
        1 => Just(Step::Wrong),
        1 => any::<bool>().prop_map(|commits| Step::End { commits }),
    ]
}

/// What PostgreSQL would hold.
#[derive(Default)]
struct Model {
    committed: Vec<usize>,
    rows: Vec<usize>,
    savepoints: Vec<(u8, usize)>,
    has_failed: bool,
    next_row: usize,
}

impl Model {
    /// Rows that the next statement writes.
    fn next(&mut self, count: usize) -> std::ops::Range<usize> {
        let first = self.next_row;
        self.next_row += count;
        first..self.next_row
    }

    /// Takes a step; returns the last two messages of its answer.
    fn take(&mut self, step: &Step, written: std::ops::Range<usize>) -> [String; 2] {
        let answer = match (step, self.has_failed) {
            (Step::End { commits }, has_failed) => {
                let rows = std::mem::take(&mut self.rows);
                self.savepoints.clear();
                self.has_failed = false;
                let commits = *commits && !has_failed;
                if commits {
                    self.committed.extend(rows);
                }
                let tag = if commits { "COMMIT" } else { "ROLLBACK" };
                return [format!("Complete {tag}"), "Ready I".to_owned()];
            }
            (Step::RollBackTo(name), _) => match self.position(*name) {
                Some(index) => {
                    self.rows.truncate(self.savepoints[index].1);
                    self.savepoints.truncate(index + 1);
                    self.has_failed = false;
                    "Complete ROLLBACK".to_owned()
                }
                None => self.fail("3B001"),
            },
            (Step::Wrong, _) => self.fail("42601"),
            (_, true) => self.fail("25P02"),
            (Step::Insert(count), false) => {
                self.rows.extend(written);
                format!("Complete INSERT 0 {count}")
            }
            (Step::Copy(count), false) => {
                self.rows.extend(written);
                format!("Complete COPY {count}")
            }
            (Step::Savepoint(name), false) => {
                self.savepoints.push((*name, self.rows.len()));
                "Complete SAVEPOINT".to_owned()
            }
            (Step::Release(name), false) => match self.position(*name) {
                Some(index) => {
                    self.savepoints.truncate(index);
                    "Complete RELEASE".to_owned()
                }
                None => self.fail("3B001"),
            },
        };
        let status = if self.has_failed {
            "Ready E"
        } else {
            "Ready T"
        };
        [answer, status.to_owned()]
    }

    fn fail(&mut self, sqlstate: &str) -> String {
        self.has_failed = true;
        format!("error {sqlstate}")
    }

    fn position(&self, name: u8) -> Option<usize> {
        self.savepoints
            .iter()
            .rposition(|(known, _)| *known == name)
    }
}

/// Sends a step; returns the last two messages of its answer.
fn send(client: &mut Client, step: &Step, rows: std::ops::Range<usize>) -> Vec<String> {
    let lines = match step {
        Step::Insert(_) => {
            let values: Vec<String> = rows
                .map(|row| format!("('pump', '2026-01-01T00:00:00Z', {row})"))
                .collect();
            client.query(&format!(
                "insert into double_datapoints (external_id, timestamp, value) values {}",
                values.join(", ")
            ))
        }
        Step::Copy(_) => {
            client.send_query("copy double_datapoints (external_id, timestamp, value) from stdin");
            let data: String = rows
                .map(|row| format!("pump\t2026-01-01T00:00:00Z\t{row}\n"))
                .collect();
            let first = client.line();
            if first == "CopyIn 0" {
                client.copy_data(data);
                client.copy_done();
                client.transcript()
            } else {
                [vec![first], client.transcript()].concat()
            }
        }
        Step::Savepoint(name) => client.query(&format!("savepoint s{name}")),
        Step::Release(name) => client.query(&format!("release s{name}")),
        Step::RollBackTo(name) => client.query(&format!("rollback to s{name}")),
        Step::Wrong => client.query("selekt"),
        Step::End { commits: true } => client.query("commit"),
        Step::End { commits: false } => client.query("rollback"),
    };
    lines[lines.len().saturating_sub(2)..].to_vec()
}

#[test]
fn any_sequence_of_savepoints_and_errors_ends_as_postgresql_says() {
    let directory: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("transaction-model-{}", std::process::id()));
    let path = directory.clone();
    let gateway = Gateway::start_with(
        move |settings| {
            settings.copy.batch_rows = 100;
            // A few batches: most sequences have rows on both sides of the bound.
            settings.transactions.staged_bytes_max = 25_000;
            settings.transactions.spool_directory = Some(path);
        },
        None,
    );
    let config = Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let steps = prop::collection::vec(step(), 1..30);
    let result = TestRunner::new(config).run(&steps, |mut steps| {
        steps.push(Step::End { commits: true });
        let before = gateway.pipeline.rows().len();
        let mut client = Client::signed_in(&gateway);
        let mut model = Model::default();
        client.query("begin");
        for step in &steps {
            let rows = match step {
                Step::Insert(count) | Step::Copy(count) => model.next(*count),
                _ => 0..0,
            };
            let expected = model.take(step, rows.clone());
            prop_assert_eq!(send(&mut client, step, rows), expected, "{:?}", step);
            if matches!(step, Step::End { .. }) {
                client.query("begin");
            }
        }
        let delivered: Vec<String> = model
            .committed
            .iter()
            .map(|row| format!("datapoints ExternalId(\"pump\") 1767225600000 {row}"))
            .collect();
        prop_assert_eq!(&gateway.pipeline.rows()[before..], &delivered[..]);
        Ok(())
    });
    drop(gateway);
    let _ = std::fs::remove_dir_all(directory);
    if let Err(error) = result {
        panic!("{error}");
    }
}
