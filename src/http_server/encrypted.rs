//! Connections that begin with a TLS handshake.
//!
//! Owns the handshakes. Promises that a client that is slow with its own delays nobody else's, that
//! a bounded number of them are under way, and that each has a bounded time. Never speaks HTTP.

use super::CurrentTls;
use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Time of a handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// Handshakes under way; later connections wait unaccepted.
const HANDSHAKES_MAX: usize = 64;

/// Pause after an accept that failed: the process is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

type Ready = (TlsStream<TcpStream>, SocketAddr);

/// Hands out connections whose handshake is done.
pub(super) struct EncryptedListener {
    ready: mpsc::Receiver<Ready>,
    address: io::Result<SocketAddr>,
}

impl EncryptedListener {
    /// Begins to accept on the runtime that it is called on.
    pub fn new(listener: TcpListener, tls: CurrentTls) -> Self {
        let address = listener.local_addr();
        let (sender, ready) = mpsc::channel(HANDSHAKES_MAX);
        tokio::spawn(accept(listener, tls, sender));
        EncryptedListener { ready, address }
    }
}

async fn accept(listener: TcpListener, tls: CurrentTls, ready: mpsc::Sender<Ready>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = ready.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let acceptor = TlsAcceptor::from(tls());
        let ready = ready.clone();
        tokio::spawn(async move {
            let _place = place;
            match tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(socket)).await {
                // The server may have ended meanwhile.
                Ok(Ok(stream)) => drop(ready.send((stream, peer)).await),
                Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
            }
        });
    }
}

impl Listener for EncryptedListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Ready {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The task that accepts lives as long as this: it cannot come to this but by a panic.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.address {
            Ok(address) => Ok(*address),
            Err(error) => Err(error.kind().into()),
        }
    }
}
