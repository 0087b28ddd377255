//! No answer came: what that means for the rows.
//!
//! Owns the cases without a status: no connection, no answer in time, a connection that broke.
//! Promises to tell what was surely not sent from what may still land. Never sees an answer.

use super::answer::presentable;
use super::{AttemptFailure, Operation, Project, Repeat, transport};
use crate::diagnostic::{Diagnostic, SqlState};

/// Judges an attempt that ended in `error`, by how far the request got.
pub fn unanswered(
    project: &Project,
    operation: Operation,
    repeat: Repeat,
    error: &reqwest::Error,
) -> AttemptFailure {
    let base_url = presentable(&project.base_url, 200);
    if error.is_builder() {
        return AttemptFailure::Stop {
            reason: Box::new(
                Diagnostic::error(
                    SqlState::CONNECTION_FAILURE,
                    format!("base_url or project is not an address: {base_url}"),
                )
                .with_hint("base_url is a scheme and a host: https://api.cognitedata.com."),
            ),
        };
    }
    if let Some(why) = transport::untrusted_certificate(error) {
        return AttemptFailure::Stop {
            reason: untrusted("CDF", &base_url, &why),
        };
    }
    let never_sent = error.is_connect();
    if repeat == Repeat::Doubles && !never_sent {
        return AttemptFailure::Unknown {
            reason: Box::new(
                Diagnostic::error(
                    SqlState::STATEMENT_COMPLETION_UNKNOWN,
                    format!(
                        "CDF may or may not have {}: {}",
                        operation.in_words(),
                        transport::cause(error)
                    ),
                )
                .with_detail("The request was sent and no answer came back.")
                .with_hint(
                    "Look in CDF before you send the rows again. Rows with an external_id \
                     are repeated safely by themselves.",
                ),
            ),
        };
    }
    let message = match never_sent {
        true => format!(
            "CDF at {base_url} cannot be reached: {}",
            transport::cause(error)
        ),
        false => format!(
            "CDF at {base_url} did not answer: {}",
            transport::cause(error)
        ),
    };
    AttemptFailure::Retry {
        retry_after: None,
        answered: never_sent,
        status: None,
        throttle: None,
        reason: Box::new(
            Diagnostic::error(SqlState::CONNECTION_FAILURE, message)
                .with_detail(match never_sent {
                    true => "Nothing was sent.",
                    false => "The request was sent and no answer came back.",
                })
                .with_hint("Check base_url and the network between the gateway and CDF."),
        ),
    }
}

/// The certificate of CDF or of an identity provider is not trusted: waiting does not mend it.
pub fn untrusted(whose: &str, address: &str, why: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::CONNECTION_FAILURE,
            format!("the TLS certificate of {whose} at {address} is not trusted: {why}"),
        )
        .with_detail("Nothing was sent.")
        .with_hint(
            "Check the address. Where a proxy of your own opens TLS, add its CA certificate to \
             those that the system trusts.",
        ),
    )
}
