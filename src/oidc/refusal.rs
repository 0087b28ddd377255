//! Why a token does not let anybody in.
//!
//! Owns the reasons, for logs and counters, and what of them the client is told. Promises that no
//! reason holds a part of a token: a claim is named, its value is not shown. Never decides.

use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::SignInFailure;

/// What is wrong with a token, or with who shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// No token at all.
    #[error("it is no token: {0}")]
    Malformed(&'static str),
    #[error("no issuer of the configuration has its iss")]
    UnknownIssuer,
    #[error("its algorithm is not allowed for the issuer {0}")]
    Algorithm(String),
    #[error("the issuer {0} has no key with its kid")]
    UnknownKey(String),
    /// The token may be good; nobody can tell.
    #[error("the keys of the issuer {issuer} cannot be fetched: {cause}")]
    KeysUnavailable { issuer: String, cause: String },
    #[error("its signature is not of the issuer {0}")]
    Signature(String),
    #[error("its audience is none that the issuer {0} has in the configuration")]
    Audience(String),
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYetValid,
    #[error("its claim {0} is missing or of the wrong kind")]
    Claim(String),
    #[error("its tenant is not the one of the issuer {0}")]
    WrongTenant(String),
    /// A good token, shown by somebody who names another user.
    #[error("none of its names is the user's")]
    NameNotBound,
    #[error("no rule in [[principals]] is for its owner")]
    NoPrincipal,
}

impl TokenRefusal {
    /// The cause for the counter.
    pub fn failure(&self) -> SignInFailure {
        match self {
            TokenRefusal::Expired => SignInFailure::ExpiredToken,
            TokenRefusal::KeysUnavailable { .. } => SignInFailure::KeysUnavailable,
            TokenRefusal::WrongTenant(_) | TokenRefusal::NoPrincipal => SignInFailure::NoPrincipal,
            _ => SignInFailure::BadToken,
        }
    }

    /// Whether it may have been a guess, to be counted against who made it. A token that was good
    /// once, or is good for something else, is no guess.
    pub fn is_a_guess(&self) -> bool {
        self.failure() == SignInFailure::BadToken
    }

    /// What the client is told: everything that is wrong with a token sounds the same.
    pub fn diagnostic(&self, user: &str) -> Box<Diagnostic> {
        Box::new(match self {
            TokenRefusal::WrongTenant(_) => Diagnostic::fatal(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                format!("the token of user \"{user}\" is of another tenant"),
            )
            .with_hint("Fetch the token in the tenant that the gateway's administrator names."),
            TokenRefusal::NoPrincipal => Diagnostic::fatal(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                format!("user \"{user}\" is mapped to no principal of CDF"),
            )
            .with_hint("The gateway's administrator adds a [[principals]] rule for the user."),
            TokenRefusal::KeysUnavailable { .. } => Diagnostic::fatal(
                SqlState::CANNOT_CONNECT_NOW,
                "the token cannot be checked: the identity provider's keys cannot be fetched",
            )
            .with_hint("Try again in a moment."),
            _ => Diagnostic::fatal(
                SqlState::INVALID_PASSWORD,
                format!("token authentication failed for user \"{user}\""),
            )
            .with_hint(
                "The password must be a current access token, made for this gateway, and the user \
                 name its owner's.",
            ),
        })
    }
}
