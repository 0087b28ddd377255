//! Rows that wait for more of their client before they may be sent.
//!
//! Owns the bounds of what waits: for COMMIT, for later statements of a Query, for the last line
//! of a staged COPY. Promises that
//! waiting rows never wait for memory: past the bound they go to disk, and where there is no room
//! either, the statement fails, or what is not bound to wait is sent. Never sends anything itself.

use super::group::Group;
use super::session::Session;
use super::simple_query::QueryProgress;
use super::transaction::Transaction;
use crate::diagnostic::{Diagnostic, SqlState};

impl Session {
    /// Whether rows must not be sent yet: their transaction block stages them, or their COPY.
    pub(super) fn must_wait(&self) -> bool {
        self.transaction.stages() || self.copy_waits
    }

    /// Whether rows of a Query wait for its later statements, which may fail. Where there is no
    /// room for them they go at once instead: nothing is lost, only what an error can undo.
    pub(super) async fn may_gather(&mut self) -> bool {
        self.query_progress == QueryProgress::MoreFollow
            && !self.implicit.is_sent()
            && self.hold().await.is_ok()
    }

    /// Makes room for what waits now.
    ///
    /// # Errors
    /// 53400 past the bounds, 53100 and others of the disk. Everything still waits then.
    pub(super) async fn hold(&mut self) -> Result<(), Box<Diagnostic>> {
        let settings = &self.gateway.settings.transactions;
        let budget = &self.gateway.staged;
        let (group, more_bytes): (&mut Group, usize) = match &mut self.transaction {
            Transaction::Open(block) if !block.is_streaming => {
                (&mut block.group, block.savepoints.bytes())
            }
            Transaction::Open(block) => (&mut self.implicit, block.savepoints.bytes()),
            Transaction::Idle | Transaction::Failed(_) => (&mut self.implicit, 0),
        };
        let bytes_max = settings.staged_bytes_max;
        if group.hold(budget, bytes_max, more_bytes) {
            return Ok(());
        }
        if let Some(store) = &self.gateway.spools {
            group.spool(store).await?;
            if group.hold(budget, bytes_max, more_bytes) {
                return Ok(());
            }
        }
        let (whose, bytes_max) = if group.held_bytes() + more_bytes > bytes_max {
            ("a transaction", bytes_max)
        } else {
            ("all transactions together", settings.staged_bytes_max_total)
        };
        Err(group.with_extent(too_much(whose, bytes_max)))
    }
}

fn too_much(whose: &str, bytes_max: usize) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            format!("{whose} cannot hold more than {bytes_max} bytes of rows until COMMIT"),
        )
        .with_hint(
            "Commit more often, load outside of a transaction block, or raise the bound or name a \
             spool_directory in [transactions].",
        ),
    )
}
