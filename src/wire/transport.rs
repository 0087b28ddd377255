//! The socket of one client, plain or TLS, with its buffers in both directions.
//!
//! Owns the socket. Promises that every operation may be dropped half-way without losing a
//! byte, and that while replies wait to be taken, requests are still read up to a bound: a
//! client that sends its whole pipeline before it reads cannot lock up both sides. A client that
//! sends without end leaves the thread to others between two reads; one that is silent has no
//! buffers. Never interprets a byte.

use bytes::{Buf, BytesMut};
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::server::TlsStream;
use x509_certificate::CapturedX509Certificate;

/// Free space that a read starts with: the least, for clients that send little, and the most,
/// for those that fill what they get.
const READ_BYTES_MIN: usize = 8 << 10;
const READ_BYTES_MAX: usize = 256 << 10;

/// Most that is read ahead while replies cannot be written.
const READ_AHEAD_BYTES_MAX: usize = 1 << 20;

/// After so many bytes the other connections of the thread have a turn: work for about a
/// millisecond. The runtime alone lets 128 reads pass, which is a tenth of a second.
const TURN_BYTES: usize = 256 << 10;

/// How long a closed connection is still read.
const LINGER_MAX: Duration = Duration::from_secs(2);

/// A client that sends nothing for so long has sent all.
const LINGER_SILENCE: Duration = Duration::from_millis(100);

/// A connection, plain or encrypted.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    fn reader(&mut self) -> &mut (dyn AsyncRead + Unpin) {
        match self {
            Socket::Plain(socket) => socket,
            Socket::Tls(socket) => socket.as_mut(),
        }
    }

    fn writer(&mut self) -> &mut (dyn AsyncWrite + Unpin) {
        match self {
            Socket::Plain(socket) => socket,
            Socket::Tls(socket) => socket.as_mut(),
        }
    }
}

/// The socket with what has come and what is to go.
pub(super) struct Transport {
    socket: Socket,
    /// Received and not yet taken.
    pub(super) input: BytesMut,
    /// To be sent by the next [`Transport::flush`].
    pub(super) output: BytesMut,
    /// Free space that the next read starts with.
    read_bytes: usize,
    /// Received since others last had a turn.
    turn_bytes: usize,
    /// The client is silent: there is no buffer until it sends.
    is_resting: bool,
}

impl Transport {
    pub(super) fn new(socket: Socket) -> Self {
        Transport {
            socket,
            input: BytesMut::new(),
            output: BytesMut::new(),
            read_bytes: READ_BYTES_MIN,
            turn_bytes: 0,
            is_resting: false,
        }
    }

    /// The socket, for the TLS handshake; what was received must have been taken.
    pub(super) fn into_socket(self) -> Socket {
        self.socket
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.socket, Socket::Tls(_))
    }

    /// The gateway's port of the connection; `None` where the system does not tell.
    pub(super) fn local_port(&self) -> Option<u16> {
        self.local_address().map(|address| address.port())
    }

    /// The gateway's end of the connection; `None` where the system does not tell.
    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        let socket = match &self.socket {
            Socket::Plain(socket) => socket,
            Socket::Tls(socket) => socket.get_ref().0,
        };
        socket.local_addr().ok()
    }

    /// Whether the TLS handshake agreed on a protocol name; ours is the only one offered.
    pub(super) fn negotiated_application_protocol(&self) -> bool {
        match &self.socket {
            Socket::Plain(_) => false,
            Socket::Tls(socket) => socket.get_ref().1.alpn_protocol().is_some(),
        }
    }

    /// The common name in the certificate that the client showed in the handshake, which has
    /// checked it; `Some(None)`: it has none. `None`: no certificate.
    pub(super) fn client_certificate_name(&self) -> Option<Option<String>> {
        let Socket::Tls(socket) = &self.socket else {
            return None;
        };
        let certificate = socket.get_ref().1.peer_certificates()?.first()?;
        let name = CapturedX509Certificate::from_der(certificate.to_vec())
            .ok()
            .and_then(|certificate| certificate.subject_common_name());
        Some(name)
    }

    /// Waits for more bytes of the client. 0: it closed the connection.
    pub(super) async fn fill(&mut self) -> io::Result<usize> {
        if self.turn_bytes >= TURN_BYTES {
            self.turn_bytes = 0;
            tokio::task::yield_now().await;
        }
        if self.is_resting {
            let received = std::future::poll_fn(|context| self.poll_awake(context)).await?;
            self.is_resting = false;
            self.turn_bytes += received;
            if received < READ_BYTES_MIN {
                self.expect_less_than(received);
            }
            return Ok(received);
        }
        self.input.reserve(self.read_bytes);
        let free = self.input.capacity() - self.input.len();
        let received = self.socket.reader().read_buf(&mut self.input).await?;
        self.turn_bytes += received;
        if received == free {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        } else {
            self.expect_less_than(received);
        }
        Ok(received)
    }

    /// Starts the next read with less space where `received` did not need what there was.
    fn expect_less_than(&mut self, received: usize) {
        if received < self.read_bytes / 4 {
            self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
        }
    }

    /// Reads without a buffer to wait in: what comes first is copied into one of its size.
    fn poll_awake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); READ_BYTES_MIN];
        let mut buffer = ReadBuf::uninit(&mut space);
        std::task::ready!(Pin::new(self.socket.reader()).poll_read(context, &mut buffer))?;
        self.input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Gives the buffers back while the client is silent. What a buffer still has room for says
    /// nothing of its size: all of it may be behind.
    pub(super) fn rest(&mut self) {
        if self.output.is_empty() {
            self.output = BytesMut::new();
        }
        if self.input.is_empty() {
            self.input = BytesMut::new();
            self.is_resting = true;
        }
    }

    /// Sends all output, reading ahead meanwhile.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            std::future::poll_fn(|context| self.poll_write_some(context)).await?;
        }
        // TLS keeps records of its own until it is flushed.
        self.socket.writer().flush().await
    }

    /// Sends the output and closes. What the client still sends is read and dropped for a
    /// moment: closing with unread input would make the system throw the last words away.
    pub(super) async fn close(&mut self) {
        // The client may be gone already, which is what closing is about.
        if self.flush().await.is_err() || self.socket.writer().shutdown().await.is_err() {
            return;
        }
        let deadline = Instant::now() + LINGER_MAX;
        while Instant::now() < deadline {
            self.input.clear();
            match timeout(LINGER_SILENCE, self.fill()).await {
                Ok(Ok(received)) if received > 0 => {}
                _ => return,
            }
        }
    }

    /// Writes at least one byte; when it cannot, reads what has come.
    fn poll_write_some(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(self.socket.writer()).poll_write(context, &self.output) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(written)) => {
                self.output.advance(written);
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {}
        }
        while self.input.len() < READ_AHEAD_BYTES_MAX {
            let mut space = [0u8; 4096];
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(self.socket.reader()).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    // The client stopped sending; it may still read, and the write will tell.
                    return Poll::Pending;
                }
                Poll::Ready(Ok(())) => self.input.extend_from_slice(buffer.filled()),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Both ends of one connection: the gateway's, and the client's.
    async fn connected() -> (Transport, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (socket, _) = accepted.expect("accepted");
        let transport = Transport::new(Socket::Plain(socket));
        (transport, client.expect("connected"))
    }

    fn message(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|index| (index % 251) as u8).collect()
    }

    async fn receive(transport: &mut Transport, bytes: usize) -> BytesMut {
        while transport.input.len() < bytes {
            assert_ne!(transport.fill().await.expect("readable"), 0, "it closed");
        }
        transport.input.split_to(bytes)
    }

    #[tokio::test]
    async fn a_silent_connection_has_no_buffers_whatever_it_carried() {
        let (mut transport, mut client) = connected().await;
        for bytes in [1, 100, READ_BYTES_MIN, READ_BYTES_MIN + 1, 1 << 20, 7] {
            let sent = message(bytes);
            let (written, received) =
                tokio::join!(client.write_all(&sent), receive(&mut transport, bytes));
            written.expect("sent");
            assert_eq!(received, sent);
            drop(received);
            transport.output.extend_from_slice(&sent);
            let mut answer = vec![0; bytes];
            let (flushed, answered) =
                tokio::join!(transport.flush(), client.read_exact(&mut answer));
            flushed.expect("flushed");
            answered.expect("answered");
            assert_eq!(answer, sent);
            transport.rest();
            assert_eq!(transport.input.capacity(), 0);
            assert_eq!(transport.output.capacity(), 0);
            // Waiting takes none either, and giving the wait up loses nothing.
            assert!(timeout(Duration::ZERO, transport.fill()).await.is_err());
            assert_eq!(transport.input.capacity(), 0);
        }
    }

    #[tokio::test]
    async fn what_ends_a_silence_is_read_whole_and_so_is_the_end() {
        let (mut transport, mut client) = connected().await;
        transport.rest();
        let sent = message(3 * READ_BYTES_MIN);
        client.write_all(&sent).await.expect("sent");
        assert_eq!(receive(&mut transport, sent.len()).await, sent);
        transport.rest();
        drop(client);
        assert_eq!(transport.fill().await.expect("readable"), 0);
    }
}
