//! The state store: the same promises in a file of SQLite and in a PostgreSQL.

mod commands;
mod connections;
mod leases;
mod postgresql;
mod process;
mod publication;
mod stores;
mod takeover;

use penstock::cdf::Secret;
use penstock::state::{SealingKeys, StateLocation, StateStore};
use postgresql::PostgreSql;
use std::path::PathBuf;

/// One key of many: 32 times the same byte.
pub fn keys(sealing: u8, older: &[u8]) -> SealingKeys {
    let key = |byte: &u8| Secret::new(format!("{byte:02x}").repeat(32));
    let older: Vec<Secret> = older.iter().map(key).collect();
    SealingKeys::new(&key(&sealing), &older).expect("keys")
}

/// A place for a store of each kind, for each of which `check` runs; both are empty.
pub fn on_both(name: &str, check: impl Fn(&StateLocation)) {
    let directory: PathBuf =
        std::env::temp_dir().join(format!("penstock-state-{name}-{}", std::process::id()));
    check(&StateLocation::File(directory.join("state.sqlite")));
    std::fs::remove_dir_all(&directory).expect("removable");
    let server = PostgreSql::start(name);
    check(&StateLocation::PostgreSql(Secret::new(
        server.database("state"),
    )));
}

pub fn open(location: &StateLocation) -> StateStore {
    StateStore::open(location, Some(keys(1, &[]))).expect("the store opens")
}
