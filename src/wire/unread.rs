//! Rows of an engine that the client leaves unread.
//!
//! Owns what becomes of them: they wait on disk, so that the engine can go on to others. Promises
//! that the client gets them all in their order when it reads, and that replies after them come
//! after them. Never lets an engine wait for a client, as long as there is room.

use super::ending::Ending;
use super::session::{Failure, Session};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{AnswerSpool, EngineFault};
use std::time::Duration;
use tokio::time::timeout;

/// A client that takes no longer for its rows than this is not slow.
const PATIENCE: Duration = Duration::from_millis(500);

impl Session {
    /// Sends the replies, or puts them where they wait for the client.
    ///
    /// # Errors
    /// `Stopped` with 57014 for a client that reads nothing while there is no room; `Broken` when
    /// it is gone.
    pub(super) async fn send_or_spool(
        &mut self,
        spool: &mut Option<AnswerSpool>,
    ) -> Result<(), EngineFault> {
        if spool.is_none() {
            match timeout(PATIENCE, self.flush_replies_within_query()).await {
                Ok(sent) => return sent.map_err(gone),
                // They are in the transport's output now.
                Err(_) => *spool = self.gateway.engines.begin_spool().await,
            }
            return match spool {
                Some(_) => Ok(()),
                None => self.flush_or_stall().await,
            };
        }
        let part = self.replies.split().freeze();
        let Some(waiting) = spool else {
            return Ok(());
        };
        if waiting.put(part.clone()).await? {
            return self.send_what_is_taken(spool).await;
        }
        // There is no room: now the engine waits, too.
        while let Some(waiting) = waiting.take().await? {
            self.flush_or_stall().await?;
            self.transport.output.extend_from_slice(&waiting);
        }
        *spool = None;
        self.flush_or_stall().await?;
        self.transport.output.extend_from_slice(&part);
        self.flush_or_stall().await
    }

    /// Sends as much as the client takes at once.
    async fn send_what_is_taken(
        &mut self,
        spool: &mut Option<AnswerSpool>,
    ) -> Result<(), EngineFault> {
        while let Some(waiting) = spool {
            match timeout(Duration::ZERO, self.transport.flush()).await {
                Ok(sent) => sent.map_err(|error| gone(error.into()))?,
                Err(_) => return Ok(()),
            }
            match waiting.take().await? {
                Some(part) => self.transport.output.extend_from_slice(&part),
                // It reads as fast as the rows come.
                None => *spool = None,
            }
        }
        Ok(())
    }

    async fn flush_or_stall(&mut self) -> Result<(), EngineFault> {
        let stall = Duration::from_secs(self.gateway.engines.settings().stall_s);
        match timeout(stall, self.transport.flush()).await {
            Ok(sent) => sent.map_err(|error| gone(error.into())),
            Err(_) => Err(EngineFault::Stopped(Box::new(
                Diagnostic::error(
                    SqlState::QUERY_CANCELED,
                    "canceling statement because its rows are not read",
                )
                .with_detail(format!("The client took none for {} s.", stall.as_secs())),
            ))),
        }
    }

    /// Sends what waits on disk, as fast as the client takes it: no engine waits for that.
    ///
    /// # Errors
    /// 57014 when the statement is cancelled or out of time meanwhile; its rows end there.
    pub(super) async fn send_spooled(&mut self) -> Result<(), Failure> {
        let Some(spool) = self.spooled.take() else {
            return Ok(());
        };
        let sent = self.send_all_of(spool).await;
        if sent.is_err() {
            // The end of the answer, which would tell that it was whole.
            self.replies.clear();
        }
        sent
    }

    async fn send_all_of(&mut self, mut spool: AnswerSpool) -> Result<(), Failure> {
        let signals = self.signals.clone();
        loop {
            tokio::select! {
                biased;
                () = signals.interrupted() => return Err(signals.interruption().into()),
                sent = self.transport.flush() => sent?,
            }
            match spool.take().await.map_err(EngineFault::into_diagnostic)? {
                Some(part) => self.transport.output.extend_from_slice(&part),
                None => return Ok(()),
            }
        }
    }
}

fn gone(_: Ending) -> EngineFault {
    EngineFault::Broken("the client is gone".to_owned())
}
