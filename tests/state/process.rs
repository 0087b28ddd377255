//! Gateways as processes of their own, with a state store, and the commands that work on it.
//!
//! Owns the processes and the directory of one test. What a test waits for is a line that the
//! gateway writes, or an answer of its own.

use penstock::state::StateLocation;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a machine with much to do may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// The directory of a test, with a configuration for as many gateways as it wants.
pub struct Installation {
    pub directory: PathBuf,
    location: StateLocation,
}

impl Installation {
    pub fn new(name: &str, location: &StateLocation) -> Self {
        let directory =
            std::env::temp_dir().join(format!("penstock-install-{name}-{}", std::process::id()));
        // What an earlier run with this process id left.
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("a directory");
        let installation = Installation {
            directory,
            location: location.clone(),
        };
        installation.write("key = \"".to_owned() + &"01".repeat(32) + "\"");
        installation
    }

    /// Writes the configuration, with these lines of the section `[state]`.
    pub fn write(&self, keys: String) {
        let place = match &self.location {
            StateLocation::File(path) => format!("path = {:?}", path.display().to_string()),
            StateLocation::PostgreSql(url) => format!("url = {:?}", url.expose()),
        };
        let text = format!(
            "[listen]\npostgres = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n\
             [state]\n{place}\nlease_s = 3\n{keys}\n\
             [[users]]\nname = \"configured\"\npassword = \"secret\"\ncdf = \"test\"\n\
             [cdf.test]\nbase_url = \"http://127.0.0.1:9\"\nproject = \"plant\"\ntoken = \"t\"\n"
        );
        std::fs::write(self.configuration(), text).expect("writable");
    }

    pub fn configuration(&self) -> PathBuf {
        self.directory.join("penstock.toml")
    }

    /// Starts a gateway and does not wait for it.
    pub fn start(&self) -> Gateway {
        let mut child = penstock()
            .arg("serve")
            .arg(self.configuration())
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary under test starts");
        let output = lines(child.stdout.take().expect("piped"));
        let log = lines(child.stderr.take().expect("piped"));
        Gateway { child, output, log }
    }

    /// Runs a command on the store; `secret` is what it reads from standard input.
    pub fn command(&self, words: &[&str], secret: &str) -> Output {
        let mut child = penstock()
            .args(words)
            .arg("--config")
            .arg(self.configuration())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary under test starts");
        let mut input = child.stdin.take().expect("piped");
        // A command that reads nothing may have closed it.
        let _ = input.write_all(secret.as_bytes());
        drop(input);
        child.wait_with_output().expect("it ends")
    }

    /// Makes a user and returns its password.
    pub fn create_user(&self, name: &str) -> String {
        let token_url = "https://login.example/token";
        let made = self.command(
            &[
                "user",
                "create",
                "--project",
                "plant",
                "--name",
                name,
                "--base-url",
                "https://cdf.example",
                "--token-url",
                token_url,
                "--client-id",
                "client",
            ],
            "the client secret\n",
        );
        password_in(&made)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // What stays is overwritten by the next run.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The password that a command printed.
pub fn password_in(output: &Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let password = printed
        .lines()
        .find_map(|line| line.strip_prefix("password "));
    password.expect("it prints the password").to_owned()
}

fn penstock() -> Command {
    Command::new(env!("CARGO_BIN_EXE_penstock"))
}

/// The lines of a stream, read all the time so that the process never waits for its reader.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        for line in lines {
            // The test may have ended.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// A running `penstock serve`, killed with the test.
pub struct Gateway {
    child: Child,
    output: Receiver<String>,
    log: Receiver<String>,
}

impl Gateway {
    /// Waits for its ready line; returns where it serves PostgreSQL clients and HTTP.
    pub fn ready(&self) -> (String, String) {
        let line = find(&self.output, "penstock serve ready");
        (word(&line, "postgres="), word(&line, "http="))
    }

    /// Waits until it says in its log that somebody else serves; returns where it shows itself.
    pub fn standby(&self) -> String {
        let line = find(&self.log, "health, metrics and readiness are shown");
        find(&self.log, "another gateway serves");
        word(&line, "http=")
    }

    /// Waits for a line of its log.
    pub fn logs(&self, part: &str) -> String {
        find(&self.log, part)
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill exists").success());
    }

    /// Waits for its end; the exit code, which a signal has not.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.wait().expect("the process ends").code()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Already ended is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find(lines: &Receiver<String>, part: &str) -> String {
    let until = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) if line.contains(part) => return line,
            Ok(line) => seen.push(line),
            Err(end) => panic!("no {part:?} ({end}) in:\n{}", seen.join("\n")),
        }
    }
}

/// What stands behind `start` in one of the words of `line`.
fn word(line: &str, start: &str) -> String {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix(start))
        .unwrap_or_else(|| panic!("no {start} in {line:?}"))
        .to_owned()
}

/// What a gateway answers to GET: status line, headers and body.
pub fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}
