//! The handles that count dead letters.
//!
//! Owns what is measured at the store and at replays. Promises that every label value exists
//! from the start. Never registers while counting.

use super::labels::{LabelValue, LetterCondition, PurgeCause, ReplayOutcome};
use super::meters::CountersBy;
use super::names;
use crate::dead_letters::LetterSource;
use metrics::{Counter, Gauge};

/// Dead letters: made, kept, replayed, purged.
#[derive(Clone, Debug)]
pub struct DeadLetterMeters {
    made: Vec<CountersBy<LetterCondition>>,
    /// Letters that were not replayed.
    pub open: Gauge,
    /// Bytes of the store that are in use.
    pub bytes: Gauge,
    pub purged: CountersBy<PurgeCause>,
    pub replayed: CountersBy<ReplayOutcome>,
    pub writes_failed: Counter,
}

impl DeadLetterMeters {
    pub fn new() -> Self {
        DeadLetterMeters {
            made: LetterSource::ALL
                .iter()
                .map(|source| CountersBy::register(&names::DEAD_LETTERS, &[source.label()]))
                .collect(),
            open: names::DEAD_LETTERS_OPEN.gauge(&[]),
            bytes: names::DEAD_LETTERS_BYTES.gauge(&[]),
            purged: CountersBy::register(&names::DEAD_LETTERS_PURGED, &[]),
            replayed: CountersBy::register(&names::DEAD_LETTERS_REPLAYED, &[]),
            writes_failed: names::DEAD_LETTER_WRITES_FAILED.counter(&[]),
        }
    }

    /// A row became a letter.
    pub fn count(&self, source: LetterSource, sqlstate: &str) {
        self.made[source.index()].add(LetterCondition::of(sqlstate), 1);
    }
}

impl Default for DeadLetterMeters {
    fn default() -> Self {
        Self::new()
    }
}
