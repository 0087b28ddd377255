//! CancelRequest: a connection of its own that breaks off the statement of another.

use crate::client::{Body, Client, packet};
use crate::gateway::Gateway;
use std::net::SocketAddr;

const INSERT: &str = "insert into double_datapoints (external_id, timestamp, value) \
                      values ('pump', '2026-01-01T00:00:00Z', 1)";

fn cancel(address: SocketAddr, process_id: i32, key: &[u8]) {
    let mut client = Client::connect(address);
    let body = Body::default().int4(80_877_102).int4(process_id).bytes(key);
    client.send_bytes(&packet(body));
    assert!(client.is_closed());
}

#[test]
fn a_cancel_ends_a_statement_that_waits_for_cdf_and_says_what_was_written() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.send_query(INSERT);
    gateway.pipeline.wait_for_rows(1);
    cancel(gateway.address, client.process_id, &client.cancel_key);
    gateway.pipeline.wait_for_abort();
    assert_eq!(client.transcript(), ["error 57014", "Ready I"]);
    assert_eq!(
        client.fields[&'M'],
        "canceling statement due to user request"
    );
    assert_eq!(
        client.fields[&'D'],
        "0 of 1 rows are in CDF, 1 was not sent."
    );
    gateway.pipeline.release();
    assert_eq!(client.query(INSERT), ["Complete INSERT 0 1", "Ready I"]);
}

#[test]
fn a_cancel_ends_a_copy_that_waits_for_data() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    client.send_query("copy double_datapoints (external_id, timestamp, value) from stdin");
    assert_eq!(client.line(), "CopyIn 0");
    client.copy_data("pump\t2026-01-01T00:00:00Z\t1\n");
    cancel(gateway.address, client.process_id, &client.cancel_key);
    assert_eq!(client.transcript(), ["error 57014", "Ready I"]);
    client.copy_done();
    assert_eq!(client.query(""), ["EmptyQuery", "Ready I"]);
    assert_eq!(gateway.pipeline.rows(), [""; 0]);
}

#[test]
fn a_wrong_key_cancels_nothing() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.send_query(INSERT);
    gateway.pipeline.wait_for_rows(1);
    let mut key = client.cancel_key.clone();
    key[0] ^= 1;
    cancel(gateway.address, client.process_id, &key);
    cancel(gateway.address, client.process_id + 1, &client.cancel_key);
    gateway.pipeline.release();
    assert_eq!(client.transcript(), ["Complete INSERT 0 1", "Ready I"]);
}

#[test]
fn a_cancel_between_statements_does_not_hit_the_next_one() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    cancel(gateway.address, client.process_id, &client.cancel_key);
    assert_eq!(client.query(INSERT), ["Complete INSERT 0 1", "Ready I"]);
}

#[test]
fn a_cancelled_pipeline_is_skipped_up_to_its_sync() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.parse("", INSERT, &[]);
    client.bind("", &[]);
    client.execute("", 0);
    client.sync();
    gateway.pipeline.wait_for_rows(1);
    cancel(gateway.address, client.process_id, &client.cancel_key);
    gateway.pipeline.wait_for_abort();
    assert_eq!(
        client.transcript(),
        ["ParseComplete", "BindComplete", "error 57014", "Ready I"]
    );
}

#[test]
fn a_cancelled_copy_says_how_many_rows_it_had_written_and_how_many_not() {
    let gateway = Gateway::start_with(|settings| settings.copy.batch_rows = 10, None);
    let mut client = Client::signed_in(&gateway);
    client.send_query("copy double_datapoints (external_id, timestamp, value) from stdin");
    assert_eq!(client.line(), "CopyIn 0");
    client.copy_data("pump\t2026-01-01T00:00:00Z\t1\n".repeat(15));
    gateway.pipeline.wait_for_rows(10);
    cancel(gateway.address, client.process_id, &client.cancel_key);
    assert_eq!(client.transcript(), ["error 57014", "Ready I"]);
    assert_eq!(
        client.fields[&'D'],
        "10 of 15 rows are in CDF, 5 were not sent."
    );
}
