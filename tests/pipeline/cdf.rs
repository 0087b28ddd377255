//! CDF as the model sees it: rules, what it holds, and writes that land late.

use crate::rows::{Key, Row, node_of_name};
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
    /// Series of the other type.
    pub strings: HashSet<String>,
    /// A look-up of series tells their types.
    pub tells_types: bool,
    /// An existing key is refused, not overwritten.
    pub only_creates: bool,
    /// Which request made a key.
    pub made_by: HashMap<Key, CallId>,
}

impl Default for Cdf {
    fn default() -> Self {
        Cdf {
            held: BTreeMap::new(),
            landing: Vec::new(),
            bad_places: HashSet::new(),
            missing_series: HashSet::new(),
            names_missing: true,
            strings: HashSet::new(),
            tells_types: true,
            only_creates: false,
            made_by: HashMap::new(),
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
                self.apply(id, &rows);
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
        let split =
            |missing: Vec<Reference>, duplicated: Vec<Reference>, reason| AttemptFailure::Split {
                missing,
                duplicated,
                reason,
            };
        let held: Vec<Reference> = rows
            .iter()
            .filter(|row| self.only_creates && self.held.contains_key(&row.key))
            .map(|row| Reference::ExternalId(row.key.0.as_str().into()))
            .collect();
        if !held.is_empty() {
            return Err(split(Vec::new(), held, reason()));
        }
        if !missing.is_empty() {
            let names = missing.into_iter().map(|name| match node_of_name(name) {
                Some(node) => Reference::from(&node),
                None => Reference::ExternalId(name.as_str().into()),
            });
            let names = match self.names_missing {
                true => names.collect(),
                false => Vec::new(),
            };
            return Err(split(names, Vec::new(), reason()));
        }
        if rows.iter().any(|row| self.strings.contains(&row.key.0)) {
            let reason = Diagnostic::error(SqlState::DATATYPE_MISMATCH, "Expected string value");
            return Err(split(Vec::new(), Vec::new(), Box::new(reason)));
        }
        match rows.iter().any(|row| self.bad_places.contains(&row.place)) {
            true => Err(split(Vec::new(), Vec::new(), reason())),
            false => Ok(()),
        }
    }

    /// Applies the late writes whose time has come.
    pub fn land(&mut self, now: Instant) {
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.landing)
            .into_iter()
            .partition(|(at, ..)| *at <= now);
        self.landing = later;
        for (_, id, rows) in due {
            // What came first may stand in the way by now.
            if self.judge(&rows).is_ok() {
                self.apply(id, &rows);
            }
        }
    }

    /// The last of equal keys wins, and a key never goes back to an earlier value.
    fn apply(&mut self, id: CallId, rows: &[Row]) {
        let mut last: HashMap<&Key, u64> = HashMap::new();
        for row in rows {
            let before = last.insert(&row.key, row.place);
            assert!(
                before.is_none_or(|before| before < row.place),
                "rows of one key stand in a request in the wrong order"
            );
        }
        for (key, place) in last {
            self.made_by.insert(key.clone(), id);
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
        throttle: None,
        reason: reason(),
    }
}
