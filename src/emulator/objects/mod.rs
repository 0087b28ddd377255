//! The resources whose objects are plain descriptions: assets, events, data sets and more.
//!
//! A resource is one file with a [`Schema`](schema::Schema): its fields, their limits, how
//! each may be updated, what a list can be filtered by. `check` holds objects against it,
//! `changes` creates, updates and deletes, `listing` reads, `store` keeps them. What a
//! resource has beyond that (the tree of assets, the rows of sequences) stands in its file.
//! Time series are a resource of their own: their points need locks of their own.

mod answers;
mod assets;
mod changes;
mod check;
mod check_value;
mod data_sets;
mod events;
mod extraction_pipeline_runs;
mod extraction_pipelines;
mod field;
mod files;
mod filter;
mod filter_rule;
mod found;
mod kind;
mod labels;
mod listing;
mod operation;
mod references;
mod relationships;
mod route;
mod schema;
mod sequence_rows;
mod sequences;
mod shown;
mod sorting;
mod store;

pub use kind::{ObjectKind, Verb};
pub use route::{ObjectOperation, resolve};

use super::answer::{Answer, Refusal};
use super::call::Call;
use extraction_pipeline_runs::RunStore;
use sequence_rows::RowStore;
use store::ObjectStore;

/// Most objects per update, delete and byids call, and per page.
const ITEMS_MAX: usize = 1_000;

/// Longest external id, in characters.
const EXTERNAL_ID_CHARS_MAX: usize = super::reference::EXTERNAL_ID_CHARS_MAX;

/// The objects of one project.
#[derive(Debug, Default)]
pub struct Objects {
    stores: [ObjectStore; ObjectKind::COUNT],
    runs: RunStore,
    sequence_rows: RowStore,
}

impl Objects {
    /// The objects of a kind.
    pub fn of(&self, kind: ObjectKind) -> &ObjectStore {
        &self.stores[kind as usize]
    }

    /// Forgets what belongs to objects that were deleted.
    fn forget(&self, kind: ObjectKind, ids: &[i64]) {
        match kind {
            ObjectKind::ExtractionPipelines => self.runs.forget(ids),
            ObjectKind::Sequences => self.sequence_rows.forget(ids),
            _ => {}
        }
    }
}

/// Answers a call on objects.
pub fn serve(call: &mut Call<'_>, operation: ObjectOperation) -> Result<Answer, Refusal> {
    use ObjectOperation as O;
    match operation {
        O::On(kind, verb) => on_objects(call, kind, verb),
        O::FilesUpload => files::upload(call),
        O::FilesUploadLink => files::upload_link(call),
        O::RunsCreate => extraction_pipeline_runs::create(call),
        O::RunsList => extraction_pipeline_runs::list(call),
        O::RowsInsert => sequence_rows::insert(call),
        O::RowsList => sequence_rows::list(call),
        O::RowsLatest => sequence_rows::latest(call),
        O::RowsDelete => sequence_rows::delete(call),
    }
}

fn on_objects(call: &mut Call<'_>, kind: ObjectKind, verb: Verb) -> Result<Answer, Refusal> {
    let schema = kind.schema();
    match verb {
        Verb::Create if kind == ObjectKind::Files => files::create(call),
        Verb::Create => changes::create(call, schema),
        Verb::Update => changes::update(call, schema),
        Verb::Delete => changes::delete(call, schema),
        Verb::List => listing::list(call, schema),
        Verb::ByIds => listing::by_ids(call, schema),
        Verb::Get => listing::get(call, schema),
        Verb::Aggregate => listing::aggregate(call, schema),
    }
}
