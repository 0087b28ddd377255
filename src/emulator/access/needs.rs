//! Which capability an operation needs, and how CDF says that it is missing.
//!
//! Owns the table and the words of a 403. Never looks at a request.

use super::AccessOperation;
use super::rights::Rights;
use crate::emulator::answer::Refusal;
use crate::emulator::data_modeling::DataModelingOperation;
use crate::emulator::objects::{ObjectKind, ObjectOperation, Verb};
use crate::emulator::route::Operation;

/// An ACL and one of its actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    pub acl: &'static str,
    pub action: &'static str,
}

impl Need {
    pub const fn new(acl: &'static str, action: &'static str) -> Self {
        Self { acl, action }
    }
}

/// Where data modeling holds the points of a series, its own capability opens them, too.
pub const READ_INSTANCES: Need = Need::new("dataModelInstancesAcl", "READ");
pub const WRITE_INSTANCES: Need = Need::new("dataModelInstancesAcl", "WRITE");

/// What an operation needs; `None` where a member of the project needs nothing more.
pub fn needs(operation: Operation) -> Option<Need> {
    use Operation as O;
    let (acl, action) = match operation {
        O::TokenIssue
        | O::TokenInspect
        | O::IdentityKeys
        | O::IdentityConfiguration
        | O::Units(_)
        | O::Unknown => return None,
        O::TimeSeriesList | O::TimeSeriesByIds | O::DatapointsList | O::DatapointsLatest => {
            ("timeSeriesAcl", "READ")
        }
        O::TimeSeriesCreate
        | O::TimeSeriesUpdate
        | O::TimeSeriesDelete
        | O::DatapointsInsert
        | O::DatapointsDelete => ("timeSeriesAcl", "WRITE"),
        O::RawDatabasesList | O::RawTablesList => ("rawAcl", "LIST"),
        O::RawRowsList | O::RawRowsGet | O::RawCursorsList => ("rawAcl", "READ"),
        O::RawDatabasesCreate
        | O::RawDatabasesDelete
        | O::RawTablesCreate
        | O::RawTablesDelete
        | O::RawRowsInsert
        | O::RawRowsDelete => ("rawAcl", "WRITE"),
        O::Objects(operation) => return objects(operation),
        O::DataModeling(operation) => data_modeling(operation),
        O::Access(operation) => return access(operation),
    };
    Some(Need::new(acl, action))
}

fn objects(operation: ObjectOperation) -> Option<Need> {
    use ObjectOperation as O;
    let (acl, action) = match operation {
        O::On(kind, verb) => (acl_of(kind), action_of(verb)),
        // The link itself is what opens it.
        O::FilesUpload => return None,
        O::FilesUploadLink => ("filesAcl", "WRITE"),
        O::RunsCreate => ("extractionRunsAcl", "WRITE"),
        O::RunsList => ("extractionRunsAcl", "READ"),
        O::RowsInsert | O::RowsDelete => ("sequencesAcl", "WRITE"),
        O::RowsList | O::RowsLatest => ("sequencesAcl", "READ"),
    };
    Some(Need::new(acl, action))
}

fn acl_of(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Assets => "assetsAcl",
        ObjectKind::Events => "eventsAcl",
        ObjectKind::Labels => "labelsAcl",
        ObjectKind::Relationships => "relationshipsAcl",
        ObjectKind::Files => "filesAcl",
        ObjectKind::ExtractionPipelines => "extractionPipelinesAcl",
        ObjectKind::Sequences => "sequencesAcl",
        ObjectKind::DataSets => "datasetsAcl",
    }
}

fn action_of(verb: Verb) -> &'static str {
    match verb {
        Verb::Create | Verb::Update | Verb::Delete => "WRITE",
        Verb::List | Verb::ByIds | Verb::Get | Verb::Aggregate => "READ",
    }
}

fn data_modeling(operation: DataModelingOperation) -> (&'static str, &'static str) {
    use DataModelingOperation as O;
    match operation {
        O::InstancesApply | O::InstancesDelete => (WRITE_INSTANCES.acl, WRITE_INSTANCES.action),
        O::InstancesByIds | O::InstancesList => (READ_INSTANCES.acl, READ_INSTANCES.action),
        O::SpacesApply
        | O::SpacesDelete
        | O::ContainersApply
        | O::ContainersDelete
        | O::ConstraintsDelete
        | O::IndexesDelete
        | O::ViewsApply
        | O::ViewsDelete
        | O::DataModelsApply
        | O::DataModelsDelete => ("dataModelsAcl", "WRITE"),
        O::SpacesList
        | O::SpacesByIds
        | O::ContainersList
        | O::ContainersByIds
        | O::ViewsList
        | O::ViewsByIds
        | O::DataModelsList
        | O::DataModelsByIds
        | O::Statistics
        | O::StatisticsBySpace
        | O::StatisticsBySpaceIds => ("dataModelsAcl", "READ"),
    }
}

fn access(operation: AccessOperation) -> Option<Need> {
    use AccessOperation as O;
    let (acl, action) = match operation {
        // One's own groups are listed without it.
        O::GroupsList => return None,
        O::GroupsCreate => ("groupsAcl", "CREATE"),
        O::GroupsDelete => ("groupsAcl", "DELETE"),
        O::SessionsCreate => ("sessionsAcl", "CREATE"),
        O::SessionsList | O::SessionsByIds => ("sessionsAcl", "LIST"),
        O::SessionsRevoke => ("sessionsAcl", "DELETE"),
        // The nonce or the key is what opens it.
        O::SessionsToken => return None,
    };
    Some(Need::new(acl, action))
}

/// The 403. What cannot be seen and what is not there read alike.
pub fn forbidden(need: Need) -> Refusal {
    let text = match need.acl {
        "rawAcl" => format!("Subject does not have '{}' action", need.action),
        "dataModelsAcl" => format!("Not allowed to perform schema action: {}", need.action),
        "dataModelInstancesAcl" => {
            format!("Not allowed to perform instance action: {}", need.action)
        }
        _ => return Refusal::hidden(),
    };
    Refusal::Forbidden(text)
}

/// Whether somebody with these rights may ask for the operation at all.
pub fn opens(rights: &Rights, operation: Operation) -> Result<(), Refusal> {
    let Some(need) = needs(operation) else {
        return Ok(());
    };
    let of_instances = match operation {
        Operation::DatapointsInsert | Operation::DatapointsDelete => Some(WRITE_INSTANCES),
        Operation::DatapointsList | Operation::DatapointsLatest | Operation::TimeSeriesByIds => {
            Some(READ_INSTANCES)
        }
        _ => None,
    };
    if rights.anywhere(need) || of_instances.is_some_and(|other| rights.anywhere(other)) {
        Ok(())
    } else {
        Err(forbidden(need))
    }
}
