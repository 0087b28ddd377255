//! The identity provider: applications, users, and the tokens that are issued to them.
//!
//! It owns sign-in as Microsoft Entra does it: `directory` knows applications and users,
//! `grants` answers the token endpoint, `signing_keys` signs and publishes keys,
//! `discovery` says where all that is, `minting` makes tokens for tests, good and bad
//! ones, and `admin` is how tests change it. `tokens` knows what was issued, `principal`
//! who a token stands for. The identity of a request is the client id or the user's name,
//! not the token's text, so that a refreshed token keeps its budget. What a principal may
//! do in CDF is decided elsewhere. Never stores, shows or logs a token or a secret.

mod admin;
mod clock;
mod directory;
mod discovery;
mod entries;
mod grants;
mod minting;
mod oauth_error;
mod principal;
mod signing_keys;
mod tokens;

pub use admin::answer as answer_admin;
pub use clock::IdentityClock;
pub use discovery::{configuration, keys};
pub use entries::{Application, User};
pub use grants::answer as answer_token_request;
pub use principal::{Holder, Principal, TokenVersion};
pub use tokens::{Hash, TokenFault, bearer, hash};

use super::answer::Refusal;
use super::options::EmulatorOptions;
use directory::Directory;
use principal::{Claims, claims_of};
use serde_json::{Value, json};
use signing_keys::SigningKeys;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use tokens::{Issued, Tokens};

/// The tenant of the token endpoint that names none.
pub const TENANT: &str = "2f9d3f0c-6c5e-4e5b-9d0f-6b1a7c3e8d21";

/// The group in the `groups` claim of the initial administrator.
pub const ADMIN_GROUP: &str = "emulator-administrators";

/// The identity provider of one emulator.
#[derive(Debug)]
pub struct Identity {
    pub clock: IdentityClock,
    pub directory: Directory,
    pub keys: SigningKeys,
    pub tokens: Tokens,
    /// Where everything is, and how issuers start.
    pub base_url: String,
    /// Tokens that were not issued here open as well.
    accept_any: bool,
    /// What tokens for CDF may name as their audience, besides its own addresses.
    audiences: Vec<String>,
}

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct Order {
    pub holder: Holder,
    pub version: TokenVersion,
    pub tenant: String,
    pub audience: Value,
    pub lifetime_s: i64,
    /// Permissions of a user's token.
    pub scope: Option<String>,
}

impl Identity {
    pub fn new(options: &EmulatorOptions, base_url: String) -> Result<Self, Refusal> {
        let mut applications = options.applications.clone();
        applications.extend(options.clients.iter().map(Application::from));
        applications.extend(options.admin.iter().map(|pair| Application {
            groups: vec![ADMIN_GROUP.to_owned()],
            ..Application::from(pair)
        }));
        Ok(Self {
            clock: IdentityClock::default(),
            directory: Directory::new(applications, options.users.clone(), options.enforce_access),
            keys: SigningKeys::generate()?,
            tokens: Tokens::default(),
            base_url,
            accept_any: options.accept_any_token && !options.enforce_access,
            audiences: options.audiences.clone(),
        })
    }

    /// The claims of a token that is made now.
    fn claims(&self, order: &Order) -> Claims {
        let now_ms = self.clock.now_ms();
        let expires_at_ms = now_ms.saturating_add(order.lifetime_s.saturating_mul(1_000));
        let mut claims = Claims::new();
        claims.insert("aud".into(), order.audience.clone());
        let issuer = order.version.issuer(&self.base_url, &order.tenant);
        claims.insert("iss".into(), issuer.into());
        claims.insert("tid".into(), order.tenant.as_str().into());
        claims.insert("iat".into(), now_ms.div_euclid(1_000).into());
        claims.insert("nbf".into(), now_ms.div_euclid(1_000).into());
        claims.insert("exp".into(), expires_at_ms.div_euclid(1_000).into());
        claims.insert(
            "jti".into(),
            format!("{:x}", self.tokens.next_number()).into(),
        );
        if let Some(scope) = &order.scope {
            claims.insert("scp".into(), scope.as_str().into());
        }
        claims.extend(claims_of(&order.holder, order.version));
        claims
    }

    /// Issues a good token; with a session it ends when that loses its access.
    pub fn issue(
        &self,
        order: &Order,
        session_end_ms: Option<Arc<AtomicI64>>,
    ) -> Result<String, Refusal> {
        let claims = self.claims(order);
        let lifetime_ms = order.lifetime_s.saturating_mul(1_000);
        let now_ms = self.clock.now_ms();
        // Counted in milliseconds, where the claim has whole seconds.
        let ends_at_ms = now_ms.saturating_add(lifetime_ms);
        self.sign(&claims, Some(ends_at_ms), session_end_ms)
    }

    /// Signs claims with the current key and takes the token in.
    fn sign(
        &self,
        claims: &Claims,
        expires_at_ms: Option<i64>,
        session_end_ms: Option<Arc<AtomicI64>>,
    ) -> Result<String, Refusal> {
        let key = self.keys.current();
        let token = key.sign(&header(&key.kid), claims)?;
        let seconds = |name: &str| claims.get(name).and_then(Value::as_i64);
        let ms = |seconds: i64| seconds.saturating_mul(1_000);
        let issued = Issued {
            principal: Arc::new(Principal::from_claims(claims)),
            kid: key.kid.clone(),
            not_before_ms: seconds("nbf").map_or(0, ms),
            expires_at_ms: expires_at_ms
                .or_else(|| seconds("exp").map(ms))
                .unwrap_or(i64::MAX),
            session_end_ms,
        };
        self.tokens.add(&token, issued, self.clock.now_ms());
        Ok(token)
    }

    /// Who stands behind an `Authorization` header, as CDF sees it.
    pub fn principal(&self, authorization: Option<&str>) -> Result<Arc<Principal>, TokenFault> {
        let token = authorization.and_then(bearer).ok_or(TokenFault::Absent)?;
        let Some(known) = self.tokens.find(token) else {
            return if self.accept_any {
                Ok(Arc::new(Principal::foreign(token)))
            } else {
                Err(TokenFault::Unknown)
            };
        };
        known.check(self.clock.now_ms())?;
        if !self.accept_any {
            if !self.keys.publishes(&known.kid) {
                return Err(TokenFault::Unknown);
            }
            if !known.principal.audiences.iter().any(|one| self.is_cdf(one)) {
                return Err(TokenFault::ForAnother);
            }
        }
        Ok(known.principal)
    }

    /// Whether tokens for this audience are for CDF: this emulator, a cluster of Cognite's,
    /// or what was configured.
    fn is_cdf(&self, audience: &str) -> bool {
        let audience = audience.trim_end_matches('/');
        let after_scheme = audience.strip_prefix("https://").unwrap_or_default();
        let host = after_scheme.split('/').next().unwrap_or_default();
        audience == self.base_url
            || host.ends_with(".cognitedata.com")
            || self.audiences.iter().any(|known| known == audience)
    }
}

/// The header of a token.
fn header(kid: &str) -> Claims {
    let members = json!({"typ": "JWT", "alg": "ES256", "kid": kid});
    members.as_object().cloned().unwrap_or_default()
}

/// Without random bytes there are no keys and no signatures.
fn random_failure() -> Refusal {
    Refusal::Failed("The machine gives no random bytes to sign with".to_owned())
}
