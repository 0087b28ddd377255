//! A slot: the right of one request to be under way.
//!
//! Owns its place in the endpoint and in every budget. Promises that it comes back by `Drop`,
//! whatever happened to the request or its batcher.

use super::{Pacing, SlotKind};
use std::sync::Arc;

/// Held from the cut of a request to its last verdict.
#[derive(Debug)]
#[must_use = "a slot that is dropped is free again"]
pub struct Slot {
    pacing: Arc<Pacing>,
    client: usize,
    endpoint: usize,
    kind: SlotKind,
}

impl Slot {
    pub(super) fn new(pacing: Arc<Pacing>, client: usize, endpoint: usize, kind: SlotKind) -> Self {
        Slot {
            pacing,
            client,
            endpoint,
            kind,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pacing.free_slot(self.client, self.endpoint, self.kind);
    }
}
