//! The fields of an object: what each may hold, and how it may be updated.
//!
//! Owns the vocabulary in which a resource describes its fields. `check` holds values
//! against it, `operation` applies updates by it. It never looks at a value itself.

use crate::emulator::answer::Refusal;
use crate::emulator::metadata::MetadataLimits;
use serde_json::{Map, Value};

/// The fields of an object, without the ids and times that CDF makes.
pub type Fields = Map<String, Value>;

/// How a field may be updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updating {
    Never,
    /// `set` (and `add` and `remove` where the field holds several).
    Set,
    /// `set` and `setNull`.
    Nullable,
}

/// One field.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub rule: Rule,
    pub required: bool,
    pub updating: Updating,
}

impl Field {
    /// A field that may be absent, and cleared by `setNull` unless it is a list.
    pub const fn new(name: &'static str, rule: Rule) -> Self {
        let updating = match rule {
            Rule::Labels { .. } | Rule::Ids { .. } => Updating::Set,
            _ => Updating::Nullable,
        };
        Self {
            name,
            rule,
            required: false,
            updating,
        }
    }

    /// A text of at most `chars_max` characters.
    pub const fn text(name: &'static str, chars_max: usize) -> Self {
        let chars_min = 0;
        Self::new(
            name,
            Rule::Text {
                chars_min,
                chars_max,
            },
        )
    }

    /// A text that is not empty.
    pub const fn filled_text(name: &'static str, chars_max: usize) -> Self {
        let chars_min = 1;
        Self::new(
            name,
            Rule::Text {
                chars_min,
                chars_max,
            },
        )
    }

    /// Metadata; keys and values are measured in bytes.
    pub const fn metadata(value_bytes_max: usize, total_bytes_max: usize) -> Self {
        Self::new(
            "metadata",
            Rule::Metadata(MetadataLimits {
                value_bytes_max,
                total_bytes_max,
            }),
        )
    }

    /// Labels, at most ten.
    pub const fn labels() -> Self {
        Self::new("labels", Rule::Labels { most: 10 })
    }

    /// The external id.
    pub const fn external_id() -> Self {
        Self::text("externalId", super::EXTERNAL_ID_CHARS_MAX)
    }

    /// The data set that an object belongs to.
    pub const fn data_set() -> Self {
        Self::new("dataSetId", Rule::Id(Target::DataSet))
    }

    /// It has to be there and can only be set.
    pub const fn required(self) -> Self {
        Self {
            required: true,
            updating: Updating::Set,
            ..self
        }
    }

    /// It can be set, not cleared.
    pub const fn set_only(self) -> Self {
        Self {
            updating: Updating::Set,
            ..self
        }
    }

    /// It stays as it was created.
    pub const fn fixed(self) -> Self {
        Self {
            updating: Updating::Never,
            ..self
        }
    }
}

/// What a field may hold.
#[derive(Debug)]
pub enum Rule {
    Text {
        chars_min: usize,
        chars_max: usize,
    },
    /// Milliseconds since 1970, not before.
    Time,
    /// A number, both ends included.
    Number {
        min: f64,
        max: f64,
    },
    Flag,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    Metadata(MetadataLimits),
    /// `{"externalId": …}` of labels, which have to exist.
    Labels {
        most: usize,
    },
    /// One id.
    Id(Target),
    /// Several different ids.
    Ids {
        of: Target,
        most: usize,
    },
    /// The columns of a sequence.
    Columns,
    /// Any JSON that this accepts.
    Structure(fn(&Value) -> Result<(), Refusal>),
}

impl Rule {
    /// Whether a value is a string.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text { .. } | Self::Choice(_))
    }
}

/// What an id refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    DataSet,
    Asset,
    /// Checked elsewhere, or not at all: the emulator does not serve what it refers to.
    Unchecked,
}
