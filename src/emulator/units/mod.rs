//! Units: the catalog of units and unit systems, which nobody can change.
//!
//! Owns the endpoints. `catalog` holds the units: a small part of CDF's, which has some
//! thousands. All projects see the same.

mod catalog;
mod route;

pub use route::{UnitOperation, resolve};

use super::answer::{Answer, Refusal};
use super::call::Call;
use super::json::check_items;
use catalog::{CATALOG, Unit};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashSet;

const ITEMS_MAX: usize = 1_000;

/// Calls the handler of an operation.
pub fn serve(call: &mut Call<'_>, operation: UnitOperation) -> Result<Answer, Refusal> {
    match operation {
        UnitOperation::List => Ok(Answer::items(200, &CATALOG.units)),
        UnitOperation::Systems => Ok(Answer::items(200, &CATALOG.systems)),
        UnitOperation::Get => get(&call.names.key),
        UnitOperation::ByIds => by_ids(call),
    }
}

fn find(external_id: &str) -> Option<&'static Unit> {
    let mut units = CATALOG.units.iter();
    units.find(|unit| unit.external_id == external_id)
}

/// `GET /units/{externalId}`: the one unit, in a list.
fn get(external_id: &str) -> Result<Answer, Refusal> {
    match find(external_id) {
        Some(unit) => Ok(Answer::items(200, &[unit])),
        None => Err(unknown(&[external_id])),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ByIdsRequest {
    items: Vec<UnitId>,
    ignore_unknown_ids: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UnitId {
    external_id: String,
}

/// `POST /units/byids`
fn by_ids(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ByIdsRequest = call.json()?;
    check_items("units", request.items.len(), ITEMS_MAX)?;
    call.tally.items = request.items.len() as u64;
    let ids: Vec<&str> = request
        .items
        .iter()
        .map(|item| item.external_id.as_str())
        .collect();
    let mut seen = HashSet::new();
    if let Some(doubled) = ids.iter().find(|id| !seen.insert(**id)) {
        super::reference::refuse_doubled(vec![json!({"externalId": doubled})])?;
    }
    let missing: Vec<&str> = ids
        .iter()
        .copied()
        .filter(|id| find(id).is_none())
        .collect();
    if !missing.is_empty() && !request.ignore_unknown_ids.unwrap_or(false) {
        return Err(unknown(&missing));
    }
    let found: Vec<&Unit> = ids.iter().filter_map(|id| find(id)).collect();
    Ok(Answer::items(200, &found))
}

fn unknown(ids: &[&str]) -> Refusal {
    Refusal::UnknownReferences {
        message: "Unit ids not found".to_owned(),
        missing: ids.iter().map(|id| json!({"externalId": id})).collect(),
    }
}
