//! A PostgreSQL that holds the state.
//!
//! Owns the connection, and a runtime for it. Promises to connect again after the connection was
//! lost, that migrations run once however many gateways start, and that the schema `penstock` is
//! the only thing that it touches. Blocks, and must not be used inside of another runtime.

use super::database::{Ask, Fault, Row, Value};
use super::schema::STEPS;
use bytes::BytesMut;
use postgres_types::{IsNull, ToSql, Type, to_sql_checked};
use std::error::Error;
use std::fmt;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Bound of one statement: the store must not hang with the network.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bound of a new connection, where the URL says nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Migrations of several gateways that start together come one after the other: `pnst`.
const MIGRATION_LOCK: i64 = 0x706e_7374;

/// The connection.
pub(super) struct PostgreSql {
    config: Config,
    runtime: Runtime,
    client: Client,
    /// Whether what is asked belongs to one change.
    is_changing: bool,
}

impl fmt::Debug for PostgreSql {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The configuration holds a password.
        formatter.write_str("PostgreSql")
    }
}

impl PostgreSql {
    pub fn connect(url: &str) -> Result<Self, Fault> {
        let mut config: Config = url.parse().map_err(shown)?;
        config.application_name("penstock");
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let client = runtime.block_on(open(&config))?;
        let mut postgresql = PostgreSql {
            config,
            runtime,
            client,
            is_changing: false,
        };
        postgresql.migrate()?;
        Ok(postgresql)
    }

    fn migrate(&mut self) -> Result<(), Fault> {
        let client = &self.client;
        self.runtime.block_on(async {
            bounded(client.batch_execute(&format!(
                "SELECT pg_advisory_lock({MIGRATION_LOCK});
                 CREATE SCHEMA IF NOT EXISTS penstock;
                 CREATE TABLE IF NOT EXISTS penstock.schema_version (version BIGINT NOT NULL);"
            )))
            .await?;
            let row =
                bounded(client.query_opt("SELECT max(version) FROM penstock.schema_version", &[]))
                    .await?;
            let version: i64 = row
                .and_then(|row| row.get::<_, Option<i64>>(0))
                .unwrap_or(0);
            let version = usize::try_from(version).unwrap_or(usize::MAX);
            if version > STEPS.len() {
                return Err(format!(
                    "the schema penstock is of version {version}, and this version of Penstock \
                     knows {}",
                    STEPS.len()
                ));
            }
            for (index, step) in STEPS.iter().enumerate().skip(version) {
                let step = step.replace("{INTEGER}", "BIGINT").replace("{STRICT}", "");
                bounded(client.batch_execute(&format!(
                    "BEGIN; {step}; INSERT INTO penstock.schema_version VALUES ({}); COMMIT",
                    index + 1
                )))
                .await?;
            }
            bounded(client.batch_execute(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})")))
                .await
        })
    }

    fn reconnect_if_lost(&mut self) -> Result<(), Fault> {
        if self.client.is_closed() {
            self.client = self.runtime.block_on(open(&self.config))?;
        }
        Ok(())
    }

    /// Within a change a lost connection is the end of it: what came after would be done alone.
    fn reconnect_outside_of_changes(&mut self) -> Result<(), Fault> {
        match self.is_changing {
            true => Ok(()),
            false => self.reconnect_if_lost(),
        }
    }

    pub fn now_ms(&mut self) -> Result<i64, Fault> {
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT";
        let rows = self.query(sql, &[])?;
        rows.first()
            .ok_or_else(|| "no time was answered".to_owned())?
            .integer(0)
    }

    pub fn change<T, E: From<Fault>>(
        &mut self,
        change: impl FnOnce(&mut dyn Ask) -> Result<T, E>,
    ) -> Result<T, E> {
        self.reconnect_if_lost()?;
        self.batch("BEGIN; LOCK TABLE changes IN EXCLUSIVE MODE")?;
        self.is_changing = true;
        let changed = change(self);
        self.is_changing = false;
        match changed {
            Ok(done) => {
                self.batch("COMMIT")?;
                Ok(done)
            }
            Err(error) => {
                // A connection that is gone has rolled back by itself.
                let _ = self.batch("ROLLBACK");
                Err(error)
            }
        }
    }

    fn batch(&mut self, sql: &str) -> Result<(), Fault> {
        self.runtime
            .block_on(bounded(self.client.batch_execute(sql)))
    }
}

impl Ask for PostgreSql {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Fault> {
        self.reconnect_outside_of_changes()?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        self.runtime
            .block_on(bounded(self.client.execute(sql, &values)))
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Fault> {
        self.reconnect_outside_of_changes()?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        let rows = self
            .runtime
            .block_on(bounded(self.client.query(sql, &values)))?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &tokio_postgres::Row) -> Result<Row, Fault> {
    let mut values = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let value = match *column.type_() {
            Type::INT8 => row
                .try_get::<_, Option<i64>>(index)
                .map(|number| number.map_or(Value::Null, Value::Integer)),
            _ => row
                .try_get::<_, Option<String>>(index)
                .map(|text| text.map_or(Value::Null, Value::Text)),
        };
        values.push(value.map_err(shown)?);
    }
    Ok(Row(values))
}

impl ToSql for Value {
    fn to_sql(
        &self,
        sql_type: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Value::Text(text) => text.to_sql(sql_type, out),
            Value::Integer(number) => number.to_sql(sql_type, out),
            Value::Null => Ok(IsNull::Yes),
        }
    }

    fn accepts(sql_type: &Type) -> bool {
        matches!(*sql_type, Type::TEXT | Type::INT8)
    }

    to_sql_checked!();
}

/// Opens a connection whose task runs on the runtime that calls.
async fn open(config: &Config) -> Result<Client, Fault> {
    let opened = async {
        if config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = config.connect(NoTls).await.map_err(shown)?;
            tokio::spawn(connection);
            return Ok(client);
        }
        let (client, connection) = config.connect(trusting()?).await.map_err(shown)?;
        tokio::spawn(connection);
        Ok(client)
    };
    let client = tokio::time::timeout(STATEMENT_TIMEOUT + CONNECT_TIMEOUT, opened)
        .await
        .unwrap_or_else(|_| Err("no connection in time".to_owned()))?;
    bounded(client.batch_execute("SET search_path = penstock")).await?;
    Ok(client)
}

/// TLS by the certificates that this machine trusts.
fn trusting() -> Result<MakeRustlsConnect, Fault> {
    crate::cdf::install_crypto();
    let (tls, _) = MakeRustlsConnect::with_native_certs().map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        format!("no trusted certificates: {}", errors.join(", "))
    })?;
    Ok(tls)
}

async fn bounded<T>(
    statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(STATEMENT_TIMEOUT, statement).await {
        Ok(done) => done.map_err(shown),
        Err(_) => Err(format!(
            "no answer within {} s",
            STATEMENT_TIMEOUT.as_secs()
        )),
    }
}

/// What PostgreSQL said, which the error alone leaves out.
fn shown(error: tokio_postgres::Error) -> Fault {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
