//! Rows of CDF on their way into an engine's tables, for one statement.
//!
//! Owns which rows those are: the engine plans the statement, and what its conditions need of each
//! table is read. Promises that no table may be read that was not filled, that rows of an earlier
//! statement are not among those of a later one, and that a read which is broken off while CDF is
//! waited for leaves the engine good. Never runs the statement.

use super::join_keys::Sources;
use super::run::Run;
use super::{name_of, refused};
use crate::catalog::{CDF, PENSTOCK, PUBLIC, RowShape, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{EngineFault, EngineLink, Possessions, Question, Relation, Relations};
use crate::pipeline::Ticket;
use crate::rows::value::ValueSettings;
use crate::scan::conditions::{BoundStatement, Needed, Parameter};
use crate::scan::{Scan, ScanFigures, Scanner};
use crate::sql::{Planned, mentions, query_within};
use crate::wire::change_plan::ChangePlan;
use crate::wire::session::Session;

/// The savepoint around a plan.
const PLAN: &str = "\"penstock plan\"";

/// What a statement may read.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Names of tables that the user may read for the time of the statement.
    pub(super) readable: Vec<String>,
    /// Those among them that have rows now.
    pub(super) filled: Vec<String>,
    /// SQL that shows keys as they are, which were changed for the time of the statement.
    pub(super) keys: String,
    /// What the statement changes of the gateway's tables.
    pub(super) changes: Option<ChangePlan>,
    /// What was asked of CDF, and what came.
    pub(super) scans: Vec<(Scan, ScanFigures)>,
    /// What the plan reads and changes; `None`: nothing was planned.
    pub(super) relations: Option<Relations>,
}

/// A statement as what it needs of tables is worked out.
pub(super) struct Reads<'a> {
    planned: &'a str,
    parameters: Vec<Parameter>,
    settings: ValueSettings,
}

impl<'a> Reads<'a> {
    /// Of the statement `planned`, with the parameters of `question`.
    pub(super) async fn of(
        session: &mut Session,
        link: &mut EngineLink,
        question: &Question<'_>,
        planned: &'a str,
    ) -> Result<Self, EngineFault> {
        Ok(Reads {
            planned,
            parameters: session.parameters(link, question).await?,
            settings: session.value_settings(),
        })
    }

    /// What it needs of a table that it reads alone.
    fn needed(&self, relation: &Relation, table: &'static Table) -> Needed {
        let statement = BoundStatement {
            sql: query_within(self.planned),
            parameters: &self.parameters,
            settings: &self.settings,
        };
        statement.needs(table, &relation.schema, &relation.name)
    }
}

impl Session {
    /// Reads the rows that a statement needs into the engine's tables; `has` is what the session has
    /// there.
    pub(super) async fn load(
        &mut self,
        link: &mut EngineLink,
        run: &Run<'_>,
        has: &Possessions,
    ) -> Result<Loaded, EngineFault> {
        let planned = match &run.planned {
            Planned::Text(planned) => planned,
            // It reads no rows: it may name every table.
            Planned::NoRows => {
                let dressing = self.dressing();
                let readable = dressing.tables().map(name_of);
                let mut loaded = Loaded {
                    readable: readable.collect(),
                    ..Loaded::default()
                };
                if run.manner.makes {
                    // A table LIKE one of these may take its key, too.
                    let shown = link.powers().keys(&dressing, true);
                    link.run(&shown).await?;
                    loaded.keys = link.powers().keys(&dressing, false);
                } else {
                    // What is explained is what would run.
                    self.doubt_keys(link, run.question.text, has).await?;
                }
                return Ok(loaded);
            }
            Planned::Nothing => return Ok(Loaded::default()),
        };
        self.prepare_conflicts(link, planned).await?;
        self.doubt_keys(link, planned, has).await?;
        let relations = if has.have_views() {
            self.relations_behind_views(link, run, planned).await?
        } else {
            let found = run.question.relations(link, planned).await;
            found.map_err(|fault| within(fault, run.question.text, planned))?
        };
        let dressing = self.dressing();
        let found = |relation: &Relation| dressing.table(&relation.schema, &relation.name);
        let changes = ChangePlan::of(self, &relations.changes, planned, |schema, name| {
            dressing.table(schema, name)
        });
        let changes = changes.map_err(EngineFault::Refused)?;
        let mut whole: Vec<&'static Table> = Vec::new();
        if let Some(changes) = &changes {
            self.check_writable(changes.word())
                .map_err(EngineFault::Refused)?;
            whole.extend(changes.whole_tables());
        }
        let mut tables: Vec<(Option<&Relation>, &'static Table)> = relations
            .read
            .iter()
            .filter_map(|relation| Some((Some(relation), found(relation)?)))
            .collect();
        for table in &whole {
            if !tables.iter().any(|(_, read)| std::ptr::eq(*read, *table)) {
                tables.push((None, table));
            }
        }
        let mut loaded = Loaded {
            changes,
            relations: Some(relations.clone()),
            ..Loaded::default()
        };
        // PostgreSQL wants the right to read what the statement names, also where its plan has no use
        // for a single row of it (`WHERE 1 = 0`).
        let is_unread = |table: &&'static Table| {
            let is_read = tables.iter().any(|(_, read)| std::ptr::eq(*read, *table));
            !is_read && names_table(planned, table.name, has)
        };
        let unread: Vec<&'static Table> = dressing.tables().filter(is_unread).collect();
        for table in unread {
            if may_be_read_unseen(table, planned, &relations, has) {
                tables.push((None, table));
            } else {
                loaded.readable.push(name_of(table));
            }
        }
        if tables.is_empty() {
            return Ok(loaded);
        }
        if self.transaction.stages() {
            self.stage_open_batch();
        }
        let reads = Reads::of(self, link, &run.question, planned).await?;
        let mut waiting: Vec<(&'static Table, Needed)> = Vec::new();
        let mut filled: Vec<&'static Table> = Vec::new();
        for (relation, table) in tables {
            if let RowShape::GatewayState(state) = table.shape {
                let needed = relation.map_or_else(Needed::default, |relation| {
                    needed_of(relation, table, &reads, has)
                });
                self.load_state(link, (table, state), &needed, has).await?;
                loaded.readable.push(name_of(table));
                loaded.filled.push(name_of(table));
                filled.push(table);
                continue;
            }
            let is_whole = whole.iter().any(|other| std::ptr::eq(*other, table));
            let alone = relation.filter(|_| !is_whole);
            let needed = alone.map_or_else(Needed::default, |relation| {
                needed_of(relation, table, &reads, has)
            });
            waiting.push((table, self.needed_beside_staged(table, needed)?));
        }
        let sources = Sources {
            relations: &relations,
            has,
            dressing: &dressing,
        };
        while let Some(next) = sources.next(&waiting) {
            let (table, mut needed) = waiting.swap_remove(next);
            self.await_journaled(table).await?;
            let keys = sources.resolve(link, table, &mut needed, &filled).await?;
            let name = name_of(table);
            // Cursors may be reading there, for whom the file must stay.
            if !has.have_cursors() {
                // A file of its own, which goes with the transaction.
                link.run(&format!("TRUNCATE {name}")).await?;
            }
            let doubt = link.powers().doubt_key(table);
            link.run(&doubt).await?;
            let scan = Scan {
                keys,
                ..self.scan(table, needed)
            };
            let figures = self.fill(link, &scan).await?;
            loaded.scans.push((scan, figures));
            self.lay_staged(link, table).await?;
            filled.push(table);
            loaded.readable.push(name.clone());
            loaded.filled.push(name);
        }
        Ok(loaded)
    }

    /// Tells a planner which keys rows may be without, where it would rely on them: it plans no scan for
    /// rows whose key is NULL.
    async fn doubt_keys(
        &mut self,
        link: &mut EngineLink,
        text: &str,
        has: &Possessions,
    ) -> Result<(), EngineFault> {
        // What views and functions of the session read, no text shows.
        let is_hidden = has.have_views() || has.have_routines();
        let dressing = self.dressing();
        let named = dressing
            .tables()
            .filter(|table| is_hidden || mentions(text, &[table.name]));
        let doubts: String = named
            .map(|table| link.powers().doubt_before_plan(table))
            .collect();
        if !doubts.is_empty() {
            link.run(&doubts).await?;
        }
        Ok(())
    }

    /// Has a statement planned that may go through views of the session: PostgreSQL wants their
    /// owner, who is the user, to have the rights to what they read, for a plan, too.
    async fn relations_behind_views(
        &self,
        link: &mut EngineLink,
        run: &Run<'_>,
        planned: &str,
    ) -> Result<Relations, EngineFault> {
        let user = link.powers().user();
        link.run(&format!(
            "SAVEPOINT {PLAN}; GRANT SELECT ON ALL TABLES IN SCHEMA {PUBLIC}, {CDF}, {PENSTOCK} TO \
             {user}"
        ))
        .await?;
        let relations = run.question.relations(link, planned).await;
        let relations = relations.map_err(|fault| within(fault, run.question.text, planned))?;
        link.run(&format!(
            "ROLLBACK TO SAVEPOINT {PLAN}; RELEASE SAVEPOINT {PLAN}"
        ))
        .await?;
        Ok(relations)
    }

    /// The statement's parameters, as PostgreSQL reads them.
    async fn parameters(
        &self,
        link: &mut EngineLink,
        question: &Question<'_>,
    ) -> Result<Vec<Parameter>, EngineFault> {
        let texts = question.parameter_texts(link).await?;
        let types = question.bindings.types().iter();
        Ok(types
            .zip(texts)
            .map(|(type_oid, text)| Parameter {
                type_oid: *type_oid,
                text,
            })
            .collect())
    }

    /// What a statement that is planned so would have read, table by table.
    ///
    /// # Errors
    /// `Broken` when the engine is gone.
    pub(super) async fn scans_of(
        &mut self,
        link: &mut EngineLink,
        relations: &Relations,
        reads: &Reads<'_>,
        has: &Possessions,
    ) -> Result<Vec<Scan>, EngineFault> {
        let dressing = self.dressing();
        let sources = Sources {
            relations,
            has,
            dressing: &dressing,
        };
        let mut scans = Vec::new();
        for relation in &relations.read {
            let Some(table) = dressing.table(&relation.schema, &relation.name) else {
                continue;
            };
            if let RowShape::GatewayState(_) = table.shape {
                continue;
            }
            let mut needed = needed_of(relation, table, reads, has);
            let mut keys = sources.foreseen(table, &needed);
            keys.extend(sources.resolve(link, table, &mut needed, &[]).await?);
            scans.push(Scan {
                keys,
                ..self.scan(table, needed)
            });
        }
        Ok(scans)
    }

    fn scan(&self, table: &'static Table, needed: Needed) -> Scan {
        Scan {
            conditions: needed.conditions,
            limit: needed.limit,
            ..Scan::of(table, self.gateway.engines.settings().scan_rows_max)
        }
    }

    /// Reads rows of a table from CDF into the engine's.
    async fn fill(
        &mut self,
        link: &mut EngineLink,
        scan: &Scan,
    ) -> Result<ScanFigures, EngineFault> {
        let mut rows = self.scanner()?.begin(self.delivery.identity.clone(), scan);
        let table = scan.table;
        let copy = format!("COPY {} FROM STDIN", name_of(table));
        link.begin_copy(&copy).await?;
        let signals = self.signals.clone();
        loop {
            let chunk = tokio::select! {
                biased;
                () = signals.interrupted_mildly() => {
                    link.fail_copy().await?;
                    return Err(EngineFault::Refused(signals.interruption()));
                }
                chunk = rows.next_chunk() => chunk,
            };
            match chunk {
                Ok(Some(chunk)) => link.copy_chunk(chunk).await?,
                Ok(None) => {
                    link.end_copy().await?;
                    return Ok(rows.figures());
                }
                Err(fault) => {
                    link.fail_copy().await?;
                    return Err(EngineFault::Refused(fault.into_diagnostic()));
                }
            }
        }
    }

    /// What reads rows of CDF, made once a session.
    fn scanner(&mut self) -> Result<Scanner, EngineFault> {
        if let Some(scanner) = &self.scanner {
            return Ok(scanner.clone());
        }
        let Some(door) = &self.gateway.settings.scans else {
            return Err(refused(Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                "rows of CDF cannot be read here",
            )));
        };
        let scanner = door.scanner().map_err(EngineFault::Refused)?;
        self.scanner = Some(scanner.clone());
        Ok(scanner)
    }

    /// Waits until rows of a resource that were journaled before are delivered: a read sees what
    /// was acknowledged.
    async fn await_journaled(&self, table: &'static Table) -> Result<(), EngineFault> {
        let Some(journal) = self.delivery.destination.journal() else {
            return Ok(());
        };
        let ticket = Ticket::new();
        // No rows: only what is before them counts.
        let part = ticket.part(0, 1);
        journal.hold(&self.delivery.identity, table.resource, &part);
        drop(part);
        if ticket.settled().await.first_error.is_none() {
            return Ok(());
        }
        Err(refused(
            Diagnostic::error(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!(
                    "rows of \"{}\" that were acknowledged are not in CDF yet",
                    table.name
                ),
            )
            .with_table(table.name)
            .with_hint("Try again when CDF takes them: the journal keeps them until then."),
        ))
    }
}

/// An error in `planned` with its position in `text`, which holds it.
fn within(fault: EngineFault, text: &str, planned: &str) -> EngineFault {
    let EngineFault::Refused(mut diagnostic) = fault else {
        return fault;
    };
    let before = text
        .find(planned)
        .map_or(0, |at| text[..at].chars().count());
    let before = u32::try_from(before).unwrap_or(0);
    diagnostic.position = diagnostic.position.map(|position| position + before);
    EngineFault::Refused(diagnostic)
}

/// Whether a statement may name a table: by itself, through a view, or as one that was prepared.
fn names_table(planned: &str, name: &str, has: &Possessions) -> bool {
    let mut prepared = has.prepared_texts();
    mentions(planned, &[name])
        || has.read_by_view(name)
        || (mentions(planned, &["execute"]) && prepared.any(|text| mentions(text, &[name])))
}

/// Whether a function may read a table which the text names and the plan does not
/// read: it must find the table's rows there.
fn may_be_read_unseen(
    table: &Table,
    planned: &str,
    relations: &Relations,
    has: &Possessions,
) -> bool {
    let is_it =
        |relation: &Relation| relation.schema == table.schema && relation.name == table.name;
    if !relations.changed.iter().any(is_it) {
        return has.may_read_unseen() || relations.run_sql_of_texts(planned);
    }
    // An INSERT does not need what is there; to read it for no reason could be too much.
    let mut called = relations.clone();
    called.note_calls_of(planned);
    has.has_reader_among(&called.calls) || relations.run_sql_of_texts(planned)
}

/// What a statement needs of a table that its plan reads.
fn needed_of(
    relation: &Relation,
    table: &'static Table,
    reads: &Reads<'_>,
    has: &Possessions,
) -> Needed {
    // What one part of the statement has no use for another may need, as may a function; and
    // conditions on a temporary table are none on the table of the gateway that it hides.
    match relation.nodes {
        1 if !has.may_read_unseen() && !has.has_relation(table.name) => {
            reads.needed(relation, table)
        }
        _ => Needed::default(),
    }
}
