//! Users who have to go: deleted, or without access to CDF any more.
//!
//! Owns what their open connections are told, and that nobody else's end.

use crate::client::{Client, startup_packet};
use crate::gateway::{Gateway, PASSWORD, USER};
use penstock::diagnostic::{Diagnostic, SqlState};
use penstock::wire::{Departure, Whom};

const INSERT: &str = "insert into double_datapoints (external_id, timestamp, value) \
                      values ('pump', '2026-01-01T00:00:00Z', 1)";

fn ada() -> Whom {
    Whom::User(USER.to_owned())
}

/// The whole text of the next message, which must be an error.
fn error(client: &mut Client) -> String {
    let message = client.receive();
    assert_eq!(message.kind, b'E');
    String::from_utf8_lossy(&message.body).into_owned()
}

#[test]
fn a_deleted_user_is_told_so_on_every_connection() {
    let gateway = Gateway::start();
    let mut clients = [Client::signed_in(&gateway), Client::signed_in(&gateway)];
    assert_eq!(gateway.connections.users().len(), 2);
    assert_eq!(gateway.connections.depart(Departure::Deleted, ada()), 2);
    for client in &mut clients {
        let told = error(client);
        assert!(told.contains("57P01") && told.contains("deleted"), "{told}");
        assert!(client.is_closed());
    }
}

#[test]
fn a_user_whose_access_is_withdrawn_is_told_so_whatever_the_name() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    let identity = gateway.connections.users()[0].identity.clone();
    let ended = gateway
        .connections
        .depart(Departure::Revoked, Whom::Identity(identity));
    assert_eq!(ended, 1);
    let told = error(&mut client);
    assert!(
        told.contains("28000") && told.contains("withdrawn"),
        "{told}"
    );
    assert!(client.is_closed());
}

#[test]
fn who_is_shut_out_is_ended_and_refused_until_let_in_again() {
    let gateway = Gateway::start();
    let mut open = Client::signed_in(&gateway);
    let identity = gateway.connections.users()[0].identity.clone();
    let lacking = Diagnostic::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        "the token lacks something",
    );
    let ended = gateway.connections.shut_out(&identity, Box::new(lacking));
    assert_eq!(ended, 1);
    assert_eq!(open.transcript(), ["fatal 28000", "closed"]);
    let mut refused = Client::connect(gateway.address);
    refused.send_bytes(&startup_packet(3 << 16, &[("user", USER)]));
    let answers = refused.authenticate(PASSWORD);
    assert!(answers.contains(&"fatal 28000".to_owned()), "{answers:?}");
    assert!(refused.fields[&'D'].contains("the token lacks something"));
    assert_eq!(
        gateway.connections.shut_out_identities(),
        [identity.clone()]
    );
    gateway.connections.let_in(&identity);
    let mut again = Client::signed_in(&gateway);
    assert_eq!(again.query(INSERT), ["Complete INSERT 0 1", "Ready I"]);
}

#[test]
fn somebody_elses_departure_ends_nothing() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    let bob = Whom::User("bob".to_owned());
    assert_eq!(gateway.connections.depart(Departure::Deleted, bob), 0);
    assert_eq!(client.query(INSERT), ["Complete INSERT 0 1", "Ready I"]);
}

#[test]
fn a_statement_in_flight_is_told_what_became_of_its_rows() {
    let gateway = Gateway::start();
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.send_query(INSERT);
    gateway.pipeline.wait_for_rows(1);
    gateway.connections.depart(Departure::Deleted, ada());
    gateway.pipeline.wait_for_abort();
    gateway.pipeline.release();
    let told = error(&mut client);
    assert!(told.contains("57P01"), "{told}");
    assert!(
        told.contains(" of 1 row") || told.contains("1 row"),
        "{told}"
    );
    assert!(client.is_closed());
}

#[test]
fn rows_that_a_transaction_stages_are_dropped_with_it() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    assert_eq!(client.query("begin"), ["Complete BEGIN", "Ready T"]);
    assert_eq!(client.query(INSERT), ["Complete INSERT 0 1", "Ready T"]);
    gateway.connections.depart(Departure::Revoked, ada());
    assert_eq!(client.transcript(), ["fatal 28000", "closed"]);
    assert!(gateway.pipeline.rows().is_empty());
}

#[test]
fn a_connection_that_has_ended_is_nobodys_any_more() {
    let gateway = Gateway::start();
    let mut client = Client::signed_in(&gateway);
    gateway.connections.depart(Departure::Deleted, ada());
    assert_eq!(client.transcript(), ["fatal 57P01", "closed"]);
    // Whoever was not deleted may come back at once.
    let mut again = Client::signed_in(&gateway);
    assert_eq!(again.query(INSERT), ["Complete INSERT 0 1", "Ready I"]);
}
