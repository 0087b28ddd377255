//! Counting against budgets, and the 429 when one is exceeded.
//!
//! Owns a sliding window per (budget, identity or project) and the number of requests in
//! flight. A request that is refused still counts, as CDF documents. The window is a ring
//! of 64 slots, so its memory does not grow with the rate and its edge is exact to 1/64
//! of its length. Never waits.

use super::answer::Refusal;
use super::budget::{Budget, BudgetScope, Budgets};
use super::route::Operation;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

const SLOTS: usize = 64;

/// Who asks for what.
#[derive(Debug, Clone)]
pub struct Asker {
    pub project: String,
    pub identity: String,
    pub operation: Operation,
}

/// What a request consumes besides itself, known once its body is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Consumption {
    /// Datapoints, rows or objects.
    pub items: u64,
    /// Uncompressed bytes of RAW rows; 0 for other operations.
    pub raw_bytes: u64,
}

/// The counters of all budgets.
#[derive(Debug)]
pub struct Throttle {
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    budgets: Budgets,
    counters: HashMap<(usize, String), Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    requests: Window,
    items: Window,
    raw_bytes: Window,
    in_flight: u32,
}

/// Amounts of the last `SLOTS` slots.
#[derive(Debug)]
struct Window {
    amounts: [f64; SLOTS],
    newest_slot: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            amounts: [0.0; SLOTS],
            newest_slot: 0,
        }
    }
}

impl Window {
    /// Adds `amount` at `now_ms` and returns the sum over the window before it.
    fn add(&mut self, now_ms: u64, window_ms: u64, amount: f64) -> f64 {
        let slot = now_ms * SLOTS as u64 / window_ms.max(1);
        let passed = slot.saturating_sub(self.newest_slot);
        for step in 0..passed.min(SLOTS as u64) {
            self.amounts[((slot - step) % SLOTS as u64) as usize] = 0.0;
        }
        self.newest_slot = self.newest_slot.max(slot);
        let before = self.amounts.iter().sum();
        self.amounts[(self.newest_slot % SLOTS as u64) as usize] += amount;
        before
    }
}

/// Holds the places in flight of one request; dropping it gives them back.
#[derive(Debug)]
pub struct InFlight {
    throttle: Arc<Throttle>,
    keys: Vec<(usize, String)>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.throttle.lock();
        for key in &self.keys {
            if let Some(counters) = state.counters.get_mut(key) {
                counters.in_flight = counters.in_flight.saturating_sub(1);
            }
        }
    }
}

impl Throttle {
    pub fn new(budgets: Budgets) -> Self {
        Self {
            started: Instant::now(),
            state: Mutex::new(State {
                budgets,
                counters: HashMap::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The counters are plain numbers: a panic elsewhere cannot leave them half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The budgets in force.
    pub fn budgets(&self) -> Budgets {
        self.lock().budgets.clone()
    }

    /// Puts other budgets in force; all windows start empty.
    pub fn set_budgets(&self, budgets: Budgets) {
        let mut state = self.lock();
        state.budgets = budgets;
        state.counters.clear();
    }

    /// Counts a request at its arrival. The places in flight are held until the returned
    /// value is dropped, also when the verdict is a refusal.
    pub fn arrive(self: &Arc<Self>, asker: &Asker) -> (InFlight, Result<(), Refusal>) {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let State { budgets, counters } = &mut *state;
        let mut keys = Vec::new();
        let mut verdict = Ok(());
        for (index, budget) in applicable(budgets, asker.operation) {
            let key = (index, whose(budget, asker));
            let counted = counters.entry(key.clone()).or_default();
            counted.in_flight += 1;
            keys.push(key);
            if let Some(most) = budget.concurrent_requests
                && counted.in_flight > most
            {
                verdict = verdict.and(Err(concurrency_refusal(budget.scope, most)));
            }
            if let Some(rate) = budget.requests_per_s {
                let window_ms = budgets.window_ms;
                let before = counted.requests.add(now_ms, window_ms, 1.0);
                if before + 1.0 > allowance(rate, window_ms) {
                    verdict = verdict.and(Err(rate_refusal(budget.scope, "requests", rate)));
                }
            }
        }
        drop(state);
        let in_flight = InFlight {
            throttle: Arc::clone(self),
            keys,
        };
        (in_flight, verdict)
    }

    /// Counts what a request carries, once that is known.
    pub fn consume(&self, asker: &Asker, consumption: Consumption) -> Result<(), Refusal> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let State { budgets, counters } = &mut *state;
        let mut verdict = Ok(());
        for (index, budget) in applicable(budgets, asker.operation) {
            if budget.items_per_s.is_none() && budget.raw_bytes_per_window.is_none() {
                continue;
            }
            let counted = counters.entry((index, whose(budget, asker))).or_default();
            if let Some(rate) = budget.items_per_s {
                let (items, window_ms) = (consumption.items as f64, budgets.window_ms);
                let before = counted.items.add(now_ms, window_ms, items);
                if before + items > allowance(rate, window_ms) {
                    verdict = verdict.and(Err(rate_refusal(budget.scope, "items", rate)));
                }
            }
            if let Some(most) = budget.raw_bytes_per_window
                && consumption.raw_bytes > 0
            {
                let bytes = consumption.raw_bytes as f64;
                let before = counted.raw_bytes.add(now_ms, budgets.raw_window_ms, bytes);
                if before + bytes > most as f64 {
                    verdict = verdict.and(Err(Refusal::Throttled(format!(
                        "{} exceeded the maximum of {most} bytes inserted per {} ms. Please try again later.",
                        subject(budget.scope),
                        budgets.raw_window_ms
                    ))));
                }
            }
        }
        verdict
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn applicable(budgets: &Budgets, operation: Operation) -> impl Iterator<Item = (usize, &Budget)> {
    budgets
        .budget
        .iter()
        .enumerate()
        .filter(move |(_, budget)| budget.covers(operation.name()))
}

fn whose(budget: &Budget, asker: &Asker) -> String {
    match budget.scope {
        BudgetScope::Project => asker.project.clone(),
        BudgetScope::Identity => format!("{}\u{0}{}", asker.project, asker.identity),
    }
}

/// A window always lets at least one through, or a small rate would stop everything.
fn allowance(rate_per_s: f64, window_ms: u64) -> f64 {
    (rate_per_s * window_ms as f64 / 1_000.0).max(1.0)
}

fn subject(scope: BudgetScope) -> &'static str {
    match scope {
        BudgetScope::Project => "Project",
        BudgetScope::Identity => "Identity",
    }
}

/// The only 429 text that CDF documents.
fn concurrency_refusal(scope: BudgetScope, most: u32) -> Refusal {
    Refusal::Throttled(format!(
        "{} exceeded maximum number='{most}' of concurrent requests. Please try again later.",
        subject(scope)
    ))
}

fn rate_refusal(scope: BudgetScope, what: &str, rate_per_s: f64) -> Refusal {
    Refusal::Throttled(format!(
        "{} exceeded the rate limit of {rate_per_s} {what} per second. Please try again later.",
        subject(scope)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_leaves_the_window_when_it_is_older_than_its_length() {
        let mut window = Window::default();
        assert_eq!(window.add(0, 1_000, 3.0), 0.0);
        assert_eq!(window.add(900, 1_000, 1.0), 3.0);
        assert_eq!(window.add(1_100, 1_000, 0.0), 1.0);
        assert_eq!(window.add(10_000, 1_000, 0.0), 0.0);
    }

    #[test]
    fn places_in_flight_come_back_when_the_request_ends() {
        let budgets = Budgets {
            budget: vec![Budget {
                concurrent_requests: Some(1),
                ..Budget::unlimited(BudgetScope::Identity, "raw")
            }],
            ..Budgets::default()
        };
        let throttle = Arc::new(Throttle::new(budgets));
        let asker = Asker {
            project: "p".into(),
            identity: "c".into(),
            operation: Operation::RawRowsInsert,
        };
        let (first, verdict) = throttle.arrive(&asker);
        assert!(verdict.is_ok());
        let (second, verdict) = throttle.arrive(&asker);
        assert_eq!(verdict.err().map(|refusal| refusal.status()), Some(429));
        drop((first, second));
        assert!(throttle.arrive(&asker).1.is_ok());
    }

    #[test]
    fn a_refused_request_counts_against_the_budget_too() {
        let budgets = Budgets {
            window_ms: 600_000,
            budget: vec![Budget {
                items_per_s: Some(0.01),
                ..Budget::unlimited(BudgetScope::Project, "")
            }],
            ..Budgets::default()
        };
        let throttle = Throttle::new(budgets);
        let asker = Asker {
            project: "p".into(),
            identity: "c".into(),
            operation: Operation::DatapointsInsert,
        };
        let consume = |items| {
            throttle.consume(
                &asker,
                Consumption {
                    items,
                    raw_bytes: 0,
                },
            )
        };
        assert!(consume(10).is_err());
        assert!(consume(1).is_err());
    }
}
