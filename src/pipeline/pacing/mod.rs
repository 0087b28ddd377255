//! Pacing: what may be sent to CDF, and when. Shared by all batchers of the process.
//!
//! Owns every budget (of identities and of whole projects) and the state of every endpoint.
//! Promises that a call is paid from all budgets that CDF counts it in or from none, that no
//! budget is exceeded whoever spends it, and that who waits for a slot is nudged when another
//! batcher frees one. Its lock is taken a few times per request, never per row. Never sleeps
//! and never reads a clock: it is told `now` and tells until when.

mod breaker;
mod byte_window;
mod concurrency;
mod endpoint;
mod learned_rate;
mod limiter;
mod rate;
mod slot;
mod spent;
mod state_file;

pub use endpoint::{Ended, SlotKind};
pub use slot::Slot;
pub use spent::{Clocks, Spent, SpentBudget};
pub use state_file::StateFile;

use crate::cdf::{Identity, Operation, Project};
use crate::config::{BatchTable, BudgetName, LimitsTable, PacingSettings, RetrySettings};
use crate::diagnostic::Diagnostic;
use endpoint::Endpoint;
use foldhash::{HashMap, HashMapExt};
use limiter::{Limiter, Scope};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A window's bytes are given back a little late; see [`byte_window`].
const WINDOW_EDGE: Duration = Duration::from_secs(60);

/// Whether something may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    Granted,
    /// Not before this time: a budget is spent.
    WaitUntil(Instant),
    /// Not before this time, unless a nudge comes earlier: the endpoint fails or has asked for
    /// a pause.
    HeldUntil(Instant),
    /// Not before a request ends: of this batcher's own, or of another that nudges.
    WaitForSlot,
}

/// What pacing goes by.
#[derive(Clone, Debug, Default)]
pub struct PacingTerms {
    pub limits: LimitsTable,
    pub batch: BatchTable,
    pub retry: RetrySettings,
    pub pacing: PacingSettings,
}

/// Told when something that a client waits for may have become free.
pub type Nudge = Arc<dyn Fn() + Send + Sync>;

/// All budgets of the process.
pub struct Pacing {
    terms: PacingTerms,
    /// When budgets began to count.
    epoch: Instant,
    /// What the process before has spent.
    before: Before,
    state: Mutex<State>,
}

/// What was spent before the start, for budgets that nobody has used since.
struct Before {
    clocks: Clocks,
    is_clean: bool,
    budgets: Vec<SpentBudget>,
}

impl Before {
    fn of(&self, project: &Project, identity: Option<&str>, budget: &str) -> Option<&SpentBudget> {
        self.budgets
            .iter()
            .find(|spent| spent.is_of(project, identity, budget))
    }
}

struct State {
    limiters: Vec<SharedLimiter>,
    /// By project, by identity (`None`: the project's own) and section of the limits.
    limiter_of: HashMap<(Project, Option<String>, BudgetName), usize>,
    endpoints: Vec<Waited<Endpoint>>,
    endpoint_of: HashMap<(Project, String, Operation), usize>,
    /// By client; `None`: the client has gone.
    nudges: Vec<Option<Nudge>>,
    random: StdRng,
    /// Attempts that were paid for or corrected.
    payments: u64,
}

type SharedLimiter = Waited<Limiter>;

/// Something with slots, and the clients that were turned away for want of one.
struct Waited<T> {
    of: T,
    clients: Vec<usize>,
}

impl<T> Waited<T> {
    fn new(of: T) -> Self {
        Waited {
            of,
            clients: Vec::new(),
        }
    }

    fn wait(&mut self, client: usize) {
        if !self.clients.contains(&client) {
            self.clients.push(client);
        }
    }
}

impl Pacing {
    /// Budgets that nothing has been spent of. `seed` draws how long a breaker stays open.
    pub fn new(terms: PacingTerms, now: Instant, seed: u64) -> Arc<Self> {
        let clocks = Clocks {
            now,
            wall: SystemTime::UNIX_EPOCH,
        };
        Self::restore(terms, clocks, &Spent::default(), seed)
    }

    /// Budgets that go on from what was spent before.
    pub fn restore(terms: PacingTerms, clocks: Clocks, spent: &Spent, seed: u64) -> Arc<Self> {
        // Windows count back: what was spent before the start must have a place in them.
        let windows = BudgetName::ALL.map(|name| terms.limits.named(name).window_s);
        let back = Duration::from_secs(windows.into_iter().max().unwrap_or(0)) + WINDOW_EDGE;
        let epoch = clocks.now.checked_sub(back).unwrap_or(clocks.now);
        Arc::new(Pacing {
            terms,
            epoch,
            before: Before {
                clocks,
                is_clean: spent.clean,
                budgets: spent.budgets.clone(),
            },
            state: Mutex::new(State {
                limiters: Vec::new(),
                limiter_of: HashMap::new(),
                endpoints: Vec::new(),
                endpoint_of: HashMap::new(),
                nudges: Vec::new(),
                random: StdRng::seed_from_u64(seed),
                payments: 0,
            }),
        })
    }

    /// A client for one batcher. `nudge` is called, from any thread, when the batcher should
    /// look again.
    pub fn client(self: &Arc<Self>, nudge: Nudge) -> PacingClient {
        let mut state = self.state();
        state.nudges.push(Some(nudge));
        PacingClient {
            pacing: self.clone(),
            id: state.nudges.len() - 1,
        }
    }

    /// The most items that one call of `operation` should have, so that it fits the rates.
    pub fn request_items_max(&self, operation: Operation) -> usize {
        let limits = &self.terms.limits;
        BudgetName::paid_by(operation)
            .iter()
            .map(|name| Limiter::request_items_max(limits.named(*name), limits.budget_share))
            .min()
            .unwrap_or(usize::MAX)
    }

    /// What is spent now.
    pub fn spent(&self, clocks: Clocks) -> Spent {
        let mut state = self.state();
        let State {
            limiters,
            limiter_of,
            ..
        } = &mut *state;
        let mut budgets: Vec<SpentBudget> = limiter_of
            .iter()
            .filter_map(|((project, identity, budget), limiter)| {
                let limiter = &mut limiters[*limiter].of;
                spent::note(clocks, limiter, project, identity.as_deref(), budget.name())
            })
            .collect();
        // Those that nobody has used since the start still count.
        let is_used = |before: &SpentBudget| {
            limiter_of.keys().any(|(project, identity, budget)| {
                before.is_of(project, identity.as_deref(), budget.name())
            })
        };
        let unused = self.before.budgets.iter().filter(|before| !is_used(before));
        budgets.extend(unused.cloned());
        Spent {
            budgets,
            ..Spent::default()
        }
    }

    /// Grows with every payment.
    pub fn payments(&self) -> u64 {
        self.state().payments
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A holder that panics has at most left a call unpaid or a slot taken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot comes back. Others that wait for one are nudged, `client` looks by itself.
    fn free_slot(&self, client: usize, endpoint: usize, kind: SlotKind) {
        let mut state = self.state();
        let State {
            limiters,
            endpoints,
            ..
        } = &mut *state;
        let endpoint = &mut endpoints[endpoint];
        endpoint.of.free_slot(kind);
        let mut waiting = std::mem::take(&mut endpoint.clients);
        for limiter in &endpoint.of.limiters {
            let limiter = &mut limiters[*limiter];
            limiter.of.free_slot();
            waiting.append(&mut limiter.clients);
        }
        nudge(state, client, waiting);
    }
}

/// Calls the nudges of `clients`, but for `but`, once the lock is gone.
fn nudge(state: MutexGuard<'_, State>, but: usize, mut clients: Vec<usize>) {
    clients.sort_unstable();
    clients.dedup();
    let nudges: Vec<Nudge> = clients
        .into_iter()
        .filter(|client| *client != but)
        .filter_map(|client| state.nudges.get(client).cloned().flatten())
        .collect();
    drop(state);
    for nudge in nudges {
        nudge();
    }
}

impl State {
    /// Until when the budgets of an endpoint do not let this pass.
    fn spent_until(
        &mut self,
        now: Instant,
        endpoint: usize,
        items: usize,
        bytes: u64,
    ) -> Option<Instant> {
        let endpoint = &self.endpoints[endpoint].of;
        let mut until = endpoint.available_at(now);
        for limiter in &endpoint.limiters {
            let limiter = &mut self.limiters[*limiter].of;
            until = until.max(limiter.available_at(now, items, bytes));
        }
        until
    }
}

impl fmt::Debug for Pacing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pacing").finish_non_exhaustive()
    }
}

/// Names an endpoint of a [`Pacing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointId(usize);

/// Pacing as one batcher uses it.
#[derive(Debug)]
pub struct PacingClient {
    pacing: Arc<Pacing>,
    id: usize,
}

impl PacingClient {
    /// The most items that one call of `operation` should have, so that it fits the rates.
    pub fn request_items_max(&self, operation: Operation) -> usize {
        self.pacing.request_items_max(operation)
    }

    /// The endpoint of an identity's `operation`. Identities of one name share it: CDF counts
    /// by principal.
    pub fn endpoint(&self, identity: &Identity, operation: Operation) -> EndpointId {
        let mut state = self.pacing.state();
        let Identity { project, name, .. } = identity;
        let key = (project.clone(), name.clone(), operation);
        if let Some(endpoint) = state.endpoint_of.get(&key) {
            return EndpointId(*endpoint);
        }
        let terms = &self.pacing.terms;
        let mut limiters = Vec::new();
        for budget in BudgetName::paid_by(operation) {
            for (scope, identity) in [
                (Scope::Identity, Some(name.as_str())),
                (Scope::Project, None),
            ] {
                let State {
                    limiters: all,
                    limiter_of,
                    ..
                } = &mut *state;
                let limiter = limiter_of
                    .entry((project.clone(), identity.map(str::to_owned), *budget))
                    .or_insert_with(|| {
                        let mut limiter = Limiter::new(
                            terms.limits.named(*budget),
                            scope,
                            terms.limits.budget_share,
                            self.pacing.epoch,
                        );
                        let before = &self.pacing.before;
                        let spent = before.of(project, identity, budget.name());
                        spent::restore(before.clocks, &mut limiter, spent, before.is_clean);
                        all.push(Waited::new(limiter));
                        all.len() - 1
                    });
                limiters.push(*limiter);
            }
        }
        let slots_max = limiters
            .iter()
            .filter_map(|limiter| state.limiters[*limiter].of.slots_max())
            .chain([terms.batch.of(operation.resource()).in_flight_max])
            .min()
            .unwrap_or(1);
        let whose = format!("{} in {}", name, project.name);
        let endpoint = Endpoint::new(whose, operation, limiters, slots_max, terms);
        state.endpoints.push(Waited::new(endpoint));
        let id = state.endpoints.len() - 1;
        state.endpoint_of.insert(key, id);
        EndpointId(id)
    }

    /// A slot for a request to be cut, once an attempt of one item and one byte could be paid
    /// too: rows wait for company rather than for the budget.
    ///
    /// # Errors
    /// What to wait for.
    pub fn take_slot(
        &self,
        now: Instant,
        endpoint: EndpointId,
        kind: SlotKind,
    ) -> Result<Slot, Permission> {
        let mut state = self.pacing.state();
        if let Some(until) = state.endpoints[endpoint.0].of.held_until(now) {
            state.endpoints[endpoint.0].wait(self.id);
            return Err(Permission::HeldUntil(until));
        }
        if let Some(until) = state.spent_until(now, endpoint.0, 1, 1) {
            return Err(Permission::WaitUntil(until));
        }
        let State {
            limiters,
            endpoints,
            ..
        } = &mut *state;
        let waited = &mut endpoints[endpoint.0];
        if !waited.of.has_slot(now, kind) {
            waited.wait(self.id);
            return Err(Permission::WaitForSlot);
        }
        for limiter in &waited.of.limiters {
            let limiter = &mut limiters[*limiter];
            if !limiter.of.has_slot() {
                limiter.wait(self.id);
                return Err(Permission::WaitForSlot);
            }
        }
        waited.of.take_slot(now, kind);
        for limiter in &waited.of.limiters {
            limiters[*limiter].of.take_slot();
        }
        Ok(Slot::new(self.pacing.clone(), self.id, endpoint.0, kind))
    }

    /// Pays for an attempt of `items` items and about `bytes` bytes that begins now, or tells
    /// when to ask again. Either all budgets are paid from or none.
    pub fn pay(&self, now: Instant, endpoint: EndpointId, items: usize, bytes: u64) -> Permission {
        let mut state = self.pacing.state();
        if let Some(until) = state.endpoints[endpoint.0].of.held_until(now) {
            state.endpoints[endpoint.0].wait(self.id);
            return Permission::HeldUntil(until);
        }
        if let Some(until) = state.spent_until(now, endpoint.0, items, bytes) {
            return Permission::WaitUntil(until);
        }
        let State {
            limiters,
            endpoints,
            payments,
            ..
        } = &mut *state;
        let endpoint = &mut endpoints[endpoint.0].of;
        endpoint.begin(now);
        *payments += 1;
        for limiter in &endpoint.limiters {
            limiters[*limiter].of.pay(now, items, bytes);
        }
        Permission::Granted
    }

    /// An attempt has ended: budgets are corrected, the endpoint learns, and others are nudged
    /// if it is free again.
    pub fn ended(&self, now: Instant, endpoint: EndpointId, ended: &Ended<'_>) {
        let mut state = self.pacing.state();
        let State {
            limiters,
            endpoints,
            random,
            payments,
            ..
        } = &mut *state;
        let waited = &mut endpoints[endpoint.0];
        *payments += 1;
        if let Some(actual) = ended.body_bytes {
            for limiter in &waited.of.limiters {
                let limiter = &mut limiters[*limiter].of;
                limiter.correct_bytes(now, ended.paid_bytes, actual);
            }
        }
        if waited.of.ended(now, ended, random) {
            let waiting = std::mem::take(&mut waited.clients);
            nudge(state, self.id, waiting);
        }
    }

    /// Whether calls of this endpoint are left alone because they only fail.
    pub fn is_broken(&self, now: Instant, endpoint: EndpointId) -> bool {
        self.pacing.state().endpoints[endpoint.0].of.is_broken(now)
    }

    /// Why an endpoint is held: what CDF said last.
    pub fn why_held(&self, endpoint: EndpointId) -> Option<Box<Diagnostic>> {
        self.pacing.state().endpoints[endpoint.0].of.reason()
    }
}

impl Drop for PacingClient {
    fn drop(&mut self) {
        if let Some(nudge) = self.pacing.state().nudges.get_mut(self.id) {
            *nudge = None;
        }
    }
}
