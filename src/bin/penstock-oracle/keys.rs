//! Which keys a producer writes: its own, and those that producers share in turn.
//!
//! Owns the names of all keys. Promises that no two statements write one key at the same time,
//! because then nobody could say which came last. Never remembers what was written.

use crate::ledger::Key;
use crate::statement::Table;
use rand::Rng;
use rand::rngs::StdRng;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Milliseconds of the first point: 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;

/// Series, or RAW tables, of one owner.
const SERIES: usize = 4;

/// Points of a series, or rows of a RAW table. Few, so that keys are written again and again.
const POINTS: usize = 150;

/// Groups of keys that all producers share.
const SHARED_GROUPS: usize = 4;

/// Held while a statement writes shared keys.
pub type Turn = Option<OwnedMutexGuard<()>>;

/// The turns of the shared groups. Clones are the same turns.
#[derive(Clone, Debug)]
pub struct SharedGroups {
    turns: Arc<[Arc<Mutex<()>>]>,
}

impl Default for SharedGroups {
    fn default() -> Self {
        SharedGroups {
            turns: (0..SHARED_GROUPS).map(|_| Arc::default()).collect(),
        }
    }
}

/// The keys of one producer.
#[derive(Debug)]
pub struct Keys {
    owner: String,
    shared: SharedGroups,
    series_made: u32,
}

impl Keys {
    pub fn new(producer: usize, shared: SharedGroups) -> Self {
        Keys {
            owner: format!("producer{producer}"),
            shared,
            series_made: 0,
        }
    }

    /// Draws `count` keys of `table`, and the turn to write them.
    pub fn draw(&mut self, table: Table, count: usize, random: &mut StdRng) -> (Vec<Key>, Turn) {
        if table == Table::Series {
            self.series_made += 1;
            let name = format!("{}-made{}", self.owner, self.series_made);
            return (vec![Key::Series(name.into())], None);
        }
        let group = random.random_range(0..SHARED_GROUPS);
        let turn = match random.random_bool(0.3) {
            true => self.shared.turns[group].clone().try_lock_owned().ok(),
            false => None,
        };
        let owner = match &turn {
            Some(_) => format!("shared{group}"),
            None => self.owner.clone(),
        };
        let keys = (0..count)
            .map(|_| {
                let series = format!("{owner}-{}", random.random_range(0..SERIES));
                let point = random.random_range(0..POINTS);
                key(table, &series, point)
            })
            .collect();
        (keys, turn)
    }
}

fn key(table: Table, series: &str, point: usize) -> Key {
    let time = START_MS + point as i64 * 1000;
    match table {
        Table::Numbers => Key::Number(format!("number-{series}").into(), time),
        Table::Texts => Key::Text(format!("text-{series}").into(), time),
        Table::Raw => Key::Raw(
            format!("table-{series}").into(),
            format!("row{point}").into(),
        ),
        Table::Series => Key::Series(series.into()),
    }
}

/// Every series that points are written to: (external id, whether of strings).
pub fn point_series(producers: usize) -> Vec<(String, bool)> {
    let owners = (0..producers)
        .map(|producer| format!("producer{producer}"))
        .chain((0..SHARED_GROUPS).map(|group| format!("shared{group}")));
    owners
        .flat_map(|owner| {
            (0..SERIES).flat_map(move |series| {
                [
                    (format!("number-{owner}-{series}"), false),
                    (format!("text-{owner}-{series}"), true),
                ]
            })
        })
        .collect()
}
