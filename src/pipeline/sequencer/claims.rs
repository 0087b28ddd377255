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

/// Sweep no sooner than at this many claims.
const SWEEP_MIN: usize = 4096;

/// Claims on whole keys: RAW rows and objects.
#[derive(Debug, Default)]
pub struct KeyClaims {
    last: ByHash<EntryId>,
}

impl KeyClaims {
    /// `entry` writes `key`, after all that did so before. `merges`: one request may hold the
    /// key twice, and the last one wins.
    pub fn claim(&mut self, entries: &mut Entries, entry: EntryId, key: u64, merges: bool) {
        // The one before is linked behind its own predecessors, so the last is enough.
        if let Some(before) = self.last.insert(key, entry)
            && before != entry
        {
            entries.link(before, entry, merges);
        }
    }

    /// Forgets dead claims when they are the most.
    pub fn sweep(&mut self, entries: &Entries) {
        if self.last.len() > SWEEP_MIN + 2 * entries.claims() {
            self.last.retain(|_, entry| entries.is_open(*entry));
            self.last.shrink_to(SWEEP_MIN);
        }
    }
}

/// Points of one series that an entry writes.
#[derive(Clone, Copy, Debug)]
pub struct SeriesClaim {
    pub entry: EntryId,
    pub span: TimeSpan,
    /// Hash of the name that the entry uses for the series: a request must not hold one
    /// series under two names. 0: under several.
    pub name: u64,
}

impl SeriesClaim {
    /// How `later` stands to this claim: `None` when they may be sent in parallel, otherwise
    /// whether they may go in one request.
    fn conflict(&self, later: &SeriesClaim) -> Option<bool> {
        let same_name = self.name == later.name && self.name != 0;
        if !same_name {
            return Some(false);
        }
        self.span.overlaps(later.span).then_some(true)
    }

    /// Whether all that conflicts with `other` conflicts with this claim too.
    fn covers(&self, other: &SeriesClaim) -> bool {
        self.name == other.name
            && self.span.first_ms <= other.span.first_ms
            && self.span.last_ms >= other.span.last_ms
    }
}

/// Claims on one series. Nearly always there is one.
#[derive(Debug)]
enum Claimants {
    One(SeriesClaim),
    Many(Vec<SeriesClaim>),
}

/// With so many claims on one series, the next one takes all their place, so that a series
/// written by very many small statements does not make each of them look at all the others.
const CLAIMANTS_MAX: usize = 64;

/// Claims on series with their time spans.
#[derive(Debug, Default)]
pub struct SeriesClaims {
    claimants: ByHash<Claimants>,
}

impl SeriesClaims {
    /// `claim.entry` writes points of the series that `key` stands for.
    pub fn claim(&mut self, entries: &mut Entries, key: u64, claim: SeriesClaim) {
        let claimants = match self.claimants.entry(key) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(Claimants::One(claim));
                return;
            }
            std::collections::hash_map::Entry::Occupied(occupied) => occupied.into_mut(),
        };
        match claimants {
            Claimants::One(before) => {
                if let Some(both) = settle(entries, before, &claim) {
                    *claimants = Claimants::Many(vec![*before, both]);
                } else {
                    *before = claim_over(before, claim);
                }
            }
            Claimants::Many(all) => {
                let mut claim = claim;
                if all.len() >= CLAIMANTS_MAX {
                    all.retain(|before| entries.is_open(before.entry));
                }
                if all.len() >= CLAIMANTS_MAX {
                    for before in all.drain(..) {
                        let merges = before.conflict(&claim).unwrap_or(true);
                        entries.link(before.entry, claim.entry, merges);
                        claim = hull(&before, claim);
                    }
                } else {
                    all.retain(|before| {
                        if settle(entries, before, &claim).is_some() {
                            return true;
                        }
                        claim = claim_over(before, claim);
                        false
                    });
                }
                all.push(claim);
            }
        }
    }

    /// Forgets dead claims when they are the most.
    pub fn sweep(&mut self, entries: &Entries) {
        if self.claimants.len() > SWEEP_MIN + 2 * entries.claims() {
            self.claimants.retain(|_, claimants| match claimants {
                Claimants::One(claim) => entries.is_open(claim.entry),
                Claimants::Many(all) => {
                    all.retain(|claim| entries.is_open(claim.entry));
                    !all.is_empty()
                }
            });
            self.claimants.shrink_to(SWEEP_MIN);
        }
    }
}

/// Links `later` behind `before` where they conflict. Returns `later` when both claims must
/// be kept, `None` when `before` is dead, the entry's own, or covered.
fn settle(entries: &mut Entries, before: &SeriesClaim, later: &SeriesClaim) -> Option<SeriesClaim> {
    if before.entry == later.entry {
        return None;
    }
    match before.conflict(later) {
        Some(merges) => {
            let open = entries.link(before.entry, later.entry, merges);
            (open && !later.covers(before)).then_some(*later)
        }
        None => entries.is_open(before.entry).then_some(*later),
    }
}

/// The claim that takes the place of `before`: an entry that names a series twice has one.
fn claim_over(before: &SeriesClaim, later: SeriesClaim) -> SeriesClaim {
    if before.entry == later.entry {
        hull(before, later)
    } else {
        later
    }
}

/// `later`, widened by `before`.
fn hull(before: &SeriesClaim, later: SeriesClaim) -> SeriesClaim {
    SeriesClaim {
        entry: later.entry,
        span: TimeSpan {
            first_ms: before.span.first_ms.min(later.span.first_ms),
            last_ms: before.span.last_ms.max(later.span.last_ms),
        },
        name: if before.name == later.name {
            later.name
        } else {
            0
        },
    }
}
