//! The engine that a session has for itself.
//!
//! Owns its life: from the first statement that may make something for the session, to the moment
//! when nothing of it is left. Promises that whoever loses what it has there is told so, that an
//! engine in which something of a client's was committed never goes to another session, and that
//! the end of the session ends it. Never runs a statement.

use super::settings::Applied;
use crate::diagnostic::{Diagnostic, Severity, SqlState};
use crate::engine::{
    self, AS_OWNER, Description, EngineFault, EngineLink, Lease, Possessions, identifier,
};
use crate::telemetry::ConnectionEnd;
use crate::wire::ending::Ending;
use crate::wire::session::{Failure, Session};
use std::time::{Duration, Instant};

/// How long what the gateway itself does in an engine may take: nothing of the client's runs in it.
const OWN_WORK_MAX: Duration = Duration::from_secs(60);

/// How often the files of an engine are measured between statements.
const DISK_CHECK: Duration = Duration::from_secs(1);

/// The savepoint around a statement.
const STATEMENT: &str = "\"penstock statement\"";

/// Who may break off what is done in an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// The client, and its time-outs: a statement of its runs.
    OfClient,
    /// Nobody: the gateway puts things in order, which takes no time worth mentioning.
    OfGateway,
}

/// An engine of a session.
pub(in crate::wire) struct OwnedEngine {
    lease: Lease,
    /// What the session has there.
    pub(super) has: Possessions,
    /// What it had when the transaction began.
    had: Possessions,
    /// The engine's transaction is that of the client.
    is_in_transaction: bool,
    /// The savepoint around a statement is there.
    is_in_statement: bool,
    /// `has` may be another when the transaction ends.
    is_unsure: bool,
    /// A setting is another than it was when the transaction began.
    has_set: bool,
    /// Something was defined in this transaction, which no question may find.
    has_defined: bool,
    /// Something of the client's was committed: no other session may have the engine.
    has_committed: bool,
    /// The settings that it has; `None`: not known.
    pub(super) applied: Option<Applied>,
    measured: Instant,
}

impl OwnedEngine {
    fn new(lease: Lease) -> Self {
        OwnedEngine {
            lease,
            has: Possessions::default(),
            had: Possessions::default(),
            is_in_transaction: false,
            is_in_statement: false,
            is_unsure: false,
            has_set: false,
            has_defined: false,
            has_committed: false,
            applied: None,
            measured: Instant::now(),
        }
    }

    /// Whether a temporary table, view or sequence has that name.
    pub(super) fn has_relation(&self, name: &str) -> bool {
        self.has.has_relation(name)
    }

    /// Whether a transaction of the client's is open there.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.is_in_transaction
    }

    /// The connection to it.
    ///
    /// # Errors
    /// `Broken`: there is none any more.
    pub(super) fn link(&mut self) -> Result<&mut EngineLink, EngineFault> {
        self.lease.link()
    }

    /// The connection, and what the session has behind it.
    pub(super) fn link_and_possessions(
        &mut self,
    ) -> Result<(&mut EngineLink, &Possessions), EngineFault> {
        Ok((self.lease.link()?, &self.has))
    }

    /// Begins a transaction like the client's, with these savepoints, if none is open.
    pub(super) async fn begin(&mut self, savepoints: &[String]) -> Result<(), EngineFault> {
        if self.is_in_transaction {
            return Ok(());
        }
        let mut sql = "BEGIN".to_owned();
        for name in savepoints {
            sql.push_str("; SAVEPOINT ");
            sql.push_str(&identifier(name));
        }
        self.link()?.run(&sql).await?;
        self.is_in_transaction = true;
        self.is_unsure = false;
        self.has_set = false;
        self.has_defined = false;
        self.had = self.has.clone();
        Ok(())
    }

    /// What the session has there, or a setting, may be another from here on.
    pub(super) fn is_altered(&mut self, has_defined: bool, shown: &[String]) {
        self.is_unsure = true;
        self.has_defined |= has_defined;
        self.has_set |= self
            .applied
            .as_ref()
            .is_none_or(|applied| applied.shown != shown);
    }

    /// What follows can be undone by itself.
    pub(super) async fn begin_statement(&mut self) -> Result<(), EngineFault> {
        self.link()?.run(&format!("SAVEPOINT {STATEMENT}")).await?;
        self.is_in_statement = true;
        Ok(())
    }

    /// The statement is done, and stays. `sql` puts things in order after it.
    pub(super) async fn keep_statement(&mut self, sql: &str) -> Result<(), EngineFault> {
        self.link()?
            .run(&format!("RELEASE SAVEPOINT {STATEMENT};{sql}"))
            .await?;
        self.is_in_statement = false;
        Ok(())
    }

    /// Takes back all that a statement did.
    pub(super) async fn undo_statement(&mut self) -> Result<(), EngineFault> {
        if !std::mem::take(&mut self.is_in_statement) {
            return Ok(());
        }
        self.applied = None;
        self.link()?
            .run(&format!(
                "ROLLBACK TO SAVEPOINT {STATEMENT}; RELEASE SAVEPOINT {STATEMENT}; \
                 {AS_OWNER}"
            ))
            .await?;
        Ok(())
    }

    /// Ends the transaction: by ROLLBACK, too, where COMMIT would leave nothing. Returns whether what
    /// the session has is to be asked for; if not, it is known.
    ///
    /// # Errors
    /// `Refused` by what was put off to the end; all is rolled back then.
    pub(super) async fn end(&mut self, commits: bool) -> Result<bool, EngineFault> {
        let outlasts = self.has.outlast_transactions() || self.had.outlast_transactions();
        self.is_in_transaction = false;
        self.is_in_statement = false;
        if commits && (outlasts || self.has_set) {
            self.has_committed |= outlasts || self.has_defined;
            self.link()?.run("COMMIT").await?;
            self.has.without_open_cursors();
            return Ok(self.is_unsure);
        }
        self.applied = None;
        self.link()?.run("ROLLBACK").await?;
        let stays = self.had.outlast_transactions() || self.has.have_prepared();
        if self.is_unsure && stays {
            return Ok(true);
        }
        self.has = std::mem::take(&mut self.had);
        self.has.without_open_cursors();
        Ok(false)
    }

    /// Measures the files, if that is due.
    pub(super) async fn check_disk(&mut self) -> Result<(), EngineFault> {
        if self.measured.elapsed() < DISK_CHECK {
            return Ok(());
        }
        self.lease.disk().check().await?;
        self.measured = Instant::now();
        Ok(())
    }

    /// Whether the session loses something with the engine that its transaction does not lose anyway
    /// when a statement of it fails.
    fn is_of_use(&self) -> bool {
        self.has.outlast_transactions() || self.had.outlast_transactions()
    }
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
        let outgrown = engine.lease.outgrown();
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
        let result = tokio::select! {
            biased;
            fault = broken_off => Err(fault),
            fault = outgrown => Err(fault),
            result = work(self, &mut engine) => result,
        };
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
        let (has, shown) = engine
            .link()?
            .possessions(&super::settings::SETTINGS)
            .await?;
        engine.has = has;
        Ok(shown)
    }

    /// Lets go of the session's engine if nothing is there any more.
    pub(super) async fn let_go_of_engine(&mut self) {
        let is_empty =
            |engine: &mut Box<OwnedEngine>| !engine.is_in_transaction && !engine.has.are_some();
        let Some(engine) = self.owned.take_if(is_empty) else {
            return;
        };
        // What committed something may have left what no question finds: it ends.
        if !engine.has_committed {
            engine.lease.give_back().await;
        }
    }

    /// What a statement takes and gives, where the session's tables may be what it names.
    pub(super) async fn describe_in_owned(
        &mut self,
        text: &str,
        declared: &[u32],
    ) -> Result<Description, Failure> {
        self.with_owned(Work::OfClient, async move |session, engine| {
            let is_in_transaction = engine.is_in_transaction;
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
