//! Repeating a log of changes as rows of the gateway's own statements.
//!
//! Owns the way from a logged change to a row of a batch: which columns name it, which are set. Promises
//! that rows which do the same to the same columns gather in one batch, as those of consecutive
//! statements do, and that a change CDF cannot make is refused with the row that it is about. Never lets
//! a row go before the last one is read.

use super::change_plan::ChangePlan;
use super::completion::Counted;
use super::group::{RunKind, RunShape};
use super::open_batch::OpenBatch;
use super::returned::{ResultTarget, Returned};
use super::session::{Failure, Session};
use super::write::{Writing, too_many};
use crate::catalog::{ColumnType, Resource, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{ChangeLog, EngineFault, EngineLink, LoggedChange};
use crate::rows::value::ValueReader;
use crate::rows::{Action, RowBuilder, WireFormat};
use crate::sql::{Bindings, RowChange, check_set, naming_columns};
use crate::telemetry::StatementKind;
use std::collections::HashMap;

/// What became of a log.
#[derive(Debug)]
pub(super) struct Replayed {
    /// The last of its rows; `None`: it has none.
    pub(super) batch: Option<OpenBatch>,
    /// How many statements of the group its rows are.
    pub(super) parts: usize,
    /// The rows of RETURNING, where CDF makes them.
    pub(super) returned: Option<Box<Returned>>,
    /// Of an UPDATE that returns the time of the change: which row of which part each changed row was
    /// sent as.
    pub(super) sent: HashMap<usize, (usize, u64)>,
}

/// A log that is being repeated.
struct Replay<'p> {
    plan: &'p ChangePlan,
    bindings: &'p Bindings,
    target: Option<ResultTarget>,
    run: Option<Run>,
    replayed: Replayed,
    /// Whether CDF is to tell when it changed each row.
    is_stamped: bool,
    deleted: u64,
    times: ValueReader,
}

/// Rows that do the same to the same columns.
struct Run {
    table: &'static Table,
    change: RowChange,
    columns: Vec<usize>,
    batch: OpenBatch,
    rows: u64,
    bytes: u64,
}

impl Session {
    /// Reads the log of a statement and gathers its rows. `target`: where the rows go that its
    /// INSERT returns, if CDF makes them.
    ///
    /// # Errors
    /// `Refused` with those of the rows; `Broken` when the engine is gone.
    pub(super) async fn replay(
        &mut self,
        link: &mut EngineLink,
        plan: &ChangePlan,
        bindings: &Bindings,
        target: Option<ResultTarget>,
    ) -> Result<Replayed, EngineFault> {
        let mut replay = Replay {
            plan,
            bindings,
            target,
            run: None,
            replayed: Replayed {
                batch: None,
                parts: 0,
                returned: None,
                sent: HashMap::new(),
            },
            is_stamped: plan.stamped().is_some(),
            deleted: 0,
            times: ValueReader::new(self.value_settings()),
        };
        link.ask(&ChangeLog::read())?;
        link.send().await?;
        // Whoever takes rows in the middle would send a part of the statement.
        self.copy_waits = true;
        let mut refused = None;
        loop {
            let frame = link.receive().await?;
            match frame.kind {
                b'Z' => break,
                b'E' => refused = Some(frame.diagnostic()?),
                b'D' if refused.is_none() => {
                    let change = plan.log.change(&frame)?;
                    let bytes = frame.bytes.len() as u64;
                    match self.repeat(&mut replay, &change, bytes).await {
                        Ok(()) => {}
                        Err(Failure::Statement(diagnostic)) => refused = Some(diagnostic),
                        Err(Failure::Connection(_)) => {
                            let why = "the connection ended within it".to_owned();
                            return Err(EngineFault::Broken(why));
                        }
                    }
                }
                _ => {}
            }
        }
        self.copy_waits = false;
        if let Some(diagnostic) = refused {
            return Err(EngineFault::Refused(diagnostic));
        }
        self.end_run(&mut replay).map_err(EngineFault::Refused)?;
        let mut replayed = replay.replayed;
        if replayed.returned.is_some() && replayed.batch.is_none() {
            replayed.returned = None;
        }
        Ok(replayed)
    }

    /// Gathers one change.
    async fn repeat(
        &mut self,
        replay: &mut Replay<'_>,
        change: &LoggedChange,
        bytes: u64,
    ) -> Result<(), Failure> {
        let table = replay.plan.log.tables()[change.table].table;
        let Some(columns) = self.columns_of(replay, table, change)? else {
            return Ok(());
        };
        let continues = replay.run.as_ref().is_some_and(|run| {
            std::ptr::eq(run.table, table) && run.change == change.change && run.columns == columns
        });
        if !continues {
            self.end_run(replay)?;
            self.begin_run(replay, table, change.change, columns)?;
        }
        if change.change == RowChange::Delete {
            replay.deleted += 1;
            let rows_max = self.gateway.settings.statements.delete_rows_max;
            if replay.deleted > rows_max {
                return Err(too_many(replay.deleted, rows_max).into());
            }
        }
        let Replay {
            run: Some(run),
            times,
            replayed,
            is_stamped,
            ..
        } = replay
        else {
            return Ok(());
        };
        let number = self.group().last_rows() + 1;
        let builder = &mut run.batch.builder;
        let filled = fill(builder, table, change, &run.columns, times)
            .and_then(|()| builder.finish_row(number));
        if let Err(diagnostic) = filled {
            builder.abandon_row();
            return Err(named(diagnostic, table, change).into());
        }
        self.group().add_rows(1);
        run.rows += 1;
        if *is_stamped {
            let place = usize::try_from(change.number).unwrap_or(usize::MAX);
            let sent = (replayed.parts.saturating_sub(1), run.rows);
            replayed.sent.insert(place.saturating_sub(1), sent);
        }
        run.bytes += bytes;
        if run.batch.builder.is_full() {
            if let Some(returned) = &mut replayed.returned {
                self.keep_returned(&mut run.batch, returned)?;
            }
            self.batch_is_full(&mut run.batch).await?;
        }
        Ok(())
    }

    /// Notes what finished rows return, and stages them.
    fn keep_returned(
        &mut self,
        batch: &mut OpenBatch,
        returned: &mut Returned,
    ) -> Result<(), Box<Diagnostic>> {
        let batches = batch.builder.take();
        returned.keep(&batches)?;
        self.group().stage(batches);
        Ok(())
    }

    /// The columns that a row of the change names: those that say which row it is, and those that
    /// are set. `None`: the change changes nothing.
    fn columns_of(
        &self,
        replay: &Replay<'_>,
        table: &'static Table,
        change: &LoggedChange,
    ) -> Result<Option<Vec<usize>>, Box<Diagnostic>> {
        let set = |column: &usize| change.given.get(*column).copied().unwrap_or(false);
        match change.change {
            RowChange::Insert => Ok(Some(match &replay.plan.listed {
                Some((listed, columns))
                    if std::ptr::eq(*listed, table) && change.given.is_empty() =>
                {
                    columns.clone()
                }
                _ => (0..table.columns.len()).filter(set).collect(),
            })),
            RowChange::Delete => Ok(Some(names_of(table, change))),
            RowChange::Update => {
                let ignores_read_only = self.ignores_read_only(table);
                let mut columns = names_of(table, change);
                let mut is_changed = false;
                for column in (0..table.columns.len()).filter(set) {
                    let is_set = check_set(table, column, ignores_read_only)
                        .map_err(|refusal| named(refusal, table, change))?;
                    if is_set {
                        is_changed = true;
                        columns.push(column);
                    }
                }
                if !is_changed {
                    return Ok(None);
                }
                add_what_is_written_whole(table, change, &mut columns);
                Ok(Some(columns))
            }
        }
    }

    fn begin_run(
        &mut self,
        replay: &mut Replay<'_>,
        table: &'static Table,
        change: RowChange,
        columns: Vec<usize>,
    ) -> Result<(), Failure> {
        change.check_table(table)?;
        self.check_ack(table)?;
        let (kind, action) = match change {
            RowChange::Insert => {
                let own = replay.plan.insert.as_ref();
                let action = match own.filter(|insert| std::ptr::eq(insert.table(), table)) {
                    Some(insert) => self.action_of_insert(insert.statement(), replay.bindings)?,
                    None => self.plain_action(table, &columns)?,
                };
                let kind = match replay.plan.is_copy {
                    true => RunKind::Copy,
                    false => RunKind::Insert,
                };
                (kind, action)
            }
            RowChange::Update => (RunKind::Update, Action::Update),
            RowChange::Delete => (RunKind::Delete, Action::Delete),
        };
        self.open_batch = replay.replayed.batch.take().or(self.open_batch.take());
        if replay.target.is_some() && change != RowChange::Insert {
            return Err(returns_updated(table).into());
        }
        let mut returned = None;
        if let Some(target) = &replay.target {
            let own = replay.plan.insert.as_ref();
            let writing = Writing {
                kind,
                tag: "INSERT 0",
                counted_as: StatementKind::Insert,
                table,
                columns: &columns,
                action: action.clone(),
                returning: own.and_then(|insert| insert.statement().returning()),
                target: target.clone(),
                counted: Counted::Rows,
                updates_once: false,
                received_bytes: 0,
            };
            // What is asked is whether the answer will wait for CDF, as those of later rows do not.
            self.copy_waits = false;
            let asked = self.returned(&writing);
            self.copy_waits = true;
            returned = asked?;
            self.stage_open_batch();
        }
        let ack = self.ack_of(table);
        let batch = self.begin_rows(RunShape {
            kind,
            table,
            columns: &columns,
            ack,
            action: &action,
            wants_objects: replay.is_stamped
                || returned
                    .as_ref()
                    .is_some_and(|returned| returned.made_by_cdf().is_some()),
        });
        if let Some(returned) = &mut returned {
            returned.begin(self.group().last_rows() + 1);
        }
        replay.replayed.parts += 1;
        replay.replayed.returned = returned;
        replay.run = Some(Run {
            table,
            change,
            columns,
            batch,
            rows: 0,
            bytes: 0,
        });
        Ok(())
    }

    /// The open run is over; its batch is put back before another begins.
    fn end_run(&mut self, replay: &mut Replay<'_>) -> Result<(), Box<Diagnostic>> {
        let Some(mut run) = replay.run.take() else {
            return Ok(());
        };
        self.count_received(run.table, run.rows, run.bytes);
        if let Some(returned) = &mut replay.replayed.returned {
            self.keep_returned(&mut run.batch, returned)?;
        }
        replay.replayed.batch = Some(run.batch);
        Ok(())
    }
}

/// The columns that name the changed row, one of several names where each suffices.
fn names_of(table: &'static Table, change: &LoggedChange) -> Vec<usize> {
    let naming = naming_columns(table);
    let has = |column: &usize| {
        let place = naming.iter().position(|naming| naming == column);
        place.is_some_and(|place| change.old.get(place).is_some_and(Option::is_some))
    };
    let field = |name: &str| {
        let mut columns = naming.iter().copied();
        columns.find(|column| table.columns[*column].field == name)
    };
    match table.resource {
        Resource::Datapoints | Resource::SequenceRows => {
            let position = naming.last().copied();
            let space = field("instanceId.space").filter(has);
            let name = field("externalId").filter(has).or(field("id"));
            name.into_iter().chain(position).chain(space).collect()
        }
        _ if table.references().next().is_some() => {
            let name = table.references().find(has);
            name.into_iter().collect()
        }
        _ => naming,
    }
}

/// Adds what CDF wants to know of a row that it writes whole.
fn add_what_is_written_whole(
    table: &'static Table,
    change: &LoggedChange,
    columns: &mut Vec<usize>,
) {
    let fields: &[&str] = match table.resource {
        Resource::Datapoints => &["value", "status.code"],
        Resource::SequenceRows => &["values", "columns"],
        _ => return,
    };
    let set = |field: &str| {
        let mut given = table.columns.iter().zip(&change.given);
        given.any(|(column, given)| column.field == field && *given)
    };
    for (index, column) in table.columns.iter().enumerate() {
        let is_said_by_symbol = column.field == "status.code" && set("status.symbol");
        if fields.contains(&column.field) && !columns.contains(&index) && !is_said_by_symbol {
            columns.push(index);
        }
    }
}

/// Gives the builder the row of a change.
fn fill<B: RowBuilder>(
    builder: &mut B,
    table: &'static Table,
    change: &LoggedChange,
    columns: &[usize],
    times: &mut ValueReader,
) -> Result<(), Box<Diagnostic>> {
    let naming = naming_columns(table);
    for column in columns.iter().copied() {
        let place = naming.iter().position(|naming| *naming == column);
        let value = match place.filter(|_| change.change != RowChange::Insert) {
            Some(place) => change.old.get(place),
            None => change.new.get(column),
        };
        let described = &table.columns[column];
        let is_time_of_point = change.change == RowChange::Delete
            && table.resource == Resource::Datapoints
            && described.column_type == ColumnType::TimestampTz;
        match value.and_then(Option::as_deref) {
            Some(text) if is_time_of_point => {
                let time_ms = times.timestamp_ms(described, WireFormat::Text, text.as_bytes())?;
                builder.delete_between(time_ms, time_ms + 1)?;
            }
            Some(text) => builder.field(column, WireFormat::Text, text.as_bytes())?,
            None => builder.null(column)?,
        }
    }
    Ok(())
}

/// Adds to an error which row it is about.
fn named(
    mut diagnostic: Box<Diagnostic>,
    table: &'static Table,
    change: &LoggedChange,
) -> Box<Diagnostic> {
    let statement = match change.change {
        RowChange::Insert => "INSERT INTO",
        RowChange::Update => "UPDATE",
        RowChange::Delete => "DELETE FROM",
    };
    let names: Vec<String> = naming_columns(table)
        .into_iter()
        .enumerate()
        .filter_map(|(place, column)| {
            let value = match change.change {
                RowChange::Insert => change.new.get(column),
                _ => change.old.get(place),
            };
            let value = value?.as_deref()?;
            Some(format!("{} \"{value}\"", table.columns[column].name))
        })
        .collect();
    let place = match names.is_empty() {
        true => format!("{statement} {}", table.name),
        false => format!("{statement} {}, row with {}", table.name, names.join(", ")),
    };
    diagnostic.context = Some(match diagnostic.context.take() {
        Some(context) => format!("{context}\n{place}"),
        None => place,
    });
    diagnostic
        .table
        .get_or_insert_with(|| table.name.to_owned());
    diagnostic
}

/// 0A000: some of the rows exist, and PostgreSQL has changed them.
fn returns_updated(table: &Table) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            "columns that CDF fills cannot be returned of rows that exist already",
        )
        .with_hint("Return other columns, and SELECT these afterwards.")
        .with_table(table.name),
    )
}
