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
    /// Somebody who decides it said no: neither rows nor tokens are to be had any more.
    Lost(Box<Diagnostic>),
    /// CDF accepts the token, which lacks what the gateway asks for.
    Lacking(Box<Diagnostic>),
    /// CDF knows the token and does not say what it may do: for that it wants a capability of its
    /// own, which nobody needs to write.
    Untold(Box<Diagnostic>),
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
            Err(diagnostic) if diagnostic.sqlstate == SqlState::INSUFFICIENT_PRIVILEGE => {
                return Standing::Untold(diagnostic);
            }
            Err(diagnostic) => return refused_or_unknown(diagnostic),
        };
        let project = &identity.project.name;
        if !inspection.reaches(project) {
            return Standing::Lost(Box::new(
                Diagnostic::error(
                    SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                    format!("the token of this user opens no project \"{project}\" any more"),
                )
                .with_hint("Link a CDF group there to a group that the user's principal is in."),
            ));
        }
        match identity.required_access.lacking(&inspection, project) {
            None => Standing::Kept,
            Some(lacking) => Standing::Lacking(Box::new(
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
