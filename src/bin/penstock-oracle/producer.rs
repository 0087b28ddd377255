//! A producer: a client that writes as fast as it is answered, whatever happens.
//!
//! Owns one connection at a time. Promises that a version is noted as sent before its
//! statement leaves, and as acknowledged only after the gateway's CommandComplete (or COMMIT)
//! has said so for every row. Never judges.

use crate::keys::{Keys, SharedGroups, Turn};
use crate::ledger::{Key, Ledger, Version};
use crate::statement::{self, Form, Table};
use futures::SinkExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio_postgres::{Client, Config, Error, NoTls};

/// How long a producer waits before it tries a gateway again that refused it.
const RECONNECT: Duration = Duration::from_millis(100);

/// How long a producer waits after a statement that failed.
const REFUSED: Duration = Duration::from_millis(10);

/// How long a statement may take before the producer gives the connection up, as real
/// clients do. Above everything that the gateway waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a producer needs to begin.
pub struct Producer {
    pub number: usize,
    pub seed: u64,
    pub postgres: Config,
    pub ledger: Ledger,
    pub shared: SharedGroups,
    /// `true` once the producers are to end.
    pub ended: watch::Receiver<bool>,
}

/// The rows of one statement.
struct Rows {
    table: Table,
    keys: Vec<Key>,
    versions: Vec<Version>,
    fields: Vec<Vec<String>>,
    /// Held until the outcome is known.
    _turn: Turn,
}

impl Producer {
    /// Writes until it is told to end.
    pub async fn run(self) {
        let mut random = StdRng::seed_from_u64(self.seed ^ (self.number as u64) << 32);
        let mut keys = Keys::new(self.number, self.shared.clone());
        let mut ended = self.ended.clone();
        while !*ended.borrow_and_update() {
            let Ok((client, connection)) = self.postgres.connect(NoTls).await else {
                let _ = tokio::time::timeout(RECONNECT, ended.changed()).await;
                continue;
            };
            let connection = tokio::spawn(connection);
            self.use_connection(client, &mut keys, &mut random).await;
            connection.abort();
        }
    }

    /// Writes until the connection breaks or the end.
    async fn use_connection(&self, client: Client, keys: &mut Keys, random: &mut StdRng) {
        while !*self.ended.borrow() && !client.is_closed() {
            // Both acknowledgements on the same keys: neither may overtake the other.
            let ack = if random.random_bool(0.7) {
                "SET penstock.ack = 'journaled'"
            } else {
                "SET penstock.ack = 'delivered'"
            };
            let few = random.random_range(1..20);
            let statements = async {
                client.batch_execute(ack).await?;
                for _ in 0..few {
                    self.statement(&client, keys, random).await?;
                }
                Ok::<(), Error>(())
            };
            match tokio::time::timeout(PATIENCE, pin!(statements)).await {
                Ok(Ok(())) => {}
                // A statement that failed leaves the connection; a broken one is seen above.
                Ok(Err(error)) => {
                    let told = error.as_db_error().map(ToString::to_string);
                    tracing::debug!(producer = self.number, %error, told, "not written");
                    tokio::time::sleep(REFUSED).await;
                }
                Err(_) => return,
            }
            if client.batch_execute("ROLLBACK").await.is_err() {
                return;
            }
        }
    }

    async fn statement(
        &self,
        client: &Client,
        keys: &mut Keys,
        random: &mut StdRng,
    ) -> Result<(), Error> {
        let (form, count) = Form::draw(random);
        let table = Table::draw(random);
        let (keys, turn) = keys.draw(table, count, random);
        let versions = self.ledger.next_versions(&keys);
        let fields = keys
            .iter()
            .zip(&versions)
            .map(|(key, version)| statement::fields(key, *version))
            .collect();
        let rows = Rows {
            table,
            keys,
            versions,
            fields,
            _turn: turn,
        };
        self.send(client, form, &rows).await
    }

    async fn send(&self, client: &Client, form: Form, rows: &Rows) -> Result<(), Error> {
        let all = || statement::insert(rows.table, &rows.fields);
        match form {
            Form::Insert => client.batch_execute(&all()).await?,
            Form::Copy => copy(client, rows).await?,
            Form::Pipeline => return self.pipeline(client, rows).await,
            Form::Commit => {
                client.batch_execute("BEGIN").await?;
                client.batch_execute(&all()).await?;
                client.batch_execute("COMMIT").await?;
            }
            Form::Rollback => {
                client.batch_execute("BEGIN").await?;
                client.batch_execute(&all()).await?;
                client.batch_execute("ROLLBACK").await?;
                self.ledger.roll_back(&rows.keys, &rows.versions);
                return Ok(());
            }
        }
        self.ledger.acknowledge(&rows.keys, &rows.versions);
        Ok(())
    }

    /// One INSERT a row, all under way at once; each is acknowledged by itself.
    async fn pipeline(&self, client: &Client, rows: &Rows) -> Result<(), Error> {
        let texts: Vec<String> = rows
            .fields
            .iter()
            .map(|fields| statement::insert(rows.table, std::slice::from_ref(fields)))
            .collect();
        let answers = texts.iter().map(|text| client.batch_execute(text));
        let answers = futures::future::join_all(answers).await;
        let mut failed = Ok(());
        for (index, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(()) => self
                    .ledger
                    .acknowledge(&rows.keys[index..=index], &rows.versions[index..=index]),
                Err(error) => failed = Err(error),
            }
        }
        failed
    }
}

async fn copy(client: &Client, rows: &Rows) -> Result<(), Error> {
    let statement = format!("COPY {} FROM STDIN", rows.table.target());
    let data = statement::copy_data(&rows.fields);
    let mut sink = pin!(client.copy_in::<_, bytes::Bytes>(&statement).await?);
    sink.send(data.into()).await?;
    let written = sink.finish().await?;
    assert_eq!(
        written,
        rows.keys.len() as u64,
        "COPY's tag counts its rows"
    );
    Ok(())
}
