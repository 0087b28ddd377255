//! Damaged bytes, kept aside and reported.
//!
//! Owns the directory of what was found damaged and the report of it. Promises that no damaged
//! byte is dropped before a copy is on disk, and that each damage is reported once, with
//! segment, offset and rows. Never changes a segment.

use super::disk;
use super::record::Header;
use super::recovery::segments;
use super::segment::{NotASegment, SegmentHeader};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The report's name in the directory of damaged bytes.
const REPORT: &str = "report.jsonl";

/// A place in the journal that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub segment: u64,
    pub bytes: Range<u64>,
    /// Of the record, if its header is sound.
    pub header: Option<Header>,
    /// Rows that were in it; `None`: nobody can say.
    pub rows: Option<u64>,
}

/// Where damaged bytes go.
#[derive(Clone, Debug)]
pub struct Quarantine {
    directory: PathBuf,
}

impl Quarantine {
    /// The one of a store in `directory`.
    pub fn of(directory: &Path) -> Self {
        Quarantine {
            directory: directory.join("damaged"),
        }
    }

    /// Keeps `bytes`, which lie where `damage` says, and reports them. Tells whether they were
    /// not known before.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep(&self, damage: &Damage, bytes: &[u8]) -> io::Result<bool> {
        disk::make_directory(&self.directory)?;
        let file = self.directory.join(format!(
            "{:016}-{}.bytes",
            damage.segment, damage.bytes.start
        ));
        if file.exists() {
            return Ok(false);
        }
        disk::replace(&file, bytes)?;
        let report = serde_json::json!({
            "segment": damage.segment,
            "offset": damage.bytes.start,
            "bytes": damage.bytes.end - damage.bytes.start,
            "rows": damage.rows,
            "record": damage.header.map(|header| header.sequence),
            "kept_in": file.file_name().map(|name| name.to_string_lossy().into_owned()),
        });
        let mut lines = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.directory.join(REPORT))?;
        writeln!(lines, "{report}")?;
        lines.sync_all()?;
        tracing::error!(
            segment = damage.segment,
            offset = damage.bytes.start,
            bytes = damage.bytes.end - damage.bytes.start,
            rows = damage.rows,
            "the journal is damaged: these rows were acknowledged and cannot be delivered; their \
             bytes are kept"
        );
        Ok(true)
    }
}

/// Moves segments without a sound header to the damaged bytes, so that a start is possible.
/// Returns their names.
///
/// # Errors
/// The disk's.
pub fn set_aside(directory: &Path) -> io::Result<Vec<String>> {
    let quarantine = Quarantine::of(directory);
    let mut moved = Vec::new();
    for (number, path) in segments(directory).map_err(io::Error::other)? {
        let bytes = std::fs::read(&path)?;
        if SegmentHeader::decode(&bytes, number) != Err(NotASegment::Damaged) {
            continue;
        }
        disk::make_directory(&quarantine.directory)?;
        let name = format!("{number:016}.segment");
        std::fs::rename(&path, quarantine.directory.join(&name))?;
        moved.push(name);
    }
    Ok(moved)
}
