//! `[[principals]]`: with which credentials the rows of a token's owner are written.
//!
//! Owns the rules, of which the first that fits counts. Promises that the caller's own token goes to
//! CDF only where it was made for CDF. Never checks a token.

use super::claims::Claims;
use super::issuer::Issuer;
use super::names::Names;
use crate::cdf::{Credentials, Identity, Project, Secret};
use crate::config::UserModes;
use std::sync::Arc;

/// What rows are sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CdfTarget {
    /// Credentials of the configuration; all that the rule fits share them.
    Stored(Arc<Identity>),
    /// A token that this application gets in the caller's name.
    OnBehalfOf {
        project: Project,
        token_url: String,
        client_id: String,
        client_secret: Secret,
        scope: String,
        create_missing_time_series: bool,
    },
    /// The token that the caller signed in with.
    OwnToken { project: Project },
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalRule {
    /// The issuer's name; `None`: any.
    pub issuer: Option<String>,
    /// The names that they sign in under.
    pub users: Names,
    /// Ids of applications whose own token it is; empty: anybody's.
    pub applications: Vec<String>,
    /// Ids of groups, of which the owner is in one; empty: anybody.
    pub groups: Vec<String>,
    pub target: CdfTarget,
    pub modes: UserModes,
}

impl PrincipalRule {
    /// The stored credentials that rules give a user of that name, for rows that are written once
    /// more when the user is gone. `None` where rules give several: the token told which.
    pub fn stored_for(rules: &[PrincipalRule], user: &str) -> Option<Arc<Identity>> {
        let mut found = None;
        for rule in rules.iter().filter(|rule| rule.users.include(user)) {
            match (&rule.target, &found) {
                (CdfTarget::Stored(identity), None) => found = Some(identity),
                (CdfTarget::Stored(identity), Some(other)) if identity == *other => {}
                _ => return None,
            }
        }
        found.cloned()
    }

    /// Whether the rule is for the owner of these claims, who signs in as `user`.
    pub(super) fn fits(&self, issuer: &Issuer, claims: &Claims, user: &str) -> bool {
        let is_of_issuer = self
            .issuer
            .as_ref()
            .is_none_or(|wanted| *wanted == issuer.name);
        let is_of_application = self.applications.is_empty()
            || claims
                .application()
                .is_some_and(|id| self.applications.iter().any(|wanted| wanted == id));
        let is_in_group = self.groups.is_empty()
            || self
                .groups
                .iter()
                .any(|group| claims.has_group(issuer, group));
        let may_pass_on = match self.target {
            CdfTarget::OwnToken { .. } => claims.is_for(&issuer.cdf_audiences),
            CdfTarget::Stored(_) | CdfTarget::OnBehalfOf { .. } => true,
        };
        is_of_issuer && is_of_application && is_in_group && self.users.include(user) && may_pass_on
    }

    /// As whom the owner of `token` writes; `principal` is who that is.
    pub(super) fn identity(
        &self,
        principal: &str,
        token: &str,
        expires_at_ms: i64,
    ) -> Arc<Identity> {
        match &self.target {
            CdfTarget::Stored(identity) => identity.clone(),
            CdfTarget::OnBehalfOf {
                project,
                token_url,
                client_id,
                client_secret,
                scope,
                create_missing_time_series,
            } => Arc::new(Identity {
                project: project.clone(),
                name: principal.to_owned(),
                credentials: Credentials::OnBehalfOf {
                    token_url: token_url.clone(),
                    client_id: client_id.clone(),
                    client_secret: client_secret.clone(),
                    scope: scope.clone(),
                    assertion: Secret::new(token),
                    expires_at_ms,
                },
                create_missing_time_series: *create_missing_time_series,
            }),
            CdfTarget::OwnToken { project } => Arc::new(Identity {
                project: project.clone(),
                name: principal.to_owned(),
                credentials: Credentials::CallerToken {
                    token: Secret::new(token),
                    expires_at_ms,
                },
                create_missing_time_series: false,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::NamePattern;
    use super::*;

    fn rule(users: &str, target: CdfTarget) -> PrincipalRule {
        PrincipalRule {
            issuer: None,
            users: Names::new([NamePattern::new(users)]),
            applications: Vec::new(),
            groups: Vec::new(),
            target,
            modes: UserModes::default(),
        }
    }

    fn project() -> Project {
        Project {
            base_url: "https://api.example.com".to_owned(),
            name: "plant".to_owned(),
        }
    }

    fn stored(name: &str) -> CdfTarget {
        CdfTarget::Stored(Arc::new(Identity {
            project: project(),
            name: name.to_owned(),
            credentials: Credentials::FixedToken(Secret::new("token")),
            create_missing_time_series: false,
        }))
    }

    #[test]
    fn a_name_has_stored_credentials_only_where_no_rule_gives_it_others() {
        let rules = [
            rule("*@plant.example", stored("plant")),
            rule("ada@*", stored("plant")),
            rule("bob@*", stored("other")),
            rule("eve@*", CdfTarget::OwnToken { project: project() }),
        ];
        let name =
            |user| PrincipalRule::stored_for(&rules, user).map(|identity| identity.name.clone());
        assert_eq!(name("ada@plant.example").as_deref(), Some("plant"));
        assert_eq!(name("carol@plant.example").as_deref(), Some("plant"));
        for ambiguous in ["bob@plant.example", "eve@plant.example", "nobody"] {
            assert_eq!(name(ambiguous), None, "{ambiguous}");
        }
    }
}
