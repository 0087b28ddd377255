//! The end of statements that write rows: their tags, and the rows that they return.
//!
//! Owns what a withheld reply becomes once its verdicts are there: rows that were skipped do not
//! count, and rows that CDF has made something of go before the tag. Promises that no row is
//! returned before CDF accepted it. Never decides whether a statement succeeded.

use super::awaited_answer::AwaitedAnswer;
use super::group::Group;
use super::reply::put_complete;
use super::returned::Returned;
use super::session::{Failure, Session};
use super::stamped_rows::Fate;
use super::withheld::Withheld;
use crate::telemetry::StatementOutcome;
use bytes::BytesMut;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

/// Which rows the tag of a statement counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Its own, but for those that were skipped.
    Rows,
    /// Those that CDF had, as the verdicts tell; none where no verdict is waited for.
    ByCdf,
    /// So many, whatever the verdicts tell: it counts other rows than those that are written.
    AsSaid,
    /// The tag has no count.
    Nothing,
}

/// What the reply of a statement says.
#[derive(Debug)]
pub(super) struct Completion {
    /// The words of the tag before the count.
    pub(super) tag: &'static str,
    /// Rows of the statement.
    pub(super) rows: u64,
    pub(super) counted: Counted,
    pub(super) returned: Option<Box<Returned>>,
    /// What an engine answered before the tag.
    pub(super) relayed: Option<Box<AwaitedAnswer>>,
    /// How many statements of the group it stands for: the one that is withheld, and those right
    /// before it.
    pub(super) parts: usize,
}

impl Completion {
    /// The tag as far as it is known before any verdict.
    pub(super) fn said_at_once(&self) -> String {
        match self.counted {
            Counted::Rows | Counted::AsSaid => self.said(self.rows),
            Counted::ByCdf | Counted::Nothing => self.said(0),
        }
    }

    fn said(&self, rows: u64) -> String {
        match self.counted {
            Counted::Nothing => self.tag.to_owned(),
            Counted::Rows | Counted::ByCdf | Counted::AsSaid => format!("{} {rows}", self.tag),
        }
    }
}

/// What verdicts tell of the rows of a group beside success, by statement.
#[derive(Debug, Default)]
struct Told {
    /// Numbers of rows, from 1 and ascending, for which nothing was to be done.
    skipped: BTreeMap<usize, Vec<u64>>,
    /// What CDF made of rows.
    objects: HashMap<(usize, u64), Box<RawValue>>,
}

impl Told {
    fn of(group: &Group) -> Self {
        let mut told = Told::default();
        for numbering in &group.numberings {
            for row_number in numbering.ticket.take_skipped() {
                let origin = numbering.locate(row_number);
                let rows = told.skipped.entry(origin.statement).or_default();
                rows.push(origin.row);
            }
            for rows in told.skipped.values_mut() {
                rows.sort_unstable();
            }
            for (row_number, object) in numbering.ticket.take_returned() {
                let origin = numbering.locate(row_number);
                told.objects.insert((origin.statement, origin.row), object);
            }
        }
        told
    }

    /// What became of a row of a statement.
    fn fate(&self, statement: usize, row: u64) -> Fate<'_> {
        let skipped = self.skipped.get(&statement);
        match self.objects.get(&(statement, row)) {
            Some(object) => Fate::Made(object),
            None if skipped.is_some_and(|rows| rows.binary_search(&row).is_ok()) => Fate::Skipped,
            None => Fate::Untold,
        }
    }
}

impl Session {
    /// Completes the replies of statements whose rows all have good verdicts.
    ///
    /// # Errors
    /// 40003 for a row that CDF has, of which it did not tell what it made.
    pub(super) fn complete(
        &mut self,
        withheld: Vec<Withheld>,
        group: &Group,
    ) -> Result<(), Failure> {
        self.count(&withheld, StatementOutcome::Succeeded);
        let told = Told::of(group);
        let is_as_said =
            told.skipped.is_empty() && !withheld.iter().any(Withheld::waits_for_verdicts);
        if is_as_said {
            return Ok(());
        }
        let said = std::mem::take(&mut self.replies);
        let mut copied = 0;
        for reply in withheld {
            let Some(offset) = reply.offset else {
                continue;
            };
            self.replies.extend_from_slice(&said[copied..offset]);
            copied = message_end(&said, offset);
            let completion = reply.completion;
            let skipped = told
                .skipped
                .get(&reply.statement)
                .map_or(&[][..], Vec::as_slice);
            let first = (reply.statement + 1).saturating_sub(completion.parts);
            let skipped_in_all: usize = told
                .skipped
                .range(first..=reply.statement)
                .map(|(_, rows)| rows.len())
                .sum();
            let object = |row: u64| told.objects.get(&(reply.statement, row)).map(|raw| &**raw);
            if let Some(returned) = &completion.returned {
                returned.put(&mut self.replies, self.encoding, skipped, object)?;
            }
            if let Some(relayed) = &completion.relayed {
                // Rows of several parts are not the statement's in their order.
                let left_out = match completion.parts {
                    1 if completion.tag.starts_with("INSERT") => skipped,
                    _ => &[],
                };
                match &relayed.stamps {
                    None => relayed.put(&mut self.replies, left_out),
                    Some(stamps) => {
                        let fate = |part: usize, row: u64| told.fate(first + part, row);
                        relayed.put_stamped(&mut self.replies, self.encoding, stamps, fate)?;
                    }
                }
            }
            let rows = match completion.counted {
                Counted::ByCdf => (1..=completion.rows)
                    .filter_map(|row| object(row)?.get().parse::<u64>().ok())
                    .sum(),
                Counted::Rows => completion.rows.saturating_sub(skipped_in_all as u64),
                Counted::AsSaid | Counted::Nothing => completion.rows,
            };
            put_complete(&mut self.replies, completion.said(rows));
        }
        self.replies.extend_from_slice(&said[copied..]);
        Ok(())
    }
}

/// Where the message ends that starts at `offset`: its length counts itself and its body.
pub(super) fn message_end(replies: &BytesMut, offset: usize) -> usize {
    let length = replies
        .get(offset + 1..offset + 5)
        .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
        .map_or(0, u32::from_be_bytes);
    (offset + 1 + length as usize).min(replies.len())
}
