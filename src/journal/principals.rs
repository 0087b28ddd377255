//! With which credentials the rows of a record are sent.
//!
//! Owns the look for users whose credentials the gateway keeps. Promises that rows are only ever
//! sent as the user who wrote them, into the project that they were written for. Never holds a
//! secret of its own: identities do.

use super::envelope::Envelope;
use crate::cdf::{Identity, IdentityOfUser};
use std::fmt;
use std::sync::Arc;

/// Finds credentials.
pub trait Principals: fmt::Debug + Send + Sync + 'static {
    /// Those of the rows with this envelope; `None` if there are none any more.
    fn find(&self, envelope: &Envelope<'_>) -> Option<Arc<Identity>>;
}

/// The users of a gateway, as they are when a record is read.
pub struct UserPrincipals {
    identities: IdentityOfUser,
}

impl UserPrincipals {
    pub fn new(identities: IdentityOfUser) -> Self {
        UserPrincipals { identities }
    }
}

impl fmt::Debug for UserPrincipals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UserPrincipals")
    }
}

impl Principals for UserPrincipals {
    /// The address of the project may change, its name and the principal may not.
    fn find(&self, envelope: &Envelope<'_>) -> Option<Arc<Identity>> {
        let identity = (self.identities)(envelope.user)?;
        (identity.project.name == envelope.project && identity.name == envelope.identity)
            .then_some(identity)
    }
}
