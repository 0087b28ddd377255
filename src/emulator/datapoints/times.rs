//! Time expressions of read requests.
//!
//! Owns `1700000000000`, `"now"`, `"2d-ago"` and numbers as text.

use crate::emulator::answer::Refusal;
use serde::Deserialize;

/// A point in time as a request gives it.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum TimeExpression {
    Ms(i64),
    Text(String),
}

impl TimeExpression {
    /// Milliseconds since 1970.
    pub fn resolve(&self, now_ms: i64) -> Result<i64, Refusal> {
        let text = match self {
            Self::Ms(ms) => return Ok(*ms),
            Self::Text(text) => text.as_str(),
        };
        if text == "now" {
            return Ok(now_ms);
        }
        if let Ok(ms) = text.parse() {
            return Ok(ms);
        }
        ago_ms(text)
            .and_then(|ago| now_ms.checked_sub(ago))
            .ok_or_else(|| {
                Refusal::invalid(format!(
                    "Invalid time '{text}': expected milliseconds, 'now' or N[w|d|h|m|s]-ago"
                ))
            })
    }
}

fn ago_ms(text: &str) -> Option<i64> {
    let span = text.strip_suffix("-ago")?;
    let unit_ms = match span.chars().next_back()? {
        'w' => 7 * 86_400_000,
        'd' => 86_400_000,
        'h' => 3_600_000,
        'm' => 60_000,
        's' => 1_000,
        _ => return None,
    };
    let count: u32 = span[..span.len() - 1].parse().ok()?;
    i64::from(count).checked_mul(unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_back_from_now() {
        let at = |text: &str| TimeExpression::Text(text.to_owned()).resolve(1_000_000_000);
        assert_eq!(at("now"), Ok(1_000_000_000));
        assert_eq!(at("2d-ago"), Ok(1_000_000_000 - 172_800_000));
        assert_eq!(at("1w-ago"), Ok(1_000_000_000 - 604_800_000));
        assert_eq!(at("-12"), Ok(-12));
        for wrong in ["", "-ago", "d-ago", "2y-ago", "-2d-ago", "2dago", "ü-ago"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
