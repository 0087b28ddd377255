//! Transactions that send their rows at once, and COPY that sends them last.

use crate::client::Client;
use crate::gateway::Gateway;
use penstock::config::{CopyMode, TransactionMode};

const COPY: &str = "copy double_datapoints (external_id, timestamp, value) from stdin";

fn insert(value: i32) -> String {
    format!(
        "insert into double_datapoints (external_id, timestamp, value) \
         values ('pump', '2026-01-01T00:00:00Z', {value})"
    )
}

fn row(value: i32) -> String {
    format!("datapoints ExternalId(\"pump\") 1767225600000 {value}")
}

fn lines(rows: std::ops::Range<u32>) -> String {
    rows.map(|row| format!("pump\t2026-01-01T00:00:00Z\t{row}\n"))
        .collect()
}

fn streaming() -> (Gateway, Client) {
    let gateway = Gateway::start();
    let client = Client::signed_in_with(&gateway, &[("penstock.transaction", "streaming")]);
    (gateway, client)
}

#[test]
fn rows_of_a_streaming_transaction_are_in_cdf_when_their_statement_is_answered() {
    let (gateway, mut client) = streaming();
    assert_eq!(client.query("begin"), ["Complete BEGIN", "Ready T"]);
    assert_eq!(client.query(&insert(1)), ["Complete INSERT 0 1", "Ready T"]);
    assert_eq!(gateway.pipeline.rows(), [row(1)]);
    gateway.pipeline.hold();
    client.send_query(&insert(2));
    gateway.pipeline.wait_for_rows(2);
    assert!(client.hears_nothing());
    gateway.pipeline.release();
    assert_eq!(client.transcript(), ["Complete INSERT 0 1", "Ready T"]);
    assert_eq!(client.query("commit"), ["Complete COMMIT", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [row(1), row(2)]);
}

#[test]
fn rollback_of_a_streaming_transaction_warns_of_the_rows_that_stay() {
    let (gateway, mut client) = streaming();
    client.query("begin");
    client.query(&insert(1));
    client.send_query(COPY);
    assert_eq!(client.line(), "CopyIn 0");
    client.copy_data(lines(2..5));
    client.copy_done();
    assert_eq!(client.transcript(), ["Complete COPY 3", "Ready T"]);
    assert_eq!(
        client.query("rollback"),
        ["warning 01000", "Complete ROLLBACK", "Ready I"]
    );
    assert_eq!(
        client.fields[&'D'],
        "4 rows of the transaction are in CDF and stay there."
    );
    assert_eq!(gateway.pipeline.rows().len(), 4);
    // One that wrote nothing has nothing to warn of.
    client.query("begin");
    assert_eq!(client.query("rollback"), ["Complete ROLLBACK", "Ready I"]);
}

#[test]
fn an_error_in_a_streaming_transaction_says_what_was_written_and_fails_the_block() {
    let (gateway, mut client) = streaming();
    gateway.pipeline.refuse_value(2.0);
    client.query("begin");
    client.query(&insert(1));
    assert_eq!(client.query(&insert(2)), ["error 23503", "Ready E"]);
    assert_eq!(
        client.fields[&'D'],
        "0 of 1 rows are in CDF, 1 was refused.\n\
         1 row of the transaction is in CDF and stays there."
    );
    assert_eq!(client.query(&insert(3)), ["error 25P02", "Ready E"]);
    assert_eq!(
        client.query("commit"),
        ["warning 01000", "Complete ROLLBACK", "Ready I"]
    );
    assert_eq!(gateway.pipeline.rows(), [row(1), row(2)]);
}

#[test]
fn savepoints_of_a_streaming_transaction_warn() {
    let (gateway, mut client) = streaming();
    client.query("begin");
    client.query(&insert(1));
    assert_eq!(
        client.query("savepoint a"),
        ["warning 01000", "Complete SAVEPOINT", "Ready T"]
    );
    // Once is enough.
    assert_eq!(
        client.query("savepoint b"),
        ["Complete SAVEPOINT", "Ready T"]
    );
    assert_eq!(
        client.query("rollback to b"),
        ["Complete ROLLBACK", "Ready T"]
    );
    client.query(&insert(2));
    client.query(&insert(3));
    client.query("selekt");
    assert_eq!(
        client.query("rollback to a"),
        ["warning 01000", "Complete ROLLBACK", "Ready T"]
    );
    assert_eq!(
        client.fields[&'D'],
        "2 rows of the transaction since the savepoint are in CDF and stay there."
    );
    assert_eq!(client.query("rollback to b"), ["error 3B001", "Ready E"]);
    client.query("rollback to a");
    assert_eq!(client.query("release a"), ["Complete RELEASE", "Ready T"]);
    assert_eq!(client.query("commit"), ["Complete COMMIT", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [row(1), row(2), row(3)]);
}

#[test]
fn a_pipelined_streaming_transaction_is_answered_in_order() {
    let (gateway, mut client) = streaming();
    for sql in ["begin", &insert(1), &insert(2), "commit"] {
        client.parse("", sql, &[]);
        client.bind("", &[]);
        client.execute("", 0);
    }
    client.sync();
    let completed: Vec<String> = client
        .transcript()
        .into_iter()
        .filter(|line| line.starts_with("Complete") || line.starts_with("Ready"))
        .collect();
    assert_eq!(
        completed,
        [
            "Complete BEGIN",
            "Complete INSERT 0 1",
            "Complete INSERT 0 1",
            "Complete COMMIT",
            "Ready I",
        ]
    );
    assert_eq!(gateway.pipeline.rows(), [row(1), row(2)]);
}

#[test]
fn a_commit_whose_last_rows_fail_tells_of_the_whole_streaming_transaction() {
    let (gateway, mut client) = streaming();
    gateway.pipeline.refuse_value(3.0);
    client.query("begin");
    client.query(&insert(1));
    for sql in [&insert(2), &insert(3), "commit"] {
        client.parse("", sql, &[]);
        client.bind("", &[]);
        client.execute("", 0);
    }
    client.sync();
    let lines = client.transcript();
    assert_eq!(&lines[lines.len() - 2..], ["error 23503", "Ready I"]);
    assert_eq!(
        client.fields[&'D'],
        "1 of 2 rows are in CDF, 1 was refused.\n\
         2 rows of the transaction are in CDF and stay there."
    );
}

#[test]
fn the_mode_is_chosen_before_the_first_row() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    assert_eq!(
        client.query("set penstock.transaction = 'sometimes'"),
        ["error 22023", "Ready I"]
    );
    client.query("begin");
    client.query("set penstock.transaction = 'streaming'");
    client.query(&insert(1));
    assert_eq!(gateway.pipeline.rows(), [row(1)]);
    // For this block it is too late, and SET goes back with it.
    client.query("set penstock.transaction = 'staged'");
    client.query(&insert(2));
    assert_eq!(gateway.pipeline.rows(), [row(1), row(2)]);
    client.query("rollback");
    client.query("begin");
    client.query(&insert(3));
    assert_eq!(gateway.pipeline.rows(), [row(1), row(2)]);
    assert_eq!(client.query("commit"), ["Complete COMMIT", "Ready I"]);
}

#[test]
fn the_configuration_chooses_the_modes_that_sessions_start_with() {
    let gateway = Gateway::start_with(
        |settings| {
            settings.transactions.mode = TransactionMode::Streaming;
            settings.copy.mode = CopyMode::Staged;
        },
        None,
    );
    let mut client = Client::signed_in(&gateway);
    assert_eq!(
        client.query("show penstock.transaction; show penstock.copy"),
        [
            "Columns 1",
            "Row streaming",
            "Complete SHOW",
            "Columns 1",
            "Row staged",
            "Complete SHOW",
            "Ready I"
        ]
    );
    client.query("set penstock.transaction = 'staged'");
    client.query("reset penstock.transaction");
    assert_eq!(
        client.query("show penstock.transaction")[1],
        "Row streaming"
    );
}

#[test]
fn a_staged_copy_with_a_bad_line_has_written_nothing() {
    let gateway = Gateway::start_with(|settings| settings.copy.batch_rows = 10, None);
    let mut client = Client::signed_in(&gateway);
    let copy = |client: &mut Client, last: &str| {
        client.send_query(COPY);
        assert_eq!(client.line(), "CopyIn 0");
        client.copy_data(lines(0..100));
        client.copy_data(last);
        client.copy_done();
        client.transcript()
    };
    let bad = "pump\tyesterday evening\t1\n";
    assert_eq!(copy(&mut client, bad), ["error 22007", "Ready I"]);
    assert_eq!(gateway.pipeline.rows().len(), 100, "it streams by default");
    client.query("set penstock.copy = 'staged'");
    assert_eq!(copy(&mut client, bad), ["error 22007", "Ready I"]);
    assert_eq!(gateway.pipeline.rows().len(), 100);
    assert_eq!(client.fields.get(&'D'), None);
    assert_eq!(copy(&mut client, ""), ["Complete COPY 100", "Ready I"]);
    assert_eq!(gateway.pipeline.rows().len(), 200);
}

#[test]
fn a_staged_copy_of_the_extended_protocol_sends_nothing_before_its_end() {
    let gateway = Gateway::start_with(|settings| settings.copy.batch_rows = 10, None);
    let mut client = Client::signed_in(&gateway);
    client.query("set penstock.copy = 'staged'");
    client.parse("", COPY, &[]);
    client.bind("", &[]);
    client.execute("", 0);
    client.sync();
    assert_eq!(
        client.lines(3),
        ["ParseComplete", "BindComplete", "CopyIn 0"]
    );
    client.copy_data(lines(0..100));
    client.copy_fail("no more");
    client.sync();
    assert_eq!(client.transcript(), ["error 57014", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn a_staged_copy_beyond_memory_waits_on_disk_or_fails_before_anything_is_sent() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("staged-copy-{}", std::process::id()));
    let path = directory.clone();
    let gateway = Gateway::start_with(
        move |settings| {
            settings.copy.batch_rows = 500;
            settings.copy.mode = CopyMode::Staged;
            settings.transactions.staged_bytes_max = 15_000;
            settings.transactions.spool_directory = Some(path);
            settings.transactions.spool_bytes_max = 60_000;
        },
        None,
    );
    let mut client = Client::signed_in(&gateway);
    client.send_query(COPY);
    assert_eq!(client.line(), "CopyIn 0");
    client.copy_data(lines(0..20_000));
    client.copy_done();
    assert_eq!(client.transcript(), ["error 53400", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
    client.send_query(COPY);
    assert_eq!(client.line(), "CopyIn 0");
    client.copy_data(lines(0..3000));
    client.copy_done();
    assert_eq!(client.transcript(), ["Complete COPY 3000", "Ready I"]);
    assert_eq!(gateway.pipeline.rows().len(), 3000);
    drop(gateway);
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn rollback_of_an_implicit_transaction_discards_what_was_not_sent() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    let sql = format!("{}; rollback; {}", insert(1), insert(2));
    assert_eq!(
        client.query(&sql),
        [
            "Complete INSERT 0 1",
            "warning 25P01",
            "Complete ROLLBACK",
            "Complete INSERT 0 1",
            "Ready I"
        ]
    );
    assert_eq!(gateway.pipeline.rows(), [row(2)]);
    let sql = format!("{}; commit; {}; selekt", insert(3), insert(4));
    assert_eq!(client.query(&sql), ["error 42601", "Ready I"]);
    let sql = format!(
        "{}; commit; {}; insert into x values (1)",
        insert(5),
        insert(6)
    );
    assert_eq!(
        client.query(&sql),
        [
            "Complete INSERT 0 1",
            "warning 25P01",
            "Complete COMMIT",
            "error 42P01",
            "Ready I"
        ]
    );
    assert_eq!(gateway.pipeline.rows(), [row(2), row(5)]);
}
