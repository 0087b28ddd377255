//! Turns between connections: deficit round robin.
//!
//! Owns the free entries of a lane, one queue for each connection. Promises that connections
//! with rows here share requests evenly by bytes, that a connection's entries leave in their
//! order, and that a new connection waits for one turn of each other at most. Never weighs
//! connections differently.

use super::entries::EntryId;
use foldhash::HashMap;
use std::collections::VecDeque;

/// Bytes that a connection may send in one turn: a fraction of a request, so that several
/// bulk loads share each one, and more than most statements have.
const TURN_BYTES: usize = 256 << 10;

/// Flows without entries that keep their memory for the next.
const VACANT_KEPT: usize = 64;

/// The entries of one connection.
#[derive(Debug, Default)]
struct Flow {
    connection: u64,
    entries: VecDeque<(EntryId, usize)>,
    /// Bytes that it may still send in this turn.
    credit: usize,
}

/// Entries of several connections.
#[derive(Debug, Default)]
pub struct Turns {
    flows: Vec<Flow>,
    vacant: Vec<usize>,
    place_of: HashMap<u64, usize>,
    /// Flows with entries; the first has its turn.
    ring: VecDeque<usize>,
}

impl Turns {
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Whether this connection has entries here.
    pub fn has(&self, connection: u64) -> bool {
        match self.ring.front() {
            None => false,
            Some(first) if self.flows[*first].connection == connection => true,
            Some(_) => self.ring.len() > 1 && self.place_of.contains_key(&connection),
        }
    }

    /// Adds the last entry of a connection.
    pub fn push(&mut self, connection: u64, entry: EntryId, bytes: usize) {
        if let Some(first) = self.ring.front()
            && self.flows[*first].connection == connection
        {
            self.flows[*first].entries.push_back((entry, bytes));
            return;
        }
        let place = match self.place_of.get(&connection) {
            Some(place) => *place,
            None => self.add_flow(connection),
        };
        self.flows[place].entries.push_back((entry, bytes));
    }

    fn add_flow(&mut self, connection: u64) -> usize {
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.flows.push(Flow::default());
            self.flows.len() - 1
        });
        self.flows[place].connection = connection;
        self.flows[place].credit = TURN_BYTES;
        self.place_of.insert(connection, place);
        self.ring.push_back(place);
        place
    }

    /// The entry whose turn it is.
    pub fn front(&mut self) -> Option<EntryId> {
        loop {
            let place = *self.ring.front()?;
            let flow = &mut self.flows[place];
            let (entry, bytes) = *flow
                .entries
                .front()
                .expect("a flow leaves the ring with its last entry");
            if flow.credit >= bytes || self.ring.len() == 1 {
                return Some(entry);
            }
            flow.credit += TURN_BYTES;
            self.ring.rotate_left(1);
        }
    }

    /// The entry whose turn it is leaves. Call [`Turns::front`] first.
    pub fn pop(&mut self) {
        let Some(place) = self.ring.front().copied() else {
            return;
        };
        let flow = &mut self.flows[place];
        if let Some((_, bytes)) = flow.entries.pop_front() {
            flow.credit = flow.credit.saturating_sub(bytes);
        }
        if flow.entries.is_empty() {
            self.ring.pop_front();
            self.place_of.remove(&flow.connection);
            if self.vacant.len() >= VACANT_KEPT {
                flow.entries = VecDeque::new();
            }
            self.vacant.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(count: usize) -> Vec<EntryId> {
        (0..count as u32).map(EntryId::at).collect()
    }

    #[test]
    fn one_connection_keeps_its_order() {
        let mut turns = Turns::default();
        let ids = ids(5);
        for id in &ids {
            turns.push(7, *id, 1 << 20);
        }
        for id in &ids {
            assert_eq!(turns.front(), Some(*id));
            turns.pop();
        }
        assert_eq!(turns.front(), None);
    }

    #[test]
    fn a_small_statement_waits_for_one_turn_of_a_bulk_load() {
        let mut turns = Turns::default();
        let ids = ids(101);
        for id in &ids[..100] {
            turns.push(1, *id, 200 << 10);
        }
        turns.front();
        turns.push(2, ids[100], 50);
        let mut before = 0;
        while turns.front() != Some(ids[100]) {
            turns.pop();
            before += 1;
        }
        assert!(before <= 2, "{before} batches went first");
    }

    proptest! {
        #[test]
        fn busy_connections_send_about_the_same(
            sizes in prop::collection::vec(prop::collection::vec(1usize..(1 << 20), 40), 2..8),
        ) {
            let mut turns = Turns::default();
            let all = ids(sizes.len() * 40);
            let mut owner = HashMap::default();
            for (connection, sizes) in sizes.iter().enumerate() {
                for (number, size) in sizes.iter().enumerate() {
                    let id = all[connection * 40 + number];
                    owner.insert(format!("{id:?}"), (connection, *size));
                    turns.push(connection as u64, id, *size);
                }
            }
            // While everybody has entries left, nobody is ahead by more than two turns and
            // the largest entry.
            let mut sent = vec![0usize; sizes.len()];
            let mut left = vec![40; sizes.len()];
            while left.iter().all(|left| *left > 0) {
                let id = turns.front().expect("entries are left");
                let (connection, size) = owner[&format!("{id:?}")];
                turns.pop();
                sent[connection] += size;
                left[connection] -= 1;
            }
            let (most, least) = (sent.iter().max().copied(), sent.iter().min().copied());
            let ahead = most.unwrap_or(0) - least.unwrap_or(0);
            prop_assert!(ahead <= 2 * TURN_BYTES + (2 << 20), "{ahead} bytes ahead");
        }
    }
}
