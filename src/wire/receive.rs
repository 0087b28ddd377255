//! Waiting for the client: headers, whole messages, and messages that are not kept.
//!
//! Owns every read of a session outside of COPY. Promises that replies which are due are sent
//! before a wait, that an idle connection holds no buffers and learns of a drain and of its
//! time-outs, and that a message which is skipped is never held. Never decodes a body.

use super::deadlines::{silence, transaction_timeout};
use super::ending::Ending;
use super::frame::FrameHeader;
use super::notifications::Listener;
use super::session::Session;
use super::transaction::Transaction;
use crate::telemetry::ConnectionEnd;
use bytes::{Buf, BytesMut};
use tokio::time::{Instant, sleep_until};

impl Session {
    /// Waits for the next header. The client may be told meanwhile that the gateway stops, if
    /// it has nothing under way.
    pub(super) async fn next_header(&mut self) -> Result<FrameHeader, Ending> {
        self.drop_unread().await?;
        let bytes_max = self.gateway.settings.listen.message_bytes_max;
        loop {
            match FrameHeader::read(&self.transport.input, bytes_max) {
                Ok(Some(header)) => return Ok(header),
                Ok(None) => self.wait_for_input().await?,
                Err(diagnostic) => return Err(Ending::violation(diagnostic)),
            }
        }
    }

    async fn wait_for_input(&mut self) -> Result<(), Ending> {
        if self.withheld.is_empty()
            && !(self.replies.is_empty() && self.transport.output.is_empty())
        {
            self.flush_replies().await?;
        }
        if self.is_at_rest && self.transport.input.is_empty() {
            self.transport.rest();
            if self.replies.is_empty() {
                self.replies = BytesMut::new();
            }
        }
        self.fill_in_time().await
    }

    /// Waits for more bytes of the client, as long as it may be silent and its transaction last.
    async fn fill_in_time(&mut self) -> Result<(), Ending> {
        let is_idle = self.is_at_rest && self.transport.input.is_empty();
        let of_transaction = self.signals.deadlines.of_transaction();
        let of_silence = self.silence_deadline();
        let listener = self.idle_listener().filter(|_| is_idle);
        let is_late = of_transaction.is_some_and(|deadline| deadline <= Instant::now());
        let received = tokio::select! {
            biased;
            () = std::future::ready(()), if is_late => return Err(too_long()),
            received = self.transport.fill() => received?,
            () = heard(listener.as_deref()) => {
                self.put_notifications();
                return self.flush_replies().await;
            }
            () = self.signals.drained(), if is_idle => return Err(self.signals.ending()),
            () = passed(of_transaction) => return Err(too_long()),
            () = passed(of_silence) => {
                let is_in_block = !matches!(self.transaction, Transaction::Idle);
                return Err(silence(is_in_block));
            }
        };
        if received == 0 {
            return Err(Ending::silent(ConnectionEnd::Vanished));
        }
        Ok(())
    }

    /// When the client has been silent for too long.
    fn silence_deadline(&self) -> Option<Instant> {
        if !self.is_at_rest {
            return None;
        }
        let timeout = match self.transaction {
            Transaction::Idle => self.timeouts.idle,
            Transaction::Open(_) | Transaction::Failed(_) => self.timeouts.idle_in_transaction,
        };
        Some(self.rests_since + timeout?)
    }

    /// Waits until the whole message has come.
    pub(super) async fn receive(&mut self, header: FrameHeader) -> Result<(), Ending> {
        while self.transport.input.len() < header.total_bytes() {
            self.fill_in_time().await?;
        }
        Ok(())
    }

    /// Reads a message without keeping it.
    pub(super) async fn skip_body(&mut self, header: FrameHeader) -> Result<(), Ending> {
        self.unread_bytes = header.total_bytes();
        self.drop_unread().await
    }

    async fn drop_unread(&mut self) -> Result<(), Ending> {
        loop {
            let here = self.unread_bytes.min(self.transport.input.len());
            self.transport.input.advance(here);
            self.unread_bytes -= here;
            if self.unread_bytes == 0 {
                return Ok(());
            }
            self.fill_in_time().await?;
        }
    }
}

/// Waits until something is said that the session hears; for ever without a listener.
async fn heard(listener: Option<&Listener>) {
    match listener {
        Some(listener) => listener.heard().await,
        None => std::future::pending().await,
    }
}

/// Waits for a deadline; for ever without one.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The transaction takes too long.
fn too_long() -> Ending {
    Ending::with_words(ConnectionEnd::TimedOut, transaction_timeout())
}
