//! What the pool needs to know of an engine that is up, whatever runs it.
//!
//! Owns the seam between the pool and the kinds of engines. Promises that dropping an engine ends
//! whatever it was doing. Never speaks to it: that is the link's.

use std::fmt::Debug;
use std::sync::Arc;

/// An engine that is up; dropped, it ends, with all that is in it.
pub(super) trait Engine: Debug + Send {
    /// Whether it has not ended by itself.
    fn is_up(&mut self) -> bool;

    /// What measures it, also while it runs a statement.
    fn size(&self) -> Arc<dyn EngineSize>;
}

/// How much of the machine an engine takes.
#[async_trait::async_trait]
pub(super) trait EngineSize: Debug + Send + Sync {
    /// Bytes of memory that it uses now; `None` when it is gone.
    fn memory_bytes(&self) -> Option<u64>;

    /// Bytes of disk that it takes now; what cannot be measured counts for nothing.
    async fn disk_bytes(&self) -> u64;
}
