//! Writing instances without keeping them.
//!
//! Owns the reading of sink mode: the shape of the request, the identifiers and the counts
//! are checked without building a tree of the values, which are only summed up. Spaces and
//! views need not exist, and no value is checked against its type.

use super::super::identifier::{Source, check_instance_parts};
use super::given::ApplyRequest;
use super::instance::InstanceType;
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::clock;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashSet;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SinkItem<'a> {
    #[serde(default)]
    instance_type: InstanceType,
    #[serde(borrow)]
    space: Cow<'a, str>,
    #[serde(borrow)]
    external_id: Cow<'a, str>,
    sources: Option<Vec<SinkSource>>,
}

#[derive(Deserialize)]
struct SinkSource {
    #[serde(rename = "source")]
    _source: Source,
    #[serde(rename = "properties")]
    _properties: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SinkDeletion<'a> {
    #[serde(borrow)]
    space: Cow<'a, str>,
    #[serde(borrow)]
    external_id: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    instance_type: InstanceType,
    space: &'a str,
    external_id: &'a str,
    version: i64,
    was_modified: bool,
    created_time: i64,
    last_updated_time: i64,
}

#[derive(Serialize)]
struct Applied<'a> {
    items: Vec<Written<'a>>,
    deleted: [(); 0],
}

/// Checks and counts.
pub fn apply(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let body = call.bytes();
    let request = ApplyRequest::take_in(call, &body)?;
    let items: Vec<SinkItem<'_>> = request.items()?;
    let deletions: Vec<SinkDeletion<'_>> = request.deletions()?;
    let mut seen = HashSet::with_capacity(items.len() + deletions.len());
    let names = items
        .iter()
        .map(|item| (&item.space, &item.external_id))
        .chain(
            deletions
                .iter()
                .map(|item| (&item.space, &item.external_id)),
        );
    for (space, external_id) in names {
        check_instance_parts(space, external_id)?;
        if !seen.insert((space, external_id)) {
            return Err(Refusal::invalid(format!(
                "items: the instance '{space}:{external_id}' is given more than once"
            )));
        }
        if call.tally.wants_keys() {
            let label = format!("instance:{space}/{external_id}");
            call.tally.keys.push(label);
        }
    }
    if items
        .iter()
        .any(|item| item.sources.as_ref().is_some_and(Vec::is_empty))
    {
        return Err(Refusal::invalid("sources: at least 1 is required"));
    }
    let now_ms = clock::now_ms();
    let written = items
        .iter()
        .map(|item| Written {
            instance_type: item.instance_type,
            space: &item.space,
            external_id: &item.external_id,
            version: 1,
            was_modified: true,
            created_time: now_ms,
            last_updated_time: now_ms,
        })
        .collect();
    Ok(Answer::json(
        200,
        &Applied {
            items: written,
            deleted: [],
        },
    ))
}
