//! The capabilities that CDF knows: their names and actions.
//!
//! Owns the table. Of most of them only the names matter here: a group may carry them.

/// Names and actions. Names are compared in any case.
const ACLS: [(&str, &[&str]); 56] = [
    ("agentsAcl", &["READ", "WRITE", "RUN"]),
    ("analyticsAcl", &["READ", "EXECUTE", "LIST"]),
    ("annotationsAcl", &["READ", "WRITE", "SUGGEST", "REVIEW"]),
    ("appConfigAcl", READ_WRITE),
    ("assetsAcl", READ_WRITE),
    (
        "dataModelInstancesAcl",
        &["READ", "WRITE", "WRITE_PROPERTIES"],
    ),
    ("dataModelsAcl", READ_WRITE),
    (
        "dataProductsAcl",
        &["CREATE", "READ", "UPDATE", "DELETE", "USE"],
    ),
    ("datasetsAcl", &["READ", "WRITE", "OWNER"]),
    ("diagramParsingAcl", READ_WRITE),
    ("digitalTwinAcl", READ_WRITE),
    ("documentFeedbackAcl", &["CREATE", "READ", "DELETE"]),
    ("documentPipelinesAcl", READ_WRITE),
    ("entityMatchingAcl", READ_WRITE),
    ("eventsAcl", READ_WRITE),
    ("experimentAcl", &["USE"]),
    ("extractionConfigsAcl", READ_WRITE),
    ("extractionPipelinesAcl", READ_WRITE),
    ("extractionRunsAcl", READ_WRITE),
    ("filePipelinesAcl", READ_WRITE),
    ("filesAcl", READ_WRITE),
    ("functionsAcl", &["READ", "WRITE", "RUN"]),
    ("genericsAcl", READ_WRITE),
    ("geospatialAcl", READ_WRITE),
    ("geospatialCrsAcl", READ_WRITE),
    ("groupsAcl", &["LIST", "READ", "CREATE", "UPDATE", "DELETE"]),
    ("hostedExtractorsAcl", READ_WRITE),
    ("ilaInstancesAcl", &["READ", "WRITE", "WRITE_PROPERTIES"]),
    ("integrationsAcl", READ_WRITE),
    ("labelsAcl", READ_WRITE),
    ("limitsAcl", &["READ", "UPDATE"]),
    ("locationFiltersAcl", READ_WRITE),
    ("monitoringTasksAcl", READ_WRITE),
    ("notificationsAcl", READ_WRITE),
    ("pipelinesAcl", READ_WRITE),
    ("postgresGatewayAcl", READ_WRITE),
    (
        "projectsAcl",
        &["LIST", "READ", "CREATE", "UPDATE", "DELETE"],
    ),
    ("rawAcl", &["READ", "WRITE", "LIST"]),
    ("relationshipsAcl", READ_WRITE),
    ("roboticsAcl", CREATE_TO_DELETE),
    ("sapWritebackAcl", READ_WRITE),
    ("sapWritebackRequestsAcl", &["WRITE", "LIST"]),
    ("scheduledCalculationsAcl", READ_WRITE),
    (
        "securityCategoriesAcl",
        &["MEMBEROF", "LIST", "CREATE", "UPDATE", "DELETE"],
    ),
    ("seismicAcl", READ_WRITE),
    ("sequencesAcl", READ_WRITE),
    ("sessionsAcl", &["LIST", "CREATE", "DELETE"]),
    (
        "simulatorsAcl",
        &["READ", "WRITE", "DELETE", "RUN", "MANAGE"],
    ),
    ("streamRecordsAcl", READ_WRITE),
    ("streamsAcl", &["READ", "CREATE", "DELETE"]),
    ("threedAcl", CREATE_TO_DELETE),
    ("timeSeriesAcl", READ_WRITE),
    ("timeSeriesSubscriptionsAcl", READ_WRITE),
    ("transformationsAcl", READ_WRITE),
    ("userProfilesAcl", &["READ"]),
    ("workflowOrchestrationAcl", READ_WRITE),
];

const READ_WRITE: &[&str] = &["READ", "WRITE"];
const CREATE_TO_DELETE: &[&str] = &["READ", "CREATE", "UPDATE", "DELETE"];

/// What the administrator of a project has: all that is enforced here, and what the
/// PostgreSQL gateway asks for.
const ADMINISTRATION: [&str; 18] = [
    "projectsAcl",
    "groupsAcl",
    "sessionsAcl",
    "postgresGatewayAcl",
    "datasetsAcl",
    "assetsAcl",
    "eventsAcl",
    "timeSeriesAcl",
    "rawAcl",
    "filesAcl",
    "sequencesAcl",
    "labelsAcl",
    "relationshipsAcl",
    "extractionPipelinesAcl",
    "extractionRunsAcl",
    "dataModelsAcl",
    "dataModelInstancesAcl",
    "securityCategoriesAcl",
];

/// The actions of a capability; `None` for one that CDF does not have.
pub fn actions(name: &str) -> Option<&'static [&'static str]> {
    ACLS.iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, actions)| *actions)
}

/// What an administrator has, with all actions.
pub fn administration() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    ADMINISTRATION
        .into_iter()
        .map(|name| (name, actions(name).unwrap_or_default()))
}
