//! Statements whose rows CDF has, and that wait for journaled rows before theirs.
//!
//! Owns the holds of a stream. Promises that each is let go: when all records before it are noted,
//! when it has waited too long, or when nobody notes anything any more. Never hands rows over.

use super::settled::Settled;
use super::stream::Stream;
use crate::pipeline::TicketPart;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl Stream {
    /// Delivered rows are about to go. A start after a crash would send again what is not noted,
    /// over these rows; so their statement is answered only when all before them is noted.
    pub fn hold(&self, part: &TicketPart) {
        let mut state = self.state();
        if state.noted < state.end
            && let Some(hold) = part.hold()
        {
            let end = state.end;
            state.holds.push_back((end, Instant::now(), hold));
            self.has_holds.store(true, Ordering::Release);
        }
    }

    /// Whether statements wait for [`Self::noted`].
    pub fn has_holds(&self) -> bool {
        self.has_holds.load(Ordering::Acquire)
    }

    /// The disk knows that `settled` is settled.
    pub fn noted(&self, settled: &Settled) {
        let released: Vec<_> = {
            let mut state = self.state();
            let mut noted = settled.first_missing(0);
            while state.skipped.contains(noted) {
                noted = settled.first_missing(state.skipped.first_missing(noted));
            }
            state.noted = noted;
            let count = state
                .holds
                .iter()
                .take_while(|(end, _, _)| *end <= noted)
                .count();
            let released = state.holds.drain(..count).collect();
            self.has_holds
                .store(!state.holds.is_empty(), Ordering::Release);
            released
        };
        // Their tickets settle outside of the lock.
        drop(released);
    }

    /// Answers statements that have waited since before `since`: the rows of the journal before
    /// theirs are still not delivered.
    pub fn end_holds_since(&self, since: Instant) {
        let doubtful: Vec<_> = {
            let mut state = self.state();
            let count = state
                .holds
                .iter()
                .take_while(|(_, began, _)| *began < since)
                .count();
            let doubtful = state.holds.drain(..count).collect();
            self.has_holds
                .store(!state.holds.is_empty(), Ordering::Release);
            doubtful
        };
        for (_, _, hold) in doubtful {
            hold.doubt(
                "CDF has the rows, and still fails with rows that were journaled before them: \
                 where those have the same keys, they will take the place of these",
            );
        }
    }

    /// Answers whoever waits: nobody notes anything any more.
    pub fn release_holds(&self) {
        let released = std::mem::take(&mut self.state().holds);
        drop(released);
    }
}
