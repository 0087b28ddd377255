//! Whether an identity may stay: one look at the identity provider and at CDF.
//!
//! Owns the difference between a refusal and a network that does not work. Promises that only what
//! CDF or the identity provider said itself counts as a refusal. Never ends anything.

use super::{AttemptFailure, CdfClient, Identity};
use crate::diagnostic::{Diagnostic, SqlState};

/// What came of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is a token, CDF accepts it, and it shows the access that is required.
    Kept,
    /// Somebody who decides it said no.
    Lost(Box<Diagnostic>),
    /// Nobody said anything: the identity keeps what it has.
    Unknown(Box<Diagnostic>),
}

impl CdfClient {
    /// Looks how `identity` stands. The identity provider is asked for a new token even where there
    /// is one that is good: it would outlive its client. A session's token is not renewed for it,
    /// since CDF ends that with the session.
    pub async fn standing(&self, identity: &Identity) -> Standing {
        if let Err(failure) = self.prove(identity).await {
            return refused_or_unknown(reason(failure));
        }
        let inspection = match self.inspect_token(identity).await {
            Ok(inspection) => inspection,
            Err(diagnostic) => return refused_or_unknown(diagnostic),
        };
        let project = &identity.project.name;
        match identity.required_access.lacking(&inspection, project) {
            None => Standing::Kept,
            Some(lacking) => Standing::Lost(Box::new(
                Diagnostic::error(
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    format!("the token of this user lacks {lacking} in project \"{project}\""),
                )
                .with_hint("Add it to the CDF group of the user's principal."),
            )),
        }
    }
}

fn reason(failure: AttemptFailure) -> Box<Diagnostic> {
    Box::new(failure.reason().clone())
}

fn refused_or_unknown(diagnostic: Box<Diagnostic>) -> Standing {
    match diagnostic.sqlstate {
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION | SqlState::INSUFFICIENT_PRIVILEGE => {
            Standing::Lost(diagnostic)
        }
        _ => Standing::Unknown(diagnostic),
    }
}
