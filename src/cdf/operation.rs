//! What a request asks of CDF.
//!
//! Owns the operations: endpoints, budgets, success codes and metrics go by them. Promises
//! names that never change. Never knows a path.

use crate::catalog::Resource;
use crate::rows::ActionKind;
use std::borrow::Cow;

/// What a request asks of CDF. Budgets, success codes and the harm of a repeat go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `POST /timeseries/data`.
    InsertDatapoints,
    /// `POST /raw/dbs/{db}/tables/{table}/rows`.
    InsertRawRows,
    /// `POST /raw/dbs/{db}/tables`.
    CreateRawTables,
    /// Makes objects: `POST /assets`.
    Create(Resource),
    /// Changes objects: `POST /assets/update`.
    Update(Resource),
    /// Deletes objects: `POST /assets/delete`; or points and rows: `POST /timeseries/data/delete`.
    Delete(Resource),
    /// Reads objects by reference: `POST /assets/byids`.
    LookUp(Resource),
    /// Reads pages of a list: `POST /assets/list`, rows of RAW, datapoints. CDF counts some of them
    /// apart from the other calls.
    List(Resource),
    /// Any read of what was written: pages of datapoints or of RAW rows.
    ReadBack,
}

/// The names of the five operations on objects.
struct Verbs {
    create: &'static str,
    update: &'static str,
    delete: &'static str,
    look_up: &'static str,
    list: &'static str,
}

macro_rules! verbs {
    ($objects:literal) => {
        Verbs {
            create: concat!("create_", $objects),
            update: concat!("update_", $objects),
            delete: concat!("delete_", $objects),
            look_up: concat!("look_up_", $objects),
            list: concat!("list_", $objects),
        }
    };
}

fn verbs(resource: Resource) -> Verbs {
    match resource {
        Resource::Datapoints => verbs!("datapoints"),
        Resource::RawRows => verbs!("raw_rows"),
        Resource::RawTables => verbs!("raw_tables"),
        Resource::TimeSeries => verbs!("time_series"),
        Resource::Assets => verbs!("assets"),
        Resource::Events => verbs!("events"),
        Resource::Files => verbs!("files"),
        Resource::Labels => verbs!("labels"),
        Resource::Relationships => verbs!("relationships"),
        Resource::Sequences => verbs!("sequences"),
        Resource::SequenceRows => verbs!("sequence_rows"),
        Resource::ExtractionPipelines => verbs!("extraction_pipelines"),
        Resource::ExtractionPipelineRuns => verbs!("extraction_pipeline_runs"),
        Resource::DataSets => verbs!("data_sets"),
        Resource::Instances => verbs!("instances"),
    }
}

impl Operation {
    /// The name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Operation::InsertDatapoints => "insert_datapoints",
            Operation::InsertRawRows => "insert_raw_rows",
            Operation::CreateRawTables => "create_raw_tables",
            Operation::Create(resource) => verbs(resource).create,
            Operation::Update(resource) => verbs(resource).update,
            Operation::Delete(resource) => verbs(resource).delete,
            Operation::LookUp(resource) => verbs(resource).look_up,
            Operation::List(resource) => verbs(resource).list,
            Operation::ReadBack => "read_back",
        }
    }

    /// The operation that writes new rows of `resource`.
    pub fn writing(resource: Resource) -> Self {
        match resource {
            Resource::Datapoints => Operation::InsertDatapoints,
            Resource::RawRows => Operation::InsertRawRows,
            Resource::RawTables => Operation::CreateRawTables,
            objects => Operation::Create(objects),
        }
    }

    /// The operation with which rows of `resource` do what `action` says. An upsert begins
    /// with a create or an update, by what was seen: it is paced as a create.
    pub fn doing(resource: Resource, action: ActionKind) -> Self {
        match action {
            ActionKind::Create | ActionKind::CreateMissing | ActionKind::Upsert => {
                Operation::writing(resource)
            }
            // What is changed was found to exist: writing it once more changes it.
            ActionKind::Update
                if matches!(resource, Resource::Datapoints | Resource::SequenceRows) =>
            {
                Operation::writing(resource)
            }
            ActionKind::Update => Operation::Update(resource),
            ActionKind::Delete => Operation::Delete(resource),
        }
    }

    /// The resource whose budget the operation draws on.
    pub fn resource(self) -> Resource {
        match self {
            Operation::InsertDatapoints | Operation::ReadBack => Resource::Datapoints,
            Operation::InsertRawRows => Resource::RawRows,
            Operation::CreateRawTables => Resource::RawTables,
            Operation::Create(resource)
            | Operation::Update(resource)
            | Operation::Delete(resource)
            | Operation::LookUp(resource)
            | Operation::List(resource) => resource,
        }
    }

    /// Whether `status` says that CDF has done it. CDF's API description names 201 for
    /// creates and 200 for the rest; both say "done", so either is taken. 202 ("will be
    /// done") and 204 are no success here, as no row is acknowledged on a promise; but
    /// 202 is all that CDF ever says of deleted relationships.
    pub fn is_done(self, status: u16) -> bool {
        matches!(status, 200 | 201)
            || (status == 202 && self == Operation::Delete(Resource::Relationships))
    }

    /// What a CDF user would call it, for messages.
    pub(crate) fn in_words(self) -> Cow<'static, str> {
        match self {
            Operation::LookUp(resource) => format!("a look-up of {}", resource.in_words()).into(),
            Operation::List(resource) => format!("a list of {}", resource.in_words()).into(),
            Operation::ReadBack => "a read".into(),
            Operation::Update(resource) => format!("changes of {}", resource.in_words()).into(),
            Operation::Delete(resource) => format!("deletes of {}", resource.in_words()).into(),
            other => format!("the {}", other.resource().in_words()).into(),
        }
    }
}
