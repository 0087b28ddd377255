//! A portal of the protocol that is fetched in parts, as a portal of the session's engine.
//!
//! Owns the way from one Execute with a limit on rows to the next. Promises that the rows between
//! them wait in the engine and not in the gateway's memory, and that the engine's portal is closed
//! when the client's is gone. A session without an engine has none outside of a block: its portals end
//! with their Sync, and what they keep until then is bounded.

use super::Wanted;
use super::load::Loaded;
use super::owned::OwnedEngine;
use super::owning::Work;
use super::run::{Part, Run};
use crate::diagnostic::SqlState;
use crate::engine::{EngineFault, Question};
use crate::sql::{Bindings, ColdStatement};
use crate::wire::relay::Relay;
use crate::wire::result::ResultFormats;
use crate::wire::session::{Failure, Session};
use postgres_protocol::message::frontend;
use std::cell::RefCell;
use std::rc::Rc;

/// Names of the engine's portals of which the client's are gone.
pub(in crate::wire) type GonePortals = Rc<RefCell<Vec<String>>>;

/// A portal in the engine that has rows left, maybe.
pub(in crate::wire) struct OpenPortal {
    name: String,
    gone: GonePortals,
}

impl Drop for OpenPortal {
    fn drop(&mut self) {
        self.gone.borrow_mut().push(std::mem::take(&mut self.name));
    }
}

impl Session {
    /// Runs the query of a portal up to `rows_max` rows, if it can wait in the engine for the next:
    /// `None` if it cannot. Else whether it waits there. A portal with a name has that name there, so
    /// that SQL may be about it.
    ///
    /// # Errors
    /// As [`Session::run_cold`].
    pub(in crate::wire) async fn open_portal(
        &mut self,
        cold: &ColdStatement,
        bindings: &Bindings,
        formats: &ResultFormats,
        name: &[u8],
        rows_max: Option<u32>,
    ) -> Result<Option<Option<OpenPortal>>, Failure> {
        let manner = cold.manner(self.owned.is_some())?;
        let is_query = matches!(cold.kind, "SELECT" | "WITH" | "TABLE")
            && !manner.makes
            && !cold.may_change_rows();
        if !is_query || !(self.transaction.is_open() || self.owned.is_some()) {
            return Ok(None);
        }
        self.settle().await?;
        match self.own_engine().await {
            Ok(()) => {}
            // Other sessions have all there may be: some rows can wait here.
            Err(Failure::Statement(full)) if full.sqlstate == SqlState::TOO_MANY_CONNECTIONS => {
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        }
        let name = match std::str::from_utf8(name) {
            Ok(name) if !name.is_empty() => name.to_owned(),
            _ => {
                self.opened_portals += 1;
                format!("penstock portal {}", self.opened_portals)
            }
        };
        let portal = OpenPortal {
            name,
            gone: self.gone_portals.clone(),
        };
        let run = Run {
            question: Question {
                text: &cold.text,
                bindings,
                result_formats: formats.codes(),
            },
            planned: cold.planned()?,
            manner,
            wanted: in_parts(formats),
            part: Some(Part {
                portal: &portal.name,
                rows_max,
            }),
        };
        let relayed = self.run_owned(&run).await?;
        self.send_spooled().await?;
        let waits = relayed.is_suspended || rows_max.is_none();
        Ok(Some(waits.then_some(portal)))
    }

    /// Goes on with a portal. Returns whether rows may be left.
    ///
    /// # Errors
    /// As [`Session::run_cold`].
    pub(in crate::wire) async fn fetch_portal(
        &mut self,
        portal: &OpenPortal,
        formats: &ResultFormats,
        rows_max: u32,
    ) -> Result<bool, Failure> {
        let name = portal.name.clone();
        let wanted = in_parts(formats);
        let fetched = self.with_owned(Work::OfClient, async move |session, engine| {
            engine.begin_statement().await?;
            session.close_gone_portals(engine).await?;
            session.apply_settings(engine).await?;
            let link = engine.link()?;
            let sql = session.becoming_user(link.powers(), &Loaded::default(), true);
            link.run(&sql).await?;
            frontend::execute(&name, limit(rows_max), link.output())?;
            frontend::sync(link.output());
            link.send().await?;
            let relayed = Relay::new(session, wanted).until_part(link).await?;
            engine.keep_statement_of_user().await?;
            Ok(relayed.is_suspended)
        });
        match fetched.await {
            Ok(is_suspended) => {
                self.send_spooled().await?;
                Ok(is_suspended)
            }
            Err(failure) => {
                self.undo_in_engine().await?;
                Err(failure)
            }
        }
    }

    /// Closes what the client has closed. The engine does not mind one that ended with a transaction.
    pub(super) async fn close_gone_portals(
        &mut self,
        engine: &mut OwnedEngine,
    ) -> Result<(), EngineFault> {
        let gone = std::mem::take(&mut *self.gone_portals.borrow_mut());
        if gone.is_empty() {
            return Ok(());
        }
        for name in &gone {
            frontend::close(b'P', name, engine.link()?.output())?;
            engine.has.forget_cursor(name);
        }
        let link = engine.link()?;
        frontend::sync(link.output());
        link.send().await?;
        link.until_ready(|_| Ok(())).await
    }
}

fn in_parts(formats: &ResultFormats) -> Wanted<'_> {
    Wanted {
        formats,
        describes: false,
        keeps: false,
    }
}

/// As an Execute has it.
pub(super) fn limit(rows_max: u32) -> i32 {
    i32::try_from(rows_max).unwrap_or(i32::MAX)
}
