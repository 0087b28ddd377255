//! The last requests, for tests of batching and of order.
//!
//! Owns a ring of bounded length. Keeps what a request was about (operation, counts, the
//! first keys, the time range), never its body.

use super::call::Tally;
use super::route::Operation;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Requests kept; older ones are dropped.
const ENTRIES_MAX: usize = 10_000;

/// One request.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Counts requests in the order in which they **ended**.
    pub sequence: u64,
    pub request_id: String,
    pub operation: Operation,
    pub method: String,
    pub path: String,
    pub project: String,
    /// The client id; empty when nobody was signed in.
    pub identity: String,
    pub status: u16,
    /// Whether the request took effect.
    pub committed: bool,
    /// The kind of the injected fault, if there was one.
    pub fault: Option<&'static str>,
    /// Microseconds since the start of the emulator.
    pub started_us: u64,
    /// When the answer was ready, on the same clock.
    pub ended_us: u64,
    pub content_type: String,
    pub content_encoding: String,
    pub body_bytes: u64,
    pub decoded_bytes: u64,
    #[serde(flatten)]
    pub tally: Tally,
}

#[derive(Debug, Default)]
struct State {
    next_sequence: u64,
    entries: VecDeque<Entry>,
}

/// The log of one emulator.
#[derive(Debug, Default)]
pub struct RequestLog {
    state: Mutex<State>,
}

impl RequestLog {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole entries are pushed and popped: a panic leaves none half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request; its sequence number is given here.
    pub fn push(&self, mut entry: Entry) {
        let mut state = self.lock();
        entry.sequence = state.next_sequence;
        state.next_sequence += 1;
        if state.entries.len() == ENTRIES_MAX {
            state.entries.pop_front();
        }
        state.entries.push_back(entry);
    }

    /// The requests from `sequence` on whose operation starts with `operation`, oldest first.
    pub fn since(&self, sequence: u64, operation: &str, limit: usize) -> Vec<Entry> {
        self.lock()
            .entries
            .iter()
            .filter(|entry| entry.sequence >= sequence)
            .filter(|entry| entry.operation.name().starts_with(operation))
            .take(limit)
            .cloned()
            .collect()
    }

    /// Forgets all requests; the sequence goes on.
    pub fn clear(&self) {
        self.lock().entries.clear();
    }
}
