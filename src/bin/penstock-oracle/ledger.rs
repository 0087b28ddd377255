//! The ledger: what was sent for each key, and what the gateway said it had.
//!
//! Owns the debts: every acknowledged version of a key has to be found again. Promises that a
//! version is given out once, so that what CDF holds tells exactly which write it came from.
//! Never talks to anyone; it outlives the gateway because it is another process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a value lies in CDF.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A point of a series of numbers: external id, milliseconds.
    Number(Arc<str>, i64),
    /// A point of a series of strings.
    Text(Arc<str>, i64),
    /// A RAW row: table, key.
    Raw(Arc<str>, Arc<str>),
    /// A time series that is made once: external id.
    Series(Arc<str>),
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Number(series, time) => write!(formatter, "number {series}@{time}"),
            Key::Text(series, time) => write!(formatter, "text {series}@{time}"),
            Key::Raw(table, key) => write!(formatter, "raw {table}/{key}"),
            Key::Series(series) => write!(formatter, "series {series}"),
        }
    }
}

/// Counts the writes of one key, from 1.
pub type Version = u32;

/// What is known of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The newest version that was sent.
    pub sent: Version,
    /// Versions that were acknowledged, in their order.
    pub acknowledged: Vec<Version>,
    /// Versions that a ROLLBACK took back before anything was sent to CDF.
    pub rolled_back: Vec<Version>,
}

/// All accounts. Clones are the same ledger.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: Arc<Mutex<HashMap<Key, Account>>>,
}

impl Ledger {
    fn accounts(&self) -> MutexGuard<'_, HashMap<Key, Account>> {
        // Each change is whole before the next begins, so a panic elsewhere spoils nothing.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next version of each key: noted as sent before it is.
    pub fn next_versions(&self, keys: &[Key]) -> Vec<Version> {
        let mut accounts = self.accounts();
        keys.iter()
            .map(|key| {
                let account = accounts.entry(key.clone()).or_default();
                account.sent += 1;
                account.sent
            })
            .collect()
    }

    /// The gateway said that it has these.
    pub fn acknowledge(&self, keys: &[Key], versions: &[Version]) {
        let mut accounts = self.accounts();
        for (key, version) in keys.iter().zip(versions) {
            if let Some(account) = accounts.get_mut(key) {
                account.acknowledged.push(*version);
            }
        }
    }

    /// The gateway said that it took these back.
    pub fn roll_back(&self, keys: &[Key], versions: &[Version]) {
        let mut accounts = self.accounts();
        for (key, version) in keys.iter().zip(versions) {
            if let Some(account) = accounts.get_mut(key) {
                account.rolled_back.push(*version);
            }
        }
    }

    /// Every account as it is now.
    pub fn snapshot(&self) -> HashMap<Key, Account> {
        self.accounts().clone()
    }

    /// Rows sent and acknowledged so far.
    pub fn totals(&self) -> Totals {
        let accounts = self.accounts();
        let mut totals = Totals::default();
        for account in accounts.values() {
            totals.sent += u64::from(account.sent);
            totals.acknowledged += account.acknowledged.len() as u64;
        }
        totals
    }
}

/// Rows over all keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub sent: u64,
    pub acknowledged: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_owed_once_it_is_acknowledged() {
        let ledger = Ledger::default();
        let key = Key::Number("a".into(), 1);
        let keys = [key.clone()];
        assert_eq!(ledger.next_versions(&keys), [1]);
        assert_eq!(ledger.next_versions(&keys), [2]);
        assert!(ledger.snapshot()[&key].acknowledged.is_empty());
        ledger.acknowledge(&keys, &[2]);
        let account = ledger.snapshot()[&key].clone();
        assert_eq!((account.acknowledged, account.sent), (vec![2], 2));
        assert_eq!(ledger.totals().acknowledged, 1);
    }
}
