//! `penstock bench`, whole: client, gateway and sink in three processes.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

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
