//! Faults to inject, as tests order them.
//!
//! Owns the rules and their countdown. A rule names the requests it is for and one effect;
//! the first rule that matches a request is the one that it meets. Never applies an effect
//! itself: `service` does.

use super::answer::Refusal;
use super::throttle::Asker;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Answer `status` and do nothing, or with `after_commit` do it and then answer so.
    Status,
    /// Reset the connection and do nothing.
    ResetBeforeCommit,
    /// Do it, then reset the connection.
    ResetAfterCommit,
    /// Wait `delay_ms`, then go on as usual. It is done even if the client has left.
    Delay,
    /// Do it at once, answer after `delay_ms`.
    LateAnswer,
    /// Let the presented token expire, answer 401.
    ExpireToken,
    /// Write the first `rows` RAW rows, then answer `status`.
    PartialWrite,
}

impl FaultKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::ResetBeforeCommit => "reset_before_commit",
            Self::ResetAfterCommit => "reset_after_commit",
            Self::Delay => "delay",
            Self::LateAnswer => "late_answer",
            Self::ExpireToken => "expire_token",
            Self::PartialWrite => "partial_write",
        }
    }
}

/// One rule, as `POST /_emulator/faults` takes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    pub kind: FaultKind,
    /// Start of the names of the operations it is for; empty for all.
    #[serde(default)]
    pub operation: String,
    /// A part of the path, as it is on the wire; empty for all.
    #[serde(default)]
    pub path_contains: String,
    /// Only requests of this client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Matching requests to let pass first.
    #[serde(default)]
    pub skip: u64,
    /// How often it strikes; absent is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Status to answer; for `status` and `partial_write`.
    #[serde(default = "FaultRule::unavailable")]
    pub status: u16,
    /// Message in CDF's error shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A whole body instead of CDF's error shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// More headers, as `Retry-After` or `cdf-is-auto-retryable`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// For `status`: do what was asked first.
    #[serde(default)]
    pub after_commit: bool,
    /// Wait this long before the effect (`late_answer`: before the answer).
    #[serde(default)]
    pub delay_ms: u64,
    /// For `partial_write`: rows to write.
    #[serde(default)]
    pub rows: usize,
    /// How often it has struck; given in answers only.
    #[serde(default)]
    pub hits: u64,
}

impl FaultRule {
    fn unavailable() -> u16 {
        503
    }

    fn check(&self) -> Result<(), Refusal> {
        if !(400..=599).contains(&self.status) {
            return Err(Refusal::invalid("status has to be from 400 to 599"));
        }
        let plain = |text: &String| text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        if !self.headers.iter().all(|(name, value)| {
            axum::http::HeaderName::from_bytes(name.as_bytes()).is_ok() && plain(value)
        }) {
            return Err(Refusal::invalid("headers have to be plain ASCII"));
        }
        Ok(())
    }

    fn matches(&self, asker: &Asker, path: &str) -> bool {
        asker.operation.name().starts_with(&self.operation)
            && path.contains(&self.path_contains)
            && self
                .identity
                .as_ref()
                .is_none_or(|identity| *identity == asker.identity)
    }

    /// The wait before the request is handled.
    pub fn wait_before(&self) -> Duration {
        match self.kind {
            FaultKind::LateAnswer => Duration::ZERO,
            _ => Duration::from_millis(self.delay_ms),
        }
    }

    /// The wait between handling and answer.
    pub fn wait_after(&self) -> Duration {
        match self.kind {
            FaultKind::LateAnswer => Duration::from_millis(self.delay_ms),
            _ => Duration::ZERO,
        }
    }

    /// The body that it answers with.
    pub fn answer_body(&self) -> Value {
        self.body.clone().unwrap_or_else(|| {
            let message = self.message.clone().unwrap_or_else(|| {
                match self.status {
                    429 => "Too many requests. Please try again later.",
                    500 => "Internal server error",
                    502 => "Bad gateway",
                    503 => "Service unavailable",
                    504 => "Gateway timeout",
                    _ => "Injected fault",
                }
                .to_owned()
            });
            serde_json::json!({"error": {"code": self.status, "message": message}})
        })
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<FaultRule>>,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Vec<FaultRule>> {
        // Rules are changed number by number: a panic leaves none half written.
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds rules behind those in force.
    pub fn add(&self, rules: Vec<FaultRule>) -> Result<(), Refusal> {
        rules.iter().try_for_each(FaultRule::check)?;
        self.lock().extend(rules);
        Ok(())
    }

    pub fn clear(&self) {
        self.lock().clear();
    }

    pub fn list(&self) -> Vec<FaultRule> {
        self.lock().clone()
    }

    /// The fault that this request meets, if any; counts it.
    pub fn strike(&self, asker: &Asker, path: &str) -> Option<FaultRule> {
        let mut rules = self.lock();
        for rule in rules.iter_mut() {
            if rule.count == Some(0) || !rule.matches(asker, path) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.hits += 1;
            rule.count = rule.count.map(|left| left - 1);
            return Some(rule.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::route::Operation;
    use super::*;

    fn asker(operation: Operation) -> Asker {
        Asker {
            project: "p".into(),
            identity: "c".into(),
            operation,
        }
    }

    fn rules(text: &str) -> Vec<FaultRule> {
        serde_json::from_str(text).unwrap_or_default()
    }

    #[test]
    fn a_rule_strikes_after_its_skips_and_as_often_as_counted() {
        let faults = Faults::default();
        let rule = r#"[{"kind":"status","operation":"raw.","skip":1,"count":2}]"#;
        assert_eq!(faults.add(rules(rule)), Ok(()));
        let strikes = |operation| faults.strike(&asker(operation), "/").is_some();
        assert!(!strikes(Operation::DatapointsInsert));
        assert!(!strikes(Operation::RawRowsInsert));
        assert!(strikes(Operation::RawRowsInsert));
        assert!(strikes(Operation::RawRowsList));
        assert!(!strikes(Operation::RawRowsInsert));
        assert_eq!(faults.list().first().map(|rule| rule.hits), Some(2));
    }

    #[test]
    fn a_rule_with_a_misspelt_key_is_refused() {
        let read =
            serde_json::from_str::<Vec<FaultRule>>(r#"[{"kind":"status","operations":"raw"}]"#);
        assert!(read.is_err());
    }

    #[test]
    fn a_header_that_would_split_the_answer_is_refused() {
        let rule = "[{\"kind\":\"status\",\"headers\":{\"Retry-After\":\"1\\r\\nx: y\"}}]";
        assert!(Faults::default().add(rules(rule)).is_err());
    }
}
