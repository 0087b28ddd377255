//! Rows that a session's COPYs go on without, on their way to the store of dead letters.
//!
//! Owns when letters are stored: as they gather outside of a transaction block, at COMMIT
//! inside, and before the client is answered in either case. Promises that a statement is not
//! answered as done while a row that it left out is not on the disk. Never holds more letters
//! than a bound, or than a transaction may stage.

use super::group::Group;
use super::ignoring::{Ignoring, notice_of, summary_of_refused};
use super::reply::put_diagnostic;
use super::session::{Failure, Session};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::Ticket;
use crate::sql::{CopyStatement, LogVerbosity};
use crate::wire::copy::{CopyDecoder, summary};

/// Letters that may gather before they are stored.
const LETTERS_MAX: usize = 1000;

/// Bytes of letters that may gather before they are stored.
const LETTERS_BYTES_MAX: usize = 1 << 20;

/// Bytes of notices after which they are sent within a COPY.
const NOTICE_BYTES_MAX: usize = 64 << 10;

impl Session {
    /// Prepares the group for rows that `copy`, whose rows begin now, may go on without.
    ///
    /// # Errors
    /// 0A000 where no store of dead letters is configured.
    pub(super) fn begin_ignoring(&mut self, copy: &CopyStatement) -> Result<(), Box<Diagnostic>> {
        let identity = self.user.identity.clone();
        let Some(ignoring) = Ignoring::of(copy, &self.user.name, &identity, &self.settings) else {
            return Ok(());
        };
        if self.gateway.settings.dead_letters.is_none() {
            return Err(Box::new(
                Diagnostic::error(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "COPY with ON_ERROR ignore needs a store for the rows that it goes on without",
                )
                .with_hint("Set dead_letters.directory in the configuration of the gateway."),
            ));
        }
        if let Some(numbering) = self.group().numberings.last_mut() {
            numbering.ticket = Ticket::ignoring_refusals();
            numbering.ignoring = Some(Box::new(ignoring));
        }
        Ok(())
    }

    /// Takes what the decoder has left out.
    ///
    /// # Errors
    /// 22P02 above REJECT_LIMIT, 53400 above the bound of a transaction, and those of the store.
    pub(super) async fn keep_skipped(&mut self, decoder: &mut CopyDecoder) -> Result<(), Failure> {
        let rows = decoder.take_skipped();
        if rows.is_empty() {
            return Ok(());
        }
        let group = self.group();
        let Some(ignoring) = last_ignoring(group) else {
            return Ok(());
        };
        let mut bytes = 0;
        let mut notices = Vec::new();
        for row in rows {
            if ignoring.log_verbosity == LogVerbosity::Verbose {
                notices.push(row.notice(ignoring.table_name()));
            }
            bytes += ignoring.skip(row);
        }
        let within_limit = ignoring.check_limit();
        group.letter_bytes += bytes;
        self.put_notices(&notices).await?;
        within_limit?;
        if self.must_wait() {
            self.hold().await?;
        }
        self.store_when_many().await
    }

    /// Tells how many rows the COPY that ends now has left out because of their values.
    pub(super) fn put_skipped_summary(&mut self) {
        let skipped = match last_ignoring(self.group()) {
            Some(ignoring) if ignoring.log_verbosity > LogVerbosity::Silent => ignoring.skipped,
            _ => 0,
        };
        if skipped > 0 {
            put_diagnostic(&mut self.replies, self.encoding, &summary(skipped));
        }
    }

    /// Takes what CDF has refused of rows that are under way.
    ///
    /// # Errors
    /// As [`Session::keep_skipped`].
    pub(super) async fn keep_refused(&mut self) -> Result<(), Failure> {
        let (notices, within_limit) = take_refused(&mut self.implicit);
        self.put_notices(&notices).await?;
        within_limit?;
        self.store_when_many().await
    }

    /// Stores what was left out by a group that was delivered, and tells the client. Returns the
    /// rows that CDF refused.
    ///
    /// # Errors
    /// 22P02 above REJECT_LIMIT, and those of the store.
    pub(super) async fn end_ignoring(&mut self, group: &mut Group) -> Result<u64, Failure> {
        if group
            .numberings
            .iter()
            .all(|numbering| numbering.ignoring.is_none())
        {
            return Ok(0);
        }
        let (notices, within_limit) = take_refused(group);
        within_limit?;
        self.store_letters(group).await?;
        for notice in &notices {
            put_diagnostic(&mut self.replies, self.encoding, notice);
        }
        let ignoring = || {
            group
                .numberings
                .iter()
                .filter_map(|numbering| numbering.ignoring.as_deref())
        };
        let refused = ignoring().map(|ignoring| ignoring.refused).sum();
        let told = ignoring()
            .filter(|ignoring| ignoring.log_verbosity > LogVerbosity::Silent)
            .map(|ignoring| ignoring.refused)
            .sum();
        if told > 0 {
            let summary = summary_of_refused(told);
            put_diagnostic(&mut self.replies, self.encoding, &summary);
        }
        Ok(refused)
    }

    /// Stores letters of the implicit transaction once there are many, unless they may still be
    /// taken back.
    async fn store_when_many(&mut self) -> Result<(), Failure> {
        if self.must_wait() || self.may_gather().await {
            return Ok(());
        }
        let letters: usize = self
            .implicit
            .numberings
            .iter()
            .filter_map(|numbering| numbering.ignoring.as_deref())
            .map(|ignoring| ignoring.letters.len())
            .sum();
        if letters < LETTERS_MAX && self.implicit.letter_bytes < LETTERS_BYTES_MAX {
            return Ok(());
        }
        let mut group = std::mem::take(&mut self.implicit);
        let stored = self.store_letters(&mut group).await;
        self.implicit = group;
        stored
    }

    /// Stores the letters of `group`, and waits until they are on the disk.
    async fn store_letters(&mut self, group: &mut Group) -> Result<(), Failure> {
        let Some(store) = self.gateway.settings.dead_letters.clone() else {
            return Ok(());
        };
        group.letter_bytes = 0;
        let mut letters = Vec::new();
        for ignoring in group
            .numberings
            .iter_mut()
            .filter_map(|numbering| numbering.ignoring.as_deref_mut())
        {
            letters.append(&mut ignoring.letters);
        }
        tokio::select! {
            biased;
            () = self.signals.interrupted() => Err(self.signals.interruption().into()),
            stored = store.add(letters) => stored.map_err(|error| Failure::from(Box::<Diagnostic>::from(error))),
        }
    }

    /// Appends notices to the replies; sends them when there are many.
    async fn put_notices(&mut self, notices: &[Diagnostic]) -> Result<(), Failure> {
        for notice in notices {
            put_diagnostic(&mut self.replies, self.encoding, notice);
            if self.replies.len() >= NOTICE_BYTES_MAX {
                self.flush_replies_within_query().await?;
            }
        }
        Ok(())
    }
}

fn last_ignoring(group: &mut Group) -> Option<&mut Ignoring> {
    group.numberings.last_mut()?.ignoring.as_deref_mut()
}

/// Moves what CDF has refused from the tickets of `group` to its letters. Returns what verbose
/// COPYs tell, and whether they may go on.
fn take_refused(group: &mut Group) -> (Vec<Diagnostic>, Result<(), Box<Diagnostic>>) {
    let mut notices = Vec::new();
    let mut within_limit = Ok(());
    for numbering in &mut group.numberings {
        let Some(ignoring) = numbering.ignoring.as_deref_mut() else {
            continue;
        };
        for row in numbering.ticket.take_refused() {
            if ignoring.log_verbosity == LogVerbosity::Verbose {
                notices.push(notice_of(&row));
            }
            group.letter_bytes += ignoring.refuse(row);
        }
        within_limit = within_limit.and_then(|()| ignoring.check_limit());
    }
    (notices, within_limit)
}
