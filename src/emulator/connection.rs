//! A TCP connection that a fault can reset.
//!
//! Owns the socket and a switch shared with the request handler: once the switch is
//! thrown, the next write fails, and the socket is closed with a reset instead of an
//! orderly end. Never reads or writes on its own.

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::server::HandedConnections;

/// The handler's end of the switch.
#[derive(Debug, Clone, Default)]
pub struct ResetSwitch {
    thrown: Arc<AtomicBool>,
}

impl ResetSwitch {
    /// Resets the connection when the answer is to be written.
    pub fn throw(&self) {
        self.thrown.store(true, Ordering::Release);
    }

    fn is_thrown(&self) -> bool {
        self.thrown.load(Ordering::Acquire)
    }
}

impl Connected<IncomingStream<'_, HandedConnections>> for ResetSwitch {
    fn connect_info(stream: IncomingStream<'_, HandedConnections>) -> Self {
        stream.io().switch.clone()
    }
}

/// The server's end.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    switch: ResetSwitch,
}

impl Connection {
    pub fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            switch: ResetSwitch::default(),
        }
    }

    fn check(&self) -> io::Result<()> {
        if !self.switch.is_thrown() {
            return Ok(());
        }
        // With no time to linger, closing sends a reset. If the option cannot be set the
        // connection still ends without an answer, which is what the fault is about.
        let _ = self.socket.set_zero_linger();
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An orderly shutdown would send an end of stream before the reset.
        self.check()?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
