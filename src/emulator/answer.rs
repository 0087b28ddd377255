//! What the emulator says: answers, and CDF's shapes for refusals.
//!
//! Owns the body and status code of every refusal. A handler names the reason, this file
//! knows how CDF words it. It never decides whether something is refused.

use serde::Serialize;
use serde_json::{Value, json};

/// A successful answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content: Content,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Content {
    Json(Vec<u8>),
    Protobuf(Vec<u8>),
}

impl Answer {
    /// 200 with `{}`.
    pub fn empty() -> Self {
        Self::raw(200, b"{}".to_vec())
    }

    /// `status` with JSON that is already text.
    pub fn raw(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            content: Content::Json(body),
        }
    }

    /// `status` with a value as JSON.
    pub fn json<T: Serialize + ?Sized>(status: u16, value: &T) -> Self {
        let body = serde_json::to_vec(value)
            // The types serialised here have string keys and no failing serialisers.
            .expect("answers are plain structures that always serialise");
        Self::raw(status, body)
    }

    /// `{"items": […], "nextCursor": …}`; the cursor is left out on the last page.
    pub fn page<T: Serialize>(status: u16, items: &[T], next_cursor: Option<String>) -> Self {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Page<'a, T> {
            items: &'a [T],
            #[serde(skip_serializing_if = "Option::is_none")]
            next_cursor: Option<String>,
        }
        Self::json(status, &Page { items, next_cursor })
    }

    /// `{"items": […]}`.
    pub fn items<T: Serialize>(status: u16, items: &[T]) -> Self {
        Self::page(status, items, None)
    }
}

/// Why a request is refused, split by what a client has to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// 400: the request itself is wrong.
    Invalid(String),
    /// 400 without the `error` envelope: required fields are absent.
    MissingFields {
        message: String,
        fields: Vec<String>,
    },
    /// 400 with `missing`: create these first, or leave them out.
    UnknownReferences {
        message: String,
        missing: Vec<Value>,
    },
    /// 401: sign in again.
    Unauthorized(String),
    /// 403: ask for the capability.
    Forbidden(String),
    /// 404: the path names something that is not there.
    NotFound {
        message: String,
        missing: Vec<Value>,
    },
    /// 405: the path knows other methods.
    MethodNotAllowed(String),
    /// 409 with `duplicated`: update these instead of creating them.
    AlreadyExists {
        message: String,
        duplicated: Vec<Value>,
    },
    /// 409 without lists: read again what is there, then decide.
    Conflict(String),
    /// 413: send less at once.
    TooLarge(String),
    /// 415: send it in another encoding or type.
    UnsupportedMedia(String),
    /// 422 with `duplicated`: keep one of each.
    Doubled {
        message: String,
        duplicated: Vec<Value>,
    },
    /// 429: slow down.
    Throttled(String),
    /// 500: something is broken here, not with the request.
    Failed(String),
}

impl Refusal {
    /// A 400 without lists.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// The 403 for what is not there, or is not to be seen: CDF tells no difference.
    pub fn hidden() -> Self {
        let text = "Resource not found. This may also be due to insufficient access rights.";
        Self::Forbidden(text.to_owned())
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) | Self::MissingFields { .. } | Self::UnknownReferences { .. } => 400,
            Self::Unauthorized(_) => 401,
            Self::Forbidden(_) => 403,
            Self::NotFound { .. } => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::AlreadyExists { .. } | Self::Conflict(_) => 409,
            Self::TooLarge(_) => 413,
            Self::UnsupportedMedia(_) => 415,
            Self::Doubled { .. } => 422,
            Self::Throttled(_) => 429,
            Self::Failed(_) => 500,
        }
    }

    /// The JSON body, as CDF shapes it.
    pub fn body(&self) -> Value {
        let code = self.status();
        match self {
            Self::MissingFields { message, fields } => {
                json!({"code": code, "message": message, "missingFields": fields})
            }
            Self::UnknownReferences { message, missing } => {
                json!({"error": {"code": code, "message": message, "missing": missing}})
            }
            Self::NotFound { message, missing } if !missing.is_empty() => {
                json!({"error": {"code": code, "message": message, "missing": missing}})
            }
            Self::AlreadyExists {
                message,
                duplicated,
            }
            | Self::Doubled {
                message,
                duplicated,
            } => {
                json!({"error": {"code": code, "message": message, "duplicated": duplicated}})
            }
            Self::Invalid(message)
            | Self::Unauthorized(message)
            | Self::Forbidden(message)
            | Self::NotFound { message, .. }
            | Self::MethodNotAllowed(message)
            | Self::Conflict(message)
            | Self::TooLarge(message)
            | Self::UnsupportedMedia(message)
            | Self::Throttled(message)
            | Self::Failed(message) => json!({"error": {"code": code, "message": message}}),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Answer::json(refusal.status(), &refusal.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_fields_have_no_error_envelope() {
        let refusal = Refusal::MissingFields {
            message: "Some required fields are missing".into(),
            fields: vec!["key".into()],
        };
        assert_eq!(refusal.body()["missingFields"][0], "key");
        assert!(refusal.body().get("error").is_none());
    }

    #[test]
    fn a_taken_identifier_is_a_409_that_lists_it() {
        let refusal = Refusal::AlreadyExists {
            message: "taken".into(),
            duplicated: vec![json!({"externalId": "a"})],
        };
        assert_eq!(refusal.status(), 409);
        assert_eq!(refusal.body()["error"]["duplicated"][0]["externalId"], "a");
    }
}
