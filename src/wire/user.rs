//! The users of the gateway: who may sign in, and as whom their rows are written.
//!
//! Owns the users by name: those of the configuration, which never change, and the accounts, which
//! come and go while clients are connected. Promises that a look-up is by the exact name, and that
//! a name of the configuration cannot be taken by an account. Never knows passwords, only
//! verifiers.

use super::ScramVerifier;
use super::scram::Shape;
use crate::cdf::{Identity, IdentityOfUser};
use crate::config::UserModes;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// One user: signs in to the gateway, writes to one CDF project as one principal.
#[derive(Clone, Debug)]
pub struct GatewayUser {
    pub name: String,
    pub scram: ScramVerifier,
    pub identity: Arc<Identity>,
    /// What the user's sessions start with, where it differs from everybody's.
    pub modes: UserModes,
    /// Why nobody can sign in as this user for now, although the password may be right.
    pub barred: Option<&'static str>,
}

/// Every user, by name. Clones share the accounts.
#[derive(Clone, Debug, Default)]
pub struct Users {
    configured: Arc<HashMap<String, Arc<GatewayUser>>>,
    accounts: Arc<RwLock<HashMap<String, Arc<GatewayUser>>>>,
}

impl Users {
    /// The users of a configuration; of two with one name the last one stays.
    pub fn new(users: impl IntoIterator<Item = GatewayUser>) -> Self {
        Users {
            configured: Arc::new(
                users
                    .into_iter()
                    .map(|user| (user.name.clone(), Arc::new(user)))
                    .collect(),
            ),
            accounts: Arc::default(),
        }
    }

    /// The user of that name.
    pub fn find(&self, name: &str) -> Option<Arc<GatewayUser>> {
        self.configured.get(name).cloned().or_else(|| {
            let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
            accounts.get(name).cloned()
        })
    }

    /// Whether the configuration has a user of that name.
    pub fn is_configured(&self, name: &str) -> bool {
        self.configured.contains_key(name)
    }

    /// What the verifiers of the configuration look like.
    pub(super) fn configured_shapes(&self) -> Vec<Shape> {
        let users = self.configured.values();
        users.map(|user| user.scram.shape()).collect()
    }

    /// As whom a user's rows are sent, at each moment.
    pub fn identities(&self) -> IdentityOfUser {
        let users = self.clone();
        Arc::new(move |name| users.find(name).map(|user| user.identity.clone()))
    }

    /// As whom the accounts write that can sign in.
    pub fn account_identities(&self) -> Vec<Arc<Identity>> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let usable = accounts.values().filter(|user| user.barred.is_none());
        usable.map(|user| user.identity.clone()).collect()
    }

    /// Puts an account in its place, or takes it away. Sign-ins see it from now on.
    pub fn set_account(&self, name: &str, user: Option<Arc<GatewayUser>>) {
        // One insertion or removal: the map is right whoever panicked.
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match user {
            Some(user) => drop(accounts.insert(name.to_owned(), user)),
            None => drop(accounts.remove(name)),
        }
    }
}
