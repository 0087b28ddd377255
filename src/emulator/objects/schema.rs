//! What the objects of a resource look like.
//!
//! Owns the table in which a resource says its calls, its fields, by what its lists can be
//! filtered, and how it differs from the others. That table drives checking, updating and
//! listing. It never looks at a request.

use super::field::{Field, Fields};
use super::filter_rule::Filter;
use super::kind::{ObjectKind, Verb};

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
