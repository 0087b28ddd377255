//! Places of an HTTP server: how many connections it holds at once, and which has to go.
//!
//! Owns the list of connections. Promises a bounded number of them, and that a new one takes the place
//! of the one that has held its own longest without a whole request: a client that means it needs less
//! time than one that only holds its place. Never takes the place of one whose request waits for its answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio_util::sync::CancellationToken;

/// Connections that a server holds at once.
const CONNECTIONS_MAX: usize = 256;

/// All places of a server.
#[derive(Clone)]
pub(super) struct Places {
    taken: Arc<Mutex<Taken>>,
    request_within: Duration,
}

#[derive(Default)]
struct Taken {
    /// The oldest first.
    places: BTreeMap<u64, Place>,
    last_number: u64,
}

/// The place of one connection, as the handlers of its requests know it.
#[derive(Clone, Debug)]
pub struct Place {
    is_answered: Arc<AtomicBool>,
    taken_away: CancellationToken,
    request_within: Duration,
}

/// A place that is given back when it is dropped.
pub(super) struct Seat {
    pub(super) place: Place,
    number: u64,
    taken: Arc<Mutex<Taken>>,
}

impl Places {
    /// A request may take `request_within` to come.
    pub fn new(request_within: Duration) -> Self {
        Places {
            taken: Arc::default(),
            request_within,
        }
    }

    /// A place; `None`: every connection is being answered.
    pub fn take(&self) -> Option<Seat> {
        let mut taken = lock(&self.taken);
        if taken.places.len() >= CONNECTIONS_MAX {
            let waits = |place: &Place| !place.is_answered.load(Ordering::Relaxed);
            let longest = taken.places.iter().find(|(_, place)| waits(place));
            let number = longest.map(|(number, _)| *number)?;
            if let Some(place) = taken.places.remove(&number) {
                place.taken_away.cancel();
            }
        }
        taken.last_number += 1;
        let number = taken.last_number;
        let place = Place {
            is_answered: Arc::default(),
            taken_away: CancellationToken::new(),
            request_within: self.request_within,
        };
        taken.places.insert(number, place.clone());
        Some(Seat {
            place,
            number,
            taken: self.taken.clone(),
        })
    }
}

impl Place {
    /// Returns once somebody else has the place.
    pub(super) async fn taken_away(&self) {
        self.taken_away.cancelled().await;
    }

    /// Reads the rest of a request, of which only the head is there.
    ///
    /// # Errors
    /// It took too long.
    pub async fn receive<T>(&self, reading: impl Future<Output = T>) -> Result<T, Elapsed> {
        let read = tokio::time::timeout(self.request_within, reading).await?;
        self.is_answered(true);
        Ok(read)
    }

    /// Whether a whole request is there that has no answer yet.
    pub(super) fn is_answered(&self, is_answered: bool) {
        self.is_answered.store(is_answered, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.taken).places.remove(&self.number);
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    // Every change is one insertion or removal.
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_waits_longest_goes_and_those_that_are_answered_stay() {
        let places = Places::new(Duration::from_secs(60));
        let seats: Vec<Seat> = (0..CONNECTIONS_MAX)
            .map(|_| places.take().expect("there is room"))
            .collect();
        seats[0].place.is_answered(true);
        let gone = || {
            let gone = |seat: &Seat| seat.place.taken_away.is_cancelled();
            seats.iter().filter(|seat| gone(seat)).count()
        };
        let new = places.take().expect("the second one goes");
        assert!(seats[1].place.taken_away.is_cancelled());
        assert_eq!(gone(), 1);
        drop(new);
        let again = places.take().expect("a place was given back");
        assert_eq!(gone(), 1);
        for seat in &seats {
            seat.place.is_answered(true);
        }
        again.place.is_answered(true);
        assert!(places.take().is_none());
    }
}
