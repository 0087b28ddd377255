//! The connections of one HTTP server.
//!
//! Owns how many there are and how long each may take. Promises that their number is bounded, that
//! a client that only holds a connection loses it to one that comes with a request, and that a
//! request that has begun is never broken off for another. Never knows a path.

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

/// Bytes of a request's head, with a token of hundreds of groups.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// An answer may still be on its way to a client that has none under way for less than this.
const IDLE_MIN: Duration = Duration::from_secs(1);

/// How many and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub connections_max: usize,
    /// From the end of a request, or the beginning, to the head of the next one.
    pub head_within: Duration,
}

impl Bounds {
    /// Far below the descriptors of a process, which clients of PostgreSQL need.
    pub const USUAL: Bounds = Bounds {
        connections_max: 256,
        head_within: Duration::from_secs(60),
    };
}

/// What one connection does.
#[derive(Debug)]
enum State {
    Busy,
    IdleSince(Instant),
    /// It was told to go.
    Leaving,
}

#[derive(Debug)]
struct Visit {
    state: State,
    leave: Arc<Notify>,
}

#[derive(Debug)]
struct Places {
    room: Arc<Semaphore>,
    visits: Mutex<HashMap<u64, Visit>>,
}

/// Room for one connection, given back on drop.
struct Place {
    places: Arc<Places>,
    number: u64,
    leave: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    fn visits(&self) -> MutexGuard<'_, HashMap<u64, Visit>> {
        // Every change is one insertion, removal or replacement.
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room, and makes it where somebody only holds it.
    async fn take(self: &Arc<Self>, number: u64) -> Place {
        let permit = loop {
            tokio::select! {
                biased;
                permit = self.room.clone().acquire_owned() => match permit {
                    Ok(permit) => break permit,
                    // Nobody closes it.
                    Err(_) => std::future::pending().await,
                },
                () = self.crowd_out() => {}
            }
        };
        let leave = Arc::new(Notify::new());
        let visit = Visit {
            state: State::IdleSince(Instant::now()),
            leave: leave.clone(),
        };
        self.visits().insert(number, visit);
        Place {
            places: self.clone(),
            number,
            leave,
            _permit: permit,
        }
    }

    /// Tells the one to go that has been idle for longest; returns when there may be another one.
    async fn crowd_out(&self) {
        let idle_for = |visit: &Visit| match visit.state {
            State::IdleSince(since) => Some(since.elapsed()).filter(|idle| *idle >= IDLE_MIN),
            State::Busy | State::Leaving => None,
        };
        {
            let mut visits = self.visits();
            let longest = visits
                .values_mut()
                .filter_map(|visit| Some((idle_for(visit)?, visit)))
                .max_by_key(|(idle, _)| *idle);
            if let Some((_, visit)) = longest {
                visit.state = State::Leaving;
                visit.leave.notify_one();
            }
        }
        tokio::time::sleep(IDLE_MIN).await;
    }
}

impl Place {
    /// Whether there may be a request: `false` for one that was told to go.
    fn begin(&self) -> bool {
        let mut visits = self.places.visits();
        match visits.get_mut(&self.number) {
            Some(visit) if !matches!(visit.state, State::Leaving) => {
                visit.state = State::Busy;
                true
            }
            _ => false,
        }
    }

    fn end(&self) {
        if let Some(visit) = self.places.visits().get_mut(&self.number) {
            visit.state = State::IdleSince(Instant::now());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.visits().remove(&self.number);
    }
}

/// Serves who comes, until `drained`; then waits for the requests that have begun.
pub(super) async fn serve<L: Listener>(
    mut listener: L,
    routes: Router,
    bounds: Bounds,
    drained: impl Future<Output = ()>,
) {
    let places = Arc::new(Places {
        room: Arc::new(Semaphore::new(bounds.connections_max)),
        visits: Mutex::default(),
    });
    let (draining, is_draining) = watch::channel(());
    let come = async {
        for number in 0.. {
            let (io, _) = listener.accept().await;
            let place = places.take(number).await;
            let routes = routes.clone();
            tokio::spawn(visit(io, routes, place, bounds, is_draining.clone()));
        }
    };
    tokio::select! {
        () = come => {}
        () = drained => {}
    }
    drop((listener, is_draining));
    // A receiver that is gone is a connection that has ended.
    let _ = draining.send(());
    draining.closed().await;
}

async fn visit<Io>(
    io: Io,
    routes: Router,
    place: Place,
    bounds: Bounds,
    mut is_draining: watch::Receiver<()>,
) where
    Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(|request| {
        let answered = place.begin().then(|| routes.call(request));
        let place = &place;
        async move {
            match answered {
                Some(answered) => {
                    let answer = answered.await;
                    place.end();
                    answer.map_err(|never| match never {})
                }
                // The connection ends with it.
                None => Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted)),
            }
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head_within)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(io), service)
    );
    let mut may_go_on = true;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "an HTTP connection ended by a fault");
                }
                return;
            }
            () = place.leave.notified() => return,
            _ = is_draining.changed(), if may_go_on => {
                may_go_on = false;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;

    const LONG: Duration = Duration::from_secs(3_600);

    /// A server with `/` and with `/slow`, which is answered when the test says so.
    async fn server(bounds: Bounds) -> (SocketAddr, Arc<Notify>, Arc<Notify>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (begun.clone(), go_on.clone());
        let slow = async move || {
            tell.notify_one();
            wait.notified().await;
            "slow"
        };
        let routes = Router::new()
            .route("/", get(async || "quick"))
            .route("/slow", get(slow));
        tokio::spawn(serve(listener, routes, bounds, std::future::pending()));
        (address, begun, go_on)
    }

    async fn ask(address: SocketAddr, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let head = format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream
    }

    /// All that comes until the server closes, however it does.
    async fn rest(mut stream: TcpStream) -> String {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).expect("text")
    }

    #[tokio::test]
    async fn who_only_holds_a_connection_loses_it_to_one_with_a_request() {
        let bounds = Bounds {
            connections_max: 3,
            head_within: LONG,
        };
        let (address, begun, go_on) = server(bounds).await;
        let busy = ask(address, "/slow").await;
        begun.notified().await;
        let mut idle = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            // A head without an end.
            stream.write_all(b"GET / HTTP/1.1\r\n").await.expect("sent");
            idle.push(stream);
        }
        for _ in 0..3 {
            assert!(rest(ask(address, "/").await).await.ends_with("quick"));
        }
        assert_eq!(rest(idle.remove(0)).await, "");
        go_on.notify_one();
        assert!(rest(busy).await.ends_with("slow"));
    }

    #[tokio::test]
    async fn who_does_not_send_a_head_in_time_is_let_go() {
        let bounds = Bounds {
            connections_max: 3,
            head_within: Duration::from_millis(20),
        };
        let (address, ..) = server(bounds).await;
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        // On a busy machine it is let go already.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\n").await;
        assert!(!rest(stream).await.contains("200"));
        let silent = TcpStream::connect(address).await.expect("it listens");
        assert_eq!(rest(silent).await, "");
    }

    #[tokio::test]
    async fn a_server_that_drains_finishes_what_has_begun_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (begun.clone(), go_on.clone());
        let slow = async move || {
            tell.notify_one();
            wait.notified().await;
            "slow"
        };
        let routes = Router::new().route("/slow", get(slow));
        let (drain, drained) = oneshot::channel::<()>();
        let serving = tokio::spawn(serve(listener, routes, Bounds::USUAL, async move {
            let _ = drained.await;
        }));
        let asked = ask(address, "/slow").await;
        begun.notified().await;
        drop(drain);
        go_on.notify_one();
        assert!(rest(asked).await.ends_with("slow"));
        serving.await.expect("it ends");
        assert!(TcpStream::connect(address).await.is_err());
    }
}
