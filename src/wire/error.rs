//! Why the listener could not start.
//!
//! Owns the errors of starting; what happens on a connection is a
//! [`Diagnostic`](crate::diagnostic::Diagnostic). Never carries a secret.

use crate::spool::SpoolOpenError;
use std::io;
use std::net::SocketAddr;

/// What keeps the gateway from listening. Each is for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Another process has the port, or the address is not of this host.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        address: SocketAddr,
        error: io::Error,
    },
    /// Certificate or key cannot be used.
    #[error("TLS cannot be set up: {reason}")]
    Tls { reason: String },
    /// Rows of transactions cannot be put on disk.
    #[error(transparent)]
    Spool(#[from] SpoolOpenError),
    /// A thread could not be started.
    #[error("cannot start the connection threads: {error}")]
    Threads { error: io::Error },
}
