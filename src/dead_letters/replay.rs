//! Replaying letters: their rows are written again, as new writes.
//!
//! Owns the way of a letter back into the pipeline. Promises that a letter counts as replayed
//! only after CDF has accepted its row, that a letter is not replayed twice at once, and that
//! rows of one key go in the order of their letters. A gateway that dies between CDF's answer
//! and the note of it replays the row once more, if it is told to.

use super::changes::ReplayEnd;
use super::filter::LetterFilter;
use super::key::key_of;
use super::letter::{Letter, LetterReason, LetterSource, LetterState};
use super::rebuild::{rebuild, table_of};
use super::written_since::{Candidate, written_since};
use super::{DeadLetterStore, StoreError};
use crate::catalog::Table;
use crate::cdf::{CdfClient, Identity, IdentityOfUser};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::journal::WritePath;
use crate::pipeline::{ConnectionBudget, MemoryBudget, Outcome, Submission, Ticket};
use crate::rows::RowBatch;
use crate::telemetry::{DeadLetterMeters, ReplayOutcome};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Letters under way at once.
const WINDOW_LETTERS: usize = 500;

/// Letters of one call; the caller goes on behind the last one.
const CALL_LETTERS: usize = 5_000;

/// For fair shares and logs: clients count their connections from 1.
const CONNECTION: u64 = 0;

/// What became of one letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum LetterReplay {
    /// CDF has the row.
    Accepted,
    /// CDF, a rule of the table or the configuration refused it.
    Refused(LetterReason),
    /// Nobody knows whether CDF has the row.
    Unknown(LetterReason),
    /// Not sent: the key was written since, or may have been. `force` sends it all the same.
    HeldBack { why: String },
    /// Another replay of it is under way.
    UnderWay,
}

/// What a replay did, letter by letter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayReport {
    pub letters: Vec<ReplayedLetter>,
    /// Where to go on: there may be more behind this id.
    pub next: Option<i64>,
}

/// One letter of a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedLetter {
    pub id: i64,
    #[serde(flatten)]
    pub end: LetterReplay,
}

/// Sends letters again.
pub struct Replayer {
    store: DeadLetterStore,
    path: Arc<WritePath>,
    budget: ConnectionBudget,
    client: CdfClient,
    /// Whose credentials a user's rows are sent with now.
    identities: IdentityOfUser,
    under_way: Mutex<HashSet<i64>>,
    meters: DeadLetterMeters,
}

/// A letter that was handed to the pipeline.
struct Sent {
    id: i64,
    ticket: Ticket,
}

impl Replayer {
    /// A replayer for the users of a gateway, by name. `client` must be made on the runtime that
    /// replays.
    pub fn new(
        store: DeadLetterStore,
        path: Arc<WritePath>,
        budget: &MemoryBudget,
        client: CdfClient,
        identities: IdentityOfUser,
    ) -> Self {
        Replayer {
            store,
            path,
            budget: budget.connection(),
            client,
            identities,
            under_way: Mutex::default(),
            meters: DeadLetterMeters::new(),
        }
    }

    /// Replays the letters that `filter` means and that have an id above `after`, but not those
    /// that were replayed already. `force`: also where the key was written since.
    ///
    /// # Errors
    /// The store cannot be read or written. Rows may have been written then: their letters are
    /// still open.
    pub async fn replay(
        &self,
        filter: &LetterFilter,
        after: i64,
        force: bool,
    ) -> Result<ReplayReport, StoreError> {
        let mut report = ReplayReport::default();
        let mut after = after;
        while report.letters.len() < CALL_LETTERS {
            let letters = self
                .store
                .page(filter.clone(), after, WINDOW_LETTERS)
                .await?;
            let Some(last) = letters.last() else {
                report.next = None;
                return Ok(report);
            };
            after = last.id;
            report.next = Some(after);
            let letters: Vec<Letter> = letters
                .into_iter()
                .filter(|letter| letter.state != LetterState::Replayed)
                .collect();
            let claims = Claims::take(&self.under_way, &letters);
            let ends = self.replay_window(&letters, &claims, force).await;
            self.note(&ends).await?;
            report.letters.extend(ends);
        }
        Ok(report)
    }

    async fn replay_window(
        &self,
        letters: &[Letter],
        claims: &Claims<'_>,
        force: bool,
    ) -> Vec<ReplayedLetter> {
        let mut ends = Vec::with_capacity(letters.len());
        let mut ready: Vec<(&Letter, Arc<Identity>, &'static Table, RowBatch)> = Vec::new();
        for letter in letters {
            let id = letter.id;
            if !claims.ids.contains(&id) {
                let end = LetterReplay::UnderWay;
                ends.push(ReplayedLetter { id, end });
                continue;
            }
            let row = self
                .identity(letter)
                .and_then(|identity| Ok((identity, rebuild(letter)?)));
            match row {
                Ok((identity, (table, batch))) => ready.push((letter, identity, table, batch)),
                Err(refusal) => {
                    let end = LetterReplay::Refused(LetterReason::from(&*refusal));
                    ends.push(ReplayedLetter { id, end });
                }
            }
        }
        if !force {
            let held_back = self.held_back(&ready).await;
            ready.retain(|(letter, ..)| !held_back.contains_key(&letter.id));
            ends.extend(held_back.into_iter().map(|(id, why)| ReplayedLetter {
                id,
                end: LetterReplay::HeldBack { why },
            }));
        }
        let mut sent = Vec::with_capacity(ready.len());
        let last = ready.len().saturating_sub(1);
        for (index, (letter, identity, table, batch)) in ready.into_iter().enumerate() {
            let ticket = Ticket::new();
            let submission = Submission {
                part: ticket.part(batch.rows() as u64, 1),
                permit: self.budget.acquire(batch.bytes()).await,
                identity: identity.clone(),
                batch,
                connection: CONNECTION,
                ticket_waits: index == last,
                sent_before: None,
            };
            self.path.submit(table.resource, submission);
            sent.push(Sent {
                id: letter.id,
                ticket,
            });
        }
        for Sent { id, ticket } in sent {
            let end = end_of(ticket.settled().await);
            ends.push(ReplayedLetter { id, end });
        }
        ends.sort_by_key(|end| end.id);
        ends
    }

    /// As whom the row of a letter is written.
    ///
    /// # Errors
    /// 28000 when the user is gone or writes elsewhere now.
    fn identity(&self, letter: &Letter) -> Result<Arc<Identity>, Box<Diagnostic>> {
        let refuse = |message: String| {
            Box::new(
                Diagnostic::error(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message)
                    .with_hint("Replay the letter under the configuration that it was made under."),
            )
        };
        let user = &letter.user;
        let identity = (self.identities)(user)
            .ok_or_else(|| refuse(format!("there is no user \"{user}\" any more")))?;
        let project = &identity.project;
        if project.name != letter.project || project.base_url != letter.base_url {
            return Err(refuse(format!(
                "the user \"{user}\" writes to the project {} at {} now, and the letter is of {} \
                 at {}",
                project.name, project.base_url, letter.project, letter.base_url
            )));
        }
        Ok(identity)
    }

    /// Letters whose keys were written since, and why that is thought.
    async fn held_back(
        &self,
        ready: &[(&Letter, Arc<Identity>, &'static Table, RowBatch)],
    ) -> HashMap<i64, String> {
        let mut held_back = HashMap::new();
        let mut rest: Vec<usize> = (0..ready.len()).collect();
        while let Some(first) = rest.first() {
            let identity = ready[*first].1.clone();
            let (of_identity, others): (Vec<usize>, Vec<usize>) =
                rest.iter().partition(|index| ready[**index].1 == identity);
            let candidates: Vec<Candidate<'_>> = of_identity
                .iter()
                .map(|index| Candidate {
                    letter: ready[*index].0,
                    batch: &ready[*index].3,
                })
                .collect();
            let reasons = written_since(&self.client, &identity, &candidates).await;
            for (candidate, why) in candidates.iter().zip(reasons) {
                if let Some(why) = why.or_else(|| would_be_doubled(candidate.letter)) {
                    held_back.insert(candidate.letter.id, why);
                }
            }
            rest = others;
        }
        held_back
    }

    async fn note(&self, letters: &[ReplayedLetter]) -> Result<(), StoreError> {
        let mut ends = Vec::new();
        for ReplayedLetter { id, end } in letters {
            match end {
                LetterReplay::Accepted => {
                    self.meters.replayed.add(ReplayOutcome::Accepted, 1);
                    ends.push((*id, ReplayEnd::Accepted));
                }
                LetterReplay::Refused(reason) => {
                    self.meters.replayed.add(ReplayOutcome::Refused, 1);
                    ends.push((*id, ReplayEnd::Refused(reason.clone())));
                }
                LetterReplay::Unknown(reason) => {
                    self.meters.replayed.add(ReplayOutcome::Unknown, 1);
                    ends.push((*id, ReplayEnd::Refused(reason.clone())));
                }
                LetterReplay::HeldBack { .. } | LetterReplay::UnderWay => {}
            }
        }
        if ends.is_empty() {
            return Ok(());
        }
        self.store.note_replays(ends).await
    }
}

/// Why a row that CDF may have must not be replayed unasked: without a key CDF cannot tell that
/// it is the same one.
fn would_be_doubled(letter: &Letter) -> Option<String> {
    let is_unknown = letter.source == LetterSource::UnknownOutcome
        || letter.reason.sqlstate == SqlState::STATEMENT_COMPLETION_UNKNOWN.code();
    let table = table_of(letter).ok()?;
    let has_key = key_of(table, &letter.columns, &letter.values).is_some();
    (is_unknown && !has_key).then(|| {
        "CDF may have the row already, and without a key a replay would make it twice".to_owned()
    })
}

fn end_of(outcome: Outcome) -> LetterReplay {
    let reason = match &outcome.first_error {
        Some((_, diagnostic)) => LetterReason::from(diagnostic),
        None => LetterReason {
            sqlstate: SqlState::INTERNAL_ERROR.code().to_owned(),
            message: "the row was not accepted, and no reason is known".to_owned(),
            ..LetterReason::default()
        },
    };
    // What was to be changed and is not there any more needs no change.
    if outcome.accepted + outcome.skipped > 0 {
        LetterReplay::Accepted
    } else if outcome.unknown > 0 {
        LetterReplay::Unknown(reason)
    } else {
        LetterReplay::Refused(reason)
    }
}

/// Letters that this replay alone may send; given back when it ends, however it ends.
struct Claims<'a> {
    under_way: &'a Mutex<HashSet<i64>>,
    ids: HashSet<i64>,
}

impl<'a> Claims<'a> {
    fn take(under_way: &'a Mutex<HashSet<i64>>, letters: &[Letter]) -> Self {
        let mut all = locked(under_way);
        let ids = letters
            .iter()
            .map(|letter| letter.id)
            .filter(|id| all.insert(*id))
            .collect();
        drop(all);
        Claims { under_way, ids }
    }
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        let mut all = locked(self.under_way);
        for id in &self.ids {
            all.remove(id);
        }
    }
}

fn locked(ids: &Mutex<HashSet<i64>>) -> MutexGuard<'_, HashSet<i64>> {
    // A set of ids stays right even if a holder panicked.
    ids.lock().unwrap_or_else(PoisonError::into_inner)
}
