//! An engine that is lent for one statement.
//!
//! Owns its time with the statement. Promises that whatever the statement did is rolled back before
//! another has the engine, and that an engine which was left in the middle of something is ended.
//! Never keeps anything for the session.

use super::run::Run;
use crate::engine::{
    self, Canceller, Description, EngineFault, EngineLink, Possessions, QuestionKey,
};
use crate::sql::Planned;
use crate::telemetry::EngineEnd;
use crate::wire::relay::Relayed;
use crate::wire::session::{Failure, Session};
use crate::wire::signals::Signals;
use std::cell::OnceCell;
use std::pin::pin;

impl Session {
    /// Runs a statement; its answer is kept under `key`, if that can be.
    pub(super) async fn run_lent(
        &mut self,
        run: &Run<'_>,
        key: Option<QuestionKey>,
    ) -> Result<Relayed, Failure> {
        self.with_lent(async move |session, link| {
            link.run("BEGIN").await?;
            session.apply_settings_for_transaction(link).await?;
            let loaded = session.load(link, run, &Possessions::default()).await?;
            if let Some(changes) = &loaded.changes {
                return session.run_change(link, run, changes, &loaded).await;
            }
            let recording = match (&run.planned, &loaded.relations) {
                (Planned::Text(planned), Some(relations)) => {
                    session.record_answer(key, link, planned, relations).await?
                }
                _ => None,
            };
            let sql = session.becoming_user(link.powers(), &loaded, run.manner.is_read_only);
            link.run(&sql).await?;
            session.run_statement(link, run, recording).await
        })
        .await
    }

    pub(super) async fn describe_in_lent(
        &mut self,
        text: &str,
        declared: &[u32],
    ) -> Result<Description, Failure> {
        self.with_lent(async move |session, link| {
            link.run("BEGIN").await?;
            session.apply_settings_for_transaction(link).await?;
            let sql = session.becoming_user(link.powers(), &Default::default(), true);
            link.run(&sql).await?;
            engine::describe(link, text, declared).await
        })
        .await
    }

    /// Has an engine for the time of `work`, and gives it back as it was.
    pub(in crate::wire) async fn with_lent<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Session, &mut EngineLink) -> Result<T, EngineFault>,
    ) -> Result<T, Failure> {
        let signals = self.signals.clone();
        let engines = self.gateway.engines.clone();
        let dressing = self.dressing();
        let canceller = OnceCell::new();
        let working = async {
            let mut lease = engines.lease(&dressing).await?;
            let outgrown = lease.outgrown();
            let link = lease.link()?;
            let _ = canceller.set(link.canceller());
            let mut end = EngineEnd::Interrupted;
            let result = tokio::select! {
                result = work(self, link) => result,
                fault = outgrown => {
                    end = EngineEnd::Memory;
                    Err(fault)
                }
            };
            match &result {
                Err(fault) if !fault.leaves_the_engine_good() => {
                    if matches!(fault, EngineFault::Broken(_)) {
                        end = EngineEnd::Broken;
                    }
                    lease.ends(end);
                }
                _ => lease.give_back().await,
            }
            result
        };
        // What is dropped in the middle of something ends its engine.
        let result = left_off_or_done(&signals, &canceller, working).await;
        result.map_err(|fault| self.told(fault).into())
    }
}

/// What comes of work in an engine, which leaves off when the client's statement is to be broken off; or
/// is dropped then, if it does not.
async fn left_off_or_done<T>(
    signals: &Signals,
    canceller: &OnceCell<Option<Canceller>>,
    working: impl Future<Output = Result<T, EngineFault>>,
) -> Result<T, EngineFault> {
    let mut working = pin!(working);
    tokio::select! {
        biased;
        () = signals.must_break_off() => {
            let left_off = match canceller.get() {
                Some(Some(canceller)) => canceller.leave_off(working).await,
                _ => None,
            };
            match left_off {
                Some(Ok(done)) => Ok(done),
                _ => Err(EngineFault::Stopped(signals.interruption())),
            }
        }
        result = &mut working => result,
    }
}
