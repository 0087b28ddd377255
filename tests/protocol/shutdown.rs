//! Draining: statements in flight end, then connections do.

use crate::client::Client;
use crate::gateway::Gateway;
use std::net::TcpStream;
use std::time::Duration;

const INSERT: &str = "insert into double_datapoints (external_id, timestamp, value) \
                      values ('pump', '2026-01-01T00:00:00Z', 1)";
const LONG: Duration = Duration::from_secs(60);

#[test]
fn an_idle_client_is_told_that_the_gateway_stops() {
    let mut gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    gateway.drain(LONG);
    assert_eq!(client.transcript(), ["fatal 57P01", "closed"]);
    gateway.join();
    assert!(TcpStream::connect(gateway.address).is_err());
}

#[test]
fn a_statement_in_flight_is_answered_before_the_end() {
    let mut gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    let mut idle = Client::signed_in(&gateway);
    client.send_query(INSERT);
    gateway.pipeline.wait_for_rows(1);
    gateway.drain(LONG);
    assert_eq!(idle.transcript(), ["fatal 57P01", "closed"]);
    gateway.pipeline.release();
    assert_eq!(client.transcript(), ["Complete INSERT 0 1", "Ready I"]);
    assert_eq!(client.transcript(), ["fatal 57P01", "closed"]);
    gateway.join();
}

#[test]
fn after_the_drain_time_a_statement_is_broken_off() {
    let mut gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.send_query(INSERT);
    gateway.pipeline.wait_for_rows(1);
    gateway.drain(Duration::from_millis(50));
    assert_eq!(client.transcript(), ["fatal 57P01", "closed"]);
    gateway.pipeline.wait_for_abort();
    gateway.join();
}

#[test]
fn an_idle_client_is_ended_after_the_idle_time() {
    let gateway = Gateway::start_with(|settings| settings.timeouts.idle_s = 1, None);
    let mut client = Client::signed_in(&gateway);
    assert_eq!(client.transcript(), ["fatal 57P05", "closed"]);
}
