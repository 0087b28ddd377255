//! The departures of late, for connections that were signing in meanwhile.
//!
//! Owns a list of them. Promises that a client cannot outlast the end of its user by signing in
//! slowly, and that the list is bounded by time. Never ends anything itself.

use super::departure::{Departure, Whom};
use super::user::GatewayUser;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a departure is remembered: as long as a sign-in may take at most, and some more.
const REMEMBERED: Duration = Duration::from_secs(3_660);

/// One departure.
#[derive(Debug)]
struct Departed {
    at: Instant,
    departure: Departure,
    whom: Whom,
}

/// The list, oldest first.
#[derive(Debug, Default)]
pub(super) struct Departures {
    recent: VecDeque<Departed>,
    /// Those that are forgotten.
    forgotten: u64,
}

impl Departures {
    /// How many there were so far.
    pub(super) fn count(&self) -> u64 {
        self.forgotten + self.recent.len() as u64
    }

    pub(super) fn note(&mut self, departure: Departure, whom: Whom) {
        let at = Instant::now();
        while let Some(oldest) = self.recent.front()
            && oldest.at + REMEMBERED < at
        {
            self.recent.pop_front();
            self.forgotten += 1;
        }
        self.recent.push_back(Departed {
            at,
            departure,
            whom,
        });
    }

    /// The last one that meant `user`, of those that came after the first `count`.
    pub(super) fn since(&self, count: u64, user: &GatewayUser) -> Option<Departure> {
        let seen = count.saturating_sub(self.forgotten);
        let later = self.recent.iter().skip(usize::try_from(seen).ok()?);
        later
            .rev()
            .find(|departed| departed.whom.includes(user))
            .map(|departed| departed.departure)
    }
}
