//! Names in rules: exact, or with `*` for any characters.
//!
//! Owns the patterns of users and databases. Promises that a match takes no more than the product
//! of both lengths, whatever a stranger sends as a name. Never folds case: PostgreSQL's names have
//! one spelling.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A name in which `*` stands for any characters, none included.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct NamePattern(String);

impl NamePattern {
    pub fn new(pattern: impl Into<String>) -> Self {
        NamePattern(pattern.into())
    }

    /// Whether `name` is one of those meant.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut at, mut from) = (0, 0);
        // Where to go on when what follows the last star does not fit: one byte later.
        let mut star: Option<(usize, usize)> = None;
        while from < name.len() {
            if pattern.get(at) == Some(&b'*') {
                star = Some((at + 1, from));
                at += 1;
            } else if pattern.get(at) == Some(&name[from]) {
                at += 1;
                from += 1;
            } else if let Some((after, taken)) = star {
                star = Some((after, taken + 1));
                at = after;
                from = taken + 1;
            } else {
                return false;
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

/// One pattern or a list of them; none: every name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Names(Vec<NamePattern>);

impl Names {
    pub fn new(patterns: impl IntoIterator<Item = NamePattern>) -> Self {
        Names(patterns.into_iter().collect())
    }

    /// Every name.
    pub const fn everything() -> Self {
        Names(Vec::new())
    }

    /// Whether one of the patterns fits, or there are none.
    pub fn include(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.matches(name))
    }
}

impl fmt::Display for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns: Vec<&str> = self.0.iter().map(|pattern| pattern.0.as_str()).collect();
        match patterns.as_slice() {
            [] => formatter.write_str("*"),
            patterns => formatter.write_str(&patterns.join(", ")),
        }
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a name or a list of names")]
        enum OneOrMany {
            One(NamePattern),
            Many(Vec<NamePattern>),
        }
        Ok(match OneOrMany::deserialize(deserializer)? {
            OneOrMany::One(pattern) => Names(vec![pattern]),
            OneOrMany::Many(patterns) => Names(patterns),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        NamePattern::new(pattern).matches(name)
    }

    #[test]
    fn a_name_without_a_star_is_exact() {
        assert!(matches("ada", "ada"));
        for other in ["Ada", "ad", "adam", "", " ada"] {
            assert!(!matches("ada", other), "{other}");
        }
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(matches("*@example.com", "ada@example.com"));
        assert!(!matches("*@example.com", "ada@example.com.evil.org"));
        assert!(matches("etl-*-prod", "etl-a-prod-b-prod"));
        assert!(!matches("etl-*-prod", "etl-prod"));
        assert!(matches("*", "") && matches("**", "x") && matches("a*", "a"));
    }

    #[test]
    fn no_names_at_all_are_every_name() {
        assert!(Names::default().include("anybody"));
        assert!(!Names::new([NamePattern::new("ada")]).include("bob"));
    }

    proptest! {
        #[test]
        fn a_pattern_fits_what_it_was_made_of(parts in prop::collection::vec("[a-c]{0,3}", 1..4), fill in "[a-c]{0,3}") {
            prop_assert!(matches(&parts.join("*"), &parts.join(&fill)));
        }
    }
}
