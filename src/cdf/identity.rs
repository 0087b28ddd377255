//! As whom, and into which project, rows are written.
//!
//! Owns the project address and the credentials of one CDF principal. Promises that secrets
//! are never printed. Never talks to the network: tokens are fetched elsewhere.

use serde::Deserialize;
use std::fmt;

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
    /// The token that the client signed in with; ends with the connection. Never journaled.
    CallerToken { token: Secret, expires_at_ms: i64 },
    /// Exchanged for a token of CDF in the caller's name; ends with the connection. Never journaled.
    OnBehalfOf {
        token_url: String,
        client_id: String,
        client_secret: Secret,
        scope: String,
        assertion: Secret,
        expires_at_ms: i64,
    },
}

impl Credentials {
    /// Whether the gateway can still write with them when the client has gone: what was
    /// acknowledged before it was delivered needs that.
    pub fn outlive_the_session(&self) -> bool {
        match self {
            // Both are kept in the configuration.
            Credentials::ClientCredentials { .. } | Credentials::FixedToken(_) => true,
            // Both are the client's.
            Credentials::CallerToken { .. } | Credentials::OnBehalfOf { .. } => false,
        }
    }
}

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
}
