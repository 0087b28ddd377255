//! `POST /models/instances/list`: filtered, sorted pages of nodes or of edges.
//!
//! Owns the request and the paging. A cursor is the place of the last instance of its
//! page, so that instances written in between never shift a page.

use super::super::body;
use super::filter::Filter;
use super::instance::{Instance, InstanceType};
use super::order::{GivenKey, Place, Sort};
use super::reading::{GivenView, Views, page};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::cursor;
use crate::emulator::reference::InstanceId;
use serde::Deserialize;
use serde_json::Value;

/// What a page has by default and at most.
const LIMIT_MAX: i64 = 1_000;
const CURSOR: &str = "models.instances";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListRequest {
    instance_type: Option<InstanceType>,
    sources: Option<Vec<GivenView>>,
    filter: Option<Value>,
    sort: Option<Vec<GivenKey>>,
    limit: Option<i64>,
    cursor: Option<String>,
    include_typing: Option<bool>,
}

/// Lists nodes, unless edges are asked for.
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ListRequest = body(call)?;
    let limit = request.limit.unwrap_or(LIMIT_MAX);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Refusal::invalid(format!(
            "limit: must be from 1 to {LIMIT_MAX}, got {limit}"
        )));
    }
    let limit = usize::try_from(limit).unwrap_or(1);
    let after: Option<(Place, InstanceId)> = request
        .cursor
        .map(|text| cursor::decode(CURSOR, &text))
        .transpose()?;
    let model = call.project.model.read();
    let views = Views::open(&model.schema, request.sources)?;
    let filter = match &request.filter {
        Some(filter) => Filter::read(&model.schema, filter)?,
        None => Filter::All,
    };
    let sort = Sort::read(&model.schema, request.sort.unwrap_or_default())?;
    let instance_type = request.instance_type.unwrap_or_default();
    let wanted = |instance: &&Instance| {
        instance.instance_type() == instance_type
            && call.sees_space(&instance.id.space)
            && views.let_through(&model, instance)
            && filter.holds(&model.instances, instance)
    };
    // One more than the page shows whether there is a next one.
    let mut found: Vec<&Instance> = if sort.is_empty() {
        let start = after.as_ref().map(|(_, id)| id);
        let rest = model.instances.after(start);
        rest.filter(wanted).take(limit + 1).collect()
    } else {
        sorted(model.instances.iter().filter(wanted), &sort, after.as_ref())
    };
    let next_cursor = (found.len() > limit)
        .then(|| found.get(limit - 1))
        .flatten()
        .map(|last| cursor::encode(CURSOR, &(sort.place(last), &last.id)));
    found.truncate(limit);
    let shown: Vec<Value> = found.into_iter().map(|one| views.show(one)).collect();
    let typing = request
        .include_typing
        .unwrap_or(false)
        .then(|| views.typing(&model.schema));
    call.tally.items = shown.len() as u64;
    Ok(page(shown, typing, next_cursor))
}

fn sorted<'m>(
    found: impl Iterator<Item = &'m Instance>,
    sort: &Sort,
    after: Option<&(Place, InstanceId)>,
) -> Vec<&'m Instance> {
    let mut placed: Vec<(Place, &Instance)> = found
        .map(|instance| (sort.place(instance), instance))
        .filter(|(place, instance)| {
            after.is_none_or(|(last, id)| {
                sort.compare(place, last)
                    .then_with(|| instance.id.cmp(id))
                    .is_gt()
            })
        })
        .collect();
    placed.sort_by(|(a, one), (b, other)| sort.compare(a, b).then_with(|| one.id.cmp(&other.id)));
    placed.into_iter().map(|(_, instance)| instance).collect()
}
