//! One client: an actor whose own loop owns the socket.
//!
//! Owns a connection from the accepted socket to its end. Promises that the mailbox carries
//! control messages only (cancel, drain, stop), never rows, and that the end is counted and
//! logged whatever caused it, a panic included. Never reads ahead of what its session can hold.

use super::departure::Departure;
use super::encoding::ClientEncoding;
use super::ending::Ending;
use super::gateway::Gateway;
use super::registry::Registration;
use super::reply::put_diagnostic;
use super::session::Session;
use super::signals::Signals;
use super::startup::receive_startup;
use super::welcome::welcome;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::{ConnectionEnd, SignInFailure};
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a client may take to receive its last words.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(5);

/// Break off the running statement.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub(super) struct Cancel;

/// End when no statement runs.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub(super) struct Drain;

/// End now.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub(super) struct Stop;

/// End now, because of the user.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub(super) struct Depart(pub(super) Departure);
/// End if nobody has signed in yet: others need the place.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub(super) struct CrowdOut;

/// What the actor's loop starts with.
struct Accepted {
    gateway: Arc<Gateway>,
    socket: std::net::TcpStream,
    registration: Registration,
}

/// One connection.
pub(super) struct ConnectionActor {
    accepted: Option<Accepted>,
    peer: SocketAddr,
    signals: Rc<Signals>,
}

impl ConnectionActor {
    pub(super) fn new(
        gateway: Arc<Gateway>,
        socket: std::net::TcpStream,
        peer: SocketAddr,
        registration: Registration,
    ) -> Self {
        ConnectionActor {
            accepted: Some(Accepted {
                gateway,
                socket,
                registration,
            }),
            peer,
            signals: Rc::default(),
        }
    }
}

impl Actor for ConnectionActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some(accepted) = self.accepted.take() {
            let listed = accepted.registration.list(context.address());
            if listed.is_draining {
                self.signals.drain();
            }
            if listed.is_crowded_out {
                self.signals.crowd_out();
            }
            let served = serve(accepted, self.peer, self.signals.clone());
            context.spawn(served.into_actor(self).map(|(), _, context| context.stop()));
        }
    }
}

impl Handler<Cancel> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, _: Cancel, _: &mut Self::Context) {
        self.signals.cancel();
    }
}

impl Handler<Drain> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.signals.drain();
    }
}

impl Handler<Stop> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, _: Stop, _: &mut Self::Context) {
        self.signals.stop();
    }
}

impl Handler<Depart> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, Depart(departure): Depart, _: &mut Self::Context) {
        self.signals.depart(departure);
    }
}

impl Handler<CrowdOut> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, _: CrowdOut, _: &mut Self::Context) {
        self.signals.crowd_out();
    }
}

/// Counts the connection for as long as it lives; one that is dropped without an ending
/// panicked.
struct Counted {
    gateway: Arc<Gateway>,
    peer: SocketAddr,
    why: ConnectionEnd,
}

impl Counted {
    fn new(gateway: Arc<Gateway>, peer: SocketAddr) -> Self {
        gateway.connections.open.increment(1.0);
        Counted {
            gateway,
            peer,
            why: ConnectionEnd::Fault,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gateway.connections.open.decrement(1.0);
        self.gateway.connections.ended.add(self.why, 1);
        if self.why == ConnectionEnd::Fault {
            tracing::error!(peer = %self.peer, "a connection ended by a fault of the gateway");
        } else {
            tracing::debug!(peer = %self.peer, why = ?self.why, "a connection ended");
        }
    }
}

async fn serve(accepted: Accepted, peer: SocketAddr, signals: Rc<Signals>) {
    let Accepted {
        gateway,
        socket,
        registration,
    } = accepted;
    let mut counted = Counted::new(gateway.clone(), peer);
    counted.why = attend(&gateway, socket, peer, registration, signals).await;
}

/// Startup, sign-in, session, last words.
async fn attend(
    gateway: &Arc<Gateway>,
    socket: std::net::TcpStream,
    peer: SocketAddr,
    registration: Registration,
    signals: Rc<Signals>,
) -> ConnectionEnd {
    let deadline = Instant::now() + Duration::from_secs(gateway.settings.timeouts.sign_in_s);
    // As it is now: files may change before the client binds its sign-in to the certificate.
    let tls = gateway.tls.current();
    let started = async {
        let socket = TcpStream::from_std(socket)?;
        let (registry, meters) = (registration.registry(), &gateway.connections);
        receive_startup(socket, tls.as_ref(), registry, meters).await
    };
    let started = tokio::select! {
        biased;
        () = signals.drained() => return ConnectionEnd::Shutdown,
        () = signals.crowded_out() => return crowded_out(gateway).why,
        started = timeout_at(deadline, started) => started,
    };
    let (mut transport, request) = match started {
        Ok(Ok(started)) => started,
        Ok(Err(ending)) => return ending.why,
        Err(_) => {
            gateway
                .connections
                .sign_ins_failed
                .add(SignInFailure::Abandoned, 1);
            return ConnectionEnd::TimedOut;
        }
    };
    let welcomed = tokio::select! {
        biased;
        () = signals.drained() => Err(signals.ending()),
        () = signals.crowded_out() => Err(crowded_out(gateway)),
        welcomed = timeout_at(
            deadline,
            welcome(gateway, &mut transport, request, (peer.ip(), tls.as_ref()), &registration),
        ) => welcomed.unwrap_or_else(|_| Err(too_slow(gateway))),
    };
    let (mut transport, ending) = match welcomed {
        Ok(welcomed) => {
            tracing::info!(
                %peer,
                user = %welcomed.user.name,
                tls = transport.is_encrypted(),
                "a client signed in"
            );
            let session = Session::new(gateway.clone(), transport, welcomed, peer, signals);
            session.run().await
        }
        Err(ending) => (transport, (ending, ClientEncoding::Utf8)),
    };
    let (ending, encoding) = ending;
    if let Some(last_words) = &ending.last_words {
        tracing::info!(%peer, %last_words, "a connection is ended");
        put_diagnostic(&mut transport.output, encoding, last_words);
    }
    // A client that does not read keeps nobody.
    let _ = timeout(LAST_WORDS_WAIT, transport.close()).await;
    ending.why
}

fn crowded_out(gateway: &Gateway) -> Ending {
    gateway
        .connections
        .sign_ins_failed
        .add(SignInFailure::CrowdedOut, 1);
    Ending::with_words(
        ConnectionEnd::Refused,
        Box::new(Diagnostic::fatal(
            SqlState::TOO_MANY_CONNECTIONS,
            "too many connections have not signed in yet",
        )),
    )
}

fn too_slow(gateway: &Gateway) -> Ending {
    gateway
        .connections
        .sign_ins_failed
        .add(SignInFailure::Abandoned, 1);
    Ending::with_words(
        ConnectionEnd::TimedOut,
        Box::new(Diagnostic::fatal(
            SqlState::QUERY_CANCELED,
            "canceling authentication due to timeout",
        )),
    )
}
