//! Assets whose parents have not come yet.
//!
//! Owns the rows that CDF refused because their parent does not exist, while the parent may
//! still be on its way: in another request, or in rows that the client has not sent. Promises
//! that they are sent again as soon as a parent of theirs is made, in whatever order a load
//! brings them, and an end: when their statements have no more rows and nothing else is under
//! way, or only rows of other connections for some seconds; after too long a silence; and in any
//! case when repeats would end (`retry.elapsed_max_s`). Then they are tried once more and
//! refused. They hold no slot meanwhile. Never holds up rows whose parent exists.

use super::Sequencer;
use super::request::{Request, Stage};
use super::upsert::cut_to_bounds;
use crate::cdf::Reference;
use crate::diagnostic::Diagnostic;
use crate::pipeline::attempt::CallId;
use crate::pipeline::segment::{Piece, RowVerdict, Segment, Step};
use crate::pipeline::sequencer::admission::cancelled;
use crate::pipeline::split::{Parted, take_out};
use crate::pipeline::submission::JOURNAL_CONNECTION;
use crate::rows::{ObjectValues, RowBatch, hash_key};
use foldhash::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The column by which a load names parents that it brings itself.
const PARENT_COLUMN: &str = "parent_external_id";

/// The column that names a row to its children.
const NAME_COLUMN: &str = "external_id";

/// How long rows wait for parents while nothing comes and nothing is under way, and the client
/// has not said that its statement ends.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long rows of statements that have ended wait for parents while others load: one tree may
/// come by several connections.
const OTHERS_WAITED_FOR: Duration = Duration::from_secs(10);

/// How often it is asked whose wait is over: there may be very many.
const CHECKED_EVERY: Duration = Duration::from_millis(20);

/// All that wait for parents.
#[derive(Debug, Default)]
pub struct Orphans {
    /// Requests by the hash of the parents that their rows wait for.
    by_parent: HashMap<u64, Vec<CallId>>,
    /// Requests that wait.
    waiting: Vec<CallId>,
    /// When an object was last made.
    made_at: Option<Instant>,
    /// Since when nothing else is under way.
    silent_since: Option<Instant>,
    /// Entries of each connection whose requests wait.
    entries_of: HashMap<u64, usize>,
    /// By connection, the sequence before which all rows of its statements have come.
    all_rows_before: HashMap<u64, u64>,
    /// When it was last asked whose wait is over.
    checked_at: Option<Instant>,
}

impl Orphans {
    /// When to look at them again if nothing happens.
    pub fn wake_at(&self) -> Option<Instant> {
        self.checked_at
            .filter(|_| !self.waiting.is_empty())
            .map(|checked| checked + CHECKED_EVERY)
    }
}

/// Rows of one request that wait, each with the way in which it is written.
#[derive(Debug, Default)]
pub struct Waiting {
    segments: Vec<(Step, Segment)>,
    /// When the first of them began to wait.
    since: Option<Instant>,
    /// Nothing is left to wait for: refused now, they are refused for good.
    is_last_try: bool,
    /// It is because nothing comes any more, though their statement has not ended: the client is
    /// silent, or has to wait because these rows and others like them fill the memory.
    is_cut_short: bool,
}

impl Waiting {
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// All of them, for one verdict.
    pub fn take(&mut self) -> impl Iterator<Item = Segment> {
        std::mem::take(&mut self.segments)
            .into_iter()
            .map(|(_, segment)| segment)
    }
}

impl Sequencer {
    /// CDF named parents that it does not have: their children wait, and the rest of the piece
    /// goes on. Returns whether it was such a case.
    pub(super) fn await_parents(
        &mut self,
        now: Instant,
        id: CallId,
        missing: &[Reference],
    ) -> bool {
        let parents: Vec<&str> = missing
            .iter()
            .filter_map(|reference| match reference {
                Reference::NameInColumn { column, name } if *column == PARENT_COLUMN => {
                    Some(&**name)
                }
                _ => None,
            })
            .collect();
        let Some(request) = self.requests.get_mut(&id) else {
            return false;
        };
        let Some(piece) = request.pieces.front().cloned() else {
            return false;
        };
        if parents.is_empty() || request.orphans.is_last_try {
            return false;
        }
        let Parted { named, rest } = take_out(&piece, missing);
        if named.is_empty() {
            return false;
        }
        let step = piece.step;
        let named: Vec<Segment> = named.into_iter().map(|(segment, _)| segment).collect();
        let (descendants, rest) = take_descendants(&named, &rest);
        request.replace_piece(std::iter::once(rest.by(step)));
        let waiting = named.into_iter().chain(descendants);
        request
            .orphans
            .segments
            .extend(waiting.map(|segment| (step, segment)));
        for parent in parents {
            let waiting = self
                .orphans
                .by_parent
                .entry(hash_key(parent.as_bytes()))
                .or_default();
            if !waiting.contains(&id) {
                waiting.push(id);
            }
        }
        self.proceed(now, id);
        true
    }

    /// A request has nothing left but rows that wait for parents.
    pub(super) fn wait_for_parents(&mut self, now: Instant, id: CallId) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        // A parent may have been made while the children were under way.
        let sent_at = request.last_sent;
        if self
            .orphans
            .made_at
            .is_some_and(|made| Some(made) > sent_at)
        {
            self.send_orphans(now, id);
            return;
        }
        request.stage = Stage::AwaitingParents;
        request.slot = None;
        request.orphans.since.get_or_insert(now);
        let entries = request.entries.clone();
        for entry in entries {
            if let Some(connection) = self.entries.connection(entry) {
                *self.orphans.entries_of.entry(connection).or_default() += 1;
            }
            self.let_other_names_pass(entry);
        }
        self.orphans.waiting.push(id);
    }

    /// A request waits no more.
    fn end_wait(&mut self, id: CallId) {
        let before = self.orphans.waiting.len();
        self.orphans.waiting.retain(|other| *other != id);
        let Some(request) = self.requests.get(&id) else {
            return;
        };
        if self.orphans.waiting.len() == before {
            return;
        }
        for entry in &request.entries {
            if let Some(connection) = self.entries.connection(*entry)
                && let Some(waiting) = self.orphans.entries_of.get_mut(&connection)
            {
                *waiting -= 1;
                if *waiting == 0 {
                    self.orphans.entries_of.remove(&connection);
                }
            }
        }
    }

    /// Objects were made: children of theirs may go.
    pub(super) fn note_made(&mut self, now: Instant, piece: &Piece) {
        self.orphans.made_at = Some(now);
        self.orphans.silent_since = None;
        if self.orphans.by_parent.is_empty() {
            return;
        }
        let mut ready = Vec::new();
        for segment in &piece.segments {
            if let RowBatch::Objects(batch) = &segment.submission.batch {
                for key in &batch.key_hashes[segment.rows.clone()] {
                    ready.extend(self.orphans.by_parent.remove(key).unwrap_or_default());
                }
            }
        }
        for id in ready {
            if self.is_awaiting(id) {
                self.send_orphans(now, id);
            }
        }
    }

    fn is_awaiting(&self, id: CallId) -> bool {
        self.requests
            .get(&id)
            .is_some_and(|request| request.stage == Stage::AwaitingParents)
    }

    /// The rows of a request that waited are sent again.
    fn send_orphans(&mut self, now: Instant, id: CallId) {
        self.end_wait(id);
        let bounds = self.bounds;
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let segments = std::mem::take(&mut request.orphans.segments);
        for step in [Step::Asked, Step::Make, Step::Change] {
            let same = segments
                .iter()
                .filter(|(other, _)| *other == step)
                .map(|(_, segment)| segment.clone());
            for piece in cut_to_bounds(same.collect(), step, &bounds) {
                request.pieces.push_back(Arc::new(piece));
            }
        }
        self.enqueue(now, id);
    }

    /// Gives the rows of cancelled statements back.
    pub(super) fn drop_cancelled_orphans(&mut self, now: Instant) {
        for id in self.orphans.waiting.clone() {
            let Some(request) = self.requests.get_mut(&id) else {
                continue;
            };
            let segments = std::mem::take(&mut request.orphans.segments);
            let (aborted, wanted): (Vec<_>, Vec<_>) = segments
                .into_iter()
                .partition(|(_, segment)| segment.submission.part.is_aborted());
            request.orphans.segments = wanted;
            let is_done = request.orphans.is_empty();
            for (_, segment) in aborted {
                self.settle_segment(&segment, &RowVerdict::Failed(cancelled()));
            }
            if is_done {
                self.end_wait(id);
                self.proceed(now, id);
            }
        }
    }

    /// The reason why rows are refused whose parents were not waited for to the end.
    pub(super) fn with_order_hint(
        &self,
        id: CallId,
        mut reason: Box<Diagnostic>,
    ) -> Box<Diagnostic> {
        let is_cut_short = |request: &Request| request.orphans.is_cut_short;
        if self.requests.get(&id).is_some_and(is_cut_short) {
            reason.hint = Some(
                "Parents may come after their children, but rows that wait for them take memory, \
                 and more of them than memory.rows_bytes_max has room for cannot wait: send \
                 parents first, or let the operator set it higher."
                    .to_owned(),
            );
        }
        reason
    }

    /// Tries rows a last time for which no parent can come any more.
    pub(super) fn end_waits_for_parents(&mut self, now: Instant) {
        if self.orphans.waiting.is_empty() {
            self.orphans.silent_since = None;
            self.orphans.by_parent.clear();
            return;
        }
        let is_due = |checked: Instant| checked + CHECKED_EVERY <= now;
        if !self.orphans.checked_at.is_none_or(is_due) {
            return;
        }
        self.orphans.checked_at = Some(now);
        let others_are_at_work = !self.lookups.is_empty()
            || !self.lanes_are_empty()
            || self
                .requests
                .values()
                .any(|request| !matches!(request.stage, Stage::AwaitingParents | Stage::Guarding));
        if others_are_at_work {
            self.orphans.silent_since = None;
        } else {
            self.orphans.silent_since.get_or_insert(now);
        }
        let is_silent = |since: Instant| since + SILENCE_MAX <= now;
        let is_over = self.flushing || self.orphans.silent_since.is_some_and(is_silent);
        let patience = Duration::from_secs(self.retry.elapsed_max_s);
        for id in self.orphans.waiting.clone() {
            let since = self
                .requests
                .get(&id)
                .and_then(|request| request.orphans.since);
            let waited = since.map_or(Duration::ZERO, |since| now.duration_since(since));
            let is_patient = others_are_at_work && waited < OTHERS_WAITED_FOR;
            let has_all_rows = self.has_all_rows(id);
            if is_over || waited >= patience || (!is_patient && has_all_rows) {
                if let Some(request) = self.requests.get_mut(&id) {
                    request.orphans.is_last_try = true;
                    request.orphans.is_cut_short = !has_all_rows && !self.flushing;
                }
                self.send_orphans(now, id);
            }
        }
    }

    /// All rows of a connection's statements that are numbered below `sequence` have come.
    pub(super) fn note_all_rows(&mut self, connection: u64, sequence: u64) {
        let noted = &mut self.orphans.all_rows_before;
        if noted.len() == noted.capacity() {
            noted.retain(|connection, _| self.entries.open_of(*connection) > 0);
        }
        noted.insert(connection, sequence);
    }

    /// Whether the statements of a request's rows have no more rows to come, and nothing of their
    /// connections is under way that could make a parent.
    fn has_all_rows(&mut self, id: CallId) -> bool {
        let Some(request) = self.requests.get(&id) else {
            return true;
        };
        let entries = request
            .entries
            .iter()
            .filter_map(|entry| self.entries.get(*entry));
        let arrived: Vec<(usize, u64, bool, u64)> = entries
            .map(|entry| (entry.lane, entry.sequence, entry.urgent, entry.connection))
            .collect();
        arrived
            .into_iter()
            .all(|(lane, sequence, urgent, connection)| {
                let waiting = self.orphans.entries_of.get(&connection).copied();
                let has_come = |before: &u64| sequence < *before;
                let is_waited_for = urgent
                    || match connection {
                        // Its rows belong to no statement that anybody waits for.
                        JOURNAL_CONNECTION => self
                            .lanes
                            .get_mut(lane)
                            .is_some_and(|lane| has_come(&lane.urgent_sequence)),
                        connection => self
                            .orphans
                            .all_rows_before
                            .get(&connection)
                            .is_some_and(has_come),
                    };
                is_waited_for && self.entries.open_of(connection) <= waiting.unwrap_or(0)
            })
    }
}

/// The rows of `rest` that descend from rows of `named`, and the others: without their ancestors
/// they would be refused one after the other.
fn take_descendants(named: &[Segment], rest: &Piece) -> (Vec<Segment>, Piece) {
    let mut children: HashMap<&str, Vec<(usize, usize)>> = HashMap::default();
    for (place, segment) in rest.segments.iter().enumerate() {
        for row in segment.rows.clone() {
            if let Some(parent) = text(segment, row, PARENT_COLUMN) {
                children.entry(parent).or_default().push((place, row));
            }
        }
    }
    let mut taken: HashSet<(usize, usize)> = HashSet::default();
    let mut ancestors: Vec<&str> = named
        .iter()
        .flat_map(|segment| segment.rows.clone().map(move |row| (segment, row)))
        .filter_map(|(segment, row)| text(segment, row, NAME_COLUMN))
        .collect();
    while let Some(ancestor) = ancestors.pop() {
        for (place, row) in children.remove(ancestor).unwrap_or_default() {
            taken.insert((place, row));
            ancestors.extend(text(&rest.segments[place], row, NAME_COLUMN));
        }
    }
    let (mut descendants, mut others) = (Vec::new(), Vec::new());
    for (place, segment) in rest.segments.iter().enumerate() {
        let mut start = segment.rows.start;
        while start < segment.rows.end {
            let is_taken = taken.contains(&(place, start));
            let end = (start + 1..segment.rows.end)
                .find(|row| taken.contains(&(place, *row)) != is_taken)
                .unwrap_or(segment.rows.end);
            let run = Segment {
                submission: segment.submission.clone(),
                rows: start..end,
            };
            if is_taken {
                descendants.push(run);
            } else {
                others.push(run);
            }
            start = end;
        }
    }
    (descendants, Piece::new(others))
}

/// The text in a column of a row, if it has one.
fn text<'a>(segment: &'a Segment, row: usize, column: &str) -> Option<&'a str> {
    let RowBatch::Objects(batch) = &segment.submission.batch else {
        return None;
    };
    let index = batch.table.column_index(column).ok()?;
    let column = batch.column(index).filter(|column| column.present[row])?;
    match &column.values {
        ObjectValues::Text(values) => Some(values.text(row)),
        _ => None,
    }
}
