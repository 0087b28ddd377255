//! Two gateways, each a process of its own, and one state store.

use crate::on_both;
use crate::postgresql::PostgreSql;
use crate::process::{Installation, get};
use penstock::cdf::Secret;
use penstock::state::StateLocation;
use std::net::TcpListener;
use tokio_postgres::NoTls;

/// The exit code of a gateway that could not keep its lease.
const LEASE_LOST: Option<i32> = Some(75);

#[test]
fn a_second_gateway_waits_shows_it_and_serves_when_the_first_one_ends() {
    on_both("standby", |location| {
        let installation = Installation::new("standby", location);
        let mut first = installation.start();
        let (_, http) = first.ready();
        assert!(get(&http, "/metrics").contains("\npenstock_lease_held 1"));
        let second = installation.start();
        let http = second.standby();
        let ready = get(&http, "/ready");
        assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
        assert!(ready.ends_with("standby\n"), "{ready}");
        assert!(get(&http, "/health").starts_with("HTTP/1.1 200"));
        assert!(get(&http, "/metrics").contains("\npenstock_lease_held 0"));
        first.signal("TERM");
        assert_eq!(first.ended(), Some(0));
        let (_, http) = second.ready();
        assert!(get(&http, "/ready").starts_with("HTTP/1.1 200"));
        assert!(get(&http, "/metrics").contains("\npenstock_lease_held 1"));
    });
}

#[test]
fn a_gateway_that_is_killed_is_followed_when_its_lease_runs_out() {
    on_both("killed", |location| {
        let installation = Installation::new("killed", location);
        let mut first = installation.start();
        first.ready();
        let second = installation.start();
        second.standby();
        first.signal("KILL");
        assert_eq!(first.ended(), None);
        second.ready();
    });
}

#[test]
fn a_gateway_that_waits_can_be_ended_and_leaves_the_first_one_alone() {
    on_both("patience", |location| {
        let installation = Installation::new("patience", location);
        let first = installation.start();
        let (_, http) = first.ready();
        let mut second = installation.start();
        second.standby();
        second.signal("TERM");
        assert_eq!(second.ended(), Some(0));
        assert!(get(&http, "/ready").starts_with("HTTP/1.1 200"));
    });
}

#[test]
fn a_gateway_that_slept_through_its_lease_serves_no_more() {
    on_both("slept", |location| {
        let installation = Installation::new("slept", location);
        let mut first = installation.start();
        first.ready();
        let second = installation.start();
        second.standby();
        first.signal("STOP");
        second.ready();
        first.signal("CONT");
        assert_eq!(first.ended(), LEASE_LOST);
    });
}

#[test]
fn a_gateway_that_ends_with_rows_on_their_way_leaves_its_lease_to_run_out() {
    on_both("on-their-way", |location| {
        // A CDF that takes requests and says nothing.
        let cdf = TcpListener::bind("127.0.0.1:0").expect("a port");
        let installation = Installation::new("on-their-way", location);
        let path = installation.configuration();
        let text = std::fs::read_to_string(&path).expect("readable");
        let text = text.replace("127.0.0.1:9", &cdf.local_addr().expect("bound").to_string());
        std::fs::write(&path, text + "[timeouts]\ndrain_s = 1\n").expect("writable");
        let mut first = installation.start();
        let (address, _) = first.ready();
        let second = installation.start();
        second.standby();
        let writing = std::thread::spawn(move || write(&address));
        let (request, _) = cdf.accept().expect("it is asked");
        first.signal("TERM");
        assert_eq!(first.ended(), Some(0));
        first.logs("the lease is left to run out");
        second.ready();
        drop(request);
        assert!(!writing.join().expect("no panic"));
    });
}

/// Writes a row; whether the gateway has said that CDF has it.
fn write(address: &str) -> bool {
    let (host, port) = address.rsplit_once(':').expect("host:port");
    let mut config = tokio_postgres::Config::new();
    config.host(host).port(port.parse().expect("a port"));
    config.user("configured").password("secret");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (client, connection) = config.connect(NoTls).await.expect("it lets in");
        tokio::spawn(connection);
        let insert = "INSERT INTO double_datapoints (external_id, timestamp, value) \
                      VALUES ('pump', '2026-01-01T00:00:00Z', 1)";
        client.batch_execute(insert).await.is_ok()
    })
}

#[test]
fn a_gateway_whose_postgresql_is_gone_ends_itself() {
    let mut server = PostgreSql::start("gone");
    let location = StateLocation::PostgreSql(Secret::new(server.database("state")));
    let installation = Installation::new("gone", &location);
    let mut gateway = installation.start();
    gateway.ready();
    server.stop();
    gateway.logs("the lease cannot be renewed");
    assert_eq!(gateway.ended(), LEASE_LOST);
}
