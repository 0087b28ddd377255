//! What CDF must go on showing of an identity, so that its connections stay open.
//!
//! Owns the kinds of identities, by where they come from. Promises that what is lacking is told in
//! the names of CDF's access lists. Never asks CDF.

use super::TokenInspection;

/// What is looked for in CDF's view of an identity's token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RequiredAccess {
    /// That CDF accepts the token at all: identities of the configuration, and of tokens.
    #[default]
    AcceptedToken,
    /// Use of the gateway: users of version 2.0 of the accounts API.
    PostgresGateway,
    /// The project and its groups: users of version 1.0.
    ProjectAndGroups,
}

impl RequiredAccess {
    /// What is lacking in `project`, in words; `None`: nothing.
    pub fn lacking(self, inspection: &TokenInspection, project: &str) -> Option<&'static str> {
        let allows = |acl, action| inspection.allows(project, acl, action);
        match self {
            RequiredAccess::AcceptedToken => None,
            RequiredAccess::PostgresGateway => {
                let acl = "postgresGatewayAcl";
                let has_any = allows(acl, "READ") || allows(acl, "WRITE");
                (!has_any).then_some("postgresGatewayAcl READ and WRITE")
            }
            RequiredAccess::ProjectAndGroups if !allows("projectsAcl", "LIST") => {
                Some("projectsAcl LIST")
            }
            RequiredAccess::ProjectAndGroups => {
                (!allows("groupsAcl", "LIST")).then_some("groupsAcl LIST")
            }
        }
    }
}
