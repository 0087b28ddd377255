//! Who a token stands for, and the claims that say so.
//!
//! Owns the claims of tokens in both of Entra's versions, and what the rest of the
//! emulator reads from them. A principal is what its token says: groups that change later
//! show in the next token.

use super::entries::{Application, User};
use crate::emulator::checksum;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// The claims of a token.
pub type Claims = Map<String, Value>;

/// Which form a token has: the first names the application `appid` and the user `upn`,
/// the second `azp` and `preferred_username`; their issuers differ, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokenVersion {
    First,
    #[default]
    Second,
}

impl TokenVersion {
    /// From the `ver` claim.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "1.0" => Some(Self::First),
            "2.0" => Some(Self::Second),
            _ => None,
        }
    }

    pub fn issuer(self, base_url: &str, tenant: &str) -> String {
        match self {
            Self::First => format!("{base_url}/{tenant}/"),
            Self::Second => format!("{base_url}/{tenant}/v2.0"),
        }
    }
}

/// Whose token is to be made.
#[derive(Debug, Clone)]
pub enum Holder {
    /// An application by itself.
    Application(Application),
    /// A user, through an application.
    User { user: User, client_id: String },
}

/// The claims that name the holder of a token.
pub fn claims_of(holder: &Holder, version: TokenVersion) -> Claims {
    let (object_id, groups, client_id) = match holder {
        Holder::Application(application) => (
            application.object_id(),
            &application.groups,
            &application.client_id,
        ),
        Holder::User { user, client_id } => (user.object_id(), &user.groups, client_id),
    };
    let mut claims = Claims::new();
    let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    claim("sub", object_id.into());
    claim("oid", object_id.into());
    match version {
        TokenVersion::First => {
            claim("ver", "1.0".into());
            claim("appid", client_id.as_str().into());
            claim("appidacr", "1".into());
        }
        TokenVersion::Second => {
            claim("ver", "2.0".into());
            claim("azp", client_id.as_str().into());
            claim("azpacr", "1".into());
        }
    }
    match (holder, version) {
        (Holder::Application(_), _) => {
            claim("idtyp", "app".into());
        }
        (Holder::User { user, .. }, TokenVersion::First) => {
            claim("idtyp", "user".into());
            claim("upn", user.upn.as_str().into());
            claim("unique_name", user.upn.as_str().into());
        }
        (Holder::User { user, .. }, TokenVersion::Second) => {
            claim("idtyp", "user".into());
            claim("preferred_username", user.upn.as_str().into());
        }
    }
    // Entra leaves the claim out where there are no groups.
    if !groups.is_empty() {
        claim("groups", json!(groups));
    }
    claims
}

/// The holder of a token, as its claims say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Principal {
    /// What budgets are counted for: the name of a user, the client id of an application.
    pub identity: String,
    /// The `sub` claim.
    pub subject: String,
    pub object_id: String,
    /// The application that the token was issued to.
    pub client_id: String,
    /// The name of a user; an application by itself has none.
    pub upn: Option<String>,
    pub tenant: String,
    pub audiences: Vec<String>,
    pub groups: Vec<String>,
}

impl Principal {
    /// Reads claims. What they do not say stays empty.
    pub fn from_claims(claims: &Claims) -> Self {
        let text = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| claims.get(*name)?.as_str())
                .map(str::to_owned)
        };
        let upn = text(&["upn", "preferred_username"]);
        let client_id = text(&["azp", "appid", "client_id"]).unwrap_or_default();
        let subject = text(&["sub"]).unwrap_or_default();
        let named = [upn.as_ref(), Some(&client_id), Some(&subject)];
        let identity = named.into_iter().flatten().find(|name| !name.is_empty());
        Self {
            identity: identity.cloned().unwrap_or_default(),
            object_id: text(&["oid"]).unwrap_or_else(|| subject.clone()),
            tenant: text(&["tid"]).unwrap_or_default(),
            audiences: texts(claims.get("aud")),
            groups: texts(claims.get("groups")),
            upn,
            client_id,
            subject,
        }
    }

    /// Who a token that was not issued here says it is for. One that says nothing gets a
    /// name made from its hash, so that a fixed token is one identity.
    pub fn foreign(token: &str) -> Self {
        let mut principal =
            claims_in(token).map_or_else(Self::default, |claims| Self::from_claims(&claims));
        if principal.identity.is_empty() {
            principal.identity = format!("token-{:016x}", checksum::bytes(token.as_bytes()));
        }
        if principal.subject.is_empty() {
            principal.subject = principal.identity.clone();
        }
        principal
    }

    /// The user, as far as the token describes one.
    pub fn user(&self) -> Option<User> {
        Some(User {
            upn: self.upn.clone()?,
            object_id: Some(self.object_id.clone()),
            tenant: Some(self.tenant.clone()),
            groups: self.groups.clone(),
        })
    }
}

/// The claims of a compact JWT, unchecked.
fn claims_in(token: &str) -> Option<Claims> {
    let part = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) => {
            let texts = list.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_name_the_same_user() {
        let holder = Holder::User {
            user: User {
                upn: "alice@plant".into(),
                groups: vec!["operators".into()],
                ..User::default()
            },
            client_id: "viewer".into(),
        };
        let first = Principal::from_claims(&claims_of(&holder, TokenVersion::First));
        let second = Principal::from_claims(&claims_of(&holder, TokenVersion::Second));
        assert_eq!(first, second);
        assert_eq!(
            (first.identity.as_str(), first.client_id.as_str()),
            ("alice@plant", "viewer")
        );
        assert_eq!(first.groups, ["operators"]);
    }

    #[test]
    fn a_token_that_says_nothing_is_one_identity_by_its_text() {
        assert_eq!(Principal::foreign("x"), Principal::foreign("x"));
        assert_ne!(
            Principal::foreign("x").identity,
            Principal::foreign("y").identity
        );
    }
}
