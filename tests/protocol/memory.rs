//! Bounds: a gateway that cannot hold more rows stops reading, and goes on by itself.

use crate::client::Client;
use crate::gateway::Gateway;
use penstock::pipeline::MemoryBudget;
use std::time::Duration;

fn lines(rows: std::ops::Range<u32>) -> String {
    rows.map(|row| format!("pump\t2026-01-01T00:00:00Z\t{row}\n"))
        .collect()
}

const COPY: &str = "copy double_datapoints (external_id, timestamp, value) from stdin";

#[test]
fn a_copy_is_not_read_while_there_is_no_memory_for_its_rows() {
    let budget = MemoryBudget::new(1 << 20, 1 << 20);
    let gateway = Gateway::start_within(
        budget.clone(),
        |settings| settings.copy.batch_rows = 1000,
        None,
    );
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.send_query(COPY);
    assert_eq!(client.line(), "CopyIn 0");
    let data = lines(0..10_000);
    let chunks = 60;
    // Far more than the budget and all socket buffers: a write that would block tells that
    // the gateway reads no more.
    client.set_write_timeout(Duration::from_millis(200));
    let mut sent = 0;
    let mut chunk = vec![b'd'];
    chunk.extend((data.len() as u32 + 4).to_be_bytes());
    chunk.extend(data.as_bytes());
    let stream: Vec<u8> = std::iter::repeat_n(&chunk, chunks)
        .flatten()
        .copied()
        .collect();
    while let Some(bytes) = client.send_some(&stream[sent..]) {
        sent += bytes;
        assert!(
            sent < stream.len(),
            "everything was read without any memory"
        );
    }
    assert!(budget.used_bytes() <= 1 << 20);
    let held = gateway.pipeline.rows().len();
    assert!(held < 60_000, "{held} rows are held");
    // Verdicts give the memory back, and the rest comes.
    gateway.pipeline.release();
    client.set_write_timeout(Duration::from_secs(20));
    client.send_bytes(&stream[sent..]);
    client.copy_done();
    let rows = chunks * 10_000;
    assert_eq!(
        client.transcript(),
        [format!("Complete COPY {rows}"), "Ready I".to_owned()]
    );
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn a_commit_that_is_larger_than_the_memory_for_rows_is_delivered_in_parts() {
    let budget = MemoryBudget::new(100_000, 100_000);
    let gateway = Gateway::start_within(
        budget.clone(),
        |settings| settings.copy.batch_rows = 1000,
        None,
    );
    gateway.pipeline.hold();
    let mut client = Client::signed_in(&gateway);
    client.query("begin");
    client.send_query(COPY);
    client.copy_data(lines(0..50_000));
    client.copy_done();
    // Staged rows wait for nobody.
    assert_eq!(
        client.transcript(),
        ["CopyIn 0", "Complete COPY 50000", "Ready T"]
    );
    assert_eq!(budget.used_bytes(), 0);
    client.send_query("commit");
    gateway.pipeline.wait_for_rows(1);
    gateway.pipeline.release();
    assert_eq!(client.transcript(), ["Complete COMMIT", "Ready I"]);
    assert_eq!(gateway.pipeline.rows().len(), 50_000);
}

#[test]
fn one_client_without_memory_does_not_keep_another_from_talking() {
    let gateway = Gateway::start_within(MemoryBudget::new(1000, 1000), |_| {}, None);
    gateway.pipeline.hold();
    let insert = "insert into double_datapoints (external_id, timestamp, value) \
                  values ('pump', '2026-01-01T00:00:00Z', 1)";
    let mut first = Client::signed_in(&gateway);
    first.send_query(COPY);
    first.copy_data(lines(0..100));
    first.copy_done();
    gateway.pipeline.wait_for_rows(100);
    let mut waiting = Client::signed_in(&gateway);
    waiting.send_query(insert);
    let mut talking = Client::signed_in(&gateway);
    assert_eq!(
        talking.query("show timezone"),
        ["Columns 1", "Row UTC", "Complete SHOW", "Ready I"]
    );
    gateway.pipeline.release();
    assert_eq!(
        first.transcript(),
        ["CopyIn 0", "Complete COPY 100", "Ready I"]
    );
    assert_eq!(waiting.transcript(), ["Complete INSERT 0 1", "Ready I"]);
}
