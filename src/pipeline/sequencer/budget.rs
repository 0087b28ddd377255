//! The budgets of the identities, and who waits for them.
//!
//! Owns a limiter per identity name and kind of call, each with its waiting calls. Promises
//! first come, first served. Identities of one name share a budget: CDF counts by principal.

use crate::config::{LimitsTable, OperationLimits};
use crate::pipeline::attempt::CallId;
use crate::pipeline::limiter::Limiter;
use foldhash::{HashMap, HashMapExt};
use std::collections::VecDeque;
use std::time::Instant;

/// One budget and its queue.
#[derive(Debug)]
pub struct Budget {
    pub limiter: Limiter,
    /// Calls that are ready but for the budget.
    pub waiting: VecDeque<CallId>,
    /// Where the limiter said to wait: until when.
    pub wait_until: Option<Instant>,
}

/// How budgets are made.
#[derive(Debug)]
pub struct Terms {
    pub limits: OperationLimits,
    pub share: f64,
    pub in_flight_max: usize,
}

impl Terms {
    pub fn new(limits: &OperationLimits, table: &LimitsTable, in_flight_max: usize) -> Self {
        Terms {
            limits: limits.clone(),
            share: table.budget_share,
            in_flight_max,
        }
    }
}

/// The budgets of one kind of call, by the identity's name.
#[derive(Debug)]
pub struct Budgets {
    terms: Terms,
    epoch: Instant,
    all: Vec<Budget>,
    by_name: HashMap<String, usize>,
}

impl Budgets {
    pub fn new(terms: Terms, epoch: Instant) -> Self {
        Budgets {
            terms,
            epoch,
            all: Vec::new(),
            by_name: HashMap::new(),
        }
    }

    /// The budget of an identity's name.
    pub fn find_or_make(&mut self, name: &str) -> usize {
        if let Some(budget) = self.by_name.get(name) {
            return *budget;
        }
        let terms = &self.terms;
        self.all.push(Budget {
            limiter: Limiter::new(&terms.limits, terms.share, terms.in_flight_max, self.epoch),
            waiting: VecDeque::new(),
            wait_until: None,
        });
        self.by_name.insert(name.to_owned(), self.all.len() - 1);
        self.all.len() - 1
    }

    pub fn of(&mut self, budget: usize) -> &mut Budget {
        &mut self.all[budget]
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The next time at which a limiter lets something pass.
    pub fn wake_at(&self) -> Option<Instant> {
        self.all.iter().filter_map(|budget| budget.wait_until).min()
    }
}
