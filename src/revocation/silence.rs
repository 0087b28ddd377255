//! Who does not answer in one round of questions.
//!
//! Owns the counts, by where an identity's tokens and its project are. Promises that somebody silent
//! delays the questions to others by a few waits only, and counts anew in the next round. Never asks.

use crate::cdf::Identity;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Questions in a row without an answer: each may take half a minute.
pub(super) const UNANSWERED_MAX: u32 = 3;

/// Questions without an answer since the last answer.
#[derive(Debug, Default)]
pub(super) struct Silence {
    unanswered: Mutex<HashMap<[String; 2], u32>>,
}

impl Silence {
    /// Whether there is no use in asking about `identity` in this round.
    pub fn is_about(&self, identity: &Identity) -> bool {
        let counts = self.counts();
        let count = counts.get(&place_of(identity));
        count.is_some_and(|count| *count >= UNANSWERED_MAX)
    }

    /// A question about `identity` was answered, or not.
    pub fn note(&self, identity: &Identity, is_answered: bool) {
        let place = place_of(identity);
        let mut counts = self.counts();
        if is_answered {
            counts.remove(&place);
            return;
        }
        let count = counts.entry(place).or_default();
        *count += 1;
        if *count == UNANSWERED_MAX {
            tracing::warn!(
                base_url = identity.project.base_url,
                token_source = identity.credentials.token_source(),
                "nobody answers there: the others there are not asked about for now"
            );
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<[String; 2], u32>> {
        // Every change is one insertion, removal or addition.
        self.unanswered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn place_of(identity: &Identity) -> [String; 2] {
    [
        identity.project.base_url.clone(),
        identity.credentials.token_source().to_owned(),
    ]
}
