//! Accepting connections and spreading them over threads.
//!
//! Owns the listening socket and the arbiters that serve connections. Promises that accepting
//! never stops for an error of one connection, that connections beyond the bound are told so,
//! and that a drain lets statements in flight end. Never reads a byte of a client.

use super::WireError;
use super::connection::ConnectionActor;
use super::destination::Destination;
use super::gateway::Gateway;
use super::live_tls::LiveTls;
use super::look_alikes::LookAlikes;
use super::open_connections::OpenConnections;
use super::registry::Places;
use super::registry::Registry;
use super::sign_in::{Authenticator, SignInRule};
use super::tls::TlsIdentity;
use super::user::Users;
use crate::config::{
    CopySettings, EngineSettings, ListenSettings, RuntimeSettings, SignInFailureSettings,
    StatementSettings, TableSettings, TimeoutSettings, TransactionSettings,
};
use crate::dead_letters::DeadLetterStore;
use crate::engine::Engines;
use crate::http_server::CurrentTls;
use crate::oidc::TokenCheck;
use crate::pipeline::MemoryBudget;
use crate::scan::ScanDoor;
use crate::spool::SpoolStore;
use crate::telemetry::WatchedThread;
use actix::{Actor, Arbiter, ArbiterHandle};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

/// Connections that the system completes before they are accepted.
const BACKLOG: u32 = 1024;

/// Pause after an accept that failed: the process is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long connections that were told to end at once may take.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// How often a thread that may not await looks whether they have.
const STOP_GLANCE: Duration = Duration::from_millis(10);

/// The settings that concern clients.
#[derive(Clone, Debug, Default)]
pub struct WireSettings {
    pub listen: ListenSettings,
    pub timeouts: TimeoutSettings,
    pub copy: CopySettings,
    pub transactions: TransactionSettings,
    pub statements: StatementSettings,
    /// Who runs statements that are not the gateway's own.
    pub engine: EngineSettings,
    /// How statements read rows of CDF; `None`: they cannot.
    pub scans: Option<ScanDoor>,
    /// By name of a table.
    pub tables: BTreeMap<String, TableSettings>,
    pub runtime: RuntimeSettings,
    /// Where rows go that a COPY goes on without; `None`: no COPY may.
    pub dead_letters: Option<DeadLetterStore>,
    /// Of which the first that fits counts; none: everybody signs in with a password.
    pub sign_in: Vec<SignInRule>,
    pub sign_in_failures: SignInFailureSettings,
    /// What strangers see of users that do not exist.
    pub look_alikes: LookAlikes,
    /// Checks access tokens; `None`: nobody signs in with one.
    pub tokens: Option<Arc<TokenCheck>>,
}

/// A running listener.
#[derive(Debug)]
pub struct WireHandle {
    address: SocketAddr,
    accepting: CancellationToken,
    registry: Arc<Registry>,
    arbiters: Vec<Arbiter>,
    tls: LiveTls,
    engines: Engines,
}

/// Ends every connection from outside of the event loops. Clones reach the same listener.
#[derive(Clone, Debug)]
pub struct WireStop {
    accepting: CancellationToken,
    registry: Arc<Registry>,
}

impl WireStop {
    /// Stops accepting, and ends every connection whose thread still turns with FATAL 57P01,
    /// which tells what became of its rows. Blocks until they have ended, for some seconds at
    /// most: the thread of the others hangs.
    pub fn stop_at_once(&self) {
        self.stop_within(STOP_WAIT);
    }

    /// The same, with a bound of the caller's.
    pub fn stop_within(&self, wait: Duration) {
        self.accepting.cancel();
        self.registry.stop();
        let until = Instant::now() + wait;
        while self.registry.open() > 0 && Instant::now() < until {
            std::thread::sleep(STOP_GLANCE);
        }
    }
}

/// Listens on `settings.listen.postgres` and serves clients until the handle drains. Needs a
/// running actix system.
///
/// # Errors
/// The address cannot be listened on, spool files cannot be made, or threads cannot be started.
pub fn start(
    settings: WireSettings,
    users: Users,
    destination: Arc<dyn Destination>,
    budget: MemoryBudget,
    tls: Option<TlsIdentity>,
    connections: OpenConnections,
) -> Result<WireHandle, WireError> {
    let wanted = settings.listen.postgres;
    let listen_error = |error| WireError::Listen {
        address: wanted,
        error,
    };
    let listener = listen(wanted)
        .and_then(TcpListener::into_std)
        .map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    let threads = match settings.runtime.connection_threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let transactions = &settings.transactions;
    let spools = match &transactions.spool_directory {
        Some(directory) => Some(SpoolStore::open(
            directory,
            transactions.spool_bytes_max,
            transactions.spool_bytes_max_total,
        )?),
        None => None,
    };
    let acceptor = Arbiter::new();
    let mut arbiters: Vec<Arbiter> = (0..threads).map(|_| Arbiter::new()).collect();
    let handles: Vec<_> = arbiters.iter().map(Arbiter::handle).collect();
    let authenticator = Authenticator::new(users, &settings);
    let tls = LiveTls::new(tls);
    let (watched, shown) = ((tls.clone(), settings.listen.tls_reload_s), tls.clone());
    let gateway = Arc::new(Gateway::new(
        settings,
        tls,
        authenticator,
        destination,
        budget,
        spools,
        connections.registry,
    ));
    let registry = gateway.registry.clone();
    let engines = gateway.engines.clone();
    let accepting = CancellationToken::new();
    let token = accepting.clone();
    let spawned = acceptor.spawn_fn(move || {
        if let (tls, interval_s @ 1..) = watched {
            actix::spawn(tls.watch(Duration::from_secs(interval_s)));
        }
        actix::spawn(gateway.engines.keep());
        actix::spawn(async move {
            match TcpListener::from_std(listener) {
                Ok(listener) => accept(listener, gateway, handles, token).await,
                Err(error) => tracing::error!(%error, "the listener could not be started"),
            }
        });
    });
    if !spawned {
        return Err(WireError::Threads {
            error: std::io::ErrorKind::BrokenPipe.into(),
        });
    }
    arbiters.push(acceptor);
    Ok(WireHandle {
        address,
        accepting,
        registry,
        arbiters,
        tls: shown,
        engines,
    })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart must not wait for connections of the old process to time out.
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit it: a client whose host died must not hold its place for ever.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until told to stop; connections take the threads in turn.
async fn accept(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    arbiters: Vec<actix::ArbiterHandle>,
    token: CancellationToken,
) {
    let places = Places::of(&gateway.settings.listen);
    for arbiter in arbiters.iter().cycle() {
        let (socket, peer) = loop {
            let accepted = tokio::select! {
                () = token.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok(accepted) => break accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        let Some(registration) = gateway.registry.register(peer.ip(), &places) else {
            tracing::warn!(%peer, "too many connections: closed without an answer");
            continue;
        };
        match hand_over(socket) {
            Ok(socket) => {
                let gateway = gateway.clone();
                // The actor is reached through the registry, where it lists itself.
                let _ = ConnectionActor::start_in_arbiter(arbiter, move |_| {
                    ConnectionActor::new(gateway, socket, peer, registration)
                });
            }
            Err(error) => tracing::info!(%peer, %error, "a connection was gone at once"),
        }
    }
}

/// Takes the socket off this thread's reactor, so that another thread's can have it.
fn hand_over(socket: TcpStream) -> std::io::Result<std::net::TcpStream> {
    // Replies are flushed where they are due; waiting for more would only delay them.
    socket.set_nodelay(true)?;
    socket.into_std()
}

impl WireHandle {
    /// Where clients connect; the port is the real one if the settings had 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What ends it though its threads may hang.
    pub fn stopper(&self) -> WireStop {
        WireStop {
            accepting: self.accepting.clone(),
            registry: self.registry.clone(),
        }
    }

    /// The certificate for HTTP of this gateway, as it is at each handshake; `None`: no TLS.
    pub fn https(&self) -> Option<CurrentTls> {
        let tls = self.tls.clone();
        let first = tls.current()?.https();
        Some(Arc::new(move || {
            tls.current()
                .map_or_else(|| first.clone(), |tls| tls.https())
        }))
    }

    /// Its threads, to be watched.
    pub fn threads(&self) -> impl Iterator<Item = (WatchedThread, ArbiterHandle)> {
        // The acceptor is the last.
        let listener = self.arbiters.len() - 1;
        self.arbiters
            .iter()
            .enumerate()
            .map(move |(index, arbiter)| {
                let thread = match index == listener {
                    true => WatchedThread::Listener,
                    false => WatchedThread::Connections,
                };
                (thread, arbiter.handle())
            })
    }

    /// Connections that live now.
    pub fn connections(&self) -> usize {
        self.registry.open()
    }

    /// Stops accepting, lets statements in flight end, and ends every connection with FATAL
    /// 57P01. After `timeout` what still runs is broken off: rows that were not sent to CDF are
    /// dropped and their statements fail.
    pub async fn drain(self, timeout: Duration) {
        self.accepting.cancel();
        self.registry.drain();
        if tokio::time::timeout(timeout, self.registry.emptied())
            .await
            .is_err()
        {
            tracing::warn!(
                connections = self.registry.open(),
                "statements still ran at the end of the drain time: they are broken off"
            );
            self.registry.stop();
            // A connection that takes longer is cut by the end of the process.
            let _ = tokio::time::timeout(STOP_WAIT, self.registry.emptied()).await;
        }
        self.engines.end().await;
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }
}
