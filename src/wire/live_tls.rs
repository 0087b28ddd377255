//! The TLS identity of new connections, renewed when its files change.
//!
//! Owns the watch over the files. Promises that new files are tried out before they are used, that
//! bad ones leave the old identity in use and are told once, and that a connection keeps the
//! identity that its handshake began with. Never closes a connection for it.

use super::WireError;
use super::tls::{Fingerprint, TlsFiles, TlsIdentity};
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
        let Some(source) = self.current().and_then(|tls| tls.source().cloned()) else {
            return;
        };
        let counters = CertificateCounters::new();
        let mut seen = Ok(source.fingerprint);
        loop {
            tokio::time::sleep(interval).await;
            // Files may be on a disk that hangs, and this thread accepts connections.
            let files = source.files.clone();
            let looked = tokio::task::spawn_blocking(move || look(&files, seen)).await;
            let Ok((now, news)) = looked else {
                tracing::error!("the TLS files are not watched any more");
                return;
            };
            seen = now;
            match news {
                None => {}
                Some(Ok(identity)) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(identity);
                    counters.reloads.add(TokenOutcome::Succeeded, 1);
                    tracing::info!("the TLS files changed: new connections use them");
                }
                Some(Err(error)) => {
                    counters.reloads.add(TokenOutcome::Failed, 1);
                    tracing::error!(
                        %error,
                        "the TLS files changed and cannot be used: the old ones stay in use"
                    );
                }
            }
        }
    }
}

/// What was read last, or the words of the error.
type Seen = Result<Fingerprint, String>;

/// Reads the files. News, if they are not as they were seen last.
fn look(files: &TlsFiles, seen: Seen) -> (Seen, Option<Result<TlsIdentity, WireError>>) {
    match files.read() {
        Ok(material) => {
            let now = Ok(material.fingerprint());
            let news = (now != seen).then(|| files.identity(&material));
            (now, news)
        }
        Err(error) => {
            let now = Err(error.to_string());
            let news = (now != seen).then_some(Err(error));
            (now, news)
        }
    }
}
