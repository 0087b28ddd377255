//! A PostgreSQL that holds the state.
//!
//! Owns the connection, and a runtime for it. Promises to connect again after the connection was
//! lost, but never in the middle of a change; that no statement is waited for without an end; that
//! migrations run once however many gateways start; and that the schema `penstock` is the only
//! thing that it touches. Blocks, and must not be used inside of another runtime.

use super::database::{Ask, Fault, Row, Value};
use super::schema::STEPS;
use bytes::BytesMut;
use postgres_types::{IsNull, ToSql, Type, to_sql_checked};
use std::error::Error;
use std::fmt;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Bound of one statement: the store must not hang with the network.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// PostgreSQL's own bounds, within ours: so that a statement that nobody waits for any more does
/// not happen later, and a change that nobody ends does not keep others from theirs.
const SETTINGS: &str = "SET search_path = penstock; SET statement_timeout = 8000; \
                        SET idle_in_transaction_session_timeout = 20000";

/// Bound of a new connection, where the URL says nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Migrations of several gateways that start together come one after the other: `pnst`.
const MIGRATION_LOCK: i64 = 0x706e_7374;

/// Begins a change: those of all gateways and commands come one after the other.
const BEGIN: &str = "BEGIN; LOCK TABLE changes IN EXCLUSIVE MODE";

/// The database.
pub(super) struct PostgreSql {
    config: Config,
    runtime: Runtime,
    /// `None` after a statement without an answer: what that connection still does is unknown.
    line: Option<Line>,
}

/// One connection, which ends with this.
struct Line {
    client: Client,
    task: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a statement has no result.
struct Failure {
    fault: Fault,
    /// Whether the connection went with it.
    is_lost: bool,
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        failure.fault
    }
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
        let mut postgresql = PostgreSql {
            config,
            runtime,
            line: None,
        };
        postgresql.connect_if_lost()?;
        postgresql.migrate()?;
        Ok(postgresql)
    }

    fn migrate(&mut self) -> Result<(), Fault> {
        self.batch(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})"))?;
        // Made only where it is missing: later a role does without the right to make schemas.
        let there = "SELECT CAST(to_regclass('penstock.schema_version') AS TEXT)";
        if self.query(there, &[])?.first().map(|row| row.0.as_slice()) == Some(&[Value::Null]) {
            self.batch(
                "CREATE SCHEMA IF NOT EXISTS penstock; \
                 CREATE TABLE penstock.schema_version (version BIGINT NOT NULL)",
            )?;
        }
        let rows = self.query(
            "SELECT coalesce(max(version), 0) FROM penstock.schema_version",
            &[],
        )?;
        let version = rows.first().map_or(Ok(0), |row| row.integer(0))?;
        let version = usize::try_from(version).unwrap_or(usize::MAX);
        if version > STEPS.len() {
            return Err(format!(
                "the schema penstock is of version {version}, and this version of Penstock knows {}",
                STEPS.len()
            ));
        }
        for (index, step) in STEPS.iter().enumerate().skip(version) {
            let step = step.replace("{INTEGER}", "BIGINT").replace("{STRICT}", "");
            self.batch(&format!(
                "BEGIN; {step}; INSERT INTO penstock.schema_version VALUES ({}); COMMIT",
                index + 1
            ))?;
        }
        Ok(self.batch(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})"))?)
    }

    fn connect_if_lost(&mut self) -> Result<(), Fault> {
        if self
            .line
            .as_ref()
            .is_none_or(|line| line.client.is_closed())
        {
            self.line = None;
            self.line = Some(self.runtime.block_on(open(&self.config))?);
        }
        Ok(())
    }

    /// Runs a statement on the connection that there is.
    fn run<T>(
        &mut self,
        statement: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Failure> {
        let Some(line) = &self.line else {
            return Err(Failure {
                fault: "the connection was lost".to_owned(),
                is_lost: true,
            });
        };
        let answer = self.runtime.block_on(async {
            tokio::time::timeout(STATEMENT_TIMEOUT, statement(&line.client)).await
        });
        let failure = match answer {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => Failure {
                is_lost: error.is_closed() || is_farewell(&error) || line.client.is_closed(),
                fault: shown(error),
            },
            Err(_) => {
                self.line = None;
                return Err(Failure {
                    fault: format!("no answer within {} s", STATEMENT_TIMEOUT.as_secs()),
                    // It has taken its time: it is not asked a second time.
                    is_lost: false,
                });
            }
        };
        if failure.is_lost {
            self.line = None;
        }
        Err(failure)
    }

    /// Runs what may be run twice: a connection can be lost while nobody looks, and shows it at
    /// the next statement.
    fn run_again_if_lost<T>(
        &mut self,
        statement: impl AsyncFn(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Fault> {
        self.connect_if_lost()?;
        match self.run(&statement) {
            Err(failure) if failure.is_lost => {
                self.connect_if_lost()?;
                Ok(self.run(&statement)?)
            }
            other => Ok(other?),
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
        let begun = self.run_again_if_lost(async |client| client.batch_execute(BEGIN).await);
        if let Err(fault) = begun {
            // It may have begun, and be waiting for the lock.
            self.line = None;
            return Err(fault.into());
        }
        let done = change(&mut InChange(self));
        let ended = match &done {
            Ok(_) => self.batch("COMMIT"),
            Err(_) => self.batch("ROLLBACK"),
        };
        if ended.is_err() {
            self.line = None;
        }
        let done = done?;
        ended.map_err(Fault::from)?;
        Ok(done)
    }

    fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        self.run(async |client| client.batch_execute(sql).await)
    }
}

impl Ask for PostgreSql {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Fault> {
        self.connect_if_lost()?;
        InChange(self).execute(sql, values)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Fault> {
        let rows =
            self.run_again_if_lost(async |client| client.query(sql, &parameters(values)).await)?;
        rows.iter().map(read).collect()
    }
}

/// The connection while a change is under way: a new one would know nothing of it.
struct InChange<'a>(&'a mut PostgreSql);

impl Ask for InChange<'_> {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Fault> {
        let done = self
            .0
            .run(async |client| client.execute(sql, &parameters(values)).await);
        Ok(done?)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Fault> {
        let rows = self
            .0
            .run(async |client| client.query(sql, &parameters(values)).await)?;
        rows.iter().map(read).collect()
    }
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as _).collect()
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
async fn open(config: &Config) -> Result<Line, Fault> {
    let opened = async {
        let line = if config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = config.connect(NoTls).await.map_err(shown)?;
            Line {
                client,
                task: tokio::spawn(drop_result(connection)),
            }
        } else {
            let (client, connection) = config.connect(trusting()?).await.map_err(shown)?;
            Line {
                client,
                task: tokio::spawn(drop_result(connection)),
            }
        };
        line.client.batch_execute(SETTINGS).await.map_err(shown)?;
        Ok(line)
    };
    tokio::time::timeout(STATEMENT_TIMEOUT + CONNECT_TIMEOUT, opened)
        .await
        .unwrap_or_else(|_| Err("no connection in time".to_owned()))
}

/// What ended a connection shows in the statements that it had to answer.
async fn drop_result<T, E>(connection: impl Future<Output = Result<T, E>>) {
    drop(connection.await);
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

/// Whether the server says with this that it ends the connection (57P01 to 57P03): the end itself may
/// come a moment later.
fn is_farewell(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| code.code().starts_with("57P0"))
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
