//! As whom, and into which project, rows are written.
//!
//! Owns the project address and the credentials of one CDF principal. Promises that secrets
//! are never printed. Never talks to the network: tokens are fetched elsewhere.

use super::{RequiredAccess, SessionCredentials};
use serde::Deserialize;
use std::fmt;
use std::sync::Arc;

/// A string that must not be shown.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Secret(secret.into())
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// A CDF project.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Project {
    /// Scheme and host, without a trailing slash: `https://westeurope-1.cognitedata.com`.
    pub base_url: String,
    pub name: String,
}

/// How a bearer token is come by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Credentials {
    /// OAuth 2.0 client credentials, sent as a form.
    ClientCredentials {
        token_url: String,
        client_id: String,
        client_secret: Secret,
        /// Space-separated; empty: not sent.
        scope: String,
        /// Sent where the identity provider wants it; empty: not sent.
        audience: String,
    },
    /// A token made elsewhere; nobody refreshes it.
    FixedToken(Secret),
    /// A session of CDF, exchanged for tokens as long as it lives.
    Session(SessionCredentials),
    /// The token that the client signed in with.
    CallerToken {
        token: Secret,
        /// Milliseconds since 1970-01-01 UTC.
        expires_at_ms: i64,
    },
    /// Tokens of CDF in the name of a client who signed in with a token for something else.
    OnBehalfOf {
        token_url: String,
        client_id: String,
        client_secret: Secret,
        /// Space-separated.
        scope: String,
        /// The token that the client signed in with.
        assertion: Secret,
        /// When it ends, in milliseconds since 1970-01-01 UTC.
        expires_at_ms: i64,
    },
}

impl Credentials {
    /// Whether the gateway can still write with them when the client has gone: what was
    /// acknowledged before it was delivered needs that.
    pub fn outlive_the_session(&self) -> bool {
        match self {
            // Kept in the configuration, or in the state store.
            Credentials::ClientCredentials { .. }
            | Credentials::FixedToken(_)
            | Credentials::Session(_) => true,
            Credentials::CallerToken { .. } | Credentials::OnBehalfOf { .. } => false,
        }
    }

    /// The address that gives tokens for them; empty: none is asked.
    pub fn token_source(&self) -> &str {
        match self {
            Credentials::ClientCredentials { token_url, .. }
            | Credentials::OnBehalfOf { token_url, .. } => token_url,
            Credentials::Session(session) => &session.exchange_url,
            Credentials::FixedToken(_) | Credentials::CallerToken { .. } => "",
        }
    }

    /// Whether they cannot be used any more at `now_ms`, whatever anybody does.
    pub(super) fn are_over(&self, now_ms: i64) -> bool {
        match self {
            Credentials::CallerToken { expires_at_ms, .. }
            | Credentials::OnBehalfOf { expires_at_ms, .. } => *expires_at_ms <= now_ms,
            _ => false,
        }
    }
}

/// As whom a gateway user's rows are sent now; `None`: there is no such user any more.
pub type IdentityOfUser = Arc<dyn Fn(&str) -> Option<Arc<Identity>> + Send + Sync>;

/// One principal in one project. Budgets in CDF are counted by principal: identities with
/// equal `name` and project share a limiter.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    pub project: Project,
    /// The client id, or the gateway user's name for a fixed token.
    pub name: String,
    pub credentials: Credentials,
    /// Make time series that a datapoint names and that do not exist.
    pub create_missing_time_series: bool,
    /// Without it in CDF the identity's connections are ended.
    pub required_access: RequiredAccess,
}

impl Identity {
    /// Whoever holds `token`, for a look at what it may do.
    pub fn of_token(project: Project, token: Secret) -> Self {
        Identity {
            project,
            name: String::new(),
            credentials: Credentials::FixedToken(token),
            create_missing_time_series: false,
            required_access: RequiredAccess::AcceptedToken,
        }
    }
}
