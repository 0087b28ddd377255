//! The gateway assembled: the stack in one place, read from top to bottom.
//!
//! Owns the order in which parts start and stop. Promises that nothing listens before what is
//! behind it works, and that at the end rows in flight get their verdicts before the process
//! goes. Never touches a row.

use crate::accounts_api::{self, AccountsService};
use crate::admin::{self, Guarded, Letters, Readiness, ReadinessState};
use crate::cdf::{CdfClient, IdentityOfUser, TokenCache, WritingTerm};
use crate::config::{Configuration, EngineSettings, Password};
use crate::dead_letters::{DeadLetterStore, Replayer, StoreError};
use crate::engine::{Server, ServerFault};
use crate::http_server::{self, CurrentTls, HttpServer};
use crate::journal::{
    Journal, JournalError, JournalParts, RejectedFile, RulePrincipals, UserPrincipals, WritePath,
    disk,
};
use crate::oidc::{PrincipalRule, TokenCheck};
use crate::pipeline::{Intake, MemoryBudget, PipelineSettings, RejectedRows};
use crate::revocation::{Revocation, RevocationParts};
use crate::scan::{ScanDoor, ScanMemory};
use crate::state::{OpenedState, Publication, StateError, StateHandle};
use crate::supervision::{Heartbeat, Watchdog};
use crate::telemetry::{self, LabelValue, MemoryGauges, Scrape, WatchedThread};
use crate::wire::{
    self, GatewayUser, LookAlikes, OpenConnections, TlsFiles, TlsIdentity, Users, WireHandle,
    WireSettings, WireStop,
};
use actix::ArbiterHandle;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address is taken, the certificate unreadable …
    #[error("clients cannot be served: {0}")]
    Wire(#[from] wire::WireError),
    #[error("the HTTP address {address} cannot be listened on: {cause}")]
    Http {
        address: SocketAddr,
        cause: io::Error,
    },
    #[error("the thread that watches the others cannot be started: {0}")]
    Watchdog(io::Error),
    #[error("tokens cannot be checked: {0}")]
    TokenCheck(String),
    #[error("the PostgreSQL of engine.url is of no use: {0}")]
    Engine(ServerFault),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    DeadLetters(#[from] StoreError),
    #[error("requests to CDF cannot be made: {0}")]
    Pipeline(#[from] Box<crate::diagnostic::Diagnostic>),
    /// In use, unreadable, or written by another version.
    #[error("the journal cannot be opened: {0}")]
    Journal(#[from] JournalError),
}

/// A running gateway.
pub struct Gateway {
    watchdog: Option<Watchdog>,
    wire: WireHandle,
    intake: Intake,
    path: Arc<WritePath>,
    admin: HttpServer,
    readiness: Readiness,
    drain: Duration,
    accounts: Option<HttpServer>,
    revocation: Revocation,
    tokens: Arc<TokenCache>,
}

impl Gateway {
    /// Starts everything that `configuration` asks for. Must be called inside an actix system.
    ///
    /// # Errors
    /// The part that could not start.
    pub fn start(configuration: &Configuration) -> Result<Self, GatewayError> {
        Self::start_for(configuration, None)
    }

    /// The same, for a gateway that may write to CDF in its `term` only.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub fn start_for(
        configuration: &Configuration,
        term: Option<WritingTerm>,
    ) -> Result<Self, GatewayError> {
        // 1. Metrics first: handles made before the recorder count into nothing.
        let metrics = telemetry::install();
        let budget = MemoryBudget::new(
            configuration.memory.rows_bytes_max,
            configuration.memory.rows_bytes_max_per_connection,
        );
        let gauges = MemoryGauges::new();
        gauges
            .budget_bytes
            .set(configuration.memory.rows_bytes_max as f64);
        let sampled = budget.clone();
        let scrape = Scrape::new(metrics)
            .sampling(move || gauges.used_bytes.set(sampled.used_bytes() as f64));

        let tokens = Arc::new(TokenCache::new());
        if let Some(term) = term {
            tokens.end_with(term);
        }

        // 2. The way out: batchers and writers, before anybody can hand them rows.
        let intake = Intake::start(
            PipelineSettings {
                batch: configuration.batch.clone(),
                limits: configuration.limits.clone(),
                retry: configuration.retry.clone(),
                pacing: configuration.pacing.clone(),
                runtime: configuration.runtime.clone(),
            },
            tokens.clone(),
        )?;

        // 3. Users and custom tables: the journal may hold rows of them.
        let opened = open_state(configuration)?;
        let look_alikes = opened
            .as_ref()
            .map_or_else(LookAlikes::default, OpenedState::look_alikes);
        let users = users(configuration, &look_alikes);
        let connections = OpenConnections::default();
        let accounts = configuration.accounts.clone();
        let publication = Publication::new(users.clone(), connections.clone(), accounts);
        let state = opened
            .map(|opened| opened.publish(publication))
            .transpose()?;
        if let Some(state) = &state {
            tokens.keep_session_keys(Arc::new(state.clone()));
        }

        // 4. Where refused rows go. Opened before anybody can bring some.
        let dead_letters = match &configuration.dead_letters.directory {
            Some(directory) => Some(DeadLetterStore::open(
                directory,
                &configuration.dead_letters,
            )?),
            None => None,
        };

        // 5. The journal: what an earlier life acknowledged goes on its way first.
        let journal = open_journal(configuration, &users, &intake, dead_letters.clone())?;
        let path = Arc::new(WritePath::new(intake.clone(), journal));

        // 6. What operators see.
        let readiness = Readiness::new();
        let address = configuration.listen.http;
        let guarded = Guarded {
            token: configuration.admin.token.clone(),
            letters: dead_letters
                .clone()
                .map(|store| letters(configuration, &users, store, &path, &budget, tokens.clone()))
                .transpose()?,
        };
        let admin = admin::start(address, scrape, readiness.clone(), guarded)
            .map_err(|cause| GatewayError::Http { address, cause })?;

        // 7. Who takes users' access back.
        let revocation = watch_access(configuration, &users, &connections, &tokens)?;

        // 8. The way in, and who runs statements that are not the gateway's own.
        check_engine(&configuration.engine)?;
        let tls = tls_identity(configuration)?;
        let settings = WireSettings {
            listen: configuration.listen.clone(),
            timeouts: configuration.timeouts.clone(),
            copy: configuration.copy.clone(),
            transactions: configuration.transactions.clone(),
            statements: configuration.statements.clone(),
            engine: configuration.engine.clone(),
            scans: Some(ScanDoor::new(
                tokens.clone(),
                intake.pacing(),
                configuration.retry.clone(),
                ScanMemory::new(configuration.memory.scans_bytes_max),
            )),
            tables: configuration.tables.clone(),
            runtime: configuration.runtime.clone(),
            dead_letters: dead_letters.clone(),
            sign_in: configuration.sign_in.clone(),
            sign_in_failures: configuration.sign_in_failures.clone(),
            look_alikes,
            tokens: token_check(configuration)?,
        };
        let wire = wire::start(settings, users, path.clone(), budget, tls, connections)?;

        // 9. Who administers users, by the same certificate.
        let accounts = start_accounts(configuration, state, tokens.clone(), wire.https())?;
        let threads = wire.threads().chain(intake.threads());
        let watchdog = watchdog(configuration, threads, wire.stopper())?;
        readiness.advance(ReadinessState::Ready);
        Ok(Gateway {
            watchdog,
            wire,
            intake,
            path,
            admin,
            readiness,
            drain: Duration::from_secs(configuration.timeouts.drain_s),
            accounts,
            revocation,
            tokens,
        })
    }

    /// Where PostgreSQL clients connect.
    pub fn postgres_address(&self) -> SocketAddr {
        self.wire.address()
    }

    /// Where the accounts API is served, if it is.
    pub fn accounts_address(&self) -> Option<SocketAddr> {
        self.accounts.as_ref().map(HttpServer::address)
    }

    /// Where health and metrics are served.
    pub fn http_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// What ends every connection at once, from any thread.
    pub fn stopper(&self) -> WireStop {
        self.wire.stopper()
    }

    /// Ends in the order of the data path: no new connections, statements in flight finish,
    /// rows in flight get their verdicts, then the metrics go. Whether all of them got theirs in
    /// time: what did not may still reach CDF.
    pub async fn drain(self) -> bool {
        self.readiness.advance(ReadinessState::Draining);
        if let Some(accounts) = self.accounts {
            accounts.stop();
        }
        drop(self.revocation);
        // Threads that end are no hang; and every wait from here on is bounded.
        drop(self.watchdog);
        self.wire.drain(self.drain).await;
        if let Some(journal) = self.path.journal() {
            journal.stop_feeding();
        }
        let drained = self.intake.drain(self.drain).await;
        if let Err(late) = &drained {
            tracing::error!("{late}");
        }
        if let Some(journal) = self.path.journal() {
            journal.close();
        }
        let exchanged = tokio::time::timeout(EXCHANGES_WITHIN, self.tokens.exchanged());
        if exchanged.await.is_err() {
            tracing::error!("a session is still being exchanged: it may end with this process");
        }
        self.admin.stop();
        drained.is_ok()
    }
}

/// How long exchanges of sessions may delay the end: one takes half a second, and CDF may be away.
const EXCHANGES_WITHIN: Duration = Duration::from_secs(10);

/// Exit code of a process that ended itself because a thread hung (EX_SOFTWARE).
const EXIT_HANG: i32 = 70;

/// Watches `threads`, unless the configuration says not to.
fn watchdog(
    configuration: &Configuration,
    threads: impl Iterator<Item = (WatchedThread, ArbiterHandle)>,
    stop: WireStop,
) -> Result<Option<Watchdog>, GatewayError> {
    let hang = Duration::from_secs(configuration.timeouts.hang_s);
    if hang.is_zero() {
        return Ok(None);
    }
    let interval = Watchdog::beat_interval(hang);
    let heartbeats = threads
        .map(|(thread, arbiter)| Heartbeat::start(thread, &arbiter, interval))
        .collect();
    let watchdog = Watchdog::start(heartbeats, hang, move |thread| {
        tracing::error!(
            thread = thread.label(),
            "a thread hangs: no more connections are accepted, those that are open are told, and \
             the process ends itself with exit code {EXIT_HANG}"
        );
        stop.stop_at_once();
        std::process::exit(EXIT_HANG);
    });
    watchdog.map(Some).map_err(GatewayError::Watchdog)
}

/// Opens the state store, if one is configured.
fn open_state(configuration: &Configuration) -> Result<Option<OpenedState>, StateError> {
    let settings = &configuration.state;
    let Some(location) = settings.location.clone() else {
        return Ok(None);
    };
    StateHandle::open(location, settings.keys(), configuration.accounts.clone()).map(Some)
}

/// Starts the accounts API, if it is configured.
fn start_accounts(
    configuration: &Configuration,
    state: Option<StateHandle>,
    tokens: Arc<TokenCache>,
    tls: Option<CurrentTls>,
) -> Result<Option<HttpServer>, GatewayError> {
    let (Some(address), Some(state)) = (configuration.accounts.listen, state) else {
        return Ok(None);
    };
    let timeout = Duration::from_secs(configuration.retry.request_timeout_s);
    let cdf = CdfClient::new(timeout, tokens)?;
    let service = AccountsService::new(state, cdf, configuration.accounts.clone());
    let request_within = Duration::from_secs(configuration.timeouts.sign_in_s);
    http_server::start("accounts", address, tls, request_within, move || {
        accounts_api::router(service)
    })
    .map(Some)
    .map_err(|cause| GatewayError::Http { address, cause })
}

/// Watches over the access of those who are connected, and keeps the users' sessions of CDF alive.
fn watch_access(
    configuration: &Configuration,
    users: &Users,
    connections: &OpenConnections,
    tokens: &Arc<TokenCache>,
) -> Result<Revocation, GatewayError> {
    let timeout = Duration::from_secs(configuration.retry.request_timeout_s);
    Ok(Revocation::start(RevocationParts {
        client: CdfClient::new(timeout, tokens.clone())?,
        tokens: tokens.clone(),
        users: users.clone(),
        connections: connections.clone(),
        check_interval: Duration::from_secs(configuration.accounts.check_interval_s),
    }))
}

/// Opens the journal, if one is configured. Rows that it cannot deliver become dead letters, or
/// lines of a file where there is no store for them.
fn open_journal(
    configuration: &Configuration,
    users: &Users,
    intake: &Intake,
    dead_letters: Option<DeadLetterStore>,
) -> Result<Option<Journal>, JournalError> {
    let Some(directory) = &configuration.journal.directory else {
        return Ok(None);
    };
    let principals = UserPrincipals::new(users.identities());
    let rejected: Arc<dyn RejectedRows> = match dead_letters {
        Some(store) => Arc::new(store),
        None => Arc::new(RejectedFile::new(directory.join("rejected.jsonl"))),
    };
    let parts = JournalParts {
        intake: intake.clone(),
        principals: Arc::new(RulePrincipals::new(principals, &configuration.principals)),
        rejected,
        disk: Arc::new(disk::FileSystem),
    };
    Journal::open(directory, &configuration.journal, parts).map(Some)
}

/// What operators do with dead letters.
fn letters(
    configuration: &Configuration,
    users: &Users,
    store: DeadLetterStore,
    path: &Arc<WritePath>,
    budget: &MemoryBudget,
    tokens: Arc<TokenCache>,
) -> Result<Letters, GatewayError> {
    let timeout = Duration::from_secs(configuration.retry.request_timeout_s);
    let client = CdfClient::new(timeout, tokens)?;
    let replayer = Replayer::new(
        store.clone(),
        path.clone(),
        budget,
        client,
        identities(configuration, users),
    );
    Ok(Letters {
        store,
        replayer: Arc::new(replayer),
    })
}

/// As whom rows of a user are written once more: also of one who signed in by token and is gone.
fn identities(configuration: &Configuration, users: &Users) -> IdentityOfUser {
    let (of_users, rules) = (users.identities(), configuration.principals.clone());
    Arc::new(move |name| of_users(name).or_else(|| PrincipalRule::stored_for(&rules, name)))
}

fn tls_identity(configuration: &Configuration) -> Result<Option<TlsIdentity>, GatewayError> {
    let files = TlsFiles::of(&configuration.listen);
    Ok(files.map(TlsIdentity::from_files).transpose()?)
}

/// What checks access tokens, where issuers are configured.
fn token_check(configuration: &Configuration) -> Result<Option<Arc<TokenCheck>>, GatewayError> {
    if configuration.issuers.is_empty() {
        return Ok(None);
    }
    let issuers = configuration.issuers.iter().cloned();
    TokenCheck::new(issuers, configuration.principals.clone())
        .map(|check| Some(Arc::new(check)))
        .map_err(GatewayError::TokenCheck)
}

fn users(configuration: &Configuration, look_alikes: &LookAlikes) -> Users {
    Users::new(configuration.users.iter().map(|user| GatewayUser {
        name: user.name.clone(),
        scram: match &user.password {
            Password::Plain(password) => look_alikes.verifier(&user.name, password.expose()),
            Password::Verifier(verifier) => verifier.clone(),
        },
        identity: user.identity.clone(),
        modes: user.modes,
        barred: None,
    }))
}

/// Looks at the server of `engine.url`, if there is one: what will not do is told of at the start. One
/// that is away may come, and nothing but statements that need it has to wait for that.
fn check_engine(settings: &EngineSettings) -> Result<(), GatewayError> {
    let Some(server) = Server::of(settings) else {
        return Ok(());
    };
    match server.check() {
        Ok(()) => Ok(()),
        Err(ServerFault::Away(why)) => {
            tracing::warn!(%why, "the PostgreSQL of engine.url is away");
            Ok(())
        }
        Err(fault) => Err(GatewayError::Engine(fault)),
    }
}
