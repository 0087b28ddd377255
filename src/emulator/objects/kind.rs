//! The kinds of objects, their calls, and the names of both.
//!
//! Owns which path belongs to which kind and how an operation is called in faults, figures
//! and budgets. What an object looks like is said by its [`Schema`].

use super::schema::Schema;
use super::{
    assets, data_sets, events, extraction_pipelines, files, labels, relationships, sequences,
};

/// A resource of CDF whose objects are described by a [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    Assets,
    Events,
    Labels,
    Relationships,
    Files,
    ExtractionPipelines,
    Sequences,
    DataSets,
}

/// What a call does with objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    Create,
    List,
    ByIds,
    Get,
    Update,
    Delete,
    Aggregate,
}

/// The names of the operations of a resource, in the order of [`Verb`].
macro_rules! operation_names {
    ($resource:literal) => {
        [
            concat!($resource, ".create"),
            concat!($resource, ".list"),
            concat!($resource, ".byids"),
            concat!($resource, ".get"),
            concat!($resource, ".update"),
            concat!($resource, ".delete"),
            concat!($resource, ".aggregate"),
        ]
    };
}

impl ObjectKind {
    /// How many kinds there are.
    pub const COUNT: usize = Self::DataSets as usize + 1;

    /// The kind that a path segment below the project names.
    pub fn from_path(segment: &str) -> Option<Self> {
        Some(match segment {
            "assets" => Self::Assets,
            "events" => Self::Events,
            "labels" => Self::Labels,
            "relationships" => Self::Relationships,
            "files" => Self::Files,
            "extpipes" => Self::ExtractionPipelines,
            "sequences" => Self::Sequences,
            "datasets" => Self::DataSets,
            _ => return None,
        })
    }

    /// What its objects look like.
    pub fn schema(self) -> &'static Schema {
        match self {
            Self::Assets => &assets::SCHEMA,
            Self::Events => &events::SCHEMA,
            Self::Labels => &labels::SCHEMA,
            Self::Relationships => &relationships::SCHEMA,
            Self::Files => &files::SCHEMA,
            Self::ExtractionPipelines => &extraction_pipelines::SCHEMA,
            Self::Sequences => &sequences::SCHEMA,
            Self::DataSets => &data_sets::SCHEMA,
        }
    }

    /// The name of an operation, as `assets.create`.
    pub fn operation_name(self, verb: Verb) -> &'static str {
        let names = match self {
            Self::Assets => operation_names!("assets"),
            Self::Events => operation_names!("events"),
            Self::Labels => operation_names!("labels"),
            Self::Relationships => operation_names!("relationships"),
            Self::Files => operation_names!("files"),
            Self::ExtractionPipelines => operation_names!("extraction_pipelines"),
            Self::Sequences => operation_names!("sequences"),
            Self::DataSets => operation_names!("data_sets"),
        };
        names[verb as usize]
    }
}
