//! Which time series a datapoint belongs to, as its writer named it.
//!
//! Owns the reference and its hash. Promises that equal references have equal hashes for
//! the life of the process. Never knows whether the series exists: that is CDF's to say.

use std::hash::{BuildHasher, Hash};
use std::sync::LazyLock;

/// One seed for the process: hashes are compared across connections.
static HASHER: LazyLock<foldhash::quality::RandomState> =
    LazyLock::new(foldhash::quality::RandomState::default);

/// How a writer named a series.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SeriesReference {
    /// CDF's internal id, 1 to 2^53 - 1.
    Id(i64),
    /// Up to 255 characters.
    ExternalId(Box<str>),
    /// The node that the series is.
    InstanceId(Box<InstanceName>),
}

/// What names an instance of data modeling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstanceName {
    /// Up to 43 characters.
    pub space: Box<str>,
    /// Up to 255 characters.
    pub external_id: Box<str>,
}

impl SeriesReference {
    /// The series that is this node.
    pub fn instance(space: &str, external_id: &str) -> Self {
        SeriesReference::InstanceId(Box::new(InstanceName {
            space: space.into(),
            external_id: external_id.into(),
        }))
    }
}

/// A reference with its hash, shared by all batches that write to the series.
#[derive(Debug, PartialEq, Eq)]
pub struct SeriesKey {
    reference: SeriesReference,
    hash: u64,
}

impl SeriesKey {
    pub fn new(reference: SeriesReference) -> Self {
        let hash = HASHER.hash_one(&reference);
        SeriesKey { reference, hash }
    }

    pub fn reference(&self) -> &SeriesReference {
        &self.reference
    }

    /// Stands for the reference where keys in flight are compared; two references with one
    /// hash only wait for each other without need.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

/// Hash of any other key (RAW key, external id), by the same seed.
pub fn hash_key<K: Hash + ?Sized>(key: &K) -> u64 {
    HASHER.hash_one(key)
}
