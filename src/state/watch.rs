//! Keeping the process's custom tables as the store has them.
//!
//! Owns one thread that looks at the store. Promises that tables are known before the first
//! session begins, and that a change is seen within [`LOOK_EVERY`]. Never touches sessions that
//! have begun: they keep the tables that they know.

use super::{StateError, StateStore};
use crate::catalog::{CustomTables, Table, custom_table, publish_custom_tables};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a change may stay unseen.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The running thread; it ends with this value.
#[derive(Debug)]
pub struct StateWatch {
    /// Nothing is ever sent: the thread ends when this is gone.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StateWatch {
    /// Makes the tables of the store at `path` known, and looks for changes from now on.
    ///
    /// # Errors
    /// The store cannot be opened or read, or there is no thread.
    pub fn start(path: &Path) -> Result<Self, StateError> {
        let store = StateStore::open(path)?;
        let version = store.version()?;
        publish(&store)?;
        let (stop, stopped) = channel();
        let thread = thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || watch(&store, version, &stopped))
            .map_err(|error: io::Error| StateError::Failed {
                path: path.display().to_string(),
                fault: format!("no thread to watch it: {error}"),
            })?;
        Ok(StateWatch {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for StateWatch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its thread.
            let _ = thread.join();
        }
    }
}

fn watch(store: &StateStore, mut seen: i64, stopped: &Receiver<()>) {
    let mut is_failing = false;
    while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
        let looked = store.version().and_then(|version| {
            if version != seen {
                publish(store)?;
                seen = version;
            }
            Ok(())
        });
        match looked {
            Ok(()) => is_failing = false,
            // Once is enough: the next look comes soon.
            Err(error) if !is_failing => {
                is_failing = true;
                tracing::error!(%error, "custom tables stay as they were");
            }
            Err(_) => {}
        }
    }
}

fn publish(store: &StateStore) -> Result<(), StateError> {
    let mut tables: HashMap<String, Vec<&'static Table>> = HashMap::new();
    for stored in store.tables(None)? {
        match custom_table(&stored.definition) {
            Ok(table) => tables.entry(stored.user).or_default().push(table),
            Err(fault) => {
                let (user, table) = (&stored.user, &stored.definition.name);
                tracing::error!(user, table, %fault, "a custom table cannot be used");
            }
        }
    }
    publish_custom_tables(
        tables
            .into_iter()
            .map(|(user, tables)| (user, CustomTables::new(tables)))
            .collect(),
    );
    Ok(())
}
