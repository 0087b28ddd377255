//! Who asks, and whether they may: the first thing that a request meets.
//!
//! Owns the order of the questions: is there a good token, is the project open, is there
//! a group and a capability, is there a place in the budgets. A refused request still
//! counts against the budgets, as CDF documents. Never looks at a body.

use super::access::{self, AccessOperation, Rights};
use super::answer::Refusal;
use super::identity::{Principal, TokenFault};
use super::objects::ObjectOperation;
use super::route::{Operation, PathNames};
use super::state::Emulator;
use super::throttle::{Asker, InFlight};
use std::sync::Arc;

/// What is known of a request before its body is read.
pub struct Admission {
    pub asker: Asker,
    pub principal: Arc<Principal>,
    /// `None` where nothing is enforced.
    pub rights: Option<Rights>,
    pub refusal: Option<Refusal>,
    /// Given back when it is dropped.
    pub in_flight: Option<InFlight>,
}

impl Admission {
    /// Asks all questions.
    pub fn decide(
        emulator: &Emulator,
        operation: Operation,
        names: &PathNames,
        authorization: Option<&str>,
    ) -> Self {
        let mut admission = Self {
            asker: Asker {
                project: names.project.clone(),
                identity: String::new(),
                operation,
            },
            principal: Arc::default(),
            rights: None,
            refusal: None,
            in_flight: None,
        };
        if is_open(operation) {
            return admission;
        }
        let verdict = admission
            .take_token(emulator, authorization)
            .and_then(|()| check_project(emulator, operation, names))
            .and_then(|()| admission.take_rights(emulator, names));
        let (places, places_verdict) = emulator.throttle.arrive(&admission.asker);
        admission.in_flight = Some(places);
        admission.refusal = verdict.and(places_verdict).err();
        admission
    }

    fn take_token(
        &mut self,
        emulator: &Emulator,
        authorization: Option<&str>,
    ) -> Result<(), Refusal> {
        let principal = emulator
            .identity
            .principal(authorization)
            .map_err(unauthorized)?;
        self.asker.identity.clone_from(&principal.identity);
        self.principal = principal;
        Ok(())
    }

    fn take_rights(&mut self, emulator: &Emulator, names: &PathNames) -> Result<(), Refusal> {
        if !emulator.access.enforced || names.project.is_empty() {
            return Ok(());
        }
        let rights = emulator.access.rights(&self.principal, &names.project);
        if rights.is_empty() {
            return Err(no_access(&names.project));
        }
        access::opens(&rights, self.asker.operation)?;
        self.rights = Some(rights);
        Ok(())
    }
}

/// Whether the operation needs no token.
fn is_open(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::TokenIssue
            | Operation::IdentityKeys
            | Operation::IdentityConfiguration
            | Operation::Objects(ObjectOperation::FilesUpload)
            | Operation::Access(AccessOperation::SessionsToken)
            | Operation::Unknown
    )
}

fn check_project(
    emulator: &Emulator,
    operation: Operation,
    names: &PathNames,
) -> Result<(), Refusal> {
    match &emulator.only_project {
        Some(only) if operation != Operation::TokenInspect && *only != names.project => {
            Err(no_access(&names.project))
        }
        _ => Ok(()),
    }
}

/// What a principal hears that is in no group of the project.
fn no_access(project: &str) -> Refusal {
    Refusal::Unauthorized(format!("Unauthorized: no access to project '{project}'"))
}

/// The 401 for a token that is not accepted.
pub fn unauthorized(fault: TokenFault) -> Refusal {
    Refusal::Unauthorized(
        match fault {
            TokenFault::Absent => "Unauthorized: no bearer token was given",
            TokenFault::Unknown => "Unauthorized: the token is not known",
            TokenFault::Early => "Unauthorized: the token is not valid yet",
            TokenFault::Expired => "Unauthorized: the token has expired",
            TokenFault::Revoked => "Unauthorized: the session of the token has ended",
            TokenFault::ForAnother => "Unauthorized: the token was not made for CDF",
        }
        .to_owned(),
    )
}
