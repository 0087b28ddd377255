//! What a caller of the API is told when something is wrong.
//!
//! Owns the shape of an error: `{"error": {"code", "sqlstate", "message"}}`. Promises a message
//! that says what to do differently. Never shows a secret.

use crate::dead_letters::StoreError;
use crate::diagnostic::Diagnostic;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refused request.
#[derive(Debug)]
pub(super) struct ApiRefusal {
    status: StatusCode,
    sqlstate: Option<&'static str>,
    message: String,
}

impl ApiRefusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        ApiRefusal {
            status,
            sqlstate: None,
            message: message.into(),
        }
    }

    /// 400: the request itself is wrong.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401: no token, or a wrong one.
    pub fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    /// 403: nobody may.
    pub fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 404: what is named is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 422: the values do not make a row.
    pub fn of_row(id: i64, diagnostic: &Diagnostic) -> Self {
        let column = match &diagnostic.column {
            Some(column) => format!(", column \"{column}\""),
            None => String::new(),
        };
        ApiRefusal {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            sqlstate: Some(diagnostic.sqlstate.code()),
            message: format!("letter {id}{column}: {}", diagnostic.message),
        }
    }
}

impl From<StoreError> for ApiRefusal {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Refused(_) => StatusCode::CONFLICT,
            StoreError::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
            StoreError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            StoreError::Closed => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for ApiRefusal {
    fn into_response(self) -> Response {
        let body = json!({"error": {
            "code": self.status.as_u16(),
            "sqlstate": self.sqlstate,
            "message": self.message,
        }});
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = header::HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
