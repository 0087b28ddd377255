//! What an emulator can be told at its start.
//!
//! Owns the options and their defaults. Never reads a file or the environment: that is
//! the command line's part.

use super::budget::Budgets;
use super::identity::{Application, User};
use std::net::{Ipv4Addr, SocketAddr};

/// A client id and its secret, as the token endpoint accepts them.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    /// The client id. It is also the identity that budgets are counted for.
    pub client_id: String,
    /// The secret, compared as it is.
    pub client_secret: String,
}

impl std::fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Options of [`start`](super::start).
#[derive(Clone, Debug)]
pub struct EmulatorOptions {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The only project that answers; `None` serves every project name.
    pub project: Option<String>,
    /// Check, count and sum writes without storing them.
    pub sink: bool,
    /// Accept any bearer token; otherwise only those that the token endpoint issued.
    pub accept_any_token: bool,
    /// The pairs that the token endpoint accepts; empty accepts any pair.
    pub clients: Vec<ClientCredentials>,
    /// More applications that sign in, with their groups.
    pub applications: Vec<Application>,
    /// The users that tokens can be made for.
    pub users: Vec<User>,
    /// Where clients reach it, as issuers and discovery name it; `None` is where it listens.
    pub public_url: Option<String>,
    /// What tokens for CDF may name as their audience, besides its own address and
    /// Cognite's clusters. Looked at where not any token is accepted.
    pub audiences: Vec<String>,
    /// Let groups decide who may do what. Only tokens that were issued here open then.
    pub enforce_access: bool,
    /// The administrator of every project, who can make groups for the others.
    pub admin: Option<ClientCredentials>,
    /// Worker threads, each with a runtime of its own. At least one is started.
    pub threads: usize,
    /// The budgets that answer 429 when exceeded; by default none.
    pub budgets: Budgets,
}

impl Default for EmulatorOptions {
    /// Loopback on a free port, any project, any token, two threads, no budgets.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            project: None,
            sink: false,
            accept_any_token: true,
            clients: Vec::new(),
            applications: Vec::new(),
            users: Vec::new(),
            public_url: None,
            audiences: Vec::new(),
            enforce_access: false,
            admin: None,
            // Two, so that one large body being decoded does not hold up the answers
            // to everybody else.
            threads: 2,
            budgets: Budgets::default(),
        }
    }
}
