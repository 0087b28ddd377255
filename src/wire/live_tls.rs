//! The TLS identity of new connections, renewed when its files change.
//!
//! Owns the watch over the files. Promises that new files are tried out before they are used, that
//! bad ones leave the old identity in use and are told once, and that a connection keeps the
//! identity that its handshake began with. Never closes a connection for it.

use super::WireError;
use super::tls::{TlsFiles, TlsIdentity, TlsMaterial};
use crate::telemetry::{CertificateCounters, TokenOutcome};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The identity now. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct LiveTls {
    current: Arc<RwLock<Option<TlsIdentity>>>,
}

impl LiveTls {
    pub(super) fn new(identity: Option<TlsIdentity>) -> Self {
        LiveTls {
            current: Arc::new(RwLock::new(identity)),
        }
    }

    /// For one connection; `None`: no TLS.
    pub(super) fn current(&self) -> Option<TlsIdentity> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Looks at the files every `interval`, for ever. At once back without files.
    pub(super) async fn watch(self, interval: Duration) {
        let Some(files) = self.current().and_then(|tls| tls.files().cloned()) else {
            return;
        };
        let counters = CertificateCounters::new();
        let mut seen = None;
        loop {
            // Files may be on a disk that hangs, and this thread accepts connections.
            let files = files.clone();
            let looked = tokio::task::spawn_blocking(move || look(&files, seen.take())).await;
            let Ok((now, news)) = looked else {
                tracing::error!("the TLS files are not watched any more");
                return;
            };
            seen = now;
            match news {
                None => {}
                Some(Ok(identity)) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) =
                        Some(identity);
                    counters.reloads.add(TokenOutcome::Succeeded, 1);
                    tracing::info!("the TLS files changed: new connections use them");
                }
                Some(Err(error)) => {
                    counters.reloads.add(TokenOutcome::Failed, 1);
                    tracing::error!(%error, "the TLS files changed and cannot be used: the old ones stay");
                }
            }
            tokio::time::sleep(interval).await;
        }
    }
}

/// What was read last: the material, or the words of the error.
type Seen = Option<Result<TlsMaterial, String>>;

/// Reads the files. News, if they are not as they were seen last.
fn look(files: &Arc<TlsFiles>, seen: Seen) -> (Seen, Option<Result<TlsIdentity, WireError>>) {
    let read = files.read();
    let is_new = match (&read, &seen) {
        // What the gateway started with.
        (Ok(_), None) => false,
        (Ok(material), Some(Ok(known))) => material != known,
        (Err(error), Some(Err(known))) => error.to_string() != *known,
        _ => true,
    };
    match read {
        Ok(material) => {
            let news = is_new.then(|| files.identity(&material));
            (Some(Ok(material)), news)
        }
        Err(error) => (
            Some(Err(error.to_string())),
            is_new.then_some(Err(error)),
        ),
    }
}
