//! TimeZone: IANA names, POSIX rules, hours.
//!
//! Owns finding a zone and its canonical spelling. Promises that a canonical value can be
//! looked up again. Never formats a time.

use jiff::tz::TimeZone;

/// The zone as SHOW prints it; `None` if there is none of that name.
pub(super) fn canonical(value: &str) -> Option<String> {
    let value = value.trim();
    if let Ok(hours) = value.parse::<f64>() {
        let seconds = hours * 3600.0;
        return (seconds.abs() <= 604_800.0).then(|| posix(seconds.round() as i64));
    }
    if let Ok(zone) = TimeZone::get(value) {
        return Some(zone.iana_name().unwrap_or(value).to_owned());
    }
    TimeZone::posix(value).ok().map(|_| value.to_owned())
}

/// The zone of a canonical value.
pub(super) fn zone(canonical: &str) -> TimeZone {
    TimeZone::get(canonical)
        .or_else(|_| TimeZone::posix(canonical))
        // Canonical values were found before; a zone removed from the system since then
        // leaves UTC.
        .unwrap_or(TimeZone::UTC)
}

/// The POSIX form of an offset in seconds east of Greenwich: `<+02>-02`.
pub(crate) fn posix(seconds_east: i64) -> String {
    let sign = |negative: bool| if negative { '-' } else { '+' };
    let magnitude = seconds_east.unsigned_abs();
    let (hours, minutes, seconds) = (magnitude / 3600, magnitude / 60 % 60, magnitude % 60);
    let mut digits = format!("{hours:02}");
    if minutes != 0 || seconds != 0 {
        digits.push_str(&format!(":{minutes:02}"));
    }
    if seconds != 0 {
        digits.push_str(&format!(":{seconds:02}"));
    }
    let east = seconds_east >= 0;
    format!("<{}{digits}>{}{digits}", sign(!east), sign(east))
}

/// Seconds of an interval constant as `SET TIME ZONE` takes it: `+02:00`, `-5`, `5:30:00`,
/// `3 hours`. `None` for any other.
pub(crate) fn interval_seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let mut words = rest.split_whitespace();
    let amount = words.next()?;
    let unit_seconds = match words.next().map(str::to_ascii_lowercase).as_deref() {
        None | Some("hour" | "hours" | "h") => 3600,
        Some("minute" | "minutes" | "min" | "m") => 60,
        Some("second" | "seconds" | "s") => 1,
        Some(_) => return None,
    };
    if words.next().is_some() {
        return None;
    }
    let mut seconds = 0;
    let mut scale = unit_seconds;
    for part in amount.split(':') {
        if scale == 0 || part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        seconds += part.parse::<i64>().ok()?.checked_mul(scale)?;
        scale /= 60;
    }
    Some(if negative { -seconds } else { seconds })
}
