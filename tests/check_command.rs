//! `penstock check` as an operator runs it.

use std::path::Path;
use std::process::{Command, Output};

fn check(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_penstock"))
        .arg("check")
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn reference() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config/penstock.toml")
        .display()
        .to_string()
}

#[test]
fn a_sound_file_is_summed_up_without_its_secrets() {
    let output = check(
        &[&reference()],
        &[
            ("PENSTOCK_WRITER_PASSWORD", "correct horse"),
            ("PENSTOCK_PLANT_CLIENT_SECRET", "battery staple"),
        ],
    );
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(shown.contains("can be used."), "{shown}");
    assert!(
        shown.contains("writer (password) writes to project my-project"),
        "{shown}"
    );
    let all = shown + &text(&output.stderr);
    assert!(!all.contains("horse") && !all.contains("staple"), "{all}");
}

#[test]
fn what_is_wrong_is_on_standard_error_with_exit_code_1() {
    let output = check(&[&reference()], &[("PENSTOCK_COPY__BATCH_ROWS", "0")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    let shown = text(&output.stderr);
    // The two secrets that are not set, and the override.
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(
        shown.contains("environment variable PENSTOCK_COPY__BATCH_ROWS: copy.batch_rows: "),
        "{shown}"
    );
    assert!(
        shown.contains("penstock.toml:27: users.0.password_env: "),
        "{shown}"
    );
}

#[test]
fn nobody_is_asked_without_online_and_somebody_with_it() {
    // Nothing listens on port 1, so asking fails and not asking does not.
    let variables = [
        ("PENSTOCK_WRITER_PASSWORD", "p"),
        ("PENSTOCK_PLANT_CLIENT_SECRET", "s"),
        ("PENSTOCK_CDF__PLANT__BASE_URL", "http://127.0.0.1:1"),
        ("PENSTOCK_CDF__PLANT__TOKEN_URL", "http://127.0.0.1:1/token"),
    ];
    assert!(check(&[&reference()], &variables).status.success());
    let output = check(&[&reference(), "--online"], &variables);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(shown.contains("user writer: "), "{shown}");
    assert!(shown.contains("http://127.0.0.1:1/token"), "{shown}");
}
