//! The client side of the quickstart: real COPY statements over a real TCP connection.
//!
//! Owns the connection to the gateway and the progress bar. Promises to send every row of
//! the sample and to return what the server counted. Never reads CDF.

use super::sample::Sample;
use bytes::Bytes;
use futures::SinkExt;
use indicatif::{ProgressBar, ProgressStyle};
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls};

/// Bytes of a CopyData message: what libpq-based tools send is of this order.
const CHUNK_BYTES: usize = 64 << 10;

/// What one COPY did.
pub struct Loaded {
    /// Rows as the server counted them in its command tag.
    pub rows: u64,
    pub elapsed: Duration,
}

/// Connects as a client would. The connection's task ends with the client.
///
/// # Errors
/// What tokio-postgres says.
pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::error!(%error, "the quickstart's connection ended");
        }
    });
    Ok(client)
}

/// Makes the sample's time series by multi-row INSERT.
///
/// # Errors
/// What the server answers.
pub async fn create_series(client: &Client, sample: &Sample) -> Result<u64, tokio_postgres::Error> {
    let rows: Vec<String> = (0..sample.series)
        .map(|index| {
            let series = sample.series(index);
            format!(
                "('{}', '{}', '{}')",
                series.external_id, series.name, series.unit
            )
        })
        .collect();
    let statement = format!(
        "INSERT INTO time_series (external_id, name, unit) VALUES {}",
        rows.join(", ")
    );
    client.execute(statement.as_str(), &[]).await
}

/// Streams all datapoints, series interleaved, in order of time.
///
/// # Errors
/// What the server answers.
pub async fn copy_datapoints(
    client: &Client,
    sample: &Sample,
) -> Result<Loaded, tokio_postgres::Error> {
    let external_ids: Vec<String> = (0..sample.series)
        .map(|index| sample.series(index).external_id)
        .collect();
    let statement = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN";
    let progress = progress_bar("datapoints", sample.datapoints() as u64);
    let rows_per_step = sample.series as u64;
    copy(
        client,
        statement,
        sample.points_per_series,
        rows_per_step,
        progress,
        |point, buffer| {
            sample.write_points(&external_ids, point, buffer);
        },
    )
    .await
}

/// Streams all RAW rows.
///
/// # Errors
/// What the server answers.
pub async fn copy_raw_rows(
    client: &Client,
    sample: &Sample,
) -> Result<Loaded, tokio_postgres::Error> {
    let statement = "COPY raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) FROM STDIN";
    let progress = progress_bar("RAW rows  ", sample.raw_rows as u64);
    copy(
        client,
        statement,
        sample.raw_rows,
        1,
        progress,
        |row, buffer| {
            sample.write_raw_row(row, buffer);
        },
    )
    .await
}

async fn copy(
    client: &Client,
    statement: &str,
    steps: usize,
    rows_per_step: u64,
    progress: ProgressBar,
    mut write: impl FnMut(usize, &mut Vec<u8>),
) -> Result<Loaded, tokio_postgres::Error> {
    let start = Instant::now();
    let mut sink = pin!(client.copy_in::<_, Bytes>(statement).await?);
    let mut buffer = Vec::with_capacity(2 * CHUNK_BYTES);
    for step in 0..steps {
        write(step, &mut buffer);
        if buffer.len() >= CHUNK_BYTES {
            let chunk = std::mem::replace(&mut buffer, Vec::with_capacity(2 * CHUNK_BYTES));
            sink.send(Bytes::from(chunk)).await?;
            progress.set_position((step as u64 + 1) * rows_per_step);
        }
    }
    sink.send(Bytes::from(buffer)).await?;
    let rows = sink.finish().await?;
    progress.set_position(rows);
    progress.finish();
    Ok(Loaded {
        rows,
        elapsed: start.elapsed(),
    })
}

fn progress_bar(what: &str, rows: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} [{bar:40}] {human_pos}/{human_len}  {per_sec:>14}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(rows)
        .with_style(style)
        .with_message(what.to_owned())
}
