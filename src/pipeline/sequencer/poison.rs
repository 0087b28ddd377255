//! Rows of the journal that CDF fails with while it takes others.
//!
//! Owns the suspicion. An answer 500 is a fault of CDF's that a repeat may pass, and rows of the
//! journal are repeated without end: a row that CDF can never digest would hold its request's
//! slot for ever, and all statements behind it. Promises that a request which fails again and
//! again, while others of the same endpoint succeed in between, is halved until the rows at
//! fault stand alone, and that those end as dead letters. Never suspects rows while CDF fails
//! with all, and never rows that a statement waits for: those are given up in time anyway.

use super::Sequencer;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::attempt::CallId;

/// Failures of one piece, each with a success of another request since the one before, after
/// which it is taken apart.
const STRIKES_MAX: u32 = 5;

/// The same for the parts of a request that has been taken apart.
const STRIKES_MAX_OF_PARTS: u32 = 2;

/// The same for a row that stands alone: it is given up then, and with the usual intervals these
/// take a minute. A CDF that fails with every second call must not cost rows.
const STRIKES_MAX_OF_A_ROW: u32 = 10;

/// What is held against a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Suspicion {
    strikes: u32,
    /// Successes of its endpoint when it failed last.
    successes: Option<u64>,
    /// It has been taken apart.
    is_apart: bool,
}

impl Suspicion {
    /// Others succeeded while it failed: the circuit breaker is not for its failures.
    pub fn is_founded(&self) -> bool {
        self.strikes > 0 || self.is_apart
    }
}

impl Sequencer {
    /// The piece at hand was answered 500. Returns the reason for which it should be taken apart,
    /// or rejected if it is a single row.
    pub(super) fn suspect(&mut self, id: CallId, said: &Diagnostic) -> Option<Box<Diagnostic>> {
        let queue = self.queue_of(id)?;
        let endpoint = self.queues.of(queue).endpoint;
        let successes = self.pacing.successes(endpoint);
        let request = self.requests.get_mut(&id)?;
        if !request.is_journaled {
            return None;
        }
        let is_single = request
            .pieces
            .front()
            .is_some_and(|piece| piece.rows() == 1);
        let suspicion = &mut request.suspicion;
        if suspicion.successes.is_some_and(|before| successes > before) {
            suspicion.strikes += 1;
        }
        suspicion.successes = Some(successes);
        let strikes_max = match (is_single, suspicion.is_apart) {
            (true, _) => STRIKES_MAX_OF_A_ROW,
            (false, false) => STRIKES_MAX,
            (false, true) => STRIKES_MAX_OF_PARTS,
        };
        if suspicion.strikes < strikes_max {
            return None;
        }
        *suspicion = Suspicion {
            is_apart: true,
            ..Suspicion::default()
        };
        let mut reason = said.clone();
        reason.sqlstate = SqlState::FDW_ERROR;
        reason.message = "CDF fails with this row again and again, and takes others".to_owned();
        reason.hint = Some(
            "Give Cognite's support the x-request-id; replay the dead letter when it is mended."
                .to_owned(),
        );
        Some(Box::new(reason))
    }
}
