//! The users of the gateway: who may sign in, and as whom their rows are written.
//!
//! Owns the users by name. Promises that a look-up is by the exact name. Never knows passwords,
//! only verifiers.

use super::ScramVerifier;
use crate::cdf::Identity;
use crate::config::UserModes;
use std::collections::HashMap;
use std::sync::Arc;

/// One user: signs in to the gateway, writes to one CDF project as one principal.
#[derive(Clone, Debug)]
pub struct GatewayUser {
    pub name: String,
    pub scram: ScramVerifier,
    pub identity: Arc<Identity>,
    /// What the user's sessions start with, where it differs from everybody's.
    pub modes: UserModes,
}

/// Every user, by name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Users {
    by_name: Arc<HashMap<String, Arc<GatewayUser>>>,
}

impl Users {
    /// The users; of two with one name the last one stays.
    pub fn new(users: impl IntoIterator<Item = GatewayUser>) -> Self {
        Users {
            by_name: Arc::new(
                users
                    .into_iter()
                    .map(|user| (user.name.clone(), Arc::new(user)))
                    .collect(),
            ),
        }
    }

    /// The user of that name.
    pub fn find(&self, name: &str) -> Option<Arc<GatewayUser>> {
        self.by_name.get(name).cloned()
    }
}
