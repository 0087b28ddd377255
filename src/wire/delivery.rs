//! Sending a group's rows and waiting for their verdicts.
//!
//! Owns the way of a batch from a connection into the pipeline: permit, ticket part,
//! submission. Promises statement order across resources (rows of another resource wait until
//! the earlier ones have their verdicts) and that a cancel breaks off every wait. Never sends
//! a batch without a memory permit.

use super::destination::Destination;
use super::group::Group;
use super::numbering::Origin;
use super::signals::Signals;
use super::staged::Staged;
use crate::catalog;
use crate::cdf::Identity;
use crate::config::AckMode;
use crate::diagnostic::Diagnostic;
use crate::pipeline::{ConnectionBudget, Outcome, Submission};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long a cancelled statement waits for the requests that are under way, so that it can
/// tell what was written. Npgsql gives a connection up two seconds after its cancel.
const CANCEL_WAIT: Duration = Duration::from_secs(1);

/// Why sending stopped before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// A row has failed: there is no use in sending more.
    Failed,
    /// The client cancelled.
    Cancelled,
}

/// What became of a group.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    /// Not sent to CDF.
    pub(super) unsent: u64,
    /// Sent, without an answer.
    pub(super) unknown: u64,
    /// Refused, and their statements go on without them.
    pub(super) ignored: u64,
    /// Nothing was to be done for them.
    pub(super) skipped: u64,
    /// Some count as accepted when they are in the journal.
    pub(super) journaled: bool,
    /// Nothing holds the answer back any more.
    pub(super) is_settled: bool,
    /// The first row without success, in the order of the statements.
    pub(super) first_error: Option<FirstError>,
    /// The error that made the others fail; usually the same.
    pub(super) cause: Option<FirstError>,
}

/// A row that failed.
#[derive(Clone, Debug)]
pub(super) struct FirstError {
    pub(super) origin: Origin,
    pub(super) diagnostic: Diagnostic,
}

/// What a connection needs to send rows.
pub(super) struct Delivery {
    pub(super) destination: Arc<dyn Destination>,
    pub(super) budget: ConnectionBudget,
    pub(super) identity: Arc<Identity>,
    /// The gateway's user.
    pub(super) user: Arc<str>,
    /// The connection's number, for fair shares and logs.
    pub(super) connection: u64,
    pub(super) signals: Rc<Signals>,
}

impl Delivery {
    /// Sends every staged batch. `is_last`: the group gets no more rows, so nothing need
    /// linger.
    pub(super) async fn send(&self, group: &mut Group, is_last: bool) -> Result<(), Halt> {
        while let Some((index, bytes)) = group.next_staged() {
            // Whichever names the client wrote by: what is kept must be found again by today's.
            let table = catalog::today(group.runs[index].table);
            let ack = group.runs[index].ack;
            let resource = table.resource;
            let waits = match group.under_way {
                // The journal keeps their order.
                Some((_, AckMode::Journaled)) if ack == AckMode::Journaled => false,
                Some(under_way) => under_way != (resource, ack),
                None => false,
            };
            if waits {
                self.settle_so_far(group).await?;
            }
            // Those before it were looked at with their own batches, and are again at the end.
            let ticket = &group.numberings[group.runs[index].numbering].ticket;
            if ticket.has_failed() {
                return Err(Halt::Failed);
            }
            // Room before memory: who waits for the journal must not keep others from sending.
            let room = match self.destination.journal() {
                Some(journal) if ack == AckMode::Journaled => {
                    let rows = group.runs[index].batches.front().map_or(0, Staged::rows);
                    let admitted = tokio::select! {
                        biased;
                        () = self.signals.interrupted() => return Err(Halt::Cancelled),
                        admitted = journal.admit(bytes, rows) => admitted,
                    };
                    Some((journal, admitted))
                }
                _ => None,
            };
            let permit = tokio::select! {
                biased;
                () = self.signals.interrupted() => return Err(Halt::Cancelled),
                permit = self.budget.acquire(bytes) => permit,
            };
            let Some(staged) = group.unstage(index) else {
                break;
            };
            let (rows, first_row) = (staged.rows() as u64, staged.first_row_number());
            let batch = match staged {
                Staged::InMemory(batch) => Ok(*batch),
                Staged::OnDisk(place) => group.read_back(place, table).await,
            };
            let ticket = &group.numberings[group.runs[index].numbering].ticket;
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    ticket.part(rows, first_row).fail(rows, first_row, &error);
                    return Err(Halt::Failed);
                }
            };
            let submission = Submission {
                identity: self.identity.clone(),
                part: ticket.part(rows, first_row),
                batch,
                permit,
                connection: self.connection,
                ticket_waits: is_last && group.has_sent_all(),
                sent_before: None,
            };
            group.is_hurried = submission.ticket_waits;
            group.under_way = Some((resource, ack));
            match room {
                None => self.destination.submit(resource, submission),
                Some((journal, Ok(room))) => {
                    journal.append(submission, table, self.user.clone(), room);
                }
                Some((_, Err(refusal))) => {
                    submission.part.fail(rows, first_row, &refusal);
                }
            }
        }
        Ok(())
    }

    /// Waits until every row that was sent has its verdict. After a cancel, rows that are not
    /// under way are dropped and the wait is bounded; the second value says so.
    pub(super) async fn settle(&self, group: &mut Group, halt: Option<Halt>) -> (Verdicts, bool) {
        let cause = match halt {
            Some(Halt::Failed) => {
                let cause = verdicts(group).first_error;
                self.abort(group);
                cause
            }
            _ => None,
        };
        if !group.is_hurried {
            self.hurry(group);
        }
        let is_cancelled = halt == Some(Halt::Cancelled)
            || tokio::select! {
                biased;
                () = all_settled(group) => false,
                () = self.signals.interrupted() => true,
            };
        if is_cancelled {
            self.break_off(group).await;
        }
        let mut verdicts = verdicts(group);
        // Rows may have their verdicts while something else still holds the answer back: after a
        // cancel that is no success.
        verdicts.is_settled = group
            .numberings
            .iter()
            .all(|numbering| numbering.ticket.is_settled());
        verdicts.cause = cause.or_else(|| verdicts.first_error.clone());
        (verdicts, is_cancelled)
    }

    /// Drops what is not under way and waits, within bounds, for what is.
    pub(super) async fn break_off(&self, group: &Group) {
        self.abort(group);
        self.hurry(group);
        // Rows without a verdict after that time are counted as unknown.
        let _ = tokio::time::timeout(CANCEL_WAIT, all_settled(group)).await;
    }

    /// Waits for the verdicts of all that was sent.
    async fn settle_so_far(&self, group: &mut Group) -> Result<(), Halt> {
        self.hurry(group);
        for numbering in &group.numberings[group.settled..] {
            let outcome = tokio::select! {
                biased;
                () = self.signals.interrupted() => return Err(Halt::Cancelled),
                outcome = numbering.ticket.settled() => outcome,
            };
            if outcome.first_error.is_some() {
                return Err(Halt::Failed);
            }
            if numbering.rows_sent < numbering.rows {
                // This one, and those after it, have more to send.
                break;
            }
            group.settled += 1;
        }
        Ok(())
    }

    /// Drops what is not under way.
    fn abort(&self, group: &Group) {
        group.abort();
        if let Some((resource, _)) = group.under_way {
            self.destination.cancelled(&self.identity, resource);
        }
    }

    fn hurry(&self, group: &Group) {
        if let Some((resource, AckMode::Delivered)) = group.under_way {
            self.destination
                .ticket_waits(&self.identity, resource, self.connection);
        }
    }
}

async fn all_settled(group: &Group) {
    for numbering in &group.numberings[group.settled..] {
        numbering.ticket.settled().await;
    }
}

/// Adds up what is known of every row.
pub(super) fn verdicts(group: &Group) -> Verdicts {
    let mut verdicts = Verdicts {
        journaled: group.is_journaled(),
        ..Verdicts::default()
    };
    for numbering in &group.numberings {
        let Outcome {
            accepted,
            rejected,
            failed,
            unknown,
            ignored,
            skipped,
            first_error,
        } = numbering.ticket.so_far();
        verdicts.accepted += accepted;
        verdicts.rejected += rejected;
        verdicts.unsent += failed + numbering.rows.saturating_sub(numbering.rows_sent);
        // Rows that were sent and have no verdict: the wait for it was broken off.
        verdicts.ignored += ignored;
        verdicts.skipped += skipped;
        let told = accepted + rejected + failed + unknown + ignored + skipped;
        verdicts.unknown += unknown + numbering.rows_sent.saturating_sub(told);
        if verdicts.first_error.is_none()
            && let Some((row_number, diagnostic)) = first_error
        {
            verdicts.first_error = Some(FirstError {
                origin: numbering.locate(row_number),
                diagnostic,
            });
        }
    }
    verdicts
}
