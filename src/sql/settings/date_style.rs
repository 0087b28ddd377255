//! DateStyle: how dates are shown, and which of day and month comes first.
//!
//! Owns its words. Promises `Style, Order` as PostgreSQL shows it. Never reads a date.

use crate::diagnostic::Diagnostic;
use crate::rows::value::DateOrder;

/// `Style, Order`; `None` for words that are none or conflict. What is not named stays as a
/// new session has it, except that German dates start with the day.
pub(super) fn canonical(value: &str) -> Option<String> {
    let mut style = None;
    let mut order = None;
    for word in value.split(',') {
        let word = word.trim().to_ascii_lowercase();
        let (place, found) = match word.as_str() {
            "iso" => (&mut style, "ISO"),
            "sql" => (&mut style, "SQL"),
            "german" => (&mut style, "German"),
            _ if word.starts_with("postgres") => (&mut style, "Postgres"),
            "ymd" => (&mut order, "YMD"),
            "dmy" => (&mut order, "DMY"),
            "mdy" | "us" => (&mut order, "MDY"),
            _ if word.starts_with("euro") => (&mut order, "DMY"),
            _ if word.starts_with("noneuro") => (&mut order, "MDY"),
            "default" => continue,
            _ => return None,
        };
        if place.replace(found).is_some_and(|earlier| earlier != found) {
            return None;
        }
    }
    let style = style.unwrap_or("ISO");
    let order = order.unwrap_or(if style == "German" { "DMY" } else { "MDY" });
    Some(format!("{style}, {order}"))
}

/// Keeps the half of the present value that a new one does not name.
pub(super) fn merge(present: &str, values: &[String]) -> Vec<String> {
    let joined = values.join(", ");
    let names_order = joined.split(',').any(|word| {
        let word = word.trim().to_ascii_lowercase();
        ["ymd", "dmy", "mdy", "us", "euro", "noneuro"]
            .iter()
            .any(|order| word.starts_with(order))
    });
    let names_style = joined.split(',').any(|word| {
        let word = word.trim().to_ascii_lowercase();
        ["iso", "sql", "german", "postgres"]
            .iter()
            .any(|style| word.starts_with(style))
    });
    let (style, order) = present.split_once(", ").unwrap_or((present, "MDY"));
    let mut parts = vec![joined.clone()];
    let german = joined.to_ascii_lowercase().contains("german");
    if !names_order && !german {
        parts.push(order.to_owned());
    }
    if !names_style {
        parts.push(style.to_owned());
    }
    parts
}

/// The order in a canonical value.
pub(super) fn order(canonical: &str) -> DateOrder {
    match canonical.rsplit(", ").next() {
        Some("DMY") => DateOrder::DayMonthYear,
        Some("YMD") => DateOrder::YearMonthDay,
        _ => DateOrder::MonthDayYear,
    }
}

/// DETAIL of a refused value, as PostgreSQL gives it.
pub(super) fn explain(mut diagnostic: Box<Diagnostic>, values: &[String]) -> Box<Diagnostic> {
    let unknown = values
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .find(|word| canonical(word).is_none());
    diagnostic.detail = Some(match unknown {
        Some(word) => format!("Unrecognized key word: \"{word}\"."),
        None => "Conflicting \"datestyle\" specifications.".to_owned(),
    });
    diagnostic
}
