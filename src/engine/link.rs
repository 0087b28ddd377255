//! One connection to an engine: what is asked, and what comes back.
//!
//! Owns the socket and its buffers. Promises that the answers to one question are read to the end
//! before the next is asked, and that a copy into the engine holds no more than a chunk. Never
//! decides what is asked.

use super::canceller::Canceller;
use super::fault::EngineFault;
use super::frame::Frame;
use super::powers::Powers;
use super::socket::{Socket, take_ready};
use bytes::{Bytes, BytesMut};
use postgres_protocol::message::frontend;
use std::fmt;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long an engine may take no byte of rows. Nobody else gets the memory that they are in meanwhile.
const STALL_MAX: Duration = Duration::from_secs(300);

/// Free space that a read starts with.
const READ_BYTES: usize = 64 << 10;

/// One connection.
pub struct EngineLink {
    socket: Socket,
    input: BytesMut,
    output: BytesMut,
    powers: Powers,
    canceller: Option<Canceller>,
}

impl fmt::Debug for EngineLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EngineLink")
    }
}

/// A row of an answer to a question of the gateway's own.
pub type TextRow = Vec<Option<String>>;

impl EngineLink {
    /// Over a socket on which nothing was said yet.
    pub(super) fn of(socket: Socket, powers: Powers) -> Self {
        EngineLink {
            socket,
            input: BytesMut::new(),
            output: BytesMut::new(),
            powers,
            canceller: None,
        }
    }

    /// What the gateway may do there.
    pub fn powers(&self) -> &Powers {
        &self.powers
    }

    pub(super) fn set_powers(&mut self, powers: Powers) {
        self.powers = powers;
    }

    /// What has its statements leave off; `None`: they do not, and the engine is to be ended.
    pub fn canceller(&self) -> Option<Canceller> {
        self.canceller.clone()
    }

    pub(super) fn set_canceller(&mut self, canceller: Canceller) {
        self.canceller = Some(canceller);
    }

    /// Whether it has not been closed while nothing was asked.
    pub(super) fn is_open(&mut self) -> bool {
        loop {
            match self.received() {
                Ok(None) => return true,
                // The last words of a server that stops.
                Ok(Some(frame)) if frame.kind == b'E' => return false,
                Ok(Some(_)) => {}
                Err(_) => return false,
            }
        }
    }

    /// Connects as `user` to `database`; the engine asks for no password.
    ///
    /// # Errors
    /// `Refused` with what it said, `Broken` when it cannot be reached.
    pub async fn connect(path: &Path, user: &str, database: &str) -> Result<Self, EngineFault> {
        let socket = UnixStream::connect(path).await?;
        let mut link = EngineLink::of(Box::new(socket), Powers::Superuser(user.into()));
        let parameters = [
            ("user", user),
            ("database", database),
            ("client_encoding", "UTF8"),
            ("application_name", "penstock"),
        ];
        frontend::startup_message(parameters, &mut link.output)?;
        link.send().await?;
        link.until_ready(|_| Ok(())).await?;
        Ok(link)
    }

    /// Waits until an engine that takes one connection at a time has done with the last one.
    ///
    /// # Errors
    /// `Broken` when it cannot be reached.
    pub async fn await_closed(path: &Path) -> Result<(), EngineFault> {
        let mut socket = UnixStream::connect(path).await?;
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        socket.write_all(&request).await?;
        // It says no; but only when it is this connection's turn.
        socket.read_u8().await?;
        Ok(())
    }

    /// Asks for a query string by the simple protocol; the answer is to be received.
    ///
    /// # Errors
    /// `Broken` for a NUL within.
    pub fn ask(&mut self, sql: &str) -> Result<(), EngineFault> {
        Ok(frontend::query(sql, &mut self.output)?)
    }

    /// The messages of the extended protocol are put here.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Sends what was asked.
    ///
    /// # Errors
    /// `Broken` when it is gone.
    pub async fn send(&mut self) -> Result<(), EngineFault> {
        self.socket.write_all(&self.output).await?;
        self.socket.flush().await?;
        self.output.clear();
        if self.output.capacity() > READ_BYTES {
            self.output = BytesMut::new();
        }
        Ok(())
    }

    /// The next message.
    ///
    /// # Errors
    /// `Broken` when the connection ends.
    pub async fn receive(&mut self) -> Result<Frame, EngineFault> {
        loop {
            if let Some(frame) = Frame::next(&mut self.input)? {
                return Ok(frame);
            }
            self.input.reserve(READ_BYTES);
            if self.socket.read_buf(&mut self.input).await? == 0 {
                return Err(EngineFault::Broken("it closed the connection".to_owned()));
            }
        }
    }

    /// The next message, if it has come already.
    ///
    /// # Errors
    /// `Broken` when the connection has ended.
    pub fn received(&mut self) -> Result<Option<Frame>, EngineFault> {
        loop {
            if let Some(frame) = Frame::next(&mut self.input)? {
                return Ok(Some(frame));
            }
            self.input.reserve(READ_BYTES);
            match take_ready(&mut self.socket, &mut self.input)? {
                Some(0) => return Err(EngineFault::Broken("it closed the connection".to_owned())),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Runs SQL of the gateway's own and returns the rows of all its statements.
    ///
    /// # Errors
    /// `Refused` with the first error; `Broken` when it is gone.
    pub async fn run(&mut self, sql: &str) -> Result<Vec<TextRow>, EngineFault> {
        self.ask(sql)?;
        self.send().await?;
        let mut rows = Vec::new();
        self.until_ready(|frame| {
            if frame.kind == b'D' {
                rows.push(frame.values()?);
            }
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Whatever comes next, the owner of the tables asks it.
    ///
    /// # Errors
    /// `Broken` when it is gone.
    pub async fn run_as_owner(&mut self) -> Result<(), EngineFault> {
        self.run(self.powers.as_owner()).await.map(drop)
    }

    /// Takes back what a statement did.
    ///
    /// # Errors
    /// `Broken` when it is gone; `Refused` when something stays behind.
    pub async fn clean(&mut self) -> Result<(), EngineFault> {
        self.run("ROLLBACK").await?;
        // Not in a transaction block, which a query string of several statements is.
        self.run("DISCARD ALL").await?;
        // Said anew: the single-user server that an engine is has no default to go back to, and a
        // transaction that becomes somebody else would stay so.
        self.run_as_owner().await
    }

    /// Makes the engine send rows as they come. The embedded one gathers a whole answer in memory
    /// until the first copy of a connection hands it the socket; from then on it streams.
    ///
    /// # Errors
    /// `Broken` when it is gone.
    pub async fn stream_answers(&mut self) -> Result<(), EngineFault> {
        self.run("BEGIN; CREATE TEMP TABLE nothing () ON COMMIT DROP")
            .await?;
        self.begin_copy("COPY nothing FROM STDIN").await?;
        self.end_copy().await?;
        self.run("ROLLBACK").await?;
        Ok(())
    }

    /// Begins a COPY … FROM STDIN of the gateway's own.
    ///
    /// # Errors
    /// `Refused` when it does not begin; `Broken` when the engine is gone.
    pub async fn begin_copy(&mut self, sql: &str) -> Result<(), EngineFault> {
        self.ask(sql)?;
        self.send().await?;
        loop {
            let frame = self.receive().await?;
            match frame.kind {
                b'G' => return Ok(()),
                b'E' => {
                    let refused = frame.diagnostic()?;
                    self.until_ready(|_| Ok(())).await?;
                    return Err(EngineFault::Refused(refused));
                }
                b'Z' => return Err(EngineFault::Broken("it did not begin a copy".to_owned())),
                _ => {}
            }
        }
    }

    /// Hands over a part of the copy's data.
    ///
    /// # Errors
    /// `Broken` when it is gone.
    pub async fn copy_chunk(&mut self, chunk: Bytes) -> Result<(), EngineFault> {
        frontend::CopyData::new(chunk)?.write(&mut self.output);
        self.send_within(STALL_MAX).await
    }

    /// Sends what was put into the buffer, to an engine that has to take it in that time.
    async fn send_within(&mut self, stall_max: Duration) -> Result<(), EngineFault> {
        let sent = timeout(stall_max, self.send()).await;
        sent.unwrap_or_else(|_| Err(EngineFault::Broken("it takes no more rows".to_owned())))
    }

    /// Ends the copy.
    ///
    /// # Errors
    /// `Refused` for data that it does not take; `Broken` when it is gone.
    pub async fn end_copy(&mut self) -> Result<(), EngineFault> {
        frontend::copy_done(&mut self.output);
        self.send().await?;
        self.until_ready(|_| Ok(())).await
    }

    /// Breaks the copy off: the transaction that it is in has failed then.
    ///
    /// # Errors
    /// `Broken` when it is gone.
    pub async fn fail_copy(&mut self) -> Result<(), EngineFault> {
        frontend::copy_fail("the rows could not be read", &mut self.output)?;
        self.send().await?;
        match self.until_ready(|_| Ok(())).await {
            // It repeats what it was told.
            Ok(()) | Err(EngineFault::Refused(_)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Reads up to ReadyForQuery, handing everything else over.
    ///
    /// # Errors
    /// `Refused` with the first error that came; `Broken` when it is gone.
    pub async fn until_ready(
        &mut self,
        mut take: impl FnMut(&Frame) -> Result<(), EngineFault>,
    ) -> Result<(), EngineFault> {
        let mut refused = None;
        loop {
            let frame = self.receive().await?;
            match frame.kind {
                b'Z' => break,
                b'E' if refused.is_none() => refused = Some(frame.diagnostic()?),
                _ => take(&frame)?,
            }
        }
        match refused {
            Some(diagnostic) => Err(EngineFault::Refused(diagnostic)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_that_takes_no_rows_is_given_up() {
        let (socket, _engine) = tokio::io::duplex(1 << 10);
        let mut link = EngineLink::of(Box::new(socket), Powers::Superuser("reader".into()));
        link.output().resize(64 << 10, b'x');
        let sent = link.send_within(Duration::from_millis(10)).await;
        assert!(matches!(sent, Err(EngineFault::Broken(_))), "{sent:?}");
    }
}
