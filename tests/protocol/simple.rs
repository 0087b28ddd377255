//! The simple query protocol.

use crate::client::Client;
use crate::gateway::Gateway;

const INSERT: &str = "insert into double_datapoints (external_id, timestamp, value) values";

fn point(value: i32) -> String {
    format!("('pump', '2026-01-01T00:00:00Z', {value})")
}

/// A row as the pipeline shows it.
fn row(value: i32) -> String {
    format!("datapoints ExternalId(\"pump\") 1767225600000 {value}")
}

#[test]
fn an_empty_query_has_an_answer_of_its_own() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    for sql in ["", ";", "  ;; ", "-- nothing"] {
        assert_eq!(client.query(sql), ["EmptyQuery", "Ready I"], "{sql}");
    }
}

#[test]
fn an_insert_is_answered_with_its_rows() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    let sql = format!("{INSERT} {}, {}", point(1), point(2));
    assert_eq!(client.query(&sql), ["Complete INSERT 0 2", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [row(1), row(2)]);
}

#[test]
fn an_insert_is_not_answered_before_its_rows_have_a_verdict() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.send_query(&format!("{INSERT} {}", point(1)));
    gateway.pipeline.wait_for_rows(1);
    assert!(client.hears_nothing());
    gateway.pipeline.release();
    assert_eq!(client.transcript(), ["Complete INSERT 0 1", "Ready I"]);
}

#[test]
fn a_refused_row_fails_its_statement_and_the_error_says_which_and_how_many() {
    let gateway = Gateway::start();
    gateway.pipeline.refuse_value(2.0);
    let mut client = Client::signed_in(&gateway);
    let sql = format!("{INSERT} {}, {}, {}", point(1), point(2), point(3));
    assert_eq!(client.query(&sql), ["error 23503", "Ready I"]);
    assert_eq!(client.fields[&'W'], "INSERT INTO double_datapoints, row 2");
    assert_eq!(
        client.fields[&'D'],
        "2 of 3 rows are in CDF, 1 was refused."
    );
    assert_eq!(client.fields[&'t'], "double_datapoints");
    assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
}

#[test]
fn statements_of_one_query_are_answered_in_order() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    let sql = format!(
        "set datestyle = 'ISO'; {INSERT} {}; show datestyle; {INSERT} {}, {};",
        point(1),
        point(2),
        point(3)
    );
    assert_eq!(
        client.query(&sql),
        [
            "Complete SET",
            "Complete INSERT 0 1",
            "Columns 1",
            "Row ISO, MDY",
            "Complete SHOW",
            "Complete INSERT 0 2",
            "Ready I",
        ]
    );
    // One table and one column list: one batch.
    assert_eq!(gateway.pipeline.batches(), 1);
}

#[test]
fn an_error_in_a_later_statement_of_a_query_discards_the_earlier_ones() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    let sql = format!(
        "{INSERT} {}; {INSERT} ('pump', 'no time', 2); {INSERT} {}",
        point(1),
        point(3)
    );
    assert_eq!(client.query(&sql), ["error 22007", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn a_syntax_error_anywhere_keeps_every_statement_of_the_query_from_running() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    let sql = format!("{INSERT} {}; show timezone; selekt 1", point(1));
    assert_eq!(client.query(&sql), ["error 42601", "Ready I"]);
    let position: usize = client.fields[&'P'].parse().unwrap();
    assert_eq!(&sql[position - 1..], "selekt 1");
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn the_error_of_a_refused_row_takes_the_place_of_its_own_statement() {
    let gateway = Gateway::start();
    gateway.pipeline.refuse_value(2.0);
    let mut client = Client::signed_in(&gateway);
    let sql = format!(
        "{INSERT} {}; {INSERT} {}; {INSERT} {}",
        point(1),
        point(2),
        point(3)
    );
    assert_eq!(
        client.query(&sql),
        ["Complete INSERT 0 1", "error 23503", "Ready I"]
    );
    assert_eq!(client.fields[&'W'], "INSERT INTO double_datapoints, row 1");
}

#[test]
fn rows_of_two_resources_keep_the_order_of_their_statements() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.send_query(&format!(
        "insert into time_series (external_id) values ('pump'); {INSERT} {}",
        point(1)
    ));
    gateway.pipeline.wait_for_rows(1);
    assert!(client.hears_nothing());
    assert_eq!(gateway.pipeline.rows(), ["time_series time_series row 0"]);
    gateway.pipeline.release();
    assert_eq!(
        client.transcript(),
        ["Complete INSERT 0 1", "Complete INSERT 0 1", "Ready I"]
    );
    assert_eq!(gateway.pipeline.rows()[1], row(1));
}

#[test]
fn a_set_of_a_reported_setting_is_reported_and_taken_back_when_its_query_fails() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    assert_eq!(
        client.query("set application_name = 'loader'"),
        ["Complete SET", "Ready I"]
    );
    assert_eq!(client.parameters["application_name"], "loader");
    assert_eq!(
        client
            .query("set application_name = 'other'; select no_such_function()")
            .last()
            .unwrap(),
        "Ready I"
    );
    assert_eq!(client.parameters["application_name"], "loader");
}

#[test]
fn an_unsupported_statement_is_refused_with_a_hint() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    assert_eq!(
        client.query("create table t (a int)"),
        ["error 0A000", "Ready I"]
    );
    assert!(client.fields.contains_key(&'H'));
}

#[test]
fn latin1_clients_are_understood_and_answered_in_latin1() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in_with(&gateway, &[("client_encoding", "LATIN1")]);
    let mut sql = b"insert into raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) \
                    values ('db', 't', 'temp\xe9rature', '{}')"
        .to_vec();
    sql.push(0);
    client.send(b'Q', crate::client::Body(sql));
    let lines = client.transcript();
    assert_eq!(
        lines,
        ["Complete INSERT 0 1", "Ready I"],
        "{:?}",
        client.fields
    );
    assert_eq!(gateway.pipeline.rows(), ["raw_rows db.t température {}"]);
    client.send(b'Q', crate::client::Body(b"show \xe9\0".to_vec()));
    assert_eq!(client.line(), "error 42704");
}
