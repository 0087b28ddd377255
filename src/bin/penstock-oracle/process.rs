//! A child process that says when it is ready.
//!
//! Owns one process of the programme under test and its output file. Promises that it does
//! not outlive the oracle, and that a process that ends before it is ready is an error. Never
//! starts anything twice.

use anyhow::{Context, bail};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a process may take to be ready: a replay of a journal does not count into it.
const START: Duration = Duration::from_secs(30);

pub struct Process {
    child: Child,
    /// The words of its ready line.
    ready: String,
}

/// What a process is told by its system.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    Terminate,
    Stop,
    Continue,
}

impl Process {
    /// Starts `command` and waits for its line that begins with `ready_prefix`. What it logs
    /// is appended to `log`.
    pub fn start(mut command: Command, ready_prefix: &str, log: &Path) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{command:?} does not start"))?;
        let stdout = child.stdout.take().context("the output is piped")?;
        let (told, ready) = std::sync::mpsc::channel();
        let prefix = ready_prefix.to_owned();
        // Reads on to the end: a process must not block on a pipe that nobody empties.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.starts_with(&prefix) {
                    let _ = told.send(line);
                }
            }
        });
        match ready.recv_timeout(START) {
            Ok(ready) => Ok(Process { child, ready }),
            Err(_) => {
                let _ = child.kill();
                let ended = child.wait()?;
                bail!("{command:?} was not ready: {ended}")
            }
        }
    }

    /// The value of `name=value` in the ready line.
    pub fn told(&self, name: &str) -> anyhow::Result<&str> {
        self.ready
            .split(' ')
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            .with_context(|| format!("no {name} in {:?}", self.ready))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let name = match signal {
            Signal::Terminate => "TERM",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        };
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status()?;
        if !status.success() {
            bail!("kill -s {name} {pid}: {status}");
        }
        Ok(())
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for its end, at most `patience`.
    pub async fn wait(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("{} did not end within {patience:?}", self.ready)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
