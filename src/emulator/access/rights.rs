//! What a principal may do in a project.
//!
//! Owns the question whether one of its groups allows something, and where. Made anew for
//! each request, so that a change of groups counts at once.

use super::group::Group;
use super::needs::Need;
use super::scope::Scope;
use std::sync::Arc;

/// The rights of a principal in one project.
#[derive(Debug, Default)]
pub struct Rights {
    groups: Vec<Arc<Group>>,
}

impl Rights {
    pub fn of(groups: Vec<Arc<Group>>) -> Self {
        Self { groups }
    }

    /// Whether it is in no group at all.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    fn scopes(&self, need: Need) -> impl Iterator<Item = &Scope> {
        self.groups
            .iter()
            .flat_map(|group| &group.capabilities)
            .filter(move |capability| capability.allows(need.acl, need.action))
            .map(|capability| &capability.scope)
    }

    /// Whether it may do it somewhere.
    pub fn anywhere(&self, need: Need) -> bool {
        self.scopes(need).next().is_some()
    }

    /// Whether it may do it without a limit.
    pub fn everywhere(&self, need: Need) -> bool {
        self.scopes(need).any(|scope| *scope == Scope::All)
    }

    /// Whether it may do it with an object; a new one has no id yet.
    pub fn with_object(&self, need: Need, id: Option<i64>, data_set_id: Option<i64>) -> bool {
        self.scopes(need)
            .any(|scope| scope.reaches_object(id, data_set_id))
    }

    /// Whether it may do it with the runs of an extraction pipeline.
    pub fn with_runs_of(&self, need: Need, pipeline: i64, data_set_id: Option<i64>) -> bool {
        self.scopes(need).any(|scope| match scope {
            Scope::Pipelines(ids) => ids.contains(&pipeline),
            other => other.reaches_object(None, data_set_id),
        })
    }

    /// Whether it may do it with a table, or with `None` with a database.
    pub fn with_table(&self, need: Need, database: &str, table: Option<&str>) -> bool {
        self.scopes(need)
            .any(|scope| scope.reaches_table(database, table))
    }

    /// Whether it may do it with any table of a database.
    pub fn in_database(&self, need: Need, database: &str) -> bool {
        self.scopes(need)
            .any(|scope| scope.reaches_database(database))
    }

    /// Whether it may do it in a space.
    pub fn in_space(&self, need: Need, space: &str) -> bool {
        self.scopes(need).any(|scope| scope.reaches_space(space))
    }
}
