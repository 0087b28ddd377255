//! Transactions that are larger than the memory for them: rows wait on disk.

use crate::client::Client;
use crate::gateway::Gateway;
use penstock::pipeline::MemoryBudget;
use penstock::wire::WireSettings;
use std::path::{Path, PathBuf};

const COPY: &str = "copy double_datapoints (external_id, timestamp, value) from stdin";

/// A directory of one test, that goes with it.
struct Directory(PathBuf);

impl Directory {
    fn of(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("spool-{test}-{}", std::process::id()));
        Directory(path)
    }

    fn is_empty(&self) -> bool {
        std::fs::read_dir(&self.0)
            .expect("the directory is there")
            .next()
            .is_none()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Room for one batch in memory, and for many on disk.
fn small(directory: &Directory) -> impl FnOnce(&mut WireSettings) + use<> {
    let path = directory.0.clone();
    move |settings| {
        settings.copy.batch_rows = 500;
        settings.transactions.staged_bytes_max = 15_000;
        settings.transactions.staged_bytes_max_total = 60_000;
        settings.transactions.spool_directory = Some(path);
    }
}

fn insert(value: usize) -> String {
    format!(
        "insert into double_datapoints (external_id, timestamp, value) \
         values ('pump', '2026-01-01T00:00:00Z', {value})"
    )
}

fn row(value: usize) -> String {
    format!("datapoints ExternalId(\"pump\") 1767225600000 {value}")
}

fn lines(rows: std::ops::Range<usize>) -> String {
    rows.map(|row| format!("pump\t2026-01-01T00:00:00Z\t{row}\n"))
        .collect()
}

fn copy(client: &mut Client, rows: std::ops::Range<usize>) -> Vec<String> {
    client.send_query(COPY);
    assert_eq!(client.line(), "CopyIn 0");
    client.copy_data(lines(rows));
    client.copy_done();
    client.transcript()
}

#[test]
fn rows_beyond_memory_wait_on_disk_and_are_delivered_in_order() {
    let directory = Directory::of("order");
    // Far less memory for rows under way than the transaction has.
    let budget = MemoryBudget::new(10_000, 10_000);
    let gateway = Gateway::start_within(budget.clone(), small(&directory), None);
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    client.query(&insert(0));
    assert_eq!(
        copy(&mut client, 1..5000),
        ["Complete COPY 4999", "Ready T"]
    );
    client.query("insert into time_series (external_id) values ('valve')");
    assert_eq!(
        copy(&mut client, 5000..5010),
        ["Complete COPY 10", "Ready T"]
    );
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
    assert!(directory.is_empty(), "a spool file has no name");
    assert_eq!(client.query("commit"), ["Complete COMMIT", "Ready I"]);
    let mut expected: Vec<String> = (0..5000).map(row).collect();
    expected.push("time_series time_series row 0".to_owned());
    expected.extend((5000..5010).map(row));
    assert_eq!(gateway.pipeline.rows(), expected);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn rollback_drops_rows_on_disk_and_gives_their_room_back() {
    let directory = Directory::of("rollback");
    let gateway = Gateway::start_with(
        |settings| {
            small(&directory)(settings);
            settings.transactions.spool_bytes_max = 60_000;
            settings.transactions.spool_bytes_max_total = 60_000;
        },
        None,
    );
    let mut client = Client::signed_in(&gateway);
    // Each takes more than half of the room.
    for _ in 0..3 {
        client.query("begin");
        assert_eq!(
            copy(&mut client, 0..2000),
            ["Complete COPY 2000", "Ready T"]
        );
        assert_eq!(client.query("rollback"), ["Complete ROLLBACK", "Ready I"]);
    }
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn savepoints_take_rows_on_disk_back() {
    let directory = Directory::of("savepoints");
    let gateway = Gateway::start_with(small(&directory), None);
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    copy(&mut client, 0..500);
    client.query("savepoint a");
    copy(&mut client, 500..1000);
    client.query("savepoint b");
    copy(&mut client, 1000..1500);
    assert_eq!(client.query("nonsense"), ["error 42601", "Ready E"]);
    assert_eq!(
        client.query("rollback to b"),
        ["Complete ROLLBACK", "Ready T"]
    );
    copy(&mut client, 1500..2000);
    assert_eq!(
        client.query("rollback to a"),
        ["Complete ROLLBACK", "Ready T"]
    );
    copy(&mut client, 2000..2500);
    client.query("release a");
    assert_eq!(client.query("commit"), ["Complete COMMIT", "Ready I"]);
    let expected: Vec<String> = (0..500).chain(2000..2500).map(row).collect();
    assert_eq!(gateway.pipeline.rows(), expected);
}

#[test]
fn rows_of_savepoints_that_are_rolled_back_again_and_again_take_no_room() {
    let directory = Directory::of("again");
    let gateway = Gateway::start_with(
        |settings| {
            small(&directory)(settings);
            settings.transactions.spool_bytes_max = 60_000;
        },
        None,
    );
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    copy(&mut client, 0..1000);
    client.query("savepoint s");
    for _ in 0..10 {
        assert_eq!(
            copy(&mut client, 1000..2000),
            ["Complete COPY 1000", "Ready T"]
        );
        client.query("rollback to s");
    }
    assert_eq!(client.query("commit"), ["Complete COMMIT", "Ready I"]);
    assert_eq!(gateway.pipeline.rows().len(), 1000);
}

#[test]
fn a_transaction_beyond_its_room_on_disk_says_how_many_rows_it_holds() {
    let directory = Directory::of("beyond");
    let gateway = Gateway::start_with(
        |settings| {
            small(&directory)(settings);
            settings.transactions.spool_bytes_max = 60_000;
        },
        None,
    );
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    copy(&mut client, 0..500);
    client.query("savepoint s");
    assert_eq!(copy(&mut client, 500..10_000), ["error 53400", "Ready E"]);
    let detail = &client.fields[&'D'];
    assert!(detail.contains("rows wait"), "{detail}");
    assert!(
        detail.contains("bytes on disk; none were sent."),
        "{detail}"
    );
    assert!(client.fields[&'H'].contains("transactions.spool_bytes_max"));
    assert_eq!(
        client.query("rollback to s"),
        ["Complete ROLLBACK", "Ready T"]
    );
    assert_eq!(client.query("commit"), ["Complete COMMIT", "Ready I"]);
    assert_eq!(
        gateway.pipeline.rows(),
        (0..500).map(row).collect::<Vec<_>>()
    );
}

#[test]
fn a_commit_of_rows_on_disk_that_fails_says_how_many_were_written() {
    let directory = Directory::of("refused");
    let gateway = Gateway::start_with(small(&directory), None);
    gateway.pipeline.refuse_value(700.0);
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    copy(&mut client, 0..2000);
    assert_eq!(client.query("commit"), ["error 23503", "Ready I"]);
    assert!(client.fields[&'W'].contains("COPY double_datapoints, row 701"));
    assert_eq!(
        client.fields[&'D'],
        "999 of 2000 rows are in CDF, 1 was refused, 1000 were not sent."
    );
}

#[test]
fn a_query_of_many_statements_gathers_on_disk_so_that_an_error_undoes_all() {
    let directory = Directory::of("query");
    let gateway = Gateway::start_with(small(&directory), None);
    let mut client = Client::signed_in(&gateway);
    let values: Vec<String> = (0..1000)
        .map(|value| format!("('pump', '2026-01-01T00:00:00Z', {value})"))
        .collect();
    let many = format!(
        "insert into double_datapoints (external_id, timestamp, value) values {}",
        values.join(", ")
    );
    assert_eq!(
        client.query(&format!("{many}; insert into nowhere values (1)")),
        ["error 42P01", "Ready I"]
    );
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
    assert_eq!(
        client.query(&format!("{many}; {}", insert(1000))),
        ["Complete INSERT 0 1000", "Complete INSERT 0 1", "Ready I"]
    );
    assert_eq!(
        gateway.pipeline.rows(),
        (0..=1000).map(row).collect::<Vec<_>>()
    );
}

#[test]
fn a_spool_directory_that_cannot_be_used_keeps_the_gateway_from_starting() {
    let error = penstock::spool::SpoolStore::open(Path::new("/proc/spool"), 1, 1)
        .expect_err("nothing can be made there");
    assert!(error.to_string().contains("/proc/spool"), "{error}");
}
