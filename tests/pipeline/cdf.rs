//! CDF as the model sees it: rules, what it holds, and writes that land late.

use crate::rows::{Key, Row};
use penstock::cdf::{AttemptFailure, Reference};
use penstock::diagnostic::{Diagnostic, SqlState};
use penstock::pipeline::attempt::{CallAnswer, CallId};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

/// How the next call ends, as far as the test decides it.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// CDF answers as its rules say.
    Answered,
    /// 503 or 429.
    Busy { retry_after_s: Option<u64> },
    /// No answer; the write lands after `lands_ms`, or never.
    Unanswered { lands_ms: Option<u64> },
    /// A writer died.
    Lost { lands_ms: Option<u64> },
    /// CDF refuses everything.
    Refused,
}

/// A CDF that takes all of a request or nothing.
pub struct Cdf {
    /// By key, the place of the row that wrote it last.
    pub held: BTreeMap<Key, u64>,
    /// Writes that land later: when, of which request, what.
    pub landing: Vec<(Instant, CallId, Vec<Row>)>,
    /// Rows that CDF refuses: those at these places.
    pub bad_places: HashSet<u64>,
    /// Series that CDF does not have.
    pub missing_series: HashSet<String>,
    /// CDF says which series it misses.
    pub names_missing: bool,
}

impl Default for Cdf {
    fn default() -> Self {
        Cdf {
            held: BTreeMap::new(),
            landing: Vec::new(),
            bad_places: HashSet::new(),
            missing_series: HashSet::new(),
            names_missing: true,
        }
    }
}

impl Cdf {
    pub fn next_landing(&self) -> Option<Instant> {
        self.landing.iter().map(|(at, ..)| *at).min()
    }

    /// A write reaches CDF, or not.
    pub fn write(
        &mut self,
        now: Instant,
        id: CallId,
        rows: Vec<Row>,
        fate: Fate,
    ) -> Result<CallAnswer, AttemptFailure> {
        let judgement = self.judge(&rows);
        match fate {
            Fate::Answered => {
                judgement?;
                self.apply(&rows);
                Ok(CallAnswer::Done)
            }
            Fate::Busy { retry_after_s } => Err(busy(retry_after_s, true)),
            Fate::Refused => Err(AttemptFailure::Reject { reason: reason() }),
            Fate::Unanswered { lands_ms } | Fate::Lost { lands_ms } => {
                if let (Some(lands_ms), Ok(())) = (lands_ms, judgement) {
                    let at = now + Duration::from_millis(lands_ms);
                    self.landing.push((at, id, rows));
                    self.land(now);
                }
                match fate {
                    Fate::Lost { .. } => Err(AttemptFailure::Unknown { reason: reason() }),
                    _ => Err(busy(None, false)),
                }
            }
        }
    }

    /// CDF's rules: all or nothing, with or without names.
    fn judge(&self, rows: &[Row]) -> Result<(), AttemptFailure> {
        let missing: HashSet<&String> = rows
            .iter()
            .map(|row| &row.key.0)
            .filter(|series| self.missing_series.contains(*series))
            .collect();
        let split = |missing: Vec<Reference>| AttemptFailure::Split {
            missing,
            duplicated: Vec::new(),
            reason: reason(),
        };
        if !missing.is_empty() {
            let names = missing
                .into_iter()
                .map(|name| Reference::ExternalId(name.as_str().into()));
            return Err(split(match self.names_missing {
                true => names.collect(),
                false => Vec::new(),
            }));
        }
        match rows.iter().any(|row| self.bad_places.contains(&row.place)) {
            true => Err(split(Vec::new())),
            false => Ok(()),
        }
    }

    /// Applies the late writes whose time has come.
    pub fn land(&mut self, now: Instant) {
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.landing)
            .into_iter()
            .partition(|(at, ..)| *at <= now);
        self.landing = later;
        for (_, _, rows) in due {
            self.apply(&rows);
        }
    }

    /// The last of equal keys wins, and a key never goes back to an earlier value.
    fn apply(&mut self, rows: &[Row]) {
        let mut last: HashMap<&Key, u64> = HashMap::new();
        for row in rows {
            let before = last.insert(&row.key, row.place);
            assert!(
                before.is_none_or(|before| before < row.place),
                "rows of one key stand in a request in the wrong order"
            );
        }
        for (key, place) in last {
            let before = self.held.insert(key.clone(), place);
            assert!(
                before.is_none_or(|before| before <= place),
                "{key:?} went back from {before:?} to {place}"
            );
        }
    }
}

pub fn reason() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(SqlState::FDW_ERROR, "CDF said no"))
}

pub fn busy(retry_after_s: Option<u64>, answered: bool) -> AttemptFailure {
    AttemptFailure::Retry {
        retry_after: retry_after_s.map(Duration::from_secs),
        answered,
        status: answered.then_some(503),
        reason: reason(),
    }
}
