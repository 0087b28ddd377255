//! What the calls that change instances carry.
//!
//! Owns the shape of their bodies and the checks that need neither schema nor other
//! instances.

use super::super::identifier::{Source, check_instance, instance_name};
use super::super::in_envelope;
use super::ITEMS_MAX;
use super::instance::{Ends, InstanceType};
use crate::emulator::answer::Refusal;
use crate::emulator::call::Call;
use crate::emulator::checksum;
use crate::emulator::json::{read, read_object, refusal};
use crate::emulator::reference::InstanceId;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Most views and containers that one item writes to.
const SOURCES_MAX: usize = 100;

/// The body of `POST /models/instances`, with its items still as text: they are summed up
/// as they were sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplyRequest<'a> {
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    delete: Option<Vec<&'a RawValue>>,
    auto_create_direct_relations: Option<bool>,
    auto_create_start_nodes: Option<bool>,
    auto_create_end_nodes: Option<bool>,
    skip_on_version_conflict: Option<bool>,
    replace: Option<bool>,
}

impl<'a> ApplyRequest<'a> {
    /// Reads the outline of a body, counts its items against the budgets and sums them up.
    pub fn take_in(call: &mut Call<'_>, body: &'a [u8]) -> Result<Self, Refusal> {
        let request: Self = read_object(body).map_err(in_envelope)?;
        let both = [&request.items, &request.delete];
        let all = || both.into_iter().flatten().flatten();
        call.tally.items = all().count() as u64;
        call.consume(call.tally.items, 0)?;
        check_count(all().count())?;
        for item in all() {
            let hash = checksum::object(item.get()).map_err(|error| refusal(&error.to_string()))?;
            call.tally.items_sum = call.tally.items_sum.wrapping_add(hash);
        }
        Ok(request)
    }

    /// What it writes.
    pub fn items<T: Deserialize<'a>>(&self) -> Result<Vec<T>, Refusal> {
        read_each(self.items.iter().flatten())
    }

    /// What it deletes.
    pub fn deletions<T: Deserialize<'a>>(&self) -> Result<Vec<T>, Refusal> {
        read_each(self.delete.iter().flatten())
    }

    /// Its flags, with what they are when they are not given.
    pub fn options(&self) -> Options {
        Options {
            makes_targets: self.auto_create_direct_relations.unwrap_or(true),
            makes_start_nodes: self.auto_create_start_nodes.unwrap_or(false),
            makes_end_nodes: self.auto_create_end_nodes.unwrap_or(false),
            skips_conflicts: self.skip_on_version_conflict.unwrap_or(false),
            replaces: self.replace.unwrap_or(false),
        }
    }
}

fn read_each<'a: 'i, 'i, T: Deserialize<'a>>(
    items: impl Iterator<Item = &'i &'a RawValue>,
) -> Result<Vec<T>, Refusal> {
    items
        .map(|item| read(item.get().as_bytes()).map_err(in_envelope))
        .collect()
}

/// Checks how many instances a call writes and deletes.
fn check_count(count: usize) -> Result<(), Refusal> {
    if (1..=ITEMS_MAX).contains(&count) {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "items: has to be from 1 to {ITEMS_MAX} instances, got {count}"
    )))
}

/// How instances are written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Make the missing targets of direct relations.
    pub makes_targets: bool,
    pub makes_start_nodes: bool,
    pub makes_end_nodes: bool,
    /// Leave out items that are older than what is there.
    pub skips_conflicts: bool,
    /// Reset the properties that are not given.
    pub replaces: bool,
}

/// Values for one view or container.
#[derive(Debug, Deserialize)]
pub struct GivenSource {
    pub source: Source,
    #[serde(default)]
    pub properties: Option<Map<String, Value>>,
}

/// A node or an edge to be written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenInstance {
    #[serde(default)]
    pub instance_type: InstanceType,
    space: String,
    external_id: String,
    pub existing_version: Option<i64>,
    #[serde(rename = "type")]
    pub relation_type: Option<InstanceId>,
    start_node: Option<InstanceId>,
    end_node: Option<InstanceId>,
    pub sources: Option<Vec<GivenSource>>,
}

impl GivenInstance {
    pub fn id(&self) -> InstanceId {
        InstanceId {
            space: self.space.clone(),
            external_id: self.external_id.clone(),
        }
    }

    /// The ends of an edge; `None` for a node.
    pub fn ends(&self) -> Option<Ends> {
        Some(Ends {
            start: self.start_node.clone()?,
            end: self.end_node.clone()?,
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        let id = self.id();
        check_instance(&id)?;
        let relations = [&self.relation_type, &self.start_node, &self.end_node];
        relations
            .into_iter()
            .flatten()
            .try_for_each(check_instance)?;
        match self.instance_type {
            InstanceType::Edge if relations.iter().any(|relation| relation.is_none()) => {
                return Err(Refusal::invalid(format!(
                    "Edge '{}': type, startNode and endNode are required",
                    instance_name(&id)
                )));
            }
            InstanceType::Node if self.start_node.is_some() || self.end_node.is_some() => {
                return Err(Refusal::invalid(format!(
                    "Node '{}': only edges have a startNode and an endNode",
                    instance_name(&id)
                )));
            }
            _ => {}
        }
        match &self.sources {
            Some(sources) if !(1..=SOURCES_MAX).contains(&sources.len()) => {
                Err(Refusal::invalid(format!(
                    "sources: has to be from 1 to {SOURCES_MAX}, got {}",
                    sources.len()
                )))
            }
            _ => Ok(()),
        }
    }
}

/// A node or an edge to be deleted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenDeletion {
    pub instance_type: InstanceType,
    space: String,
    external_id: String,
    pub existing_version: Option<i64>,
}

impl GivenDeletion {
    pub fn id(&self) -> InstanceId {
        InstanceId {
            space: self.space.clone(),
            external_id: self.external_id.clone(),
        }
    }
}

/// Checks what a call writes and deletes: how many, the identifiers, none twice.
pub fn check(items: &[GivenInstance], deletions: &[GivenDeletion]) -> Result<(), Refusal> {
    let count = items.len() + deletions.len();
    check_count(count)?;
    let mut seen = HashSet::with_capacity(count);
    items.iter().try_for_each(GivenInstance::check)?;
    for id in deletions.iter().map(GivenDeletion::id) {
        check_instance(&id)?;
        check_once(&mut seen, id)?;
    }
    items
        .iter()
        .try_for_each(|item| check_once(&mut seen, item.id()))
}

fn check_once(seen: &mut HashSet<InstanceId>, id: InstanceId) -> Result<(), Refusal> {
    let name = instance_name(&id);
    if seen.insert(id) {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "items: the instance '{name}' is given more than once"
    )))
}
