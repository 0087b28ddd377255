//! What is spent of CDF's budgets, as it outlives the process.
//!
//! Owns the document and the conversion between the process's clock and the wall clock.
//! Promises that what is read back never makes less of what was spent: where the process
//! before did not end well, a margin is added for what it could not note. Never does I/O:
//! [`StateFile`](super::StateFile) does.

use super::limiter::Limiter;
use crate::cdf::Project;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The format that this version writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// After an unclean end, what part of a byte budget counts as spent beyond what was noted.
/// Notes are at most a quarter of a second old: nobody spends a tenth of ten minutes in that.
const MARGIN: u64 = 10;

/// After an unclean end, requests and items wait this long: as long as CDF counts back.
const HELD: Duration = Duration::from_secs(1);

/// All budgets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    pub version: u32,
    /// The process ended in order, and spent nothing after it wrote this.
    pub clean: bool,
    pub budgets: Vec<SpentBudget>,
}

impl Default for Spent {
    fn default() -> Self {
        Spent {
            version: VERSION,
            clean: true,
            budgets: Vec::new(),
        }
    }
}

/// One budget. Times are milliseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpentBudget {
    pub base_url: String,
    pub project: String,
    /// `None`: that of the whole project.
    pub identity: Option<String>,
    /// The section of the limits.
    pub budget: String,
    /// When the requests and the items that were sent are paid off.
    pub requests_paid_off_ms: Option<u64>,
    pub items_paid_off_ms: Option<u64>,
    /// Bytes, and when they can be spent again; earliest first.
    pub bytes: Vec<(u64, u64)>,
}

impl SpentBudget {
    /// Whether it is this budget.
    pub fn is_of(&self, project: &Project, identity: Option<&str>, budget: &str) -> bool {
        self.budget == budget
            && self.project == project.name
            && self.base_url == project.base_url
            && self.identity.as_deref() == identity
    }
}

/// The two clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    pub now: Instant,
    pub wall: SystemTime,
}

impl Clocks {
    pub fn read() -> Self {
        Clocks {
            now: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// Rounded up: later is on the safe side.
    fn to_wall_ms(self, at: Instant) -> u64 {
        let wall = self.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = match at.checked_duration_since(self.now) {
            Some(ahead) => wall + ahead,
            None => wall.saturating_sub(self.now - at),
        };
        u64::try_from(at.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// A time that has passed is now: nothing asks for more.
    fn to_instant(self, wall_ms: u64) -> Instant {
        let wall = self.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let ahead = Duration::from_millis(wall_ms).saturating_sub(wall);
        self.now.checked_add(ahead).unwrap_or(self.now)
    }
}

/// Notes what `limiter` has spent; `None` if that is nothing.
pub(super) fn note(
    clocks: Clocks,
    limiter: &mut Limiter,
    project: &Project,
    identity: Option<&str>,
    budget: &str,
) -> Option<SpentBudget> {
    let bytes: Vec<(u64, u64)> = limiter
        .bytes
        .iter_mut()
        .flat_map(|window| window.spent(clocks.now))
        .map(|(free_at, bytes)| (clocks.to_wall_ms(free_at), bytes))
        .collect();
    let paid_off = |rate: Option<Instant>| {
        rate.filter(|at| *at > clocks.now)
            .map(|at| clocks.to_wall_ms(at))
    };
    let requests_paid_off_ms = paid_off(limiter.requests.as_ref().map(|rate| rate.paid_off()));
    let items_paid_off_ms = paid_off(limiter.items.as_ref().map(|rate| rate.paid_off()));
    let nothing = bytes.is_empty() && requests_paid_off_ms.is_none() && items_paid_off_ms.is_none();
    (!nothing).then(|| SpentBudget {
        base_url: project.base_url.clone(),
        project: project.name.clone(),
        identity: identity.map(str::to_owned),
        budget: budget.to_owned(),
        requests_paid_off_ms,
        items_paid_off_ms,
        bytes,
    })
}

/// Takes into a new `limiter` what was spent of its budget before this process.
pub(super) fn restore(
    clocks: Clocks,
    limiter: &mut Limiter,
    spent: Option<&SpentBudget>,
    is_clean: bool,
) {
    let now = clocks.now;
    if let Some(spent) = spent {
        for (rate, paid_off_ms) in [
            (&mut limiter.requests, spent.requests_paid_off_ms),
            (&mut limiter.items, spent.items_paid_off_ms),
        ] {
            if let (Some(rate), Some(paid_off_ms)) = (rate, paid_off_ms) {
                rate.restore(now, clocks.to_instant(paid_off_ms));
            }
        }
        if let Some(window) = &mut limiter.bytes {
            for (free_at_ms, bytes) in &spent.bytes {
                let free_at = clocks.to_instant(*free_at_ms);
                if free_at > now {
                    window.restore(now, free_at, *bytes);
                }
            }
        }
    }
    if is_clean {
        return;
    }
    for rate in [&mut limiter.requests, &mut limiter.items]
        .into_iter()
        .flatten()
    {
        rate.hold_until(now, now + HELD);
    }
    if let Some(window) = &mut limiter.bytes {
        let margin = window.bytes_max() / MARGIN;
        window.add(now, margin);
    }
}
