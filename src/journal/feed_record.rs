//! One record on its way from the disk into the pipeline.
//!
//! Owns what can come of it: handed over, parked, damaged, or of unknown fate. Promises that a
//! record that cannot be delivered never holds up the others of its stream. Never waits.

use super::envelope::Envelope;
use super::feeder::{Feeder, RETRY};
use super::quarantine::{Damage, Quarantine};
use super::reader::Read;
use super::record::{Header, MAKES_DOUBLES};
use super::record_in_flight::{RecordInFlight, RecordName};
use super::rejection::time;
use super::segment::path;
use super::store::Store;
use super::stream::Stream;
use crate::catalog::Table;
use crate::cdf::{Identity, Project};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::{JOURNAL_CONNECTION, RowVerdict, Submission, TicketPart};
use crate::rows::RowBatch;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

/// A record that was read and understood.
struct Understood {
    header: Header,
    identity: Option<Arc<Identity>>,
    project: Project,
    identity_name: Box<str>,
    user: Arc<str>,
    table: &'static Table,
    batch: RowBatch,
}

impl Feeder {
    /// Hands one record over. Tells whether to go on with the stream.
    pub fn feed_record(&mut self, now: Instant, stream: &Arc<Stream>, sequence: u64) -> bool {
        let principals = self.principals.clone();
        let fed = self.store_of(stream);
        let reader = fed.readers.entry(stream.id()).or_default();
        let understood = match reader.read(&fed.store, stream.id(), sequence) {
            Ok(Read::Record {
                header,
                record,
                segment,
                offset,
            }) => {
                let understood = header.read(record).and_then(|contents| {
                    let (table, batch) = contents.batch()?;
                    let envelope = contents.envelope;
                    Ok(Understood {
                        header,
                        identity: principals.find(&envelope),
                        project: Project {
                            base_url: envelope.base_url.to_owned(),
                            name: envelope.project.to_owned(),
                        },
                        identity_name: envelope.identity.into(),
                        user: envelope.user.into(),
                        table,
                        batch,
                    })
                });
                match understood {
                    Ok(understood) => understood,
                    Err(error) => {
                        tracing::error!(%error, record = header.sequence, "a record is not understood");
                        let end = offset + header.record_bytes() as u64;
                        self.damaged(stream, sequence, segment, offset..end, Some(header));
                        return true;
                    }
                }
            }
            Ok(Read::Damaged { segment, bytes }) => {
                self.damaged(stream, sequence, segment, bytes, None);
                return true;
            }
            Ok(Read::Absent) => {
                fed.progress_of(stream).settle(sequence);
                return true;
            }
            Err(error) => {
                tracing::error!(%error, stream = stream.name(), "the journal cannot be read");
                fed.paused.insert(stream.id(), now + RETRY);
                return false;
            }
        };
        fed.oldest_ms
            .insert(stream.id(), understood.header.appended_ms);
        stream.note_read_back(understood.header.appended_ms);
        self.deliver(now, stream, sequence, understood)
    }

    fn deliver(
        &mut self,
        now: Instant,
        stream: &Arc<Stream>,
        sequence: u64,
        understood: Understood,
    ) -> bool {
        let Understood {
            header,
            identity,
            project,
            identity_name,
            user,
            table,
            batch,
        } = understood;
        let rows = u64::from(header.rows);
        let progress = self.store_of(stream).progress_of(stream);
        let open = progress.open_rows(sequence, rows);
        let may_be_doubled = header.flags & MAKES_DOUBLES != 0;
        let was_sent = may_be_doubled && progress.was_sent(sequence);
        let sent_before = (sequence < progress.resent_below).then(|| time(header.appended_ms));
        let is_parked = !stream.is_parked() && stream.is_stopped_for(&identity_name);
        let Some(identity) = identity.filter(|_| !is_parked) else {
            let (batch, _) = select(batch, &open, rows);
            let envelope = Envelope {
                base_url: &project.base_url,
                project: &project.name,
                identity: &identity_name,
                user: &user,
                schema: table.schema,
                table: table.name,
            };
            return self.park_record(now, stream, sequence, &header, &envelope, &batch);
        };
        let Some(permit) = stream.try_acquire(batch.bytes()) else {
            return false;
        };
        let (batch, selection) = select(batch, &open, rows);
        if may_be_doubled && !was_sent {
            // From here on nobody knows after a crash whether they were made.
            self.store_of(stream)
                .progress_of(stream)
                .mark_sent(sequence);
            self.store_of(stream).note();
        }
        let name = Arc::new(RecordName {
            stream: stream.clone(),
            sequence,
            record: header.sequence,
            rows,
            user,
            table,
            appended_ms: header.appended_ms,
            selection,
        });
        let record = RecordInFlight::new(name, batch.rows() as u64, self.events.clone());
        let submission = Submission {
            identity,
            batch,
            permit,
            part: TicketPart::of_record(Box::new(record)),
            connection: JOURNAL_CONNECTION,
            ticket_waits: false,
            sent_before,
        };
        let mut submission = Some(submission);
        let handed = stream.hand_over(sequence, || {
            if !was_sent && let Some(submission) = submission.take() {
                self.intake.submit(table.resource, submission);
            }
        });
        if handed && let Some(submission) = submission {
            Self::settle_unknown(&Arc::new(submission));
        }
        handed
    }

    /// Rows that may have been made before a crash are not made again; those of them with a key
    /// of their own could be, but one record has one fate.
    fn settle_unknown(submission: &Arc<Submission>) {
        let reason = Diagnostic::error(
            SqlState::STATEMENT_COMPLETION_UNKNOWN,
            "the gateway ended while the rows were on their way to CDF, and they have no key by \
             which CDF could tell",
        )
        .with_hint("Look in CDF whether they are there before sending them again.");
        if let Some(record) = submission.part.record() {
            let rows = 0..submission.batch.rows();
            record.settled(submission, rows, &RowVerdict::Unknown(Box::new(reason)));
        }
    }

    /// A record cannot be read any more: its bytes are kept aside, and the stream goes on.
    fn damaged(
        &mut self,
        stream: &Arc<Stream>,
        sequence: u64,
        segment: u64,
        bytes: Range<u64>,
        header: Option<Header>,
    ) {
        let damage = Damage {
            segment,
            rows: header.map(|header| u64::from(header.rows)),
            bytes,
            header,
        };
        self.meters.damages.increment(1);
        self.meters.damaged_rows.increment(damage.rows.unwrap_or(0));
        let fed = self.store_of(stream);
        let kept = read_bytes(&fed.store, &damage)
            .and_then(|bytes| Quarantine::of(fed.store.directory()).keep(&damage, &bytes));
        if let Err(error) = kept {
            tracing::error!(%error, segment, "damaged bytes cannot be kept aside");
        }
        fed.progress_of(stream).settle(sequence);
    }
}

fn read_bytes(store: &Store, damage: &Damage) -> io::Result<Vec<u8>> {
    let file = File::open(path(store.directory(), damage.segment))?;
    let mut bytes = vec![0; (damage.bytes.end - damage.bytes.start) as usize];
    file.read_exact_at(&mut bytes, damage.bytes.start)?;
    Ok(bytes)
}

/// The open rows of a record's batch; the second value tells which, unless all are.
pub fn select(batch: RowBatch, open: &[Range<u64>], rows: u64) -> (RowBatch, Option<Arc<[u32]>>) {
    if let [all] = open
        && *all == (0..rows)
    {
        return (batch, None);
    }
    let ranges: Vec<Range<usize>> = open
        .iter()
        .map(|range| range.start as usize..range.end as usize)
        .collect();
    let selection = open
        .iter()
        .cloned()
        .flatten()
        .map(|row| row as u32)
        .collect();
    (batch.select(&ranges), Some(selection))
}
