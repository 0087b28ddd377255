//! A cancel of what an engine runs, as any PostgreSQL takes it.
//!
//! Owns the request, which has a connection of its own. Promises that it has reached the server when
//! it is sent, so that it is not for a later statement; and that work which does not leave off is
//! told of to its caller. Never ends an engine.

use super::external::Server;
use bytes::BytesMut;
use postgres_protocol::message::frontend;
use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

/// How long work may take to leave off.
const LEAVE_OFF_MAX: Duration = Duration::from_secs(10);

/// How long one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// After so long it is asked again: the first may have come between two statements of the work.
const AGAIN: Duration = Duration::from_millis(250);

/// Has the statements of one connection leave off. Cheap to clone.
#[derive(Clone)]
pub struct Canceller {
    server: Arc<Server>,
    process_id: i32,
    secret_key: i32,
}

impl fmt::Debug for Canceller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever knows its key may cancel.
        formatter.write_str("Canceller")
    }
}

impl Canceller {
    pub(super) fn new(server: Arc<Server>, process_id: i32, secret_key: i32) -> Self {
        Canceller {
            server,
            process_id,
            secret_key,
        }
    }

    /// Has `work` leave off what it waits for in the engine. What came of it; `None`: it goes on.
    pub async fn leave_off<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        let until = Instant::now() + LEAVE_OFF_MAX;
        while Instant::now() < until {
            let mut done = None;
            let mut request = pin!(self.request());
            loop {
                tokio::select! {
                    ended = &mut work, if done.is_none() => done = Some(ended),
                    () = &mut request => break,
                }
            }
            if done.is_some() {
                return done;
            }
            tokio::select! {
                ended = &mut work => return Some(ended),
                () = sleep(AGAIN) => {}
            }
        }
        None
    }

    async fn request(&self) {
        let sent = async {
            let mut socket = self.server.socket().await.map_err(io::Error::other)?;
            let mut request = BytesMut::new();
            frontend::cancel_request(self.process_id, self.secret_key, &mut request);
            socket.write_all(&request).await?;
            socket.flush().await?;
            // It answers nothing; it closes when the statement has been told.
            socket.read_u8().await
        };
        // One that does not arrive is asked again, or the engine ends.
        let _ = timeout(REQUEST_MAX, sent).await;
    }
}
