//! The connections that live now, and the keys that cancel their statements.
//!
//! Owns the list of connection actors. Promises that an entry goes when its connection goes,
//! whatever ended it, and that a cancel request with a wrong key does nothing. Never touches a
//! connection but through its mailbox.

use super::connection::{Cancel, ConnectionActor, CrowdOut, Depart, Drain, Stop};
use super::departure::{Departure, Whom};
use super::departures::Departures;
use super::user::GatewayUser;
use super::withdrawn::Withdrawn;
use crate::config::ListenSettings;
use crate::sql::{CancelOutcome, Sessions};
use actix::Addr;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
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
    /// Those that have not signed in, in the order in which they came.
    signing_in: BTreeMap<u64, SigningIn>,
    accepted: u64,
    is_draining: bool,
    departures: Departures,
}

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// Those that are served.
    pub(super) connections_max: usize,
    /// Those above that are answered with 53300, and may carry cancel requests; more are closed.
    pub(super) refusals_max: usize,
    /// Those that have not signed in.
    pub(super) sign_ins_max: usize,
    /// The same from one address.
    pub(super) sign_ins_max_per_address: usize,
}

/// Connections above the bound that are answered.
const REFUSALS_MAX: usize = 128;

/// A gateway for a few connections still lets some sign in at once.
const SIGN_INS_MIN: usize = 16;

impl Places {
    pub(super) fn of(listen: &ListenSettings) -> Self {
        let sign_ins_max = match listen.sign_ins_max {
            0 => (listen.connections_max / 2).max(SIGN_INS_MIN),
            sign_ins => sign_ins,
        };
        Places {
            connections_max: listen.connections_max,
            refusals_max: REFUSALS_MAX,
            sign_ins_max,
            sign_ins_max_per_address: match listen.sign_ins_max_per_address {
                0 => (sign_ins_max / 2).max(SIGN_INS_MIN),
                sign_ins => sign_ins,
            },
        }
    }
}

/// A connection that has not signed in.
#[derive(Clone, Copy, Debug)]
struct SigningIn {
    process_id: i32,
    address: IpAddr,
    is_crowded_out: bool,
    /// Only waits to be told that there are too many.
    is_refused: bool,
}

/// The list, shared by all threads that serve connections.
#[derive(Debug, Default)]
pub(super) struct Registry {
    connections: Mutex<Connections>,
    changed: Notify,
    pub(super) withdrawn: Withdrawn,
}

/// A place in the list; given back on drop.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<Registry>,
    process_id: i32,
    /// Its place in the order of those that were accepted.
    accepted: u64,
    /// Departures so far, when the connection was accepted.
    departures_before: u64,
    /// Whether this one is above the number of connections that are served.
    pub(super) refused: bool,
}

impl Registry {
    /// Takes a place for a new connection. The first `connections_max` are served, some more
    /// are told that there are too many, and `None` is for those beyond. Where too many have not
    /// signed in yet, the one that has taken longest is told to go: clients that mean it need
    /// less time than those who only hold places.
    pub(super) fn register(
        self: &Arc<Self>,
        address: IpAddr,
        places: &Places,
    ) -> Option<Registration> {
        let mut connections = self.connections();
        connections.crowd_out(address.to_canonical(), places);
        if connections.open >= places.connections_max + places.refusals_max {
            return None;
        }
        connections.open += 1;
        let refused = connections.staying() > places.connections_max;
        // Process ids are positive and never 0, and a long-lived one is not given twice.
        let mut process_id = connections.last_process_id;
        loop {
            process_id = process_id.checked_add(1).unwrap_or(1);
            if !connections.by_process_id.contains_key(&process_id) {
                break;
            }
        }
        connections.last_process_id = process_id;
        connections.accepted += 1;
        let accepted = connections.accepted;
        connections.signing_in.insert(
            accepted,
            SigningIn {
                process_id,
                address: address.to_canonical(),
                is_crowded_out: false,
                is_refused: refused,
            },
        );
        Some(Registration {
            registry: self.clone(),
            process_id,
            accepted,
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

impl Sessions for Registry {
    fn cancel_for(&self, process_id: i32, user: &str) -> CancelOutcome {
        let connections = self.connections();
        let Some(entry) = connections.by_process_id.get(&process_id) else {
            return CancelOutcome::NoSuchSession;
        };
        match &entry.user {
            // One that is signing in is nobody's yet.
            None => CancelOutcome::NoSuchSession,
            Some(owner) if owner.name == user => {
                entry.address.do_send(Cancel);
                CancelOutcome::Sent
            }
            Some(_) => CancelOutcome::Denied,
        }
    }
}

/// What a connection that starts must know of what happened before.
pub(super) struct Listed {
    /// The drain has begun.
    pub(super) is_draining: bool,
    /// Its place was given to another already.
    pub(super) is_crowded_out: bool,
}

impl Connections {
    /// All but those that were told to go, and are about to.
    fn staying(&self) -> usize {
        let leaving = self.signing_in.values();
        let leaving = leaving.filter(|one| one.is_crowded_out).count();
        self.open.saturating_sub(leaving)
    }

    /// Makes room for one more connection from `address` that has not signed in.
    fn crowd_out(&mut self, address: IpAddr, places: &Places) {
        let still_there = |one: &SigningIn| !one.is_crowded_out;
        let from_there = |one: &SigningIn| still_there(one) && one.address == address;
        let signing_in = || self.signing_in.values();
        let (all, there) = (
            signing_in().filter(|one| still_there(one)).count(),
            signing_in().filter(|one| from_there(one)).count(),
        );
        let oldest = if there >= places.sign_ins_max_per_address {
            signing_in().find(|one| from_there(one)).copied()
        } else if all >= places.sign_ins_max {
            signing_in().find(|one| still_there(one)).copied()
        } else if self.staying() >= places.connections_max {
            // The newcomer would be refused for one that only holds its place.
            let mut served = signing_in().filter(|one| still_there(one) && !one.is_refused);
            served.next().copied()
        } else {
            None
        };
        let Some(oldest) = oldest else { return };
        for one in self.signing_in.values_mut() {
            one.is_crowded_out |= one.process_id == oldest.process_id;
        }
        // One that is not listed yet learns of it when it is.
        if let Some(entry) = self.by_process_id.get(&oldest.process_id) {
            entry.address.do_send(CrowdOut);
        }
        tracing::debug!(
            address = %oldest.address,
            "a connection that has not signed in gives its place to a newer one"
        );
    }
}

impl Registration {
    /// What the client knows its connection by.
    pub(super) fn process_id(&self) -> i32 {
        self.process_id
    }

    /// Lists the actor, so that it can be drained and stopped.
    pub(super) fn list(&self, address: Addr<ConnectionActor>) -> Listed {
        let mut connections = self.registry.connections();
        connections.by_process_id.insert(
            self.process_id,
            Entry {
                cancel_key: Vec::new(),
                user: None,
                address,
            },
        );
        Listed {
            is_draining: connections.is_draining,
            is_crowded_out: connections
                .signing_in
                .get(&self.accepted)
                .is_some_and(|one| one.is_crowded_out),
        }
    }

    /// Notes whose connection it is: it does not count any more among those of nobody yet. `Some`: the user departed while it was signing in.
    pub(super) fn signed_in(&self, user: Arc<GatewayUser>) -> Option<Departure> {
        let mut connections = self.registry.connections();
        connections.signing_in.remove(&self.accepted);
        let departed = connections.departures.since(self.departures_before, &user);
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
        connections.signing_in.remove(&self.accepted);
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
    use crate::cdf::{Identity, Project, Secret};
    use crate::config::UserModes;
    use crate::wire::ScramVerifier;

    const PLACES: Places = Places {
        connections_max: 1,
        refusals_max: 1,
        sign_ins_max: 10,
        sign_ins_max_per_address: 10,
    };

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn user(name: &str) -> Arc<GatewayUser> {
        let project = Project {
            base_url: "http://127.0.0.1:1".to_owned(),
            name: "plant".to_owned(),
        };
        Arc::new(GatewayUser {
            name: name.to_owned(),
            scram: ScramVerifier::from_password("secret"),
            identity: Arc::new(Identity::of_token(project, Secret::new("token"))),
            modes: UserModes::default(),
            barred: None,
        })
    }

    #[test]
    fn who_departs_while_signing_in_learns_of_it_and_who_comes_later_does_not() {
        let registry = Arc::new(Registry::default());
        let register = || {
            let places = Places {
                connections_max: 100,
                ..PLACES
            };
            registry
                .register(address("10.0.0.1"), &places)
                .expect("a place")
        };
        let (slow, other) = (register(), register());
        registry.depart(Departure::Deleted, Whom::User("ada".to_owned()));
        let later = register();
        assert_eq!(slow.signed_in(user("ada")), Some(Departure::Deleted));
        assert_eq!(other.signed_in(user("bob")), None);
        assert_eq!(later.signed_in(user("ada")), None);
        let by_identity = register();
        let whom = Whom::Identity(user("ada").identity.clone());
        registry.depart(Departure::Revoked, whom);
        assert_eq!(by_identity.signed_in(user("ada")), Some(Departure::Revoked));
    }

    /// The numbers of those that were told to go.
    fn crowded_out(registry: &Registry) -> Vec<i32> {
        let connections = registry.connections();
        let all = connections.signing_in.values();
        all.filter(|one| one.is_crowded_out)
            .map(|one| one.process_id)
            .collect()
    }

    #[test]
    fn too_many_that_have_not_signed_in_lose_the_oldest_of_the_same_address_first() {
        let registry = Arc::new(Registry::default());
        let places = Places {
            connections_max: 100,
            refusals_max: 10,
            sign_ins_max: 4,
            sign_ins_max_per_address: 2,
        };
        let register = |from| registry.register(address(from), &places).expect("a place");
        let honest = register("10.0.0.1");
        let flood: Vec<Registration> = (0..5).map(|_| register("192.0.2.1")).collect();
        let told: Vec<i32> = flood[..3].iter().map(Registration::process_id).collect();
        assert_eq!(crowded_out(&registry), told);
        // The third address finds all places taken: the oldest goes, if it has not signed in.
        honest.signed_in(user("ada"));
        let others = [register("10.0.0.2"), register("10.0.0.3")];
        assert_eq!(crowded_out(&registry), told);
        let last = register("10.0.0.4");
        assert_eq!(crowded_out(&registry).len(), 4);
        assert!(!last.refused && others.iter().all(|other| !other.refused));
    }

    #[test]
    fn a_connection_beyond_the_bound_is_refused_and_one_far_beyond_dropped() {
        let registry = Arc::new(Registry::default());
        let register = || registry.register(address("10.0.0.1"), &PLACES);
        let served = register().expect("there is a place");
        served.signed_in(user("ada"));
        let refused = register().expect("there is a place to refuse");
        assert!(!served.refused && refused.refused);
        assert!(register().is_none());
        drop(served);
        drop(refused);
        let again = register().expect("places were given back");
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
