//! Time zones as values name them.
//!
//! Owns the abbreviations that are read without a place (PostgreSQL's default set, as far as
//! they are in use) and the search among IANA names and POSIX rules. Never guesses: a name
//! that is none of these is not found.

use jiff::tz::TimeZone;

/// A zone that a value named.
#[derive(Debug)]
pub enum NamedZone {
    /// Seconds east of UTC.
    Fixed(i64),
    Rules(TimeZone),
}

/// Abbreviations with their offset from UTC in quarters of an hour, ordered by name.
const ABBREVIATIONS: [(&str, i64); 68] = [
    ("acdt", 42),
    ("acst", 38),
    ("adt", -12),
    ("aedt", 44),
    ("aest", 40),
    ("akdt", -32),
    ("akst", -36),
    ("ast", -16),
    ("awst", 32),
    ("bdst", 8),
    ("bst", 4),
    ("cadt", 42),
    ("cast", 38),
    ("cct", 32),
    ("cdt", -20),
    ("cest", 8),
    ("cet", 4),
    ("cetdst", 8),
    ("chadt", 55),
    ("chast", 51),
    ("cst", -24),
    ("east", -20),
    ("eat", 12),
    ("edt", -16),
    ("eest", 12),
    ("eet", 8),
    ("eetdst", 12),
    ("est", -20),
    ("fet", 12),
    ("fjt", 48),
    ("gmt", 0),
    ("hkt", 32),
    ("hst", -40),
    ("ict", 28),
    ("idt", 12),
    ("ist", 8),
    ("jst", 36),
    ("kst", 36),
    ("mdt", -24),
    ("mest", 8),
    ("met", 4),
    ("metdst", 8),
    ("mez", 4),
    ("mht", 48),
    ("msd", 16),
    ("msk", 12),
    ("mst", -28),
    ("mut", 16),
    ("ndt", -10),
    ("nft", -14),
    ("npt", 23),
    ("nst", -14),
    ("nzdt", 52),
    ("nzst", 48),
    ("pdt", -28),
    ("pgt", 40),
    ("pht", 32),
    ("pkt", 20),
    ("pst", -32),
    ("sadt", 42),
    ("sast", 8),
    ("sgt", 32),
    ("ut", 0),
    ("utc", 0),
    ("wadt", 32),
    ("wast", 28),
    ("wet", 0),
    ("z", 0),
];

/// The zone of a lower-case name.
pub fn find_zone(name: &str) -> Option<NamedZone> {
    if name == "zulu" {
        return Some(NamedZone::Fixed(0));
    }
    if let Ok(index) = ABBREVIATIONS.binary_search_by(|(known, _)| (*known).cmp(name)) {
        return Some(NamedZone::Fixed(ABBREVIATIONS[index].1 * 900));
    }
    if let Ok(zone) = TimeZone::get(name) {
        return Some(NamedZone::Rules(zone));
    }
    // A POSIX rule has an offset, so a digit; a lone word is no zone.
    if name.bytes().any(|byte| byte.is_ascii_digit()) {
        let rule = TimeZone::posix(&name.to_ascii_uppercase()).ok()?;
        return Some(NamedZone::Rules(rule));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_are_ordered_for_the_search() {
        assert!(ABBREVIATIONS.is_sorted_by(|left, right| left.0 < right.0));
    }

    #[test]
    fn names_abbreviations_and_rules_are_found() {
        assert!(matches!(find_zone("est"), Some(NamedZone::Fixed(-18_000))));
        assert!(matches!(
            find_zone("europe/oslo"),
            Some(NamedZone::Rules(_))
        ));
        assert!(matches!(find_zone("pst8pdt"), Some(NamedZone::Rules(_))));
        assert!(matches!(find_zone("gmt+2"), Some(NamedZone::Rules(_))));
        assert!(find_zone("nowhere/land").is_none());
        assert!(find_zone("x").is_none());
    }
}
