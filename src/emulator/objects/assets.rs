//! Assets, and the tree that they form.
//!
//! Owns the fields of an asset, the resolving of parents (in the same request and in any
//! order), the refusal of cycles, and what deleting takes along. An asset may move below
//! another root: the root is found out when an asset is shown.

use super::field::{Field, Rule, Target};
use super::filter::references;
use super::filter_rule::{Filter, FilterRule};
use super::kind::ObjectKind;
use super::schema::Schema;
use super::store::{Index, Object};
use crate::emulator::answer::Refusal;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Assets.
pub const SCHEMA: Schema = Schema {
    fields: &[
        Field::external_id(),
        Field::filled_text("name", 140).required(),
        Field::new("parentId", Rule::Id(Target::Unchecked)).set_only(),
        Field::text("parentExternalId", super::EXTERNAL_ID_CHARS_MAX).set_only(),
        Field::text("description", 500),
        Field::text("source", 128),
        Field::metadata(10_240, 10_240),
        Field::labels(),
        Field::data_set(),
        Field::new("geoLocation", Rule::Structure(check_geo_location)),
    ],
    filters: &[
        Filter::equal("name"),
        Filter::equal("source"),
        Filter::external_id_prefix(),
        Filter::metadata(),
        Filter::new("parentIds", "parentId", FilterRule::OneOf),
        Filter::new(
            "parentExternalIds",
            "parentId",
            FilterRule::AssetExternalIds,
        ),
        Filter::new("rootIds", "id", FilterRule::Subtree),
        Filter::new("assetSubtreeIds", "id", FilterRule::Subtree),
        Filter::new("root", "parentId", FilterRule::IsRoot),
        Filter::labels(),
        Filter::data_sets(),
        Filter::range("createdTime"),
        Filter::range("lastUpdatedTime"),
    ],
    exclusive: Some(("parentId", "parentExternalId")),
    partitions_max: Some(10),
    sorts: true,
    not_found: "Asset ids not found",
    ..Schema::plain(ObjectKind::Assets, "assets")
};

/// Checks a GeoJSON feature as far as its form goes.
pub fn check_geo_location(value: &Value) -> Result<(), Refusal> {
    let geometry = &value["geometry"];
    let fits = value["type"] == "Feature"
        && geometry["coordinates"].is_array()
        && [
            "Point",
            "LineString",
            "Polygon",
            "MultiPoint",
            "MultiLineString",
            "MultiPolygon",
        ]
        .iter()
        .any(|kind| geometry["type"] == *kind);
    if fits {
        return Ok(());
    }
    Err(Refusal::invalid(
        "geoLocation: has to be a GeoJSON Feature with type and coordinates in its geometry",
    ))
}

/// Puts the ids of parents in the place of their external ids, for assets that are to be
/// stored. A parent has to be among them or stored; no asset may be above itself.
pub fn place(index: &Index, assets: &mut [Object]) -> Result<(), Refusal> {
    let coming: HashMap<String, i64> = assets
        .iter()
        .filter_map(|asset| Some((asset.external_id()?.to_owned(), asset.id)))
        .collect();
    let mut unknown_ids = Vec::new();
    for asset in assets.iter_mut() {
        // Only of the parent given by external id is nothing stored yet.
        let Some(name) = asset.fields.shift_remove("parentExternalId") else {
            if let Some(parent) = asset.parent_id()
                && index.get(parent).is_none()
            {
                unknown_ids.push(parent.to_string());
            }
            continue;
        };
        let name = name.as_str().unwrap_or_default();
        let parent = coming
            .get(name)
            .copied()
            .or_else(|| index.find_named(name).map(|parent| parent.id))
            .ok_or_else(|| {
                Refusal::invalid(format!(
                    "Reference to unknown parent with externalId {name}"
                ))
            })?;
        asset.fields.insert("parentId".to_owned(), parent.into());
    }
    if !unknown_ids.is_empty() {
        return Err(Refusal::invalid(format!(
            "The given parent ids do not exist: {}",
            unknown_ids.join(", ")
        )));
    }
    refuse_cycles(index, assets)
}

fn refuse_cycles(index: &Index, assets: &[Object]) -> Result<(), Refusal> {
    let parents: HashMap<i64, Option<i64>> = assets
        .iter()
        .map(|asset| (asset.id, asset.parent_id()))
        .collect();
    let mut reaches_root = HashSet::new();
    for asset in assets {
        let mut line = HashSet::new();
        let mut next = Some(asset.id);
        while let Some(id) = next.filter(|id| !reaches_root.contains(id)) {
            if !line.insert(id) {
                return Err(Refusal::invalid(format!(
                    "Asset {} would be its own ancestor",
                    asset.external_id().unwrap_or_default()
                )));
            }
            next = match parents.get(&id) {
                Some(parent) => *parent,
                None => index.get(id).and_then(|stored| stored.parent_id()),
            };
        }
        reaches_root.extend(line);
    }
    Ok(())
}

/// These assets and, if asked for, everything below them; without that, assets whose
/// children would be left behind are a 400.
pub fn with_descendants(
    index: &Index,
    ids: Vec<i64>,
    recursive: bool,
) -> Result<Vec<i64>, Refusal> {
    let all = subtrees(index, ids.iter().copied());
    if recursive {
        return Ok(all.into_iter().collect());
    }
    let given: HashSet<i64> = ids.iter().copied().collect();
    let left: Vec<String> = ids
        .iter()
        .filter(|id| index.children(**id).any(|child| !given.contains(&child)))
        .map(i64::to_string)
        .collect();
    if left.is_empty() {
        return Ok(ids);
    }
    Err(Refusal::invalid(format!(
        "Assets with children can only be deleted with recursive=true: {}",
        left.join(", ")
    )))
}

/// The ids of these assets and of everything below them.
pub fn subtrees(index: &Index, ids: impl Iterator<Item = i64>) -> HashSet<i64> {
    let mut all = HashSet::new();
    let mut open: Vec<i64> = ids.collect();
    while let Some(id) = open.pop() {
        if all.insert(id) {
            open.extend(index.children(id));
        }
    }
    all
}

/// The same for a list of `{"id": …}` or `{"externalId": …}`; unknown ones hold nothing.
pub fn named_subtrees(index: &Index, name: &str, list: &Value) -> Result<HashSet<i64>, Refusal> {
    let references = references(name, list)?;
    let found = references
        .iter()
        .filter_map(|reference| index.find(reference).map(|asset| asset.id));
    Ok(subtrees(index, found))
}
