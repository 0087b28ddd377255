//! Whether the gateway takes new work.
//!
//! Owns the one state that `/ready` shows. Promises that a stopping gateway never becomes ready
//! again. Never decides by itself: start-up and shutdown set it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The life of a gateway, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadinessState {
    /// Not listening yet.
    Starting,
    /// Another gateway serves; this one takes over when that one ends.
    Standby,
    /// Clients may connect.
    Ready,
    /// Statements in flight are finished, new connections are refused.
    Draining,
}

impl ReadinessState {
    /// The word that `/ready` answers with.
    pub fn name(self) -> &'static str {
        match self {
            ReadinessState::Starting => "starting",
            ReadinessState::Standby => "standby",
            ReadinessState::Ready => "ready",
            ReadinessState::Draining => "draining",
        }
    }
}

/// The state, shared between who sets it and who shows it.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    state: Arc<AtomicU8>,
}

impl Readiness {
    /// Starting.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves on to `state`; going back is ignored.
    pub fn advance(&self, state: ReadinessState) {
        self.state.fetch_max(state as u8, Ordering::AcqRel);
    }

    pub fn state(&self) -> ReadinessState {
        match self.state.load(Ordering::Acquire) {
            0 => ReadinessState::Starting,
            1 => ReadinessState::Standby,
            2 => ReadinessState::Ready,
            _ => ReadinessState::Draining,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draining_gateway_never_becomes_ready_again() {
        let readiness = Readiness::new();
        assert_eq!(readiness.state(), ReadinessState::Starting);
        readiness.advance(ReadinessState::Ready);
        assert_eq!(readiness.state(), ReadinessState::Ready);
        readiness.advance(ReadinessState::Draining);
        readiness.advance(ReadinessState::Ready);
        assert_eq!(readiness.state(), ReadinessState::Draining);
    }
}
