//! The socket of an engine, whatever it is made of.
//!
//! Owns the one form in which a link reads and writes. Promises that what has come can be taken
//! without waiting for more. Never looks at the bytes.

use bytes::BytesMut;
use futures::FutureExt;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// What bytes go through: a Unix socket, TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A stream of any kind.
pub(super) type Socket = Box<dyn Stream>;

/// Takes what has come already: how many bytes, `None` for nothing yet.
pub(super) fn take_ready(socket: &mut Socket, input: &mut BytesMut) -> io::Result<Option<usize>> {
    // A read that is not ready is given up without a loss: it has read nothing.
    socket.read_buf(input).now_or_never().transpose()
}
