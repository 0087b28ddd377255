//! SIGTERM and Ctrl-C: the first one drains, the second one ends at once.
//!
//! Owns the signal streams. Promises that the drain starts with the first signal and that a
//! second one is heard while it runs. Never exits the process itself.

use std::future::Future;
use std::io;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How the process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything in flight was finished, or its time was up.
    Drained,
    /// A second signal came first.
    AtOnce,
}

/// The two signals, heard from the moment this exists.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts listening: before the ready line, so that no signal meets the default action.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for a signal, then runs `drain` to its end or to a second signal.
    pub async fn ended(mut self, drain: impl Future<Output = ()>) -> Ending {
        self.next().await;
        tracing::info!("ending: statements in flight are finished first");
        tokio::select! {
            () = drain => Ending::Drained,
            () = self.next() => {
                tracing::warn!("second signal: ending at once");
                Ending::AtOnce
            }
        }
    }
}

impl Ending {
    /// The exit code of a process that ended so: success, or 130 as shells have it.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Ending::Drained => ExitCode::SUCCESS,
            Ending::AtOnce => ExitCode::from(130),
        }
    }
}
