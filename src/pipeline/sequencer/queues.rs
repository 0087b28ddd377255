//! Calls that are ready but for their turn: one queue for each endpoint.
//!
//! Owns the queues, and what each of them waits for. Promises first come, first served.
//! Identities of one name share a queue: CDF counts by principal. Never pays: pacing does.

use crate::cdf::{Identity, Operation};
use crate::pipeline::attempt::CallId;
use crate::pipeline::pacing::{EndpointId, PacingClient, Permission, Slot};
use foldhash::HashMap;
use std::collections::VecDeque;
use std::time::Instant;

/// One endpoint and the calls that wait for it.
#[derive(Debug)]
pub struct Queue {
    pub endpoint: EndpointId,
    pub waiting: VecDeque<CallId>,
    /// Until when pacing said to wait.
    wait_until: Option<Instant>,
    /// The endpoint itself is in the way: it fails, or has asked for a pause.
    pub is_held: bool,
}

impl Queue {
    /// Until when pacing said to wait.
    pub fn wait_until(&self) -> Option<Instant> {
        self.wait_until
    }

    /// Notes what pacing said.
    pub fn note(&mut self, permission: Permission) {
        (self.wait_until, self.is_held) = match permission {
            Permission::Granted | Permission::WaitForSlot => (None, false),
            Permission::WaitUntil(until) => (Some(until), false),
            Permission::HeldUntil(until) => (Some(until), true),
        };
    }
}

/// A call that has been sent and not reported.
#[derive(Debug)]
pub struct UnderWay {
    pub queue: usize,
    pub began: Instant,
    pub paid_bytes: u64,
    /// The call's own slots, where it does not go on its request's alone.
    pub slots: Vec<Slot>,
}

/// The queues of one sequencer.
#[derive(Debug, Default)]
pub struct Queues {
    all: Vec<Queue>,
    by_name: HashMap<String, Vec<(Operation, usize)>>,
}

impl Queues {
    /// The queue of an identity's `operation`.
    pub fn find_or_make(
        &mut self,
        pacing: &PacingClient,
        identity: &Identity,
        operation: Operation,
    ) -> usize {
        if !self.by_name.contains_key(&identity.name) {
            self.by_name.insert(identity.name.clone(), Vec::new());
        }
        let known = self.by_name.entry(identity.name.clone()).or_default();
        if let Some((_, queue)) = known.iter().find(|(other, _)| *other == operation) {
            return *queue;
        }
        self.all.push(Queue {
            endpoint: pacing.endpoint(identity, operation),
            waiting: VecDeque::new(),
            wait_until: None,
            is_held: false,
        });
        known.push((operation, self.all.len() - 1));
        self.all.len() - 1
    }

    /// The queues of identities of that name.
    pub fn of_name(&self, name: &str) -> impl Iterator<Item = &Queue> {
        let known = self.by_name.get(name).into_iter().flatten();
        known.map(|(_, queue)| &self.all[*queue])
    }

    /// The endpoint of the queue of that number.
    pub fn endpoint(&self, queue: usize) -> EndpointId {
        self.all[queue].endpoint
    }

    pub fn of(&mut self, queue: usize) -> &mut Queue {
        &mut self.all[queue]
    }

    pub fn iter(&self) -> impl Iterator<Item = &Queue> {
        self.all.iter()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The next time at which pacing lets something pass.
    pub fn wake_at(&self) -> Option<Instant> {
        self.all.iter().filter_map(|queue| queue.wait_until).min()
    }
}
