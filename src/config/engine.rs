//! Which engine there is, and how much of it.
//!
//! Owns the settings of the cold road. Promises that the defaults fit a gateway with 1 GiB of
//! memory. Never starts anything.

use super::problem::Findings;
use super::secret_source::{SecretSource, Surroundings};
use crate::cdf::Secret;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Who runs what is not the gateway's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// Nobody: such statements are 0A000.
    Off,
    /// PostgreSQL in child processes of the gateway.
    #[default]
    Embedded,
    /// A PostgreSQL that somebody else runs.
    External,
}

/// The section `engine` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    pub kind: EngineKind,
    /// Where the external one is, as `postgresql://…`; its role makes databases and roles there.
    #[serde(skip_serializing)]
    pub url: Option<Secret>,
    #[serde(skip_serializing)]
    pub url_env: Option<String>,
    /// Read anew for each sign-in. Relative to the file that names it.
    #[serde(skip_serializing)]
    pub url_file: Option<PathBuf>,
    /// Engines that statements share: so many may run at the same time.
    pub engines_max: usize,
    /// Engines that sessions may have for themselves besides, for temporary tables and cursors.
    pub owned_max: usize,
    /// Of these so many are kept up that are nobody's yet, for whoever needs the next one.
    pub spares: usize,
    /// How long a statement waits for one that is free.
    pub wait_s: u64,
    /// How long one stays up for its user after the last statement.
    pub idle_s: u64,
    /// Memory of one engine; past it its statement is ended.
    pub memory_bytes_max: u64,
    /// Disk that the files of one engine take; past it its statement is ended.
    pub disk_bytes_max: u64,
    /// Rows that a statement may read of one table.
    pub scan_rows_max: u64,
    /// Answers about the catalog that are kept for the next who asks the same.
    pub catalog_bytes_max: usize,
    /// Rows that clients have not read yet, on disk, of all statements; past it their engines wait.
    pub spool_bytes_max: u64,
    /// How long a client may leave the rows of a statement unread.
    pub stall_s: u64,
    /// Where engines keep their files; the system's directory for temporary files unless said.
    /// Relative to the file that names it.
    pub directory: Option<PathBuf>,
    /// The binary that child processes run; the gateway's own unless said.
    #[serde(skip)]
    pub program: Option<PathBuf>,
}

impl Default for EngineSettings {
    fn default() -> Self {
        EngineSettings {
            kind: EngineKind::default(),
            url: None,
            url_env: None,
            url_file: None,
            engines_max: 4,
            owned_max: 4,
            spares: 1,
            wait_s: 10,
            idle_s: 60,
            memory_bytes_max: 512 << 20,
            disk_bytes_max: 2 << 30,
            scan_rows_max: 2_000_000,
            catalog_bytes_max: 16 << 20,
            spool_bytes_max: 256 << 20,
            stall_s: 30,
            directory: None,
            program: None,
        }
    }
}

impl EngineSettings {
    /// Reads the URL, and makes the names of files whole.
    pub(super) fn resolve(&self, surroundings: &Surroundings<'_>, findings: &mut Findings) -> Self {
        let source = SecretSource {
            section: "engine",
            name: "url",
            value: self.url.as_ref(),
            variable: self.url_env.as_deref(),
            file: self.url_file.as_deref(),
        };
        let url = match self.kind {
            EngineKind::External => source.read(surroundings, findings),
            EngineKind::Off | EngineKind::Embedded => {
                if source.is_named() {
                    findings.note(
                        "engine.url",
                        "it is set and nothing uses it",
                        "Set engine.kind to \"external\", or leave the URL out",
                    );
                }
                None
            }
        };
        if let Some(url) = &url
            && url.expose().parse::<tokio_postgres::Config>().is_err()
        {
            // The parser's own words may hold a part of the secret.
            findings.note(
                "engine.url",
                "it is no URL of a PostgreSQL",
                "Write it as postgresql://role:password@host:5432/database?sslmode=require",
            );
        }
        let directory = surroundings.directory;
        EngineSettings {
            url,
            url_file: self.url_file.as_ref().map(|name| directory.join(name)),
            directory: self.directory.as_ref().map(|name| directory.join(name)),
            ..self.clone()
        }
    }

    /// Where engines keep their files.
    pub fn directory_or_temporary(&self) -> PathBuf {
        self.directory.clone().unwrap_or_else(std::env::temp_dir)
    }
}
