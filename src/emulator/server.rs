//! The server: its threads, its start and its end.
//!
//! One thread accepts connections and hands them, in turn, to the worker threads; each
//! worker has a single-threaded runtime. Nothing runs on the caller's runtime. Ending is
//! graceful for a bounded time: requests in flight are answered, waits that faults ordered
//! are cut short.

use super::connection::{Connection, ResetSwitch};
use super::options::EmulatorOptions;
use super::service;
use super::state::Emulator;
use axum::Router;
use axum::serve::Listener;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

/// How long ending waits for requests in flight.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why an emulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// Choose another address.
    #[error("the emulator cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    /// The machine is out of threads or file descriptors.
    #[error("the emulator cannot start a thread or its runtime: {0}")]
    Resources(#[source] io::Error),
    /// The machine gives no random bytes.
    #[error("the emulator cannot make keys: the machine gives no random bytes")]
    Keys,
}

/// A running emulator. Dropping it stops it, as [`EmulatorHandle::stop`] does.
#[derive(Debug)]
pub struct EmulatorHandle {
    address: SocketAddr,
    emulator: Arc<Emulator>,
    threads: Vec<JoinHandle<()>>,
}

/// Starts an emulator; returns once it listens.
pub fn start(options: EmulatorOptions) -> Result<EmulatorHandle, EmulatorError> {
    let (listen, workers) = (options.listen, options.threads.max(1));
    let listener = TcpListener::bind(listen)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|source| EmulatorError::Listen {
            address: listen,
            source,
        })?;
    let address = listener.local_addr().map_err(EmulatorError::Resources)?;
    let base_url = match &options.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{address}"),
    };
    let emulator = Emulator::new(options, base_url).map_err(|_| EmulatorError::Keys)?;
    let mut handle = EmulatorHandle {
        address,
        emulator: Arc::new(emulator),
        threads: Vec::with_capacity(workers + 1),
    };
    // On an error below, dropping the handle ends the threads that were started already.
    let mut queues = Vec::with_capacity(workers);
    for number in 0..workers {
        let (queue, connections) = unbounded_channel();
        let emulator = Arc::clone(&handle.emulator);
        let connections = HandedConnections {
            connections,
            address,
        };
        handle.spawn(format!("emulator-{number}"), move || {
            work(emulator, connections)
        })?;
        queues.push(queue);
    }
    let stopping = handle.emulator.stopping.clone();
    handle.spawn("emulator-accept".to_owned(), move || {
        accept(listener, queues, stopping)
    })?;
    Ok(handle)
}

impl EmulatorHandle {
    fn spawn<F, R>(&mut self, name: String, body: F) -> Result<(), EmulatorError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Future<Output = ()>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(EmulatorError::Resources)?;
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || runtime.block_on(body()))
            .map_err(EmulatorError::Resources)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL that a CDF client is given, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of the token endpoint.
    pub fn token_url(&self) -> String {
        format!("{}/oauth2/token", self.base_url())
    }

    /// Lifetime of the tokens issued from now on, in seconds; an hour at the start.
    pub fn set_token_lifetime_s(&self, lifetime_s: u64) {
        self.emulator.identity.tokens.set_lifetime_s(lifetime_s);
    }

    /// Lets time pass for tokens, nonces and sessions.
    pub fn advance_clock_ms(&self, by_ms: i64) {
        self.emulator.identity.clock.advance_ms(by_ms);
    }

    /// Stops accepting, answers what is in flight for at most five seconds and joins all
    /// threads.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for EmulatorHandle {
    fn drop(&mut self) {
        self.emulator.stopping.cancel();
        for thread in self.threads.drain(..) {
            // A worker that panicked has ended as well; there is nothing left to undo.
            let _ = thread.join();
        }
    }
}

async fn accept(
    listener: TcpListener,
    queues: Vec<UnboundedSender<TcpStream>>,
    stopping: CancellationToken,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the emulator cannot register its listener");
            return;
        }
    };
    let mut turn = 0;
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // Another worker's runtime cannot use this socket as it is registered here.
        match accepted.and_then(|(socket, _)| socket.into_std()) {
            Ok(socket) => {
                // A worker that has ended drops its connections, as a stopped server does.
                let _ = queues[turn % queues.len()].send(socket);
                turn = turn.wrapping_add(1);
            }
            Err(error) => {
                // Out of file descriptors, usually: give the workers time to close some.
                tracing::warn!(%error, "the emulator cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn work(emulator: Arc<Emulator>, connections: HandedConnections) {
    let stopping = emulator.stopping.clone();
    let service = Router::new()
        .fallback(service::serve)
        .with_state(emulator)
        .into_make_service_with_connect_info::<ResetSwitch>();
    let serving = axum::serve(connections, service)
        .with_graceful_shutdown(stopping.clone().cancelled_owned());
    tokio::select! {
        result = serving => {
            if let Err(error) = result {
                tracing::error!(%error, "an emulator worker ended");
            }
        }
        () = async {
            stopping.cancelled().await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        } => {}
    }
}

/// The connections that the accepting thread hands to one worker.
#[derive(Debug)]
pub struct HandedConnections {
    connections: UnboundedReceiver<TcpStream>,
    address: SocketAddr,
}

impl Listener for HandedConnections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let Some(socket) = self.connections.recv().await else {
                // The accepting thread has ended: wait for the graceful shutdown.
                return std::future::pending().await;
            };
            let registered = socket.set_nonblocking(true).and_then(|()| {
                // Answers are small and somebody waits for them.
                socket.set_nodelay(true)?;
                tokio::net::TcpStream::from_std(socket)
            });
            match registered {
                Ok(socket) => return (Connection::new(socket), self.address),
                Err(error) => tracing::debug!(%error, "a connection ended before it was served"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
