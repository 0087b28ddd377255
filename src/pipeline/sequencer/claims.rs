//! Who writes a key next: the last entries that claimed each key.
//!
//! Owns the claims by key hash. Promises that of two entries with one key the later is linked
//! behind the earlier. Claims of closed entries are dead; they are taken over or swept, never
//! looked for, so that ending an entry costs nothing per key. Never holds a key itself: two
//! keys with one hash only wait for each other without need.

use super::entries::{Entries, EntryId};
use crate::rows::TimeSpan;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Keys are good hashes already.
#[derive(Debug, Default)]
pub struct Unhashed(u64);

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Unhashed>>;

/// Keys that are looked up together. The first look at each only brings its place into the
/// cache: the processor waits for many of them at once, but for one at a time when the work on
/// each stands between.
const TOGETHER: usize = 32;

/// Claims that a table holds without being looked through.
const CLAIMS_KEPT: usize = 4096;

/// Makes room for `more` claims: first by forgetting those that `is_dead` tells, which are
/// the most when a table is full after some time, then by growing.
fn make_room<V>(claims: &mut ByHash<V>, more: usize, is_alive: impl FnMut(&mut V) -> bool) {
    if claims.len() + more <= claims.capacity() {
        return;
    }
    let mut is_alive = is_alive;
    claims.retain(|_, claim| is_alive(claim));
    let needed = claims.len() + more;
    if needed < claims.capacity() / 8 {
        claims.shrink_to(CLAIMS_KEPT.max(2 * needed));
    }
    // Room for as many again, so that the next look through is as far away as this was.
    claims.reserve(more.max(CLAIMS_KEPT).max(claims.len()));
}

/// Claims on whole keys: RAW rows and objects.
#[derive(Debug, Default)]
pub struct KeyClaims {
    last: ByHash<EntryId>,
}

impl KeyClaims {
    /// Call this before `more` claims are made.
    pub fn make_room(&mut self, entries: &Entries, more: usize) {
        make_room(&mut self.last, more, |entry| entries.is_open(*entry));
    }

    /// `entry` writes `keys`, after all that did so before. `merges`: one request may hold a
    /// key twice, and the last one wins.
    pub fn claim(
        &mut self,
        entries: &mut Entries,
        entry: EntryId,
        keys: impl Iterator<Item = u64> + Clone,
        merges: bool,
    ) {
        let mut ahead = keys.clone();
        let mut keys = keys.peekable();
        while keys.peek().is_some() {
            let known = ahead.by_ref().take(TOGETHER);
            let known = known.filter(|key| self.last.contains_key(key)).count();
            self.last.reserve(TOGETHER - known);
            for key in keys.by_ref().take(TOGETHER) {
                // The one before is linked behind its own predecessors, so the last is enough.
                if let Some(before) = self.last.insert(key, entry)
                    && before != entry
                {
                    entries.link(before, entry, merges);
                }
            }
        }
    }
}

/// Points of one series that an entry writes.
#[derive(Clone, Copy, Debug)]
pub struct SeriesClaim {
    pub entry: EntryId,
    pub span: TimeSpan,
}

/// Claims on one series.
#[derive(Debug)]
struct Claimants {
    /// Hash of the name by which all of them call the series: a request must not hold one
    /// series under two names.
    name: u64,
    /// What all of them span, the dead ones included: who writes outside, as nearly everybody
    /// does who appends, need not look at any of them.
    hull: TimeSpan,
    latest: SeriesClaim,
    earlier: Vec<SeriesClaim>,
}

/// With so many open claims on one series, the next one takes the place of others, so that a
/// series written by very many small statements costs each of them little: of those of its own
/// connection where they are the most, of all otherwise. A bulk load must not take the place of
/// a small statement's claim: the next small one would wait for all of the load.
const CLAIMANTS_MAX: usize = 64;

/// A claim that is not made yet.
#[derive(Clone, Copy, Debug)]
struct Pending {
    key: u64,
    name: u64,
    claim: SeriesClaim,
}

/// Claims on series with their time spans.
#[derive(Debug, Default)]
pub struct SeriesClaims {
    claimants: ByHash<Claimants>,
    /// Up to [`TOGETHER`].
    pending: Vec<Pending>,
}

impl SeriesClaims {
    /// Call this before `more` claims are made.
    pub fn make_room(&mut self, entries: &Entries, more: usize) {
        make_room(&mut self.claimants, more, |claimants| {
            claimants.forget_dead(entries);
            !claimants.earlier.is_empty() || entries.is_open(claimants.latest.entry)
        });
    }

    /// `claim.entry` writes points of the series that `key` stands for, and calls it by `name`.
    /// Call [`SeriesClaims::finish`] after the last claim of an entry.
    pub fn claim(&mut self, entries: &mut Entries, key: u64, name: u64, claim: SeriesClaim) {
        self.pending.push(Pending { key, name, claim });
        if self.pending.len() == TOGETHER {
            self.finish(entries);
        }
    }

    /// Makes the claims that are pending.
    pub fn finish(&mut self, entries: &mut Entries) {
        let is_known = |pending: &&Pending| self.claimants.contains_key(&pending.key);
        let known = self.pending.iter().filter(is_known).count();
        self.claimants.reserve(self.pending.len() - known);
        for Pending { key, name, claim } in self.pending.drain(..) {
            match self.claimants.entry(key) {
                std::collections::hash_map::Entry::Vacant(vacant) => {
                    vacant.insert(Claimants {
                        name,
                        hull: claim.span,
                        latest: claim,
                        earlier: Vec::new(),
                    });
                }
                std::collections::hash_map::Entry::Occupied(occupied) => {
                    occupied.into_mut().claim(entries, name, claim);
                }
            }
        }
    }
}

impl Claimants {
    fn claim(&mut self, entries: &mut Entries, name: u64, claim: SeriesClaim) {
        if self.latest.entry == claim.entry {
            // The batch names the series twice. All links are made, but for the wider span.
            let wider = SeriesClaim {
                entry: claim.entry,
                span: hull(self.latest.span, claim.span),
            };
            self.link(entries, &claim);
            self.latest = wider;
            self.hull = hull(self.hull, claim.span);
            return;
        }
        if self.earlier.is_empty() && !entries.is_open(self.latest.entry) {
            // Nearly always so when statements follow each other.
            self.name = name;
            self.hull = claim.span;
            self.latest = claim;
            return;
        }
        if self.name != name {
            // Whatever its time, it must not share a request with any of them.
            self.take_all_their_place(entries, claim, false);
            self.latest.span = ALL_TIME;
            self.hull = ALL_TIME;
            self.name = name;
            return;
        }
        if self.hull.overlaps(claim.span) {
            self.forget_dead(entries);
            self.link(entries, &claim);
            self.forget_covered(&claim);
        }
        if self.earlier.len() == self.earlier.capacity() {
            self.forget_dead(entries);
        }
        if self.earlier.len() >= CLAIMANTS_MAX {
            self.take_some_places(entries, claim);
            return;
        }
        // The latest is the claim itself if it was covered.
        if self.latest.entry != claim.entry {
            self.earlier.push(self.latest);
        }
        self.latest = claim;
        self.hull = hull(self.hull, claim.span);
    }

    /// Links the claim behind those whose time it overlaps.
    fn link(&self, entries: &mut Entries, claim: &SeriesClaim) {
        for before in self.earlier.iter().chain([&self.latest]) {
            if before.span.overlaps(claim.span) && before.entry != claim.entry {
                entries.link(before.entry, claim.entry, true);
            }
        }
    }

    /// Drops claims inside the new one: who conflicts with them conflicts with it too, and it
    /// is linked behind them.
    fn forget_covered(&mut self, claim: &SeriesClaim) {
        let covers = |before: &SeriesClaim| {
            claim.span.first_ms <= before.span.first_ms && claim.span.last_ms >= before.span.last_ms
        };
        self.earlier.retain(|before| !covers(before));
        if covers(&self.latest) {
            self.latest = *claim;
        }
    }

    /// Drops closed claims and tightens the hull.
    fn forget_dead(&mut self, entries: &Entries) {
        self.earlier.retain(|before| entries.is_open(before.entry));
        if !entries.is_open(self.latest.entry)
            && let Some(latest) = self.earlier.pop()
        {
            self.latest = latest;
        }
        self.hull = self
            .earlier
            .iter()
            .fold(self.latest.span, |whole, claim| hull(whole, claim.span));
    }

    /// The new claim takes the place of those of its connection, or of all.
    fn take_some_places(&mut self, entries: &mut Entries, claim: SeriesClaim) {
        let connection = entries.connection(claim.entry);
        let is_own = |before: &SeriesClaim| entries.connection(before.entry) == connection;
        let (own, others): (Vec<_>, Vec<_>) = self.earlier.drain(..).partition(is_own);
        if own.len() * 2 < CLAIMANTS_MAX {
            self.earlier.extend(own.into_iter().chain(others));
            self.take_all_their_place(entries, claim, true);
            return;
        }
        self.earlier = others;
        // The latest is the claim itself if it was covered.
        if self.latest.entry != claim.entry {
            self.earlier.push(self.latest);
        }
        let whole = self.hull;
        self.take_their_place(entries, own, claim, true);
        self.hull = hull(whole, claim.span);
    }

    fn take_all_their_place(&mut self, entries: &mut Entries, claim: SeriesClaim, merges: bool) {
        let mut all = std::mem::take(&mut self.earlier);
        all.push(self.latest);
        self.take_their_place(entries, all, claim, merges);
        self.hull = self.latest.span;
    }

    /// The new claim is linked behind each of the old ones and spans their time too.
    fn take_their_place(
        &mut self,
        entries: &mut Entries,
        taken: Vec<SeriesClaim>,
        claim: SeriesClaim,
        merges: bool,
    ) {
        let mut span = claim.span;
        for before in taken {
            if before.entry != claim.entry {
                entries.link(before.entry, claim.entry, merges);
                span = hull(span, before.span);
            }
        }
        self.latest = SeriesClaim {
            entry: claim.entry,
            span,
        };
    }
}

const ALL_TIME: TimeSpan = TimeSpan {
    first_ms: i64::MIN,
    last_ms: i64::MAX,
};

fn hull(one: TimeSpan, other: TimeSpan) -> TimeSpan {
    TimeSpan {
        first_ms: one.first_ms.min(other.first_ms),
        last_ms: one.last_ms.max(other.last_ms),
    }
}
