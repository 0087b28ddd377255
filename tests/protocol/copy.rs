//! COPY FROM STDIN, in both protocols, with data cut anywhere and ends of every kind.

use crate::client::{Body, Client};
use crate::gateway::Gateway;

const COPY: &str = "copy double_datapoints (external_id, timestamp, value) from stdin";

fn line(value: i32) -> String {
    format!("pump\t2026-01-01T00:00:00Z\t{value}\n")
}

fn row(value: i32) -> String {
    format!("datapoints ExternalId(\"pump\") 1767225600000 {value}")
}

#[test]
fn a_copy_is_answered_with_its_rows() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.send_query(COPY);
    assert_eq!(client.line(), "CopyIn 0");
    client.copy_data(line(1) + &line(2));
    client.copy_done();
    assert_eq!(client.transcript(), ["Complete COPY 2", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [row(1), row(2)]);
}

#[test]
fn a_copy_row_split_across_frames_is_decoded_once() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.send_query(COPY);
    for byte in (line(1) + &line(2)).as_bytes() {
        client.copy_data([*byte]);
        client.copy_data([]);
    }
    client.copy_done();
    assert_eq!(
        client.transcript(),
        ["CopyIn 0", "Complete COPY 2", "Ready I"]
    );
    assert_eq!(gateway.pipeline.rows(), [row(1), row(2)]);
}

#[test]
fn data_that_comes_before_the_answer_to_copy_is_taken() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.send_query(COPY);
    client.copy_data(line(7));
    client.copy_done();
    assert_eq!(
        client.transcript(),
        ["CopyIn 0", "Complete COPY 1", "Ready I"]
    );
}

#[test]
fn a_long_copy_is_sent_in_batches_while_it_is_read() {
    let gateway = Gateway::start_with(|settings| settings.copy.batch_rows = 100, None);
    let mut client = Client::signed_in(&gateway);
    client.send_query(COPY);
    let lines: String = (0..250).map(line).collect();
    client.copy_data(&lines);
    gateway.pipeline.wait_for_rows(200);
    client.copy_done();
    assert_eq!(
        client.transcript(),
        ["CopyIn 0", "Complete COPY 250", "Ready I"]
    );
    assert_eq!(gateway.pipeline.rows()[249], row(249));
    assert_eq!(gateway.pipeline.batches(), 3);
}

#[test]
fn a_copy_is_not_answered_before_all_its_rows_have_verdicts() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.send_query(COPY);
    assert_eq!(client.line(), "CopyIn 0");
    client.copy_data(line(1));
    client.copy_done();
    gateway.pipeline.wait_for_rows(1);
    assert!(client.hears_nothing());
    gateway.pipeline.release();
    assert_eq!(client.transcript(), ["Complete COPY 1", "Ready I"]);
}

#[test]
fn a_bad_line_ends_the_copy_and_the_rest_of_the_data_is_ignored() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.send_query(COPY);
    client.copy_data(line(1) + "pump\tno time\t2\n" + &line(3));
    client.copy_data(line(4));
    assert_eq!(client.transcript(), ["CopyIn 0", "error 22007", "Ready I"]);
    assert_eq!(
        client.fields[&'W'],
        "COPY double_datapoints, line 2, column timestamp: \"no time\""
    );
    client.copy_data(line(5));
    client.copy_done();
    assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn a_refused_row_stops_a_copy_and_the_error_says_how_many_rows_are_in_cdf() {
    let gateway = Gateway::start_with(|settings| settings.copy.batch_rows = 10, None);
    gateway.pipeline.refuse_value(15.0);
    let mut client = Client::signed_in(&gateway);
    client.send_query(COPY);
    assert_eq!(client.line(), "CopyIn 0");
    client.copy_data((0..100).map(line).collect::<String>());
    // It does not wait for the end of the data.
    assert_eq!(client.transcript(), ["error 23503", "Ready I"]);
    assert_eq!(client.fields[&'W'], "COPY double_datapoints, row 16");
    assert!(
        client.fields[&'D']
            .starts_with("19 of 30 rows are in CDF, 1 was refused, 10 were not sent"),
        "{}",
        client.fields[&'D']
    );
    client.copy_done();
    assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
}

#[test]
fn copy_fail_is_a_cancel_with_the_clients_reason() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    for reason in ["", "disk full"] {
        client.send_query(COPY);
        client.copy_data(line(1));
        client.copy_fail(reason);
        assert_eq!(client.transcript(), ["CopyIn 0", "error 57014", "Ready I"]);
        assert_eq!(
            client.fields[&'M'],
            format!("COPY from stdin failed: {reason}")
        );
    }
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn a_copy_in_the_extended_protocol_ignores_the_sync_sent_before_its_data() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("", COPY, &[]);
    client.describe_statement("");
    client.bind("", &[]);
    client.execute("", 0);
    client.flush();
    client.sync();
    assert_eq!(
        client.lines(5),
        [
            "ParseComplete",
            "Parameters",
            "NoData",
            "BindComplete",
            "CopyIn 0"
        ]
    );
    client.copy_data(line(1));
    client.copy_done();
    client.sync();
    assert_eq!(client.transcript(), ["Complete COPY 1", "Ready I"]);
    // That was the only ReadyForQuery.
    assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
}

#[test]
fn an_error_of_an_extended_copy_skips_up_to_sync() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse("", COPY, &[]);
    client.bind("", &[]);
    client.execute("", 0);
    client.copy_data("nonsense\n");
    client.copy_data(line(1));
    client.copy_done();
    client.sync();
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "BindComplete",
            "CopyIn 0",
            "error 22P04",
            "Ready I"
        ]
    );
}

#[test]
fn rows_before_a_copy_in_a_pipeline_are_delivered_first() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.parse(
        "",
        "insert into double_datapoints (external_id, timestamp, value) \
         values ('pump', '2026-01-01T00:00:00Z', 1)",
        &[],
    );
    client.bind("", &[]);
    client.execute("", 0);
    client.parse("c", COPY, &[]);
    client.bind("c", &[]);
    client.execute("", 0);
    assert_eq!(
        client.lines(6),
        [
            "ParseComplete",
            "BindComplete",
            "Complete INSERT 0 1",
            "ParseComplete",
            "BindComplete",
            "CopyIn 0",
        ]
    );
    assert_eq!(gateway.pipeline.rows(), [row(1)]);
    client.copy_data(line(2));
    client.copy_done();
    client.sync();
    assert_eq!(client.transcript(), ["Complete COPY 1", "Ready I"]);
}

#[test]
fn a_copy_between_other_statements_of_a_query_is_answered_in_its_turn() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.send_query(&format!("show timezone; {COPY}; show datestyle"));
    assert_eq!(
        client.lines(4),
        ["Columns 1", "Row UTC", "Complete SHOW", "CopyIn 0"]
    );
    client.copy_data(line(1));
    client.copy_done();
    assert_eq!(
        client.transcript(),
        [
            "Complete COPY 1",
            "Columns 1",
            "Row ISO, MDY",
            "Complete SHOW",
            "Ready I"
        ]
    );
}

#[test]
fn copy_messages_without_a_copy_are_ignored() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.copy_data("stray");
    client.copy_done();
    client.copy_fail("stray");
    assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
}

#[test]
fn a_query_within_the_data_is_a_protocol_error_of_the_copy() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.send_query(COPY);
    client.send_query("select 1");
    assert_eq!(client.transcript(), ["CopyIn 0", "error 08P01", "Ready I"]);
}

#[test]
fn a_binary_copy_without_a_trailer_is_complete() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.send_query(&format!("{COPY} with (format binary)"));
    assert_eq!(client.line(), "CopyIn 1");
    let data = Body(b"PGCOPY\n\xff\r\n\0".to_vec())
        .int4(0)
        .int4(0)
        .int2(3)
        .int4(4)
        .bytes(b"pump")
        .int4(8)
        .bytes(&820_540_800_000_000i64.to_be_bytes())
        .int4(8)
        .bytes(&2.5f64.to_be_bytes());
    client.copy_data(data.0);
    client.copy_done();
    assert_eq!(client.transcript(), ["Complete COPY 1", "Ready I"]);
    assert_eq!(
        gateway.pipeline.rows(),
        ["datapoints ExternalId(\"pump\") 1767225600000 2.5"]
    );
}

#[test]
fn latin1_data_follows_the_clients_encoding_unless_the_copy_says_otherwise() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in_with(&gateway, &[("client_encoding", "LATIN1")]);
    let sql = "copy raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) from stdin";
    client.send_query(sql);
    client.copy_data(b"db\tt\t\xe9\t{}\n");
    client.copy_done();
    assert_eq!(
        client.transcript(),
        ["CopyIn 0", "Complete COPY 1", "Ready I"]
    );
    client.send_query(&format!("{sql} (encoding 'utf8')"));
    client.copy_data("db\tt\té\t{}\n");
    client.copy_done();
    assert_eq!(
        client.transcript(),
        ["CopyIn 0", "Complete COPY 1", "Ready I"]
    );
    assert_eq!(
        gateway.pipeline.rows(),
        ["raw_rows db.t é {}", "raw_rows db.t é {}"]
    );
}

#[test]
fn a_client_that_vanishes_within_a_copy_leaves_no_trace_but_what_was_sent() {
    let gateway = Gateway::start_with(|settings| settings.copy.batch_rows = 10, None);
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.send_query(COPY);
    client.copy_data((0..15).map(line).collect::<String>());
    gateway.pipeline.wait_for_rows(10);
    client.vanish();
    // Its statement asks the pipeline to drop what is not under way.
    gateway.pipeline.wait_for_abort();
    gateway.pipeline.release();
    let mut other = Client::signed_in(&gateway);
    assert_eq!(other.query(""), ["EmptyQuery", "Ready I"]);
    assert_eq!(gateway.pipeline.rows().len(), 10);
}
