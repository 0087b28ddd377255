//! A stream: what one project and resource has in the journal, in its order.
//!
//! Owns the point up to which records were handed to the pipeline, and the delivered rows that
//! wait for their turn among them. Promises one order for rows of both kinds: a record that is
//! safe is handed over at once, or everything behind it waits for the feeder. Never reads a
//! file.

use super::settled::Settled;
use crate::catalog::Resource;
use crate::diagnostic::Diagnostic;
use crate::pipeline::{
    ConnectionBudget, Creation, MemoryBudget, MemoryPermit, Submission, TicketHold,
};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

/// One stream.
#[derive(Debug)]
pub struct Stream {
    id: u32,
    /// For people.
    name: String,
    /// Its rows are parked: they wait until CDF lets their principal write.
    is_parked: bool,
    /// Bytes of this stream's rows in memory. Its own: rows that clients wait for can neither
    /// starve it nor be starved by it.
    budget: ConnectionBudget,
    /// Number of the next record to be written.
    next_sequence: AtomicU64,
    /// Streams of the store that are behind.
    streams_behind: Arc<AtomicUsize>,
    is_behind: AtomicBool,
    /// Records in the pipeline.
    open: AtomicUsize,
    /// A record came back without a verdict.
    has_returned: AtomicBool,
    /// Somebody waits to hear whether the principal can write again.
    is_probe_wanted: AtomicBool,
    /// When the record that is read back next was written, in milliseconds since 1970; 0: none is.
    read_back_ms: AtomicI64,
    /// Statements wait until records are noted.
    pub(super) has_holds: AtomicBool,
    /// For what others refer to: begins a creation that counts while records wait here.
    creations: OnceLock<CreationSource>,
    waiting_creation: Mutex<Option<Creation>>,
    state: Mutex<State>,
}

/// Begins a creation of the stream's project.
pub struct CreationSource(Box<dyn Fn() -> Option<Creation> + Send + Sync>);

impl fmt::Debug for CreationSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CreationSource")
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// The next record to hand over; those before were.
    cursor: u64,
    /// Behind the last record that is safe.
    pub(super) end: u64,
    /// Delivered rows, each with the number of the record before which it must not go.
    waiting: VecDeque<(u64, Resource, Submission)>,
    /// Principals that CDF does not let write: their records go to the parked rows.
    stopped_principals: Vec<Box<str>>,
    /// Nothing more is handed over: the gateway ends.
    is_stopped: bool,
    /// Records before this one are settled, and the disk knows it: no start sends them again.
    pub(super) noted: u64,
    /// Numbers that no record has.
    pub(super) skipped: Settled,
    /// Statements with delivered rows, each with the number of the record up to which all must be
    /// noted before it is answered, and since when it waits.
    pub(super) holds: VecDeque<(u64, Instant, TicketHold)>,
}

impl State {
    fn is_stopped_for(&self, identity: &str) -> bool {
        self.stopped_principals
            .iter()
            .any(|stopped| **stopped == *identity)
    }
}

/// What the feeder can do next.
#[derive(Debug)]
pub enum NextStep {
    /// Everything was handed over.
    CaughtUp,
    /// The record with this number is next.
    Read(u64),
    /// Delivered rows were handed over; ask again.
    Handed,
    /// Records that came back must first all be back.
    WaitForReturn,
    /// All are back: go on from the first one that is not settled.
    Rewind,
    Stopped,
}

impl Stream {
    pub fn new(
        id: u32,
        name: String,
        is_parked: bool,
        feed_bytes_max: usize,
        streams_behind: Arc<AtomicUsize>,
    ) -> Self {
        Stream {
            id,
            name,
            is_parked,
            is_probe_wanted: AtomicBool::new(false),
            read_back_ms: AtomicI64::new(0),
            has_holds: AtomicBool::new(false),
            budget: MemoryBudget::apart(feed_bytes_max).connection(),
            next_sequence: AtomicU64::new(0),
            streams_behind,
            is_behind: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            has_returned: AtomicBool::new(false),
            creations: OnceLock::new(),
            waiting_creation: Mutex::new(None),
            state: Mutex::default(),
        }
    }

    pub fn id(&self) -> u32 {
        self.id
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its records make objects that others refer to: while some wait here, `begin` has begun a creation.
    pub fn makes_objects(&self, begin: impl Fn() -> Option<Creation> + Send + Sync + 'static) {
        // The first is as good as any.
        let _ = self.creations.set(CreationSource(Box::new(begin)));
        self.note_creation(self.is_behind());
    }

    pub fn is_making_objects(&self) -> bool {
        self.creations.get().is_some()
    }

    fn note_creation(&self, is_behind: bool) {
        let Some(source) = self.creations.get() else {
            return;
        };
        let creation = is_behind.then(|| (source.0)()).flatten();
        *self
            .waiting_creation
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = creation;
    }

    pub fn is_parked(&self) -> bool {
        self.is_parked
    }

    pub fn next_sequence(&self) -> u64 {
        self.next_sequence.load(Ordering::Acquire)
    }

    pub fn set_next_sequence(&self, next: u64) {
        self.next_sequence.store(next, Ordering::Release);
    }

    /// What was found at the start: records up to `end`, to be handed over from `cursor` on.
    pub fn resume(&self, cursor: u64, end: u64) {
        self.set_next_sequence(end);
        let mut state = self.state();
        state.cursor = cursor;
        state.end = end;
        state.noted = cursor;
        self.note_behind(&state);
    }

    /// A record is safe. Hands it over by `pass` if nothing waits before it and there is room in
    /// memory; otherwise the feeder will read it. `identity` is the name of its principal.
    pub fn appended(
        &self,
        sequence: u64,
        identity: &str,
        weight: usize,
        pass: impl FnOnce(MemoryPermit),
    ) {
        let mut state = self.state();
        state.end = sequence + 1;
        let is_next = state.cursor == sequence
            && state.waiting.is_empty()
            && !state.is_stopped
            && !self.has_returned()
            && !state.is_stopped_for(identity);
        if is_next && let Some(permit) = self.budget.try_acquire(weight) {
            state.cursor = sequence + 1;
            pass(permit);
        } else {
            self.note_behind(&state);
        }
    }

    /// A record is safe, and the feeder has to look at it before it is handed over.
    pub fn appended_for_feeder(&self, sequence: u64) {
        let mut state = self.state();
        state.end = sequence + 1;
        self.note_behind(&state);
    }

    /// The record with this number will never be delivered.
    pub fn skip(&self, sequence: u64) {
        let mut state = self.state();
        state.end = state.end.max(sequence + 1);
        state.skipped.insert(sequence..sequence + 1);
        if state.cursor == sequence {
            state.cursor = sequence + 1;
        }
    }

    /// Takes delivered rows in if they must wait for records before them; gives them back if
    /// they need not.
    pub fn take_in_turn(&self, resource: Resource, submission: Submission) -> Option<Submission> {
        if !self.is_behind() {
            return Some(submission);
        }
        let mut state = self.state();
        if !self.is_behind() || state.is_stopped {
            return Some(submission);
        }
        let after = state.end;
        state.waiting.push_back((after, resource, submission));
        None
    }

    /// Gives up delivered rows that wait here and that nobody wants any more.
    pub fn drop_cancelled(&self) {
        let dropped: VecDeque<_> = {
            let mut state = self.state();
            let waiting = std::mem::take(&mut state.waiting);
            let (wanted, dropped) = waiting
                .into_iter()
                .partition(|(_, _, submission)| !submission.part.is_aborted());
            state.waiting = wanted;
            dropped
        };
        // Their tickets settle outside of the lock.
        drop(dropped);
    }

    /// What to do next; delivered rows whose turn it is are handed over by `submit`.
    pub fn next_step(&self, mut submit: impl FnMut(Resource, Submission)) -> NextStep {
        let mut state = self.state();
        if state.is_stopped {
            return NextStep::Stopped;
        }
        if self.has_returned() {
            if self.open.load(Ordering::Acquire) > 0 {
                return NextStep::WaitForReturn;
            }
            return NextStep::Rewind;
        }
        let mut handed = false;
        while state
            .waiting
            .front()
            .is_some_and(|(after, _, _)| *after <= state.cursor)
        {
            if let Some((_, resource, submission)) = state.waiting.pop_front() {
                submit(resource, submission);
                handed = true;
            }
        }
        if state.cursor < state.end {
            return NextStep::Read(state.cursor);
        }
        self.note_behind(&state);
        if handed {
            NextStep::Handed
        } else {
            NextStep::CaughtUp
        }
    }

    /// The feeder goes on from record `cursor`.
    pub fn rewind(&self, cursor: u64) {
        let doubtful = {
            let mut state = self.state();
            self.has_returned.store(false, Ordering::Release);
            state.cursor = cursor.min(state.end);
            self.note_behind(&state);
            std::mem::take(&mut state.holds)
        };
        // Records that go again may take effect after these rows.
        for (_, _, hold) in doubtful {
            hold.doubt(
                "rows that were journaled before were sent again after a fault of the gateway: \
                 where they have the same keys, they may have taken the place of these",
            );
        }
    }

    /// The feeder passes over what lies before `cursor`: it is settled.
    pub fn pass_over(&self, cursor: u64) {
        let mut state = self.state();
        state.cursor = state.cursor.max(cursor.min(state.end));
        self.note_behind(&state);
    }

    /// Memory for a record that was read; `None`: there is none now.
    pub fn try_acquire(&self, weight: usize) -> Option<MemoryPermit> {
        self.budget.try_acquire(weight)
    }

    /// Hands over record `sequence`, which the feeder has read, by `pass`. Tells whether it did.
    pub fn hand_over(&self, sequence: u64, pass: impl FnOnce()) -> bool {
        let mut state = self.state();
        if state.is_stopped || state.cursor != sequence {
            return false;
        }
        state.cursor = sequence + 1;
        pass();
        self.note_behind(&state);
        true
    }

    /// Rows of a record go into the pipeline.
    pub fn began(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether rows of any record are in the pipeline.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    /// From now on the records of this principal are parked.
    pub fn stop_for(&self, identity: &str) {
        let mut state = self.state();
        if !state.is_stopped_for(identity) {
            state.stopped_principals.push(identity.into());
        }
    }

    /// The principal's parked rows have all gone: its records are handed over again.
    pub fn resume_for(&self, identity: &str) {
        self.state()
            .stopped_principals
            .retain(|stopped| **stopped != *identity);
    }

    /// Whether the records of this principal are parked.
    pub fn is_stopped_for(&self, identity: &str) -> bool {
        self.state().is_stopped_for(identity)
    }

    /// Asks for a probe, or takes the wish.
    pub fn want_probe(&self) {
        self.is_probe_wanted.store(true, Ordering::Release);
    }

    pub fn take_probe_wish(&self) -> bool {
        self.is_probe_wanted.swap(false, Ordering::AcqRel)
    }

    /// Delivered rows that wait here fail: their principal cannot write.
    pub fn fail_waiting(&self, reason: &Diagnostic) {
        let waiting = std::mem::take(&mut self.state().waiting);
        for (_, _, submission) in waiting {
            let rows = submission.batch.rows() as u64;
            let first = submission.batch.row_number(0);
            submission.part.fail(rows, first, reason);
        }
        self.check_behind();
    }

    /// A record came back from the pipeline without a verdict for each of its rows: nothing is
    /// handed over until all have come back.
    pub fn returned(&self) {
        self.has_returned.store(true, Ordering::Release);
        // Locks nothing: the pipeline may give a record back while it is being handed over. Should
        // the feeder clear the flag just now, it sets it again when it hears of the record.
        if !self.is_behind.swap(true, Ordering::AcqRel) {
            self.streams_behind.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// A record has left the pipeline.
    pub fn ended(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    /// Sees to it that a record that came back is not overlooked.
    pub fn check_behind(&self) {
        self.note_behind(&self.state());
    }

    /// From now on nothing is handed over. What waits is given up.
    pub fn stop(&self) {
        let waiting = {
            let mut state = self.state();
            state.is_stopped = true;
            std::mem::take(&mut state.waiting)
        };
        drop(waiting);
    }

    /// Records that are safe and were not handed over yet.
    pub fn backlog(&self) -> u64 {
        let state = self.state();
        state.end - state.cursor
    }

    /// The record that is read back now was written then.
    pub fn note_read_back(&self, appended_ms: i64) {
        self.read_back_ms.store(appended_ms, Ordering::Release);
    }

    /// When the record that is read back next was written, in milliseconds since 1970.
    pub fn read_back_ms(&self) -> Option<i64> {
        let appended_ms = self.read_back_ms.load(Ordering::Acquire);
        (appended_ms > 0).then_some(appended_ms)
    }

    /// Records that are safe and not known to be settled, those in the pipeline included.
    pub fn unsettled_records(&self) -> u64 {
        let state = self.state();
        state.end.saturating_sub(state.noted)
    }

    /// Whether something waits for the feeder.
    pub fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Acquire)
    }

    fn has_returned(&self) -> bool {
        self.has_returned.load(Ordering::Acquire)
    }

    /// Keeps the flag and the count of the store in step with the state.
    fn note_behind(&self, state: &State) {
        let is_behind =
            state.cursor < state.end || !state.waiting.is_empty() || self.has_returned();
        if self.is_behind.swap(is_behind, Ordering::AcqRel) == is_behind {
            return;
        }
        self.note_creation(is_behind);
        if is_behind {
            self.streams_behind.fetch_add(1, Ordering::AcqRel);
        } else {
            self.streams_behind.fetch_sub(1, Ordering::AcqRel);
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
