//! `[accounts]`: the HTTP API that makes users and their tables.
//!
//! Owns where the API listens, which CDF it belongs to and to whom it may send secrets. Promises
//! that secrets go to listed identity providers only. Never holds a secret.

use super::cdf::check_base_url;
use super::problem::Findings;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Microsoft's sign-in hosts: the public cloud, the one of the United States' government, China's.
const TOKEN_HOSTS: [&str; 3] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
];

/// Where CDF's own service exchanges sessions, below its base URL.
const SESSION_EXCHANGE_PATH: &str = "/api/v1/projects/{project}/sessions/token";

/// Revoked access that stays open for longer than an hour is no revocation.
const CHECK_INTERVAL_S_MAX: u64 = 3_600;

/// Stands for the project in an address.
const PROJECT: &str = "{project}";

/// The accounts API.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountsSettings {
    /// Where it listens, over TLS where there is a certificate; `None`: there is no such API.
    pub listen: Option<SocketAddr>,
    /// Scheme and host of the CDF whose projects the users write to.
    pub cdf_base_url: String,
    /// The projects that may have users; empty: every one that a caller's token opens.
    pub projects: Vec<String>,
    /// What new users are told to connect to; empty: the host of the request.
    pub public_host: String,
    /// Identity providers that client secrets may be sent to: hosts, reached over TLS, or whole
    /// origins.
    pub token_hosts: Vec<String>,
    /// Where nonces and sessions are exchanged for tokens; `{project}` stands for the project.
    /// Empty: CDF's own address.
    pub session_exchange_url: String,
    /// How often the access of everybody with open connections is looked at, in seconds.
    pub check_interval_s: u64,
}

impl Default for AccountsSettings {
    fn default() -> Self {
        AccountsSettings {
            listen: None,
            cdf_base_url: String::new(),
            projects: Vec::new(),
            public_host: String::new(),
            token_hosts: TOKEN_HOSTS.map(str::to_owned).to_vec(),
            session_exchange_url: String::new(),
            check_interval_s: 60,
        }
    }
}

impl AccountsSettings {
    /// Where the sessions of `project` in the CDF at `base_url` are exchanged.
    pub fn session_exchange_url(&self, base_url: &str, project: &str) -> String {
        match self.session_exchange_url.as_str() {
            "" => format!("{base_url}{SESSION_EXCHANGE_PATH}"),
            url => url.to_owned(),
        }
        .replace(PROJECT, project)
    }

    pub(super) fn check(&self, has_state: bool, findings: &mut Findings) {
        for (index, host) in self.token_hosts.iter().enumerate() {
            check_token_host(&format!("accounts.token_hosts.{index}"), host, findings);
        }
        let exchange = &self.session_exchange_url;
        if !exchange.is_empty() && !is_web_address(&exchange.replace(PROJECT, "p")) {
            findings.note(
                "accounts.session_exchange_url",
                format!("\"{exchange}\" is no http or https address"),
                "Write the whole address, with {project} where the project belongs",
            );
        }
        if !(1..=CHECK_INTERVAL_S_MAX).contains(&self.check_interval_s) {
            findings.note(
                "accounts.check_interval_s",
                format!("the value is {}", self.check_interval_s),
                format!("Set it to 1 to {CHECK_INTERVAL_S_MAX}"),
            );
        }
        if self.listen.is_none() {
            return;
        }
        check_base_url("accounts.cdf_base_url", &self.cdf_base_url, findings);
        if !has_state {
            findings.note(
                "accounts.listen",
                "there is no state store to keep users in",
                "Set state.path or state.url, or remove accounts.listen",
            );
        }
    }
}

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn check_token_host(key: &str, entry: &str, findings: &mut Findings) {
    let is_host = !entry.is_empty()
        && entry
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let is_origin = Url::parse(entry).is_ok_and(|url| {
        is_web_address(entry) && url.path() == "/" && url.query().is_none() && !entry.ends_with('/')
    });
    if !is_host && !is_origin {
        findings.note(
            key,
            format!("\"{entry}\" is neither a host nor scheme, host and port"),
            "Write a host such as login.microsoftonline.com, or an origin such as http://127.0.0.1:8010",
        );
    }
}
