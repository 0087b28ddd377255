//! Whose rows a record holds and where they go.
//!
//! Owns the names in front of a record's rows. Promises that they suffice to find the
//! credentials and the table again after a restart. Never holds a secret.

use super::fields::{Fields, Unreadable, put_text};
use crate::catalog::{self, Resource, Table};
use crate::cdf::{Identity, Project};

/// Stands for the stream of a project and resource in the headers of its records.
pub fn stream_id(project: &Project, resource: Resource) -> u32 {
    hash_names([resource.name(), &project.name, &project.base_url])
}

fn hash_names(names: [&str; 3]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in names {
        hasher.update(part.as_bytes());
        // No name holds this byte, so that no two lists of names read alike.
        hasher.update(&[0xFF]);
    }
    hasher.finalize()
}

/// The names, as they are in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    pub base_url: &'a str,
    pub project: &'a str,
    /// Name of the CDF principal.
    pub identity: &'a str,
    /// The gateway's user.
    pub user: &'a str,
    /// Schema and name, as [`catalog::durable_name`] has them.
    pub schema: &'a str,
    pub table: &'a str,
}

impl<'a> Envelope<'a> {
    /// For rows that `user` writes to `table` as `identity`.
    pub fn of(identity: &'a Identity, user: &'a str, table: &'a Table) -> Self {
        let (schema, table) = catalog::durable_name(table);
        Envelope {
            base_url: &identity.project.base_url,
            project: &identity.project.name,
            identity: &identity.name,
            user,
            schema,
            table,
        }
    }

    /// Appends the names to `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        for name in [
            self.base_url,
            self.project,
            self.identity,
            self.user,
            self.schema,
            self.table,
        ] {
            put_text(bytes, name);
        }
    }

    /// Takes the names from the front.
    ///
    /// # Errors
    /// The bytes hold no such names.
    pub fn decode(fields: &mut Fields<'a>) -> Result<Self, Unreadable> {
        Ok(Envelope {
            base_url: fields.text()?,
            project: fields.text()?,
            identity: fields.text()?,
            user: fields.text()?,
            schema: fields.text()?,
            table: fields.text()?,
        })
    }

    /// The stream that these rows belong to: those of one project and resource.
    pub fn stream_name(&self) -> String {
        let resource = self.table().map_or("", |table| table.resource.name());
        format!("{resource} of {} at {}", self.project, self.base_url)
    }

    /// Stands for that stream in the headers of records.
    pub fn stream_id(&self) -> u32 {
        let resource = self.table().map_or("", |table| table.resource.name());
        hash_names([resource, self.project, self.base_url])
    }

    /// The table, if this version still has it.
    ///
    /// # Errors
    /// It has not.
    pub fn table(&self) -> Result<&'static Table, Unreadable> {
        catalog::by_durable_name(self.schema, self.table)
            .ok_or(Unreadable("its table is not in this version's catalog"))
    }
}
