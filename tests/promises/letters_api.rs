//! The API and the command line of dead letters, as operators use them.
//!
//! Owns the calls of a test. Speaks plain HTTP and JSON, so that nothing of the gateway's own
//! client judges itself.

use super::dev_process::DevProcess;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

pub const TOKEN: &str = "0123456789abcdef";

/// A directory that goes with its test.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("promises-letters-{}-{number}", std::process::id());
        Directory(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub fn path(&self) -> &str {
        self.0.to_str().expect("the path is UTF-8")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A test that made nothing leaves nothing.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A gateway that keeps dead letters in `directory`.
pub fn start(directory: &Directory) -> DevProcess {
    DevProcess::start(&["--dead-letters", directory.path(), "--admin-token", TOKEN])
}

/// Status and body of a call.
pub async fn call(
    address: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: String,
) -> (u16, String) {
    let method = method.parse().expect("a method");
    let url = format!("http://{address}/dead-letters{path}");
    let mut request = reqwest::Client::new().request(method, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if body.starts_with('{') && path != "/import" {
        request = request.header("content-type", "application/json");
    }
    let answer = request
        .body(body)
        .send()
        .await
        .expect("the gateway answers");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("a body"))
}

/// The JSON of a call that succeeds.
pub async fn json(address: &str, method: &str, path: &str, body: Value) -> Value {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let (status, text) = call(address, method, path, Some(TOKEN), body).await;
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// The letters of a query, as `?state=open`.
pub async fn letters(address: &str, query: &str) -> Vec<Value> {
    let answer = json(address, "GET", query, Value::Null).await;
    answer["items"].as_array().expect("a list").clone()
}

/// `penstock dead-letters …` with these arguments.
pub fn command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_penstock"))
        .arg("dead-letters")
        .args(arguments)
        .env("PENSTOCK_ADMIN_TOKEN", TOKEN)
        .output()
        .expect("the binary under test starts")
}

/// What a command prints that succeeds.
pub fn printed(arguments: &[&str]) -> String {
    let output = command(arguments);
    let text = String::from_utf8(output.stdout).expect("text");
    let faults = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {text}{faults}");
    text
}
