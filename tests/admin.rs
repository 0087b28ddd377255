//! The admin server, over HTTP as operators and their tools see it.

use penstock::admin::{self, Guarded, Readiness, ReadinessState};
use penstock::http_server::HttpServer;
use penstock::telemetry::{self, ConnectionMeters, MemoryGauges, Scrape};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

fn start(scrape: Scrape, readiness: Readiness) -> HttpServer {
    admin::start(
        SocketAddr::from(([127, 0, 0, 1], 0)),
        scrape,
        readiness,
        Guarded::default(),
    )
    .expect("a free port can be bound")
}

/// Status and body of `GET path`.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n"
    )
    .expect("the request can be sent");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the answer is text");
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("the answer has a status");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

#[test]
fn readiness_follows_the_life_of_the_gateway_and_health_does_not() {
    let readiness = Readiness::new();
    let admin = start(Scrape::new(telemetry::install()), readiness.clone());
    assert_eq!(get(admin.address(), "/ready"), (503, "starting\n".into()));
    assert_eq!(get(admin.address(), "/health"), (200, "alive\n".into()));
    readiness.advance(ReadinessState::Ready);
    assert_eq!(get(admin.address(), "/ready"), (200, "ready\n".into()));
    readiness.advance(ReadinessState::Draining);
    assert_eq!(get(admin.address(), "/ready"), (503, "draining\n".into()));
    assert_eq!(get(admin.address(), "/health"), (200, "alive\n".into()));
    admin.stop();
}

#[test]
fn a_scrape_shows_what_was_counted_and_what_is_sampled() {
    let handle = telemetry::install();
    let connections = ConnectionMeters::new();
    let memory = MemoryGauges::new();
    let scrape = Scrape::new(handle).sampling(move || memory.used_bytes.set(12_345));
    let admin = start(scrape, Readiness::new());
    connections.open.increment(3);
    let (status, body) = get(admin.address(), "/metrics");
    assert_eq!(status, 200);
    assert!(body.contains("\npenstock_connections_open 3\n"), "{body}");
    assert!(
        body.contains("\npenstock_memory_used_bytes 12345\n"),
        "{body}"
    );
    assert!(body.contains("penstock_build_info{version="), "{body}");
    admin.stop();
}

#[test]
fn paths_that_show_rows_are_closed_without_a_token() {
    let admin = start(Scrape::new(telemetry::install()), Readiness::new());
    for path in ["/dead-letters", "/dead-letters/1", "/dead-letters/export"] {
        let (status, body) = get(admin.address(), path);
        assert_eq!(status, 403, "{path}");
        assert!(body.contains("admin.token"), "{body}");
    }
    admin.stop();
}

#[test]
fn an_unknown_path_is_not_found() {
    let admin = start(Scrape::new(telemetry::install()), Readiness::new());
    assert_eq!(get(admin.address(), "/users").0, 404);
    admin.stop();
}

#[test]
fn a_silent_client_does_not_delay_the_end() {
    let admin = start(Scrape::new(telemetry::install()), Readiness::new());
    let address = admin.address();
    let mut silent = TcpStream::connect(address).expect("the server listens");
    silent.write_all(b"GET /hea").expect("bytes can be sent");
    // The server surely has the silent connection once it answers a later one.
    assert_eq!(get(address, "/health").0, 200);
    let begin = Instant::now();
    admin.stop();
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(
        TcpStream::connect(address).is_err(),
        "the port is free again"
    );
}

#[test]
fn an_address_in_use_is_an_error_at_start() {
    let admin = start(Scrape::new(telemetry::install()), Readiness::new());
    let second = admin::start(
        admin.address(),
        Scrape::new(telemetry::install()),
        Readiness::new(),
        Guarded::default(),
    );
    assert!(second.is_err());
    admin.stop();
}
