//! What a handler asks about the rights of its caller.
//!
//! Owns the questions on single series, objects, tables and spaces. Without enforcement
//! everything is within reach.

use super::ProjectAccess;
use super::needs::{Need, READ_INSTANCES, WRITE_INSTANCES, forbidden, needs};
use crate::emulator::answer::Refusal;
use crate::emulator::call::Call;
use crate::emulator::time_series::Series;
use serde_json::Value;
use std::sync::Arc;

impl Call<'_> {
    /// The groups and sessions of the project.
    pub fn access(&self) -> Arc<ProjectAccess> {
        self.emulator.access.project(&self.names.project)
    }

    fn need(&self) -> Option<Need> {
        needs(self.asker.operation)
    }

    /// Whether the caller may do what it asks for with an object.
    pub fn reaches_object(&self, id: i64, data_set_id: Option<i64>) -> bool {
        let (Some(rights), Some(need)) = (self.rights, self.need()) else {
            return true;
        };
        rights.with_object(need, Some(id), data_set_id)
    }

    /// The same for an object by its fields.
    pub fn reaches_fields(&self, id: i64, fields: &serde_json::Map<String, Value>) -> bool {
        self.reaches_object(id, fields.get("dataSetId").and_then(Value::as_i64))
    }

    /// The same for a series, which the capabilities of data modeling open as well when it
    /// belongs to a node.
    pub fn check_series(&self, series: &Series) -> Result<(), Refusal> {
        let (Some(rights), Some(need)) = (self.rights, self.need()) else {
            return Ok(());
        };
        let of_instances = if need.action == "READ" {
            READ_INSTANCES
        } else {
            WRITE_INSTANCES
        };
        let description = series.description();
        let by_node = description
            .instance_id
            .as_ref()
            .is_some_and(|id| rights.in_space(of_instances, &id.space));
        if by_node || rights.with_object(need, Some(series.id), description.data_set_id) {
            Ok(())
        } else {
            Err(forbidden(need))
        }
    }

    /// Whether the caller sees a table, or with `None` any of a database.
    pub fn sees_table(&self, database: &str, table: Option<&str>) -> bool {
        let (Some(rights), Some(need)) = (self.rights, self.need()) else {
            return true;
        };
        match table {
            Some(_) => rights.with_table(need, database, table),
            None => rights.in_database(need, database),
        }
    }

    /// Whether the caller sees what is in a space.
    pub fn sees_space(&self, space: &str) -> bool {
        let (Some(rights), Some(need)) = (self.rights, self.need()) else {
            return true;
        };
        rights.in_space(need, space) || space.starts_with("cdf_")
    }
}
