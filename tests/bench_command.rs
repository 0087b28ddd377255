//! `penstock bench`, whole: client, gateway and sink in three processes.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn penstock() -> Command {
    Command::new(env!("CARGO_BIN_EXE_penstock"))
}

fn bench(arguments: &[&str]) -> Output {
    penstock()
        .args(["bench", "--rows", "2500", "--series", "10", "--json"])
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {} {}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// A process of ours that is ended with the test.
struct Running {
    child: Child,
    ready: String,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = penstock()
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let output = child.stdout.take().expect("the output is piped");
        let mut ready = String::new();
        BufReader::new(output)
            .read_line(&mut ready)
            .expect("the ready line can be read");
        Running { child, ready }
    }

    fn value(&self, name: &str) -> String {
        let value = self
            .ready
            .split_whitespace()
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value
            .unwrap_or_else(|| panic!("no {name} in {}", self.ready))
            .to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_mode_delivers_every_row_of_every_table() {
    for table in ["double_datapoints", "string_datapoints", "raw_rows"] {
        for mode in ["copy-text", "copy-binary", "insert-1000", "prepared"] {
            let output = bench(&[
                "--table",
                table,
                "--mode",
                mode,
                "--rounds",
                "2",
                "--connections",
                "3",
            ]);
            let report = report(&output);
            assert!(output.status.success(), "{table} {mode}: {report}");
            assert_eq!(report["is_complete"], true, "{table} {mode}: {report}");
            assert_eq!(report["rounds"][1]["delivery"]["rows"], 2500);
            assert!(report["median"]["gateway_cpu_ns_per_row"].is_number());
            assert!(report["gateway_resident_bytes_peak"].is_number());
        }
    }
}

#[test]
fn rows_that_the_sink_did_not_count_are_a_failure() {
    let gateway = Running::start(&[
        "dev",
        "--sink",
        "--listen",
        "127.0.0.1:0",
        "--cdf-listen",
        "127.0.0.1:0",
        "--http-listen",
        "127.0.0.1:0",
    ]);
    let other_sink = Running::start(&["emulator", "--sink", "--listen", "127.0.0.1:0"]);
    let target = format!(
        "postgres://{}:{}@{}",
        gateway.value("user"),
        gateway.value("password"),
        gateway.value("postgres")
    );
    let process = gateway.child.id().to_string();
    let drive = |sink: &str| {
        bench(&[
            "--target",
            &target,
            "--sink-url",
            sink,
            "--gateway-pid",
            &process,
            "--rounds",
            "1",
        ])
    };
    let right = drive(&gateway.value("cdf"));
    assert!(right.status.success(), "{}", report(&right));
    // The series are there from the first test by now: they stay.
    let wrong = drive(&other_sink.value("cdf"));
    assert_eq!(wrong.status.code(), Some(1));
    let report = report(&wrong);
    assert_eq!(report["is_complete"], false);
    assert_eq!(report["rounds"][0]["delivery"]["rows"], 0);
}

#[test]
fn the_metrics_of_the_gateway_count_what_the_bench_sent() {
    let gateway = Running::start(&[
        "dev",
        "--sink",
        "--listen",
        "127.0.0.1:0",
        "--cdf-listen",
        "127.0.0.1:0",
        "--http-listen",
        "127.0.0.1:0",
    ]);
    let target = format!(
        "postgres://{}:{}@{}",
        gateway.value("user"),
        gateway.value("password"),
        gateway.value("postgres")
    );
    let output = bench(&[
        "--target",
        &target,
        "--rounds",
        "2",
        "--mode",
        "insert-1000",
    ]);
    assert!(output.status.success(), "{}", report(&output));
    let lines = [
        "penstock_rows_received_total{table=\"double_datapoints\"} 5000",
        "penstock_rows_received_total{table=\"time_series\"} 10",
        "penstock_rows_received_total{table=\"raw_rows\"} 0",
        "penstock_rows_settled_total{resource=\"datapoints\",verdict=\"accepted\"} 5000",
        "penstock_rows_settled_total{resource=\"datapoints\",verdict=\"rejected\"} 0",
        "penstock_request_rows_sum{resource=\"datapoints\"} 5000",
        // Three INSERTs a round, and the one that makes the series.
        "penstock_statements_total{kind=\"insert\",outcome=\"succeeded\"} 7",
        "penstock_queue_rows{resource=\"datapoints\"} 0",
        "penstock_requests_in_flight{resource=\"datapoints\"} 0",
        "penstock_memory_used_bytes 0",
    ];
    // The answer to the client and the last gauges are set by different threads.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let scrape = get(&gateway.value("http"), "/metrics");
        let missing: Vec<&str> = lines
            .into_iter()
            .filter(|line| !scrape.lines().any(|found| found == *line))
            .collect();
        if missing.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{missing:#?} are missing in:\n{scrape}"
        );
    }
}

/// The answer to `GET path`, head and body.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .expect("the request can be sent");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the answer is text");
    answer
}

#[test]
fn a_gateway_that_refuses_is_told_with_its_reason() {
    let gateway = Running::start(&[
        "dev",
        "--sink",
        "--listen",
        "127.0.0.1:0",
        "--cdf-listen",
        "127.0.0.1:0",
        "--http-listen",
        "127.0.0.1:0",
    ]);
    let target = format!("postgres://penstock:wrong@{}", gateway.value("postgres"));
    let output = bench(&["--target", &target]);
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(shown.contains("refuses with 28P01"), "{shown}");
}

#[test]
fn one_row_statements_are_timed_alone_and_beside_the_load() {
    let output = bench(&["--beside-s", "1", "--answer-delay-ms", "20"]);
    let report = report(&output);
    for part in ["idle", "beside"] {
        let count = report[part]["count"].as_u64();
        assert!(count.is_some_and(|count| count > 5), "{report}");
        let p50_ms = report[part]["p50_ms"].as_f64();
        assert!(p50_ms.is_some_and(|ms| ms >= 20.0), "{report}");
    }
    assert!(report["load_rows_per_s"].as_f64() > Some(0.0), "{report}");
}
