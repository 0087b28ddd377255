//! How much memory scans hold, and that none of them waits for ever for some.

use super::world::{ROWS_MAX, World, table};
use penstock::scan::{Scan, ScanFault};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SMALL: usize = 1 << 20;

/// Events with descriptions of so many characters.
async fn events(world: &World, count: usize, characters: usize) {
    let events: Vec<Value> = (0..count)
        .map(|number| {
            json!({
                "externalId": format!("e{number:05}"),
                "description": "ä".repeat(characters),
            })
        })
        .collect();
    world.make("/events", &events).await;
}

/// Reads all events in chunks; returns how many rows there were, and the most bytes held in between.
async fn read(world: &World) -> Result<(usize, usize), ScanFault> {
    let mut rows = world.rows_of(&Scan::of(table("events"), ROWS_MAX));
    let (mut lines, mut most) = (0, 0);
    while let Some(chunk) = rows.next_chunk().await? {
        lines += memchr::memchr_iter(b'\n', &chunk).count();
        most = most.max(world.used_bytes());
        tokio::task::yield_now().await;
    }
    Ok((lines, most))
}

#[tokio::test]
async fn a_table_that_is_larger_than_the_memory_is_read_whole() {
    let world = World::with_memory(SMALL);
    events(&world, 6_000, 400).await;
    let (lines, most) = read(&world).await.expect("it is read");
    assert_eq!(lines, 6_000);
    assert!(most > 0 && most <= SMALL, "{most}");
    assert_eq!(world.used_bytes(), 0, "all of it came back");
    // Pages had to be made smaller for that.
    assert!(world.statuses("events.list").await.len() > 6);
}

#[tokio::test]
async fn scans_that_share_too_little_memory_all_come_to_their_end() {
    let world = World::with_memory(SMALL);
    events(&world, 3_000, 400).await;
    let mut reading = Vec::new();
    for _ in 0..12 {
        reading.push(read(&world));
    }
    for read in futures::future::join_all(reading).await {
        let (lines, most) = read.expect("it is read");
        assert_eq!(lines, 3_000);
        assert!(most <= SMALL, "{most}");
    }
    assert_eq!(world.used_bytes(), 0);
}

#[tokio::test]
async fn one_row_may_be_larger_than_all_of_the_memory() {
    let world = World::with_memory(SMALL);
    let text = "x".repeat(2_500_000);
    world
        .post(
            "/raw/dbs/d/tables/t/rows?ensureParent=true",
            json!({"items": [
                {"key": "long", "columns": {"text": text}},
                {"key": "short", "columns": {"text": "y"}},
            ]}),
        )
        .await;
    let rows = world
        .scan(&Scan::of(table("raw_rows"), ROWS_MAX))
        .await
        .expect("it waits until all memory is free");
    let keys: BTreeSet<Option<String>> = rows.iter().map(|row| row[2].clone()).collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_eq!(world.used_bytes(), 0);
}

#[tokio::test]
async fn a_scan_that_is_left_gives_its_memory_back() {
    let world = World::with_memory(SMALL);
    events(&world, 2_000, 400).await;
    let mut left = world.rows_of(&Scan::of(table("events"), ROWS_MAX));
    left.next_chunk().await.expect("it begins");
    assert!(world.used_bytes() > 0);
    drop(left);
    let (lines, _) = read(&world).await.expect("there is memory for another");
    assert_eq!(lines, 2_000);
}
