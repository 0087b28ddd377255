//! Where the objects of a resource are made, changed and deleted in CDF.
//!
//! Owns the paths and the items that one call takes. Promises paths below
//! `/api/v1/projects/{project}`, as CDF's API reference names them. Never sends.

use super::custom::View;

/// The calls on one kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Makes objects.
    pub create: &'static str,
    /// Changes objects by reference; `None`: CDF never changes them.
    pub update: Option<&'static str>,
    /// Deletes objects by reference.
    pub delete: Option<Deletion>,
    /// Reads objects by reference.
    pub by_ids: Option<&'static str>,
    /// Objects that one create takes.
    pub creates_max: usize,
    pub body: CreateBody,
}

/// How objects are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    pub path: &'static str,
    /// The call can be told to pass over what does not exist.
    pub ignores_unknown: bool,
}

/// The body of a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateBody {
    /// `{"items": [{…}, …]}`.
    Items,
    /// One object, alone.
    Bare,
    /// Rows of sequences, gathered by sequence and columns.
    SequenceRows,
    /// Nodes and edges, through a view.
    Instances(&'static View),
}

impl Endpoints {
    /// Objects made by lists of up to 1000, and changed, deleted and read as nearly all are.
    pub const fn usual(
        create: &'static str,
        update: &'static str,
        delete: &'static str,
        by_ids: &'static str,
    ) -> Self {
        Endpoints {
            create,
            update: Some(update),
            delete: Some(Deletion {
                path: delete,
                ignores_unknown: true,
            }),
            by_ids: Some(by_ids),
            creates_max: 1000,
            body: CreateBody::Items,
        }
    }
}
