//! Budgets and endpoints as people are shown them.
//!
//! Owns the look at what one identity's calls are paid from. Promises figures of one moment, and
//! none of another identity's but those of the project that both share. Never spends anything, and
//! holds the lock for a few look-ups.

use super::limiter::Scope;
use super::{Pacing, State};
use crate::catalog::Resource;
use crate::cdf::{Identity, Operation};
use crate::config::BudgetName;
use crate::diagnostic::Diagnostic;
use std::time::Instant;

/// Whose budget it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BudgetScope {
    /// That of all identities of the project.
    Project,
    Identity,
    /// What is known of one operation of the identity.
    Operation,
}

impl BudgetScope {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            BudgetScope::Project => "project",
            BudgetScope::Identity => "identity",
            BudgetScope::Operation => "operation",
        }
    }
}

/// Whether something may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetState {
    Free,
    /// A rate or a window is used up.
    Spent,
    /// All slots are taken.
    Full,
    /// CDF has asked for a pause.
    Paused,
    /// Calls only fail, and are left alone.
    Broken,
    /// One call finds out whether they still do.
    Probing,
}

impl BudgetState {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            BudgetState::Free => "free",
            BudgetState::Spent => "spent",
            BudgetState::Full => "full",
            BudgetState::Paused => "paused",
            BudgetState::Broken => "broken",
            BudgetState::Probing => "probing",
        }
    }
}

/// Bytes that may be sent within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowFigures {
    pub window_s: u64,
    pub bytes_max: u64,
    pub spent_bytes: u64,
}

/// A budget, or an endpoint, at one moment.
#[derive(Clone, Debug)]
pub struct BudgetFigures {
    pub scope: BudgetScope,
    /// The section of the limits, or the operation.
    pub budget: &'static str,
    pub state: BudgetState,
    /// Until when nothing is sent.
    pub until: Option<Instant>,
    /// The rate that is kept; `None`: none.
    pub requests_per_s: Option<f64>,
    /// Requests that CDF took within the last second, where that is counted.
    pub accepted_last_s: Option<usize>,
    pub items_per_s: Option<u64>,
    pub window: Option<WindowFigures>,
    /// Requests that may be under way; `None`: no bound.
    pub slots: Option<usize>,
    pub slots_taken: usize,
    /// Batchers that wait for a slot.
    pub waiting: usize,
    /// Answers 429, where they are counted, and when the last one came.
    pub throttled: Option<u64>,
    pub throttled_at: Option<Instant>,
    /// What CDF said when it last failed or asked for a pause.
    pub reason: Option<Box<Diagnostic>>,
}

impl Pacing {
    /// What calls of `identity` are paid from, as far as any was made: budgets of its project, its
    /// own, and its operations.
    pub fn figures(&self, identity: &Identity, now: Instant) -> Vec<BudgetFigures> {
        let limits = &self.terms.limits;
        let mut state = self.state();
        let State {
            limiters,
            limiter_of,
            endpoints,
            endpoint_of,
            ..
        } = &mut *state;
        let mut all = Vec::new();
        for (scope, name) in [
            (Scope::Project, None),
            (Scope::Identity, Some(identity.name.clone())),
        ] {
            for budget in BudgetName::ALL {
                let key = (identity.project.clone(), name.clone(), budget);
                let Some(limiter) = limiter_of.get(&key) else {
                    continue;
                };
                let waited = &mut limiters[*limiter];
                all.push(waited.of.figures(
                    now,
                    (budget.name(), scope),
                    limits.named(budget),
                    limits.budget_share,
                    waited.clients.len(),
                ));
            }
        }
        let mut key = (
            identity.project.clone(),
            identity.name.clone(),
            Operation::InsertDatapoints,
        );
        for operation in operations() {
            key.2 = operation;
            if let Some(endpoint) = endpoint_of.get(&key) {
                let waited = &mut endpoints[*endpoint];
                all.push(waited.of.figures(now, waited.clients.len()));
            }
        }
        all
    }
}

/// Every operation that is paced.
fn operations() -> impl Iterator<Item = Operation> {
    let of_objects = |resource| {
        [
            Operation::Create(resource),
            Operation::Update(resource),
            Operation::Delete(resource),
            Operation::LookUp(resource),
            Operation::List(resource),
        ]
    };
    [
        Operation::InsertDatapoints,
        Operation::InsertRawRows,
        Operation::CreateRawTables,
    ]
    .into_iter()
    .chain(Resource::ALL.into_iter().flat_map(of_objects))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdf::{Project, Secret};
    use crate::pipeline::pacing::{PacingTerms, SlotKind};
    use std::sync::Arc;

    fn identity(name: &str) -> Identity {
        let project = Project {
            base_url: "http://127.0.0.1:1".to_owned(),
            name: "plant".to_owned(),
        };
        Identity {
            name: name.to_owned(),
            ..Identity::of_token(project, Secret::new("token"))
        }
    }

    #[test]
    fn an_identity_sees_its_own_budgets_and_those_of_its_project() {
        let now = Instant::now();
        let pacing = Pacing::new(PacingTerms::default(), now, 1);
        let client = pacing.client(Arc::new(|| {}));
        let endpoint = client.endpoint(&identity("ada"), Operation::InsertRawRows);
        let slot = client.take_slot(now, endpoint, SlotKind::Bulk);
        let _slot = slot.expect("nothing is spent");
        client.pay(now, endpoint, 1, 1000);
        let of_ada = pacing.figures(&identity("ada"), now);
        let row = |scope, budget| {
            let mut found = of_ada.iter();
            found.find(|figures| (figures.scope, figures.budget) == (scope, budget))
        };
        let own = row(BudgetScope::Identity, "raw_rows").expect("it was used");
        assert_eq!(own.window.map(|window| window.spent_bytes), Some(1000));
        assert_eq!((own.slots_taken, own.state), (1, BudgetState::Free));
        let operation = row(BudgetScope::Operation, "insert_raw_rows").expect("it was used");
        assert_eq!((operation.slots_taken, operation.throttled), (1, Some(0)));
        let of_bob = pacing.figures(&identity("bob"), now);
        let scopes: Vec<_> = of_bob.iter().map(|figures| figures.scope).collect();
        assert_eq!(scopes, [BudgetScope::Project, BudgetScope::Project]);
        assert_eq!(of_bob[0].slots_taken, 1, "the project's budget is shared");
    }
}
