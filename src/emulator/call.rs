//! One request as a handler sees it.
//!
//! Owns what `service` has found out (project, identity, names in the path, decoded body)
//! and the tally that the handler fills. Never touches a socket.

use super::access::Rights;
use super::answer::Refusal;
use super::identity::Principal;
use super::project::Project;
use super::query::Query;
use super::route::PathNames;
use super::sink::StreamedPoints;
use super::state::Emulator;
use super::throttle::{Asker, Consumption};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Keys that the request log keeps per request.
const KEYS_LOGGED_MAX: usize = 16;

/// What a request carries: filled while it is checked, counted when it is committed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tally {
    /// Elements of `items`; for datapoints these are the series.
    pub items: u64,
    pub points: u64,
    pub rows: u64,
    /// The first 16 series references or row keys.
    pub keys: Vec<String>,
    /// Time range of the datapoints in ms, both ends included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_min: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_max: Option<i64>,
    /// Checksums, see [`checksum`](super::checksum).
    #[serde(skip)]
    pub points_sum: u64,
    #[serde(skip)]
    pub rows_sum: u64,
    /// Of the items of a write that carries neither points nor RAW rows.
    #[serde(skip)]
    pub items_sum: u64,
}

impl Tally {
    /// Whether the log still wants keys.
    pub fn wants_keys(&self) -> bool {
        self.keys.len() < KEYS_LOGGED_MAX
    }

    /// Widens the time range to `first..=last`.
    pub fn cover(&mut self, first: i64, last: i64) {
        self.timestamp_min = Some(self.timestamp_min.map_or(first, |min| min.min(first)));
        self.timestamp_max = Some(self.timestamp_max.map_or(last, |max| max.max(last)));
    }
}

/// The body of a request.
pub enum RequestBody {
    /// All of it, decompressed.
    Whole(axum::body::Bytes),
    /// Datapoints that were read while they arrived (sink mode).
    Streamed(Result<StreamedPoints, Refusal>),
}

/// One request.
pub struct Call<'a> {
    pub emulator: &'a Emulator,
    pub project: &'a Project,
    pub asker: &'a Asker,
    /// Whose token was presented; nobody where none is needed.
    pub principal: &'a Principal,
    /// What the caller may do in the project; `None` where nothing is enforced.
    pub rights: Option<&'a Rights>,
    pub names: &'a PathNames,
    pub query: &'a Query,
    pub body: RequestBody,
    /// The address that the client used, as the links in answers name it.
    pub host: &'a str,
    /// `Content-Type` without parameters, lower case; empty when absent.
    pub content_type: &'a str,
    /// `Accept`, lower case; empty when absent.
    pub accept: &'a str,
    /// A fault's bound on the RAW rows to write.
    pub rows_max: Option<usize>,
    pub tally: Tally,
}

impl Call<'_> {
    /// The bytes of the body; a streamed one has none left.
    pub fn bytes(&self) -> axum::body::Bytes {
        match &self.body {
            RequestBody::Whole(bytes) => bytes.clone(),
            RequestBody::Streamed(_) => axum::body::Bytes::new(),
        }
    }

    /// The body as JSON of the shape `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        super::json::read_object(&self.bytes())
    }

    /// Counts `items` against the budgets.
    pub fn consume(&self, items: u64, raw_bytes: u64) -> Result<(), Refusal> {
        let consumption = Consumption { items, raw_bytes };
        self.emulator.throttle.consume(self.asker, consumption)
    }

    /// Whether writes are checked and counted, not stored.
    pub fn sink(&self) -> bool {
        self.emulator.sink
    }
}
