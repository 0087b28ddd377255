//! The open connections, for those who watch over users.
//!
//! Owns the way in from outside of the event loops. Promises that a call of
//! [`OpenConnections::depart`] reaches every connection that was accepted before it, and that it does
//! not block, and that nobody signs in who is shut out. Never reads from a connection.

use super::departure::{Departure, Whom};
use super::registry::Registry;
use super::user::GatewayUser;
use crate::cdf::{Denials, Identity};
use crate::diagnostic::Diagnostic;
use std::sync::Arc;

/// The connections of one gateway. Clones mean the same ones.
#[derive(Clone, Debug, Default)]
pub struct OpenConnections {
    pub(super) registry: Arc<Registry>,
}

impl OpenConnections {
    /// Ends the connections of those who are meant, each with FATAL and the words of `departure`;
    /// tells how many there were. One of them that is still signing in ends when it has signed in.
    pub fn depart(&self, departure: Departure, whom: Whom) -> usize {
        self.registry.depart(departure, whom)
    }

    /// Ends the connections of those who write as `identity`, and refuses new ones until they are
    /// let in again: CDF would still take their rows, but they lack what the gateway asks for.
    pub fn shut_out(&self, identity: &Arc<Identity>, lacking: Box<Diagnostic>) -> usize {
        // Before the others end: nobody slips in between.
        self.registry.withdrawn.add(identity.clone(), lacking);
        self.depart(Departure::Revoked, Whom::Identity(identity.clone()))
    }

    /// The identities that are shut out.
    pub fn shut_out_identities(&self) -> Vec<Arc<Identity>> {
        self.registry.withdrawn.all()
    }

    /// Lets those who write as `identity` in again.
    pub fn let_in(&self, identity: &Identity) {
        self.registry.withdrawn.remove(identity);
    }

    /// Who hears of those that are shut out and try to sign in, once and for all.
    pub fn report_knocks(&self, knocks: Arc<dyn Denials>) {
        self.registry.withdrawn.report_to(knocks);
    }

    /// The users who are signed in now, one for each connection.
    pub fn users(&self) -> Vec<Arc<GatewayUser>> {
        self.registry.users()
    }
}
