//! `[cdf.<name>]`: a principal in a CDF project.
//!
//! Owns address and credentials as operators write them, and their checks. Promises a base URL
//! that paths can be appended to. Never fetches a token.

use super::problem::Findings;
use super::secret_source::{SecretSource, Surroundings};
use crate::cdf::{Credentials, Identity, Project, RequiredAccess, Secret};
use reqwest::Url;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

/// One `[cdf.<name>]` section as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CdfSettings {
    pub base_url: String,
    pub project: String,
    pub token_url: String,
    pub client_id: String,
    pub client_secret: Option<Secret>,
    pub client_secret_env: Option<String>,
    pub client_secret_file: Option<PathBuf>,
    pub scope: String,
    pub audience: String,
    pub token: Option<Secret>,
    pub token_env: Option<String>,
    pub token_file: Option<PathBuf>,
    pub create_missing_time_series: bool,
}

/// A checked section, ready to make identities.
#[derive(Debug)]
pub(super) enum Principal {
    /// A client id is one principal for CDF, whoever uses it.
    Client(Arc<Identity>),
    /// What a fixed token is for CDF is not known, so each user counts by itself.
    Token {
        project: Project,
        token: Secret,
        create_missing_time_series: bool,
    },
}

impl CdfSettings {
    /// Checks the section `name` and reads its secrets.
    pub fn resolve(
        &self,
        name: &str,
        surroundings: &Surroundings<'_>,
        findings: &mut Findings,
    ) -> Option<Principal> {
        let section = format!("cdf.{name}");
        let sound_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if !sound_name {
            findings.note(
                "cdf",
                format!("the section name \"{name}\" holds other characters than letters, digits, _ and -"),
                "Rename the section",
            );
        }
        let base_url = check_base_url(&format!("{section}.base_url"), &self.base_url, findings);
        let project = check_project(&section, &self.project, findings);
        let credentials = self.credentials(&section, surroundings, findings);
        let project = Project {
            base_url: base_url?,
            name: project?,
        };
        let create_missing_time_series = self.create_missing_time_series;
        Some(match credentials? {
            Credentials::FixedToken(token) => Principal::Token {
                project,
                token,
                create_missing_time_series,
            },
            // A section holds one of these two.
            credentials => Principal::Client(Arc::new(Identity {
                project,
                name: self.client_id.clone(),
                credentials,
                create_missing_time_series,
                required_access: RequiredAccess::default(),
            })),
        })
    }

    fn credentials(
        &self,
        section: &str,
        surroundings: &Surroundings<'_>,
        findings: &mut Findings,
    ) -> Option<Credentials> {
        let token = SecretSource {
            section,
            name: "token",
            value: self.token.as_ref(),
            variable: self.token_env.as_deref(),
            file: self.token_file.as_deref(),
        };
        let client_secret = SecretSource {
            section,
            name: "client_secret",
            value: self.client_secret.as_ref(),
            variable: self.client_secret_env.as_deref(),
            file: self.client_secret_file.as_deref(),
        };
        let by_client = [
            &self.token_url,
            &self.client_id,
            &self.scope,
            &self.audience,
        ]
        .iter()
        .any(|value| !value.is_empty())
            || client_secret.is_named();
        match (token.is_named(), by_client) {
            (true, true) => {
                findings.note(
                    format!("{section}.token"),
                    "there are both a fixed token and client credentials",
                    "Keep the token, or the keys token_url, client_id, client_secret, scope and audience",
                );
                None
            }
            (false, false) => {
                findings.note(
                    section,
                    "there are no credentials",
                    "Set token_url, client_id and client_secret_env, or token_env",
                );
                None
            }
            (true, false) => token
                .read(surroundings, findings)
                .map(Credentials::FixedToken),
            (false, true) => {
                let token_url = check_token_url(section, &self.token_url, findings);
                if self.client_id.is_empty() {
                    findings.note(
                        format!("{section}.client_id"),
                        "the client id is missing",
                        "Set it to the id of the application at the identity provider",
                    );
                }
                let client_secret = client_secret.read(surroundings, findings);
                Some(Credentials::ClientCredentials {
                    token_url: token_url?,
                    client_id: self.client_id.clone(),
                    client_secret: client_secret?,
                    scope: self.scope.clone(),
                    audience: self.audience.clone(),
                })
            }
        }
    }
}

impl Principal {
    /// As whom the user `user` writes.
    pub fn identity(&self, user: &str) -> Arc<Identity> {
        match self {
            Principal::Client(identity) => identity.clone(),
            Principal::Token {
                project,
                token,
                create_missing_time_series,
            } => Arc::new(Identity {
                project: project.clone(),
                name: user.to_owned(),
                credentials: Credentials::FixedToken(token.clone()),
                create_missing_time_series: *create_missing_time_series,
                required_access: RequiredAccess::default(),
            }),
        }
    }
}

/// The URL, if it is http or https with a host.
fn web_address(text: &str) -> Option<Url> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The address of a CDF under the key `key`, if paths can be appended to it.
pub(super) fn check_base_url(key: &str, text: &str, findings: &mut Findings) -> Option<String> {
    const EXAMPLE: &str =
        "Write scheme and host only, such as https://westeurope-1.cognitedata.com";
    if text.is_empty() {
        findings.note(key, "the address of CDF is missing", EXAMPLE);
        return None;
    }
    let Some(url) = web_address(text) else {
        findings.note(
            key,
            format!("\"{text}\" is no http or https address"),
            EXAMPLE,
        );
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        findings.note(key, "the address holds credentials", EXAMPLE);
        return None;
    }
    let rest = text.trim_end_matches('/');
    let has_path = url.path() != "/" || url.query().is_some() || url.fragment().is_some();
    if has_path || rest.len() != text.len() {
        findings.note(key, format!("\"{text}\" goes on after the host"), EXAMPLE);
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn check_project(section: &str, name: &str, findings: &mut Findings) -> Option<String> {
    let key = format!("{section}.project");
    if name.is_empty() {
        findings.note(
            key,
            "the project is missing",
            "Write the project's name in CDF",
        );
        return None;
    }
    // The name becomes a part of every path.
    let sound = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !sound {
        findings.note(
            key,
            format!("\"{name}\" holds other characters than letters, digits, -, _ and ."),
            "Write the project's name as it stands in CDF's addresses",
        );
        return None;
    }
    Some(name.to_owned())
}

fn check_token_url(section: &str, text: &str, findings: &mut Findings) -> Option<String> {
    const EXAMPLE: &str = "Write the identity provider's token address, such as https://login.microsoftonline.com/TENANT/oauth2/v2.0/token";
    let key = format!("{section}.token_url");
    if text.is_empty() {
        findings.note(key, "the token address is missing", EXAMPLE);
        return None;
    }
    if web_address(text).is_none() {
        findings.note(
            key,
            format!("\"{text}\" is no http or https address"),
            EXAMPLE,
        );
        return None;
    }
    Some(text.to_owned())
}
