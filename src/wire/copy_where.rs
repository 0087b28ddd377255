//! COPY FROM STDIN with a WHERE: a PostgreSQL reads the data and applies the condition.
//!
//! Owns the way of the client's data into an engine. Promises that it goes on as it comes and is never
//! gathered here, and that the rows which are left go the way of any COPY. Never looks at the data.

use super::awaited_answer::AwaitedAnswer;
use super::change_plan::ChangePlan;
use super::changes::Changed;
use super::cold::{Kept, Wanted};
use super::encoding::ClientEncoding;
use super::frame::HEADER_BYTES;
use super::message::FrontendMessage;
use super::reply::put;
use super::session::{Failure, Session};
use crate::engine::{EngineFault, EngineLink};
use crate::sql::{Bindings, ColdStatement, CopyFormat, CopyStatement};
use bytes::{Buf, Bytes};
use pgwire::messages::copy::CopyInResponse;
use postgres_protocol::message::frontend;
use std::time::Instant;

impl Session {
    /// Runs a COPY with a condition and answers it. `copy` is the same without the condition.
    ///
    /// # Errors
    /// PostgreSQL's own of data and condition; those of the rows. Nothing was sent.
    pub(super) async fn copy_where(
        &mut self,
        cold: &ColdStatement,
        copy: &CopyStatement,
        wanted: Wanted<'_>,
        started: Instant,
    ) -> Result<Option<Kept>, Failure> {
        self.check_writable("COPY FROM")?;
        self.check_ack(copy.table)?;
        // The client sends no data before it has all earlier replies.
        self.settle().await?;
        let plan = ChangePlan::of_copy(copy);
        let text = &cold.text;
        let copied = self
            .with_lent(async move |session, link| {
                link.run("BEGIN").await?;
                session.apply_settings_for_transaction(link).await?;
                let sql = plan.begin(link.powers(), &[]);
                link.run(&sql).await?;
                link.begin_copy(text).await?;
                let tag = match session.feed(link, copy).await? {
                    Ok(tag) => tag,
                    Err(failure) => return Ok(Err(failure)),
                };
                link.run_as_owner().await?;
                let replayed = session.replay(link, &plan, &Bindings::none(), None).await?;
                Ok(Ok(Changed {
                    answer: AwaitedAnswer::default(),
                    tag,
                    replayed,
                    counts_rows: true,
                }))
            })
            .await;
        self.copy_waits = false;
        let changed = copied??;
        let kept = self
            .changes_are_gathered(cold, changed, wanted, started)
            .await?;
        // Rows of another COPY are numbered from 1 again.
        self.stage_open_batch();
        Ok(kept)
    }

    /// Hands the client's data on, up to its end. Returns the tag; or why the client sends no more
    /// of it, in which case the copy is broken off.
    async fn feed(
        &mut self,
        link: &mut EngineLink,
        copy: &CopyStatement,
    ) -> Result<Result<String, Failure>, EngineFault> {
        let format = i8::from(copy.options.format == CopyFormat::Binary);
        let columns = i16::try_from(copy.columns.len()).unwrap_or(i16::MAX);
        let formats = vec![i16::from(format); copy.columns.len()];
        put(
            &mut self.replies,
            &CopyInResponse::new(format, columns, formats),
        );
        let is_recoded = self.encoding != ClientEncoding::Utf8
            && copy.options.format != CopyFormat::Binary
            && !copy.names_encoding;
        self.activity.copies(Some(copy.table));
        if let Err(failure) = self.data_of_copy(link, is_recoded).await? {
            link.fail_copy().await?;
            return Ok(Err(failure));
        }
        self.activity.has_copied();
        frontend::copy_done(link.output());
        link.send().await?;
        let mut tag = String::new();
        let copied = link.until_ready(|frame| {
            if frame.kind == b'C' {
                tag = frame.tag();
            }
            Ok(())
        });
        copied.await?;
        Ok(Ok(tag))
    }

    async fn data_of_copy(
        &mut self,
        link: &mut EngineLink,
        is_recoded: bool,
    ) -> Result<Result<(), Failure>, EngineFault> {
        if let Err(ending) = self.flush_replies_within_query().await {
            return Ok(Err(ending.into()));
        }
        loop {
            match self.piece_of_copy().await {
                Ok(Some(piece)) if is_recoded => match self.encoding.decode(&piece) {
                    Ok(text) => {
                        let text = Bytes::copy_from_slice(text.as_bytes());
                        link.copy_chunk(text).await?;
                    }
                    Err(diagnostic) => return Ok(Err(diagnostic.into())),
                },
                Ok(Some(piece)) => link.copy_chunk(piece).await?,
                Ok(None) => return Ok(Ok(())),
                Err(failure) => return Ok(Err(failure)),
            }
        }
    }

    /// What has come of the data; `None`: the client has sent all.
    async fn piece_of_copy(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if self.unread_bytes > 0 {
                if self.transport.input.is_empty() {
                    self.fill_or_cancel().await?;
                }
                let here = self.unread_bytes.min(self.transport.input.len());
                let piece = Bytes::copy_from_slice(&self.transport.input[..here]);
                self.transport.input.advance(here);
                self.unread_bytes -= here;
                return Ok(Some(piece));
            }
            let header = self.copy_header().await?;
            if header.kind == b'd' {
                self.transport.input.advance(HEADER_BYTES);
                self.unread_bytes = header.body_bytes;
                continue;
            }
            self.receive(header).await?;
            let frame = header.split(&mut self.transport.input);
            if self.ends_copy(header.kind, FrontendMessage::decode(frame)?)? {
                return Ok(None);
            }
        }
    }
}
