//! Bulk loads share what there is, and small statements pass between them.

use crate::cdf::Fate;
use crate::rows::raw_rows;
use crate::saturation::{Saturation, Server};
use crate::world::{Settings, World, settings};
use penstock::catalog::Resource;
use penstock::config::OperationLimits;
use penstock::pipeline::attempt::Call;
use std::collections::HashMap;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Requests of up to a hundred batches of 20 rows with about 64 KiB each.
fn roomy() -> Settings {
    let mut settings = settings(Resource::RawRows);
    settings.batch.items_max = 2_000;
    settings.batch.bytes_max = 1 << 30;
    settings.limits.raw = OperationLimits::default();
    settings
}

/// A batch of a bulk load: 3,000 rows, more bytes than a small statement has.
fn bulk(world: &mut World, connection: u64, waits: bool) {
    let first = world.next_place();
    let keys: Vec<i64> = (0..3_000).map(|key| first as i64 + key).collect();
    world.submit(0, connection, raw_rows("t", &keys, first), waits);
}

fn small(world: &mut World, connection: u64) {
    let first = world.next_place();
    let batch = raw_rows("t", &[first as i64], first);
    world.submit(0, connection, batch, true);
}

/// Rows of each connection in each call under way.
fn under_way(world: &World) -> Vec<HashMap<u64, u64>> {
    world
        .calls
        .iter()
        .filter_map(|call| match &call.call {
            Call::Write(piece) => Some(piece),
            _ => None,
        })
        .map(|piece| {
            let mut rows = HashMap::new();
            for segment in &piece.segments {
                *rows.entry(segment.submission.connection).or_default() += segment.rows();
            }
            rows
        })
        .collect()
}

#[test]
fn a_slot_is_kept_for_small_statements_once_there_are_some() {
    let mut world = World::new(roomy());
    for _ in 0..10 {
        bulk(&mut world, 1, false);
    }
    assert_eq!(world.calls.len(), 3, "bulk alone uses all slots");
    small(&mut world, 2);
    assert_eq!(world.calls.len(), 3);
    world.finish(0, Fate::Answered);
    assert_eq!(
        under_way(&world)[2],
        HashMap::from([(2, 1)]),
        "it goes first"
    );
    world.finish(2, Fate::Answered);
    assert_eq!(world.calls.len(), 2, "one slot is kept");
    small(&mut world, 2);
    assert_eq!(under_way(&world)[2], HashMap::from([(2, 1)]), "at once");
    world.finish(2, Fate::Answered);
    world.advance(6 * SECOND);
    world.finish(0, Fate::Answered);
    assert_eq!(world.calls.len(), 3, "and given back when nobody needs it");
}

#[test]
fn two_bulk_loads_share_each_request() {
    let mut settings = roomy();
    settings.batch.items_max = 30_000;
    let mut world = World::new(settings);
    for _ in 0..40 {
        bulk(&mut world, 1, false);
    }
    for _ in 0..40 {
        bulk(&mut world, 2, false);
    }
    world.finish(0, Fate::Answered);
    let rows = under_way(&world).pop().expect("the slot is taken again");
    assert_eq!(rows.values().sum::<u64>(), 30_000);
    assert!(rows[&1] >= 9_000 && rows[&2] >= 9_000, "{rows:?}");
}

#[test]
fn the_end_of_a_bulk_load_takes_its_beginning_along() {
    let mut world = World::new(roomy());
    let first = world.next_place();
    let keys: Vec<i64> = (0..1_900).collect();
    world.submit(0, 1, raw_rows("t", &keys, first), false);
    assert!(world.calls.is_empty(), "it waits for company");
    small(&mut world, 1);
    assert_eq!(under_way(&world), [HashMap::from([(1, 1_901)])]);
}

#[test]
fn many_small_statements_do_not_starve_a_bulk_load() {
    let mut world = World::new(roomy());
    for _ in 0..20 {
        bulk(&mut world, 1, false);
    }
    let mut bulk_calls = 0;
    for round in 0..200 {
        for connection in 2..50 {
            small(&mut world, connection);
        }
        bulk_calls += u32::from(under_way(&world)[0].contains_key(&1));
        world.finish(0, Fate::Answered);
        if round % 4 == 0 {
            bulk(&mut world, 1, false);
        }
    }
    assert!(bulk_calls >= 60, "{bulk_calls} of 200 calls were bulk");
}

/// p99 of one-row statements, 10 ms apart.
fn p99(load: &mut Saturation) -> Duration {
    load.probe(10 * MS);
    load.run(10 * SECOND);
    let mut waits = std::mem::take(&mut load.probes);
    waits.sort_unstable();
    assert!(waits.len() > 900, "{} probes", waits.len());
    waits[waits.len() * 99 / 100]
}

#[test]
fn a_row_beside_a_saturating_copy_waits_for_one_request_more_than_alone_at_most() {
    let server = Server {
        latency: 20 * MS,
        latency_per_row: Duration::from_micros(100),
        budgets: Vec::new(),
        concurrency: usize::MAX,
    };
    for slots in [2, 4] {
        let mut settings = roomy();
        settings.batch.items_max = 2_000;
        settings.batch.in_flight_max = slots;
        settings.batch.linger_ms = 50;
        let idle = p99(&mut Saturation::new(
            settings.clone(),
            &[Resource::RawRows],
            0,
            server.clone(),
        ));
        let beside = p99(&mut Saturation::new(
            settings,
            &[Resource::RawRows],
            1,
            server.clone(),
        ));
        let request = 20 * MS + 2_000 * server.latency_per_row;
        println!("{slots} slots: {idle:?} idle, {beside:?} beside a COPY of {request:?} a request");
        assert!(beside <= 3 * idle + request, "{beside:?}");
    }
}
