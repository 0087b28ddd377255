//! What the identity provider publishes: its keys, and where its endpoints are.
//!
//! Owns the two documents of OpenID Connect discovery, per tenant and for both versions
//! of tokens. Every tenant that is asked for exists.

use super::Identity;
use super::principal::TokenVersion;
use crate::emulator::answer::Answer;
use serde_json::json;

/// The key set.
pub fn keys(identity: &Identity) -> Answer {
    Answer::json(200, &identity.keys.to_json())
}

/// The configuration document of a tenant.
pub fn configuration(identity: &Identity, tenant: &str, version: TokenVersion) -> Answer {
    let tenant_url = format!("{}/{tenant}", identity.base_url);
    let (oauth, keys) = match version {
        TokenVersion::First => ("oauth2", "discovery/keys"),
        TokenVersion::Second => ("oauth2/v2.0", "discovery/v2.0/keys"),
    };
    Answer::json(
        200,
        &json!({
            "issuer": version.issuer(&identity.base_url, tenant),
            "token_endpoint": format!("{tenant_url}/{oauth}/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "jwks_uri": format!("{tenant_url}/{keys}"),
            "id_token_signing_alg_values_supported": ["ES256"],
            "response_types_supported": ["token"],
            "grant_types_supported": [
                "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer",
            ],
            "subject_types_supported": ["public"],
            "claims_supported": [
                "sub", "iss", "aud", "exp", "nbf", "iat", "oid", "tid", "azp", "appid",
                "upn", "preferred_username", "groups", "scp", "ver",
            ],
        }),
    )
}
