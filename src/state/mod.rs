//! What a gateway remembers of its users beyond the configuration: accounts and custom tables.
//!
//! Owns the store, in a file of SQLite or in a PostgreSQL ([`StateLocation`]), and the thread that
//! makes its users and tables known to the process. Promises that secrets are stored sealed, that a
//! change by another process is seen within seconds by sessions that begin then, and that deleted
//! users lose their connections. Never on a row's way.

mod account;
mod accounts;
mod database;
mod error;
mod handle;
mod keys_in_use;
mod lease;
mod location;
mod look_alike_seed;
mod postgresql;
mod publication;
mod renewed_keys;
mod schema;
mod sealing;
mod store;
mod tenure;

pub use account::{Account, AccountCredentials, NewUser, name_fault, new_password};
pub use error::StateError;
pub use handle::{LOOK_EVERY, OpenedState, StateHandle};
pub use lease::LeaseAnswer;
pub use location::StateLocation;
pub use publication::{Publication, identity_of};
pub use sealing::{SealingFault, SealingKeys};
pub use store::{StateStore, StoreVersion, StoredTable, TABLES_MAX_PER_USER};
pub use tenure::Tenure;
