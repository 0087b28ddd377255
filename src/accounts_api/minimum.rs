//! The capabilities that a principal must have before it can have a gateway user.
//!
//! Owns the minimum of both versions of the gateway. Promises that what is missing is told by the
//! name that the setup guide uses and by the ACL behind it. Never asks CDF itself.

use crate::cdf::TokenInspection;

/// One capability.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capability {
    /// As people see it in CDF's group editor.
    pub name: &'static str,
    /// As the groups API writes it.
    pub acl: &'static str,
    pub action: &'static str,
}

/// What a principal of version 1.0 needs.
pub(super) const FIRST_VERSION: [Capability; 2] = [
    Capability {
        name: "project:list",
        acl: "projectsAcl",
        action: "LIST",
    },
    Capability {
        name: "groups:list",
        acl: "groupsAcl",
        action: "LIST",
    },
];

/// What a principal of version 2.0 needs.
pub(super) const SECOND_VERSION: [Capability; 5] = [
    Capability {
        name: "postgresGateway:READ",
        acl: "postgresGatewayAcl",
        action: "READ",
    },
    Capability {
        name: "postgresGateway:WRITE",
        acl: "postgresGatewayAcl",
        action: "WRITE",
    },
    FIRST_VERSION[0],
    FIRST_VERSION[1],
    Capability {
        name: "session:CREATE",
        acl: "sessionsAcl",
        action: "CREATE",
    },
];

/// What is missing of `capabilities`, in words; `None`: nothing.
pub(super) fn missing_in_words(
    inspection: &TokenInspection,
    project: &str,
    capabilities: &[Capability],
) -> Option<String> {
    let missing: Vec<String> = capabilities
        .iter()
        .filter(|capability| !inspection.allows(project, capability.acl, capability.action))
        .map(|capability| {
            format!(
                "{} ({} {})",
                capability.name, capability.acl, capability.action
            )
        })
        .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "{} in project \"{project}\": add it to the CDF group that is linked to the \
             principal's group",
            missing.join(", ")
        )
    })
}
