//! Pacing as one batcher uses it.
//!
//! Owns the batcher's place among the clients and the few calls of a request: a slot, the
//! payment of each attempt, and its end. Promises that an attempt pays every budget that CDF
//! counts it in or none, and that whoever is turned away is told until when, or nudged. Never
//! holds a budget: all clients share those of [`Pacing`].

use super::endpoint::Endpoint;
use super::limiter::{Limiter, Scope};
use super::{Ended, Pacing, Slot, SlotKind, State, Waited, nudge, spent};
use crate::cdf::{Identity, Operation};
use crate::config::BudgetName;
use crate::diagnostic::Diagnostic;
use std::sync::Arc;
use std::time::Instant;

/// Whether something may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    Granted,
    /// Not before this time: a budget is spent.
    WaitUntil(Instant),
    /// Not before this time, unless a nudge comes earlier: the endpoint fails or has asked for
    /// a pause.
    HeldUntil(Instant),
    /// Not before a request ends: of this batcher's own, or of another that nudges.
    WaitForSlot,
}

/// Names an endpoint of a [`Pacing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointId(usize);

/// Pacing as one batcher uses it.
#[derive(Debug)]
pub struct PacingClient {
    pacing: Arc<Pacing>,
    id: usize,
}

impl PacingClient {
    pub(super) fn new(pacing: Arc<Pacing>, id: usize) -> Self {
        PacingClient { pacing, id }
    }

    /// The most items that one call of `operation` should have, so that it fits the rates.
    pub fn request_items_max(&self, operation: Operation) -> usize {
        self.pacing.request_items_max(operation)
    }

    /// The endpoint of an identity's `operation`. Identities of one name share it: CDF counts
    /// by principal.
    pub fn endpoint(&self, identity: &Identity, operation: Operation) -> EndpointId {
        let mut state = self.pacing.state();
        let Identity { project, name, .. } = identity;
        let key = (project.clone(), name.clone(), operation);
        if let Some(endpoint) = state.endpoint_of.get(&key) {
            return EndpointId(*endpoint);
        }
        let terms = &self.pacing.terms;
        let mut limiters = Vec::new();
        for budget in BudgetName::paid_by(operation) {
            for (scope, identity) in [
                (Scope::Identity, Some(name.as_str())),
                (Scope::Project, None),
            ] {
                let State {
                    limiters: all,
                    limiter_of,
                    ..
                } = &mut *state;
                let limiter = limiter_of
                    .entry((project.clone(), identity.map(str::to_owned), *budget))
                    .or_insert_with(|| {
                        let mut limiter = Limiter::new(
                            terms.limits.named(*budget),
                            scope,
                            terms.limits.budget_share,
                            self.pacing.epoch,
                        );
                        let before = &self.pacing.before;
                        let spent = before.of(project, identity, budget.name());
                        spent::restore(before.clocks, &mut limiter, spent, before.is_clean);
                        all.push(Waited::new(limiter));
                        all.len() - 1
                    });
                limiters.push(*limiter);
            }
        }
        let slots_max = limiters
            .iter()
            .filter_map(|limiter| state.limiters[*limiter].of.slots_max())
            .chain([terms.batch.of(operation.resource()).in_flight_max])
            .min()
            .unwrap_or(1);
        let whose = format!("{} in {}", name, project.name);
        let endpoint = Endpoint::new(whose, operation, limiters, slots_max, terms);
        state.endpoints.push(Waited::new(endpoint));
        let id = state.endpoints.len() - 1;
        state.endpoint_of.insert(key, id);
        EndpointId(id)
    }

    /// A slot for a request to be cut, once an attempt of one item and one byte could be paid
    /// too: rows wait for company rather than for the budget.
    ///
    /// # Errors
    /// What to wait for.
    pub fn take_slot(
        &self,
        now: Instant,
        endpoint: EndpointId,
        kind: SlotKind,
    ) -> Result<Slot, Permission> {
        let mut state = self.pacing.state();
        if let Some(until) = state.endpoints[endpoint.0].of.held_until(now) {
            state.endpoints[endpoint.0].wait(self.id);
            return Err(Permission::HeldUntil(until));
        }
        if let Some(until) = state.spent_until(now, endpoint.0, 1, 1) {
            return Err(Permission::WaitUntil(until));
        }
        let State {
            limiters,
            endpoints,
            ..
        } = &mut *state;
        let waited = &mut endpoints[endpoint.0];
        if !waited.of.has_slot(now, kind) {
            waited.wait(self.id);
            return Err(Permission::WaitForSlot);
        }
        for limiter in &waited.of.limiters {
            let limiter = &mut limiters[*limiter];
            if !limiter.of.has_slot() {
                limiter.wait(self.id);
                return Err(Permission::WaitForSlot);
            }
        }
        waited.of.take_slot(now, kind);
        for limiter in &waited.of.limiters {
            limiters[*limiter].of.take_slot();
        }
        Ok(Slot::new(self.pacing.clone(), self.id, endpoint.0, kind))
    }

    /// Pays for an attempt of `items` items and about `bytes` bytes that begins now, or tells
    /// when to ask again. Either all budgets are paid from or none.
    pub fn pay(&self, now: Instant, endpoint: EndpointId, items: usize, bytes: u64) -> Permission {
        let mut state = self.pacing.state();
        if let Some(until) = state.endpoints[endpoint.0].of.held_until(now) {
            state.endpoints[endpoint.0].wait(self.id);
            return Permission::HeldUntil(until);
        }
        if let Some(until) = state.spent_until(now, endpoint.0, items, bytes) {
            return Permission::WaitUntil(until);
        }
        let State {
            limiters,
            endpoints,
            payments,
            ..
        } = &mut *state;
        let endpoint = &mut endpoints[endpoint.0].of;
        endpoint.begin(now);
        *payments += 1;
        for limiter in &endpoint.limiters {
            limiters[*limiter].of.pay(now, items, bytes);
        }
        Permission::Granted
    }

    /// An attempt has ended: budgets are corrected, the endpoint learns, and others are nudged
    /// if it was held.
    pub fn ended(&self, now: Instant, endpoint: EndpointId, ended: &Ended<'_>) {
        let mut state = self.pacing.state();
        let State {
            limiters,
            endpoints,
            random,
            payments,
            ..
        } = &mut *state;
        let waited = &mut endpoints[endpoint.0];
        *payments += 1;
        if let Some(actual) = ended.body_bytes {
            for limiter in &waited.of.limiters {
                let limiter = &mut limiters[*limiter].of;
                limiter.correct_bytes(now, ended.paid_bytes, actual);
            }
        }
        if waited.of.ended(now, ended, random) {
            let waiting = std::mem::take(&mut waited.clients);
            nudge(state, self.id, waiting);
        }
    }

    /// Whether calls of this endpoint are left alone because they only fail.
    pub fn is_broken(&self, now: Instant, endpoint: EndpointId) -> bool {
        self.pacing.state().endpoints[endpoint.0].of.is_broken(now)
    }

    /// CDF has said how many calls of this endpoint it takes at once.
    pub fn note_published(&self, endpoint: EndpointId, slots: usize) {
        self.pacing.state().endpoints[endpoint.0]
            .of
            .note_published(slots);
    }

    /// Attempts of this endpoint that CDF has taken, so far.
    pub fn successes(&self, endpoint: EndpointId) -> u64 {
        self.pacing.state().endpoints[endpoint.0].of.successes()
    }

    /// Why an endpoint is held: what CDF said last.
    pub fn why_held(&self, endpoint: EndpointId) -> Option<Box<Diagnostic>> {
        self.pacing.state().endpoints[endpoint.0].of.reason()
    }
}

impl Drop for PacingClient {
    fn drop(&mut self) {
        if let Some(nudge) = self.pacing.state().nudges.get_mut(self.id) {
            *nudge = None;
        }
    }
}
