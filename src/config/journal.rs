//! `[journal]`: rows that are acknowledged once they are safe on this machine's disk.
//!
//! Owns where the journal is, how large it may become, and which tables use it by default.
//! Promises that nothing is journaled unless a directory is named. Never touches the directory.

use super::problem::Findings;
use crate::catalog::{Table, full_names, table_of_full_name};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// When a client is told that its rows were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AckMode {
    /// When CDF has accepted them.
    #[default]
    Delivered,
    /// When they are in the journal, on disk: they are delivered later, or become dead letters.
    Journaled,
}

impl AckMode {
    /// The word in configuration and settings.
    pub fn name(self) -> &'static str {
        match self {
            AckMode::Delivered => "delivered",
            AckMode::Journaled => "journaled",
        }
    }
}

/// What happens when the journal may hold no more, or its disk is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FullJournal {
    /// Statements wait until there is room.
    #[default]
    Wait,
    /// Statements fail with 53100 or 53400.
    Refuse,
}

/// Some batches must fit.
const BYTES_MIN: u64 = 4 << 20;

/// Smaller files cost more than they free.
const SEGMENT_BYTES_MIN: u64 = 64 << 10;

/// A batch must fit.
const FEED_BYTES_MIN: usize = 1 << 20;

/// The journal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalSettings {
    /// Where its files are; without it there is no journal. Relative to the file that names it.
    pub directory: Option<PathBuf>,
    /// How tables without an entry in `tables` acknowledge.
    pub ack: AckMode,
    /// By name of a table, how it acknowledges.
    pub tables: BTreeMap<String, AckMode>,
    /// Bytes of all files together.
    pub bytes_max: u64,
    /// Bytes after which a new file is begun; a file goes when all its rows are settled.
    pub segment_bytes: u64,
    pub when_full: FullJournal,
    /// Bytes of rows that are read ahead or kept in memory behind the acknowledgement, for each
    /// project and resource.
    pub feed_bytes_max: usize,
    /// How often it is noted what has been delivered: what was delivered since is sent again
    /// after a crash.
    pub position_interval_ms: u64,
    /// How long a statement whose rows CDF has waits for journaled rows before them, until it is
    /// told that those are still under way.
    pub hold_max_s: u64,
    /// How long after CDF has refused a principal one of its rows is tried again; doubles up to
    /// 20 times that.
    pub parked_retry_s: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        JournalSettings {
            directory: None,
            ack: AckMode::Delivered,
            tables: BTreeMap::new(),
            bytes_max: 10 << 30,
            segment_bytes: 64 << 20,
            when_full: FullJournal::Wait,
            feed_bytes_max: 16 << 20,
            position_interval_ms: 500,
            hold_max_s: 300,
            parked_retry_s: 30,
        }
    }
}

impl JournalSettings {
    /// How `table` acknowledges where a session asks for nothing else.
    pub fn ack_of(&self, table: &Table) -> AckMode {
        self.tables
            .get(table.full_name())
            .copied()
            .unwrap_or(self.ack)
    }

    /// Notes what cannot work.
    pub(super) fn check(&self, findings: &mut Findings) {
        let least = [
            ("journal.bytes_max", self.bytes_max, BYTES_MIN),
            (
                "journal.segment_bytes",
                self.segment_bytes,
                SEGMENT_BYTES_MIN,
            ),
            (
                "journal.feed_bytes_max",
                self.feed_bytes_max as u64,
                FEED_BYTES_MIN as u64,
            ),
            ("journal.position_interval_ms", self.position_interval_ms, 1),
            ("journal.hold_max_s", self.hold_max_s, 1),
            ("journal.parked_retry_s", self.parked_retry_s, 1),
        ];
        for (key, value, least) in least {
            if value < least {
                findings.note(
                    key,
                    format!("{value} is too small"),
                    format!("Give at least {least}"),
                );
            }
        }
        for name in self.tables.keys() {
            if table_of_full_name(name).is_none() {
                findings.note(
                    format!("journal.tables.{name}"),
                    "there is no such table",
                    format!("Name one of {}", full_names()),
                );
            }
        }
        let journals = self.ack == AckMode::Journaled
            || self.tables.values().any(|ack| *ack == AckMode::Journaled);
        if journals && self.directory.is_none() {
            findings.note(
                "journal.ack",
                "rows are to be journaled, and there is no journal",
                "Name a directory in journal.directory, or acknowledge rows when delivered",
            );
        }
    }
}
