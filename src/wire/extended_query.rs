//! The extended query protocol: Parse, Bind, Describe, Execute, Close.
//!
//! Owns prepared statements and portals. Promises PostgreSQL's rules for their names and lives,
//! and that rows of many Executes gather into one batch. Never answers an Execute of an INSERT
//! before Sync, Flush or a full batch has brought its verdict.

use super::cold::{OpenPortal, Wanted};
use super::encoding::ClientEncoding;
use super::execute::{kind_of, tag_of};
use super::message::{BindMessage, ParseMessage, Target};
use super::relay::kept_bytes;
use super::reply::{put, put_complete};
use super::result::{ResultFormats, put_description, put_row};
use super::returned::ResultTarget;
use super::session::{Failure, Session};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::{
    Bindings, Cell, ColdStatement, ResultColumn, Statement, classify, locate_in_query,
    split_statements,
};
use bytes::Bytes;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    BindComplete, CloseComplete, ParseComplete, PortalSuspended,
};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// A prepared statement.
pub(super) struct Prepared {
    statement: Statement,
    /// As it came, in UTF-8.
    text: Box<str>,
    /// OIDs: as declared, or inferred.
    parameter_types: Arc<[u32]>,
    /// Of the result; `None` where there is none.
    columns: Option<Vec<ResultColumn>>,
}

/// A prepared statement with its parameters.
pub(super) struct Portal {
    prepared: Rc<Prepared>,
    bindings: Bindings,
    formats: ResultFormats,
    /// What the client sent for the parameters.
    received_bytes: u64,
    /// What rows take that were not fetched yet.
    kept_bytes: usize,
    progress: Progress,
}

impl Portal {
    /// What the portal keeps.
    fn bytes(&self) -> usize {
        let received_bytes = usize::try_from(self.received_bytes).unwrap_or(usize::MAX);
        received_bytes.saturating_add(self.kept_bytes)
    }
}

/// How far a portal was executed.
enum Progress {
    New,
    /// Rows that were not fetched yet, and the word of the tag.
    Rows(std::vec::IntoIter<Vec<Option<Cell>>>, &'static str),
    /// The same, of an engine: encoded already, and with its tag.
    Kept(VecDeque<Bytes>, String),
    /// The rest of its rows waits in the session's engine.
    Open(OpenPortal),
    /// A command has run.
    Done,
}

impl Session {
    pub(super) async fn parse(&mut self, parse: ParseMessage) -> Result<(), Failure> {
        if parse.name.is_empty() {
            self.statements.remove(&parse.name);
        } else if self.statements.get(&parse.name).is_some() {
            return Err(named_error(
                SqlState::DUPLICATE_PREPARED_STATEMENT,
                "prepared statement",
                &parse.name,
                "already exists",
            ));
        }
        let text = self.encoding.decode(&parse.query)?;
        let statement = match split_statements(&text).as_slice() {
            [] => Statement::Empty,
            [part] => match self.on_temporary(part) {
                Some(statement) => statement,
                None => classify(part, &self.namespace)
                    .map_err(|error| locate_in_query(error, &text, part))?,
            },
            _ => {
                return Err(Box::new(Diagnostic::error(
                    SqlState::SYNTAX_ERROR,
                    "cannot insert multiple commands into a prepared statement",
                ))
                .into());
            }
        };
        self.check_transaction(&statement)?;
        statement.check_database(&self.database)?;
        let declared = &parse.parameter_types;
        let statement = match statement {
            // The types that the client declares may be more than the session's own answer takes.
            Statement::Query(query)
                if self.has_engines()
                    && (self.is_for_engine(&query) || query.parameter_types(declared).is_err()) =>
            {
                Statement::Cold(query.as_cold())
            }
            Statement::Insert(insert) if self.has_engines() => {
                match insert.parameter_types(declared) {
                    Ok(_) => Statement::Insert(insert),
                    Err(unfit) => insert.planned_for(unfit)?,
                }
            }
            statement => statement,
        };
        let (parameter_types, columns) = match &statement {
            Statement::Insert(insert) => (insert.parameter_types(declared)?, None),
            Statement::Change(change) => (change.parameter_types(declared)?, None),
            Statement::Ranged(change) => (change.parameter_types(declared)?, None),
            Statement::Query(query) => {
                let columns = self.numbered(query.columns()?);
                (query.parameter_types(declared)?, Some(columns))
            }
            Statement::Cold(cold) if self.has_engines() => {
                let described = Box::pin(self.describe_cold(cold, declared)).await?;
                (described.parameter_types, described.columns)
            }
            Statement::Cold(cold) => return Err(cold.refusal().into()),
            _ => (declared.clone(), None),
        };
        let columns = columns.or_else(|| {
            let returning = statement.returning()?;
            Some(self.numbered(returning.described().to_vec()))
        });
        let prepared = Prepared {
            statement,
            text: text.into(),
            parameter_types: parameter_types.into(),
            columns,
        };
        self.statements
            .insert(parse.name, Rc::new(prepared), parse.query.len())?;
        put(&mut self.replies, &ParseComplete::new());
        Ok(())
    }

    pub(super) fn bind(&mut self, bind: BindMessage) -> Result<(), Failure> {
        let prepared = self.prepared(&bind.statement)?;
        self.check_transaction(&prepared.statement)?;
        if !bind.portal.is_empty() && self.portals.get(&bind.portal).is_some() {
            return Err(named_error(
                SqlState::DUPLICATE_CURSOR,
                "cursor",
                &bind.portal,
                "already exists",
            ));
        }
        let received_bytes = bind
            .values
            .iter()
            .flatten()
            .map(|value| value.len() as u64)
            .sum();
        let mut values = self.converted(bind.values, &bind.formats)?;
        if !bind.portal.is_empty() {
            // It may live long: it must not keep the buffer that its message came in.
            for value in values.iter_mut().flatten() {
                *value = Bytes::copy_from_slice(value);
            }
        }
        let bindings = Bindings::new(
            &String::from_utf8_lossy(&bind.statement),
            prepared.parameter_types.clone(),
            &bind.formats,
            values,
        )?;
        let columns = prepared.columns.as_ref().map_or(0, Vec::len);
        let formats = ResultFormats::of(bind.result_formats, columns)?;
        let portal = Portal {
            prepared,
            bindings,
            formats,
            received_bytes,
            kept_bytes: 0,
            progress: Progress::New,
        };
        let bytes = portal.bytes();
        self.portals.insert(bind.portal, portal, bytes)?;
        put(&mut self.replies, &BindComplete::new());
        Ok(())
    }

    /// Text values in UTF-8.
    fn converted(
        &self,
        mut values: Vec<Option<Bytes>>,
        formats: &[i16],
    ) -> Result<Vec<Option<Bytes>>, Box<Diagnostic>> {
        if self.encoding == ClientEncoding::Utf8 {
            // The row builders check it, value by value.
            return Ok(values);
        }
        for (index, value) in values.iter_mut().enumerate() {
            let format = formats.get(if formats.len() == 1 { 0 } else { index });
            if format == Some(&1) {
                continue;
            }
            if let Some(bytes) = value
                && let Cow::Owned(text) = self.encoding.decode(bytes)?
            {
                *bytes = text.into();
            }
        }
        Ok(values)
    }

    pub(super) async fn describe(&mut self, target: &Target) -> Result<(), Failure> {
        if let Target::Portal(name) = target
            && self.owned.is_some()
            && self.portals.get(name).is_none()
            && Box::pin(self.describe_cursor(name)).await?
        {
            return Ok(());
        }
        let (prepared, formats) = match target {
            Target::Statement(name) => (self.prepared(name)?, ResultFormats::default()),
            Target::Portal(name) => {
                let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
                (portal.prepared.clone(), portal.formats.clone())
            }
        };
        self.check_transaction(&prepared.statement)?;
        if matches!(target, Target::Statement(_)) {
            let types = prepared.parameter_types.to_vec();
            put(&mut self.replies, &ParameterDescription::new(types));
        }
        match &prepared.columns {
            Some(columns) => put_description(&mut self.replies, columns, &formats),
            None => put(&mut self.replies, &NoData::new()),
        }
        Ok(())
    }

    pub(super) async fn execute_portal(
        &mut self,
        name: Bytes,
        rows_max: u32,
    ) -> Result<(), Failure> {
        let mut portal = self.portals.remove(&name).ok_or_else(|| no_portal(&name))?;
        let prepared = portal.prepared.clone();
        self.check_transaction(&prepared.statement)?;
        self.begin_statement();
        let started = Instant::now();
        // A temporary table may have come since that hides what was named.
        let hidden = match &prepared.statement {
            Statement::Cold(_) | Statement::Session(_) | Statement::Transaction(_) => None,
            _ => self.on_temporary(&prepared.text),
        };
        let result = match hidden.as_ref().unwrap_or(&prepared.statement) {
            Statement::Query(query) => {
                let own = match portal.progress {
                    Progress::New => self.own_answer(query, &portal.bindings)?,
                    _ => None,
                };
                match own {
                    Some(answer) => {
                        portal.progress = Progress::Rows(answer.rows.into_iter(), answer.tag);
                        self.fetch(&mut portal, rows_max);
                        Ok(())
                    }
                    None => {
                        let cold = query.as_cold();
                        Box::pin(self.execute_cold(&cold, &name, &mut portal, rows_max)).await
                    }
                }
            }
            Statement::Cold(cold) if self.has_engines() => {
                Box::pin(self.execute_cold(cold, &name, &mut portal, rows_max)).await
            }
            _ if matches!(portal.progress, Progress::Done) => Err(has_run(&name)),
            statement => {
                portal.progress = Progress::Done;
                let received_bytes = portal.received_bytes;
                let target = ResultTarget {
                    formats: portal.formats.clone(),
                    describes: false,
                };
                self.run_command(statement, &portal.bindings, received_bytes, target)
                    .await
            }
        };
        self.count_ended(kind_of(&prepared.statement), started, &result);
        result?;
        // A portal that has run keeps its name, and values no more.
        if !matches!(portal.progress, Progress::Rows(..) | Progress::Kept(..)) {
            portal.bindings = Bindings::none();
            portal.received_bytes = 0;
        }
        let bytes = portal.bytes();
        self.portals.insert(name, portal, bytes)?;
        Ok(())
    }

    /// Runs a portal by an engine, or goes on with the rows that it has given.
    async fn execute_cold(
        &mut self,
        cold: &ColdStatement,
        name: &[u8],
        portal: &mut Portal,
        rows_max: u32,
    ) -> Result<(), Failure> {
        match &portal.progress {
            Progress::Done => return Err(has_run(b"")),
            Progress::Open(open) => {
                if !self.fetch_portal(open, &portal.formats, rows_max).await? {
                    portal.progress = fetched();
                }
                return Ok(());
            }
            Progress::New => {
                if rows_max > 0
                    && let Some(open) = self
                        .open_portal(
                            cold,
                            &portal.bindings,
                            &portal.formats,
                            name,
                            Some(rows_max),
                        )
                        .await?
                {
                    portal.progress = open.map_or_else(fetched, Progress::Open);
                    return Ok(());
                }
                let wanted = Wanted {
                    formats: &portal.formats,
                    describes: false,
                    keeps: rows_max > 0,
                };
                portal.progress = match self.run_cold(cold, &portal.bindings, wanted).await? {
                    Some((rows, tag)) => {
                        portal.kept_bytes = rows.iter().map(kept_bytes).sum();
                        // Before the first of them goes.
                        self.portals.check_room(name, portal.bytes())?;
                        Progress::Kept(rows, tag)
                    }
                    None => Progress::Done,
                };
            }
            Progress::Rows(..) | Progress::Kept(..) => {}
        }
        self.fetch(portal, rows_max);
        Ok(())
    }

    /// FETCH and MOVE may be about a portal that was bound and not executed: it goes to the engine.
    ///
    /// # Errors
    /// As [`Session::run_cold`].
    pub(super) async fn open_portal_by_name(&mut self, name: &[u8]) -> Result<(), Failure> {
        let Some(mut portal) = self.portals.remove(name) else {
            return Ok(());
        };
        let prepared = portal.prepared.clone();
        let cold = match &prepared.statement {
            Statement::Query(query) => Some(query.as_cold()),
            Statement::Cold(cold) => Some(cold.clone()),
            _ => None,
        };
        if let (Progress::New, Some(cold)) = (&portal.progress, cold)
            && let Some(Some(open)) = self
                .open_portal(&cold, &portal.bindings, &portal.formats, name, None)
                .await?
        {
            portal.progress = Progress::Open(open);
        }
        let bytes = portal.bytes();
        self.portals
            .insert(Bytes::copy_from_slice(name), portal, bytes)?;
        Ok(())
    }

    /// Sends rows of a query's portal, at most `rows_max` (0: all).
    fn fetch(&mut self, portal: &mut Portal, rows_max: u32) {
        let rows_max = match rows_max {
            0 => usize::MAX,
            rows_max => rows_max as usize,
        };
        let mut sent = 0;
        let (rows, tag) = match &mut portal.progress {
            Progress::Rows(rows, tag) => (rows, tag),
            Progress::Kept(rows, tag) => {
                let count = rows_max.min(rows.len());
                for row in rows.drain(..count) {
                    portal.kept_bytes -= kept_bytes(&row);
                    self.replies.extend_from_slice(&row);
                }
                if rows.is_empty() {
                    put_complete(&mut self.replies, tag_of_part(tag, count));
                } else {
                    put(&mut self.replies, &PortalSuspended::new());
                }
                return;
            }
            Progress::New | Progress::Open(_) | Progress::Done => return,
        };
        for row in rows.by_ref().take(rows_max) {
            put_row(&mut self.replies, self.encoding, &row, &portal.formats);
            sent += 1;
        }
        if rows.len() > 0 {
            put(&mut self.replies, &PortalSuspended::new());
        } else {
            put_complete(&mut self.replies, tag_of(tag, sent));
        }
    }

    /// Forgets a statement or a portal; one that does not exist is forgotten already.
    pub(super) fn close(&mut self, target: &Target) {
        match target {
            Target::Statement(name) => {
                self.statements.remove(name);
            }
            Target::Portal(name) => {
                self.portals.remove(name);
            }
        }
        put(&mut self.replies, &CloseComplete::new());
    }

    fn prepared(&self, name: &Bytes) -> Result<Rc<Prepared>, Failure> {
        match self.statements.get(name) {
            Some(prepared) => Ok(prepared.clone()),
            None if name.is_empty() => Err(Box::new(Diagnostic::error(
                SqlState::INVALID_SQL_STATEMENT_NAME,
                "unnamed prepared statement does not exist",
            ))
            .into()),
            None => Err(named_error(
                SqlState::INVALID_SQL_STATEMENT_NAME,
                "prepared statement",
                name,
                "does not exist",
            )),
        }
    }
}

/// No row is left.
fn fetched() -> Progress {
    Progress::Kept(VecDeque::new(), "SELECT 0".to_owned())
}

/// The tag of the last part of an engine's answer: it counts the rows of that part alone.
fn tag_of_part(tag: &str, rows: usize) -> String {
    match tag.split_once(' ') {
        Some(("SELECT", _)) => format!("SELECT {rows}"),
        // A change counts what it changed.
        _ => tag.to_owned(),
    }
}

fn has_run(name: &[u8]) -> Failure {
    named_error(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "portal",
        name,
        "cannot be run",
    )
}

fn no_portal(name: &Bytes) -> Failure {
    named_error(
        SqlState::INVALID_CURSOR_NAME,
        "portal",
        name,
        "does not exist",
    )
}

fn named_error(sqlstate: SqlState, what: &str, name: &[u8], problem: &str) -> Failure {
    let name = String::from_utf8_lossy(name);
    Box::new(Diagnostic::error(
        sqlstate,
        format!("{what} \"{name}\" {problem}"),
    ))
    .into()
}
