//! The tree of keys, as operators write it.
//!
//! Owns the shape of `penstock.toml`. Promises that a key that is not in the tree is refused.
//! Never resolves anything: secrets are read and names looked up in
//! [`configuration`](super::configuration).

use super::accounts::AccountsSettings;
use super::admin::AdminKeys;
use super::cdf::CdfSettings;
use super::issuers::IssuerSettings;
use super::principals::PrincipalSettings;
use super::sign_in::SignInSettings;
use super::user::UserSettings;
use super::{
    BatchTable, CopySettings, DeadLetterSettings, EngineSettings, JournalSettings, LimitsTable,
    ListenSettings, LogSettings, MemorySettings, PacingSettings, RetrySettings, RuntimeSettings,
    SignInFailureSettings, StateKeys, StatementSettings, TableSettings, TimeoutSettings,
    TransactionSettings,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole tree. Sections that name principals have no defaults and are not serialized.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tree {
    /// A file with the keys of `[limits]`; relative to the file that names it.
    pub limits_file: Option<PathBuf>,
    pub listen: ListenSettings,
    pub runtime: RuntimeSettings,
    pub memory: MemorySettings,
    pub transactions: TransactionSettings,
    pub copy: CopySettings,
    pub statements: StatementSettings,
    pub engine: EngineSettings,
    pub tables: BTreeMap<String, TableSettings>,
    pub journal: JournalSettings,
    pub timeouts: TimeoutSettings,
    pub batch: BatchTable,
    pub retry: RetrySettings,
    pub pacing: PacingSettings,
    pub limits: LimitsTable,
    pub dead_letters: DeadLetterSettings,
    pub state: StateKeys,
    pub accounts: AccountsSettings,
    pub sign_in_failures: SignInFailureSettings,
    pub logs: LogSettings,
    #[serde(skip_serializing)]
    pub admin: AdminKeys,
    #[serde(skip_serializing)]
    pub cdf: BTreeMap<String, CdfSettings>,
    #[serde(skip_serializing)]
    pub users: Vec<UserSettings>,
    #[serde(skip_serializing)]
    pub sign_in: Vec<SignInSettings>,
    #[serde(skip_serializing)]
    pub issuers: Vec<IssuerSettings>,
    #[serde(skip_serializing)]
    pub principals: Vec<PrincipalSettings>,
}
