//! Pacing: what may be sent to CDF, and when. Shared by all batchers of the process.
//!
//! Owns every budget (of identities and of whole projects) and the state of every endpoint.
//! Promises that a call is paid from all budgets that CDF counts it in or from none, that no
//! budget is exceeded whoever spends it, and that who waits for a slot is nudged when another
//! batcher frees one. Its lock is taken a few times per request, never per row. Never sleeps
//! and never reads a clock: it is told `now` and tells until when.

mod breaker;
mod byte_window;
mod client;
mod concurrency;
mod endpoint;
mod figures;
mod learned_rate;
mod limiter;
mod rate;
mod slot;
mod spent;
mod state_file;

pub use client::{EndpointId, PacingClient, Permission};
pub use endpoint::{Ended, SlotKind};
pub use figures::{BudgetFigures, BudgetScope, BudgetState, WindowFigures};
pub use slot::Slot;
pub use spent::{Clocks, Spent, SpentBudget};
pub use state_file::StateFile;

use crate::cdf::{Operation, Project};
use crate::config::{BatchTable, BudgetName, LimitsTable, PacingSettings, RetrySettings};
use endpoint::Endpoint;
use foldhash::{HashMap, HashMapExt};
use limiter::Limiter;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A window's bytes are given back a little late; see [`byte_window`].
const WINDOW_EDGE: Duration = Duration::from_secs(60);

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
        PacingClient::new(self.clone(), state.nudges.len() - 1)
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
