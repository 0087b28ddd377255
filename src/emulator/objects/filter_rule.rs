//! The keys of `filter` in list calls.
//!
//! Owns the vocabulary in which a resource says by what its lists can be narrowed down.
//! `filter` reads what a request gives into conditions.

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
