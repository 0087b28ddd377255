//! `[[principals]]`: as whom the owners of tokens write.
//!
//! Owns the rules as operators write them. Promises that each names exactly one way to CDF, and that
//! what it names exists. Never looks at a token.

use super::cdf::{self, Principal};
use super::problem::Findings;
use super::sign_in::Texts;
use super::tree::Tree;
use super::{CopyMode, DialectVersion, TransactionMode, UserModes};
use crate::cdf::{Credentials, Project};
use crate::oidc::{CdfTarget, Names, PrincipalRule};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One `[[principals]]` entry as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PrincipalSettings {
    pub issuer: Option<String>,
    pub user: Names,
    pub application: Texts,
    pub group: Texts,
    pub cdf: Option<String>,
    pub on_behalf_of: Option<String>,
    pub own_token: bool,
    pub base_url: String,
    pub project: String,
    pub transaction: Option<TransactionMode>,
    pub copy: Option<CopyMode>,
    pub dialect: DialectVersion,
}

/// The rules, checked.
pub(super) fn resolve_principals(
    tree: &Tree,
    sections: &BTreeMap<&str, Option<Principal>>,
    findings: &mut Findings,
) -> Vec<PrincipalRule> {
    let settings = tree.principals.iter().enumerate();
    settings
        .filter_map(|(position, settings)| {
            let section = format!("principals.{position}");
            let target = settings.target(&section, tree, sections, findings);
            settings.check(&section, tree, findings);
            Some(PrincipalRule {
                issuer: settings.issuer.clone(),
                users: settings.user.clone(),
                applications: settings.application.list(),
                groups: settings.group.list(),
                target: target?,
                modes: UserModes {
                    transaction: settings.transaction,
                    copy: settings.copy,
                    dialect: settings.dialect.into(),
                },
            })
        })
        .collect()
}

impl PrincipalSettings {
    fn check(&self, section: &str, tree: &Tree, findings: &mut Findings) {
        if let Some(name) = &self.issuer
            && !tree.issuers.iter().any(|issuer| issuer.name == *name)
        {
            findings.note(
                format!("{section}.issuer"),
                format!("there is no section [[issuers]] with the name \"{name}\""),
                "Name one, or remove the key to mean every issuer",
            );
        }
        if !self.own_token {
            for (key, value) in [("base_url", &self.base_url), ("project", &self.project)] {
                if !value.is_empty() {
                    findings.note(
                        format!("{section}.{key}"),
                        "the project is that of the section [cdf.<name>]",
                        "Remove the key, or set own_token = true",
                    );
                }
            }
        }
    }

    fn target(
        &self,
        section: &str,
        tree: &Tree,
        sections: &BTreeMap<&str, Option<Principal>>,
        findings: &mut Findings,
    ) -> Option<CdfTarget> {
        match (&self.cdf, &self.on_behalf_of, self.own_token) {
            (Some(name), None, false) => {
                let principal = self.named(section, "cdf", name, sections, findings)?;
                Some(CdfTarget::Stored(principal.identity(name)))
            }
            (None, Some(name), false) => {
                let principal = self.named(section, "on_behalf_of", name, sections, findings)?;
                let target = on_behalf_of(principal);
                if target.is_none() {
                    findings.note(
                        format!("{section}.on_behalf_of"),
                        format!("[cdf.{name}] has a fixed token, which cannot be exchanged"),
                        "Name a section with client credentials",
                    );
                }
                target
            }
            (None, None, true) => self.own_token(section, tree, findings),
            _ => {
                findings.note(
                    section,
                    "the rule does not say with which credentials rows are written, or says it twice",
                    "Set exactly one of cdf, on_behalf_of and own_token",
                );
                None
            }
        }
    }

    /// The section `[cdf.<name>]`; `None` also where it has problems of its own.
    fn named<'a>(
        &self,
        section: &str,
        key: &str,
        name: &str,
        sections: &'a BTreeMap<&str, Option<Principal>>,
        findings: &mut Findings,
    ) -> Option<&'a Principal> {
        let Some(principal) = sections.get(name) else {
            findings.note(
                format!("{section}.{key}"),
                format!("there is no section [cdf.{name}]"),
                "Add the section, or name another",
            );
            return None;
        };
        principal.as_ref()
    }

    fn own_token(&self, section: &str, tree: &Tree, findings: &mut Findings) -> Option<CdfTarget> {
        let may_come = tree
            .issuers
            .iter()
            .filter(|issuer| self.issuer.as_ref().is_none_or(|name| *name == issuer.name))
            .any(|issuer| !issuer.cdf_audiences.list().is_empty());
        if !may_come {
            findings.note(
                format!("{section}.own_token"),
                "no issuer accepts tokens that are made for CDF, and CDF takes no others",
                "Set cdf_audiences of the issuer, or map to stored credentials by cdf",
            );
        }
        let base_url =
            cdf::check_base_url(&format!("{section}.base_url"), &self.base_url, findings);
        let project = cdf::check_project(section, &self.project, findings);
        Some(CdfTarget::OwnToken {
            project: Project {
                base_url: base_url?,
                name: project?,
            },
        })
    }
}

fn on_behalf_of(principal: &Principal) -> Option<CdfTarget> {
    let identity = principal.identity("");
    match &identity.credentials {
        Credentials::ClientCredentials {
            token_url,
            client_id,
            client_secret,
            scope,
            ..
        } => Some(CdfTarget::OnBehalfOf {
            project: identity.project.clone(),
            token_url: token_url.clone(),
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            scope: scope.clone(),
            create_missing_time_series: identity.create_missing_time_series,
        }),
        _ => None,
    }
}
