//! Changes that a PostgreSQL plans: UPDATE, DELETE and MERGE by any condition, INSERT of a query, and
//! such parts of other statements.
//!
//! Owns the way of such a statement from the engine's log into the rows that wait for delivery.
//! Promises that the statement runs unchanged, that all of its rows are known and sound before one is
//! sent, and that its answer waits for them as that of any other write. Never sends a row itself.

use super::awaited_answer::AwaitedAnswer;
use super::change_plan::ChangePlan;
use super::cold::{Kept, Wanted};
use super::completion::{Completion, Counted};
use super::execute::kind_of_cold;
use super::replay::Replayed;
use super::reply::put_complete;
use super::returned::ResultTarget;
use super::session::{Failure, Session};
use super::stamped_rows::Stamps;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{EngineFault, EngineLink, Question, identifier};
use crate::sql::{ColdStatement, PlannedInsert};
use crate::telemetry::StatementOutcome;
use std::time::Instant;

/// A statement that has run, whose rows wait now.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) answer: AwaitedAnswer,
    pub(super) tag: String,
    pub(super) replayed: Replayed,
    /// Whether its tag counts what became of its own rows.
    pub(super) counts_rows: bool,
}

impl Session {
    /// Gives tables that have no key, because one of two names suffices, the keys that ON CONFLICT may
    /// name, if the statement has one.
    pub(super) async fn prepare_conflicts(
        &mut self,
        link: &mut EngineLink,
        text: &str,
    ) -> Result<(), EngineFault> {
        let insert = PlannedInsert::of(text, &self.namespace);
        let Some(insert) = insert.filter(|insert| insert.has_conflict_clause) else {
            return Ok(());
        };
        let table = insert.table();
        let mut sql = String::new();
        for (number, key) in table.keys_by_name().iter().enumerate() {
            let columns: Vec<String> = key
                .iter()
                .map(|column| identifier(table.columns[*column].name))
                .collect();
            sql.push_str(&format!(
                "CREATE UNIQUE INDEX IF NOT EXISTS penstock_key_{}_{number} ON {}.{} ({});",
                table.oid,
                identifier(table.schema),
                identifier(table.name),
                columns.join(", ")
            ));
        }
        if !sql.is_empty() {
            link.run(&sql).await?;
        }
        Ok(())
    }

    /// Runs a statement that changes rows and takes the changes from the engine. `readable`: the
    /// tables that were filled.
    ///
    /// # Errors
    /// The statement's own; those of its rows, as if they came by INSERT, UPDATE or DELETE; 53400
    /// past the bounds. Nothing was sent.
    pub(super) async fn change_by_plan(
        &mut self,
        link: &mut EngineLink,
        question: &Question<'_>,
        plan: &ChangePlan,
        readable: &[String],
        wanted: Wanted<'_>,
    ) -> Result<Changed, EngineFault> {
        let returns_made = plan
            .returns_what_cdf_makes()
            .map_err(EngineFault::Refused)?;
        let stamped = plan.stamped();
        if (returns_made || stamped.is_some()) && wanted.keeps {
            return Err(EngineFault::Refused(in_parts()));
        }
        if let Some((table, column, _)) = &stamped {
            self.check_answer_waits(table, column.name)
                .map_err(EngineFault::Refused)?;
        }
        let sql = plan.begin(link.powers(), readable);
        link.run(&sql).await?;
        question.ask(link, wanted.describes && !returns_made)?;
        link.send().await?;
        let (mut answer, tag) = AwaitedAnswer::gather(self, link, wanted).await?;
        if returns_made {
            answer = AwaitedAnswer::default();
        }
        link.run_as_owner().await?;
        let target = returns_made.then(|| ResultTarget {
            formats: wanted.formats.clone(),
            describes: wanted.describes,
        });
        let mut replayed = self.replay(link, plan, question.bindings, target).await?;
        // The rows of EXPLAIN are no rows of the table.
        if let Some((_, column, places)) = stamped.filter(|_| tag.starts_with("UPDATE")) {
            answer.stamps = Some(Stamps {
                places,
                column,
                formats: wanted.formats.clone(),
                zone: self.settings.time_zone().clone(),
                sent: std::mem::take(&mut replayed.sent),
            });
        }
        let counts_rows = matches!(plan.parts.as_slice(), [(change, _)] if change.is_outermost);
        Ok(Changed {
            answer,
            tag,
            replayed,
            counts_rows,
        })
    }

    /// Answers a statement whose changes wait: as any statement whose rows are gathered. Rows that
    /// are kept for later fetches come back with the tag.
    ///
    /// # Errors
    /// Those of CDF, where the answer cannot wait.
    pub(super) async fn changes_are_gathered(
        &mut self,
        cold: &ColdStatement,
        changed: Changed,
        wanted: Wanted<'_>,
        started: Instant,
    ) -> Result<Option<Kept>, Failure> {
        let kind = kind_of_cold(cold.kind);
        let Changed {
            answer,
            tag,
            replayed,
            counts_rows,
        } = changed;
        let keeps = wanted.keeps && answer.has_rows();
        let Some(batch) = replayed.batch else {
            // Nothing is to be sent.
            let outcome = StatementOutcome::Succeeded;
            self.gateway
                .statements
                .ended(kind, outcome, started.elapsed());
            if keeps {
                return Ok(Some((answer.into_rows(), tag)));
            }
            answer.put(&mut self.replies, &[]);
            put_complete(&mut self.replies, tag);
            return Ok(None);
        };
        if keeps {
            self.open_batch = Some(batch);
            match self.transaction.stages() {
                true => self.hold().await?,
                // Rows leave before the end of the pipeline: they must be true by then.
                false => self.settle().await?,
            }
            let outcome = StatementOutcome::Succeeded;
            self.gateway
                .statements
                .ended(kind, outcome, started.elapsed());
            return Ok(Some((answer.into_rows(), tag)));
        }
        let (word, count) = words_of(&tag);
        let completion = Completion {
            tag: word,
            rows: count.unwrap_or(0),
            counted: match (count, counts_rows) {
                (None, _) => Counted::Nothing,
                (Some(_), true) => Counted::Rows,
                (Some(_), false) => Counted::AsSaid,
            },
            returned: replayed.returned,
            relayed: (!answer.is_empty()).then(|| Box::new(answer)),
            parts: replayed.parts,
        };
        self.rows_are_gathered(batch, kind, started, completion)
            .await?;
        Ok(None)
    }
}

/// The words of a tag, and its count.
fn words_of(tag: &str) -> (&'static str, Option<u64>) {
    let (words, count) = match tag.rsplit_once(' ') {
        Some((words, count)) => match count.parse() {
            Ok(count) => (words, Some(count)),
            Err(_) => (tag, None),
        },
        None => (tag, None),
    };
    let known = [
        "INSERT 0", "UPDATE", "DELETE", "MERGE", "SELECT", "COPY", "EXPLAIN",
    ];
    let word = known.into_iter().find(|known| *known == words);
    (word.unwrap_or("SELECT"), count)
}

/// 0A000: what CDF makes is not kept for later fetches.
fn in_parts() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            "columns that CDF fills cannot be fetched in parts",
        )
        .with_hint("Execute without a limit on rows."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_words_and_a_count() {
        assert_eq!(words_of("INSERT 0 12"), ("INSERT 0", Some(12)));
        assert_eq!(words_of("MERGE 3"), ("MERGE", Some(3)));
        assert_eq!(words_of("EXPLAIN"), ("EXPLAIN", None));
    }
}
