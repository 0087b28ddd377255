//! The extended query protocol: statements, portals, pipelines.

use crate::client::{Body, Client};
use crate::gateway::Gateway;

const INSERT: &str =
    "insert into double_datapoints (external_id, timestamp, value) values ($1, $2, $3)";
const TIME: &str = "2026-01-01T00:00:00Z";

fn insert(client: &mut Client, value: &str) {
    client.bind("s", &["pump", TIME, value]);
    client.execute("", 0);
}

fn row(value: i32) -> String {
    format!("datapoints ExternalId(\"pump\") 1767225600000 {value}")
}

#[test]
fn a_prepared_insert_is_described_bound_and_executed() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("s", INSERT, &[]);
    client.describe_statement("s");
    client.sync();
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "Parameters 1043 1184 701",
            "NoData",
            "Ready I"
        ]
    );
    insert(&mut client, "1.5");
    client.sync();
    assert_eq!(
        client.transcript(),
        ["BindComplete", "Complete INSERT 0 1", "Ready I"]
    );
    assert_eq!(
        gateway.pipeline.rows(),
        ["datapoints ExternalId(\"pump\") 1767225600000 1.5"]
    );
}

#[test]
fn rows_of_many_executes_travel_as_one_batch() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("s", INSERT, &[]);
    for value in 0..3000 {
        insert(&mut client, &value.to_string());
    }
    client.sync();
    let lines = client.transcript();
    assert_eq!(lines.len(), 1 + 2 * 3000 + 1);
    assert_eq!(lines[1..3], ["BindComplete", "Complete INSERT 0 1"]);
    assert_eq!(gateway.pipeline.rows().len(), 3000);
    assert_eq!(gateway.pipeline.rows()[2999], row(2999));
    assert!(
        gateway.pipeline.batches() < 5,
        "{}",
        gateway.pipeline.batches()
    );
}

#[test]
fn no_reply_of_a_pipeline_overtakes_the_verdict_of_a_row_before_it() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.parse("s", INSERT, &[]);
    client.bind("s", &["pump", TIME, "1"]);
    client.flush();
    assert_eq!(client.lines(2), ["ParseComplete", "BindComplete"]);
    client.execute("", 0);
    client.parse("q", "show timezone", &[]);
    client.bind("q", &[]);
    client.execute("", 0);
    client.sync();
    gateway.pipeline.wait_for_rows(1);
    assert!(client.hears_nothing());
    gateway.pipeline.release();
    assert_eq!(
        client.transcript(),
        [
            "Complete INSERT 0 1",
            "ParseComplete",
            "BindComplete",
            "Row UTC",
            "Complete SHOW",
            "Ready I",
        ]
    );
}

#[test]
fn a_refused_row_fails_its_own_execute_and_the_rest_is_skipped() {
    let gateway = Gateway::start();
    gateway.pipeline.refuse_value(2.0);
    let mut client = Client::signed_in(&gateway);
    client.parse("s", INSERT, &[]);
    for value in ["1", "2", "3"] {
        insert(&mut client, value);
    }
    client.sync();
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "BindComplete",
            "Complete INSERT 0 1",
            "BindComplete",
            "error 23503",
            "Ready I",
        ]
    );
    assert_eq!(client.fields[&'W'], "INSERT INTO double_datapoints, row 1");
    assert!(client.fields[&'D'].starts_with("2 of 3 rows are in CDF"));
}

#[test]
fn an_error_in_a_pipeline_discards_the_rows_before_it_and_skips_up_to_sync() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("s", INSERT, &[]);
    insert(&mut client, "1");
    insert(&mut client, "not a number");
    insert(&mut client, "3");
    client.describe_statement("s");
    client.sync();
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "BindComplete",
            "Complete INSERT 0 1",
            "BindComplete",
            "error 22P02",
            "Ready I",
        ]
    );
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
    insert(&mut client, "4");
    client.sync();
    assert_eq!(
        client.transcript(),
        ["BindComplete", "Complete INSERT 0 1", "Ready I"]
    );
    assert_eq!(gateway.pipeline.rows(), [row(4)]);
}

#[test]
fn flush_brings_the_replies_without_ready_for_query() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("s", INSERT, &[]);
    client.describe_statement("s");
    client.flush();
    assert_eq!(
        client.lines(3),
        ["ParseComplete", "Parameters 1043 1184 701", "NoData"]
    );
    insert(&mut client, "1");
    client.flush();
    assert_eq!(client.lines(2), ["BindComplete", "Complete INSERT 0 1"]);
    assert_eq!(gateway.pipeline.rows(), [row(1)]);
    client.sync();
    assert_eq!(client.transcript(), ["Ready I"]);
}

#[test]
fn an_error_at_flush_skips_up_to_sync_and_sync_is_answered_once() {
    let gateway = Gateway::start();
    gateway.pipeline.refuse_value(1.0);
    let mut client = Client::signed_in(&gateway);
    client.parse("s", INSERT, &[]);
    insert(&mut client, "1");
    client.flush();
    insert(&mut client, "2");
    client.sync();
    assert_eq!(
        client.transcript(),
        ["ParseComplete", "BindComplete", "error 23503", "Ready I"]
    );
    client.sync();
    assert_eq!(client.transcript(), ["Ready I"]);
}

#[test]
fn a_row_limit_does_not_suspend_an_insert() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("s", INSERT, &[]);
    client.bind("s", &["pump", TIME, "1"]);
    client.execute("", 1);
    client.sync();
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "BindComplete",
            "Complete INSERT 0 1",
            "Ready I"
        ]
    );
}

#[test]
fn format_codes_are_none_or_one_or_one_a_parameter() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("s", INSERT, &[25, 1184, 701]);
    let value = 2.5f64.to_be_bytes();
    // 2026-01-01 in microseconds since 2000.
    let time = (820_540_800_000_000i64).to_be_bytes();
    client.bind_as(
        "",
        "s",
        &[0, 1, 1],
        &[Some(b"pump"), Some(&time), Some(&value)],
        &[],
    );
    client.execute("", 0);
    client.bind_as(
        "",
        "s",
        &[1],
        &[Some(b"pump"), Some(&time), Some(&value)],
        &[],
    );
    client.execute("", 0);
    client.sync();
    assert_eq!(
        client.transcript().last().unwrap(),
        "Ready I",
        "{:?}",
        client.fields
    );
    let expected = "datapoints ExternalId(\"pump\") 1767225600000 2.5";
    assert_eq!(gateway.pipeline.rows(), [expected, expected]);
    // Two codes for three parameters.
    client.bind_as(
        "",
        "s",
        &[0, 1],
        &[Some(b"pump"), Some(&time), Some(&value)],
        &[],
    );
    client.sync();
    assert_eq!(client.transcript(), ["error 08P01", "Ready I"]);
    // A wrong number of parameters.
    client.bind("s", &["pump"]);
    client.sync();
    assert_eq!(client.transcript(), ["error 08P01", "Ready I"]);
    assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
}

#[test]
fn a_small_integer_parameter_goes_into_a_wider_column() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    let sql = "insert into double_datapoints (id, timestamp, value) values ($1, $2, $3)";
    client.parse("", sql, &[21, 0, 21]);
    client.describe_statement("");
    let two = 2i16.to_be_bytes();
    client.bind_as(
        "",
        "",
        &[1, 0, 1],
        &[Some(&7i16.to_be_bytes()), Some(TIME.as_bytes()), Some(&two)],
        &[],
    );
    client.execute("", 0);
    client.sync();
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "Parameters 21 1184 21",
            "NoData",
            "BindComplete",
            "Complete INSERT 0 1",
            "Ready I",
        ]
    );
    assert_eq!(
        gateway.pipeline.rows(),
        ["datapoints Id(7) 1767225600000 2"]
    );
}

#[test]
fn names_of_statements_and_portals_follow_the_rules() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    let errors = |client: &mut Client| {
        client.sync();
        client.transcript()
    };
    client.parse("s", "show timezone", &[]);
    client.parse("s", "show timezone", &[]);
    assert_eq!(
        errors(&mut client),
        ["ParseComplete", "error 42P05", "Ready I"]
    );
    client.parse("", "show timezone", &[]);
    client.parse("", "show datestyle", &[]);
    assert_eq!(
        errors(&mut client),
        ["ParseComplete", "ParseComplete", "Ready I"]
    );
    client.bind("missing", &[]);
    assert_eq!(errors(&mut client), ["error 26000", "Ready I"]);
    client.describe_statement("missing");
    assert_eq!(errors(&mut client), ["error 26000", "Ready I"]);
    client.execute("missing", 0);
    assert_eq!(errors(&mut client), ["error 34000", "Ready I"]);
    client.bind_as("p", "s", &[], &[], &[]);
    client.bind_as("p", "s", &[], &[], &[]);
    assert_eq!(
        errors(&mut client),
        ["BindComplete", "error 42P03", "Ready I"]
    );
    client.close_statement("s");
    client.close_statement("s");
    client.bind("s", &[]);
    assert_eq!(
        errors(&mut client),
        ["CloseComplete", "CloseComplete", "error 26000", "Ready I"]
    );
    client.parse("", "show timezone; show timezone", &[]);
    assert_eq!(errors(&mut client), ["error 42601", "Ready I"]);
    // Portals end with their transaction.
    client.parse("t", "show timezone", &[]);
    client.bind_as("p", "t", &[], &[], &[]);
    assert_eq!(
        errors(&mut client),
        ["ParseComplete", "BindComplete", "Ready I"]
    );
    client.execute("p", 0);
    assert_eq!(errors(&mut client), ["error 34000", "Ready I"]);
}

#[test]
fn statements_are_forgotten_by_deallocate_and_discard() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    for (forget, tag) in [
        ("deallocate s", "Complete DEALLOCATE"),
        ("deallocate all", "Complete DEALLOCATE ALL"),
        ("discard all", "Complete DISCARD ALL"),
    ] {
        client.parse("s", "show timezone", &[]);
        client.sync();
        assert_eq!(client.transcript(), ["ParseComplete", "Ready I"]);
        assert_eq!(client.query(forget), [tag, "Ready I"]);
        client.bind("s", &[]);
        client.sync();
        assert_eq!(client.transcript(), ["error 26000", "Ready I"], "{forget}");
    }
    assert_eq!(client.query("deallocate s"), ["error 26000", "Ready I"]);
}

#[test]
fn a_portal_gives_its_rows_in_parts_and_in_the_format_asked_for() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("", "show all", &[]);
    client.bind("", &[]);
    client.describe_portal("");
    client.execute("", 2);
    client.execute("", 1);
    client.sync();
    let lines = client.transcript();
    assert_eq!(lines[..3], ["ParseComplete", "BindComplete", "Columns 3"]);
    let suspended = lines.iter().filter(|line| *line == "Suspended").count();
    assert_eq!((suspended, lines.len()), (2, 9), "{lines:?}");
}

#[test]
fn the_empty_statement_is_answered_in_the_extended_protocol_too() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("", "", &[]);
    client.bind("", &[]);
    client.describe_portal("");
    client.execute("", 0);
    client.sync();
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "BindComplete",
            "NoData",
            "EmptyQuery",
            "Ready I"
        ]
    );
}

#[test]
fn the_unnamed_statement_lives_across_syncs() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("", INSERT, &[]);
    client.flush();
    client.sync();
    assert_eq!(client.transcript(), ["ParseComplete", "Ready I"]);
    client.bind("", &["pump", TIME, "1"]);
    client.execute("", 0);
    client.sync();
    assert_eq!(
        client.transcript(),
        ["BindComplete", "Complete INSERT 0 1", "Ready I"]
    );
}

#[test]
fn a_query_behind_a_pipeline_without_sync_comes_after_it() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("s", INSERT, &[]);
    insert(&mut client, "1");
    client.send_query("show timezone");
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "BindComplete",
            "Complete INSERT 0 1",
            "Columns 1",
            "Row UTC",
            "Complete SHOW",
            "Ready I",
        ]
    );
}

#[test]
fn a_failed_pipeline_swallows_queries_up_to_its_sync() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.execute("missing", 0);
    client.send_query("show timezone");
    client.sync();
    assert_eq!(client.transcript(), ["error 34000", "Ready I"]);
    assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
}

#[test]
fn a_client_that_reads_only_after_sending_everything_is_not_locked_up() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    // Answers of several MiB, more than the sockets hold, before the first byte is read.
    client.parse("q", "show all", &[]);
    let rounds = 1000;
    for _ in 0..rounds {
        client.bind("q", &[]);
        client.execute("", 0);
        // As much again to send, so that both directions are full.
        client.send(b'D', Body::default().bytes(b"S").text("q"));
    }
    client.sync();
    let lines = client.transcript();
    let completed = lines.iter().filter(|line| *line == "Complete SHOW").count();
    assert_eq!(completed, rounds);
    assert_eq!(lines.last().unwrap(), "Ready I");
}

#[test]
fn fast_path_calls_are_refused_and_answered() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.send(b'F', Body::default().int4(1).int2(0).int2(0).int2(0));
    assert_eq!(client.transcript(), ["error 0A000", "Ready I"]);
}
