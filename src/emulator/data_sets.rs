//! Data sets: the one resource that time series refer to.
//!
//! Owns the data sets of a project and their endpoints. CDF has no call to delete one.

use super::answer::{Answer, Refusal};
use super::call::Call;
use super::clock;
use super::cursor;
use super::json::check_items;
use super::metadata::{self, Metadata, MetadataLimits};
use super::reference::{Reference, ReferenceList, check_chars, check_distinct, check_external_id};
use super::update::{self, Change, UpdateList};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

const CREATE_MAX: usize = 10;
const ITEMS_MAX: usize = 1_000;
const NAME_CHARS_MAX: usize = 50;
const DESCRIPTION_CHARS_MAX: usize = 500;
const METADATA: MetadataLimits = MetadataLimits {
    value_bytes_max: 10_240,
    total_bytes_max: 10_240,
};
const CURSOR: &str = "data_sets";

/// A data set. Metadata and `writeProtected` are always shown: clients rely on them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSet {
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    metadata: Metadata,
    write_protected: bool,
    created_time: i64,
    last_updated_time: i64,
}

impl DataSet {
    fn check(&self) -> Result<(), Refusal> {
        if let Some(external_id) = &self.external_id {
            check_external_id(external_id)?;
        }
        for (field, text, most) in [
            ("name", &self.name, NAME_CHARS_MAX),
            ("description", &self.description, DESCRIPTION_CHARS_MAX),
        ] {
            if let Some(text) = text {
                if text.is_empty() {
                    return Err(Refusal::invalid(format!("{field}: must not be empty")));
                }
                check_chars(field, text, most)?;
            }
        }
        metadata::check(&self.metadata, METADATA)
    }

    fn apply(&mut self, change: Change) -> Result<(), Refusal> {
        for (field, operation) in change.fields {
            match field.as_str() {
                "externalId" => update::nullable(&field, operation, &mut self.external_id)?,
                "name" => update::nullable(&field, operation, &mut self.name)?,
                "description" => update::nullable(&field, operation, &mut self.description)?,
                "writeProtected" => update::required(&field, operation, &mut self.write_protected)?,
                "metadata" => {
                    let mut pairs = Some(std::mem::take(&mut self.metadata));
                    update::metadata(operation, &mut pairs)?;
                    self.metadata = pairs.unwrap_or_default();
                }
                _ => {
                    return Err(Refusal::invalid(format!(
                        "update.{field}: cannot be updated"
                    )));
                }
            }
        }
        self.last_updated_time = clock::now_ms();
        self.check()
    }
}

/// The data sets of one project.
#[derive(Debug, Default)]
pub struct DataSetStore {
    by_id: RwLock<BTreeMap<i64, DataSet>>,
}

impl DataSetStore {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<i64, DataSet>> {
        // Entries are replaced as a whole: a panic leaves none half written.
        self.by_id.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<i64, DataSet>> {
        self.by_id.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id behind a reference.
    pub fn id_of(&self, reference: &Reference) -> Option<i64> {
        find(&self.read(), reference)
    }

    /// Refuses ids of data sets that do not exist, in CDF's words.
    pub fn check_exist(&self, ids: impl Iterator<Item = i64>) -> Result<(), Refusal> {
        let known = self.read();
        let mut unknown: Vec<i64> = ids.filter(|id| !known.contains_key(id)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        let list: Vec<String> = unknown.iter().map(i64::to_string).collect();
        Err(Refusal::invalid(format!(
            "Invalid dataSetIds: {}",
            list.join(", ")
        )))
    }
}

fn find(by_id: &BTreeMap<i64, DataSet>, reference: &Reference) -> Option<i64> {
    match reference {
        Reference::Id(id) => by_id.contains_key(id).then_some(*id),
        Reference::ExternalId(external_id) => by_id
            .values()
            .find(|data_set| data_set.external_id.as_ref() == Some(external_id))
            .map(|data_set| data_set.id),
        Reference::InstanceId(_) => None,
    }
}

fn find_all(
    by_id: &BTreeMap<i64, DataSet>,
    references: &[Reference],
    ignore_unknown: bool,
) -> Result<Vec<i64>, Refusal> {
    let missing: Vec<_> = references
        .iter()
        .filter(|reference| find(by_id, reference).is_none())
        .map(Reference::to_json)
        .collect();
    if !missing.is_empty() && !ignore_unknown {
        return Err(Refusal::UnknownReferences {
            message: "Data set ids not found".to_owned(),
            missing,
        });
    }
    Ok(references
        .iter()
        .filter_map(|reference| find(by_id, reference))
        .collect())
}

#[derive(Deserialize)]
struct CreateList {
    items: Vec<NewDataSet>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewDataSet {
    external_id: Option<String>,
    name: Option<String>,
    description: Option<String>,
    metadata: Option<Metadata>,
    write_protected: Option<bool>,
}

/// `POST /datasets`
pub fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = call.json::<CreateList>()?.items;
    check_items("data sets", items.len(), CREATE_MAX)?;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    let references: Vec<_> = items
        .iter()
        .filter_map(|new| new.external_id.clone().map(Reference::ExternalId))
        .collect();
    check_distinct(&references)?;
    let mut by_id = call.project.data_sets.write();
    let duplicated: Vec<_> = references
        .iter()
        .filter(|reference| find(&by_id, reference).is_some())
        .map(Reference::to_json)
        .collect();
    if !duplicated.is_empty() {
        return Err(Refusal::AlreadyExists {
            message: "Data sets with these external ids already exist".to_owned(),
            duplicated,
        });
    }
    let first_id = by_id.keys().next_back().map_or(1_000, |last| last + 1);
    let now_ms = clock::now_ms();
    let mut created = Vec::with_capacity(items.len());
    for (id, new) in (first_id..).zip(items) {
        let data_set = DataSet {
            id,
            external_id: new.external_id,
            name: new.name,
            description: new.description,
            metadata: new.metadata.unwrap_or_default(),
            write_protected: new.write_protected.unwrap_or(false),
            created_time: now_ms,
            last_updated_time: now_ms,
        };
        data_set.check()?;
        created.push(data_set);
    }
    by_id.extend(
        created
            .iter()
            .map(|data_set| (data_set.id, data_set.clone())),
    );
    Ok(Answer::items(200, &created))
}

/// `POST /datasets/byids`
pub fn by_ids(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (references, ignore_unknown) = call
        .json::<ReferenceList>()?
        .check("data sets", ITEMS_MAX)?;
    call.tally.items = references.len() as u64;
    let by_id = call.project.data_sets.read();
    let found: Vec<&DataSet> = find_all(&by_id, &references, ignore_unknown)?
        .iter()
        .filter_map(|id| by_id.get(id))
        .collect();
    Ok(Answer::items(200, &found))
}

/// `POST /datasets/update`
pub fn update(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let changes = call.json::<UpdateList>()?.check("data sets", ITEMS_MAX)?;
    call.tally.items = changes.len() as u64;
    call.consume(call.tally.items, 0)?;
    let mut by_id = call.project.data_sets.write();
    let references: Vec<_> = changes
        .iter()
        .map(|change| change.reference.clone())
        .collect();
    let ids = find_all(&by_id, &references, false)?;
    let mut updated = Vec::with_capacity(ids.len());
    for (id, change) in ids.iter().zip(changes) {
        let Some(mut data_set) = by_id.get(id).cloned() else {
            continue;
        };
        data_set.apply(change)?;
        let taken = data_set.external_id.as_ref().is_some_and(|external_id| {
            let reference = Reference::ExternalId(external_id.clone());
            find(&by_id, &reference).is_some_and(|holder| holder != *id)
                || updated
                    .iter()
                    .any(|other: &DataSet| other.external_id.as_ref() == Some(external_id))
        });
        if taken {
            return Err(Refusal::AlreadyExists {
                message: "Data sets with these external ids already exist".to_owned(),
                duplicated: vec![json!({"externalId": data_set.external_id})],
            });
        }
        updated.push(data_set);
    }
    by_id.extend(
        updated
            .iter()
            .map(|data_set| (data_set.id, data_set.clone())),
    );
    Ok(Answer::items(200, &updated))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListRequest {
    filter: Option<Filter>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The filters that are served; others are refused by name.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filter {
    external_id_prefix: Option<String>,
    write_protected: Option<bool>,
    metadata: Option<Metadata>,
}

impl Filter {
    fn matches(&self, data_set: &DataSet) -> bool {
        self.external_id_prefix.as_ref().is_none_or(|prefix| {
            let external_id = data_set.external_id.as_ref();
            external_id.is_some_and(|id| id.starts_with(prefix.as_str()))
        }) && self
            .write_protected
            .is_none_or(|wanted| wanted == data_set.write_protected)
            && self
                .metadata
                .iter()
                .flatten()
                .all(|(key, value)| data_set.metadata.get(key) == Some(value))
    }
}

/// `POST /datasets/list`
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = call.json::<ListRequest>()?;
    let limit = request.limit.unwrap_or(100);
    if !(1..=1_000).contains(&limit) {
        return Err(Refusal::invalid("limit: must be from 1 to 1000"));
    }
    let after: i64 = match &request.cursor {
        Some(text) => cursor::decode(CURSOR, text)?,
        None => 0,
    };
    let by_id = call.project.data_sets.read();
    let filter = request.filter.unwrap_or_default();
    let mut rest = by_id
        .range(after + 1..)
        .map(|(_, data_set)| data_set)
        .filter(|data_set| filter.matches(data_set));
    let page: Vec<&DataSet> = rest.by_ref().take(limit).collect();
    let next_cursor = rest
        .next()
        .and(page.last())
        .map(|last| cursor::encode(CURSOR, &last.id));
    call.tally.items = page.len() as u64;
    Ok(Answer::page(200, &page, next_cursor))
}
