//! What all connections of one listener share.
//!
//! Owns settings, sign-in, the way into the pipeline and the meters, as one value that every
//! thread holds. Promises that nothing in it belongs to a single connection. Never changes
//! after the start, but for counters.

use super::activity::Activities;
use super::destination::Destination;
use super::listener::WireSettings;
use super::live_tls::LiveTls;
use super::registry::Registry;
use super::sign_in::Authenticator;
use super::staged_bytes::StagedBudget;
use crate::catalog::{self, TABLES, Table};
use crate::engine::Engines;
use crate::pipeline::MemoryBudget;
use crate::spool::SpoolStore;
use crate::telemetry::{ConnectionMeters, StatementMeters, TableCounters};
use std::sync::Arc;

pub(super) struct Gateway {
    pub(super) settings: WireSettings,
    pub(super) tls: LiveTls,
    pub(super) authenticator: Authenticator,
    pub(super) registry: Arc<Registry>,
    pub(super) destination: Arc<dyn Destination>,
    pub(super) budget: MemoryBudget,
    /// Bytes that transactions hold in memory until COMMIT.
    pub(super) staged: StagedBudget,
    /// Where they go past that; `None`: nowhere.
    pub(super) spools: Option<SpoolStore>,
    /// Who runs statements that are not the gateway's own.
    pub(super) engines: Engines,
    /// What each session is doing.
    pub(super) activities: Arc<Activities>,
    pub(super) connections: ConnectionMeters,
    pub(super) statements: StatementMeters,
    /// In the order of the catalog's tables.
    tables: Vec<TableCounters>,
    /// Of all custom tables together: their names are the users' own.
    custom_tables: TableCounters,
}

impl Gateway {
    pub(super) fn new(
        settings: WireSettings,
        tls: LiveTls,
        authenticator: Authenticator,
        destination: Arc<dyn Destination>,
        budget: MemoryBudget,
        spools: Option<SpoolStore>,
        registry: Arc<Registry>,
    ) -> Self {
        let staged = StagedBudget::new(settings.transactions.staged_bytes_max_total);
        let engines = Engines::new(settings.engine.clone());
        Gateway {
            settings,
            tls,
            authenticator,
            registry,
            destination,
            budget,
            staged,
            spools,
            engines,
            activities: Arc::default(),
            connections: ConnectionMeters::new(),
            statements: StatementMeters::new(),
            tables: TABLES
                .iter()
                .map(|table| TableCounters::of(table))
                .collect(),
            custom_tables: TableCounters::of_custom(),
        }
    }

    /// Counts what came in for `table`.
    pub(super) fn count_received(&self, table: &'static Table, rows: u64, bytes: u64) {
        let table = catalog::today(table);
        let index = TABLES.iter().position(|known| std::ptr::eq(*known, table));
        let counters = index.and_then(|index| self.tables.get(index));
        let counters = counters.unwrap_or(&self.custom_tables);
        counters.rows.increment(rows);
        counters.bytes.increment(bytes);
    }
}
