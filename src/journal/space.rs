//! The bound of the journal: bytes on disk, and what happens when they are used up.
//!
//! Owns the count. Promises that rows are admitted only when there is room for them, in the
//! order in which they asked, and that waiting ends by itself when segments go. Never looks at
//! the disk: the writer tells when it is full.

use crate::config::FullJournal;
use crate::diagnostic::{Diagnostic, SqlState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How often a statement that waits for a full disk looks again.
const DISK_CHECK: Duration = Duration::from_millis(100);

/// The bytes that are left.
#[derive(Debug)]
pub struct Space {
    bytes: Arc<Semaphore>,
    bytes_max: u64,
    used: AtomicU64,
    when_full: FullJournal,
    is_disk_full: AtomicBool,
    waiting: AtomicUsize,
}

/// Room for one record; given back when it drops, unless the record was written.
#[derive(Debug)]
pub struct Room {
    permit: OwnedSemaphorePermit,
    bytes: u64,
}

impl Space {
    pub fn new(bytes_max: u64, when_full: FullJournal) -> Self {
        let permits = usize::try_from(bytes_max)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Space {
            bytes: Arc::new(Semaphore::new(permits)),
            bytes_max: permits as u64,
            used: AtomicU64::new(0),
            when_full,
            is_disk_full: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Room for `bytes` bytes. Waits for it, or refuses, as the operator decided.
    ///
    /// # Errors
    /// 53100 when the disk is full, 53400 at the bound.
    pub async fn admit(&self, bytes: usize) -> Result<Room, Box<Diagnostic>> {
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX);
        if u64::from(wanted) > self.bytes_max {
            return Err(at_bound(self.bytes_max));
        }
        if !self.is_disk_full.load(Ordering::Acquire)
            && let Ok(permit) = self.bytes.clone().try_acquire_many_owned(wanted)
        {
            return Ok(Room::new(permit));
        }
        if self.when_full == FullJournal::Refuse {
            return Err(if self.is_disk_full.load(Ordering::Acquire) {
                disk_full()
            } else {
                at_bound(self.bytes_max)
            });
        }
        let _waiting = Waiting::new(&self.waiting);
        while self.is_disk_full.load(Ordering::Acquire) {
            tokio::time::sleep(DISK_CHECK).await;
        }
        let permit = self
            .bytes
            .clone()
            .acquire_many_owned(wanted)
            .await
            .expect("the semaphore of the journal's bytes is never closed");
        Ok(Room::new(permit))
    }

    /// `bytes` are on disk.
    pub fn use_room(&self, room: Room, bytes: u64) {
        let Room {
            permit,
            bytes: admitted,
        } = room;
        self.used.fetch_add(bytes, Ordering::AcqRel);
        permit.forget();
        if bytes < admitted {
            self.bytes.add_permits((admitted - bytes) as usize);
        } else {
            self.take(bytes - admitted);
        }
    }

    /// `bytes` are on disk though nobody asked for room: segments found at the start.
    pub fn use_without_room(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::AcqRel);
        self.take(bytes);
    }

    fn take(&self, bytes: u64) {
        // What is beyond the bound cannot be taken and is not given back either: the count of
        // used bytes decides.
        self.bytes.forget_permits(bytes as usize);
    }

    /// `bytes` are free again.
    pub fn free(&self, bytes: u64) {
        let mut before = 0;
        let _ = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                before = used;
                Some(used.saturating_sub(bytes))
            });
        let after = before.saturating_sub(bytes);
        // Only what lay within the bound had been taken from the semaphore.
        let freed = before.min(self.bytes_max) - after.min(self.bytes_max);
        self.bytes.add_permits(freed as usize);
    }

    /// The writer says whether the disk has room.
    pub fn set_disk_full(&self, is_full: bool) {
        self.is_disk_full.store(is_full, Ordering::Release);
    }

    pub fn is_disk_full(&self) -> bool {
        self.is_disk_full.load(Ordering::Acquire)
    }

    pub fn when_full(&self) -> FullJournal {
        self.when_full
    }

    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Whether somebody waits for room.
    pub fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }
}

impl Room {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        Room {
            bytes: permit.num_permits() as u64,
            permit,
        }
    }
}

/// Counts somebody who waits, also when the wait is broken off.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// 53100.
pub fn disk_full() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::DISK_FULL,
            "the journal cannot take rows: its disk is full",
        )
        .with_hint("Make room on the disk of [journal] directory; nothing has to be restarted."),
    )
}

fn at_bound(bytes_max: u64) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            format!("the journal cannot hold more than {bytes_max} bytes of rows"),
        )
        .with_hint(
            "CDF takes rows more slowly than they come. Send fewer, or raise [journal] bytes_max.",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn rows_wait_for_room_and_get_it_when_segments_go() {
        let space = Space::new(100, FullJournal::Wait);
        let room = space.admit(60).await.expect("there is room");
        space.use_room(room, 50);
        assert_eq!(space.used(), 50);
        let mut waiting = Box::pin(space.admit(60));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(space.is_wanted());
        space.free(50);
        waiting.await.expect("there is room again");
        assert!(!space.is_wanted());
    }

    #[tokio::test]
    async fn a_journal_that_refuses_says_why() {
        let space = Space::new(100, FullJournal::Refuse);
        space.use_without_room(150);
        let refused = space.admit(10).await.expect_err("there is no room");
        assert_eq!(refused.sqlstate, SqlState::CONFIGURATION_LIMIT_EXCEEDED);
        space.free(60);
        space.admit(10).await.expect("there is room again");
        space.set_disk_full(true);
        let refused = space.admit(10).await.expect_err("the disk is full");
        assert_eq!(refused.sqlstate, SqlState::DISK_FULL);
    }
}
