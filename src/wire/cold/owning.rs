//! How a session comes by an engine of its own, works with it, and loses it.
//!
//! Owns its life: from the first statement that may make something for the session, to the moment
//! when nothing of it is left. Promises that whoever loses what it has there is told so and goes, and
//! that the end of the session ends the engine. Never judges what is in it: PostgreSQL is asked.

use super::owned::OwnedEngine;
use super::settings::SETTINGS;
use crate::diagnostic::{Diagnostic, Severity, SqlState};
use crate::engine::{self, Description, EngineFault};
use crate::telemetry::ConnectionEnd;
use crate::wire::ending::Ending;
use crate::wire::session::{Failure, Session};
use std::pin::pin;
use std::time::Duration;

/// How long what the gateway itself does in an engine may take: nothing of the client's runs in it.
const OWN_WORK_MAX: Duration = Duration::from_secs(60);

/// Who may break off what is done in an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// The client, and its time-outs: a statement of its runs.
    OfClient,
    /// Nobody: the gateway puts things in order, which takes no time worth mentioning.
    OfGateway,
}

impl Session {
    /// Gives the session an engine, if it has none.
    ///
    /// # Errors
    /// 53300 when others have as many as there may be.
    pub(super) async fn own_engine(&mut self) -> Result<(), Failure> {
        if self.owned.is_some() {
            return Ok(());
        }
        let engines = self.gateway.engines.clone();
        let dressing = self.dressing();
        let signals = self.signals.clone();
        let lease = tokio::select! {
            biased;
            () = signals.interrupted() => return Err(signals.interruption().into()),
            lease = engines.own(&dressing) => lease,
        };
        let lease = lease.map_err(EngineFault::into_diagnostic)?;
        self.owned = Some(Box::new(OwnedEngine::new(lease)));
        Ok(())
    }

    /// Works with the session's engine, which is left with it if it is good for anything.
    ///
    /// # Errors
    /// Those of the work; FATAL when the engine had to be ended and the session had something there.
    pub(super) async fn with_owned<T>(
        &mut self,
        whose: Work,
        work: impl AsyncFnOnce(&mut Session, &mut OwnedEngine) -> Result<T, EngineFault>,
    ) -> Result<T, Failure> {
        let Some(mut engine) = self.owned.take() else {
            let gone = EngineFault::Broken("the session has none any more".to_owned());
            return Err(gone.into_diagnostic().into());
        };
        let signals = self.signals.clone();
        let outgrown = engine.outgrown();
        let canceller = engine.canceller();
        let broken_off = async {
            match whose {
                Work::OfClient => {
                    signals.must_break_off().await;
                    EngineFault::Stopped(signals.interruption())
                }
                Work::OfGateway => {
                    tokio::time::sleep(OWN_WORK_MAX).await;
                    EngineFault::Broken("it does not answer".to_owned())
                }
            }
        };
        let mut result = {
            let mut working = pin!(work(self, &mut engine));
            tokio::select! {
                biased;
                fault = broken_off => match (whose, canceller) {
                    (Work::OfClient, Some(canceller)) => {
                        let left_off = canceller.leave_off(working).await;
                        left_off.unwrap_or(Err(fault))
                    }
                    _ => Err(fault),
                },
                fault = outgrown => Err(fault),
                result = &mut working => result,
            }
        };
        if let Err(EngineFault::Refused(refused)) = &result
            && refused.sqlstate == SqlState::QUERY_CANCELED
        {
            // What was told to leave off by us is told of in our words. Without a savepoint around it
            // nobody knows what it has done.
            result = Err(match engine.is_in_statement() {
                true => EngineFault::Refused(signals.interruption()),
                false => EngineFault::Stopped(signals.interruption()),
            });
        }
        match result {
            Ok(done) => {
                self.owned = Some(engine);
                Ok(done)
            }
            Err(fault) if fault.leaves_the_engine_good() => {
                self.owned = Some(engine);
                Err(self.told(fault).into())
            }
            Err(fault) if engine.is_of_use() => Err(lost(fault.into_diagnostic())),
            Err(fault) => Err(fault.into_diagnostic().into()),
        }
    }

    /// Asks what there is in the session's engine.
    pub(super) async fn look_at_possessions(
        &mut self,
        engine: &mut OwnedEngine,
    ) -> Result<Vec<String>, EngineFault> {
        let (has, shown) = engine.link()?.possessions(&SETTINGS).await?;
        engine.has = has;
        Ok(shown)
    }

    /// Lets go of the session's engine if nothing is there any more.
    pub(super) async fn let_go_of_engine(&mut self) {
        if let Some(engine) = self.owned.take_if(|engine| engine.is_empty()) {
            engine.let_go().await;
        }
    }

    /// What a statement takes and gives, where the session's tables may be what it names.
    pub(super) async fn describe_in_owned(
        &mut self,
        text: &str,
        declared: &[u32],
    ) -> Result<Description, Failure> {
        self.with_owned(Work::OfClient, async move |session, engine| {
            let is_in_transaction = engine.is_in_transaction();
            if is_in_transaction {
                engine.begin_statement().await?;
            }
            session.apply_settings(engine).await?;
            let described = engine::describe(engine.link()?, text, declared).await;
            match &described {
                Ok(_) if is_in_transaction => engine.keep_statement("").await?,
                // PostgreSQL takes nothing more before what has failed is taken back.
                Err(EngineFault::Refused(_)) => engine.undo_statement().await?,
                _ => {}
            }
            described
        })
        .await
    }
}

/// The session goes: what it relied on is no more.
fn lost(reason: Box<Diagnostic>) -> Failure {
    if reason.severity == Severity::Fatal {
        return reason.into();
    }
    let sqlstate = match reason.sqlstate {
        limit @ SqlState::CONFIGURATION_LIMIT_EXCEEDED => limit,
        _ => SqlState::ADMIN_SHUTDOWN,
    };
    let mut detail = reason.message;
    if let Some(more) = reason.detail {
        detail = format!("{detail}. {more}");
    }
    let last_words = Diagnostic::fatal(
        sqlstate,
        "terminating connection because the PostgreSQL that holds its temporary tables and cursors \
         had to be ended",
    )
    .with_detail(detail)
    .with_hint(
        "They are gone, and their rows: connect again and make them anew. Rows that COMMIT has \
         acknowledged are in CDF.",
    );
    let why = match reason.sqlstate {
        SqlState::QUERY_CANCELED => ConnectionEnd::TimedOut,
        _ => ConnectionEnd::Fault,
    };
    Failure::Connection(Ending::with_words(why, Box::new(last_words)))
}
