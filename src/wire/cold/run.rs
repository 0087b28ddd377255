//! A statement that an engine runs.
//!
//! Owns what surrounds it: the user's rights while it runs, and the order that is made after it.
//! Promises that rows of CDF do not outlive it in the engine, but for cursors that still read them,
//! that nothing changes a table of the gateway where nobody would send the change to CDF, and that a
//! statement which failed is taken back whole. Never reads a row of its answer.

use super::Wanted;
use super::load::Loaded;
use super::name_of;
use super::owned::OwnedEngine;
use super::owning::Work;
use super::portal::limit;
use crate::catalog::{CDF, PUBLIC};
use crate::engine::{EngineFault, EngineLink, Powers, Question, Recording};
use crate::sql::{Manner, Planned, SetScope};
use crate::wire::change_plan::ChangePlan;
use crate::wire::relay::{Relay, Relayed};
use crate::wire::session::{Failure, Session};

/// A statement with what is known of it before it runs.
pub(super) struct Run<'a> {
    pub(super) question: Question<'a>,
    pub(super) planned: Planned,
    pub(super) manner: Manner,
    pub(super) wanted: Wanted<'a>,
    /// `None`: all of its rows, at once.
    pub(super) part: Option<Part<'a>>,
}

/// The first rows of a portal that stays.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    /// Its name in the engine.
    pub(super) portal: &'a str,
    /// `None`: none, but it is there for MOVE and FETCH.
    pub(super) rows_max: Option<u32>,
}

/// What is to be put in order after a statement.
pub(super) struct Ran {
    pub(super) relayed: Relayed,
    pub(super) loaded: Loaded,
    /// SQL that gives the user the rights back that were taken for its time.
    pub(super) rights: String,
}

impl Session {
    /// SQL from which on the session's user asks, who may read what was loaded and nothing else.
    pub(super) fn becoming_user(
        &self,
        powers: &Powers,
        loaded: &Loaded,
        is_read_only: bool,
    ) -> String {
        let mut sql = String::new();
        if !loaded.readable.is_empty() {
            let (names, user) = (loaded.readable.join(", "), powers.user());
            sql = format!("GRANT SELECT ON {names} TO {user};");
        }
        if is_read_only || self.is_read_only {
            // But for temporary tables. What a statement would change of others is nobody's to send
            // to CDF: better no than a lie.
            sql.push_str("SET TRANSACTION READ ONLY;");
        }
        sql.push_str(&powers.as_user());
        sql
    }

    /// The statement is run, and its answer goes to the client. All its rows are loaded, and the
    /// user may read them; the transaction is the engine's own, and is ended by the caller.
    pub(super) async fn run_statement(
        &mut self,
        link: &mut EngineLink,
        run: &Run<'_>,
        recording: Option<Recording>,
    ) -> Result<Relayed, EngineFault> {
        let (portal, rows_max) = run.part.map_or(("", Some(0)), |part| {
            (part.portal, part.rows_max.map(limit))
        });
        run.question
            .ask_in_portal(link, run.wanted.describes, portal, rows_max)?;
        link.send().await?;
        Relay::new(self, run.wanted)
            .recording(recording)
            .until_part(link)
            .await
    }

    /// The same of a statement that changes tables of the gateway's. Its answer waits with its
    /// rows, which are the session's now.
    pub(super) async fn run_change(
        &mut self,
        link: &mut EngineLink,
        run: &Run<'_>,
        changes: &ChangePlan,
        loaded: &Loaded,
    ) -> Result<Relayed, EngineFault> {
        let changed = self
            .change_by_plan(link, &run.question, changes, &loaded.readable, run.wanted)
            .await?;
        Ok(Relayed {
            changed: Some(Box::new(changed)),
            ..Relayed::default()
        })
    }

    /// Runs a statement in the session's own engine.
    pub(super) async fn run_owned(&mut self, run: &Run<'_>) -> Result<Relayed, Failure> {
        self.own_engine().await?;
        let savepoints = self.transaction.savepoints();
        let running = self.with_owned(Work::OfClient, async move |session, engine| {
            engine.begin(&savepoints).await?;
            engine.begin_statement().await?;
            session.close_gone_portals(engine).await?;
            session.apply_settings(engine).await?;
            let (link, has) = engine.link_and_possessions()?;
            let mut loaded = session.load(link, run, has).await?;
            if let Some(changes) = loaded.changes.take() {
                let relayed = session.run_change(link, run, &changes, &loaded).await?;
                for name in changes.tables().map(name_of) {
                    if !loaded.filled.contains(&name) {
                        loaded.filled.push(name);
                    }
                }
                return Ok(Ran {
                    relayed,
                    loaded,
                    rights: changes.end(link.powers()),
                });
            }
            let mut sql = session.becoming_user(link.powers(), &loaded, run.manner.is_read_only);
            let mut rights = String::new();
            // A transaction that is read only sees to that by itself.
            if !run.manner.is_read_only && (run.manner.runs_code || has.have_routines()) {
                sql = rights_to_write(link.powers(), "REVOKE", "FROM") + &sql;
                rights = rights_to_write(link.powers(), "GRANT", "TO");
            }
            link.run(&sql).await?;
            let relayed = session.run_statement(link, run, None).await?;
            Ok(Ran {
                relayed,
                loaded,
                rights,
            })
        });
        let ran = running.await;
        self.end_owned(run, ran).await
    }

    /// Puts things in order after a statement in the session's own engine, or takes it back.
    pub(super) async fn end_owned(
        &mut self,
        run: &Run<'_>,
        ran: Result<Ran, Failure>,
    ) -> Result<Relayed, Failure> {
        let ran = match ran {
            Ok(ran) => ran,
            Err(failure) => {
                self.undo_in_engine().await?;
                return Err(failure);
            }
        };
        self.with_owned(Work::OfGateway, async move |session, engine| {
            session.put_in_order(engine, run, ran).await
        })
        .await
    }

    /// Takes a statement back that has failed, if its engine is still there.
    pub(super) async fn undo_in_engine(&mut self) -> Result<(), Failure> {
        if self.owned.is_none() {
            return Ok(());
        }
        self.with_owned(Work::OfGateway, async |_, engine| {
            engine.undo_statement().await
        })
        .await
    }

    async fn put_in_order(
        &mut self,
        engine: &mut OwnedEngine,
        run: &Run<'_>,
        ran: Ran,
    ) -> Result<Relayed, EngineFault> {
        let powers = engine.link()?.powers().clone();
        let mut sql = format!("{};{}{}", powers.as_owner(), ran.rights, ran.loaded.keys);
        let Loaded {
            readable, filled, ..
        } = &ran.loaded;
        if !readable.is_empty() {
            let user = powers.user();
            sql.push_str(&format!(
                "REVOKE SELECT ON {} FROM {user};",
                readable.join(", ")
            ));
        }
        let alters = run.manner.alters || engine.has.have_routines();
        if let Some(part) = run.part {
            engine.has.note_cursor(part.portal);
        }
        if alters || engine.has.have_cursors() {
            // Cursors that are open see the rows as they were.
            for table in filled {
                sql.push_str(&format!("DELETE FROM {table};"));
            }
        } else if !filled.is_empty() {
            sql.push_str(&format!("TRUNCATE {}", filled.join(", ")));
        }
        engine.keep_statement(&sql).await?;
        if alters {
            let shown = self.look_at_possessions(engine).await?;
            engine.is_altered(!run.manner.is_read_only, &shown);
            if self.transaction.is_open() {
                self.take_settings(engine, shown, SetScope::Local);
            }
        }
        engine.check_disk().await?;
        Ok(ran.relayed)
    }
}

/// The rights to write into the gateway's tables, as SQL.
fn rights_to_write(powers: &Powers, verb: &str, preposition: &str) -> String {
    let user = powers.user();
    format!(
        "{verb} INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {PUBLIC}, {CDF} {preposition} {user};"
    )
}
