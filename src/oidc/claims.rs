//! What a checked token says of its owner.
//!
//! Owns the names that an owner may sign in under. Promises that an application that merely fetched
//! the token for a person is not taken for its owner, and that a claim of the wrong kind is no
//! name. Never sees a token whose signature was not checked.

use super::issuer::Issuer;
use serde_json::{Map, Value};

/// Claims that name the application. In a person's token they name the tool that fetched it.
const APPLICATION_CLAIMS: [&str; 4] = ["appid", "azp", "client_id", "cid"];

/// Claims that only a person's token has.
const PERSON_CLAIMS: [&str; 5] = ["scp", "upn", "preferred_username", "email", "unique_name"];

/// The claims of one token.
#[derive(Debug)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn new(claims: Map<String, Value>) -> Self {
        Claims(claims)
    }

    /// A claim that is text, and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// When the token expires, in seconds since 1970.
    pub(super) fn expires_s(&self) -> Option<u64> {
        let expires = self.0.get("exp")?;
        expires
            .as_u64()
            .or_else(|| expires.as_f64().map(|seconds| seconds as u64))
    }

    /// Whether the token's audience is one of these.
    pub(super) fn is_for(&self, audiences: &[String]) -> bool {
        let is_one = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| audiences.iter().any(|audience| audience == text))
        };
        match self.0.get("aud") {
            Some(Value::Array(values)) => values.iter().any(is_one),
            Some(value) => is_one(value),
            None => false,
        }
    }

    /// The application whose own token this is; `None`: a person's.
    pub(super) fn application(&self) -> Option<&str> {
        let application = APPLICATION_CLAIMS.iter().find_map(|name| self.text(name))?;
        let is_its_own = match self.text("idtyp") {
            Some(kind) => kind == "app",
            None => {
                !PERSON_CLAIMS.iter().any(|name| self.0.contains_key(*name))
                    && self.is_about(application)
            }
        };
        is_its_own.then_some(application)
    }

    /// Whether the token's subject is the application itself (RFC 9068): a person's token may hold
    /// next to nothing of the person but that.
    fn is_about(&self, application: &str) -> bool {
        self.text("sub").is_some_and(|subject| {
            subject == application
                // Auth0 marks its applications so.
                || subject.strip_suffix("@clients") == Some(application)
                // With Entra ID a person's subject is another one in each application.
                || self.text("oid") == Some(subject)
        })
    }

    /// Whether the owner is in the group with this id.
    pub(super) fn has_group(&self, issuer: &Issuer, group: &str) -> bool {
        match self.0.get(&issuer.group_claim) {
            Some(Value::Array(groups)) => groups.iter().any(|found| found == group),
            Some(Value::String(found)) => found == group,
            _ => false,
        }
    }

    /// Whether the provider left the groups out because there are too many for a token.
    pub(super) fn leaves_groups_out(&self, issuer: &Issuer) -> bool {
        self.0
            .get("_claim_names")
            .is_some_and(|names| names.get(&issuer.group_claim).is_some())
    }

    /// Whether the owner may sign in under `user`: as one of its names, or as one of its groups.
    pub(super) fn bind(&self, issuer: &Issuer, user: &str) -> bool {
        let is_named = issuer.name_claims.iter().any(|name| {
            if APPLICATION_CLAIMS.contains(&name.as_str()) && self.application().is_none() {
                return false;
            }
            self.text(name) == Some(user)
        });
        is_named
            || issuer
                .group_names
                .get(user)
                .is_some_and(|group| self.has_group(issuer, group))
    }

    /// Who the owner is for budgets in CDF: the most lasting of the ids.
    pub(super) fn principal(&self) -> Option<&str> {
        self.application()
            .or_else(|| self.text("oid"))
            .or_else(|| self.text("sub"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        match value {
            Value::Object(claims) => Claims::new(claims),
            _ => panic!("claims are an object"),
        }
    }

    #[test]
    fn a_person_signs_in_by_its_names_and_not_by_the_tool_that_fetched_the_token() {
        let issuer = Issuer::for_tests();
        let ada = claims(json!({
            "upn": "ada@example.com", "oid": "ada-id", "appid": "azure-cli", "scp": "user_impersonation"
        }));
        for name in ["ada@example.com", "ada-id"] {
            assert!(ada.bind(&issuer, name), "{name}");
        }
        for name in [
            "azure-cli",
            "Ada@example.com",
            "bob@example.com",
            "",
            "user_impersonation",
        ] {
            assert!(!ada.bind(&issuer, name), "{name}");
        }
        assert_eq!(ada.application(), None);
    }

    #[test]
    fn an_application_signs_in_by_its_id() {
        let issuer = Issuer::for_tests();
        for app in [
            json!({"appid": "etl", "oid": "x", "idtyp": "app"}),
            json!({"azp": "etl", "sub": "x", "oid": "x"}),
            json!({"appid": "etl", "sub": "etl"}),
            json!({"azp": "etl", "sub": "etl@clients", "gty": "client-credentials"}),
        ] {
            let app = claims(app);
            assert!(app.bind(&issuer, "etl"));
            assert_eq!(app.principal(), Some("etl"));
        }
        for person in [
            json!({"azp": "etl", "sub": "etl", "idtyp": "user"}),
            // Of providers that tell little of a person.
            json!({"azp": "etl", "sub": "auth0|ada", "scope": "openid"}),
            json!({"azp": "etl", "sub": "pairwise", "oid": "ada-id"}),
            json!({"azp": "etl"}),
        ] {
            let person = claims(person);
            assert!(!person.bind(&issuer, "etl"));
            assert_eq!(person.application(), None);
        }
    }

    #[test]
    fn a_group_signs_in_its_members_under_the_name_that_the_configuration_gives_it() {
        let mut issuer = Issuer::for_tests();
        issuer
            .group_names
            .insert("loaders".to_owned(), "g-1".to_owned());
        let member = claims(json!({"oid": "a", "groups": ["g-0", "g-1"]}));
        let stranger = claims(json!({"oid": "loaders2", "groups": ["loaders", 1, null]}));
        assert!(member.bind(&issuer, "loaders"));
        assert!(
            !member.bind(&issuer, "g-1"),
            "only names of the configuration"
        );
        assert!(!stranger.bind(&issuer, "loaders"));
    }

    #[test]
    fn a_claim_that_is_no_text_is_no_name() {
        let issuer = Issuer::for_tests();
        for value in [
            json!(["ada"]),
            json!({"ada": 1}),
            json!(1),
            json!(null),
            json!(""),
        ] {
            let odd = claims(json!({"upn": value}));
            for name in ["ada", "1", ""] {
                assert!(!odd.bind(&issuer, name), "{value} {name}");
            }
        }
    }
}
