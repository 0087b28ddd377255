//! An HTTP server on a thread and runtime of its own.
//!
//! Owns listener, thread and end; which paths there are is its owner's business. Promises that the
//! address is bound when [`start`] returns, that clients who never send a request hold a bounded number
//! of places for a bounded time, and that [`HttpServer::stop`] returns within a second or so even if a
//! client keeps a connection open. Never shares a runtime with the data path: a
//! busy one does not delay a health check, and a scrape does not delay rows.

mod connections;
mod places;

pub use places::Place;

use axum::Router;
use connections::Served;
use rustls::ServerConfig;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long open connections may delay the end.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// What a handshake offers at this moment: certificates are renewed while a server runs.
pub type CurrentTls = Arc<dyn Fn() -> Arc<ServerConfig> + Send + Sync>;

/// A running server. Dropping it stops the server without waiting.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl HttpServer {
    /// Where it listens, with the port that was given.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the server and waits for its end.
    pub fn stop(self) {
        // The receiver is gone only if the thread has ended already.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!(address = %self.address, "an HTTP server ended by a fault");
        }
    }
}

/// Listens on `address` and serves the paths that `routes` makes on the server's own runtime, until
/// stopped. Port 0 picks a free one. `name` is the thread's; a request may take `request_within` to
/// come.
///
/// # Errors
/// The address cannot be bound, or the thread or its runtime cannot be made.
pub fn start(
    name: &str,
    address: SocketAddr,
    tls: Option<CurrentTls>,
    request_within: Duration,
    routes: impl FnOnce() -> Router + Send + 'static,
) -> io::Result<HttpServer> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let served = runtime.block_on(async {
                let served = Served {
                    routes: routes(),
                    tls,
                    request_within,
                };
                serve(listener, served, stopped).await
            });
            if let Err(error) = served {
                tracing::error!(%address, %error, "an HTTP server cannot listen");
            }
        })?;
    Ok(HttpServer {
        address,
        stop,
        thread,
    })
}

async fn serve(
    listener: TcpListener,
    served: Served,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (drain, drained) = oneshot::channel::<()>();
    let drained = async move {
        let _ = drained.await;
    };
    let end = async move {
        // A dropped handle means stop, too.
        let _ = stopped.await;
        drop(drain);
        tokio::time::sleep(STOP_WITHIN).await;
    };
    tokio::select! {
        () = connections::serve(listener, served, drained) => {}
        () = end => {}
    }
    Ok(())
}
