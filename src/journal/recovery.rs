//! What a journal holds when the gateway starts.
//!
//! Owns the reading of a store's directory from end to end. Promises that every sound record is
//! found, that damage is kept aside and counted, that only bytes which were never acknowledged
//! are cut off, and that a segment of another version stops the start. Never delivers.

use super::positions::Positions;
use super::quarantine::{Damage, Quarantine};
use super::record::Header;
use super::segment::{Found, NotASegment, SEGMENT_HEADER_BYTES, Scan, SegmentHeader, number};
use super::segment_list::{Segment, SegmentList};
use super::settled::Settled;
use super::store::found_segment;
use crate::catalog::Resource;
use crate::cdf::Project;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error("{path} cannot be read: {cause}")]
    Unreadable { path: PathBuf, cause: io::Error },
    /// Another version's, or a header without a sound copy.
    #[error("{path} is no segment that can be read: {cause}")]
    NotASegment { path: PathBuf, cause: NotASegment },
}

/// Records of one stream, as found.
#[derive(Clone, Debug, Default)]
pub struct FoundStream {
    pub name: String,
    /// Name of the principal of its records: all of one, in a stream of parked rows.
    pub identity: String,
    /// The stream that these rows belong to, or were parked from.
    pub main: u32,
    /// Name of that stream.
    pub main_name: String,
    /// The project whose time series its records make, if they do.
    pub makes_objects_of: Option<(Project, Resource)>,
    /// Records that are there.
    pub present: Settled,
    /// Behind the last.
    pub end: u64,
    pub rows: u64,
}

/// A store, as found.
#[derive(Debug, Default)]
pub struct Recovered {
    pub segments: SegmentList,
    pub next_segment: u64,
    pub next_sequence: u64,
    /// Rows of all records ever.
    pub rows: u64,
    pub streams: BTreeMap<u32, FoundStream>,
    pub positions: Positions,
    pub records: u64,
    pub damages: Vec<Damage>,
    /// Bytes of records that were not written to their end.
    pub cut_bytes: u64,
    /// Rows up to the last sound record that was read.
    rows_read: Option<u64>,
}

/// Whether files may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mending {
    /// Cut off what was not written to its end, drop segments without records, keep damaged
    /// bytes aside.
    Repair,
    /// Only look.
    LookOnly,
}

/// Reads the store in `directory`.
///
/// # Errors
/// A file cannot be read, or is of another version.
pub fn recover(directory: &Path, mending: Mending) -> Result<Recovered, RecoveryError> {
    let mut recovered = Recovered::default();
    match Positions::load(directory) {
        Ok(positions) => recovered.positions = positions.unwrap_or_default(),
        Err(error) => tracing::error!(
            %error,
            directory = %directory.display(),
            "the positions of the journal are lost: everything in it is delivered again"
        ),
    }
    recovered.next_sequence = recovered.positions.next_sequence;
    recovered.rows = recovered.positions.rows;
    for (number, path) in segments(directory)? {
        recovered.next_segment = recovered.next_segment.max(number + 1);
        read_segment(&mut recovered, directory, number, &path, mending)?;
    }
    Ok(recovered)
}

/// The segments in `directory`, in their order.
///
/// # Errors
/// The directory cannot be read.
pub fn segments(directory: &Path) -> Result<BTreeMap<u64, PathBuf>, RecoveryError> {
    let unreadable = |cause| RecoveryError::Unreadable {
        path: directory.to_owned(),
        cause,
    };
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if let Some(number) = number(&path) {
            found.insert(number, path);
        }
    }
    Ok(found)
}

fn read_segment(
    recovered: &mut Recovered,
    directory: &Path,
    number: u64,
    path: &Path,
    mending: Mending,
) -> Result<(), RecoveryError> {
    let unreadable = |cause| RecoveryError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let header = match SegmentHeader::decode(&bytes, number) {
        Ok((header, _)) => header,
        Err(NotASegment::Unfinished) if bytes.len() <= SEGMENT_HEADER_BYTES => {
            drop_segment(path, mending);
            return Ok(());
        }
        Err(cause) => {
            return Err(RecoveryError::NotASegment {
                path: path.to_owned(),
                cause,
            });
        }
    };
    let quarantine = Quarantine::of(directory);
    let mut segment = found_segment(header.key, bytes.len() as u64);
    let mut damaged: Vec<Damage> = Vec::new();
    for found in Scan::new(&bytes, header.key) {
        match found {
            Found::Record(header, place) => {
                tell_lost_rows(&mut damaged, recovered.rows_read, header.rows_before);
                note(
                    recovered,
                    &mut segment,
                    header,
                    &bytes[place.clone()],
                    place.start,
                );
            }
            Found::Damage(header, place) => damaged.push(Damage {
                segment: number,
                bytes: place.start as u64..place.end as u64,
                header,
                rows: header.map(|header| u64::from(header.rows)),
            }),
            Found::CutShort(place) => {
                recovered.cut_bytes += place.len() as u64;
                segment.bytes = place.start as u64;
                if mending == Mending::Repair {
                    tracing::warn!(
                        segment = number,
                        offset = place.start,
                        bytes = place.len(),
                        "a record at the end of the journal was not written to its end, so it was \
                         never acknowledged: it is cut off"
                    );
                    OpenOptions::new()
                        .write(true)
                        .open(path)
                        .and_then(|file| {
                            file.set_len(place.start as u64)?;
                            file.sync_all()
                        })
                        .map_err(unreadable)?;
                }
            }
        }
    }
    for damage in &damaged {
        let kept = damage.bytes.start as usize..damage.bytes.end as usize;
        if mending == Mending::Repair {
            quarantine.keep(damage, &bytes[kept]).map_err(unreadable)?;
        }
    }
    recovered.damages.extend(damaged);
    if segment.spans.is_empty() {
        drop_segment(path, mending);
    } else {
        recovered.segments.insert(number, segment);
    }
    Ok(())
}

/// Where a record's header was damaged, the next record tells how many rows are missing.
fn tell_lost_rows(damaged: &mut [Damage], rows_read: Option<u64>, rows_before: u64) {
    if let [.., last] = damaged
        && last.rows.is_none()
    {
        last.rows = rows_read.and_then(|rows| rows_before.checked_sub(rows));
    }
}

fn note(
    recovered: &mut Recovered,
    segment: &mut Segment,
    header: Header,
    record: &[u8],
    offset: usize,
) {
    recovered.rows_read = Some(header.rows_before + u64::from(header.rows));
    let stream = recovered.streams.entry(header.stream).or_default();
    if stream.present.contains(header.stream_sequence) {
        // Written twice because the disk failed in between: one is enough.
        return;
    }
    if stream.name.is_empty()
        && let Ok(contents) = header.read(record)
    {
        let envelope = contents.envelope;
        stream.main_name = envelope.stream_name();
        stream.main = envelope.stream_id();
        stream.identity = envelope.identity.to_owned();
        let project = Project {
            base_url: envelope.base_url.to_owned(),
            name: envelope.project.to_owned(),
        };
        let resource = envelope.table().ok().map(|table| table.resource);
        stream.makes_objects_of = resource
            .filter(|resource| resource.is_referred_to())
            .map(|resource| (project, resource));
        stream.name = if stream.main == header.stream {
            stream.main_name.clone()
        } else {
            format!("{}: {}", stream.identity, stream.main_name)
        };
    }
    stream
        .present
        .insert(header.stream_sequence..header.stream_sequence + 1);
    stream.end = stream.end.max(header.stream_sequence + 1);
    stream.rows += u64::from(header.rows);
    segment.note(header.stream, header.stream_sequence, offset as u64);
    recovered.records += 1;
    recovered.next_sequence = recovered.next_sequence.max(header.sequence + 1);
    recovered.rows = recovered
        .rows
        .max(header.rows_before + u64::from(header.rows));
}

fn drop_segment(path: &Path, mending: Mending) {
    if mending == Mending::Repair
        && let Err(error) = std::fs::remove_file(path)
    {
        tracing::warn!(%error, path = %path.display(), "an empty segment cannot be deleted");
    }
}

impl Recovered {
    /// What of stream `id` is settled: by the positions, and what is not there any more.
    pub fn settled(&self, id: u32) -> Settled {
        let position = self.positions.streams.get(&id);
        let mut settled = position.map_or_else(Settled::default, |noted| noted.settled.clone());
        let found = self.streams.get(&id);
        let end = found
            .map_or(0, |found| found.end)
            .max(position.map_or(0, |noted| noted.next_sequence));
        match found {
            Some(found) => {
                for absent in found.present.missing_in(0..end) {
                    settled.insert(absent);
                }
            }
            None => settled.insert(0..end),
        }
        settled
    }

    /// Number of the next record of stream `id`.
    pub fn next_sequence_of(&self, id: u32) -> u64 {
        let noted = self
            .positions
            .streams
            .get(&id)
            .map_or(0, |noted| noted.next_sequence);
        self.streams
            .get(&id)
            .map_or(noted, |found| found.end.max(noted))
    }
}
