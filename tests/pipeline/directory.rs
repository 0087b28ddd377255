//! What a test's sequencer knows of the names and types of time series.

use penstock::cdf::Identity;
use penstock::pipeline::sequencer::SeriesNames;
use penstock::rows::{SeriesKey, SeriesReference};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Series ids that CDF knows under an external id too: id n is series "s{n}".
pub const IDS_WITH_NAME: i64 = 4;

/// The space whose nodes are series with an external id; those of others have none.
pub const SPACE: &str = "plant";

/// What the directory knows; ids become known by look-ups.
#[derive(Default)]
pub struct Directory {
    pub known: Mutex<HashSet<i64>>,
    /// Nodes that have been looked up: node n of space [`SPACE`] is series n.
    pub known_nodes: Mutex<HashSet<String>>,
    /// Series that hold strings, once they have been asked for.
    pub strings: Mutex<Option<HashSet<String>>>,
}

impl SeriesNames for Directory {
    fn canonical_hashes(
        &self,
        _identity: &Identity,
        keys: &[Arc<SeriesKey>],
        _now: Instant,
    ) -> Vec<Option<u64>> {
        let known = self
            .known
            .lock()
            .expect("no test panics while it holds this");
        let nodes = self.known_nodes.lock().expect("as above");
        keys.iter()
            .map(|key| match key.reference() {
                SeriesReference::ExternalId(_) => Some(key.hash()),
                SeriesReference::Id(id) if known.contains(id) => {
                    let name = SeriesReference::ExternalId(format!("s{id}").into());
                    Some(SeriesKey::new(name).hash())
                }
                SeriesReference::Id(_) => None,
                SeriesReference::InstanceId(node) if nodes.contains(&*node.external_id) => {
                    let name = match &*node.space {
                        SPACE => SeriesReference::ExternalId(node.external_id.clone()),
                        _ => key.reference().clone(),
                    };
                    Some(SeriesKey::new(name).hash())
                }
                SeriesReference::InstanceId(_) => None,
            })
            .collect()
    }

    fn types(
        &self,
        _identity: &Identity,
        keys: &[Arc<SeriesKey>],
        _now: Instant,
    ) -> Vec<Option<bool>> {
        let strings = self.strings.lock().expect("as above");
        keys.iter()
            .map(|key| match (key.reference(), &*strings) {
                (SeriesReference::ExternalId(name), Some(strings)) => {
                    Some(strings.contains(&**name))
                }
                _ => None,
            })
            .collect()
    }
}

/// Ids below [`IDS_WITH_NAME`] are series with an external id.
pub fn name_of_id(id: i64) -> Option<String> {
    (id < IDS_WITH_NAME).then(|| format!("s{id}"))
}
