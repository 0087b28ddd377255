//! The check of one access token.
//!
//! Owns the order of the questions: whose token it says it is, whether that issuer signed it,
//! whether it is for us and valid now, whether its owner may use the name, and which rule the owner
//! has. Promises that nothing but `iss`, `alg` and `kid` is read before the signature is checked,
//! and those only to find the key. Never keeps a token.

use super::claims::Claims;
use super::issuer::Issuer;
use super::key_cache::{FETCH_TIMEOUT, KeyCache};
use super::principal::PrincipalRule;
use super::refusal::TokenRefusal;
use super::signature;
use crate::cdf::{Identity, Transport};
use crate::config::UserModes;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, dangerous, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Longest token; those with hundreds of groups have some 10 kB.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;

/// Longest life that is believed, in seconds: a century keeps sums in range.
const EXPIRES_S_MAX: u64 = 32_503_680_000;

/// Checks tokens of all issuers.
#[derive(Debug)]
pub struct TokenCheck {
    issuers: Vec<KeyCache>,
    principals: Vec<PrincipalRule>,
}

/// What follows from a good token.
#[derive(Clone, Debug)]
pub struct TokenUser {
    /// As whom rows are written.
    pub identity: Arc<Identity>,
    pub modes: UserModes,
    /// Seconds since 1970, the leeway not counted.
    pub expires_at_s: u64,
    /// How long after that the token still counts.
    pub leeway_s: u64,
}

/// All that may be read of a token before its signature.
#[derive(Deserialize)]
struct Unchecked {
    iss: String,
}

impl TokenCheck {
    /// A check by these issuers and rules.
    ///
    /// # Errors
    /// The HTTP library cannot be set up.
    pub fn new(
        issuers: impl IntoIterator<Item = Issuer>,
        principals: Vec<PrincipalRule>,
    ) -> Result<Self, String> {
        signature::install();
        let transport = Transport::new(FETCH_TIMEOUT).map_err(|error| error.to_string())?;
        Ok(TokenCheck {
            issuers: issuers
                .into_iter()
                .map(|issuer| KeyCache::new(Arc::new(issuer), transport.clone()))
                .collect(),
            principals,
        })
    }

    /// The issuer of that name.
    pub fn issuer(&self, name: &str) -> Option<&Issuer> {
        self.issuers
            .iter()
            .map(KeyCache::issuer)
            .find(|issuer| issuer.name == name)
    }

    /// Fetches the keys of every issuer once, whatever is known already: how many there are, or why
    /// there are none.
    pub async fn fetch_keys(&self) -> Vec<(String, Result<usize, String>)> {
        let mut fetched = Vec::with_capacity(self.issuers.len());
        for keys in &self.issuers {
            let name = keys.issuer().name.clone();
            fetched.push((name, keys.try_fetch().await));
        }
        fetched
    }

    /// Checks `token`, shown by somebody who wants to be `user`; of the issuer `only`, if a rule
    /// says so.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn check(
        &self,
        token: &str,
        user: &str,
        only: Option<&str>,
    ) -> Result<TokenUser, TokenRefusal> {
        if token.is_empty() {
            return Err(TokenRefusal::Malformed("it is empty"));
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefusal::Malformed("it is too long"));
        }
        // Also fails for an algorithm that does not exist, "none" among them.
        let header = decode_header(token).map_err(|_| TokenRefusal::Malformed("its header"))?;
        let unchecked: Unchecked = dangerous::insecure_decode_claims(token)
            .map_err(|_| TokenRefusal::Malformed("its claims"))?;
        let keys = self
            .issuers
            .iter()
            .filter(|keys| only.is_none_or(|name| keys.issuer().name == name))
            .find(|keys| keys.issuer().iss.contains(&unchecked.iss))
            .ok_or(TokenRefusal::UnknownIssuer)?;
        let issuer = keys.issuer();
        if !issuer
            .algorithms
            .iter()
            .any(|allowed| allowed.of_library() == header.alg)
        {
            return Err(TokenRefusal::Algorithm(issuer.name.clone()));
        }
        let kid = header.kid.as_deref().unwrap_or_default();
        let key = keys.find(kid, header.alg).await?;

        let mut validation = Validation::new(header.alg);
        validation.leeway = issuer.leeway_s;
        validation.validate_nbf = true;
        validation.set_issuer(&issuer.iss);
        validation.set_audience(&issuer.all_audiences().collect::<Vec<_>>());
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let checked = decode::<Map<String, Value>>(token, &key, &validation)
            .map_err(|error| refusal(error.kind(), issuer))?;
        let claims = Claims::new(checked.claims);

        if let Some(tenant) = &issuer.tenant
            && claims.text("tid") != Some(tenant)
        {
            return Err(TokenRefusal::WrongTenant(issuer.name.clone()));
        }
        if !claims.bind(issuer, user) {
            return Err(TokenRefusal::NameNotBound);
        }
        let principal = claims
            .principal()
            .ok_or_else(|| TokenRefusal::Claim("sub".to_owned()))?;
        let expires_at_s = claims
            .expires_s()
            .ok_or_else(|| TokenRefusal::Claim("exp".to_owned()))?
            .min(EXPIRES_S_MAX);
        let rule = self
            .principals
            .iter()
            .find(|rule| rule.fits(issuer, &claims, user));
        let Some(rule) = rule else {
            if claims.leaves_groups_out(issuer) {
                tracing::warn!(
                    issuer = %issuer.name,
                    "a token does not list its owner's groups, because they are too many: rules \
                     by group do not fit it"
                );
            }
            return Err(TokenRefusal::NoPrincipal);
        };
        let expires_at_ms = i64::try_from(expires_at_s * 1000).unwrap_or(i64::MAX);
        Ok(TokenUser {
            identity: rule.identity(principal, token, expires_at_ms),
            modes: rule.modes,
            expires_at_s,
            leeway_s: issuer.leeway_s,
        })
    }
}

fn refusal(kind: &ErrorKind, issuer: &Issuer) -> TokenRefusal {
    let name = issuer.name.clone();
    match kind {
        ErrorKind::InvalidSignature | ErrorKind::InvalidKeyFormat => TokenRefusal::Signature(name),
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => {
            TokenRefusal::Algorithm(name)
        }
        ErrorKind::InvalidAudience => TokenRefusal::Audience(name),
        ErrorKind::InvalidIssuer => TokenRefusal::UnknownIssuer,
        ErrorKind::ExpiredSignature => TokenRefusal::Expired,
        ErrorKind::ImmatureSignature => TokenRefusal::NotYetValid,
        ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => {
            TokenRefusal::Claim(claim.clone())
        }
        _ => TokenRefusal::Malformed("it cannot be read"),
    }
}
