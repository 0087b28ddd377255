//! An engine on a server: a copy of a template, which one link has for itself.
//!
//! Owns the database, until dropped. Promises that it is taken away then, whatever runs in it. Never is
//! shared between users.

use super::keeper::Kept;
use super::template::Template;
use crate::engine::dressing::literal;
use crate::engine::running::{Engine, EngineSize};
use std::sync::Arc;

/// A database that somebody uses.
#[derive(Debug)]
pub(in crate::engine) struct ExternalEngine {
    name: String,
    kept: Arc<Kept>,
    /// Held, so that it stays as long as there is a copy.
    _template: Arc<Template>,
}

impl ExternalEngine {
    pub(super) fn new(name: String, template: Arc<Template>, kept: Arc<Kept>) -> Self {
        ExternalEngine {
            name,
            kept,
            _template: template,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for ExternalEngine {
    fn drop(&mut self) {
        self.kept.is_gone(std::mem::take(&mut self.name));
    }
}

impl Engine for ExternalEngine {
    /// Its connection tells.
    fn is_up(&mut self) -> bool {
        true
    }

    fn size(&self) -> Arc<dyn EngineSize> {
        Arc::new(ExternalSize {
            name: self.name.clone(),
            kept: self.kept.clone(),
        })
    }
}

/// What measures one.
#[derive(Debug)]
struct ExternalSize {
    name: String,
    kept: Arc<Kept>,
}

#[async_trait::async_trait]
impl EngineSize for ExternalSize {
    /// The server's memory is its own to bound.
    fn memory_bytes(&self) -> Option<u64> {
        Some(0)
    }

    async fn disk_bytes(&self) -> u64 {
        let sql = format!(
            "SELECT pg_catalog.pg_database_size({})",
            literal(&self.name)
        );
        let rows = self.kept.run(&sql).await.unwrap_or_default();
        let bytes = rows.first().and_then(|row| row.first());
        bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
    }
}
