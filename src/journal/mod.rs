//! The journal: rows that are acknowledged once they are safe on this machine's disk.
//!
//! Owns the files, the two threads that write and deliver, and the order between rows of both
//! modes of acknowledgement. Promises that every row it has acknowledged is delivered, or handed
//! to the keeper of rejected rows, or named in a report of damage; across crashes, full disks
//! and outages of CDF. Never acknowledges a row before the disk has said that it is safe.
//!
//! ```text
//! connection ─ Entry ─▶ writer ─ write, sync ─▶ segments ─▶ feeder ─ Submission ─▶ pipeline
//!     ▲                   │  └── from memory, when nothing waits ───────────────────▲  │
//!     └──── CommandComplete                       ▲                                   │
//!                                             positions ◀──── verdicts ───────────────┘
//! ```

mod appender;
#[cfg(test)]
mod appender_tests;
pub mod batch_codec;
pub mod disk;
mod door;
mod entry;
pub mod envelope;
mod feed_record;
mod feeder;
mod fields;
mod lock;
mod parked;
mod point_codec;
mod point_fields;
pub mod positions;
mod principals;
mod progress;
mod quarantine;
mod reader;
pub mod record;
mod record_in_flight;
#[cfg(test)]
mod record_tests;
pub mod recovery;
mod rejected_file;
mod rejection;
mod rule_principals;
pub mod segment;
mod segment_list;
mod settled;
mod space;
mod store;
mod stream;
mod stream_holds;
mod write_path;
mod writer;

pub use door::{Journal, JournalDepth, JournalError, JournalParts, PARKED};
pub use lock::DirectoryLock;
pub use principals::{Principals, UserPrincipals};
pub use quarantine::set_aside;
pub use rejected_file::RejectedFile;
pub use rule_principals::RulePrincipals;
pub use space::Room;
pub use write_path::WritePath;
