//! The session of a signed-in client: its state, and the loop that reads its messages.
//!
//! Owns everything that outlives a message: settings, prepared statements, portals, the
//! transaction, rows that are gathered, replies that wait for verdicts. Promises that replies
//! go out in the order of their messages, at Sync, at Flush, at ReadyForQuery and before a wait
//! for the client. Never answers that rows were written before CDF has accepted them.

use super::activity::{Activity, ListedActivity};
use super::announcements::Announcements;
use super::cold::{GonePortals, OwnedEngine};
use super::deadlines::expire;
use super::delivery::Delivery;
use super::encoding::ClientEncoding;
use super::ending::Ending;
use super::extended_query::{Portal, Prepared};
pub(super) use super::failure::Failure;
use super::gateway::Gateway;
use super::group::Group;
use super::held::Held;
use super::message::FrontendMessage;
use super::notifications::Listener;
use super::open_batch::OpenBatch;
use super::reply::{put_diagnostic, put_parameter, put_ready};
use super::signals::Signals;
use super::simple_query::QueryProgress;
use super::transaction::Transaction;
use super::transport::Transport;
use super::user::GatewayUser;
use super::welcome::Welcomed;
use super::withheld::Withheld;
use crate::catalog::{Namespace, Table};
use crate::config::{AckMode, OnDuplicate};
use crate::diagnostic::{Diagnostic, Severity, SqlState};
use crate::engine::{AnswerSpool, Dressing};
use crate::scan::Scanner;
use crate::sql::{SessionTimeouts, Settings};
use crate::telemetry::ConnectionEnd;
use bytes::BytesMut;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Replies are sent once there are so many, though the client did not ask for them yet.
const REPLY_BYTES_MAX: usize = 64 << 10;

/// Replies that wait for verdicts: so many may gather before the rows are delivered, though
/// there is no Sync yet. Enough for tens of thousands of Executes.
const WITHHELD_BYTES_MAX: usize = 1 << 20;

/// By which protocol a statement came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Simple,
    Extended,
}

pub(super) struct Session {
    pub(super) gateway: Arc<Gateway>,
    pub(super) transport: Transport,
    pub(super) peer: SocketAddr,
    /// What others see of it.
    pub(super) activity: ListedActivity,
    pub(super) signals: Rc<Signals>,
    pub(super) user: Arc<GatewayUser>,
    pub(super) database: String,
    /// What names of tables mean.
    pub(super) namespace: Namespace,
    /// The look of the user's database; made when a statement first needs an engine.
    pub(super) dressing: Option<Rc<Dressing>>,
    /// Rows of a statement that the client has not taken yet.
    pub(super) spooled: Option<AnswerSpool>,
    /// The engine that the session has for itself, while it has something there.
    pub(super) owned: Option<Box<OwnedEngine>>,
    /// Portals of that engine of which the client's are gone, and how many there ever were.
    pub(super) gone_portals: GonePortals,
    pub(super) opened_portals: u64,
    /// What reads rows of CDF; made when a statement first does.
    pub(super) scanner: Option<Scanner>,
    pub(super) settings: Settings,
    pub(super) encoding: ClientEncoding,
    pub(super) delivery: Delivery,
    /// Replies that are not due yet.
    pub(super) replies: BytesMut,
    /// Replies among them that say that rows of `implicit` were written.
    pub(super) withheld: Vec<Withheld>,
    /// Rows written outside a transaction block, since the last Sync or in this Query.
    pub(super) implicit: Group,
    pub(super) transaction: Transaction,
    /// What the transaction says when it commits.
    pub(super) announcements: Announcements,
    /// What the session hears with, once it has listened.
    pub(super) listener: Option<Arc<Listener>>,
    /// How far the Query is that runs now.
    pub(super) query_progress: QueryProgress,
    /// The builder that rows of the last run go into.
    pub(super) open_batch: Option<OpenBatch>,
    pub(super) statements: Held<Rc<Prepared>>,
    pub(super) portals: Held<Portal>,
    /// What the client knows the connection by, for its cancel requests.
    pub(super) process_id: i32,
    /// When the client had signed in.
    pub(super) connected_at: Timestamp,
    /// When the transaction began, implicit or not.
    pub(super) started: Option<Timestamp>,
    /// A SET outside a transaction block was made in this pipeline or Query.
    pub(super) settings_may_roll_back: bool,
    /// Whether statements must not write, by the settings.
    pub(super) is_read_only: bool,
    /// When rows are acknowledged, if the session asks for something.
    pub(super) ack: Option<AckMode>,
    /// What becomes of existing keys, if the session says so.
    pub(super) on_duplicate: Option<OnDuplicate>,
    /// Whether deletes count what there was, if the session says so.
    pub(super) exact_row_counts: Option<bool>,
    /// How long things may take, by the settings.
    pub(super) timeouts: SessionTimeouts,
    /// The same as `started`, for a clock that nobody sets; from the first message on.
    pub(super) began: Option<Instant>,
    /// When the client was last told that it may go on.
    pub(super) rests_since: Instant,
    /// A staged COPY reads: its rows are not to be sent yet.
    pub(super) copy_waits: bool,
    /// Settings changed since the client was last told.
    reports_are_due: bool,
    /// When the token that opened the session has expired, its grace included.
    ends_at: Option<Instant>,
    /// Bytes of a message's body that are to be dropped before the next message.
    pub(super) unread_bytes: usize,
    /// After an error in the extended protocol: everything up to Sync is skipped.
    is_skipping: bool,
    /// Nothing was asked since the last ReadyForQuery.
    pub(super) is_at_rest: bool,
}

impl Session {
    pub(super) fn new(
        gateway: Arc<Gateway>,
        transport: Transport,
        welcomed: Welcomed,
        peer: SocketAddr,
        signals: Rc<Signals>,
    ) -> Self {
        let Welcomed {
            user,
            database,
            settings,
            process_id,
            ends_at,
        } = welcomed;
        let delivery = Delivery {
            destination: gateway.destination.clone(),
            budget: gateway.budget.connection(),
            identity: user.identity.clone(),
            user: user.name.as_str().into(),
            connection: u64::from(process_id.unsigned_abs()),
            signals: signals.clone(),
        };
        let namespace = Namespace::of_user(&user.name, user.modes.dialect);
        let name = settings.application_name();
        let activity = Activity::new(process_id, peer, transport.is_encrypted(), name);
        let activity = gateway.activities.list(&user.name, activity);
        let encoding = ClientEncoding::from(settings.client_encoding());
        let is_read_only = settings.read_only();
        let ack = settings.ack();
        let on_duplicate = settings.on_duplicate();
        let exact_row_counts = settings.exact_row_counts();
        let timeouts = settings.timeouts();
        Session {
            gateway,
            transport,
            peer,
            activity,
            signals,
            user,
            database,
            namespace,
            dressing: None,
            spooled: None,
            owned: None,
            gone_portals: GonePortals::default(),
            opened_portals: 0,
            scanner: None,
            settings,
            encoding,
            delivery,
            replies: BytesMut::new(),
            withheld: Vec::new(),
            implicit: Group::default(),
            transaction: Transaction::Idle,
            announcements: Announcements::default(),
            listener: None,
            query_progress: QueryProgress::None,
            open_batch: None,
            statements: Held::default(),
            portals: Held::default(),
            process_id,
            connected_at: Timestamp::now(),
            started: None,
            settings_may_roll_back: false,
            is_read_only,
            ack,
            on_duplicate,
            exact_row_counts,
            timeouts,
            began: None,
            rests_since: Instant::now(),
            copy_waits: false,
            reports_are_due: false,
            ends_at,
            unread_bytes: 0,
            is_skipping: false,
            is_at_rest: true,
        }
    }

    /// Serves the client until the end. Returns the transport for the last words, and the
    /// encoding that they are to be in.
    pub(super) async fn run(mut self) -> (Transport, (Ending, ClientEncoding)) {
        let signals = self.signals.clone();
        let ends_at = self.ends_at;
        let drain = Duration::from_secs(self.gateway.settings.timeouts.drain_s);
        let ending = tokio::select! {
            biased;
            () = signals.stopped() => signals.ending(),
            ending = self.serve() => ending,
            never = expire(&signals, ends_at, drain) => match never {},
        };
        let may_tell = matches!(
            ending.why,
            ConnectionEnd::TimedOut | ConnectionEnd::Departed
        );
        if may_tell && self.implicit.is_sent() {
            // So that the last words can say what was written.
            self.delivery.break_off(&self.implicit).await;
        }
        let ending = self.abandon(ending);
        (self.transport, (ending, self.encoding))
    }

    async fn serve(&mut self) -> Ending {
        loop {
            if let Err(ending) = self.step().await {
                return ending;
            }
        }
    }

    /// Reads a message and acts on it.
    async fn step(&mut self) -> Result<(), Ending> {
        if self.is_at_rest && self.signals.is_draining() {
            return Err(self.signals.ending());
        }
        let header = self.next_header().await?;
        if self.is_skipping && !matches!(header.kind, b'S' | b'X') {
            return self.skip_body(header).await;
        }
        if header.kind == b'd' {
            // Data of a COPY that failed, or that never was.
            return self.skip_body(header).await;
        }
        self.receive(header).await?;
        let frame = header.split(&mut self.transport.input);
        if std::mem::take(&mut self.is_at_rest) {
            self.activity.begins();
        }
        if self.began.is_none() {
            self.transaction_begins();
        }
        match FrontendMessage::decode(frame) {
            Ok(message) => self.act(message).await,
            Err(diagnostic) if diagnostic.severity == Severity::Fatal => {
                Err(Ending::violation(diagnostic))
            }
            Err(diagnostic) => self.fail(diagnostic, Protocol::Extended).await,
        }
    }

    async fn act(&mut self, message: FrontendMessage) -> Result<(), Ending> {
        let result = match message {
            FrontendMessage::Query(text) => return self.query(text).await,
            FrontendMessage::Parse(parse) => self.parse(parse).await,
            FrontendMessage::Bind(bind) => self.bind(bind),
            FrontendMessage::Describe(target) => self.describe(&target).await,
            FrontendMessage::Execute { portal, rows_max } => {
                self.execute_portal(portal, rows_max).await
            }
            FrontendMessage::Close(target) => {
                self.close(&target);
                Ok(())
            }
            FrontendMessage::Flush => match self.settle_in_time().await {
                Ok(()) => self.flush_replies().await.map_err(Failure::from),
                failed => failed,
            },
            FrontendMessage::Sync => return self.sync().await,
            FrontendMessage::FunctionCall => {
                let diagnostic = Diagnostic::error(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "function calls by the fast-path protocol are not supported",
                );
                self.fail(Box::new(diagnostic), Protocol::Simple).await?;
                return self.ready().await;
            }
            FrontendMessage::Terminate => {
                return Err(Ending::silent(ConnectionEnd::Terminated));
            }
            // Of a COPY that has failed: PostgreSQL drops these, too.
            FrontendMessage::CopyData
            | FrontendMessage::CopyDone
            | FrontendMessage::CopyFail(_) => Ok(()),
        };
        match result {
            Ok(()) => self.send_when_many().await,
            Err(failure) => self.handle(failure, Protocol::Extended).await,
        }
    }

    /// The end of a pipeline: the rows are delivered, then the client may go on.
    async fn sync(&mut self) -> Result<(), Ending> {
        if self.is_skipping {
            self.is_skipping = false;
        } else if let Err(failure) = self.end_implicit().await {
            self.handle(failure, Protocol::Extended).await?;
            self.is_skipping = false;
        }
        self.ready().await
    }

    /// The implicit transaction is over: its rows are delivered, and what it made in the session's
    /// engine stays.
    async fn end_implicit(&mut self) -> Result<(), Failure> {
        self.settle_in_time().await?;
        self.end_implicit_in_engine(true).await
    }

    /// Tells the client that a statement failed, or ends the connection.
    pub(super) async fn handle(
        &mut self,
        failure: Failure,
        protocol: Protocol,
    ) -> Result<(), Ending> {
        match failure {
            Failure::Statement(diagnostic) => self.fail(diagnostic, protocol).await,
            Failure::Connection(ending) => Err(ending),
        }
    }

    /// A statement failed: what it gathered is discarded, and a transaction block with it.
    pub(super) async fn fail(
        &mut self,
        diagnostic: Box<Diagnostic>,
        protocol: Protocol,
    ) -> Result<(), Ending> {
        let diagnostic = self.discard_implicit(diagnostic, protocol).await;
        let diagnostic = self.with_written(diagnostic);
        put_diagnostic(&mut self.replies, self.encoding, &diagnostic);
        self.transaction.fail();
        if matches!(self.transaction, Transaction::Idle) {
            self.forget_announcements();
        }
        if std::mem::take(&mut self.settings_may_roll_back) {
            self.settings.rollback();
            self.settings_changed();
        }
        self.is_skipping = protocol == Protocol::Extended;
        match self.end_implicit_in_engine(false).await {
            Err(Failure::Connection(ending)) => Err(ending),
            // Nothing is put off to a ROLLBACK.
            _ => Ok(()),
        }
    }

    /// ReadyForQuery, and all replies on their way.
    pub(super) async fn ready(&mut self) -> Result<(), Ending> {
        if matches!(self.transaction, Transaction::Idle) {
            // Portals live as long as their transaction.
            self.portals.clear();
            self.started = None;
            self.began = None;
            self.signals.deadlines.set_transaction(None, None);
            if std::mem::take(&mut self.settings_may_roll_back) {
                self.settings.commit();
                self.settings_changed();
            }
            self.carry_out_announcements();
        }
        if std::mem::take(&mut self.reports_are_due) {
            for (name, value) in self.settings.take_reports() {
                put_parameter(&mut self.replies, self.encoding, name, &value);
            }
        }
        self.put_notifications();
        put_ready(&mut self.replies, self.transaction.status());
        self.activity.rests(self.transaction.status());
        self.is_at_rest = true;
        self.rests_since = Instant::now();
        self.flush_replies().await
    }

    /// Takes over what the settings say now. Looking settings up is too dear for every row.
    pub(super) fn settings_changed(&mut self) {
        self.end_batch_of_other_settings();
        self.encoding = self.settings.client_encoding().into();
        self.activity.is_named(self.settings.application_name());
        self.is_read_only = self.settings.read_only();
        self.ack = self.settings.ack();
        self.on_duplicate = self.settings.on_duplicate();
        self.exact_row_counts = self.settings.exact_row_counts();
        self.timeouts = self.settings.timeouts();
        self.set_transaction_deadline();
        self.choose_transaction_mode();
        self.reports_are_due = true;
    }

    /// Counts what came in for `table`.
    pub(super) fn count_received(&self, table: &'static Table, rows: u64, bytes: u64) {
        self.gateway.count_received(table, rows, bytes);
        self.activity.received(table, rows, bytes);
    }

    /// Sends the replies; those that wait for verdicts must have got them.
    pub(super) async fn flush_replies(&mut self) -> Result<(), Ending> {
        debug_assert!(self.withheld.is_empty(), "a reply was not settled");
        self.send_replies().await
    }

    /// Sends the replies of a Query before its end, because a COPY in it needs the client. As in
    /// any transaction, they hold only if its end does.
    pub(super) async fn flush_replies_within_query(&mut self) -> Result<(), Ending> {
        for reply in &mut self.withheld {
            reply.offset = None;
        }
        self.send_replies().await
    }

    async fn send_replies(&mut self) -> Result<(), Ending> {
        self.release_replies();
        self.transport.flush().await?;
        Ok(())
    }

    fn release_replies(&mut self) {
        if self.transport.output.is_empty() {
            std::mem::swap(&mut self.transport.output, &mut self.replies);
        } else {
            self.transport.output.extend_from_slice(&self.replies);
            self.replies.clear();
        }
    }

    /// Keeps the replies of a long pipeline bounded.
    pub(super) async fn send_when_many(&mut self) -> Result<(), Ending> {
        let bytes_max = if self.withheld.is_empty() {
            REPLY_BYTES_MAX
        } else {
            WITHHELD_BYTES_MAX
        };
        if self.replies.len() < bytes_max {
            return Ok(());
        }
        if let Err(failure) = self.settle_in_time().await {
            return self.handle(failure, Protocol::Extended).await;
        }
        self.flush_replies().await
    }
}
