//! An HTTP answer, read far enough to be judged.
//!
//! Owns the parts of an answer that the failure table looks at, and the reading of CDF's
//! error bodies in all their shapes. Promises text that is safe to show: bounded, without
//! control characters and tokens. Never decides what to do about it.

use super::http_date;
use super::redaction::without_tokens;
use crate::rows::InstanceName;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// Longest text of CDF's that is passed on, in characters.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// An answer with its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// `x-request-id`: what Cognite's support asks for.
    pub request_id: Option<String>,
    /// `cdf-is-auto-retryable: true`: safe to repeat, says CDF, whatever it was.
    pub auto_retryable: bool,
    pub retry_after: Option<Duration>,
    /// Where a redirect leads.
    pub location: Option<String>,
    pub content_type: String,
    pub body: Vec<u8>,
    /// The body went on past the bound on what is read.
    pub truncated: bool,
}

impl Answer {
    /// The head of an answer; the body is still to be read.
    pub fn from_head(status: u16, headers: &HeaderMap, now: SystemTime) -> Self {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(|value| presentable(value, 200))
        };
        Answer {
            status,
            request_id: text("x-request-id"),
            auto_retryable: text("cdf-is-auto-retryable")
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
            retry_after: text(RETRY_AFTER.as_str()).and_then(|value| retry_after(&value, now)),
            location: text(LOCATION.as_str()),
            content_type: text(CONTENT_TYPE.as_str()).unwrap_or_default(),
            body: Vec::new(),
            truncated: false,
        }
    }

    /// What the body says of the error.
    pub fn error(&self) -> ErrorBody {
        ErrorBody::read(self)
    }

    /// `HTTP 400, request id 7b1…`, for DETAIL.
    pub fn in_words(&self) -> String {
        match &self.request_id {
            Some(request_id) => format!("HTTP {}, x-request-id {request_id}", self.status),
            None => format!("HTTP {}, no x-request-id", self.status),
        }
    }
}

/// A name in `missing` or `duplicated`, before anybody knows what kind of thing it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Id(i64),
    ExternalId(Box<str>),
    InstanceId(Box<InstanceName>),
    Name(Box<str>),
}

/// CDF's error, from whichever shape it came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorBody {
    pub message: String,
    pub missing: Vec<Named>,
    pub duplicated: Vec<Named>,
    /// Names of fields that CDF wants and did not get.
    pub missing_fields: Vec<String>,
    /// The body's own `isAutoRetryable`.
    pub auto_retryable: bool,
    /// The body was JSON with an error in it; otherwise something between us and CDF spoke.
    pub from_cdf: bool,
}

impl ErrorBody {
    fn read(answer: &Answer) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            return ErrorBody {
                message: message_of_other_body(answer),
                ..ErrorBody::default()
            };
        };
        // {"error": {…}}, {"error": "text"}, {"code": 400, "message": …} or a bare "text".
        let error = body.get("error").unwrap_or(&body);
        if let Value::String(text) = error {
            return ErrorBody {
                message: presentable(text, MESSAGE_CHARS_MAX),
                from_cdf: true,
                ..ErrorBody::default()
            };
        }
        let message = error
            .get("message")
            .or_else(|| body.get("message"))
            .and_then(Value::as_str)
            .map(|text| presentable(text, MESSAGE_CHARS_MAX));
        ErrorBody {
            from_cdf: message.is_some(),
            message: message.unwrap_or_else(|| message_of_other_body(answer)),
            missing: names(error.get("missing")),
            duplicated: names(error.get("duplicated")),
            missing_fields: error
                .get("missingFields")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|field| presentable(field, 200))
                .collect(),
            auto_retryable: error
                .get("isAutoRetryable")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        }
    }

    /// Whether the message opens with `opening`, in whatever case.
    pub fn opens_with(&self, opening: &str) -> bool {
        self.message
            .get(..opening.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(opening))
    }
}

fn names(list: Option<&Value>) -> Vec<Named> {
    let Some(Value::Array(list)) = list else {
        return Vec::new();
    };
    list.iter()
        .filter_map(|item| {
            if let Some(id) = item.get("id").and_then(Value::as_i64) {
                Some(Named::Id(id))
            } else if let Some(instance) = item.get("instanceId") {
                let part = |name: &str| instance.get(name).and_then(Value::as_str);
                Some(Named::InstanceId(Box::new(InstanceName {
                    space: part("space")?.into(),
                    external_id: part("externalId")?.into(),
                })))
            } else if let Some(external_id) = item.get("externalId").and_then(Value::as_str) {
                Some(Named::ExternalId(external_id.into()))
            } else if let Some(name) = item.get("name").and_then(Value::as_str) {
                Some(Named::Name(name.into()))
            } else {
                // Bare values are seen in lists of data set and asset ids.
                item.as_i64()
                    .map(Named::Id)
                    .or_else(|| item.as_str().map(|text| Named::ExternalId(text.into())))
            }
        })
        .collect()
}

/// What can be said of a body that is no error of CDF's: a proxy's page, or nothing.
fn message_of_other_body(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return "no message".to_owned();
    }
    let looks_like_html = answer.content_type.contains("html") || trimmed.starts_with('<');
    if !looks_like_html {
        return presentable(trimmed, 200);
    }
    let lower = trimmed.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|start| {
        let start = start + "<title>".len();
        let end = start + lower[start..].find("</title>")?;
        trimmed.get(start..end)
    });
    match title {
        Some(title) => format!("an HTML page titled \"{}\"", presentable(title.trim(), 200)),
        None => "an HTML page".to_owned(),
    }
}

/// Text that may reach a log or a terminal: at most `chars_max` characters, none of them
/// control characters, and no token among them.
pub fn presentable(text: &str, chars_max: usize) -> String {
    let text = without_tokens(text);
    let mut shown: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .take(chars_max)
        .collect();
    if text.chars().nth(chars_max).is_some() {
        shown.push('…');
    }
    shown
}

/// `Retry-After` in seconds, with or without a fraction, or as an HTTP date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        // A day is more than any caller waits; it keeps the conversion in range.
        return (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(86_400.0)));
    }
    let until = http_date::read(value)?;
    Some(until.duration_since(now).unwrap_or(Duration::ZERO))
}
