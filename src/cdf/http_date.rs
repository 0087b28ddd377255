//! Dates of HTTP headers, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
//!
//! Owns the reading of the one form that RFC 9110 lets senders write. Promises `None` for
//! anything else. Never writes one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The moment that `text` names, to the second.
pub fn read(text: &str) -> Option<SystemTime> {
    let timestamp = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    let seconds = u64::try_from(timestamp.as_second()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
