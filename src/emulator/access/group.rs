//! Groups: who is in one, and what they carry.
//!
//! Owns the fields of a group, their limits and its membership. A group is never changed:
//! one is made and the old one deleted, as in CDF.

use super::capability::Capability;
use crate::emulator::answer::Refusal;
use crate::emulator::identity::{ADMIN_GROUP, Principal};
use crate::emulator::metadata::{self, Metadata, MetadataLimits};
use crate::emulator::reference::{ID_MAX, check_chars};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

const NAME_CHARS_MAX: usize = 255;
const APPLICATIONS_MAX: usize = 255;
const MEMBERS_MAX: usize = 100;
const METADATA: MetadataLimits = MetadataLimits {
    value_bytes_max: 512,
    total_bytes_max: 4_096,
};

/// What a client sends to create a group, and what is kept of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewGroup {
    pub name: String,
    /// The id of the group at the identity provider: its members are members here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// The group's name there; a text that says nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_name: Option<String>,
    #[serde(default, skip_serializing)]
    pub capabilities: Option<Vec<Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Members>,
}

/// What a token has to say besides.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attributes {
    token: Option<TokenAttributes>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenAttributes {
    /// The applications that the group counts for; all when absent.
    app_ids: Option<Vec<String>>,
}

/// Members that CDF itself knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Members {
    /// `allUserAccounts`
    All(String),
    Listed(Vec<String>),
}

/// A group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    pub id: i64,
    #[serde(flatten)]
    given: NewGroup,
    #[serde(serialize_with = "as_sent")]
    pub capabilities: Vec<Capability>,
    is_deleted: bool,
    /// -1 stands for never.
    deleted_time: i64,
}

fn as_sent<S: serde::Serializer>(
    capabilities: &[Capability],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(capabilities.iter().map(|capability| &capability.sent))
}

impl Group {
    /// The group that `new` asks for.
    pub fn create(mut new: NewGroup) -> Result<Self, Refusal> {
        if new.name.is_empty() {
            return Err(Refusal::invalid("name: must not be empty"));
        }
        check_chars("name", &new.name, NAME_CHARS_MAX)?;
        if let Some(pairs) = &new.metadata {
            metadata::check(pairs, METADATA)?;
        }
        if new.source_id.as_deref().is_some_and(|id| !id.is_empty()) && new.members.is_some() {
            return Err(Refusal::invalid(
                "A group has either a sourceId or members, not both",
            ));
        }
        match &new.members {
            Some(Members::All(text)) if text != "allUserAccounts" => {
                return Err(Refusal::invalid(
                    "members: expected allUserAccounts or a list of principals",
                ));
            }
            Some(Members::Listed(list)) if list.len() > MEMBERS_MAX => {
                return Err(Refusal::invalid(format!(
                    "members: at most {MEMBERS_MAX} are allowed, got {}",
                    list.len()
                )));
            }
            _ => {}
        }
        if let Some(ids) = application_ids(&new)
            && !(1..=APPLICATIONS_MAX).contains(&ids.len())
        {
            return Err(Refusal::invalid(format!(
                "attributes.token.appIds: 1 to {APPLICATIONS_MAX} are allowed, got {}",
                ids.len()
            )));
        }
        let capabilities = new.capabilities.take().unwrap_or_default();
        Ok(Self::with(
            new,
            capabilities
                .into_iter()
                .map(Capability::read)
                .collect::<Result<_, _>>()?,
        ))
    }

    fn with(given: NewGroup, capabilities: Vec<Capability>) -> Self {
        Self {
            id: (rand::random::<i64>() & ID_MAX).max(1),
            given,
            capabilities,
            is_deleted: false,
            deleted_time: -1,
        }
    }

    /// Whether the token makes its holder a member.
    fn has(&self, principal: &Principal) -> bool {
        let source = self.given.source_id.as_deref().filter(|id| !id.is_empty());
        let is_member = match (&self.given.members, source) {
            (Some(Members::All(_)), _) => principal.upn.is_some(),
            (Some(Members::Listed(list)), _) => {
                list.contains(&principal.object_id) || list.contains(&principal.subject)
            }
            (None, Some(source)) => principal.groups.iter().any(|group| group == source),
            (None, None) => false,
        };
        is_member
            && application_ids(&self.given).is_none_or(|ids| ids.contains(&principal.client_id))
    }
}

fn application_ids(group: &NewGroup) -> Option<&Vec<String>> {
    group.attributes.as_ref()?.token.as_ref()?.app_ids.as_ref()
}

/// The groups of one project.
#[derive(Debug, Default)]
pub struct GroupStore {
    groups: RwLock<BTreeMap<i64, Arc<Group>>>,
}

impl GroupStore {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<i64, Arc<Group>>> {
        // Whole groups are inserted and removed: a panic leaves none half written.
        self.groups.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<i64, Arc<Group>>> {
        self.groups.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, groups: Vec<Group>) -> Vec<Arc<Group>> {
        let mut all = self.write();
        let add = |group: Group| {
            let group = Arc::new(group);
            all.insert(group.id, Arc::clone(&group));
            group
        };
        groups.into_iter().map(add).collect()
    }

    /// The group whose members may do everything.
    pub fn add_administrators(&self) {
        let given = NewGroup {
            name: "Administrators".to_owned(),
            source_id: Some(ADMIN_GROUP.to_owned()),
            ..NewGroup::default()
        };
        self.add(vec![Group::with(given, Capability::of_administrators())]);
    }

    pub fn all(&self) -> Vec<Arc<Group>> {
        self.read().values().cloned().collect()
    }

    /// The groups that a principal is in.
    pub fn of(&self, principal: &Principal) -> Vec<Arc<Group>> {
        let groups = self.read();
        let own = groups.values().filter(|group| group.has(principal));
        own.cloned().collect()
    }

    /// Deletes groups, all or none; the ids that are not there otherwise.
    pub fn delete(&self, ids: &[i64]) -> Result<(), Vec<i64>> {
        let mut groups = self.write();
        let unknown: Vec<i64> = ids
            .iter()
            .copied()
            .filter(|id| !groups.contains_key(id))
            .collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        for id in ids {
            groups.remove(id);
        }
        Ok(())
    }

    pub fn clear(&self) {
        self.write().clear();
    }
}
