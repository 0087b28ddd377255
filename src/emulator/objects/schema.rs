//! What the objects of a resource look like.
//!
//! Owns the vocabulary in which a resource says its fields, their limits, how each may be
//! updated, and by what a list can be filtered. One table per resource drives checking,
//! updating and listing. It never looks at a request.

use super::kind::{ObjectKind, Verb};
use crate::emulator::answer::Refusal;
use crate::emulator::metadata::MetadataLimits;
use serde_json::{Map, Value};

/// The fields of an object, without the ids and times that CDF makes.
pub type Fields = Map<String, Value>;

/// A resource.
#[derive(Debug)]
pub struct Schema {
    pub kind: ObjectKind,
    /// Its calls; another one is a 404, as for any path that CDF does not have.
    pub verbs: &'static [Verb],
    /// What its objects are called in messages.
    pub plural: &'static str,
    pub fields: &'static [Field],
    pub filters: &'static [Filter],
    /// Whether objects have no id, only an external id.
    pub keyed_by_external_id: bool,
    /// Whether answers show when an object was last updated.
    pub shows_last_updated: bool,
    pub created_status: u16,
    pub deleted_status: u16,
    /// Most objects per create call.
    pub create_items_max: usize,
    /// Whether an external id that stands twice in one create call is a 409, not a 422.
    pub doubled_is_conflict: bool,
    /// Whether the list can also be had by `GET`.
    pub lists_by_get: bool,
    /// Most parts that a list can be cut into; `None` for no bound.
    pub partitions_max: Option<i64>,
    /// Whether a list can be sorted.
    pub sorts: bool,
    /// How the refusal of unknown references starts.
    pub not_found: &'static str,
    /// Fills in what CDF fills in when an object is created.
    pub complete: fn(&mut Fields),
    /// Two fields of which an object is given at most one.
    pub exclusive: Option<(&'static str, &'static str)>,
}

impl Schema {
    /// A resource with all calls, ids and times, 1,000 objects per request, and no rule of
    /// its own; resources say how they differ.
    pub const fn plain(kind: ObjectKind, plural: &'static str) -> Self {
        Self {
            kind,
            verbs: &[
                Verb::Create,
                Verb::List,
                Verb::ByIds,
                Verb::Get,
                Verb::Update,
                Verb::Delete,
                Verb::Aggregate,
            ],
            plural,
            fields: &[],
            filters: &[],
            keyed_by_external_id: false,
            shows_last_updated: true,
            created_status: 201,
            deleted_status: 200,
            create_items_max: super::ITEMS_MAX,
            doubled_is_conflict: false,
            lists_by_get: true,
            partitions_max: None,
            sorts: false,
            not_found: "Ids not found",
            complete: |_| {},
            exclusive: None,
        }
    }

    /// Whether its objects have parents.
    pub fn is_tree(&self) -> bool {
        self.kind == ObjectKind::Assets
    }

    /// Whether a field is among those whose places are set in `seen`.
    pub fn given(&self, name: &str, seen: u64) -> bool {
        self.field(name)
            .is_some_and(|(place, _)| seen & (1 << place) != 0)
    }

    /// A field and its place in the table.
    pub fn field(&self, name: &str) -> Option<(usize, &'static Field)> {
        self.fields
            .iter()
            .enumerate()
            .find(|(_, field)| field.name == name)
    }
}

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

/// What an id refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    DataSet,
    Asset,
    /// Checked elsewhere, or not at all: the emulator does not serve what it refers to.
    Unchecked,
}

/// One key of `filter` in a list call.
#[derive(Debug)]
pub struct Filter {
    pub name: &'static str,
    /// The field that it looks at.
    pub on: &'static str,
    pub rule: FilterRule,
}

impl Filter {
    pub const fn new(name: &'static str, on: &'static str, rule: FilterRule) -> Self {
        Self { name, on, rule }
    }

    /// The field of the same name has to be equal.
    pub const fn equal(name: &'static str) -> Self {
        Self::new(name, name, FilterRule::Equal)
    }

    /// The external id has to start with a text.
    pub const fn external_id_prefix() -> Self {
        Self::new("externalIdPrefix", "externalId", FilterRule::Prefix)
    }

    /// The metadata have to hold given pairs.
    pub const fn metadata() -> Self {
        Self::new("metadata", "metadata", FilterRule::Metadata)
    }

    /// The object has to belong to one of given data sets.
    pub const fn data_sets() -> Self {
        Self::new("dataSetIds", "dataSetId", FilterRule::DataSets)
    }

    /// The labels have to contain any or all of given ones.
    pub const fn labels() -> Self {
        Self::new("labels", "labels", FilterRule::Labels)
    }

    /// The field of the same name has to lie in `{"min": …, "max": …}`.
    pub const fn range(name: &'static str) -> Self {
        Self::new(name, name, FilterRule::Range)
    }
}

/// How a filter compares.
#[derive(Debug, Clone, Copy)]
pub enum FilterRule {
    Equal,
    Prefix,
    /// `{"min": …, "max": …}`, both ends included, or `{"isNull": true}`.
    Range,
    /// All given pairs are there.
    Metadata,
    /// The field is one of the given values.
    OneOf,
    /// The list in the field has one of the given values.
    AnyOf,
    /// `{"containsAny": […]}` or `{"containsAll": […]}` of labels.
    Labels,
    /// The field is the id of one of the given data sets.
    DataSets,
    /// The field names, or is, an asset at or below one of the given ones.
    Subtree,
    /// The field names one of the assets with these external ids.
    AssetExternalIds,
    /// Whether an asset has no parent.
    IsRoot,
    /// The range meets the time from `startTime` to `endTime`.
    ActiveAt,
    /// One end of a relationship is among the given ones.
    SourcesOrTargets,
}
