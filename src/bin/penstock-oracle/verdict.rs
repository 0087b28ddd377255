//! The judgement: five properties over the ledger and what was found.
//!
//! Owns what counts as a loss, a wrong order, a stranger. Promises to name the keys at fault.
//! Never forgives: a row may be missing only if a dead letter holds it, or a corruption report
//! counts it.

use crate::found::Found;
use crate::ledger::{Account, Key, Version};
use std::collections::{HashMap, HashSet};

/// Faults that are listed in full; more are counted.
const LISTED: usize = 20;

/// What the gateway itself says is not in CDF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confessed {
    /// Versions in dead letters.
    pub letters: HashSet<(Key, Version)>,
    /// Rows that corruption reports count: they cannot be named any more.
    pub corrupt_rows: u64,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// An acknowledged version is nowhere.
    Lost { key: Key, owed: Version },
    /// An older version than the newest acknowledged one is in CDF.
    Overtaken {
        key: Key,
        owed: Version,
        found: Version,
    },
    /// Nobody sent this version, or a ROLLBACK took it back.
    NeverSent { key: Key, found: Version },
    /// The value is no version of this key.
    Altered { key: Key },
}

/// The findings; none is what is wanted.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub wrong: Vec<Wrong>,
    /// Missing versions that only the count of corrupt rows excuses.
    pub excused_by_corruption: u64,
    /// Owed versions that are in dead letters instead of CDF.
    pub in_letters: u64,
}

impl Verdict {
    /// Compares.
    pub fn of(accounts: &HashMap<Key, Account>, found: &Found, confessed: &Confessed) -> Self {
        let mut verdict = Verdict::default();
        let mut missing = Vec::new();
        for (key, account) in accounts {
            let in_cdf = found.get(key);
            let Some(version) = in_cdf.copied().unwrap_or(Some(0)) else {
                verdict.wrong.push(Wrong::Altered { key: key.clone() });
                continue;
            };
            if version > account.sent || account.rolled_back.contains(&version) {
                verdict.wrong.push(Wrong::NeverSent {
                    key: key.clone(),
                    found: version,
                });
            }
            // Dead letters are taken off the debt, newest first.
            let owed = account
                .acknowledged
                .iter()
                .copied()
                .filter(|owed| {
                    let is_letter = confessed.letters.contains(&(key.clone(), *owed));
                    verdict.in_letters += u64::from(is_letter);
                    !is_letter
                })
                .max()
                .unwrap_or(0);
            if version < owed {
                missing.push((key.clone(), owed, version));
            }
        }
        for key in found.keys() {
            if !accounts.contains_key(key) {
                verdict.wrong.push(Wrong::NeverSent {
                    key: key.clone(),
                    found: 0,
                });
            }
        }
        if missing.len() as u64 <= confessed.corrupt_rows {
            verdict.excused_by_corruption = missing.len() as u64;
        } else {
            verdict
                .wrong
                .extend(missing.into_iter().map(|(key, owed, found)| match found {
                    0 => Wrong::Lost { key, owed },
                    found => Wrong::Overtaken { key, owed, found },
                }));
        }
        verdict
    }

    pub fn is_good(&self) -> bool {
        self.wrong.is_empty()
    }

    /// The findings, one a line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .wrong
            .iter()
            .take(LISTED)
            .map(|wrong| match wrong {
                Wrong::Lost { key, owed } => format!("lost: {key} owes version {owed}"),
                Wrong::Overtaken { key, owed, found } => {
                    format!("wrong order: {key} owes version {owed}, CDF has {found}")
                }
                Wrong::NeverSent { key, found } => {
                    format!("never sent: {key} version {found}")
                }
                Wrong::Altered { key } => format!("altered: {key}"),
            })
            .collect();
        if self.wrong.len() > LISTED {
            lines.push(format!("and {} more", self.wrong.len() - LISTED));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::Number("a".into(), 1)
    }

    fn judge(account: Account, found: Option<Option<Version>>, confessed: &Confessed) -> Verdict {
        let accounts = HashMap::from([(key(), account)]);
        let found = found.map(|version| (key(), version)).into_iter().collect();
        Verdict::of(&accounts, &found, confessed)
    }

    fn account(sent: Version, acknowledged: &[Version], rolled_back: &[Version]) -> Account {
        Account {
            sent,
            acknowledged: acknowledged.to_vec(),
            rolled_back: rolled_back.to_vec(),
        }
    }

    #[test]
    fn each_property_has_a_finding_of_its_own() {
        let none = Confessed::default();
        let good = judge(account(5, &[3, 4], &[]), Some(Some(4)), &none);
        assert!(good.is_good());
        // A version without an answer may be there, or not.
        assert!(judge(account(5, &[3, 4], &[]), Some(Some(5)), &none).is_good());
        assert!(judge(account(5, &[], &[]), None, &none).is_good());
        assert_eq!(
            judge(account(5, &[4], &[]), None, &none).wrong,
            [Wrong::Lost {
                key: key(),
                owed: 4
            }]
        );
        assert_eq!(
            judge(account(5, &[3, 4], &[]), Some(Some(3)), &none).wrong,
            [Wrong::Overtaken {
                key: key(),
                owed: 4,
                found: 3
            }]
        );
        for (found, account) in [(6, account(5, &[4], &[])), (5, account(5, &[4], &[5]))] {
            assert_eq!(
                judge(account, Some(Some(found)), &none).wrong,
                [Wrong::NeverSent { key: key(), found }]
            );
        }
        assert_eq!(
            judge(account(5, &[4], &[]), Some(None), &none).wrong,
            [Wrong::Altered { key: key() }]
        );
    }

    #[test]
    fn a_dead_letter_excuses_its_own_version_only() {
        let letters = HashSet::from([(key(), 4)]);
        let confessed = Confessed {
            letters,
            corrupt_rows: 0,
        };
        assert!(judge(account(4, &[3, 4], &[]), Some(Some(3)), &confessed).is_good());
        assert!(!judge(account(4, &[3, 4], &[]), Some(Some(2)), &confessed).is_good());
    }

    #[test]
    fn corruption_excuses_as_many_rows_as_it_reports() {
        let confessed = Confessed {
            letters: HashSet::new(),
            corrupt_rows: 1,
        };
        assert!(judge(account(4, &[4], &[]), None, &confessed).is_good());
    }
}
