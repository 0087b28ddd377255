//! Identities that lack what the gateway itself asks for, though CDF would still take their rows.
//!
//! Owns the list of them, and the words for who comes meanwhile. Promises that nobody among them
//! signs in, and that whoever tries is reported, so that somebody looks whether the access is back.
//! Never decides who is on the list.

use crate::cdf::{Denials, Identity};
use crate::diagnostic::{Diagnostic, SqlState};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The list: who, and what is lacking.
#[derive(Debug, Default)]
pub(super) struct Withdrawn {
    lacking: Mutex<HashMap<Arc<Identity>, Box<Diagnostic>>>,
    knocks: OnceLock<Arc<dyn Denials>>,
}

impl Withdrawn {
    /// Who hears of those that try to sign in, once and for all.
    pub(super) fn report_to(&self, knocks: Arc<dyn Denials>) {
        let _ = self.knocks.set(knocks);
    }

    /// From now on nobody signs in who writes as `identity`.
    pub(super) fn add(&self, identity: Arc<Identity>, lacking: Box<Diagnostic>) {
        self.lacking().insert(identity, lacking);
    }

    /// Lets those who write as `identity` sign in again.
    pub(super) fn remove(&self, identity: &Identity) {
        self.lacking().remove(identity);
    }

    pub(super) fn all(&self) -> Vec<Arc<Identity>> {
        self.lacking().keys().cloned().collect()
    }

    /// What a client is told who writes as `identity`, and may not sign in.
    pub(super) fn refusal(&self, identity: &Identity) -> Option<Box<Diagnostic>> {
        let lacking = self.lacking().get(identity)?.message.clone();
        if let Some(knocks) = self.knocks.get() {
            knocks.denied(identity);
        }
        Some(Box::new(
            Diagnostic::fatal(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "CDF has withdrawn the access of this user",
            )
            .with_detail(format!("At the last look {lacking}."))
            .with_hint(
                "An administrator of the CDF project can give it back. The gateway looks again \
                 now: try once more in some seconds.",
            ),
        ))
    }

    fn lacking(&self) -> MutexGuard<'_, HashMap<Arc<Identity>, Box<Diagnostic>>> {
        // One insertion or removal at a time: the map is right whoever panicked.
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdf::{Project, Secret};

    #[derive(Debug, Default)]
    struct Heard(Mutex<usize>);

    impl Denials for Heard {
        fn denied(&self, _: &Identity) {
            *self.0.lock().expect("no test panicked") += 1;
        }
    }

    fn identity(token: &str) -> Arc<Identity> {
        let project = Project {
            base_url: "http://127.0.0.1:1".to_owned(),
            name: "plant".to_owned(),
        };
        Arc::new(Identity::of_token(project, Secret::new(token)))
    }

    #[test]
    fn who_is_on_the_list_is_refused_and_reported_and_nobody_else() {
        let (withdrawn, heard) = (Withdrawn::default(), Arc::new(Heard::default()));
        withdrawn.report_to(heard.clone());
        let (ada, bob) = (identity("ada"), identity("bob"));
        let lacking = Diagnostic::error(SqlState::INSUFFICIENT_PRIVILEGE, "it lacks something");
        withdrawn.add(ada.clone(), Box::new(lacking));
        assert!(withdrawn.refusal(&bob).is_none());
        let told = withdrawn.refusal(&ada).expect("ada is on the list");
        assert_eq!(
            told.detail.as_deref(),
            Some("At the last look it lacks something.")
        );
        assert_eq!(*heard.0.lock().expect("no test panicked"), 1);
        withdrawn.remove(&ada);
        assert!(withdrawn.refusal(&ada).is_none() && withdrawn.all().is_empty());
    }
}
