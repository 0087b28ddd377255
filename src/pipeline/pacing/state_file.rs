//! The file that keeps spent budgets from one start to the next.
//!
//! Owns the file and the thread that writes it, at most four times a second and only when
//! something was spent. Promises that the file is whole at any time (a new one is written
//! beside it and moved in its place), that only its owner may read it, and that it says
//! whether the process ended in order. Never holds up sending: a write that fails is told.

use super::spent::{Clocks, Spent, VERSION};
use super::{Pacing, PacingTerms};
use crate::diagnostic::{Diagnostic, SqlState};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it is looked whether something was spent.
const INTERVAL: Duration = Duration::from_millis(250);

/// Writes the file of a [`Pacing`] until it is closed.
#[derive(Debug)]
pub struct StateFile {
    follows_a_crash: bool,
    thread: Mutex<Option<(mpsc::Sender<()>, JoinHandle<()>)>>,
}

impl StateFile {
    /// Reads `path`, makes budgets that go on from there, and keeps the file up to date.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(
        path: PathBuf,
        terms: PacingTerms,
        seed: u64,
    ) -> Result<(Arc<Pacing>, Self), Box<Diagnostic>> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| unwritable(&path, &error))?;
        }
        let spent = read(&path);
        let pacing = Pacing::restore(terms, Clocks::read(), &spent, seed);
        // From now on an end without a word is an unclean one.
        save(&path, &pacing, false).map_err(|error| unwritable(&path, &error))?;
        let (closed, told) = mpsc::channel();
        let kept = pacing.clone();
        let thread = std::thread::Builder::new()
            .name("pacing-state".to_owned())
            .spawn(move || keep(&path, &kept, &told))
            .map_err(|error| {
                Box::new(Diagnostic::error(
                    SqlState::INSUFFICIENT_RESOURCES,
                    format!("a thread cannot be started: {error}"),
                ))
            })?;
        let file = StateFile {
            follows_a_crash: !spent.clean,
            thread: Mutex::new(Some((closed, thread))),
        };
        Ok((pacing, file))
    }

    /// Whether the process before did not end in order: its last writes may still land.
    pub fn follows_a_crash(&self) -> bool {
        self.follows_a_crash
    }

    /// Writes the file for the last time: nothing is spent any more.
    pub fn close(&self) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((closed, thread)) = thread {
            // A thread that has panicked listens no more, and the file says "unclean".
            let _ = closed.send(());
            let _ = thread.join();
        }
    }
}

/// Until it is closed; without the word, the end is unclean.
fn keep(path: &Path, pacing: &Pacing, told: &mpsc::Receiver<()>) {
    let mut payments = pacing.payments();
    let mut failed = false;
    loop {
        let is_clean = match told.recv_timeout(INTERVAL) {
            Ok(()) => true,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => false,
        };
        let paid = pacing.payments();
        if is_clean || paid != payments {
            match save(path, pacing, is_clean) {
                Ok(()) => {
                    payments = paid;
                    failed = false;
                }
                Err(error) if !failed => {
                    tracing::error!("{}", unwritable(path, &error));
                    failed = true;
                }
                Err(_) => {}
            }
        }
        if is_clean {
            return;
        }
    }
}

/// What the process before has spent; after an unreadable file, whatever it may be.
fn read(path: &Path) -> Spent {
    let unknown = |why: String| {
        tracing::warn!(
            file = %path.display(),
            why,
            "the file of spent budgets cannot be read: CDF may refuse some requests at first"
        );
        Spent {
            clean: false,
            ..Spent::default()
        }
    };
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Spent::default(),
        Err(error) => return unknown(error.to_string()),
    };
    match serde_json::from_slice::<Spent>(&text) {
        Ok(spent) if spent.version == VERSION => spent,
        Ok(spent) => unknown(format!("it has version {}", spent.version)),
        Err(error) => unknown(error.to_string()),
    }
}

fn save(path: &Path, pacing: &Pacing, clean: bool) -> io::Result<()> {
    let mut spent = pacing.spent(Clocks::read());
    spent.clean = clean;
    let text = serde_json::to_vec_pretty(&spent)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = owners_own(&beside)?;
    file.write_all(&text)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

#[cfg(unix)]
fn owners_own(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn owners_own(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
}

fn unwritable(path: &Path, error: &io::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::SYSTEM_ERROR,
            format!(
                "the file of spent budgets {} cannot be written: {error}",
                path.display()
            ),
        )
        .with_hint("Set pacing.state_file to a file in a directory that exists and is writable."),
    )
}
