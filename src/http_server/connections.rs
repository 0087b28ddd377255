//! The connections of an HTTP server.
//!
//! Owns accepting, handshakes and how long a request may take to come. Promises that a client that is
//! slow delays nobody else, that one that sends its request byte by byte is closed, and that errors of
//! one connection never end the accepting. Never knows a path.

use super::CurrentTls;
use super::places::{Place, Places, Seat};
use axum::Router;
use axum::body::HttpBody;
use axum::extract::Request;
use axum::middleware::{self, Next};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Bytes of a request's head, with a token of hundreds of groups.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Pause after an accept that failed: the process is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every connection needs.
#[derive(Clone)]
pub(super) struct Served {
    pub routes: Router,
    pub tls: Option<CurrentTls>,
    /// How long a handshake may take, and then each request to come.
    pub request_within: Duration,
}

/// Accepts until `drained`, and returns when every connection has ended.
pub(super) async fn serve(
    listener: TcpListener,
    served: Served,
    drained: impl Future<Output = ()>,
) {
    let places = Places::new(served.request_within);
    let draining = CancellationToken::new();
    // Closed when the last connection has dropped its end.
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    let mut drained = pin!(drained);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut drained => break,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(seat) = places.take() else {
            tracing::warn!(%peer, "an HTTP connection is closed: too many are being answered");
            continue;
        };
        let (served, draining, alive) = (served.clone(), draining.clone(), alive.clone());
        tokio::spawn(async move {
            connection(socket, peer, served, &seat, draining).await;
            drop((seat, alive));
        });
    }
    draining.cancel();
    drop((listener, alive));
    // Nobody sends: it ends when all are gone.
    let _ = all_gone.recv().await;
}

async fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    served: Served,
    seat: &Seat,
    draining: CancellationToken,
) {
    let place = seat.place.clone();
    let spoken = async {
        let Some(tls) = &served.tls else {
            return speak(socket, peer, &served, place, draining).await;
        };
        let handshake = TlsAcceptor::from(tls()).accept(socket);
        match tokio::time::timeout(served.request_within, handshake).await {
            Ok(Ok(stream)) => speak(stream, peer, &served, place, draining).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        }
    };
    tokio::select! {
        () = spoken => {}
        () = seat.place.taken_away() => {
            tracing::debug!(%peer, "an HTTP connection without a request gave its place away");
        }
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    served: &Served,
    place: Place,
    draining: CancellationToken,
) {
    let noting = middleware::from_fn(move |request, next| note(place.clone(), request, next));
    let service = TowerToHyperService::new(served.routes.clone().layer(noting));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(served.request_within)
        .max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let spoken = tokio::select! {
        spoken = connection.as_mut() => spoken,
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = spoken {
        tracing::debug!(%peer, %error, "an HTTP connection ended by a fault");
    }
}

/// Notes when a request is there and when it is answered. A body is waited for by whoever reads it.
async fn note(place: Place, mut request: Request, next: Next) -> axum::response::Response {
    place.is_answered(request.body().is_end_stream());
    request.extensions_mut().insert(place.clone());
    let response = next.run(request).await;
    place.is_answered(false);
    response
}
