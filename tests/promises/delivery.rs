//! An acknowledged row is in CDF: large loads, small statements, a client that vanishes.

use super::dev_process::DevProcess;
use bytes::Bytes;
use futures::SinkExt;
use std::fmt::Write;
use std::pin::pin;

/// COPY text lines of `seconds` points for each of `series` series, interleaved.
fn lines(series: usize, seconds: usize) -> Bytes {
    let mut text = String::new();
    for second in 0..seconds {
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        for index in 0..series {
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "series-{index}\t2026-01-01 {hour:02}:{minute:02}:{second:02}+00\t{index}.5"
            );
        }
    }
    Bytes::from(text)
}

fn names(series: usize) -> Vec<String> {
    (0..series).map(|index| format!("series-{index}")).collect()
}

#[tokio::test]
async fn every_row_of_an_acknowledged_copy_is_in_cdf() {
    let dev = DevProcess::start(&[]);
    let names = names(20);
    let references: Vec<&str> = names.iter().map(String::as_str).collect();
    dev.create_series(&references, false).await;
    let client = dev.connect().await;
    let mut sink = pin!(
        client
            .copy_in::<_, Bytes>(
                "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
            )
            .await
            .expect("copy starts")
    );
    let mut data = lines(20, 10_000);
    // Frames that end anywhere but at a line's end.
    while !data.is_empty() {
        let frame = data.split_to(data.len().min(8191));
        sink.send(frame).await.expect("sent");
    }
    assert_eq!(sink.finish().await.expect("copied"), 200_000);
    for (index, name) in names.iter().enumerate() {
        let points = dev.points(name).await;
        assert_eq!(points.len(), 10_000, "{name}");
        assert!(points.iter().all(|(_, value)| *value == index as f64 + 0.5));
    }
}

#[tokio::test]
async fn concurrent_connections_all_get_their_rows_through() {
    let dev = DevProcess::start(&[]);
    let names = names(8);
    let references: Vec<&str> = names.iter().map(String::as_str).collect();
    dev.create_series(&references, false).await;
    let writers = names.iter().map(|name| {
        let dev = &dev;
        async move {
            let client = dev.connect().await;
            for second in 0..60 {
                client
                    .batch_execute(&format!(
                        "INSERT INTO double_datapoints (external_id, timestamp, value) \
                         VALUES ('{name}', '2026-01-01 00:00:{second:02}+00', {second})"
                    ))
                    .await
                    .expect("written");
            }
        }
    });
    futures::future::join_all(writers).await;
    for name in &names {
        assert_eq!(dev.points(name).await.len(), 60);
    }
}

#[tokio::test]
async fn a_client_that_vanishes_in_a_copy_disturbs_nobody() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["series-0"], false).await;
    let vanishing = dev.connect().await;
    {
        let mut sink = pin!(
            vanishing
                .copy_in::<_, Bytes>(
                    "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
                )
                .await
                .expect("copy starts")
        );
        sink.send(lines(1, 100)).await.expect("sent");
        sink.flush().await.expect("flushed");
    }
    drop(vanishing);
    let other = dev.connect().await;
    other
        .batch_execute(
            "INSERT INTO double_datapoints (external_id, timestamp, value) \
             VALUES ('series-0', '2026-06-01', 7)",
        )
        .await
        .expect("written");
    let last = dev.points("series-0").await.pop().expect("a point");
    assert_eq!(last.1, 7.0);
}

#[tokio::test]
async fn sigterm_lets_the_process_end_with_success() {
    let dev = DevProcess::start(&[]);
    let client = dev.connect().await;
    client.batch_execute("SELECT 1").await.expect("answered");
    assert_eq!(dev.terminate(), Some(0));
}
