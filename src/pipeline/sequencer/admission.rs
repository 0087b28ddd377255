//! How a submission comes in: names of series settled, cut to size, keys claimed.
//!
//! Owns the look-ups that submissions with unknown series ids wait for. Promises that a
//! connection's submissions come in in their order, whatever one of them waits for. Never
//! makes a submission without unknown ids wait for another connection's look-up: nothing of
//! a waiting submission has been acknowledged, so others may come before it.

use super::claims::SeriesClaim;
use super::cut::bounds_of;
use super::entries::{Entry, EntryId};
use super::queues::UnderWay;
use super::repeats::repeats;
use super::{Claims, Sequencer, Target};
use crate::catalog::Resource;
use crate::cdf::{AttemptFailure, Identity, Operation};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::Submission;
use crate::pipeline::attempt::{AttemptReport, CallId};
use crate::pipeline::retry::Retry;
use crate::pipeline::segment::{RowVerdict, Segment};
use crate::pipeline::submission::JOURNAL_CONNECTION;
use crate::pipeline::weight::{Slice, Weight, slices};
use crate::rows::{
    DatapointBatch, RawAction, RowBatch, SeriesKey, SeriesReference, TimeSpan, hash_key,
};
use foldhash::{HashMap, HashMapExt};
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// Submissions of one connection that wait for the names of series.
#[derive(Debug)]
pub struct Lookup {
    pub identity: Arc<Identity>,
    connection: u64,
    /// The series that the first of `waiting` names by ids that are not known.
    pub keys: Arc<[Arc<SeriesKey>]>,
    pub waiting: VecDeque<Submission>,
    /// Since when it waits.
    pub since: Instant,
    pub began: Option<Instant>,
    pub under_way: Option<UnderWay>,
    retry: Option<Retry>,
    queue: usize,
}

impl Lookup {
    /// Whether it waits for rows that have been acknowledged.
    pub fn is_journaled(&self) -> bool {
        self.connection == JOURNAL_CONNECTION
    }
}

impl Sequencer {
    /// Takes a submission in, or lets it wait for the names of its series.
    pub(super) fn admit(&mut self, now: Instant, submission: Submission) {
        // What the journal waits for has been acknowledged: nothing that came later may pass.
        if !self.lookups.is_empty()
            && let Some(lookup) = self
                .lookup_of
                .get(&JOURNAL_CONNECTION)
                .or_else(|| self.lookup_of.get(&submission.connection))
                .and_then(|id| self.lookups.get_mut(id))
        {
            lookup.waiting.push_back(submission);
            return;
        }
        let Some(submission) = self.pass_stopped(submission) else {
            return;
        };
        match self.canonical_keys(now, &submission) {
            Ok(keys) => self.enter(now, submission, &keys),
            Err(unknown) => self.look_up(now, submission, unknown),
        }
    }

    /// Per series the hash that stands for it, empty where each stands for itself.
    ///
    /// # Errors
    /// The series to look up first.
    fn canonical_keys(
        &self,
        now: Instant,
        submission: &Submission,
    ) -> Result<Vec<u64>, Vec<Arc<SeriesKey>>> {
        let RowBatch::Datapoints(batch) = &submission.batch else {
            return Ok(Vec::new());
        };
        let stand_for_themselves = batch
            .series
            .iter()
            .all(|key| matches!(key.reference(), SeriesReference::ExternalId(_)));
        if stand_for_themselves {
            return Ok(Vec::new());
        }
        let hashes = self
            .names
            .canonical_hashes(&submission.identity, &batch.series, now);
        let unknown: Vec<Arc<SeriesKey>> = batch
            .series
            .iter()
            .zip(&hashes)
            .filter(|(_, hash)| hash.is_none())
            .map(|(key, _)| key.clone())
            .collect();
        if unknown.is_empty() {
            Ok(hashes.into_iter().flatten().collect())
        } else {
            Err(unknown)
        }
    }

    fn look_up(&mut self, now: Instant, submission: Submission, unknown: Vec<Arc<SeriesKey>>) {
        let id = self.new_call_id();
        let queue = self.queues.find_or_make(
            &self.pacing,
            &submission.identity,
            Operation::LookUp(Resource::TimeSeries),
        );
        self.lookup_of.insert(submission.connection, id);
        self.lookups.insert(
            id,
            Lookup {
                identity: submission.identity.clone(),
                connection: submission.connection,
                keys: unknown.into(),
                waiting: VecDeque::from([submission]),
                since: now,
                began: None,
                under_way: None,
                retry: None,
                queue,
            },
        );
        self.enqueue_lookup(id);
    }

    pub(super) fn enqueue_lookup(&mut self, id: CallId) {
        if let Some(lookup) = self.lookups.get(&id) {
            self.queues.of(lookup.queue).waiting.push_back(id);
        }
    }

    pub(super) fn lookup_finished(&mut self, now: Instant, id: CallId, report: AttemptReport) {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        let under_way = lookup.under_way.take();
        let is_journaled = lookup.is_journaled();
        self.note_ended(now, under_way, &report, false);
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        let verdict = match report.result {
            Ok(_) => None,
            Err(AttemptFailure::Retry {
                retry_after,
                reason,
                ..
            }) => {
                let began = lookup.began.unwrap_or(now);
                let retry = lookup
                    .retry
                    .get_or_insert_with(|| repeats(&self.retry, began, is_journaled));
                if let Some(at) = retry.next_attempt(now, retry_after, &mut self.random) {
                    let endpoint = self.queues.of(lookup.queue).endpoint;
                    if self.pacing.is_broken(now, endpoint) {
                        self.enqueue_lookup(id);
                    } else {
                        self.timers.push(Reverse((at, id)));
                    }
                    return;
                }
                Some(RowVerdict::Failed(reason))
            }
            // The write will tell; until then each name stands for itself.
            Err(
                AttemptFailure::Split { .. }
                | AttemptFailure::Reject { .. }
                | AttemptFailure::Unknown { .. },
            ) if is_journaled => None,
            Err(AttemptFailure::Stop { reason }) if is_journaled => {
                self.stopped
                    .insert(lookup.identity.name.clone(), reason.clone());
                Some(RowVerdict::Stopped(reason))
            }
            Err(
                AttemptFailure::Split { reason, .. }
                | AttemptFailure::Reject { reason }
                | AttemptFailure::Unknown { reason }
                | AttemptFailure::Stop { reason },
            ) => Some(RowVerdict::Failed(reason)),
        };
        match verdict {
            Some(verdict) => self.lookup_failed(now, id, &verdict),
            None => self.lookup_ended(now, id, |sequencer, first| {
                sequencer.enter_after_lookup(now, first);
            }),
        }
    }

    /// The names of the first submission's series cannot be had.
    pub(super) fn lookup_failed(&mut self, now: Instant, id: CallId, verdict: &RowVerdict) {
        self.lookup_ended(now, id, |sequencer, first| {
            let rows = 0..first.batch.rows();
            let submission = Arc::new(first);
            sequencer.settle_segment(&Segment { submission, rows }, verdict);
        });
    }

    /// Those behind the first come in again, in their order.
    fn lookup_ended(
        &mut self,
        now: Instant,
        id: CallId,
        take_first: impl FnOnce(&mut Self, Submission),
    ) {
        let Some(mut lookup) = self.lookups.remove(&id) else {
            return;
        };
        self.lookup_of.remove(&lookup.connection);
        if let Some(first) = lookup.waiting.pop_front() {
            take_first(self, first);
        }
        for submission in lookup.waiting {
            self.admit(now, submission);
        }
    }

    /// A series that is still unknown does not exist: its id stands for itself, and CDF will
    /// say so to the write.
    fn enter_after_lookup(&mut self, now: Instant, submission: Submission) {
        let RowBatch::Datapoints(batch) = &submission.batch else {
            return;
        };
        let keys: Vec<u64> = self
            .names
            .canonical_hashes(&submission.identity, &batch.series, now)
            .into_iter()
            .zip(&batch.series)
            .map(|(hash, key)| hash.unwrap_or_else(|| key.hash()))
            .collect();
        self.enter(now, submission, &keys);
    }

    /// Cuts a submission to size, claims its keys and queues what is free.
    fn enter(&mut self, now: Instant, submission: Submission, canonical: &[u64]) {
        let target = Target::of(&submission.batch);
        let names = target.names();
        debug_assert!(target.is_of(self.resource), "rows of another resource");
        if submission.part.is_aborted() {
            let rows = 0..submission.batch.rows();
            let submission = Arc::new(submission);
            self.settle_segment(
                &Segment { submission, rows },
                &RowVerdict::Failed(cancelled()),
            );
            return;
        }
        let (queues, pacing) = (&mut self.queues, &self.pacing);
        let identity = &submission.identity;
        let operation = Operation::doing(self.resource, target.action());
        let bounds = bounds_of(target.action(), &self.bounds, self.resource);
        let is_journaled = submission.part.is_journaled();
        let lane = self.lanes.find_or_make(identity, target, is_journaled, || {
            queues.find_or_make(pacing, identity, operation)
        });
        let mut parts = slices(&submission.batch, &bounds);
        if let RowBatch::Datapoints(batch) = &submission.batch
            && has_two_names_of_a_series(batch, canonical)
        {
            parts = one_name_each(&submission.batch, batch, canonical, &parts);
        }
        let submission = Arc::new(submission);
        for Slice { rows, weight } in parts {
            if rows.is_empty() {
                continue;
            }
            self.meters.queue_rows.increment(rows.len() as f64);
            let segment = Segment {
                submission: submission.clone(),
                rows: rows.clone(),
            };
            let mut entry = Entry::new(segment, weight, lane, now);
            entry.sequence = self.next_sequence;
            entry.urgent = submission.ticket_waits;
            if entry.urgent {
                self.note_all_rows(submission.connection, entry.sequence + 1);
            }
            entry.names = names;
            if let RowBatch::RawRows(batch) = &submission.batch {
                entry.table = hash_key(&*batch.destination);
            }
            self.next_sequence += 1;
            let id = self.entries.insert(entry);
            self.claim(id, &submission.batch, rows, canonical);
            if names.any() {
                self.enter_barriers(now, id, names);
            }
            if self.entries.get(id).is_some_and(Entry::is_free) {
                self.push_free(id);
            }
            if let Some(lane) = self.lanes.get_mut(lane) {
                lane.waiting += 1;
            }
        }
    }

    /// Puts an entry that waits for nothing into its lane.
    pub(super) fn push_free(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get(id) else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(entry.lane) {
            lane.push(id, entry);
            if !lane.listed {
                lane.listed = true;
                self.listed.push_back(entry.lane);
            }
        }
    }

    fn claim(&mut self, entry: EntryId, batch: &RowBatch, rows: Range<usize>, canonical: &[u64]) {
        let entries = &mut self.entries;
        match (&mut self.claims, batch) {
            (Claims::Series(claims), RowBatch::Datapoints(batch)) => {
                claims.make_room(entries, batch.series.len().min(rows.len()));
                for_each_span(batch, rows, |series, span| {
                    let name = batch.series[series].hash();
                    let key = canonical.get(series).copied().unwrap_or(name);
                    claims.claim(entries, key, name, SeriesClaim { entry, span });
                });
                claims.finish(entries);
            }
            (Claims::Keys(claims), RowBatch::RawRows(batch)) => {
                let destination = hash_key(&*batch.destination);
                if let Some(emptying) = self.emptied.get(&destination)
                    && !entries.link(*emptying, entry, false)
                {
                    self.emptied.remove(&destination);
                }
                if batch.action == RawAction::Empty {
                    // All rows of the table are its key.
                    for other in entries.of_table(destination) {
                        if other != entry {
                            entries.link(other, entry, false);
                        }
                    }
                    self.emptied.insert(destination, entry);
                    return;
                }
                claims.make_room(entries, rows.len());
                let keys = batch.key_hashes[rows].iter().map(|key| key ^ destination);
                claims.claim(entries, entry, keys, true);
            }
            (Claims::Keys(claims), RowBatch::Objects(batch)) => {
                claims.make_room(entries, rows.len());
                // 0: a row without a key of its own.
                let keys = batch.key_hashes[rows].iter().copied();
                claims.claim(entries, entry, keys.filter(|key| *key != 0), false);
            }
            // Rows of another resource: the intake asserts that there are none.
            (Claims::Series(_), RowBatch::RawRows(_) | RowBatch::Objects(_))
            | (Claims::Keys(_), RowBatch::Datapoints(_)) => {}
        }
    }
}

/// Why rows of a cancelled statement have not been sent.
pub(super) fn cancelled() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::QUERY_CANCELED,
        "the rows were not sent: the statement was cancelled",
    ))
}

/// Calls `claim` with each series of these rows and the time that its points span.
fn for_each_span(
    batch: &DatapointBatch,
    rows: Range<usize>,
    mut claim: impl FnMut(usize, TimeSpan),
) {
    if rows.len() == batch.timestamps_ms.len() {
        for (series, span) in batch.spans.iter().enumerate() {
            claim(series, *span);
        }
        return;
    }
    let mut spans: Vec<Option<TimeSpan>> = vec![None; batch.series.len()];
    for row in rows {
        let (first_ms, last_ms) = (batch.timestamps_ms[row], batch.last_ms(row));
        let span =
            spans[batch.series_index[row] as usize].get_or_insert(TimeSpan { first_ms, last_ms });
        span.first_ms = span.first_ms.min(first_ms);
        span.last_ms = span.last_ms.max(last_ms);
    }
    for (series, span) in spans.iter().enumerate() {
        if let Some(span) = span {
            claim(series, *span);
        }
    }
}

fn has_two_names_of_a_series(batch: &DatapointBatch, canonical: &[u64]) -> bool {
    let mut name_of: HashMap<u64, u64> = HashMap::with_capacity(canonical.len());
    canonical
        .iter()
        .zip(&batch.series)
        .any(|(key, series)| *name_of.entry(*key).or_insert(series.hash()) != series.hash())
}

/// Cuts slices so that none holds a series under two names: CDF refuses such a request, and
/// the order of the points would be lost between the two.
fn one_name_each(
    whole: &RowBatch,
    batch: &DatapointBatch,
    canonical: &[u64],
    slices: &[Slice],
) -> Vec<Slice> {
    debug_assert_eq!(canonical.len(), batch.series.len());
    let mut cut = Vec::new();
    for slice in slices {
        let mut name_of: HashMap<u64, u32> = HashMap::new();
        let mut first = slice.rows.start;
        for row in slice.rows.clone() {
            let series = batch.series_index[row];
            let key = canonical[series as usize];
            if *name_of.entry(key).or_insert(series) != series {
                cut.push(first..row);
                first = row;
                name_of.clear();
                name_of.insert(key, series);
            }
        }
        cut.push(first..slice.rows.end);
    }
    cut.into_iter()
        .map(|rows| Slice {
            weight: Weight::of_rows(whole, rows.clone()),
            rows,
        })
        .collect()
}
