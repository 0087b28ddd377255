//! The connections that live now, and the keys that cancel their statements.
//!
//! Owns the list of connection actors. Promises that an entry goes when its connection goes,
//! whatever ended it, and that a cancel request with a wrong key does nothing. Never touches a
//! connection but through its mailbox.

use super::connection::{Cancel, ConnectionActor, Depart, Drain, Stop};
use super::departure::{Departure, Whom};
use super::departures::Departures;
use super::user::GatewayUser;
use actix::Addr;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes of a cancel key in protocol 3.0.
pub(super) const SHORT_KEY_BYTES: usize = 4;

/// Bytes of a cancel key from protocol 3.2 on; PostgreSQL's own length.
pub(super) const LONG_KEY_BYTES: usize = 32;

#[derive(Debug)]
struct Entry {
    /// Empty until the client has signed in.
    cancel_key: Vec<u8>,
    /// Likewise.
    user: Option<Arc<GatewayUser>>,
    address: Addr<ConnectionActor>,
}

#[derive(Debug, Default)]
struct Connections {
    by_process_id: HashMap<i32, Entry>,
    last_process_id: i32,
    /// All that were accepted and did not end, also those without an entry yet.
    open: usize,
    is_draining: bool,
    departures: Departures,
}

/// The list, shared by all threads that serve connections.
#[derive(Debug, Default)]
pub(super) struct Registry {
    connections: Mutex<Connections>,
    changed: Notify,
}

/// A place in the list; given back on drop.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<Registry>,
    process_id: i32,
    /// Departures so far, when the connection was accepted.
    departures_before: u64,
    /// Whether this one is above the number of connections that are served.
    pub(super) refused: bool,
}

impl Registry {
    /// Takes a place for a new connection. The first `connections_max` are served, some more
    /// are told that there are too many, and `None` is for those beyond.
    pub(super) fn register(
        self: &Arc<Self>,
        connections_max: usize,
        refusals_max: usize,
    ) -> Option<Registration> {
        let mut connections = self.connections();
        if connections.open >= connections_max + refusals_max {
            return None;
        }
        connections.open += 1;
        let refused = connections.open > connections_max;
        // Process ids are positive and never 0, and a long-lived one is not given twice.
        let mut process_id = connections.last_process_id;
        loop {
            process_id = process_id.checked_add(1).unwrap_or(1);
            if !connections.by_process_id.contains_key(&process_id) {
                break;
            }
        }
        connections.last_process_id = process_id;
        Some(Registration {
            registry: self.clone(),
            process_id,
            departures_before: connections.departures.count(),
            refused,
        })
    }

    /// Cancels the running statement of `process_id` if the key is its own.
    pub(super) fn cancel(&self, process_id: i32, cancel_key: &[u8]) -> bool {
        let connections = self.connections();
        match connections.by_process_id.get(&process_id) {
            Some(entry) if is_same_key(&entry.cancel_key, cancel_key) => {
                entry.address.do_send(Cancel);
                true
            }
            _ => false,
        }
    }

    /// Asks every connection to end when its statement has ended.
    pub(super) fn drain(&self) {
        let mut connections = self.connections();
        connections.is_draining = true;
        for entry in connections.by_process_id.values() {
            entry.address.do_send(Drain);
        }
    }

    /// Tells every connection to end now.
    pub(super) fn stop(&self) {
        for entry in self.connections().by_process_id.values() {
            entry.address.do_send(Stop);
        }
    }

    /// Ends the connections of those who are meant, and tells how many there are. One that is
    /// signing in learns of it when it has signed in.
    pub(super) fn depart(&self, departure: Departure, whom: Whom) -> usize {
        let mut connections = self.connections();
        let entries = connections.by_process_id.values();
        let meant = entries.filter(|entry| {
            let user = entry.user.as_deref();
            user.is_some_and(|user| whom.includes(user))
        });
        let count = meant
            .map(|entry| entry.address.do_send(Depart(departure)))
            .count();
        connections.departures.note(departure, whom);
        count
    }

    /// The users who are signed in; one for each connection.
    pub(super) fn users(&self) -> Vec<Arc<GatewayUser>> {
        let connections = self.connections();
        let entries = connections.by_process_id.values();
        entries.filter_map(|entry| entry.user.clone()).collect()
    }

    /// Waits until no connection is left.
    pub(super) async fn emptied(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.connections().open == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Connections that live now.
    pub(super) fn open(&self) -> usize {
        self.connections().open
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        // Every change is one insertion or removal: the map is right whoever panicked.
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// What the client knows its connection by.
    pub(super) fn process_id(&self) -> i32 {
        self.process_id
    }

    /// Lists the actor, so that it can be drained and stopped. `true`: the drain has begun.
    pub(super) fn list(&self, address: Addr<ConnectionActor>) -> bool {
        let mut connections = self.registry.connections();
        connections.by_process_id.insert(
            self.process_id,
            Entry {
                cancel_key: Vec::new(),
                user: None,
                address,
            },
        );
        connections.is_draining
    }

    /// Notes whose connection it is. `Some`: the user departed while it was signing in.
    pub(super) fn signed_in(&self, user: Arc<GatewayUser>) -> Option<Departure> {
        let mut connections = self.registry.connections();
        let departed = connections
            .departures
            .since(self.departures_before, &user);
        if let Some(entry) = connections.by_process_id.get_mut(&self.process_id) {
            entry.user = Some(user);
        }
        departed
    }

    /// Makes the connection's cancel key, of `bytes` random bytes.
    pub(super) fn issue_cancel_key(&self, bytes: usize) -> Vec<u8> {
        let mut key = rand::random::<[u8; LONG_KEY_BYTES]>().to_vec();
        key.truncate(bytes);
        if let Some(entry) = self
            .registry
            .connections()
            .by_process_id
            .get_mut(&self.process_id)
        {
            entry.cancel_key = key.clone();
        }
        key
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut connections = self.registry.connections();
        connections.by_process_id.remove(&self.process_id);
        connections.open -= 1;
        if connections.open == 0 {
            drop(connections);
            self.registry.changed.notify_waiters();
        }
    }
}

/// Compares in a time that depends on the lengths only.
fn is_same_key(issued: &[u8], given: &[u8]) -> bool {
    !issued.is_empty()
        && issued.len() == given.len()
        && issued
            .iter()
            .zip(given)
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_beyond_the_bound_is_refused_and_one_far_beyond_dropped() {
        let registry = Arc::new(Registry::default());
        let served = registry.register(1, 1).expect("there is a place");
        let refused = registry.register(1, 1).expect("there is a place to refuse");
        assert!(!served.refused && refused.refused);
        assert!(registry.register(1, 1).is_none());
        drop(served);
        drop(refused);
        let again = registry.register(1, 1).expect("places were given back");
        assert!(!again.refused);
        assert_eq!(registry.open(), 1);
    }

    #[test]
    fn an_unissued_key_is_nobodys() {
        assert!(!is_same_key(&[], &[]));
        assert!(!is_same_key(&[1, 2], &[1]));
        assert!(!is_same_key(&[1, 2], &[1, 3]));
        assert!(is_same_key(&[1, 2], &[1, 2]));
    }
}
