//! CDF as a peer: who we are there, what we send, how we read its answers.
//!
//! Owns identities and credentials, encoders, endpoints, error classification and the series
//! directory. Promises that credentials never reach a log or an error. Never batches, paces
//! or retries: the pipeline decides that.

mod answer;
mod classify;
mod client;
mod encode;
mod failure;
mod found;
mod http_date;
mod identity;
mod live_limits;
mod missing_target;
mod operation;
mod percent;
mod present;
mod read_back;
mod reasons;
mod redaction;
mod request;
mod required_access;
mod series;
mod series_directory;
mod series_nodes;
mod session_credentials;
mod session_exchange;
mod settle;
mod standing;
mod token_endpoint;
mod token_fetch;
mod token_inspection;
mod token_slot;
mod tokens;
mod transport;
mod unanswered;
mod view_definition;
mod view_properties;
mod writing_term;

pub use client::CdfClient;
pub use encode::{encode, encode_found, instance_names};
pub use failure::{AttemptFailure, Reference, Throttle};
pub use found::{Found, FoundKeys, InstanceName};
pub use identity::{Credentials, Identity, IdentityOfUser, Project, Secret};
pub use operation::Operation;
pub use present::{
    POINT_QUESTIONS_MAX, POINTS_PER_ANSWER_MAX, PointQuestion, PresentPage, ROWS_PER_ANSWER_MAX,
    RowQuestion,
};
pub use read_back::{CurrentPoint, DatapointDigest, POINTS_MAX, RawDigest};
pub use request::{EncodeError, EncodedRequest, Repeat};
pub use required_access::RequiredAccess;
pub use series_directory::{SeriesDirectory, SeriesFacts, SeriesStatus};
pub use session_credentials::SessionCredentials;
pub use session_exchange::{RedeemFault, RedeemedSession};
pub use settle::SettledCreates;
pub use standing::Standing;
pub use token_inspection::TokenInspection;
pub use tokens::{Denials, SessionKeys, TokenCache};
pub(crate) use transport::{Transport, install_crypto, is_local};
pub use view_definition::ViewFault;
pub use view_properties::ViewProperties;
pub use writing_term::WritingTerm;
