//! Objects that rows call by two names: the key that clients gave them, and the id that CDF made.
//!
//! Owns the order between rows that go by the one and rows that go by the other, of which nobody
//! here knows whether they mean the same objects. Promises that rows of one connection, and rows
//! behind acknowledged ones of the journal, never pass earlier ones that go by the other name, and
//! that none are sent beside requests under way when they came that do. Costs an entry one look at
//! its connection, a row nothing, and keeps nobody waiting while all rows go by one name. Never
//! holds up another connection's rows that wait: nothing of them has been acknowledged, so either
//! order is right.

use super::Sequencer;
use super::entries::{Entries, Entry, EntryId};
use super::request::Stage;
use crate::pipeline::submission::JOURNAL_CONNECTION;
use crate::rows::ObjectNames;
use foldhash::HashMap;
use std::time::Instant;

/// Entries of one connection since it last changed from one name to the other.
#[derive(Debug)]
struct Stretch {
    names: ObjectNames,
    /// What closes when all entries of the stretches before are closed.
    before: Option<EntryId>,
    /// The same for those entries of this one that are not in `entries`.
    gate: Option<EntryId>,
    entries: Vec<EntryId>,
}

impl Stretch {
    fn new(names: ObjectNames, before: Option<EntryId>) -> Self {
        Stretch {
            names,
            before,
            gate: None,
            entries: Vec::new(),
        }
    }

    /// Links an entry behind all of the stretches before.
    fn follow_the_one_before(&mut self, entries: &mut Entries, entry: EntryId) {
        self.before = self.before.filter(|before| entries.holds_back(*before));
        if let Some(before) = self.before {
            entries.link_names(before, entry);
        }
    }

    fn push(&mut self, entries: &Entries, entry: EntryId) {
        if self.entries.len() == self.entries.capacity() {
            self.entries.retain(|entry| entries.holds_back(*entry));
        }
        self.entries.push(entry);
    }

    /// What closes when all entries so far are closed; `None` if they are.
    fn end(&mut self, entries: &mut Entries, now: Instant) -> Option<EntryId> {
        self.entries.retain(|entry| entries.holds_back(*entry));
        self.gate = self.gate.filter(|gate| entries.holds_back(*gate));
        match (self.gate, self.entries.as_slice()) {
            (gate, []) => return gate,
            (None, [single]) => self.gate = Some(*single),
            (gate, open) => {
                // One link for each side instead of one for each pair.
                let made = entries.insert(Entry::gate(now));
                for entry in gate.iter().chain(open) {
                    entries.link_names(*entry, made);
                }
                self.gate = Some(made);
            }
        }
        self.entries.clear();
        self.gate
    }

    fn is_over(&self, entries: &Entries) -> bool {
        let is_open = |entry: &EntryId| entries.is_open(*entry);
        !self.before.iter().chain(&self.gate).any(is_open) && !self.entries.iter().any(is_open)
    }
}

/// The stretches of all connections.
#[derive(Debug, Default)]
pub struct Barriers {
    of_connections: HashMap<u64, Stretch>,
}

impl Barriers {
    /// An entry comes in: it is linked behind those of its connection, and of the journal, that
    /// go by the other name.
    fn enter(
        &mut self,
        entries: &mut Entries,
        entry: EntryId,
        connection: u64,
        names: ObjectNames,
        now: Instant,
    ) {
        if connection != JOURNAL_CONNECTION
            && let Some(journal) = self.of_connections.get_mut(&JOURNAL_CONNECTION)
        {
            if journal.names.cross(names) {
                if let Some(ahead) = journal.end(entries, now) {
                    entries.link_names(ahead, entry);
                }
            } else {
                journal.follow_the_one_before(entries, entry);
            }
        }
        let is_known = self.of_connections.contains_key(&connection);
        if !is_known && self.of_connections.len() == self.of_connections.capacity() {
            self.of_connections
                .retain(|_, stretch| !stretch.is_over(entries));
        }
        let stretch = self
            .of_connections
            .entry(connection)
            .or_insert_with(|| Stretch::new(names, None));
        if stretch.names != names || names.cross(names) {
            let before = stretch.end(entries, now);
            // Those of the stretch are behind what was before it.
            *stretch = Stretch::new(names, before);
        }
        stretch.follow_the_one_before(entries, entry);
        stretch.push(entries, entry);
    }
}

impl Sequencer {
    /// Links an entry behind those that it must not pass though their keys are others.
    pub(super) fn enter_barriers(&mut self, now: Instant, entry: EntryId, names: ObjectNames) {
        let Some(connection) = self.entries.connection(entry) else {
            return;
        };
        self.barriers
            .enter(&mut self.entries, entry, connection, names, now);
        if !self.entries.cross(names) {
            return;
        }
        for request in self.requests.values() {
            // Its entries end together.
            if let Some(first) = request.entries.first()
                && request.target.names().cross(names)
                && request.stage != Stage::AwaitingParents
            {
                self.entries.link_names(*first, entry);
            }
        }
    }

    /// The rows of an entry wait for parents, which may come in rows that wait for its end:
    /// only rows of its keys wait on.
    pub(super) fn let_other_names_pass(&mut self, entry: EntryId) {
        let mut freed = Vec::new();
        self.entries
            .let_names_pass(entry, |later| freed.push(later));
        self.free_all(freed);
    }
}
