//! What the child process does: it is one embedded PostgreSQL on a Unix socket.
//!
//! Owns the settings of the embedded server. Promises to end when its standard input does, so
//! that it never outlives the gateway, and to say on standard output when it can be asked. Never
//! listens where another user of the machine could connect: the directory is the gateway's own.

use super::READY;
use anyhow::Context;
use pglite_oxide::PgliteServer;
use std::io::{Read, Write};
use std::path::Path;

/// Settings that the gateway needs; the rest is PostgreSQL's own.
const SETTINGS: [(&str, &str); 6] = [
    // What RESET goes back to, as the gateway has it.
    ("search_path", "\"$user\", public"),
    // The tables are empty between statements: pages are read once.
    ("shared_buffers", "8MB"),
    ("temp_buffers", "4MB"),
    // No statement survives the process, and the template is written once.
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("max_wal_size", "32MB"),
];

/// Serves until standard input ends.
///
/// # Errors
/// The directory cannot be used, or the socket exists.
pub fn serve(directory: &Path, socket: &Path) -> anyhow::Result<()> {
    let mut server = PgliteServer::builder()
        .path(directory)
        .unix(socket)
        .relaxed_durability(true);
    for (name, value) in SETTINGS {
        server = server.postgres_config(name, value);
    }
    let server = server.start().context("start the embedded PostgreSQL")?;
    let mut output = std::io::stdout();
    writeln!(output, "{READY}").and_then(|()| output.flush())?;
    let mut byte = [0u8; 64];
    // Nothing is ever said there: it ends when the gateway closes it, or ends itself.
    while !matches!(std::io::stdin().read(&mut byte), Ok(0) | Err(_)) {}
    // A statement may run, and cannot be interrupted from within; what is on disk is thrown away.
    std::mem::forget(server);
    std::process::exit(0)
}
