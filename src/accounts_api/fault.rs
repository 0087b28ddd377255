//! What a caller of the API is told when something is wrong.
//!
//! Owns CDF's shape of an error: `{"error": {"code", "message", "missing"?, "duplicated"?}}`, which
//! Cognite's SDKs read. Promises a message that says what to do differently. Never shows a secret.

use crate::diagnostic::{Diagnostic, SqlState};
use crate::state::StateError;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A refused request.
#[derive(Debug)]
pub(super) struct ApiFault {
    status: StatusCode,
    message: String,
    /// What does not exist, as the request named it.
    missing: Vec<Value>,
    /// What exists already, as the request named it.
    duplicated: Vec<Value>,
}

impl ApiFault {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        ApiFault {
            status,
            message: message.into(),
            missing: Vec::new(),
            duplicated: Vec::new(),
        }
    }

    /// 400: the request cannot be met as it stands.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 408: the request did not come in time.
    pub fn too_slow(message: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, message)
    }

    /// 413: the request is too large.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// 422: the request has not the shape of one.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 401: no token, or none that CDF accepts.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    /// 403: the token is good, and what it may do is not enough.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 404: there is nothing of that name that the caller may know of.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 503: somebody else has to come back first.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// 400 with what is missing.
    pub fn missing(message: impl Into<String>, missing: Vec<Value>) -> Self {
        ApiFault {
            missing,
            ..Self::bad(message)
        }
    }

    /// 409 with what is there already.
    pub fn duplicated(message: impl Into<String>, duplicated: Vec<Value>) -> Self {
        ApiFault {
            duplicated,
            ..Self::new(StatusCode::CONFLICT, message)
        }
    }

    /// What CDF or the identity provider said of credentials: a refusal is `refused`, silence is
    /// nobody's fault.
    pub fn of_cdf(diagnostic: &Diagnostic, refused: impl FnOnce(String) -> Self) -> Self {
        // Which of its many causes a refusal has only the provider's own words tell.
        let said = match &diagnostic.detail {
            Some(detail) => format!("{}. {detail}", diagnostic.message.trim_end_matches('.')),
            None => diagnostic.message.clone(),
        };
        match diagnostic.sqlstate {
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION | SqlState::INSUFFICIENT_PRIVILEGE => {
                refused(said)
            }
            _ => Self::unavailable(said),
        }
    }
}

impl From<StateError> for ApiFault {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Refused(why) => Self::new(StatusCode::CONFLICT, why),
            // Where the store is and what its driver said is the operator's business.
            broken => {
                tracing::error!(error = %broken, "the accounts API cannot use the state store");
                Self::unavailable("the gateway's state store does not work: see the gateway's log")
            }
        }
    }
}

impl IntoResponse for ApiFault {
    fn into_response(self) -> Response {
        let mut error = json!({"code": self.status.as_u16(), "message": self.message});
        for (name, named) in [("missing", self.missing), ("duplicated", self.duplicated)] {
            if !named.is_empty() {
                error[name] = Value::Array(named);
            }
        }
        let mut response = (self.status, Json(json!({"error": error}))).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = header::HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
