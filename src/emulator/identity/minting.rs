//! `POST /_emulator/identity/tokens`: tokens of any kind for tests, good and bad ones.
//!
//! Owns what a test may order: whose token, for whom, until when, each claim otherwise
//! than it should be, a signature that is none. Only tokens with a good signature and an
//! unchanged header are taken in: CDF and the token endpoint know no other.

use super::principal::{Claims, Holder, TokenVersion};
use super::signing_keys::{SigningKey, unsigned};
use super::{Application, Identity, Order, TENANT, User, header};
use crate::emulator::answer::{Answer, Refusal};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

/// A token to make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenOrder {
    /// A user's name; with it the token is the user's, through the application.
    user: Option<String>,
    client_id: Option<String>,
    tenant: Option<String>,
    /// A text or a list of texts; CDF when absent.
    audience: Option<Value>,
    /// In the place of the groups that the directory knows.
    groups: Option<Vec<String>>,
    scope: Option<String>,
    /// Below zero it has expired already.
    lifetime_s: Option<i64>,
    version: Option<String>,
    /// Put in the place of the others; null takes a claim away.
    #[serde(default)]
    claims: Claims,
    /// The same for the header.
    #[serde(default)]
    header: Claims,
    #[serde(default)]
    signature: SignatureKind,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SignatureKind {
    #[default]
    Good,
    /// Of a key that is not published, under the name of the current one.
    WrongKey,
    /// Of a key that is not published, under that key's own name.
    UnknownKey,
    /// Of the current key, with a bit turned over.
    Damaged,
    /// Empty, with `alg` none.
    Absent,
}

/// Makes a token.
pub fn mint(identity: &Identity, order: TokenOrder) -> Result<Answer, Refusal> {
    let version = match order.version.as_deref() {
        None => TokenVersion::default(),
        Some(name) => TokenVersion::from_name(name)
            .ok_or_else(|| Refusal::invalid("version: expected 1.0 or 2.0"))?,
    };
    let lifetime_s = i64::try_from(identity.tokens.lifetime_s()).unwrap_or(i64::MAX);
    let holder = holder(identity, &order);
    let home = match &holder {
        Holder::Application(application) => application.tenant.clone(),
        Holder::User { user, .. } => user.tenant.clone(),
    };
    let mut claims = identity.claims(&Order {
        holder,
        version,
        tenant: order.tenant.or(home).unwrap_or_else(|| TENANT.to_owned()),
        audience: order
            .audience
            .unwrap_or_else(|| identity.base_url.as_str().into()),
        lifetime_s: order.lifetime_s.unwrap_or(lifetime_s),
        scope: order.scope,
    });
    let exact = order.header.is_empty() && order.signature == SignatureKind::Good;
    replace(&mut claims, order.claims);
    let token = if exact {
        identity.sign(&claims, None, None)?
    } else {
        forge(identity, &claims, order.header, order.signature)?
    };
    Ok(Answer::json(
        201,
        &json!({"token": token, "claims": claims}),
    ))
}

/// Whose token it is: as the directory knows them, or made up from the order.
fn holder(identity: &Identity, order: &TokenOrder) -> Holder {
    let client_id = order.client_id.clone();
    match &order.user {
        Some(upn) => {
            let mut user = identity.directory.user(upn).unwrap_or_else(|| User {
                upn: upn.clone(),
                ..User::default()
            });
            user.groups = order.groups.clone().unwrap_or(user.groups);
            Holder::User {
                user,
                client_id: client_id.unwrap_or_else(|| "emulator".to_owned()),
            }
        }
        None => {
            let client_id = client_id.unwrap_or_else(|| "emulator".to_owned());
            let known = identity.directory.application(&client_id);
            let mut application = known.unwrap_or_else(|| Application {
                client_id,
                ..Application::default()
            });
            application.groups = order.groups.clone().unwrap_or(application.groups);
            Holder::Application(application)
        }
    }
}

/// A token that is not what it should be.
fn forge(
    identity: &Identity,
    claims: &Claims,
    changes: Claims,
    signature: SignatureKind,
) -> Result<String, Refusal> {
    let current = identity.keys.current();
    let other = SigningKey::generate()?;
    let mut members = match signature {
        SignatureKind::UnknownKey => header(&other.kid),
        _ => header(&current.kid),
    };
    if signature == SignatureKind::Absent {
        members.insert("alg".into(), "none".into());
    }
    replace(&mut members, changes);
    Ok(match signature {
        SignatureKind::Good => current.sign(&members, claims)?,
        SignatureKind::WrongKey | SignatureKind::UnknownKey => other.sign(&members, claims)?,
        SignatureKind::Absent => format!("{}.", unsigned(&members, claims)),
        SignatureKind::Damaged => {
            let token = current.sign(&members, claims)?;
            let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
            let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
            if let Some(first) = bytes.first_mut() {
                *first ^= 1;
            }
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes))
        }
    })
}

fn replace(members: &mut Claims, changes: Claims) {
    for (name, value) in changes {
        if value.is_null() {
            members.shift_remove(&name);
        } else {
            members.insert(name, value);
        }
    }
}
