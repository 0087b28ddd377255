//! Assets whose parents come with them, before them or after them.

use crate::plant::{counts, rows, run, table};
use penstock::catalog::Resource;
use penstock::diagnostic::SqlState;
use penstock::pipeline::{Submission, Ticket};
use penstock::rows::{Action, RowBatch};

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

#[test]
fn a_child_without_a_parent_does_not_wait_for_the_end_of_other_loads() {
    run(|plant| async move {
        // Another connection's statement is never over while this test runs.
        let other = Ticket::new();
        let identity = plant.identity();
        let batch = chain(3..4).remove(0);
        let submission = Submission {
            identity: identity.clone(),
            part: other.part(1, 1),
            permit: plant.budget.acquire(batch.bytes()).await,
            batch,
            connection: 7,
            ticket_waits: false,
            sent_before: None,
        };
        plant.intake.submit(Resource::Assets, submission);
        // Rows that share a request wait together: the other's has gone in one of its own.
        while plant.requests("assets.create").await == 0 {
            tokio::task::yield_now().await;
        }
        let began = std::time::Instant::now();
        let outcome = plant.write(chain(5..6)).await;
        assert_eq!(counts(&outcome), [0, 0, 1, 0, 0], "{outcome:?}");
        assert!(began.elapsed() < std::time::Duration::from_secs(20));
        assert!(!other.is_settled());
    });
}

#[test]
fn children_that_wait_in_silence_for_too_long_are_refused_with_what_to_do_about_it() {
    run(|plant| async move {
        // The statement never ends: its client may have to wait until memory is free.
        let child = Ticket::new();
        let batch = chain(1..2).remove(0);
        let submission = Submission {
            identity: plant.identity().clone(),
            part: child.part(1, 1),
            permit: plant.budget.acquire(batch.bytes()).await,
            batch,
            connection: 7,
            ticket_waits: false,
            sent_before: None,
        };
        plant.intake.submit(Resource::Assets, submission);
        let (_, reason) = child.settled().await.first_error.expect("it is refused");
        assert_eq!(reason.sqlstate, SqlState::FOREIGN_KEY_VIOLATION);
        let hint = reason.hint.expect("it says what to do");
        assert!(hint.contains("memory.rows_bytes_max"), "{hint}");
    });
}
