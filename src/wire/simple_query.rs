//! The simple query protocol: a string of statements, answered one after the other.
//!
//! Owns the implicit transaction of a Query: its rows are delivered at its end, and an error
//! before anything was sent discards all. Promises one ReadyForQuery. Never runs a statement
//! after one that failed.

use super::cold::Wanted;
use super::execute::{kind_of, tag_of};
use super::group::Group;
use super::reply::{put, put_complete};
use super::result::{ResultFormats, put_description, put_row};
use super::returned::ResultTarget;
use super::session::{Failure, Protocol, Session};
use super::transaction::Transaction;
use crate::diagnostic::Diagnostic;
use crate::sql::{Bindings, Query, Statement, classify, locate_in_query, split_statements};
use bytes::Bytes;
use pgwire::messages::response::EmptyQueryResponse;
use std::time::Instant;

/// How far a Query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueryProgress {
    /// No Query runs.
    None,
    /// More statements follow, and may fail: rows gather, as long as there is room for them.
    MoreFollow,
    /// The last statement runs: rows may go.
    Last,
}

impl Session {
    /// Answers a Query.
    pub(super) async fn query(&mut self, text: Bytes) -> Result<(), super::ending::Ending> {
        self.begin_statement();
        // Rows of a pipeline that was not synced come first.
        if let Err(failure) = self.settle().await {
            return self.handle(failure, Protocol::Extended).await;
        }
        // A Query takes the place of what has no name.
        self.statements.remove(&b""[..]);
        self.portals.remove(&b""[..]);
        let mut result = self.query_string(&text).await;
        self.query_progress = QueryProgress::None;
        if result.is_ok() {
            result = self.settle().await;
        }
        if result.is_ok() {
            result = self.end_implicit_in_engine(true).await;
        }
        if let Err(failure) = result {
            self.handle(failure, Protocol::Simple).await?;
        }
        self.ready().await
    }

    async fn query_string(&mut self, text: &[u8]) -> Result<(), Failure> {
        let text = self.encoding.decode(text)?;
        let parts = split_statements(&text);
        if parts.is_empty() {
            put(&mut self.replies, &EmptyQueryResponse::new());
            return Ok(());
        }
        let statements: Vec<_> = parts
            .iter()
            .map(|part| {
                classify(part, &self.namespace).map_err(|error| locate_in_query(error, &text, part))
            })
            .collect();
        // PostgreSQL parses the whole string before it runs the first statement.
        self.check_syntax(&text, &parts, &statements).await?;
        let last = parts.len() - 1;
        for (index, (statement, part)) in statements.into_iter().zip(&parts).enumerate() {
            self.query_progress = match index == last {
                true => QueryProgress::Last,
                false => QueryProgress::MoreFollow,
            };
            self.statement_of_query(statement, &text, part).await?;
        }
        Ok(())
    }

    async fn statement_of_query(
        &mut self,
        statement: Result<Statement, Box<Diagnostic>>,
        text: &str,
        part: &str,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let statement = match self.on_temporary(part).map_or(statement, Ok) {
            Ok(statement) => statement,
            Err(error) => {
                // A failed transaction says so before it looks at names.
                self.check_transaction(&Statement::Session(
                    crate::sql::SessionCommand::SetConstraints,
                ))?;
                return Err(error.into());
            }
        };
        let statement = match &statement {
            Statement::Insert(insert) if self.has_engines() => {
                insert.planned().unwrap_or(statement)
            }
            _ => statement,
        };
        self.check_transaction(&statement)?;
        let kind = kind_of(&statement);
        let is_alone = matches!(self.transaction, Transaction::Idle)
            && self.implicit.is_empty()
            && self.open_batch.is_none();
        self.begin_wait();
        let result = match statement.check_database(&self.database) {
            Err(error) => Err(error.into()),
            Ok(()) => match &statement {
                Statement::Query(query) => self.rows_of_query(query).await,
                statement => {
                    let bytes = part.len() as u64;
                    let target = || ResultTarget {
                        describes: true,
                        ..ResultTarget::default()
                    };
                    let bindings = Bindings::none();
                    let done = self
                        .run_command(statement, &bindings, bytes, target())
                        .await;
                    match self.planned_after(statement, &done, is_alone) {
                        Some(planned) => {
                            let again = self.run_command(&planned, &bindings, bytes, target());
                            Box::pin(again).await
                        }
                        None => done,
                    }
                }
            },
        };
        self.count_ended(kind, started, &result);
        result.map_err(|failure| match failure {
            Failure::Statement(error) => Failure::Statement(locate_in_query(error, text, part)),
            failure => failure,
        })
    }

    /// An INSERT that failed for a row which only a PostgreSQL works out begins again there, if
    /// nothing of it has left and nothing was before it in its transaction.
    fn planned_after(
        &mut self,
        statement: &Statement,
        done: &Result<(), Failure>,
        is_alone: bool,
    ) -> Option<Statement> {
        let (Statement::Insert(insert), Err(Failure::Statement(failure))) = (statement, done)
        else {
            return None;
        };
        if !is_alone || !self.has_engines() || self.implicit.has_sent_some() {
            return None;
        }
        let planned = insert.planned_after(failure)?;
        self.implicit = Group::default();
        Some(planned)
    }

    /// Answers a query with its description and all its rows, as text.
    async fn rows_of_query(&mut self, query: &Query) -> Result<(), Failure> {
        let formats = ResultFormats::default();
        let Some(answer) = self.own_answer(query, &Bindings::none())? else {
            let wanted = Wanted {
                formats: &formats,
                describes: true,
                keeps: false,
            };
            let cold = query.as_cold();
            Box::pin(self.run_cold(&cold, &Bindings::none(), wanted)).await?;
            return Ok(());
        };
        let columns = self.numbered(answer.columns);
        put_description(&mut self.replies, &columns, &formats);
        for row in &answer.rows {
            put_row(&mut self.replies, self.encoding, row, &formats);
        }
        put_complete(&mut self.replies, tag_of(answer.tag, answer.rows.len()));
        Ok(())
    }
}
