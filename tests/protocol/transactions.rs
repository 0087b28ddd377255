//! BEGIN, COMMIT, ROLLBACK, savepoints.

use crate::client::Client;
use crate::gateway::Gateway;

fn insert(value: i32) -> String {
    format!(
        "insert into double_datapoints (external_id, timestamp, value) \
         values ('pump', '2026-01-01T00:00:00Z', {value})"
    )
}

fn row(value: i32) -> String {
    format!("datapoints ExternalId(\"pump\") 1767225600000 {value}")
}

#[test]
fn rows_of_a_transaction_are_delivered_at_commit_in_one_batch() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    assert_eq!(client.query("begin"), ["Complete BEGIN", "Ready T"]);
    for value in 1..=3 {
        assert_eq!(
            client.query(&insert(value)),
            ["Complete INSERT 0 1", "Ready T"]
        );
    }
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
    assert_eq!(client.query("commit"), ["Complete COMMIT", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [row(1), row(2), row(3)]);
    assert_eq!(gateway.pipeline.batches(), 1);
}

#[test]
fn commit_is_not_answered_before_the_verdicts() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    client.query(&insert(1));
    client.send_query("commit");
    gateway.pipeline.wait_for_rows(1);
    assert!(client.hears_nothing());
    gateway.pipeline.release();
    assert_eq!(client.transcript(), ["Complete COMMIT", "Ready I"]);
}

#[test]
fn rollback_discards_every_row() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.query("start transaction");
    client.query(&insert(1));
    assert_eq!(client.query("rollback"), ["Complete ROLLBACK", "Ready I"]);
    assert_eq!(client.query(&insert(2)), ["Complete INSERT 0 1", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [row(2)]);
}

#[test]
fn every_spelling_of_a_beginning_is_taken() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    for (sql, tag) in [
        ("BEGIN", "Complete BEGIN"),
        ("begin transaction", "Complete BEGIN"),
        ("START TRANSACTION", "Complete START TRANSACTION"),
        (
            "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "Complete BEGIN",
        ),
        ("BEGIN READ WRITE", "Complete BEGIN"),
        (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
            "Complete BEGIN",
        ),
    ] {
        assert_eq!(client.query(sql), [tag, "Ready T"], "{sql}");
        assert_eq!(client.query("END"), ["Complete COMMIT", "Ready I"]);
    }
    let lines = client.query(&format!("BEGIN;{}", insert(1)));
    assert_eq!(lines, ["Complete BEGIN", "Complete INSERT 0 1", "Ready T"]);
    assert_eq!(client.query("ABORT"), ["Complete ROLLBACK", "Ready I"]);
}

#[test]
fn a_failed_transaction_refuses_everything_and_its_commit_rolls_back() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    client.query(&insert(1));
    assert_eq!(client.query("selekt"), ["error 42601", "Ready E"]);
    assert_eq!(client.query(&insert(2)), ["error 25P02", "Ready E"]);
    assert_eq!(
        client.query("insert into no_such_table values (1)"),
        ["error 25P02", "Ready E"]
    );
    assert_eq!(client.query(""), ["EmptyQuery", "Ready E"]);
    client.parse("", &insert(3), &[]);
    client.sync();
    assert_eq!(client.transcript(), ["error 25P02", "Ready E"]);
    client.parse("", "rollback", &[]);
    client.describe_statement("");
    client.bind("", &[]);
    client.execute("", 0);
    client.sync();
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "Parameters",
            "NoData",
            "BindComplete",
            "Complete ROLLBACK",
            "Ready I"
        ]
    );
    client.query("begin");
    client.query("selekt");
    assert_eq!(client.query("commit"), ["Complete ROLLBACK", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn a_commit_that_fails_says_how_many_rows_were_written_and_ends_the_transaction() {
    let gateway = Gateway::start();
    gateway.pipeline.refuse_value(2.0);
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    for value in 1..=3 {
        client.query(&insert(value));
    }
    assert_eq!(client.query("commit"), ["error 23503", "Ready I"]);
    assert_eq!(
        client.fields[&'D'],
        "2 of 3 rows are in CDF, 1 was refused."
    );
    assert_eq!(
        client.fields[&'W'],
        "INSERT INTO double_datapoints, row 1 (statement 2 of 3 with rows)"
    );
    assert_eq!(
        client.query("rollback"),
        ["warning 25P01", "Complete ROLLBACK", "Ready I"]
    );
}

#[test]
fn savepoints_take_staged_rows_back() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    client.query(&insert(1));
    assert_eq!(
        client.query("savepoint a"),
        ["Complete SAVEPOINT", "Ready T"]
    );
    client.query(&insert(2));
    client.query("savepoint \"B b\"");
    client.query(&insert(3));
    assert_eq!(client.query("nonsense"), ["error 42601", "Ready E"]);
    assert_eq!(
        client.query("rollback to savepoint \"B b\""),
        ["Complete ROLLBACK", "Ready T"]
    );
    client.query(&insert(4));
    assert_eq!(
        client.query("release \"B b\""),
        ["Complete RELEASE", "Ready T"]
    );
    assert_eq!(
        client.query("rollback to \"B b\""),
        ["error 3B001", "Ready E"]
    );
    assert_eq!(
        client.query("rollback to a"),
        ["Complete ROLLBACK", "Ready T"]
    );
    client.query(&insert(5));
    assert_eq!(client.query("commit"), ["Complete COMMIT", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [row(1), row(5)]);
}

#[test]
fn a_statement_per_savepoint_keeps_the_order_of_the_rows() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.query("begin;savepoint s");
    for value in 0..50 {
        client.query(&insert(value));
        client.query("release s;savepoint s");
    }
    assert_eq!(client.query("commit"), ["Complete COMMIT", "Ready I"]);
    assert_eq!(
        gateway.pipeline.rows(),
        (0..50).map(row).collect::<Vec<_>>()
    );
}

#[test]
fn transaction_commands_out_of_place_warn_or_fail_as_in_postgresql() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    assert_eq!(
        client.query("commit"),
        ["warning 25P01", "Complete COMMIT", "Ready I"]
    );
    assert_eq!(
        client.query("rollback"),
        ["warning 25P01", "Complete ROLLBACK", "Ready I"]
    );
    assert_eq!(client.query("savepoint s"), ["error 25P01", "Ready I"]);
    client.query("begin");
    assert_eq!(
        client.query("begin"),
        ["warning 25001", "Complete BEGIN", "Ready T"]
    );
    assert_eq!(client.query("release nobody"), ["error 3B001", "Ready E"]);
    assert_eq!(
        client.query("rollback and chain"),
        ["Complete ROLLBACK", "Ready T"]
    );
    assert_eq!(
        client.query("commit and no chain"),
        ["Complete COMMIT", "Ready I"]
    );
}

#[test]
fn a_copy_in_a_transaction_answers_at_once_and_reports_its_state() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    client.send_query("copy double_datapoints (external_id, timestamp, value) from stdin");
    client.copy_data("pump\t2026-01-01T00:00:00Z\t1\n");
    client.copy_done();
    assert_eq!(
        client.transcript(),
        ["CopyIn 0", "Complete COPY 1", "Ready T"]
    );
    assert_eq!(client.query(&insert(2)), ["Complete INSERT 0 1", "Ready T"]);
    client.send_query("commit");
    gateway.pipeline.wait_for_rows(2);
    gateway.pipeline.release();
    assert_eq!(client.transcript(), ["Complete COMMIT", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [row(1), row(2)]);
}

#[test]
fn a_transaction_keeps_the_order_of_statements_across_resources() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    client.query("insert into time_series (external_id) values ('pump')");
    client.query(&insert(1));
    client.query("insert into time_series (external_id) values ('valve')");
    client.send_query("commit");
    gateway.pipeline.wait_for_rows(1);
    assert!(client.hears_nothing());
    assert_eq!(gateway.pipeline.rows().len(), 1);
    gateway.pipeline.release();
    assert_eq!(client.transcript(), ["Complete COMMIT", "Ready I"]);
    assert_eq!(gateway.pipeline.rows().len(), 3);
    assert_eq!(gateway.pipeline.rows()[1], row(1));
}

#[test]
fn a_transaction_beyond_its_bound_fails_with_a_hint_and_holds_nothing_any_more() {
    let gateway = Gateway::start_with(
        |settings| {
            settings.copy.batch_rows = 10;
            settings.transactions.staged_bytes_max = 4000;
        },
        None,
    );
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    let lines = loop {
        let lines = client.query(&insert(1));
        if lines[0] != "Complete INSERT 0 1" {
            break lines;
        }
    };
    assert_eq!(lines, ["error 53400", "Ready E"]);
    assert!(client.fields[&'H'].contains("[transactions]"));
    assert_eq!(client.query("rollback"), ["Complete ROLLBACK", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn savepoints_do_not_get_around_the_bound_of_a_transaction() {
    let gateway = Gateway::start_with(
        |settings| settings.transactions.staged_bytes_max = 20_000,
        None,
    );
    let mut client = Client::signed_in(&gateway);
    for statement in [insert(1), "show timezone".to_owned()] {
        client.query("begin");
        let mut rounds = 0;
        loop {
            client.query(&statement);
            let lines = client.query("savepoint s");
            if lines != ["Complete SAVEPOINT", "Ready T"] {
                break;
            }
            rounds += 1;
            assert!(rounds < 1000, "{statement}");
        }
        assert_eq!(client.query("rollback"), ["Complete ROLLBACK", "Ready I"]);
        client.query("begin");
        for _ in 0..1000 {
            let lines = client.query("savepoint s; release s");
            assert_eq!(lines[1], "Complete RELEASE");
        }
        client.query("rollback");
    }
}

#[test]
fn transactions_share_a_bound_and_give_their_part_back() {
    let gateway = Gateway::start_with(
        |settings| {
            settings.copy.batch_rows = 10;
            settings.transactions.staged_bytes_max_total = 4000;
        },
        None,
    );
    let mut first = Client::signed_in(&gateway);
    first.query("begin");
    while first.query(&insert(1))[0] == "Complete INSERT 0 1" {}
    assert_eq!(first.fields[&'C'], "53400");
    assert_eq!(first.query("rollback"), ["Complete ROLLBACK", "Ready I"]);
    let mut second = Client::signed_in(&gateway);
    second.query("begin");
    for _ in 0..10 {
        assert_eq!(second.query(&insert(2)), ["Complete INSERT 0 1", "Ready T"]);
    }
    assert_eq!(second.query("commit"), ["Complete COMMIT", "Ready I"]);
}

#[test]
fn a_read_only_transaction_writes_nothing() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.query("begin read only");
    assert_eq!(client.query(&insert(1)), ["error 25006", "Ready E"]);
    client.query("rollback");
    assert_eq!(client.query(&insert(1)), ["Complete INSERT 0 1", "Ready I"]);
}

#[test]
fn statements_before_begin_in_the_same_query_belong_to_the_block() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    let sql = format!("{}; begin; {}; rollback", insert(1), insert(2));
    assert_eq!(
        client.query(&sql),
        [
            "Complete INSERT 0 1",
            "Complete BEGIN",
            "Complete INSERT 0 1",
            "Complete ROLLBACK",
            "Ready I",
        ]
    );
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn a_pipelined_transaction_is_answered_in_order() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
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
    assert_eq!(gateway.pipeline.batches(), 1);
}

#[test]
fn a_setting_made_in_a_transaction_goes_back_with_it() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    client.query("set timezone = 'Asia/Tokyo'");
    assert_eq!(client.parameters["TimeZone"], "Asia/Tokyo");
    client.query("rollback");
    assert_eq!(client.parameters["TimeZone"], "UTC");
}

#[test]
fn rows_before_and_after_a_set_are_read_by_their_own_settings() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    let insert = "insert into double_datapoints (external_id, timestamp, value) \
                  values ('pump', '2026-01-01 09:00:00', 1)";
    client.query("begin");
    client.query(insert);
    client.query("set local timezone = 'Asia/Tokyo'");
    client.query(insert);
    assert_eq!(client.query("commit"), ["Complete COMMIT", "Ready I"]);
    assert_eq!(
        gateway.pipeline.rows(),
        [
            "datapoints ExternalId(\"pump\") 1767258000000 1",
            "datapoints ExternalId(\"pump\") 1767225600000 1",
        ]
    );
}
