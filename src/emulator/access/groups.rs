//! The calls on groups.
//!
//! Owns `GET` and `POST /groups` and `POST /groups/delete`. Everybody may list the groups
//! that they are in; all groups are for those who may list groups.

use super::group::{Group, NewGroup};
use super::needs::{Need, forbidden};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::json::check_items;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

const ITEMS_MAX: usize = 1_000;
const LIST: Need = Need::new("groupsAcl", "LIST");

/// `GET /groups`
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let groups = &call.access().groups;
    let listed = if call.query.flag("all", false)? {
        if !call.rights.is_none_or(|rights| rights.everywhere(LIST)) {
            return Err(forbidden(LIST));
        }
        groups.all()
    } else {
        groups.of(call.principal)
    };
    call.tally.items = listed.len() as u64;
    Ok(shown(200, &listed))
}

#[derive(Debug, Deserialize)]
struct CreateRequest {
    items: Vec<NewGroup>,
}

/// `POST /groups`
pub fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = call.json::<CreateRequest>()?.items;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    check_items("groups", items.len(), ITEMS_MAX)?;
    let new = items
        .into_iter()
        .map(Group::create)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(shown(201, &call.access().groups.add(new)))
}

fn shown(status: u16, groups: &[Arc<Group>]) -> Answer {
    let groups: Vec<&Group> = groups.iter().map(Arc::as_ref).collect();
    Answer::items(status, &groups)
}

#[derive(Debug, Deserialize)]
struct DeleteRequest {
    items: Vec<i64>,
}

/// `POST /groups/delete`
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let ids = call.json::<DeleteRequest>()?.items;
    call.tally.items = ids.len() as u64;
    call.consume(call.tally.items, 0)?;
    check_items("groups", ids.len(), ITEMS_MAX)?;
    call.access()
        .groups
        .delete(&ids)
        .map(|()| Answer::empty())
        .map_err(|unknown| Refusal::UnknownReferences {
            message: "Group ids not found".to_owned(),
            missing: unknown.iter().map(|id| json!({ "id": id })).collect(),
        })
}
