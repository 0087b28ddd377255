//! SAVEPOINT, RELEASE and ROLLBACK TO.
//!
//! Owns the savepoints of a block: their names, and what the block held when each was made.
//! Promises PostgreSQL's rules for names that nest and are used again, and that what came after a
//! savepoint is dropped, in memory and on disk. Never takes back what was sent: a block that
//! streams warns of it.

use super::group::Mark;
use super::session::{Failure, Session};
use super::streaming::Written;
use super::transaction::{Transaction, only_in_block};
use crate::diagnostic::{Diagnostic, SqlState};

/// What a savepoint costs beside its name.
const SAVEPOINT_BYTES: usize = 128;

/// The savepoints of a block, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Savepoints {
    made: Vec<Savepoint>,
    bytes: usize,
    /// The client knows that they take nothing back that was sent.
    has_warned: bool,
}

#[derive(Debug)]
struct Savepoint {
    name: String,
    mark: Mark,
    /// What a streaming block had sent when it was made.
    written: Written,
}

impl Savepoints {
    pub(super) fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    /// What they take of memory: there may be many.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Their names, the oldest first.
    pub(super) fn names(&self) -> Vec<String> {
        self.made.iter().map(|made| made.name.clone()).collect()
    }

    fn keep(&mut self, savepoint: Savepoint) {
        self.bytes += SAVEPOINT_BYTES + savepoint.name.len();
        self.made.push(savepoint);
    }

    /// Forgets savepoint number `index` and those after it.
    fn forget_from(&mut self, index: usize) {
        for savepoint in self.made.drain(index..) {
            self.bytes -= SAVEPOINT_BYTES + savepoint.name.len();
        }
    }

    /// The index of the newest savepoint of that name.
    fn position(&self, name: &str) -> Result<usize, Box<Diagnostic>> {
        self.made
            .iter()
            .rposition(|savepoint| savepoint.name == name)
            .ok_or_else(|| {
                Box::new(Diagnostic::error(
                    SqlState::INVALID_SAVEPOINT_SPECIFICATION,
                    format!("savepoint \"{name}\" does not exist"),
                ))
            })
    }
}

impl Session {
    /// Makes a savepoint.
    ///
    /// # Errors
    /// 25P01 outside of a block, 53400 when the block holds too much.
    pub(super) async fn savepoint(&mut self, name: &str) -> Result<(), Failure> {
        self.stage_open_batch();
        if matches!(&self.transaction, Transaction::Open(block) if block.is_streaming) {
            // What comes before a savepoint is not what comes after it.
            self.settle().await?;
        }
        let Transaction::Open(block) = &mut self.transaction else {
            return Err(only_in_block("SAVEPOINT").into());
        };
        block.savepoints.keep(Savepoint {
            name: name.to_owned(),
            mark: block.group.mark(),
            written: block.written,
        });
        self.settings.savepoint();
        self.announcements.mark();
        if block.is_streaming && !std::mem::replace(&mut block.savepoints.has_warned, true) {
            self.warn_of_savepoint();
        }
        self.savepoint_in_engine(name).await?;
        self.hold().await.map_err(Failure::from)
    }

    /// Forgets a savepoint and those after it; their rows stay.
    ///
    /// # Errors
    /// 25P01 outside of a block, 3B001.
    pub(super) async fn release(&mut self, name: &str) -> Result<(), Failure> {
        let Transaction::Open(block) = &mut self.transaction else {
            return Err(only_in_block("RELEASE SAVEPOINT").into());
        };
        let index = block.savepoints.position(name)?;
        block.savepoints.forget_from(index);
        self.settings.release(index);
        self.announcements.release(index);
        self.release_in_engine(name).await
    }

    /// Goes back to a savepoint, which stays, also out of a failed block.
    ///
    /// # Errors
    /// 25P01 outside of a block, 3B001.
    pub(super) async fn roll_back_to(&mut self, name: &str) -> Result<(), Failure> {
        if matches!(&self.transaction, Transaction::Open(block) if block.is_streaming) {
            self.give_up().await;
        }
        let mut block = match std::mem::replace(&mut self.transaction, Transaction::Idle) {
            Transaction::Open(block) | Transaction::Failed(block) => block,
            Transaction::Idle => return Err(only_in_block("ROLLBACK TO SAVEPOINT").into()),
        };
        let index = match block.savepoints.position(name) {
            Ok(index) => index,
            Err(diagnostic) => {
                self.transaction = Transaction::Failed(block);
                return Err(diagnostic.into());
            }
        };
        block.savepoints.forget_from(index + 1);
        self.open_batch = None;
        let savepoint = &mut block.savepoints.made[index];
        block.group.truncate(savepoint.mark);
        // What is told once stays, and is not told again.
        let before = std::mem::replace(&mut savepoint.written, block.written);
        self.warn_of_written_since(block.written, before);
        self.settings.rollback_to(index);
        self.announcements.go_back_to(index);
        self.transaction = Transaction::Open(block);
        self.roll_back_in_engine(name).await?;
        // Less than before, but for a failure before it.
        self.hold().await.map_err(Failure::from)
    }
}
