//! Reads that keep to CDF's budgets.
//!
//! Owns the waiting: for memory, for a slot, for a budget, for an endpoint that asked for a pause, and before
//! a repeat. Promises that every attempt is paid for, that a read is repeated as long as `[retry]`
//! says and no longer, that it holds no memory between two attempts, and that its slot comes back when
//! it ends, however it ends. Never reads an answer.

use super::memory::{ScanMemory, ScanPermit};
use super::tally::Tally;
use crate::cdf::{AttemptFailure, CdfClient, Identity, PageAnswer, PageCall};
use crate::config::RetrySettings;
use crate::pipeline::Retry;
use crate::pipeline::pacing::{
    Ended, EndpointId, Pacing, PacingClient, Permission, Slot, SlotKind,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What a page is taken to weigh before it is there, where CDF counts bytes.
const BYTES_EXPECTED: u64 = 256 << 10;

/// How long a slot is waited for before looking again, whoever forgot to tell.
const SLOT_WAIT_MAX: Duration = Duration::from_secs(1);

/// CDF as scans of one thread read it.
#[derive(Debug)]
pub(super) struct PacedReader {
    client: CdfClient,
    pacing: PacingClient,
    /// Something that a read waits for may be free.
    freed: Arc<Notify>,
    retry: RetrySettings,
    memory: ScanMemory,
}

/// A slot that tells the other reads of this reader when it is free again; pacing tells everybody
/// else.
struct HeldSlot<'a> {
    slot: Option<Slot>,
    freed: &'a Notify,
}

impl Drop for HeldSlot<'_> {
    fn drop(&mut self) {
        self.slot.take();
        self.freed.notify_waiters();
    }
}

impl PacedReader {
    pub fn new(
        client: CdfClient,
        pacing: &Arc<Pacing>,
        retry: RetrySettings,
        memory: ScanMemory,
    ) -> Self {
        let freed = Arc::new(Notify::new());
        let nudged = freed.clone();
        PacedReader {
            client,
            pacing: pacing.client(Arc::new(move || nudged.notify_waiters())),
            freed,
            retry,
            memory,
        }
    }

    /// Where its pages are held.
    pub fn memory(&self) -> &ScanMemory {
        &self.memory
    }

    /// Items that a call can have so that the budgets can ever pay for it.
    pub fn items_max(&self, call: &PageCall) -> usize {
        self.pacing.request_items_max(call.operation)
    }

    /// Reads a page, as often as it takes; what that costs goes to `tally`. The memory that it has
    /// is for the answer and for the text of its rows.
    ///
    /// # Errors
    /// CDF refused it, or it was repeated in vain.
    pub async fn read(
        &self,
        identity: &Identity,
        call: &PageCall,
        items: usize,
        tally: &Tally,
    ) -> Result<(PageAnswer, ScanPermit), AttemptFailure> {
        let endpoint = self.pacing.endpoint(identity, call.operation);
        let mut retry = Retry::new(&self.retry, Instant::now());
        loop {
            let failure = match self.attempt(identity, endpoint, call, items, tally).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let AttemptFailure::Retry { retry_after, .. } = &failure else {
                return Err(failure);
            };
            let now = Instant::now();
            let Some(again) = retry.next_attempt(now, *retry_after, &mut rand::rng()) else {
                return Err(failure);
            };
            tokio::time::sleep_until(again.into()).await;
        }
    }

    async fn attempt(
        &self,
        identity: &Identity,
        endpoint: EndpointId,
        call: &PageCall,
        items: usize,
        tally: &Tally,
    ) -> Result<(PageAnswer, ScanPermit), AttemptFailure> {
        // Before the slot, which others would wait for meanwhile.
        let memory = self.memory.acquire(call.bytes_max).await;
        let slot = self.permission(endpoint, items).await;
        let began = Instant::now();
        tally.asked();
        let answer = self.client.page(identity, call).await;
        let body_bytes = match &answer {
            Ok(PageAnswer::Page { body, .. }) => Some(body.len() as u64),
            Ok(PageAnswer::TooLong) => Some(call.bytes_max as u64),
            Ok(PageAnswer::Absent) => Some(0),
            Err(_) => None,
        };
        tally.answered(body_bytes.unwrap_or(0));
        let ended = Ended {
            began,
            paid_bytes: BYTES_EXPECTED,
            body_bytes,
            failure: answer.as_ref().err(),
            is_suspect: false,
        };
        self.pacing.ended(Instant::now(), endpoint, &ended);
        drop(slot);
        Ok((answer?, memory))
    }

    /// Waits until an attempt may begin, and pays for it.
    async fn permission(&self, endpoint: EndpointId, items: usize) -> HeldSlot<'_> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // From here on no news is missed.
            freed.as_mut().enable();
            let now = Instant::now();
            let permission = match self.pacing.take_slot(now, endpoint, SlotKind::Bulk) {
                Ok(slot) => {
                    let slot = HeldSlot {
                        slot: Some(slot),
                        freed: &self.freed,
                    };
                    match self.pacing.pay(now, endpoint, items, BYTES_EXPECTED) {
                        Permission::Granted => return slot,
                        // Others may use the slot until it can be paid for. That it is free now
                        // is no news to us.
                        Permission::WaitUntil(until) | Permission::HeldUntil(until) => {
                            Permission::WaitUntil(until)
                        }
                        Permission::WaitForSlot => Permission::WaitForSlot,
                    }
                }
                Err(permission) => permission,
            };
            match permission {
                Permission::Granted => {}
                Permission::WaitUntil(until) => tokio::time::sleep_until(until.into()).await,
                Permission::HeldUntil(until) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(until.into()) => {}
                        () = freed => {}
                    }
                }
                Permission::WaitForSlot => {
                    tokio::select! {
                        () = tokio::time::sleep(SLOT_WAIT_MAX) => {}
                        () = freed => {}
                    }
                }
            }
        }
    }
}
