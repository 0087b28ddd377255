//! Waiting for the client: headers, whole messages, and messages that are not kept.
//!
//! Owns every read of a session outside of COPY. Promises that replies which are due are sent
//! before a wait, that an idle connection learns of a drain and of its time-out, and that a
//! message which is skipped is never held. Never decodes a body.

use super::ending::Ending;
use super::frame::FrameHeader;
use super::session::Session;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::ConnectionEnd;
use bytes::Buf;
use std::time::Duration;

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
        let idle_s = self.gateway.settings.timeouts.idle_s;
        let is_idle = self.is_at_rest && self.transport.input.is_empty();
        if is_idle {
            self.transport.rest();
        }
        let received = tokio::select! {
            biased;
            received = self.transport.fill() => received?,
            () = self.signals.drained(), if is_idle => return Err(Ending::shutdown()),
            () = tokio::time::sleep(Duration::from_secs(idle_s)), if is_idle && idle_s > 0 => {
                return Err(Ending::with_words(
                    ConnectionEnd::TimedOut,
                    Box::new(Diagnostic::fatal(
                        SqlState::IDLE_SESSION_TIMEOUT,
                        "terminating connection due to idle-session timeout",
                    )),
                ));
            }
        };
        if received == 0 {
            return Err(Ending::silent(ConnectionEnd::Vanished));
        }
        Ok(())
    }

    /// Waits until the whole message has come.
    pub(super) async fn receive(&mut self, header: FrameHeader) -> Result<(), Ending> {
        while self.transport.input.len() < header.total_bytes() {
            if self.transport.fill().await? == 0 {
                return Err(Ending::silent(ConnectionEnd::Vanished));
            }
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
            if self.transport.fill().await? == 0 {
                return Err(Ending::silent(ConnectionEnd::Vanished));
            }
        }
    }
}
