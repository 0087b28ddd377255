//! From a queue to CDF and back: calls that are granted, and what pacing is told of their end.
//!
//! Owns the choice of the queue that a request's next call waits in. Promises that nothing is
//! called that pacing has not granted, that a queue goes in its order, and that every call that
//! was granted is reported to pacing once. Never reads what an answer means for the rows.

use super::queues::UnderWay;
use super::request::Errand;
use super::{Sequencer, Stage};
use crate::catalog::Resource;
use crate::cdf::{Operation, Reference};
use crate::pipeline::attempt::{Attempt, AttemptReport, Call, CallId};
use crate::pipeline::pacing::{Ended, EndpointId, Permission, SlotKind};
use std::time::Instant;

impl Sequencer {
    /// Lets calls that wait in a queue go, in their order, as far as pacing allows.
    pub(super) fn grant(&mut self, now: Instant, queue: usize, calls: &mut Vec<Attempt>) {
        loop {
            let state = self.queues.of(queue);
            state.note(Permission::Granted);
            let Some(id) = state.waiting.front().copied() else {
                return;
            };
            let endpoint = state.endpoint;
            self.decide_step(id);
            let call = match (self.lookups.get(&id), self.requests.get_mut(&id)) {
                (Some(lookup), _) => Some(Call::FindSeries(lookup.keys.clone())),
                (None, Some(request)) => request.call(self.resource),
                (None, None) => None,
            };
            let (items, bytes) = call.as_ref().map_or((0, 0), cost);
            let Some(call) = call.filter(|_| items > 0) else {
                self.queues.of(queue).waiting.pop_front();
                continue;
            };
            if let Err(wait) = self.take_write_slot(now, id, &call, endpoint) {
                // Those that have a slot may pass: this one could wait for theirs.
                let state = self.queues.of(queue);
                let requests = &self.requests;
                let passes = state.waiting.iter().position(|other| {
                    requests
                        .get(other)
                        .is_some_and(|request| request.slot.is_some())
                });
                let Some(other) = passes.and_then(|place| state.waiting.remove(place)) else {
                    state.note(wait);
                    return;
                };
                state.waiting.push_front(other);
                continue;
            }
            let slot = match self.needs_slot(&call) {
                false => Ok(None),
                true => self
                    .pacing
                    .take_slot(now, endpoint, SlotKind::Bulk)
                    .map(Some),
            };
            let paid = slot.and_then(|slot| match self.pacing.pay(now, endpoint, items, bytes) {
                Permission::Granted => Ok(slot),
                wait => Err(wait),
            });
            match paid {
                Ok(slot) => {
                    self.queues.of(queue).waiting.pop_front();
                    let (call, mut slots) = self.widen(now, endpoint, call);
                    slots.extend(slot);
                    let under_way = UnderWay {
                        queue,
                        began: now,
                        paid_bytes: bytes,
                        slots,
                    };
                    self.start(now, id, call, under_way, calls);
                }
                Err(wait) => {
                    self.queues.of(queue).note(wait);
                    return;
                }
            }
        }
    }

    /// A request that has waited for parents needs its slot again before it writes.
    ///
    /// # Errors
    /// What to wait for.
    fn take_write_slot(
        &mut self,
        now: Instant,
        id: CallId,
        call: &Call,
        endpoint: EndpointId,
    ) -> Result<(), Permission> {
        if let Some(request) = self.requests.get_mut(&id)
            && request.slot.is_none()
            && matches!(call, Call::Write(_) | Call::Read { .. })
        {
            let slot = self.pacing.take_slot(now, endpoint, SlotKind::Bulk)?;
            request.slot = Some(slot);
        }
        Ok(())
    }

    /// Whether a call needs a slot of its own. A write has its request's, and where a request
    /// writes to the API that is asked, the question goes on that slot too: a request that
    /// waited for a second slot could wait for itself.
    fn needs_slot(&self, call: &Call) -> bool {
        match call {
            Call::Write(_) | Call::Read { .. } | Call::FindPoints(_) | Call::FindRows(_) => false,
            Call::FindSeries(_) | Call::MakeSeries { .. } | Call::MakeNodes { .. } => true,
            Call::SettleCreates { .. } => self.resource == Resource::Datapoints,
        }
    }

    /// The queue of a request's next call.
    pub(super) fn queue_of(&mut self, id: CallId) -> Option<usize> {
        let request = self.requests.get(&id)?;
        let operation = match &request.errand {
            None => return Some(request.queue),
            Some(Errand::MakeSeries { missing, .. }) => Operation::Create(match missing.first() {
                Some(Reference::InstanceId(_)) => Resource::Instances,
                _ => Resource::TimeSeries,
            }),
            Some(Errand::FindTypes { .. } | Errand::CheckTypes) => {
                Operation::LookUp(Resource::TimeSeries)
            }
            Some(Errand::FindPresent(_)) => Operation::LookUp(self.resource),
            Some(Errand::SettleCreates { .. }) => match self.resource {
                Resource::Datapoints => Operation::LookUp(Resource::TimeSeries),
                Resource::RawRows | Resource::RawTables => Operation::writing(self.resource),
                objects => Operation::LookUp(objects),
            },
        };
        let identity = &request.identity;
        Some(self.queues.find_or_make(&self.pacing, identity, operation))
    }

    fn start(
        &mut self,
        now: Instant,
        id: CallId,
        call: Call,
        under_way: UnderWay,
        calls: &mut Vec<Attempt>,
    ) {
        let identity = if let Some(request) = self.requests.get_mut(&id) {
            request.stage = Stage::Called;
            request.piece_began.get_or_insert(now);
            request.first_sent.get_or_insert(now);
            request.last_sent = Some(now);
            self.meters
                .throttle_wait_seconds
                .record(now.saturating_duration_since(request.queued_at));
            request.under_way = Some(under_way);
            request.identity.clone()
        } else if let Some(lookup) = self.lookups.get_mut(&id) {
            lookup.began.get_or_insert(now);
            lookup.under_way = Some(under_way);
            lookup.identity.clone()
        } else {
            return;
        };
        if let Call::Write(piece) = &call {
            piece.mark_sent();
        }
        self.meters.requests_in_flight.increment(1.0);
        calls.push(Attempt {
            id,
            identity,
            resource: self.resource,
            call,
        });
    }

    /// Tells pacing how a call ended; its own slot comes back.
    pub(super) fn note_ended(
        &mut self,
        now: Instant,
        under_way: Option<UnderWay>,
        report: &AttemptReport,
        is_suspect: bool,
    ) {
        self.meters.requests_in_flight.decrement(1.0);
        let Some(UnderWay {
            queue,
            began,
            paid_bytes,
            slots,
        }) = under_way
        else {
            return;
        };
        let ended = Ended {
            is_suspect,
            began,
            paid_bytes,
            body_bytes: report.body_bytes,
            failure: report.result.as_ref().err(),
        };
        let endpoint = self.queues.of(queue).endpoint;
        if let Some(slots) = report.published_slots {
            self.pacing.note_published(endpoint, slots);
        }
        self.pacing.ended(now, endpoint, &ended);
        drop(slots);
    }
}

/// Items and bytes that a call is paid for.
fn cost(call: &Call) -> (usize, u64) {
    match call {
        Call::Write(piece) => (piece.weight.items, piece.weight.bytes as u64),
        // One of them; the others are paid as they are added.
        Call::Read { .. } => (1, 0),
        Call::FindSeries(keys) => (keys.len(), 0),
        Call::FindPoints(questions) => (questions.len(), 0),
        Call::FindRows(_) => (1, 0),
        Call::MakeSeries { external_ids, .. } => (external_ids.len(), 0),
        Call::MakeNodes { nodes, .. } => (nodes.len(), 0),
        Call::SettleCreates { duplicated, .. } => (duplicated.len(), 0),
    }
}
