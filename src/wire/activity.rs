//! What each connection is doing, for those who ask about connections.
//!
//! Owns the list of activities, by user, and the figures of each connection. Promises one entry for
//! each session as long as it lives, and that a session writes its figures without a lock: once for
//! a statement or a batch, never for a row. Never reaches into a connection.

use crate::catalog::Table;
use jiff::Timestamp;
use pgwire::messages::response::TransactionStatus;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ActivityState {
    Idle,
    Active,
    /// It reads the data of a COPY.
    Copy,
    InTransaction,
    InFailedTransaction,
}

/// All of them; the place in the list is the number by which one is kept.
const STATES: [ActivityState; 5] = [
    ActivityState::Idle,
    ActivityState::Active,
    ActivityState::Copy,
    ActivityState::InTransaction,
    ActivityState::InFailedTransaction,
];

/// Bits that hold a state beside its time.
const STATE_BITS: u32 = 3;

impl ActivityState {
    /// The words of PostgreSQL's pg_stat_activity, and one more.
    pub(super) fn name(self) -> &'static str {
        match self {
            ActivityState::Idle => "idle",
            ActivityState::Active => "active",
            ActivityState::Copy => "copy",
            ActivityState::InTransaction => "idle in transaction",
            ActivityState::InFailedTransaction => "idle in transaction (aborted)",
        }
    }
}

/// The figures of one session. It writes them, anybody reads them.
#[derive(Debug)]
pub(super) struct Activity {
    pub(super) process_id: i32,
    pub(super) peer: SocketAddr,
    pub(super) is_encrypted: bool,
    pub(super) connected: Timestamp,
    application_name: Mutex<Box<str>>,
    /// The state and, above it, since when in milliseconds: one value, so that they belong together.
    state: AtomicU64,
    /// When the transaction block began, in milliseconds; 0: there is none.
    transaction_ms: AtomicI64,
    /// The table that was written to last; 0: none.
    table_oid: AtomicU32,
    requests: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    /// Rows of the COPY that runs, which are not among the others yet.
    copied_rows: AtomicU64,
}

impl Activity {
    /// A session that has just begun.
    pub(super) fn new(
        process_id: i32,
        peer: SocketAddr,
        is_encrypted: bool,
        application_name: &str,
    ) -> Self {
        let connected = now();
        Activity {
            process_id,
            peer,
            is_encrypted,
            connected,
            application_name: Mutex::new(application_name.into()),
            state: AtomicU64::new(packed(ActivityState::Idle, connected)),
            transaction_ms: AtomicI64::new(0),
            table_oid: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            copied_rows: AtomicU64::new(0),
        }
    }

    /// The client asks for something, after it was told that it may.
    pub(super) fn begins(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.is_now(ActivityState::Active);
    }

    /// The client is told that it may go on.
    pub(super) fn rests(&self, status: TransactionStatus) {
        self.is_now(match status {
            TransactionStatus::Idle => ActivityState::Idle,
            TransactionStatus::Transaction => ActivityState::InTransaction,
            TransactionStatus::Error => ActivityState::InFailedTransaction,
        });
        if status == TransactionStatus::Idle {
            self.transaction_ms.store(0, Ordering::Relaxed);
        } else if self.transaction_ms.load(Ordering::Relaxed) == 0 {
            let now_ms = now().as_millisecond();
            self.transaction_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    /// The data of a COPY are read; into a table of the gateway's, if there is one.
    pub(super) fn copies(&self, table: Option<&Table>) {
        if let Some(table) = table {
            self.table_oid.store(table.oid, Ordering::Relaxed);
        }
        self.is_now(ActivityState::Copy);
    }

    /// So many rows of the COPY that runs have come.
    pub(super) fn copied(&self, rows: u64) {
        self.copied_rows.store(rows, Ordering::Relaxed);
    }

    /// The data of a COPY have been read.
    pub(super) fn has_copied(&self) {
        self.is_now(ActivityState::Active);
    }

    /// A statement has brought so much.
    pub(super) fn received(&self, table: &Table, rows: u64, bytes: u64) {
        self.table_oid.store(table.oid, Ordering::Relaxed);
        self.copied_rows.store(0, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The client calls itself so.
    pub(super) fn is_named(&self, name: &str) {
        let mut kept = self.name();
        if **kept != *name {
            *kept = name.into();
        }
    }

    /// What the client calls itself.
    pub(super) fn application_name(&self) -> Box<str> {
        self.name().clone()
    }

    /// What the session is doing, and since when.
    pub(super) fn state(&self) -> (ActivityState, Timestamp) {
        let packed = self.state.load(Ordering::Relaxed);
        let number = (packed & ((1 << STATE_BITS) - 1)) as usize;
        let state = STATES.get(number).copied();
        let since_ms = i64::try_from(packed >> STATE_BITS).unwrap_or(0);
        (
            state.unwrap_or(ActivityState::Active),
            Timestamp::from_millisecond(since_ms).unwrap_or(self.connected),
        )
    }

    /// When the transaction block began.
    pub(super) fn transaction(&self) -> Option<Timestamp> {
        let began_ms = self.transaction_ms.load(Ordering::Relaxed);
        (began_ms > 0).then(|| Timestamp::from_millisecond(began_ms).unwrap_or(self.connected))
    }

    /// The OID of the table that was written to last.
    pub(super) fn table_oid(&self) -> Option<u32> {
        let oid = self.table_oid.load(Ordering::Relaxed);
        (oid > 0).then_some(oid)
    }

    /// How often the client asked, and the rows and bytes that it has sent.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        let rows = self.rows.load(Ordering::Relaxed) + self.copied_rows.load(Ordering::Relaxed);
        let requests = self.requests.load(Ordering::Relaxed);
        (requests, rows, self.bytes.load(Ordering::Relaxed))
    }

    fn is_now(&self, state: ActivityState) {
        self.state.store(packed(state, now()), Ordering::Relaxed);
    }

    fn name(&self) -> MutexGuard<'_, Box<str>> {
        self.application_name
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// All times are whole milliseconds, so that they can be compared.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

fn packed(state: ActivityState, since: Timestamp) -> u64 {
    let number = STATES.iter().position(|known| *known == state);
    let since_ms = u64::try_from(since.as_millisecond()).unwrap_or(0);
    (since_ms << STATE_BITS) | number.unwrap_or(0) as u64
}

/// By user and number of the connection.
type ByUser = BTreeMap<(Box<str>, i32), Arc<Activity>>;

/// The activities of all sessions.
#[derive(Debug, Default)]
pub(super) struct Activities {
    by_user: Mutex<ByUser>,
}

/// A session's place in the list, until dropped.
#[derive(Debug)]
pub(super) struct ListedActivity {
    list: Arc<Activities>,
    user: Box<str>,
    activity: Arc<Activity>,
}

impl Activities {
    /// Lists the session of `user`.
    pub(super) fn list(self: &Arc<Self>, user: &str, activity: Activity) -> ListedActivity {
        let activity = Arc::new(activity);
        let key = (Box::from(user), activity.process_id);
        self.by_user().insert(key, activity.clone());
        ListedActivity {
            list: self.clone(),
            user: user.into(),
            activity,
        }
    }

    /// The sessions of `user`.
    pub(super) fn of_user(&self, user: &str) -> Vec<Arc<Activity>> {
        let by_user = self.by_user();
        let from = (Box::from(user), i32::MIN);
        let of_user = by_user
            .range(from..)
            .take_while(|((of, _), _)| **of == *user);
        of_user.map(|(_, activity)| activity.clone()).collect()
    }

    fn by_user(&self) -> MutexGuard<'_, ByUser> {
        // Every change is one insertion or removal: the list is right whoever panicked.
        self.by_user.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for ListedActivity {
    type Target = Activity;

    fn deref(&self) -> &Activity {
        &self.activity
    }
}

impl Drop for ListedActivity {
    fn drop(&mut self) {
        let key = (std::mem::take(&mut self.user), self.activity.process_id);
        self.list.by_user().remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(list: &Arc<Activities>, user: &str, process_id: i32) -> ListedActivity {
        let peer = "127.0.0.1:5000".parse().expect("an address");
        list.list(user, Activity::new(process_id, peer, false, "etl"))
    }

    fn process_ids(list: &Activities, user: &str) -> Vec<i32> {
        let of_user = list.of_user(user);
        of_user.iter().map(|activity| activity.process_id).collect()
    }

    #[test]
    fn a_user_finds_the_own_sessions_as_long_as_they_live() {
        let list = Arc::new(Activities::default());
        let first = listed(&list, "ada", 7);
        let _second = listed(&list, "ada", 3);
        let _other = listed(&list, "adam", 5);
        assert_eq!(process_ids(&list, "ada"), [3, 7]);
        drop(first);
        assert_eq!(process_ids(&list, "ada"), [3]);
        assert_eq!(process_ids(&list, "ad"), [0; 0]);
    }

    #[test]
    fn a_state_comes_with_its_time_and_rows_of_a_copy_count_once() {
        let list = Arc::new(Activities::default());
        let activity = listed(&list, "ada", 1);
        let table = crate::catalog::RAW_ROWS;
        assert_eq!(activity.state().0, ActivityState::Idle);
        activity.begins();
        activity.copies(Some(table));
        let (state, since) = activity.state();
        assert_eq!(state, ActivityState::Copy);
        assert!(since.as_millisecond() >= activity.connected.as_millisecond());
        activity.copied(40);
        assert_eq!(activity.counts(), (1, 40, 0));
        activity.received(table, 50, 900);
        assert_eq!(activity.counts(), (1, 50, 900));
        activity.rests(TransactionStatus::Error);
        assert_eq!(activity.state().0.name(), "idle in transaction (aborted)");
        assert!(activity.transaction().is_some());
        activity.rests(TransactionStatus::Idle);
        assert_eq!(activity.transaction(), None);
    }
}
