//! References from one object to others: do they exist?
//!
//! Owns the words in which CDF refuses unknown ones, and which form of reference a resource
//! takes.

use super::found::Found;
use super::kind::ObjectKind;
use super::schema::Schema;
use super::{ITEMS_MAX, Objects};
use crate::emulator::answer::Refusal;
use crate::emulator::json;
use crate::emulator::project::Project;
use crate::emulator::reference::{Reference, ReferenceList};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Refuses references to data sets, assets and labels that do not exist.
pub fn check_found(project: &Project, found: &Found) -> Result<(), Refusal> {
    let objects = &project.objects;
    objects.check_data_sets(found.data_sets.iter().copied())?;
    objects.check_assets(found.assets.iter().copied())?;
    let labels = objects.of(ObjectKind::Labels).read();
    let missing = found
        .labels
        .iter()
        .filter(|label| labels.find_named(label).is_none())
        .map(|label| json!({"externalId": label}))
        .collect();
    refuse_unknown("Label ids not found", missing)
}

fn refuse_unknown(message: &str, missing: Vec<Value>) -> Result<(), Refusal> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(unknown(message, missing))
}

/// The 400 for references that nothing answers to.
pub fn unknown(message: &str, missing: Vec<Value>) -> Refusal {
    Refusal::UnknownReferences {
        message: message.to_owned(),
        missing,
    }
}

impl Objects {
    /// Refuses ids of data sets that do not exist, in CDF's words.
    pub fn check_data_sets(&self, ids: impl Iterator<Item = i64>) -> Result<(), Refusal> {
        let known = self.of(ObjectKind::DataSets).read();
        let mut unknown: Vec<i64> = ids.filter(|id| known.get(*id).is_none()).collect();
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

    /// Refuses ids of assets that do not exist, in CDF's words.
    pub fn check_assets(&self, ids: impl Iterator<Item = i64>) -> Result<(), Refusal> {
        let known = self.of(ObjectKind::Assets).read();
        let unknown: BTreeSet<i64> = ids.filter(|id| known.get(*id).is_none()).collect();
        let missing = unknown.iter().map(|id| json!({"id": id})).collect();
        refuse_unknown("Asset ids not found", missing)
    }

    /// The id behind a reference.
    pub fn id_of(&self, kind: ObjectKind, reference: &Reference) -> Option<i64> {
        self.of(kind).read().find(reference).map(|object| object.id)
    }
}

impl Schema {
    /// Refuses references of a form that the resource does not have.
    pub fn check_reference(&self, reference: &Reference) -> Result<(), Refusal> {
        match reference {
            Reference::ExternalId(_) => Ok(()),
            Reference::Id(_) if !self.keyed_by_external_id => Ok(()),
            Reference::Id(_) => Err(Refusal::invalid(format!(
                "{} have no id; name them by externalId",
                self.plural
            ))),
            Reference::InstanceId(_) => Err(Refusal::invalid(format!(
                "{} have no instanceId here",
                self.plural
            ))),
        }
    }

    /// Reads the body of `byids` and `delete`: the references, and whether unknown ones are
    /// to be ignored.
    pub fn read_references(&self, body: &[u8]) -> Result<(Vec<Reference>, bool), Refusal> {
        let list = json::read_object::<ReferenceList>(body)?;
        let (references, ignore_unknown) = list.check(self.plural, ITEMS_MAX)?;
        references
            .iter()
            .try_for_each(|reference| self.check_reference(reference))?;
        Ok((references, ignore_unknown))
    }
}
