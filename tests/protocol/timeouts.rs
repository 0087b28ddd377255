//! Time-outs, by SET and by configuration.

use crate::client::Client;
use crate::gateway::Gateway;
use std::time::{Duration, Instant};

const INSERT: &str = "insert into double_datapoints (external_id, timestamp, value) \
                      values ('pump', '2026-01-01T00:00:00Z', 1)";
const COPY: &str = "copy double_datapoints (external_id, timestamp, value) from stdin";
const LINE: &str = "pump\t2026-01-01T00:00:00Z\t1\n";

#[test]
fn a_statement_that_waits_for_cdf_too_long_ends_and_says_what_was_written() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.query("set statement_timeout = 100");
    client.send_query(INSERT);
    gateway.pipeline.wait_for_abort();
    assert_eq!(client.transcript(), ["error 57014", "Ready I"]);
    assert_eq!(
        client.fields[&'M'],
        "canceling statement due to statement timeout"
    );
    assert_eq!(
        client.fields[&'D'],
        "0 of 1 rows are in CDF, 1 was not sent."
    );
    gateway.pipeline.release();
    assert_eq!(client.query(INSERT), ["Complete INSERT 0 1", "Ready I"]);
}

#[test]
fn a_pipeline_has_the_time_of_a_statement_for_its_verdicts() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.query("set statement_timeout = '100ms'");
    client.parse("", INSERT, &[]);
    client.bind("", &[]);
    client.execute("", 0);
    client.sync();
    gateway.pipeline.wait_for_abort();
    assert_eq!(
        client.transcript(),
        ["ParseComplete", "BindComplete", "error 57014", "Ready I"]
    );
    // The time between Execute and Sync is the client's own.
    gateway.pipeline.release();
    client.parse("", INSERT, &[]);
    client.bind("", &[]);
    client.execute("", 0);
    assert!(client.hears_nothing());
    std::thread::sleep(Duration::from_millis(150));
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
fn a_copy_that_waits_for_its_data_too_long_ends() {
    let gateway = Gateway::start_with(|settings| settings.timeouts.statement_s = 1, None);
    let mut client = Client::signed_in(&gateway);
    assert_eq!(
        client.query("show statement_timeout"),
        ["Columns 1", "Row 1s", "Complete SHOW", "Ready I"]
    );
    client.send_query(COPY);
    assert_eq!(client.line(), "CopyIn 0");
    client.copy_data(LINE);
    assert_eq!(client.transcript(), ["error 57014", "Ready I"]);
    client.copy_done();
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
    assert_eq!(
        client.query("set statement_timeout = 0"),
        ["Complete SET", "Ready I"]
    );
}

#[test]
fn a_commit_that_takes_too_long_ends_its_transaction() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.query("set statement_timeout = '100ms'");
    client.query("begin");
    assert_eq!(client.query(INSERT), ["Complete INSERT 0 1", "Ready T"]);
    client.send_query("commit");
    gateway.pipeline.wait_for_abort();
    assert_eq!(client.transcript(), ["error 57014", "Ready I"]);
    assert_eq!(
        client.fields[&'D'],
        "0 of 1 rows are in CDF, 1 was not sent."
    );
}

#[test]
fn a_client_that_is_silent_in_a_transaction_is_ended_and_its_rows_are_dropped() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.query("set idle_in_transaction_session_timeout = 100");
    assert!(client.hears_nothing(), "outside of a block it has time");
    client.query("begin");
    client.query(INSERT);
    assert_eq!(client.transcript(), ["fatal 25P03", "closed"]);
    assert_eq!(
        client.fields[&'M'],
        "terminating connection due to idle-in-transaction timeout"
    );
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn a_failed_block_and_half_a_message_are_silence_too() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.query("set idle_in_transaction_session_timeout = 200");
    client.query("begin; selekt");
    client.query("begin");
    assert_eq!(client.query("selekt"), ["error 42601", "Ready E"]);
    client.send_bytes(b"Q");
    assert_eq!(client.transcript(), ["fatal 25P03", "closed"]);
}

#[test]
fn a_client_that_is_silent_outside_of_a_transaction_is_ended_by_its_own_time() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    client.query("set idle_session_timeout = 100");
    assert!(client.hears_nothing(), "inside of a block it has time");
    client.send_query("commit");
    assert_eq!(client.transcript(), ["Complete COMMIT", "Ready I"]);
    assert_eq!(client.transcript(), ["fatal 57P05", "closed"]);
}

#[test]
fn a_transaction_that_lasts_too_long_ends_the_connection_wherever_it_is() {
    let gateway = Gateway::start();
    // Silent in a block.
    let mut client = Client::signed_in(&gateway);
    client.query("set transaction_timeout = 200");
    client.query("begin");
    client.query(INSERT);
    assert_eq!(client.transcript(), ["fatal 25P04", "closed"]);
    // Busy in a block.
    let mut client = Client::signed_in(&gateway);
    client.query("set transaction_timeout = 200");
    client.query("begin");
    let until = Instant::now() + Duration::from_secs(10);
    let ended = loop {
        assert!(Instant::now() < until, "it never ends");
        let lines = client.query("show timezone");
        if lines != ["Columns 1", "Row UTC", "Complete SHOW", "Ready T"] {
            break lines;
        }
    };
    assert_eq!(ended, ["fatal 25P04", "closed"]);
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn an_implicit_transaction_that_lasts_too_long_says_what_was_written() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.query("set transaction_timeout = 100");
    client.send_query(INSERT);
    assert_eq!(client.transcript(), ["fatal 25P04", "closed"]);
    let detail = &client.fields[&'D'];
    assert!(detail.starts_with("0 of 1 rows are in CDF"), "{detail}");
    // Statements one after the other are transactions of their own.
    gateway.pipeline.release();
    let mut client = Client::signed_in(&gateway);
    client.query("set transaction_timeout = 300");
    let until = Instant::now() + Duration::from_millis(700);
    while Instant::now() < until {
        assert_eq!(client.query(INSERT), ["Complete INSERT 0 1", "Ready I"]);
    }
}
