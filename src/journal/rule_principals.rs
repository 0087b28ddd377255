//! With which credentials rows of users are sent who signed in by token.
//!
//! Owns the look into the rules that map owners of tokens to stored credentials. Promises that rows
//! go out only with the credentials that they were written with, and only while a rule still gives
//! them to a user of that name. Never asks for a token: the user may be gone.

use super::envelope::Envelope;
use super::principals::Principals;
use crate::cdf::Identity;
use crate::oidc::{CdfTarget, Names, PrincipalRule};
use std::sync::Arc;

/// Users with accounts first, then rules.
#[derive(Debug)]
pub struct RulePrincipals<P> {
    users: P,
    stored: Vec<(Names, Arc<Identity>)>,
}

impl<P: Principals> RulePrincipals<P> {
    /// Those of `users`, and of the rules that lead to stored credentials.
    pub fn new(users: P, rules: &[PrincipalRule]) -> Self {
        let stored = rules.iter().filter_map(|rule| match &rule.target {
            CdfTarget::Stored(identity) => Some((rule.users.clone(), identity.clone())),
            CdfTarget::OnBehalfOf { .. } | CdfTarget::OwnToken { .. } => None,
        });
        RulePrincipals {
            users,
            stored: stored.collect(),
        }
    }
}

impl<P: Principals> Principals for RulePrincipals<P> {
    fn find(&self, envelope: &Envelope<'_>) -> Option<Arc<Identity>> {
        self.users.find(envelope).or_else(|| {
            self.stored
                .iter()
                .find(|(users, identity)| {
                    users.include(envelope.user)
                        && identity.project.name == envelope.project
                        && identity.name == envelope.identity
                })
                .map(|(_, identity)| identity.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TABLES;
    use crate::cdf::{Credentials, Project, Secret};
    use crate::config::UserModes;
    use crate::journal::UserPrincipals;
    use crate::oidc::NamePattern;

    fn identity(name: &str, project: &str) -> Arc<Identity> {
        Arc::new(Identity {
            project: Project {
                base_url: "https://api.example.com".to_owned(),
                name: project.to_owned(),
            },
            name: name.to_owned(),
            credentials: Credentials::FixedToken(Secret::new("token")),
            create_missing_time_series: false,
            required_access: Default::default(),
        })
    }

    #[test]
    fn rows_of_a_token_user_go_out_while_a_rule_has_their_credentials() {
        let rule = PrincipalRule {
            issuer: None,
            users: Names::new([NamePattern::new("*@example.com")]),
            applications: Vec::new(),
            groups: Vec::new(),
            target: CdfTarget::Stored(identity("client", "plant")),
            modes: UserModes::default(),
        };
        let principals = RulePrincipals::new(UserPrincipals::new(Arc::new(|_| None)), &[rule]);
        let found = |user: &str, written_as: &Identity| {
            let envelope = Envelope::of(written_as, user, TABLES[0]);
            principals.find(&envelope).is_some()
        };
        assert!(found("ada@example.com", &identity("client", "plant")));
        assert!(!found("ada", &identity("client", "plant")));
        assert!(!found("ada@example.com", &identity("client", "other")));
        assert!(!found("ada@example.com", &identity("other", "plant")));
    }
}
