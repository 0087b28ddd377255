//! `[listen]`, `[runtime]`, `[memory]`, `[transactions]`, `[copy]`, `[timeouts]`.
//!
//! Owns how the process listens and what it may hold. Promises a bound for everything that
//! grows with load. Never holds users or CDF's side.

use super::modes::{CopyMode, TransactionMode};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenSettings {
    pub postgres: SocketAddr,
    /// Health and metrics.
    pub http: SocketAddr,
    /// PEM files; both or none.
    pub tls_certificate: Option<PathBuf>,
    pub tls_private_key: Option<PathBuf>,
    /// Refuse sign-in on connections without TLS.
    pub require_tls: bool,
    /// PEM file of the authorities that certificates of clients are checked by; without it
    /// clients are not asked for any.
    pub tls_client_ca: Option<PathBuf>,
    pub tls_client_certificates: ClientCertificates,
    /// How often the TLS files are looked at for changes; 0: never.
    pub tls_reload_s: u64,
    pub connections_max: usize,
    /// Connections that have not signed in yet; 0: half of `connections_max`.
    pub sign_ins_max: usize,
    /// The same from one address; 0: half of that.
    pub sign_ins_max_per_address: usize,
    /// Largest message before sign-in, in bytes; PostgreSQL's own bound is 10,000 for the
    /// startup packet and 65,535 for SASL messages.
    pub message_bytes_max_before_sign_in: u32,
    /// Largest message after sign-in, in bytes: Query, Bind, CopyData.
    pub message_bytes_max: u32,
}

impl Default for ListenSettings {
    fn default() -> Self {
        ListenSettings {
            postgres: SocketAddr::from(([127, 0, 0, 1], 5432)),
            http: SocketAddr::from(([127, 0, 0, 1], 9187)),
            tls_certificate: None,
            tls_private_key: None,
            require_tls: false,
            tls_client_ca: None,
            tls_client_certificates: ClientCertificates::Verify,
            tls_reload_s: 10,
            connections_max: 1000,
            sign_ins_max: 0,
            sign_ins_max_per_address: 0,
            message_bytes_max_before_sign_in: 65_536,
            message_bytes_max: 64 << 20,
        }
    }
}

/// What clients are asked for in the TLS handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificates {
    /// Who shows a certificate must show a good one.
    #[default]
    Verify,
    /// Everybody must.
    Require,
}

/// Threads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeSettings {
    /// Threads that serve connections; 0: one per core.
    pub connection_threads: usize,
    /// Threads that encode and send requests; 0: one per two cores, at least one.
    pub writer_threads: usize,
}

/// Bytes of rows that may be under way, to CDF and from it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemorySettings {
    pub rows_bytes_max: usize,
    pub rows_bytes_max_per_connection: usize,
    /// Of pages that are read for statements that an engine runs.
    pub scans_bytes_max: usize,
}

impl Default for MemorySettings {
    fn default() -> Self {
        MemorySettings {
            rows_bytes_max: 64 << 20,
            rows_bytes_max_per_connection: 32 << 20,
            scans_bytes_max: 64 << 20,
        }
    }
}

/// What BEGIN … COMMIT may hold, in memory and on disk.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransactionSettings {
    /// When rows are sent, unless a user or a session says otherwise.
    pub mode: TransactionMode,
    /// Bytes of one transaction in memory; past it rows go to disk, or fail with 53400.
    pub staged_bytes_max: usize,
    /// Bytes of all transactions together in memory; past it likewise.
    pub staged_bytes_max_total: usize,
    /// Where rows go that memory has no room for; without it none do. Relative to the file that
    /// names it.
    pub spool_directory: Option<PathBuf>,
    /// Bytes of one transaction on disk; past it the statement fails with 53400.
    pub spool_bytes_max: u64,
    /// Bytes of all transactions together on disk; past it 53400 as well.
    pub spool_bytes_max_total: u64,
}

impl Default for TransactionSettings {
    fn default() -> Self {
        TransactionSettings {
            mode: TransactionMode::Staged,
            staged_bytes_max: 32 << 20,
            staged_bytes_max_total: 64 << 20,
            spool_directory: None,
            spool_bytes_max: 4 << 30,
            spool_bytes_max_total: 16 << 30,
        }
    }
}

/// How COPY and INSERT cut rows into batches for the pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CopySettings {
    /// When rows are sent, unless a user or a session says otherwise.
    pub mode: CopyMode,
    /// Rows per batch from a connection to a batcher.
    pub batch_rows: usize,
    /// Bytes per batch from a connection to a batcher.
    pub batch_bytes: usize,
    /// Longest line of COPY, in bytes.
    pub line_bytes_max: usize,
}

impl Default for CopySettings {
    fn default() -> Self {
        CopySettings {
            mode: CopyMode::Streaming,
            batch_rows: 10_000,
            batch_bytes: 1 << 20,
            line_bytes_max: 32 << 20,
        }
    }
}

/// How long things may take.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutSettings {
    /// From accept to the end of sign-in.
    pub sign_in_s: u64,
    /// Between statements outside of a transaction block; 0: no bound. This one and the next
    /// three are what sessions start with: clients may set their own.
    pub idle_s: u64,
    /// Between statements in a transaction block; 0: no bound.
    pub idle_in_transaction_s: u64,
    /// One statement; 0: no bound.
    pub statement_s: u64,
    /// One transaction; 0: no bound.
    pub transaction_s: u64,
    /// How long a session goes on after the token that it was opened with has expired.
    pub token_grace_s: u64,
    /// After SIGTERM, for statements in flight.
    pub drain_s: u64,
    /// Without a turn of an event loop, before the process ends itself; 0: never.
    pub hang_s: u64,
}

impl Default for TimeoutSettings {
    fn default() -> Self {
        TimeoutSettings {
            sign_in_s: 60,
            idle_s: 0,
            idle_in_transaction_s: 0,
            statement_s: 0,
            transaction_s: 0,
            token_grace_s: 60,
            drain_s: 30,
            hang_s: 60,
        }
    }
}
