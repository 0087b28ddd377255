//! The gateway's own state on its way into an engine's tables, for one statement.
//!
//! Owns the filling of one relation of schema `penstock`. Promises that its rows are those of now,
//! whatever an earlier statement saw, and that a read which is broken off leaves the engine good.
//! Never runs the statement, and asks CDF for nothing.

use super::name_of;
use crate::catalog::{GatewayState, Table};
use crate::engine::{EngineFault, EngineLink, Possessions};
use crate::scan::conditions::Needed;
use crate::wire::session::Session;

impl Session {
    /// Fills the engine's `table` with what it shows now, as far as the statement needs it; `has` is
    /// what the session has in the engine.
    pub(super) async fn load_state(
        &mut self,
        link: &mut EngineLink,
        (table, state): (&'static Table, GatewayState),
        needed: &Needed,
        has: &Possessions,
    ) -> Result<(), EngineFault> {
        let name = name_of(table);
        // Cursors may be reading there, for whom the file must stay.
        if !has.have_cursors() {
            link.run(&format!("TRUNCATE {name}")).await?;
        }
        let rows_max = self.gateway.engines.settings().scan_rows_max;
        let signals = self.signals.clone();
        let looking = self.state_rows((table, state), &needed.conditions, rows_max);
        let mut rows = tokio::select! {
            biased;
            () = signals.interrupted_mildly() => {
                return Err(EngineFault::Refused(signals.interruption()));
            }
            rows = looking => rows.map_err(EngineFault::Refused)?,
        };
        link.begin_copy(&format!("COPY {name} FROM STDIN")).await?;
        loop {
            let chunk = tokio::select! {
                biased;
                () = signals.interrupted_mildly() => Err(signals.interruption()),
                chunk = rows.next_chunk() => chunk,
            };
            match chunk {
                Ok(Some(chunk)) => link.copy_chunk(chunk).await?,
                Ok(None) => return link.end_copy().await,
                Err(refused) => {
                    link.fail_copy().await?;
                    return Err(EngineFault::Refused(refused));
                }
            }
        }
    }
}
