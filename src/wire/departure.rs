//! Why a connection has to end although the gateway goes on.
//!
//! Owns the reasons that lie with the user, their words, and whose connections are meant. Promises
//! that a driver can tell them from a fault of the network. Never ends anything itself.

use super::ending::Ending;
use super::user::GatewayUser;
use crate::cdf::Identity;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::ConnectionEnd;
use std::sync::Arc;

/// What became of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// There is no such user any more.
    Deleted,
    /// The user has other credentials now: what comes next must go by those.
    Changed,
    /// The access token that the client signed in with has expired.
    TokenExpired,
    /// CDF, or the identity provider, does not let the user in any more.
    Revoked,
}

/// Whose connections are meant.
#[derive(Clone, Debug)]
pub enum Whom {
    /// Those of the user of that name.
    User(String),
    /// Those that write as an identity, of whichever user.
    Identity(Arc<Identity>),
}

impl Whom {
    pub(super) fn includes(&self, user: &GatewayUser) -> bool {
        match self {
            Whom::User(name) => user.name == *name,
            Whom::Identity(identity) => user.identity == *identity,
        }
    }
}

impl Departure {
    pub(super) fn ending(self) -> Ending {
        let (sqlstate, message, hint) = match self {
            Departure::TokenExpired => return Ending::token_expired(),
            Departure::Deleted => (
                SqlState::ADMIN_SHUTDOWN,
                "terminating connection because its user was deleted",
                "Ask an administrator of the gateway.",
            ),
            Departure::Changed => (
                SqlState::ADMIN_SHUTDOWN,
                "terminating connection because the credentials of its user were replaced",
                "Connect again.",
            ),
            Departure::Revoked => (
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "terminating connection because CDF has withdrawn the access of its user",
                "An administrator of the CDF project can give it back; the gateway's log tells what \
                 was refused.",
            ),
        };
        Ending::with_words(
            ConnectionEnd::Departed,
            Box::new(Diagnostic::fatal(sqlstate, message).with_hint(hint)),
        )
    }
}
