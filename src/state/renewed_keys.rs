//! New keys of sessions on their way into the store.
//!
//! Owns those that a store that was away has not taken yet. Promises that each is tried again until
//! it is kept or the store refuses it for good, that of one session only the last one is, and that a
//! key goes to the session of its own CDF. Never exchanges a session.

use super::StateError;
use super::store::StateStore;
use crate::cdf::{Secret, SessionCredentials};
use crate::config::AccountsSettings;
use std::collections::HashMap;
use std::sync::Arc;

/// The keys that are not in the store.
pub(super) struct RenewedKeys {
    settings: Arc<AccountsSettings>,
    unkept: HashMap<SessionCredentials, Secret>,
}

impl RenewedKeys {
    pub fn new(settings: Arc<AccountsSettings>) -> Self {
        RenewedKeys {
            settings,
            unkept: HashMap::new(),
        }
    }

    /// Keeps a new key, now or later.
    pub fn take(&mut self, store: &mut StateStore, session: SessionCredentials, key: Secret) {
        // One that was not kept yet is good for nothing any more.
        let earlier = self.unkept.remove(&session);
        match self.keep(store, &session, &key) {
            Ok(()) => {}
            Err(error @ StateError::Failed { .. }) => {
                if earlier.is_none() {
                    tracing::error!(
                        session = session.id,
                        %error,
                        "the new key of a session is not kept yet: a session whose key is never kept \
                         ends with this process"
                    );
                }
                self.unkept.insert(session, key);
            }
            Err(error) => lost(&session, &error),
        }
    }

    /// Tries those once more that were not kept.
    pub fn try_again(&mut self, store: &mut StateStore) {
        for (session, key) in std::mem::take(&mut self.unkept) {
            match self.keep(store, &session, &key) {
                Ok(()) => tracing::info!(session = session.id, "the key of a session is kept now"),
                Err(StateError::Failed { .. }) => drop(self.unkept.insert(session, key)),
                Err(error) => lost(&session, &error),
            }
        }
    }

    fn keep(
        &self,
        store: &mut StateStore,
        session: &SessionCredentials,
        key: &Secret,
    ) -> Result<(), StateError> {
        store.session_key_renewed(session.id, key, |project| {
            let exchange_url = self
                .settings
                .session_exchange_url(&project.base_url, &project.name);
            exchange_url == session.exchange_url
        })
    }
}

fn lost(session: &SessionCredentials, error: &StateError) {
    tracing::error!(
        session = session.id,
        %error,
        "the new key of a session cannot be kept: the session ends with this process"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Dialect;
    use crate::cdf::Project;
    use crate::state::{AccountCredentials, NewUser, SealingKeys, StateLocation};
    use jiff::Timestamp;

    fn key_in(store: &mut StateStore) -> String {
        let account = store.account("ada").expect("readable").expect("there");
        match account.credentials {
            AccountCredentials::Session { key, .. } => key.expose().to_owned(),
            other => panic!("no session: {other:?}"),
        }
    }

    #[test]
    fn the_last_key_that_came_while_the_store_was_away_is_kept_when_it_is_back() {
        let directory = std::env::temp_dir().join(format!("penstock-keys-{}", std::process::id()));
        let path = directory.join("state.sqlite");
        let sealing = SealingKeys::new(&Secret::new("07".repeat(32)), &[]).expect("a key");
        let location = StateLocation::File(path.clone());
        let mut store = StateStore::open(&location, Some(sealing)).expect("opens");
        let project = Project {
            base_url: "https://cdf.example".to_owned(),
            name: "plant".to_owned(),
        };
        let settings = AccountsSettings::default();
        let session = |base_url| {
            let exchange_url = settings.session_exchange_url(base_url, "plant");
            SessionCredentials::new(exchange_url, 7, Secret::new("first"))
        };
        let here = session("https://cdf.example");
        let new = NewUser::named(
            "ada".to_owned(),
            project,
            Dialect::Second,
            "client".to_owned(),
            AccountCredentials::Session {
                id: 7,
                key: here.key(),
            },
            Timestamp::UNIX_EPOCH,
        );
        store.create_account(&new.account).expect("made");
        let mut keys = RenewedKeys::new(Arc::new(settings.clone()));
        keys.take(&mut store, here.clone(), Secret::new("second"));
        assert_eq!(key_in(&mut store), "second");

        let neighbour = rusqlite::Connection::open(&path).expect("the store");
        let run = |sql| neighbour.execute_batch(sql).expect("it may");
        run("ALTER TABLE accounts RENAME TO away");
        for key in ["third", "fourth"] {
            keys.take(&mut store, here.clone(), Secret::new(key));
        }
        // A session of another CDF has the same number.
        let elsewhere = session("https://other.example");
        keys.take(&mut store, elsewhere, Secret::new("stray"));
        keys.try_again(&mut store);
        run("ALTER TABLE away RENAME TO accounts");
        keys.try_again(&mut store);
        assert_eq!(key_in(&mut store), "fourth");
        assert!(keys.unkept.is_empty());
        std::fs::remove_dir_all(&directory).expect("removable");
    }
}
