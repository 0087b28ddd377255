//! The admin server's thread.
//!
//! Owns the listener, the thread and its end. Promises that the address is bound when
//! [`start`] returns, and that [`AdminHandle::stop`] returns within a second or so even if a
//! client keeps a connection open. Never shares a runtime with the data path.

use super::letters::Letters;
use super::readiness::Readiness;
use super::routes::{AdminState, router};
use crate::cdf::Secret;
use crate::telemetry::Scrape;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often observations are moved into their buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How long open connections may delay the end.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// What only callers with the bearer token may use.
#[derive(Default)]
pub struct Guarded {
    /// `None`: nobody may.
    pub token: Option<Secret>,
    /// `None`: no dead letters are kept.
    pub letters: Option<Letters>,
}

/// A running admin server. Dropping it stops the server without waiting.
#[derive(Debug)]
pub struct AdminHandle {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl AdminHandle {
    /// Where it listens, with the port that was given.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the server and waits for its end.
    pub fn stop(self) {
        // The receiver is gone only if the thread has ended already.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the admin server ended by a fault");
        }
    }
}

/// Listens on `address` and serves until stopped. Port 0 picks a free one.
///
/// # Errors
/// The address cannot be bound, or the thread or its runtime cannot be made.
pub fn start(
    address: SocketAddr,
    scrape: Scrape,
    readiness: Readiness,
    guarded: Guarded,
) -> io::Result<AdminHandle> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("admin".to_owned())
        .spawn(move || {
            let served = runtime.block_on(serve(listener, scrape, readiness, guarded, stopped));
            if let Err(error) = served {
                tracing::error!(%error, "the admin server cannot listen");
            }
        })?;
    Ok(AdminHandle {
        address,
        stop,
        thread,
    })
}

async fn serve(
    listener: TcpListener,
    scrape: Scrape,
    readiness: Readiness,
    guarded: Guarded,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let upkeep = scrape.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    let (drain, drained) = oneshot::channel::<()>();
    let letters = super::letters::router(guarded.token, guarded.letters);
    let routes = router(AdminState { scrape, readiness }).merge(letters);
    let server = axum::serve(listener, routes).with_graceful_shutdown(async move {
        let _ = drained.await;
    });
    let end = async move {
        // A dropped handle means stop, too.
        let _ = stopped.await;
        drop(drain);
        tokio::time::sleep(STOP_WITHIN).await;
    };
    tokio::select! {
        served = server => served,
        () = end => Ok(()),
    }
}
