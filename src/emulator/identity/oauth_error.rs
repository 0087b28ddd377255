//! Refusals of the token endpoint, in OAuth's shape and with Entra's codes.
//!
//! Owns the words. `error` and the HTTP status are what clients act on; the description
//! starts with Entra's `AADSTS` code, which people search for. Never shows a secret or a
//! token.

use crate::emulator::answer::Answer;
use serde_json::json;

/// Why the token endpoint refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthError {
    status: u16,
    error: &'static str,
    code: u32,
    description: String,
}

impl OauthError {
    fn new(status: u16, error: &'static str, code: u32, description: impl Into<String>) -> Self {
        Self {
            status,
            error,
            code,
            description: description.into(),
        }
    }

    pub fn malformed() -> Self {
        Self::new(400, "invalid_request", 900_144, "The body is not a form.")
    }

    pub fn missing(parameter: &str) -> Self {
        let text = format!("The request body must contain the following parameter: '{parameter}'.");
        Self::new(400, "invalid_request", 900_144, text)
    }

    pub fn unsupported_grant() -> Self {
        let text = "The grant type is neither client_credentials nor \
                    urn:ietf:params:oauth:grant-type:jwt-bearer.";
        Self::new(400, "unsupported_grant_type", 70_003, text)
    }

    /// The one grant with an assertion is that on behalf of a user.
    pub fn not_on_behalf_of() -> Self {
        let text = "The parameter requested_token_use has to be on_behalf_of.";
        Self::new(400, "invalid_request", 900_144, text)
    }

    pub fn without_credentials() -> Self {
        let text = "The request body must contain client_id and client_secret, or the pair \
                    as a Basic header.";
        Self::new(401, "invalid_client", 7_000_218, text)
    }

    pub fn unknown_application(client_id: &str, tenant: &str) -> Self {
        let text = format!(
            "Application with identifier '{client_id}' was not found in the directory '{tenant}'."
        );
        Self::new(400, "unauthorized_client", 700_016, text)
    }

    pub fn wrong_secret(client_id: &str) -> Self {
        let text = format!("Invalid client secret provided for app '{client_id}'.");
        Self::new(401, "invalid_client", 7_000_215, text)
    }

    pub fn bad_assertion() -> Self {
        let text = "Assertion failed signature validation.";
        Self::new(400, "invalid_grant", 50_013, text)
    }

    pub fn assertion_out_of_time() -> Self {
        let text = "Assertion is not within its valid time range.";
        Self::new(400, "invalid_grant", 500_133, text)
    }

    pub fn assertion_for_another(audience: &str, client_id: &str) -> Self {
        let text = format!(
            "Assertion audience does not match the Client app presenting the assertion. The \
             audience in the assertion was '{audience}' and the expected audience is \
             'api://{client_id}'."
        );
        Self::new(400, "invalid_grant", 500_131, text)
    }

    pub fn assertion_without_user(client_id: &str) -> Self {
        let text = format!(
            "Application '{client_id}' is not allowed to make application on-behalf-of calls."
        );
        Self::new(400, "invalid_grant", 7_000_114, text)
    }

    pub fn unknown_user(tenant: &str) -> Self {
        let text =
            format!("The user account does not exist in the directory '{tenant}', or was deleted.");
        Self::new(400, "invalid_grant", 50_034, text)
    }
}

impl From<OauthError> for Answer {
    fn from(error: OauthError) -> Self {
        let OauthError {
            status,
            error,
            code,
            description,
        } = error;
        let body = json!({
            "error": error,
            "error_description": format!("AADSTS{code}: {description}"),
            "error_codes": [code],
        });
        Answer::json(status, &body)
    }
}
