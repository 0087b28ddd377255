//! Where the gateway may send a client's secret.
//!
//! Owns the list of identity providers that `/create` accepts. Promises that a secret goes to these
//! only, over TLS unless the list itself says http, so that nobody can make the gateway call an
//! address of their choice. Never follows a redirect: the HTTP client does not.

use super::fault::ApiFault;
use reqwest::Url;

/// An entry of the list: a host, reached over TLS on its usual port, or a whole origin such as
/// `http://127.0.0.1:8010`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Host(String),
    Origin(String),
}

/// The list.
#[derive(Clone, Debug)]
pub(super) struct TokenHosts(Vec<Place>);

impl TokenHosts {
    /// Of entries of the configuration, which has checked them.
    pub fn new(entries: &[String]) -> Self {
        TokenHosts(
            entries
                .iter()
                .map(|entry| match Url::parse(entry) {
                    Ok(url) if url.has_host() => Place::Origin(url.origin().ascii_serialization()),
                    _ => Place::Host(entry.to_ascii_lowercase()),
                })
                .collect(),
        )
    }

    /// Whether the gateway may post a secret to `token_url`.
    ///
    /// # Errors
    /// 400 with the hosts that are accepted.
    pub fn check(&self, token_url: &str) -> Result<(), ApiFault> {
        let accepted = Url::parse(token_url).is_ok_and(|url| {
            let has_user = !url.username().is_empty() || url.password().is_some();
            !has_user && self.0.iter().any(|place| place.accepts(&url))
        });
        if accepted {
            return Ok(());
        }
        let hosts: Vec<&str> = self.0.iter().map(Place::name).collect();
        Err(ApiFault::bad(format!(
            "auth.token_url is not accepted: the gateway sends secrets only to {}; an operator \
             adds a host with accounts.token_hosts",
            hosts.join(", ")
        )))
    }
}

impl Place {
    fn name(&self) -> &str {
        match self {
            Place::Host(name) | Place::Origin(name) => name,
        }
    }

    fn accepts(&self, url: &Url) -> bool {
        match self {
            Place::Host(host) => {
                url.scheme() == "https"
                    && url.port().is_none()
                    && url.host_str() == Some(host.as_str())
            }
            Place::Origin(origin) => url.origin().ascii_serialization() == *origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_hosts_over_tls_and_the_listed_origins_are_accepted() {
        let hosts = TokenHosts::new(&[
            "login.microsoftonline.com".to_owned(),
            "http://127.0.0.1:8010".to_owned(),
        ]);
        for good in [
            "https://login.microsoftonline.com/t/oauth2/v2.0/token",
            "https://LOGIN.microsoftonline.com/t/oauth2/v2.0/token",
            "http://127.0.0.1:8010/oauth2/token",
        ] {
            assert!(hosts.check(good).is_ok(), "{good}");
        }
        for bad in [
            "http://login.microsoftonline.com/t/oauth2/v2.0/token",
            "https://login.microsoftonline.com:8443/token",
            "https://login.microsoftonline.com.evil.example/token",
            "https://evil.example/login.microsoftonline.com",
            "https://login.microsoftonline.com@evil.example/token",
            "https://user:password@login.microsoftonline.com/token",
            "http://127.0.0.1:8011/oauth2/token",
            "https://127.0.0.1:8010/oauth2/token",
            "http://169.254.169.254/metadata",
            "file:///etc/passwd",
            "login.microsoftonline.com",
            "",
        ] {
            assert!(hosts.check(bad).is_err(), "{bad}");
        }
    }
}
