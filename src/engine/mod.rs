//! The cold road: a PostgreSQL that runs what the gateway does not run itself.
//!
//! Owns the engines, each a PostgreSQL of its own that looks like the database of one user, with
//! the gateway's tables, empty. Promises that a statement meets PostgreSQL unchanged, that nothing
//! of one user is ever seen by another, and that a statement can be ended from outside. Never
//! writes to CDF, and keeps no row of CDF after the statement, or the cursor, that needed it.

mod answer_spool;
mod answers;
mod bounds;
mod canceller;
mod change_log;
#[cfg(feature = "embedded-postgres")]
mod child;
mod distinct;
mod dressing;
mod embedded;
mod external;
mod fault;
mod fickle;
mod files;
mod frame;
mod link;
mod overlay;
mod places;
mod pool;
mod possessions;
mod powers;
mod question;
mod record_text;
mod relations;
mod running;
mod session_facts;
mod socket;
mod spares;
mod workshop;

pub use answer_spool::AnswerSpool;
pub use answers::{Answer, Asked, CatalogAnswers, QuestionKey, Recording};
pub use canceller::Canceller;
pub use change_log::{ChangeLog, LoggedChange, LoggedTable};
#[cfg(feature = "embedded-postgres")]
pub use child::serve;
pub use distinct::distinct_texts;
pub use dressing::{Dressing, identifier, literal};
pub use external::{Server, ServerFault};
pub use fault::EngineFault;
pub use fickle::{Fickle, means_the_present};
pub use frame::Frame;
pub use link::{EngineLink, TextRow};
pub use overlay::OverlayStep;
pub use pool::{Engines, Lease};
pub use possessions::Possessions;
pub use powers::Powers;
pub use question::{Description, Question, describe};
pub use relations::{PlannedChange, PlannedOperation, Relation, Relations};
pub use session_facts::SESSION_FACTS;

/// What a child process says once it can be connected to.
const READY: &str = "ready";

/// Whether this build has the embedded PostgreSQL.
const IS_BUILT_IN: bool = cfg!(feature = "embedded-postgres");
