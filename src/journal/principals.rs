//! With which credentials the rows of a record are sent.
//!
//! Owns the users whose credentials the gateway keeps. Promises that rows are only ever sent as
//! the user who wrote them, into the project that they were written for. Never holds a secret
//! of its own: identities do.

use super::envelope::Envelope;
use crate::cdf::Identity;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Finds credentials.
pub trait Principals: fmt::Debug + Send + Sync + 'static {
    /// Those of the rows with this envelope; `None` if there are none any more.
    fn find(&self, envelope: &Envelope<'_>) -> Option<Arc<Identity>>;
}

/// The users of a configuration.
#[derive(Debug, Default)]
pub struct ConfiguredPrincipals {
    by_user: HashMap<String, Arc<Identity>>,
}

impl ConfiguredPrincipals {
    /// Of users by name.
    pub fn new(users: impl IntoIterator<Item = (String, Arc<Identity>)>) -> Self {
        ConfiguredPrincipals {
            by_user: users.into_iter().collect(),
        }
    }
}

impl Principals for ConfiguredPrincipals {
    /// The address of the project may change, its name and the principal may not.
    fn find(&self, envelope: &Envelope<'_>) -> Option<Arc<Identity>> {
        let identity = self.by_user.get(envelope.user)?;
        (identity.project.name == envelope.project && identity.name == envelope.identity)
            .then(|| identity.clone())
    }
}
