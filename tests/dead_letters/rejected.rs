//! Rows that the journal had acknowledged: kept whole, once, and told as what they are.

use super::letters::Directory;
use penstock::catalog;
use penstock::cdf::Project;
use penstock::dead_letters::{
    DeadLetterSettings, DeadLetterStore, Letter, LetterFilter, LetterSource,
};
use penstock::diagnostic::{CdfAnswer, Diagnostic, SqlState};
use penstock::pipeline::{RejectedFate, RejectedRows, Rejection};
use penstock::rows::value::ValueSettings;
use penstock::rows::{AnyBuilder, BatchBounds, RowBatch, RowBuilder, WireFormat};
use std::time::{Duration, UNIX_EPOCH};

/// Rows 11, 12, … of RAW table t in database db.
fn batch(rows: u64) -> RowBatch {
    let bounds = BatchBounds {
        rows: 10_000,
        bytes: 1 << 20,
    };
    let columns = [0, 1, 2, 3];
    let settings = ValueSettings::default();
    let mut builder = AnyBuilder::new(catalog::RAW_ROWS, &columns, settings, bounds);
    for row in 0..rows {
        let key = format!("k{row}");
        for (column, value) in columns.iter().zip(["db", "t", &key, "{\"a\": \"\\t\"}"]) {
            builder
                .field(*column, WireFormat::Text, value.as_bytes())
                .expect("the column takes the value");
        }
        builder.finish_row(11 + row).expect("the row is whole");
    }
    builder.take().pop().expect("one batch")
}

fn keep(store: &DeadLetterStore, batch: &RowBatch, rows: &[std::ops::Range<usize>]) {
    keep_of(store, batch, rows, 1_000_000_000);
}

fn keep_of(
    store: &DeadLetterStore,
    batch: &RowBatch,
    rows: &[std::ops::Range<usize>],
    acknowledged_s: u64,
) {
    let project = Project {
        base_url: "http://127.0.0.1:1".to_owned(),
        name: "plant".to_owned(),
    };
    let reason = Diagnostic::error(SqlState::UNIQUE_VIOLATION, "it exists already")
        .with_detail("CDF said: no.")
        .with_answer(CdfAnswer {
            code: 409,
            request_id: Some("abc".to_owned()),
        });
    let rejection = Rejection {
        record: 7,
        user: "writer",
        identity: "client",
        project: &project,
        table: batch.table(),
        batch,
        rows,
        fate: RejectedFate::Unknown,
        reason: &reason,
        acknowledged_at: UNIX_EPOCH + Duration::from_secs(acknowledged_s),
    };
    store.keep(&rejection).expect("kept");
}

fn read(store: &DeadLetterStore) -> Vec<Letter> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let mut letters: Vec<Letter> = Vec::new();
    loop {
        let after = letters.last().map_or(0, |letter| letter.id);
        let page = store.page(LetterFilter::default(), after, 1000);
        let page = runtime.block_on(page).expect("readable");
        if page.is_empty() {
            return letters;
        }
        letters.extend(page);
    }
}

#[test]
fn each_rejected_row_is_a_letter_and_the_others_are_none() {
    let directory = Directory::new();
    let store =
        DeadLetterStore::open(directory.path(), &DeadLetterSettings::default()).expect("it opens");
    keep(&store, &batch(6), &[1..2, 4..6]);
    let letters = read(&store);
    let numbers: Vec<_> = letters.iter().map(|letter| letter.row_number).collect();
    assert_eq!(numbers, [Some(12), Some(15), Some(16)]);
    let letter = &letters[0];
    assert_eq!(letter.source, LetterSource::UnknownOutcome);
    assert_eq!(
        letter.columns,
        ["_raw_database", "_raw_table", "_raw_key", "_raw_columns"]
    );
    let values: Vec<&str> = letter.values.iter().flatten().map(String::as_str).collect();
    assert_eq!(values, ["db", "t", "k1", "{\"a\": \"\\t\"}"]);
    assert_eq!(letter.key.as_deref(), Some(r#"["db","t","k1"]"#));
    assert_eq!(letter.reason.sqlstate, "23505");
    assert_eq!(letter.reason.cdf_code, Some(409));
    assert_eq!(letter.reason.request_id.as_deref(), Some("abc"));
    let acknowledged = letter.acknowledged.expect("it was acknowledged");
    assert_eq!(acknowledged.as_second(), 1_000_000_000);
}

#[test]
fn a_rejection_that_comes_again_after_a_crash_is_kept_once() {
    let directory = Directory::new();
    let store =
        DeadLetterStore::open(directory.path(), &DeadLetterSettings::default()).expect("it opens");
    let batch = batch(2500);
    keep(&store, &batch, &[0..600, 600..1200]);
    keep(&store, &batch, &[0..1000, 1000..2500]);
    assert_eq!(read(&store).len(), 2500);
    // A journal that was begun anew has other rows under the same number.
    keep_of(&store, &batch, &[0..1, 1..3], 1_000_000_001);
    assert_eq!(read(&store).len(), 2503);
}
