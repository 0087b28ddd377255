//! Whether a request stays within what its principal may do.
//!
//! Owns the check of scopes before a handler sees the request: data sets and ids of
//! objects, tables of RAW, spaces of data modeling. It reads bodies only where a scope
//! limits the principal, and only for what they name; whether they are well formed is the
//! handler's business. Lists are not refused here: handlers leave out what is out of
//! reach, and so they do with series, which are named in too many forms.

use super::needs::{Need, forbidden, needs};
use super::rights::Rights;
use crate::emulator::answer::Refusal;
use crate::emulator::call::{Call, RequestBody};
use crate::emulator::data_modeling::DataModelingOperation;
use crate::emulator::objects::{ObjectKind, ObjectOperation, Verb};
use crate::emulator::reference::Reference;
use crate::emulator::route::Operation;
use serde_json::Value;

const READ_SCHEMAS: Need = Need::new("dataModelsAcl", "READ");

/// Refuses what is out of reach.
pub fn check(call: &Call<'_>) -> Result<(), Refusal> {
    use Operation as O;
    let operation = call.asker.operation;
    let (Some(rights), Some(need)) = (call.rights, needs(operation)) else {
        return Ok(());
    };
    if let O::DataModeling(DataModelingOperation::InstancesApply) = operation {
        schemas_of_instances(call, rights)?;
    }
    if rights.everywhere(need) {
        return Ok(());
    }
    let allowed = match operation {
        O::TimeSeriesCreate => objects_created(&body(call), rights, need),
        O::TimeSeriesUpdate => moved_objects(&body(call), rights, need),
        // What is read while it arrives cannot be looked up.
        O::DatapointsInsert => matches!(call.body, RequestBody::Whole(_)),
        O::RawRowsInsert
        | O::RawRowsDelete
        | O::RawRowsList
        | O::RawRowsGet
        | O::RawCursorsList => {
            rights.with_table(need, &call.names.database, Some(&call.names.table))
        }
        O::RawDatabasesCreate | O::RawDatabasesDelete => names(&body(call))
            .iter()
            .all(|name| rights.with_table(need, name, None)),
        O::RawTablesCreate | O::RawTablesDelete => names(&body(call))
            .iter()
            .all(|name| rights.with_table(need, &call.names.database, Some(name))),
        O::Objects(operation) => objects(call, operation, rights, need),
        O::DataModeling(operation) => spaces(call, operation, rights, need),
        // Groups and sessions are reached as a whole or not at all.
        O::Access(_) => false,
        _ => true,
    };
    if allowed {
        Ok(())
    } else {
        Err(forbidden(need))
    }
}

/// The body, as far as it is JSON.
fn body(call: &Call<'_>) -> Value {
    serde_json::from_slice(&call.bytes()).unwrap_or_default()
}

fn items(body: &Value) -> impl Iterator<Item = &Value> {
    ["items", "delete"]
        .into_iter()
        .filter_map(|list| body.get(list)?.as_array())
        .flatten()
}

fn names(body: &Value) -> Vec<String> {
    let names = items(body).filter_map(|item| item.get("name")?.as_str());
    names.map(str::to_owned).collect()
}

/// New objects have to be in a data set that is reached. One that is created alone is not
/// in a list.
fn objects_created(body: &Value, rights: &Rights, need: Need) -> bool {
    let fits = |object: &Value| {
        rights.with_object(need, None, object.get("dataSetId").and_then(Value::as_i64))
    };
    match body.get("items") {
        Some(_) => items(body).all(fits),
        None => fits(body),
    }
}

/// Objects may be moved only to a data set that is reached.
fn moved_objects(body: &Value, rights: &Rights, need: Need) -> bool {
    items(body)
        .filter_map(|item| item.get("update")?.get("dataSetId"))
        .all(|change| {
            let data_set_id = change.get("set").and_then(Value::as_i64);
            rights.with_object(need, None, data_set_id)
        })
}

fn objects(call: &Call<'_>, operation: ObjectOperation, rights: &Rights, need: Need) -> bool {
    use ObjectOperation as O;
    let named = |kind: ObjectKind| {
        let body = body(call);
        let store = call.project.objects.of(kind).read();
        let mut references = items(&body).chain([&body]).filter_map(reference);
        references.all(|reference| {
            store.find(&reference).is_none_or(|object| {
                let data_set_id = object.fields.get("dataSetId").and_then(Value::as_i64);
                rights.with_object(need, Some(object.id), data_set_id)
            })
        })
    };
    match operation {
        O::On(_, Verb::List | Verb::Aggregate) => true,
        O::On(_, Verb::Create) => objects_created(&body(call), rights, need),
        O::On(kind, Verb::ByIds | Verb::Delete) => named(kind),
        O::On(kind, Verb::Update) => named(kind) && moved_objects(&body(call), rights, need),
        O::On(kind, Verb::Get) => {
            let store = call.project.objects.of(kind).read();
            let id = call.names.key.parse().ok();
            let object = id.and_then(|id| store.get(id));
            object.is_none_or(|object| {
                let data_set_id = object.fields.get("dataSetId").and_then(Value::as_i64);
                rights.with_object(need, Some(object.id), data_set_id)
            })
        }
        O::FilesUploadLink => named(ObjectKind::Files),
        O::FilesUpload => true,
        O::RowsInsert | O::RowsList | O::RowsLatest | O::RowsDelete => named(ObjectKind::Sequences),
        O::RunsCreate | O::RunsList => runs(call, rights, need),
    }
}

/// Runs are reached by the pipeline that they belong to.
fn runs(call: &Call<'_>, rights: &Rights, need: Need) -> bool {
    let body = body(call);
    let of_filter = body.get("filter").into_iter();
    let of_query = call.query.get("externalId").map(str::to_owned);
    let store = call
        .project
        .objects
        .of(ObjectKind::ExtractionPipelines)
        .read();
    items(&body)
        .chain(of_filter)
        .filter_map(|item| item.get("externalId")?.as_str().map(str::to_owned))
        .chain(of_query)
        .all(|name| {
            store.find_named(&name).is_none_or(|pipeline| {
                let data_set_id = pipeline.fields.get("dataSetId").and_then(Value::as_i64);
                rights.with_runs_of(need, pipeline.id, data_set_id)
            })
        })
}

fn reference(item: &Value) -> Option<Reference> {
    let id = item.get("id").and_then(Value::as_i64).map(Reference::Id);
    id.or_else(|| {
        let external_id = item.get("externalId")?.as_str()?;
        Some(Reference::ExternalId(external_id.to_owned()))
    })
}

fn spaces(call: &Call<'_>, operation: DataModelingOperation, rights: &Rights, need: Need) -> bool {
    use DataModelingOperation as O;
    match operation {
        O::SpacesList
        | O::ContainersList
        | O::ViewsList
        | O::DataModelsList
        | O::InstancesList
        | O::StatisticsBySpace => true,
        // Figures of the whole project.
        O::Statistics => false,
        _ => {
            let body = body(call);
            let mut spaces = items(&body).filter_map(|item| item.get("space")?.as_str());
            spaces.all(|space| rights.in_space(need, space))
        }
    }
}

/// Who writes through a view or a container has to be able to read it. Those of the system
/// are open to everybody who reads any.
fn schemas_of_instances(call: &Call<'_>, rights: &Rights) -> Result<(), Refusal> {
    if rights.everywhere(READ_SCHEMAS) {
        return Ok(());
    }
    let body = body(call);
    let mut spaces = items(&body)
        .filter_map(|item| item.get("sources")?.as_array())
        .flatten()
        .filter_map(|source| source.get("source")?.get("space")?.as_str());
    let readable = |space: &str| {
        rights.in_space(READ_SCHEMAS, space)
            || (space.starts_with("cdf_") && rights.anywhere(READ_SCHEMAS))
    };
    if spaces.all(readable) {
        Ok(())
    } else {
        Err(forbidden(READ_SCHEMAS))
    }
}
