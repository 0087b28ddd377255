//! An application and a user, as the directory holds them.
//!
//! Owns their fields. The secrets of an application are never shown.

use crate::emulator::options::ClientCredentials;
use serde::{Deserialize, Serialize};

/// An application, which signs in with a secret.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The client id. It is also the identity that budgets are counted for.
    pub client_id: String,
    /// Each of them is good.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// `oid` and `sub` of its tokens; the client id when absent.
    #[serde(default)]
    pub object_id: Option<String>,
    /// The only tenant that knows it; every tenant does when absent.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The `groups` claim of its tokens.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What tokens for it name as their audience, besides its client id and
    /// `api://{client id}`.
    #[serde(default)]
    pub audiences: Vec<String>,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Application").field(&self.shown()).finish()
    }
}

impl From<&ClientCredentials> for Application {
    fn from(pair: &ClientCredentials) -> Self {
        Self {
            client_id: pair.client_id.clone(),
            secrets: vec![pair.client_secret.clone()],
            ..Self::default()
        }
    }
}

impl Application {
    /// What is shown of it: everything but the secrets.
    pub fn shown(&self) -> ShownApplication<'_> {
        ShownApplication {
            client_id: &self.client_id,
            secrets: self.secrets.len(),
            object_id: self.object_id(),
            tenant: self.tenant.as_deref(),
            groups: &self.groups,
            audiences: &self.audiences,
        }
    }

    pub fn object_id(&self) -> &str {
        self.object_id.as_deref().unwrap_or(&self.client_id)
    }

    /// Whether tokens for this audience are for the application.
    pub fn is_meant_by(&self, audience: &str) -> bool {
        audience == self.client_id
            || audience.strip_prefix("api://") == Some(&self.client_id)
            || self.audiences.iter().any(|own| own == audience)
    }
}

/// An application without its secrets.
#[derive(Debug, Serialize)]
pub struct ShownApplication<'a> {
    client_id: &'a str,
    /// How many there are.
    secrets: usize,
    object_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    groups: &'a [String],
    audiences: &'a [String],
}

/// A person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name to sign in with, `alice@plant.example`.
    pub upn: String,
    /// `oid` and `sub` of the user's tokens; the name when absent.
    #[serde(default)]
    pub object_id: Option<String>,
    /// The user's tenant; the default one when absent.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The `groups` claim of the user's tokens.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl User {
    pub fn object_id(&self) -> &str {
        self.object_id.as_deref().unwrap_or(&self.upn)
    }
}
