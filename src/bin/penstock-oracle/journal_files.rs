//! Damage to the journal's files, as a crash or a bad disk does it.
//!
//! Owns the two damages. Promises that a torn tail touches no byte that was acknowledged, and
//! that a flipped bit lies where records are. Called only while no gateway runs.

use anyhow::Context;
use rand::Rng;
use rand::rngs::StdRng;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A segment's header; what lies behind it are records.
const SEGMENT_HEADER_BYTES: usize = 64;

/// Records begin at multiples of this, with these bytes.
const ALIGNMENT: usize = 8;
const RECORD_MAGIC: &[u8] = b"PSR1";

/// Writes the beginning of a record behind the last one, as a crash leaves it.
pub fn tear_tail(journal: &Path, random: &mut StdRng) -> anyhow::Result<()> {
    let Some((path, bytes)) = used_segments(journal)?.pop() else {
        return Ok(());
    };
    let end = used_bytes(&bytes).next_multiple_of(ALIGNMENT);
    let record = bytes
        .windows(RECORD_MAGIC.len())
        .rposition(|window| window == RECORD_MAGIC)
        .context("a used segment has a record")?;
    let half = random.random_range(1..60).min(end - record);
    let file = File::options().write(true).open(&path)?;
    file.write_all_at(&bytes[record..record + half], end as u64)?;
    Ok(())
}

/// Flips one bit of a record.
pub fn flip_bit(journal: &Path, random: &mut StdRng) -> anyhow::Result<()> {
    let segments = used_segments(journal)?;
    if segments.is_empty() {
        return Ok(());
    }
    let (path, bytes) = &segments[random.random_range(0..segments.len())];
    let place = random.random_range(SEGMENT_HEADER_BYTES..used_bytes(bytes));
    let flipped = bytes[place] ^ (1 << random.random_range(0..8));
    let file = File::options().write(true).open(path)?;
    file.write_all_at(&[flipped], place as u64)?;
    tracing::info!(segment = %path.display(), place, "a bit is flipped");
    Ok(())
}

/// Segments with records, oldest first.
fn used_segments(journal: &Path) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(journal)? {
        let path = entry?.path();
        if path.extension().is_some_and(|name| name == "segment") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut segments = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path)?;
        if used_bytes(&bytes) > SEGMENT_HEADER_BYTES {
            segments.push((path, bytes));
        }
    }
    Ok(segments)
}

/// Bytes up to the last that is not zero: segments are made longer than what they hold.
fn used_bytes(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}
