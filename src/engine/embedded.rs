//! An embedded PostgreSQL: a child process of the gateway, in a directory of its own.
//!
//! Owns the process, its directory and its end. Promises that nothing is left of an engine that is
//! dropped, whatever it was doing. Never is shared between users: what a statement does to it ends
//! with it.

use super::fault::EngineFault;
use super::files::{self, EngineFiles};
use super::running::{Engine, EngineSize};
use crate::config::EngineSettings;
use crate::diagnostic::{Diagnostic, SqlState};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// From the start of the process to an open socket, on a machine that is busy.
const START_MAX: Duration = Duration::from_secs(60);

/// A running child process.
#[derive(Debug)]
pub struct EmbeddedEngine {
    /// Taken when it ends.
    child: Option<Child>,
    directory: PathBuf,
    process_id: u32,
    /// Its directory is in there.
    files: Arc<EngineFiles>,
}

impl EmbeddedEngine {
    /// Starts one, with a copy of the data in `template` if there is one, and waits until it can be
    /// connected to.
    ///
    /// # Errors
    /// `Unavailable` with what went wrong.
    pub async fn start(
        settings: &EngineSettings,
        files: &Arc<EngineFiles>,
        template: Option<PathBuf>,
    ) -> Result<Self, EngineFault> {
        let (program, own) = (settings.program.clone(), files.clone());
        // Copying files and making processes may take a while on a machine that is busy.
        let begun = tokio::task::spawn_blocking(move || {
            let directory = own.new_directory()?;
            let spawned = prepared(&directory, template.as_deref())
                .and_then(|()| spawn(program, &own.unpacked(), &directory));
            match spawned {
                Ok((child, output)) => {
                    let process_id = child.id();
                    // From here on it is ended and removed also where nobody waits for it any more.
                    let engine = EmbeddedEngine {
                        child: Some(child),
                        directory,
                        process_id,
                        files: own,
                    };
                    Ok((engine, output))
                }
                Err(error) => {
                    files::remove(&directory);
                    Err(error)
                }
            }
        });
        let (engine, output) = match begun.await {
            Ok(begun) => begun.map_err(|error| unavailable(&error))?,
            Err(error) => return Err(unavailable(&error)),
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

    /// Where its data are.
    pub fn data(&self) -> PathBuf {
        data_in(&self.directory)
    }
}

impl Engine for EmbeddedEngine {
    fn is_up(&mut self) -> bool {
        let child = self.child.as_mut();
        let has_not_ended = child.is_some_and(|child| matches!(child.try_wait(), Ok(None)));
        // One that was killed is not to be waited for before its last thread is gone; its memory goes
        // first.
        has_not_ended && resident_bytes(self.process_id).is_some()
    }

    fn size(&self) -> Arc<dyn EngineSize> {
        Arc::new(EmbeddedSize {
            process_id: self.process_id,
            directory: self.directory.clone(),
        })
    }
}

/// What measures one.
#[derive(Debug)]
struct EmbeddedSize {
    process_id: u32,
    directory: PathBuf,
}

#[async_trait::async_trait]
impl EngineSize for EmbeddedSize {
    fn memory_bytes(&self) -> Option<u64> {
        resident_bytes(self.process_id)
    }

    async fn disk_bytes(&self) -> u64 {
        let directory = self.directory.clone();
        let measured = tokio::task::spawn_blocking(move || disk_bytes(&directory)).await;
        measured.unwrap_or(0)
    }
}

/// Bytes of memory that a process uses now; `None` when it is gone, or the system does not tell.
fn resident_bytes(process_id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process_id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes << 10)
}

/// Bytes of disk that the files of a directory take now. What disappears meanwhile counts for nothing.
fn disk_bytes(directory: &Path) -> u64 {
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
        let files = self.files.clone();
        // A statement cannot be interrupted from within: the process goes. Waiting for that and
        // removing files would hold up the connections of this thread.
        let ended = std::thread::Builder::new()
            .name("engine-end".to_owned())
            .spawn(move || {
                // One that has ended by itself is what is wanted, too.
                let _ = child.kill();
                let _ = child.wait();
                files::remove(&directory);
                drop(files);
            });
        if let Err(error) = ended {
            tracing::warn!(%error, "an engine's end cannot be waited for");
        }
    }
}

/// `Unavailable`: it cannot be started.
pub(super) fn unavailable(why: &dyn std::fmt::Display) -> EngineFault {
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

fn data_in(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// Puts the data in their place that an engine begins with.
fn prepared(directory: &Path, template: Option<&Path>) -> io::Result<()> {
    match template {
        Some(template) => files::copy(template, &data_in(directory)),
        None => Ok(()),
    }
}

fn spawn(
    program: Option<PathBuf>,
    unpacked: &Path,
    directory: &Path,
) -> io::Result<(Child, ChildStdout)> {
    let program = match program {
        Some(program) => program,
        None => std::env::current_exe()?,
    };
    let mut command = Command::new(program);
    command
        .arg("engine")
        .arg("--directory")
        .arg(data_in(directory))
        .arg("--socket")
        .arg(socket_in(directory))
        // Nothing of the gateway's: its environment holds secrets.
        .env_clear()
        .env("TMPDIR", directory)
        // What it unpacks of itself goes here, once for all engines.
        .env("HOME", unpacked)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    match child.stdout.take() {
        Some(output) => Ok((child, output)),
        None => Err(io::Error::other("it has no standard output")),
    }
}
