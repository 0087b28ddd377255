//! One capability of a group: an ACL, its actions and its scope.
//!
//! Owns how it is read and checked. What the client sent is kept as it is and shown again.

use super::acl;
use super::scope::Scope;
use crate::emulator::answer::Refusal;
use serde_json::{Value, json};

/// A capability.
#[derive(Debug, Clone, PartialEq)]
pub struct Capability {
    name: String,
    actions: Vec<String>,
    pub scope: Scope,
    /// As it was sent.
    pub sent: Value,
}

/// Beside the ACL, the only member that a capability may have.
const PROJECTS: &str = "projectUrlNames";

impl Capability {
    /// Reads `{"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}}`.
    pub fn read(sent: Value) -> Result<Self, Refusal> {
        let refused = |what: String| Refusal::invalid(format!("capabilities: {what}"));
        let members = sent.as_object();
        let mut acls = members
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != PROJECTS);
        let (Some((name, content)), None) = (acls.next(), acls.next()) else {
            return Err(refused("each has to name exactly one ACL".to_owned()));
        };
        let known = acl::actions(name)
            .ok_or_else(|| refused(format!("there is no capability '{name}'")))?;
        let given = content.get("actions").and_then(Value::as_array);
        let given = given.ok_or_else(|| refused(format!("{name}: actions are missing")))?;
        let mut actions = Vec::with_capacity(given.len());
        for action in given {
            let action = action.as_str().unwrap_or_default().to_ascii_uppercase();
            if !known.contains(&action.as_str()) {
                return Err(refused(format!("{name} has no action '{action}'")));
            }
            actions.push(action);
        }
        let scope = content
            .get("scope")
            .ok_or_else(|| refused(format!("{name}: the scope is missing")))?;
        let scope = Scope::read(scope).map_err(|what| refused(format!("{name}: {what}")))?;
        let name = name.clone();
        Ok(Self {
            name,
            actions,
            scope,
            sent,
        })
    }

    /// Everything that an administrator has.
    pub fn of_administrators() -> Vec<Self> {
        acl::administration()
            .map(|(name, actions)| Self {
                name: name.to_owned(),
                actions: actions.iter().map(|action| (*action).to_owned()).collect(),
                scope: Scope::All,
                sent: json!({name: {"actions": actions, "scope": {"all": {}}}}),
            })
            .collect()
    }

    /// Whether it allows the action, somewhere.
    pub fn allows(&self, acl: &str, action: &str) -> bool {
        self.name.eq_ignore_ascii_case(acl) && self.actions.iter().any(|known| known == action)
    }
}
