//! COPY FROM STDIN: the client's data, frame by frame, into row batches.
//!
//! Owns the copy mode of the protocol. Promises that data is decoded as it comes, however it
//! is cut into frames, and never gathered beyond a batch; that Sync and Flush within the data
//! count for nothing; that reading stops while there is no memory for rows; and that a staged
//! COPY sends nothing before it has read everything. Never looks at the data itself: the decoder
//! does.

use super::completion::{Completion, Counted, message_end};
use super::ending::Ending;
use super::frame::{FrameHeader, HEADER_BYTES};
use super::group::{RunKind, RunShape};
use super::message::FrontendMessage;
use super::open_batch::OpenBatch;
use super::reply::{put, put_complete};
use super::session::{Failure, Session};
use super::simple_query::QueryProgress;
use super::withheld::Withheld;
use crate::config::CopyMode;
use crate::sql::{CopyFormat, CopyStatement, OnError};
use crate::telemetry::{ConnectionEnd, StatementKind};
use crate::wire::copy::CopyDecoder;
use bytes::Buf;
use pgwire::messages::copy::CopyInResponse;
use std::time::Instant;

impl Session {
    /// Runs a COPY and answers it.
    pub(super) async fn copy_in(&mut self, copy: &CopyStatement) -> Result<(), Failure> {
        self.check_writable("COPY FROM")?;
        self.check_ack(copy.table)?;
        let is_in_query = self.query_progress != QueryProgress::None;
        if !is_in_query {
            // The client sends no data before it has all earlier replies.
            self.settle().await?;
        } else if self.withheld.iter().any(Withheld::returns_rows) {
            // Rows that a statement before it returns come before the COPY.
            self.settle().await?;
        }
        let started = Instant::now();
        let mut statement = copy.clone();
        statement.options = copy.options_in(self.settings.client_encoding());
        let line_bytes_max = self.gateway.settings.copy.line_bytes_max;
        let mut decoder = CopyDecoder::new(&statement, line_bytes_max);
        let action = self.plain_action(copy.table, &copy.columns)?;
        let mut batch = self.begin_rows(RunShape {
            kind: RunKind::Copy,
            table: copy.table,
            columns: &copy.columns,
            ack: self.ack_of(copy.table),
            action: &action,
            wants_objects: false,
        });
        self.begin_ignoring(copy)?;
        let format = i8::from(copy.options.format == CopyFormat::Binary);
        let columns = i16::try_from(copy.columns.len()).unwrap_or(i16::MAX);
        let formats = vec![i16::from(format); copy.columns.len()];
        put(
            &mut self.replies,
            &CopyInResponse::new(format, columns, formats),
        );
        self.flush_replies_within_query().await?;
        let mut bytes = 0;
        self.activity.copies(Some(copy.table));
        self.copy_waits = self.settings.copy_mode() == CopyMode::Staged;
        let copied = self.copy_rows(&mut decoder, &mut batch, &mut bytes).await;
        self.copy_waits = false;
        let rows = decoder.rows();
        self.activity.has_copied();
        self.count_received(copy.table, rows, bytes);
        copied?;
        self.put_skipped_summary();
        let reply = self.replies.len();
        let completion = Completion {
            tag: "COPY",
            rows,
            counted: Counted::Rows,
            returned: None,
            relayed: None,
            parts: 1,
        };
        self.rows_are_gathered(batch, StatementKind::Copy, started, completion)
            .await?;
        // Rows of another COPY are numbered from 1 again.
        self.stage_open_batch();
        if self.must_wait() || self.query_progress == QueryProgress::MoreFollow {
            return Ok(());
        }
        if copy.options.on_error == OnError::Stop {
            return if is_in_query {
                Ok(())
            } else {
                self.settle().await
            };
        }
        // The tag counts the rows that are in CDF.
        let left_out = self.settle_ignoring().await?;
        let notices = self.replies.split_off(message_end(&self.replies, reply));
        self.replies.truncate(reply);
        self.replies.extend_from_slice(&notices);
        put_complete(&mut self.replies, format!("COPY {}", rows - left_out));
        Ok(())
    }

    /// Reads messages until the data ends.
    async fn copy_rows(
        &mut self,
        decoder: &mut CopyDecoder,
        batch: &mut OpenBatch,
        bytes: &mut u64,
    ) -> Result<(), Failure> {
        loop {
            let header = self.copy_header().await?;
            if header.kind == b'd' {
                self.transport.input.advance(HEADER_BYTES);
                self.unread_bytes = header.body_bytes;
                *bytes += header.body_bytes as u64;
                self.copy_data(decoder, batch).await?;
                continue;
            }
            self.receive(header).await?;
            let frame = header.split(&mut self.transport.input);
            if self.ends_copy(header.kind, FrontendMessage::decode(frame)?)? {
                return self.copy_end(decoder, batch).await;
            }
        }
    }

    /// Decodes the body of one CopyData, of which `unread_bytes` are left.
    async fn copy_data(
        &mut self,
        decoder: &mut CopyDecoder,
        batch: &mut OpenBatch,
    ) -> Result<(), Failure> {
        while self.unread_bytes > 0 {
            if self.transport.input.is_empty() {
                self.fill_or_cancel().await?;
            }
            let here = self.unread_bytes.min(self.transport.input.len());
            let fed = decoder.feed(&self.transport.input[..here], &mut batch.builder);
            self.group().set_last_rows(decoder.rows());
            let mut fed = fed?;
            self.keep_skipped(decoder).await?;
            self.transport.input.advance(fed.consumed);
            self.unread_bytes -= fed.consumed;
            while fed.builder_full {
                self.activity.copied(decoder.rows());
                self.batch_is_full(batch).await?;
                // The decoder may hold rows of data that it has taken already.
                fed = decoder.feed(&[], &mut batch.builder)?;
                self.group().set_last_rows(decoder.rows());
                self.keep_skipped(decoder).await?;
            }
        }
        Ok(())
    }

    /// The client has sent all.
    async fn copy_end(
        &mut self,
        decoder: &mut CopyDecoder,
        batch: &mut OpenBatch,
    ) -> Result<(), Failure> {
        loop {
            let finished = decoder.finish(&mut batch.builder);
            self.group().set_last_rows(decoder.rows());
            let finished = finished?;
            self.keep_skipped(decoder).await?;
            if !finished.builder_full {
                return Ok(());
            }
            self.batch_is_full(batch).await?;
        }
    }

    /// Waits for the next header of a message, or for a cancel.
    pub(super) async fn copy_header(&mut self) -> Result<FrameHeader, Failure> {
        let bytes_max = self.gateway.settings.listen.message_bytes_max;
        loop {
            match FrameHeader::read(&self.transport.input, bytes_max)? {
                Some(header) => return Ok(header),
                None => self.fill_or_cancel().await?,
            }
        }
    }

    pub(super) async fn fill_or_cancel(&mut self) -> Result<(), Failure> {
        let received = tokio::select! {
            biased;
            () = self.signals.interrupted() => return Err(self.signals.interruption().into()),
            received = self.transport.fill() => received?,
        };
        if received == 0 {
            return Err(Ending::silent(ConnectionEnd::Vanished).into());
        }
        Ok(())
    }
}
