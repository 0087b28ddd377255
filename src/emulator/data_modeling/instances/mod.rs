//! Nodes and edges.
//!
//! `instance` owns what one is, `store` all of a project, `given` what requests carry,
//! `staging` the changes of one request before any of them is made (with `merge` for
//! values, `relations` for what they point to and `constraints` for what containers
//! demand), `apply` and `removal` the calls that change, `reading` and `listing` those
//! that read (with `filter`, `filter_reading`, `property` and `order`), `series` the time
//! series that come along, `sink` the writes that are not kept.

mod apply;
mod constraints;
mod filter;
mod filter_reading;
mod given;
mod instance;
mod listing;
mod merge;
mod order;
mod property;
mod reading;
mod relations;
mod removal;
mod series;
mod sink;
mod staging;
mod store;

pub use apply::apply;
pub use filter_reading::check_view_filter;
pub use listing::list;
pub use reading::by_ids;
pub use removal::delete;
pub use store::Instances;

/// Most nodes and edges per call, written, deleted or read.
const ITEMS_MAX: usize = 1_000;
/// Most views that a call reads properties through.
const SOURCES_READ_MAX: usize = 10;
