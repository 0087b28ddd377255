//! The store: what is added is there, also after a restart, and what goes is told.

use super::letters::{Directory, letter, time};
use penstock::dead_letters::{
    Database, DeadLetterSettings, DeadLetterStore, Edit, LetterFilter, LetterReason, LetterState,
    ReplayEnd, StoreError,
};
use std::os::unix::fs::PermissionsExt;

const BYTES_MAX: u64 = 64 << 20;

fn open(directory: &Directory) -> DeadLetterStore {
    DeadLetterStore::open(directory.path(), &DeadLetterSettings::default()).expect("it opens")
}

fn ids(database: &Database, filter: &LetterFilter) -> Vec<i64> {
    let letters = database.page(filter, 0, 1000).expect("readable");
    letters.iter().map(|letter| letter.id).collect()
}

#[tokio::test]
async fn a_letter_comes_back_whole_after_a_restart() {
    let directory = Directory::new();
    let store = open(&directory);
    let mut odd = letter("pump", "23503");
    odd.row.values = vec![None, Some("tab\t\"é\"".to_owned()), Some(String::new())];
    store
        .add(vec![letter("pump", "23503"), odd])
        .await
        .expect("stored");
    drop(store);
    // The thread of the first store lets go of the directory when it has seen its end.
    let store = loop {
        match DeadLetterStore::open(directory.path(), &DeadLetterSettings::default()) {
            Ok(store) => break store,
            Err(StoreError::Failed(fault)) if fault.contains("another gateway") => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    let letters = store
        .page(LetterFilter::default(), 0, 10)
        .await
        .expect("readable");
    assert_eq!(letters.len(), 2);
    let first = &letters[0];
    assert_eq!(first.state, LetterState::Open);
    assert_eq!(
        (first.table.as_str(), first.resource.as_str()),
        ("double_datapoints", "datapoints")
    );
    assert_eq!(
        (first.user.as_str(), first.identity.as_str()),
        ("writer", "client")
    );
    assert_eq!(first.columns, ["value", "timestamp", "external_id"]);
    assert_eq!(first.reason.cdf_code, Some(400));
    assert_eq!(first.reason.request_id.as_deref(), Some("abc"));
    assert_eq!((first.line, first.row_number), (Some(3), Some(2)));
    assert_eq!(
        first.key.as_deref(),
        Some(r#"["external_id","pump","2026-01-01 00:00:00+00"]"#)
    );
    let values = [None, Some("tab\t\"é\"".to_owned()), Some(String::new())];
    assert_eq!(letters[1].values, values);
    assert!(letters[1].id > first.id);
}

#[tokio::test]
async fn callers_at_once_are_all_stored() {
    let directory = Directory::new();
    let store = open(&directory);
    let adds = (0..200).map(|caller| {
        let store = store.clone();
        async move {
            store
                .add(vec![letter(&format!("s{caller}"), "23503")])
                .await
        }
    });
    for added in futures::future::join_all(adds).await {
        added.expect("stored");
    }
    let totals = store.totals().await.expect("readable");
    assert_eq!((totals.letters, totals.open), (200, 200));
    assert!(totals.bytes > 0);
}

#[tokio::test]
async fn a_row_of_the_journal_handed_over_twice_is_one_letter() {
    let directory = Directory::new();
    let store = open(&directory);
    for _ in 0..2 {
        let mut again = letter("pump", "23503");
        again.journal_row = Some("datapoints/7/3".to_owned());
        store
            .add(vec![again, letter("other", "23503")])
            .await
            .expect("stored");
    }
    assert_eq!(store.totals().await.expect("readable").letters, 3);
}

#[test]
fn the_files_are_for_their_owner_alone_and_one_gateway_at_a_time() {
    let directory = Directory::new();
    let _store = open(&directory);
    for entry in std::fs::read_dir(directory.path()).expect("readable") {
        let entry = entry.expect("readable");
        let mode = entry.metadata().expect("readable").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
    }
    let mode = std::fs::metadata(directory.path())
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    let second = DeadLetterStore::open(directory.path(), &DeadLetterSettings::default());
    assert!(matches!(second, Err(StoreError::Failed(fault)) if fault.contains("another gateway")));
}

#[test]
fn filters_choose_and_pages_go_on() {
    let directory = Directory::new();
    let mut database = Database::open(directory.path()).expect("it opens");
    for (day, sqlstate) in [("01", "23503"), ("02", "22P02"), ("03", "23503")] {
        let now = time(&format!("2026-01-{day}T00:00:00Z"));
        database
            .add(&[&[letter(day, sqlstate)]], now, BYTES_MAX)
            .expect("stored");
    }
    let all = ids(&database, &LetterFilter::default());
    assert_eq!(all.len(), 3);
    let by_state = LetterFilter {
        sqlstate: Some("23503".to_owned()),
        ..LetterFilter::default()
    };
    assert_eq!(ids(&database, &by_state), [all[0], all[2]]);
    let by_time = LetterFilter {
        since: Some(time("2026-01-02T00:00:00Z")),
        until: Some(time("2026-01-03T00:00:00Z")),
        ..LetterFilter::default()
    };
    assert_eq!(ids(&database, &by_time), [all[1]]);
    assert_eq!(ids(&database, &LetterFilter::one(all[2])), [all[2]]);
    let other_table = LetterFilter {
        table: Some("raw_rows' OR '1'='1".to_owned()),
        ..LetterFilter::default()
    };
    assert!(ids(&database, &other_table).is_empty());
    let page = database
        .page(&LetterFilter::default(), all[0], 1)
        .expect("readable");
    assert_eq!(page.len(), 1);
    assert_eq!(page[0].id, all[1]);
}

#[test]
fn an_edit_changes_all_or_nothing_and_never_a_replayed_letter() {
    let directory = Directory::new();
    let mut database = Database::open(directory.path()).expect("it opens");
    let now = time("2026-01-01T00:00:00Z");
    database
        .add(
            &[&[letter("a", "23503"), letter("b", "23503")]],
            now,
            BYTES_MAX,
        )
        .expect("stored");
    let all = ids(&database, &LetterFilter::default());
    let edit = |id, value: &str| Edit {
        id,
        columns: vec!["value".to_owned()],
        values: vec![Some(value.to_owned())],
    };
    let refused = database.edit(&[edit(all[0], "1"), edit(999, "2")]);
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    let read = |database: &Database, id| {
        database
            .page(&LetterFilter::one(id), 0, 1)
            .expect("readable")
            .remove(0)
    };
    assert_eq!(read(&database, all[0]).state, LetterState::Open);
    database.edit(&[edit(all[0], "7")]).expect("edited");
    let edited = read(&database, all[0]);
    assert_eq!(edited.state, LetterState::Edited);
    assert_eq!(edited.values, [Some("7".to_owned())]);
    let reason = LetterReason {
        sqlstate: "22P02".to_owned(),
        ..LetterReason::default()
    };
    let ends = [
        (all[0], ReplayEnd::Accepted),
        (all[1], ReplayEnd::Refused(reason)),
    ];
    database.note_replays(&ends, now).expect("noted");
    let replayed = read(&database, all[0]);
    assert_eq!(
        (replayed.state, replayed.replays),
        (LetterState::Replayed, 1)
    );
    assert_eq!(replayed.replayed, Some(now));
    let refused = read(&database, all[1]);
    assert_eq!((refused.state, refused.replays), (LetterState::Open, 1));
    assert_eq!(refused.reason.sqlstate, "22P02");
    assert!(matches!(
        database.edit(&[edit(all[0], "8")]),
        Err(StoreError::Refused(_))
    ));
}

#[test]
fn at_the_bound_replayed_letters_go_first_then_the_oldest_and_the_range_is_told() {
    let directory = Directory::new();
    let mut database = Database::open(directory.path()).expect("it opens");
    let large = || {
        let mut large = letter("x", "23503");
        large.row.values[0] = Some("9".repeat(100_000));
        large
    };
    let now = time("2026-01-01T00:00:00Z");
    for _ in 0..10 {
        database.add(&[&[large()]], now, BYTES_MAX).expect("stored");
    }
    let before = ids(&database, &LetterFilter::default());
    database
        .note_replays(&[(before[4], ReplayEnd::Accepted)], now)
        .expect("noted");
    let bound = database.totals().expect("readable").bytes + 10_000;
    let added = database.add(&[&[large()]], now, bound).expect("stored");
    assert_eq!((added.purged.letters, added.purged.not_replayed), (1, 0));
    assert_eq!(added.purged.first_id, before[4]);
    let added = database
        .add(&[&[large(), large()]], now, bound)
        .expect("stored");
    assert_eq!((added.purged.letters, added.purged.not_replayed), (2, 2));
    assert_eq!(
        (added.purged.first_id, added.purged.last_id),
        (before[0], before[1])
    );
    assert_eq!(added.purged.oldest, Some(now));
    let totals = database.totals().expect("readable");
    assert!(totals.bytes <= bound);
    assert_eq!(totals.letters, 10);
    // What can never fit is refused, and nothing is deleted for it.
    let too_many: Vec<_> = (0..12).map(|_| large()).collect();
    let refused = database.add(&[&too_many], now, bound);
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    assert_eq!(database.totals().expect("readable").letters, 10);
}

#[tokio::test]
async fn letters_that_are_too_old_go_when_the_store_opens() {
    let directory = Directory::new();
    let mut database = Database::open(directory.path()).expect("it opens");
    for days in [100, 1] {
        let made = jiff::Timestamp::now()
            .checked_sub(jiff::SignedDuration::from_hours(24 * days))
            .expect("in range");
        database
            .add(&[&[letter("a", "23503")]], made, BYTES_MAX)
            .expect("stored");
    }
    drop(database);
    let store = open(&directory);
    assert_eq!(store.totals().await.expect("readable").letters, 1);
}
