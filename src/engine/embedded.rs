//! An embedded PostgreSQL: a child process of the gateway, in a directory of its own.
//!
//! Owns the process, its directory and its end. Promises that nothing is left of an engine that is
//! dropped, whatever it was doing, and that what an earlier gateway left behind is removed. Never
//! is shared between users: what a statement does to it ends with it.

use super::fault::EngineFault;
use crate::config::EngineSettings;
use crate::diagnostic::{Diagnostic, SqlState};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// How names of directories begin; then comes the process id of the gateway, and a number.
const DIRECTORY_PREFIX: &str = "penstock-engine-";

/// From the start of the process to an open socket, on a machine that is busy.
const START_MAX: Duration = Duration::from_secs(60);

/// A running child process.
#[derive(Debug)]
pub struct EmbeddedEngine {
    /// Taken when it ends.
    child: Option<Child>,
    directory: PathBuf,
    process_id: u32,
}

impl EmbeddedEngine {
    /// Starts one and waits until it can be connected to.
    ///
    /// # Errors
    /// `Unavailable` with what went wrong.
    pub async fn start(settings: &EngineSettings) -> Result<Self, EngineFault> {
        let parent = settings.directory_or_temporary();
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| sweep(&parent));
        let directory = new_directory(&parent).map_err(|error| unavailable(&error))?;
        let spawned = spawn(settings, &directory);
        let (child, output) = spawned.map_err(|error| {
            remove(&directory);
            unavailable(&error)
        })?;
        let process_id = child.id();
        let engine = EmbeddedEngine {
            child: Some(child),
            directory,
            process_id,
        };
        let said = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).map(|_| line)
        });
        match timeout(START_MAX, said).await {
            Ok(Ok(Ok(line))) if line.trim_end() == super::READY => Ok(engine),
            Ok(Ok(Err(error))) => Err(unavailable(&error)),
            Ok(_) => Err(unavailable(&"it ended before it could be asked")),
            Err(_) => Err(unavailable(&"it did not start in time")),
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        socket_in(&self.directory)
    }

    /// Where all its files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.process_id
    }
}

/// Bytes of memory that a process uses now; `None` when it is gone, or the system does not tell.
pub fn resident_bytes(process_id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process_id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes << 10)
}

/// Bytes of disk that the files of a directory take now. What disappears meanwhile counts for nothing.
pub fn disk_bytes(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

impl Drop for EmbeddedEngine {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let directory = std::mem::take(&mut self.directory);
        // A statement cannot be interrupted from within: the process goes. Waiting for that and
        // removing files would hold up the connections of this thread.
        let ended = std::thread::Builder::new()
            .name("engine-end".to_owned())
            .spawn(move || {
                // One that has ended by itself is what is wanted, too.
                let _ = child.kill();
                let _ = child.wait();
                remove(&directory);
            });
        if let Err(error) = ended {
            tracing::warn!(%error, "an engine's end cannot be waited for");
        }
    }
}

/// `Unavailable`: it cannot be started.
fn unavailable(why: &dyn std::fmt::Display) -> EngineFault {
    tracing::error!(%why, "an embedded PostgreSQL cannot be started");
    EngineFault::Unavailable(Box::new(
        Diagnostic::error(
            SqlState::CANNOT_CONNECT_NOW,
            "the PostgreSQL that runs this statement cannot be started",
        )
        .with_hint("The gateway's log says why. COPY, INSERT, and UPDATE and DELETE by key do not need it."),
    ))
}

fn socket_in(directory: &Path) -> PathBuf {
    directory.join("socket")
}

/// A directory that only this user of the machine can enter.
fn new_directory(parent: &Path) -> io::Result<PathBuf> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("{DIRECTORY_PREFIX}{}-{number}", std::process::id());
    let directory = parent.join(name);
    fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}

fn spawn(settings: &EngineSettings, directory: &Path) -> io::Result<(Child, ChildStdout)> {
    let program = match &settings.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()?,
    };
    let mut command = Command::new(program);
    command
        .arg("engine")
        .arg("--directory")
        .arg(directory.join("data"))
        .arg("--socket")
        .arg(socket_in(directory))
        // Nothing of the gateway's: its environment holds secrets.
        .env_clear()
        .env("TMPDIR", directory)
        .env("HOME", directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    match child.stdout.take() {
        Some(output) => Ok((child, output)),
        None => Err(io::Error::other("it has no standard output")),
    }
}

/// Removes what gateways left that are no more.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let gateway = name
            .to_str()
            .and_then(|name| name.strip_prefix(DIRECTORY_PREFIX))
            .and_then(|rest| rest.split('-').next())
            .and_then(|process_id| process_id.parse::<u32>().ok());
        if gateway.is_some_and(|process_id| !Path::new(&format!("/proc/{process_id}")).exists()) {
            remove(&entry.path());
        }
    }
}

fn remove(directory: &Path) {
    if let Err(error) = fs::remove_dir_all(directory) {
        tracing::warn!(directory = %directory.display(), %error, "an engine's files stay behind");
    }
}
