//! How often sign-ins may fail: per user name and per address.
//!
//! Owns the count of failures. Promises bounded memory, that names which do not exist count like
//! those that do, and that guesses made at once on many connections count like guesses made one
//! after the other. Strangers cannot lock a user out of an address that the user signed in from
//! before. Never answers a client.

use crate::config::SignInFailureSettings;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Entries of each table.
const ENTRIES_MAX: usize = 20_000;

/// How long an address stays known to be a user's own.
const KNOWN_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// Failures so far, and until when they are remembered.
#[derive(Debug)]
pub(super) struct Failures {
    settings: SignInFailureSettings,
    /// Names are kept as keyed hashes: they may be anything, also a password typed in the wrong
    /// place.
    hasher: RandomState,
    tables: Mutex<Tables>,
}

/// Per entry the moment at which its last failure is forgotten: each adds its time to it.
#[derive(Debug, Default)]
struct Tables {
    users: HashMap<u64, Instant>,
    addresses: HashMap<IpAddr, Instant>,
    /// From where users signed in, with the moment at which that is forgotten.
    known: HashMap<(u64, IpAddr), Instant>,
}

impl Failures {
    pub(super) fn new(settings: SignInFailureSettings) -> Self {
        Failures {
            settings,
            hasher: RandomState::new(),
            tables: Mutex::default(),
        }
    }

    /// Whether there may be another try; the error is how long there may be none.
    pub(super) fn may_try(&self, user: &str, address: IpAddr) -> Result<(), Duration> {
        let (user, address) = (self.hasher.hash_one(user), network(address));
        let now = Instant::now();
        let tables = self.tables();
        let of_address = self.wait(
            tables.addresses.get(&address),
            self.settings.per_address_max,
            now,
        );
        let is_known = tables
            .known
            .get(&(user, address))
            .is_some_and(|until| *until > now);
        let of_user = match is_known {
            true => None,
            false => self.wait(tables.users.get(&user), self.settings.per_user_max, now),
        };
        of_address.max(of_user).map_or(Ok(()), Err)
    }

    /// A try failed.
    pub(super) fn failed(&self, user: &str, address: IpAddr) {
        let (user, address) = (self.hasher.hash_one(user), network(address));
        let now = Instant::now();
        let forgotten = Duration::from_secs(self.settings.forgotten_s);
        let mut tables = self.tables();
        let Tables {
            users, addresses, ..
        } = &mut *tables;
        add(users, user, now, forgotten, self.settings.per_user_max);
        add(
            addresses,
            address,
            now,
            forgotten,
            self.settings.per_address_max,
        );
    }

    /// A try succeeded: what failed before was a slip.
    pub(super) fn succeeded(&self, user: &str, address: IpAddr) {
        let (user, address) = (self.hasher.hash_one(user), network(address));
        let now = Instant::now();
        let mut tables = self.tables();
        tables.users.remove(&user);
        tables.addresses.remove(&address);
        make_room(&mut tables.known, now);
        tables.known.insert((user, address), now + KNOWN_FOR);
    }

    /// How long until one more failure would not be one too many; `None`: it is not now.
    fn wait(&self, until: Option<&Instant>, failures_max: u32, now: Instant) -> Option<Duration> {
        if failures_max == 0 {
            return None;
        }
        let allowed = Duration::from_secs(self.settings.forgotten_s) * (failures_max - 1);
        let remembered = until?.saturating_duration_since(now);
        remembered
            .checked_sub(allowed)
            .filter(|wait| !wait.is_zero())
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Every change is one insertion or removal.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds one failure, up to what counts: who goes on guessing is not shut out for ever longer.
fn add<K: Hash + Eq + Copy>(
    table: &mut HashMap<K, Instant>,
    key: K,
    now: Instant,
    forgotten: Duration,
    failures_max: u32,
) {
    if failures_max == 0 {
        return;
    }
    if !table.contains_key(&key) {
        make_room(table, now);
    }
    let until = table.entry(key).or_insert(now);
    *until = ((*until).max(now) + forgotten).min(now + forgotten * failures_max);
}

/// Keeps a table bounded: what is forgotten goes first, then what is forgotten soonest, so that a
/// flood of new names does not wash away those that are guessed at.
fn make_room<K: Hash + Eq + Copy>(table: &mut HashMap<K, Instant>, now: Instant) {
    if table.len() < ENTRIES_MAX {
        return;
    }
    table.retain(|_, until| *until > now);
    if table.len() < ENTRIES_MAX {
        return;
    }
    let mut moments: Vec<Instant> = table.values().copied().collect();
    let (_, median, _) = moments.select_nth_unstable(ENTRIES_MAX / 2);
    let median = *median;
    table.retain(|_, until| *until > median);
}

/// What counts as one address: a household or a machine with IPv6 has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(per_user_max: u32, per_address_max: u32) -> Failures {
        Failures::new(SignInFailureSettings {
            per_user_max,
            per_address_max,
            // Longer than any test takes.
            forgotten_s: 10_000,
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_user_is_shut_after_so_many_failures_wherever_they_came_from() {
        let failures = failures(3, 0);
        for n in 0..3 {
            let from = address(&format!("10.0.0.{n}"));
            assert_eq!(failures.may_try("ada", from), Ok(()));
            failures.failed("ada", from);
        }
        assert!(failures.may_try("ada", address("10.0.0.9")).is_err());
        assert_eq!(failures.may_try("bob", address("10.0.0.1")), Ok(()));
    }

    #[test]
    fn an_address_is_shut_whatever_names_it_tries() {
        let failures = failures(0, 3);
        let from = address("10.0.0.1");
        for name in ["ada", "bob", "nobody"] {
            assert_eq!(failures.may_try(name, from), Ok(()));
            failures.failed(name, from);
        }
        assert!(failures.may_try("eve", from).is_err());
        assert_eq!(failures.may_try("eve", address("10.0.0.2")), Ok(()));
    }

    #[test]
    fn strangers_do_not_lock_a_user_out_of_its_own_address() {
        let failures = failures(2, 0);
        let (own, strange) = (address("10.0.0.1"), address("192.0.2.1"));
        failures.succeeded("ada", own);
        for _ in 0..5 {
            failures.failed("ada", strange);
        }
        assert!(failures.may_try("ada", strange).is_err());
        assert_eq!(failures.may_try("ada", own), Ok(()));
    }

    #[test]
    fn a_success_forgives_the_slips_before_it() {
        let failures = failures(2, 2);
        let from = address("10.0.0.1");
        failures.failed("ada", from);
        failures.succeeded("ada", from);
        failures.failed("ada", from);
        assert_eq!(failures.may_try("ada", from), Ok(()));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_and_mapped_ones_are_ipv4() {
        assert_eq!(network(address("fd00::1")), network(address("fd00::2:3")));
        assert_ne!(
            network(address("fd00::1")),
            network(address("fd00:0:0:1::1"))
        );
        assert_eq!(network(address("::ffff:10.0.0.1")), address("10.0.0.1"));
    }

    #[test]
    fn the_tables_are_bounded_and_a_flood_of_names_does_not_hide_the_one_guessed_at() {
        let failures = failures(3, 0);
        let from = address("10.0.0.1");
        for _ in 0..3 {
            failures.failed("ada", from);
        }
        for n in 0..3 * ENTRIES_MAX {
            failures.failed(&format!("nobody-{n}"), from);
        }
        assert!(failures.tables().users.len() <= ENTRIES_MAX);
        assert!(failures.may_try("ada", from).is_err());
    }
}
