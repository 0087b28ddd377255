//! Short campaigns of the oracle: everything goes wrong, and every acknowledged row is found.
//!
//! Owns no judgement of its own: `penstock-oracle` judges, in a process of its own, with the
//! gateway and the CDF in two others. The seeds are fixed, so that a failure can be run again by
//! the command that it prints.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// One campaign after the other: each wants the whole machine.
static TURN: Mutex<()> = Mutex::new(());

fn campaign(arguments: &[&str]) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut oracle = Command::new(env!("CARGO_BIN_EXE_penstock-oracle"));
    oracle
        .args([
            "--penstock",
            env!("CARGO_BIN_EXE_penstock"),
            "--minutes",
            "5",
        ])
        .args(arguments);
    let output = oracle.output().expect("the oracle starts");
    let (told, log) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && told.contains("verdict: good"),
        "{oracle:?}\n{told}\n{log}"
    );
}

#[test]
fn every_kind_of_fault_once_loses_nothing_and_overtakes_nothing() {
    campaign(&["--seed", "1", "--faults", "18"]);
}

#[test]
fn ten_crashes_of_the_gateway_lose_nothing_and_overtake_nothing() {
    campaign(&["--seed", "2", "--faults", "10", "--only", "kill,torn-tail"]);
}

#[test]
fn restarts_under_load_lose_nothing_and_tell_no_wrong_success() {
    campaign(&["--seed", "3", "--faults", "5", "--only", "restart"]);
}
