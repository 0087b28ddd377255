//! The syntax of statements that an engine is to run, before any statement of their Query runs.
//!
//! Owns the question to an engine whether texts are SQL. Promises that nothing of them runs for it, and
//! the place of an error in the whole Query. Never judges anything but syntax.

use super::owning::Work;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{EngineFault, EngineLink};
use crate::sql::{Statement, locate_in_query};
use crate::wire::session::{Failure, Session};

/// What PostgreSQL runs first of a query string that it has parsed whole: it fails, so that nothing
/// behind it runs.
const STOP: &str = "SELECT 1/0";

/// What stands between statements: a comment at the end of a line ends there, too.
const BETWEEN: &str = "\n;";

impl Session {
    /// Looks through a Query, as PostgreSQL does before it runs the first statement: `parts` are its
    /// statements as they stand in `text`, `statements` what they are.
    ///
    /// # Errors
    /// 42601 for the first that is no SQL.
    pub(in crate::wire) async fn check_syntax(
        &mut self,
        text: &str,
        parts: &[&str],
        statements: &[Result<Statement, Box<Diagnostic>>],
    ) -> Result<(), Failure> {
        let is_syntax = |error: &Diagnostic| error.sqlstate == SqlState::SYNTAX_ERROR;
        let known = statements
            .iter()
            .position(|statement| statement.as_ref().is_err_and(|error| is_syntax(error)));
        let mut found = known.unwrap_or(statements.len());
        let mut first = known.and_then(|known| statements[known].as_ref().err().cloned());
        if statements.len() > 1 {
            let mut before = statements[..found].iter().zip(parts).enumerate();
            let of_rows = before.find_map(|(index, (statement, part))| {
                let Ok(Statement::Insert(insert)) = statement else {
                    return None;
                };
                if self.on_temporary(part).is_some() {
                    return None;
                }
                let error = insert.check_syntax().err()?;
                Some((index, locate_in_query(error, text, part)))
            });
            if let Some((index, error)) = of_rows {
                found = index;
                first = Some(error);
            }
        }
        let cold: Vec<(usize, &str)> = statements[..found]
            .iter()
            .zip(parts)
            .enumerate()
            .filter(|(_, (statement, part))| {
                matches!(statement, Ok(Statement::Cold(_))) || self.on_temporary(part).is_some()
            })
            .map(|(index, (_, part))| (index, *part))
            .collect();
        // The first statement says by itself what is wrong with it, when nothing has run; unless what
        // is wrong with a later one were told instead.
        let is_in_question = match first {
            Some(_) => !cold.is_empty(),
            None => cold.iter().any(|(index, _)| *index > 0),
        };
        let texts: Vec<&str> = cold.into_iter().map(|(_, part)| part).collect();
        // Boxed: a connection that asks nothing of the kind has no room for it.
        if self.has_engines()
            && is_in_question
            && let Some((part, error)) = Box::pin(self.first_that_is_no_sql(&texts)).await?
        {
            return Err(locate_in_query(error, text, part).into());
        }
        first.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Has an engine parse texts, and nothing more. The first that is no SQL comes back with what is
    /// wrong there.
    async fn first_that_is_no_sql<'a>(
        &mut self,
        texts: &[&'a str],
    ) -> Result<Option<(&'a str, Box<Diagnostic>)>, Failure> {
        let mut sql = STOP.to_owned();
        // Where each begins, in characters.
        let mut begins = Vec::with_capacity(texts.len());
        let mut characters = STOP.chars().count();
        for text in texts {
            sql.push_str(BETWEEN);
            sql.push_str(text);
            characters += BETWEEN.chars().count();
            begins.push(characters);
            characters += text.chars().count();
        }
        let refusal = self.parsed_by_engine(&sql).await?;
        let Some(mut error) = refusal else {
            return Ok(None);
        };
        let at = error.position.map_or(0, |position| position as usize);
        // PostgreSQL counts from 1. Where it says no place, it is the end of the last.
        let index = begins
            .partition_point(|begin| *begin < at)
            .saturating_sub(1);
        error.position = error.position.map(|_| {
            let within = at.saturating_sub(begins[index]).max(1);
            u32::try_from(within).unwrap_or(u32::MAX)
        });
        Ok(Some((texts[index], error)))
    }

    async fn parsed_by_engine(&mut self, sql: &str) -> Result<Option<Box<Diagnostic>>, Failure> {
        if self.owned.is_none() {
            return self
                .with_lent(async move |session, link| {
                    link.run("BEGIN").await?;
                    session.apply_settings_for_transaction(link).await?;
                    parsed(link, sql).await
                })
                .await;
        }
        self.with_owned(Work::OfClient, async move |session, engine| {
            let is_in_transaction = engine.is_in_transaction();
            if is_in_transaction {
                engine.begin_statement().await?;
            }
            session.apply_settings(engine).await?;
            let error = parsed(engine.link()?, sql).await?;
            engine.undo_statement().await?;
            Ok(error)
        })
        .await
    }
}

/// What is wrong with a query string that begins with [`STOP`]; `None`: nothing.
async fn parsed(link: &mut EngineLink, sql: &str) -> Result<Option<Box<Diagnostic>>, EngineFault> {
    match link.run(sql).await {
        Ok(_) => Err(EngineFault::Broken(
            "it ran what it was only to parse".to_owned(),
        )),
        Err(EngineFault::Refused(error)) if error.sqlstate == SqlState::DIVISION_BY_ZERO => {
            Ok(None)
        }
        Err(EngineFault::Refused(error)) => Ok(Some(error)),
        Err(fault) => Err(fault),
    }
}
