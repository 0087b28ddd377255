//! What the series directory remembers, for how long, and which key stands for a series.
//!
//! Owns the tests of `SeriesDirectory`. Promises a clock of its own: nothing waits.

use super::batches::external_id;
use penstock::cdf::{SeriesDirectory, SeriesFacts, SeriesStatus};
use penstock::rows::{SeriesKey, SeriesReference};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LIFETIME: Duration = Duration::from_secs(600);

fn facts(id: i64, name: Option<&str>) -> SeriesFacts {
    SeriesFacts {
        id,
        external_id: name.map(Into::into),
        instance_id: None,
        is_string: false,
        created_time_ms: 0,
    }
}

fn key(reference: SeriesReference) -> Arc<SeriesKey> {
    Arc::new(SeriesKey::new(reference))
}

#[test]
fn a_series_is_found_under_both_its_names() {
    let directory = SeriesDirectory::new(100, LIFETIME);
    let now = Instant::now();
    directory.record(facts(7, Some("pump")), now);
    for reference in [SeriesReference::Id(7), external_id("pump")] {
        let Some(SeriesStatus::Exists(found)) = directory.find(&reference, now) else {
            panic!("{reference:?} was not found");
        };
        assert_eq!(found.id, 7);
        assert!(!found.is_string);
    }
    assert_eq!(directory.find(&external_id("other"), now), None);
}

#[test]
fn one_series_has_one_key_however_it_is_named() {
    let directory = SeriesDirectory::new(100, LIFETIME);
    let now = Instant::now();
    directory.record(facts(7, Some("pump")), now);
    directory.record(facts(8, None), now);
    let by_name = directory.canonical_key(&key(external_id("pump")), now);
    let by_id = directory.canonical_key(&key(SeriesReference::Id(7)), now);
    assert_eq!(by_name, by_id);
    let nameless = key(SeriesReference::Id(8));
    assert_eq!(
        directory.canonical_key(&nameless, now),
        Some(nameless.clone())
    );
}

#[test]
fn a_series_that_is_a_node_has_one_key_for_all_its_names() {
    let directory = SeriesDirectory::new(100, LIFETIME);
    let now = Instant::now();
    let node = |name: &str| SeriesReference::instance("plant", name);
    let of_node = |id, name, node: &SeriesReference| {
        let SeriesReference::InstanceId(instance) = node.clone() else {
            panic!("a node is an instance");
        };
        SeriesFacts {
            instance_id: Some(instance),
            ..facts(id, name)
        }
    };
    assert_eq!(directory.canonical_key(&key(node("pump")), now), None);
    directory.record(of_node(7, Some("classic"), &node("pump")), now);
    directory.record(of_node(8, None, &node("tank")), now);
    for (id, name, stands_for) in [
        (7, node("pump"), external_id("classic")),
        (8, node("tank"), node("tank")),
    ] {
        let stands_for = Some(key(stands_for));
        assert_eq!(directory.canonical_key(&key(name), now), stands_for);
        let by_id = key(SeriesReference::Id(id));
        assert_eq!(directory.canonical_key(&by_id, now), stands_for);
    }
    directory.forget(&SeriesReference::Id(7));
    assert_eq!(directory.find(&node("pump"), now), None);
    assert_eq!(directory.find(&external_id("classic"), now), None);
    assert!(directory.find(&node("tank"), now).is_some());
}

#[test]
fn an_external_id_needs_no_look_up_and_an_unknown_id_does() {
    let directory = SeriesDirectory::new(100, LIFETIME);
    let now = Instant::now();
    let named = key(external_id("pump"));
    assert_eq!(directory.canonical_key(&named, now), Some(named.clone()));
    assert_eq!(
        directory.canonical_key(&key(SeriesReference::Id(7)), now),
        None
    );
    directory.record_missing(&SeriesReference::Id(7), now);
    assert!(
        directory
            .canonical_key(&key(SeriesReference::Id(7)), now)
            .is_some(),
        "an id that CDF does not have stands for itself"
    );
}

#[test]
fn what_is_known_expires() {
    let directory = SeriesDirectory::new(100, LIFETIME);
    let now = Instant::now();
    directory.record(facts(7, Some("pump")), now);
    let late = now + LIFETIME + Duration::from_millis(1);
    assert!(
        directory
            .find(&SeriesReference::Id(7), now + LIFETIME)
            .is_some()
    );
    assert_eq!(directory.find(&SeriesReference::Id(7), late), None);
}

#[test]
fn that_a_series_is_missing_is_soon_forgotten() {
    let directory = SeriesDirectory::new(100, LIFETIME);
    let now = Instant::now();
    directory.record_missing(&external_id("pump"), now);
    assert_eq!(
        directory.find(&external_id("pump"), now),
        Some(SeriesStatus::Missing)
    );
    let later = now + Duration::from_secs(2);
    assert_eq!(directory.find(&external_id("pump"), later), None);
}

#[test]
fn forgetting_one_name_forgets_the_other() {
    let directory = SeriesDirectory::new(100, LIFETIME);
    let now = Instant::now();
    directory.record(facts(7, Some("pump")), now);
    directory.forget(&external_id("pump"));
    assert_eq!(directory.find(&SeriesReference::Id(7), now), None);
    assert!(directory.is_empty());
}

#[test]
fn the_directory_stays_within_its_bound_and_keeps_what_is_in_use() {
    let directory = SeriesDirectory::new(100, LIFETIME);
    let now = Instant::now();
    directory.record(facts(1, None), now);
    for id in 2..10_000 {
        directory.record(facts(id, None), now);
        assert!(directory.len() <= 100, "{} entries", directory.len());
        assert!(
            directory.find(&SeriesReference::Id(1), now).is_some(),
            "a series in use was dropped at {id}"
        );
    }
}
