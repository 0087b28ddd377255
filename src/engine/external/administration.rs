//! The connection by which the gateway makes databases and roles, and takes them away.
//!
//! Owns that connection, as the role of the URL. Promises that the server is known to be fit before
//! anything is asked of it: its version, and the role's rights; and that the lock which tells other
//! gateways that this one lives is held as long as the connection is. Never runs a statement of a client.

use super::names::LOCK;
use super::server::{Server, ServerFault};
use std::error::Error;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// The oldest that will do: since then a role may be a member of another without its rights.
const VERSION_MIN: u32 = 160_000;

/// Bound of one statement. Making a database waits for a checkpoint on a busy server.
const STATEMENT_MAX: Duration = Duration::from_secs(60);

/// Bound of a new connection, TLS and sign-in included.
const CONNECT_MAX: Duration = Duration::from_secs(20);

/// SQLSTATEs of a sign-in by which the server says that it will not do like this.
const UNFIT: [&str; 4] = ["28P01", "28000", "3D000", "42501"];

/// The connection, which ends with this.
#[derive(Debug)]
pub(super) struct Administration {
    client: Client,
    task: JoinHandle<()>,
}

impl Drop for Administration {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Administration {
    /// Signs in and looks at the server; `lock` is held from then on.
    ///
    /// # Errors
    /// `Away`, or `Unfit` with what is wrong and what would mend it.
    pub async fn begin(server: &Server, lock: Option<i32>) -> Result<Self, ServerFault> {
        let begun = async {
            let administration = connect(server).await?;
            administration.check().await?;
            if let Some(lock) = lock {
                let sql = format!("SELECT pg_advisory_lock({LOCK}, {lock})");
                administration.run(&sql).await?;
            }
            Ok(administration)
        };
        let begun = timeout(CONNECT_MAX, begun).await;
        begun.unwrap_or_else(|_| Err(ServerFault::Away("no connection in time".to_owned())))
    }

    /// Whether it can be asked.
    pub fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    async fn check(&self) -> Result<(), ServerFault> {
        let rows = self
            .run(
                "SET statement_timeout = 55000; SET lock_timeout = 0; SET client_min_messages = error; \
                 SELECT current_setting('server_version_num'), current_setting('server_version'), \
                 rolsuper OR rolcreatedb, rolsuper OR rolcreaterole, current_user FROM \
                 pg_catalog.pg_roles WHERE rolname = current_user",
            )
            .await?;
        let Some([number, version, makes_databases, makes_roles, role]) =
            rows.first().map(|row| &row[..])
        else {
            return Err(ServerFault::Unfit(
                "the role of engine.url is unknown".to_owned(),
            ));
        };
        if number
            .parse::<u32>()
            .is_ok_and(|number| number < VERSION_MIN)
        {
            return Err(ServerFault::Unfit(format!(
                "it is PostgreSQL {version}, and engine.url needs 16 or later"
            )));
        }
        if makes_databases != "t" || makes_roles != "t" {
            return Err(ServerFault::Unfit(format!(
                "the role {role} of engine.url may not make databases and roles: ALTER ROLE {} CREATEDB \
                 CREATEROLE",
                crate::engine::identifier(role)
            )));
        }
        Ok(())
    }

    /// Runs SQL and returns the rows of all its statements as texts, a NULL as an empty one. What must
    /// not be in a transaction is to come alone.
    ///
    /// # Errors
    /// `Refused` with what it said; `Away` when it is gone.
    pub async fn run(&self, sql: &str) -> Result<Vec<Vec<String>>, ServerFault> {
        let answered = timeout(STATEMENT_MAX, self.client.simple_query(sql)).await;
        let messages = match answered {
            Ok(answered) => answered.map_err(fault)?,
            Err(_) => {
                // What it still does is unknown: the next one is another.
                self.task.abort();
                return Err(ServerFault::Away("no answer in time".to_owned()));
            }
        };
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|index| row.get(index).unwrap_or_default().to_owned())
                    .collect(),
            ),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The same, one after the other.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_each(&self, statements: &[String]) -> Result<(), ServerFault> {
        for sql in statements {
            self.run(sql).await?;
        }
        Ok(())
    }
}

async fn connect(server: &Server) -> Result<Administration, ServerFault> {
    let mut config = server.config().await?;
    config.application_name("penstock");
    let socket = server.socket().await?;
    // Whatever TLS there is to be, the socket has it already.
    config.ssl_mode(SslMode::Disable);
    let opened = config.connect_raw(socket, NoTls).await;
    let opened = opened.map(|(client, connection)| {
        let task = tokio::spawn(async { drop(connection.await) });
        Administration { client, task }
    });
    opened.map_err(|error| match fault(error) {
        ServerFault::Refused { code, message } if UNFIT.contains(&code.as_str()) => {
            ServerFault::Unfit(format!("{message} ({code})"))
        }
        ServerFault::Refused { code, message } => ServerFault::Away(format!("{message} ({code})")),
        other => other,
    })
}

/// What PostgreSQL said, which the error alone leaves out.
fn fault(error: tokio_postgres::Error) -> ServerFault {
    match error.as_db_error() {
        Some(said) => ServerFault::Refused {
            code: said.code().code().to_owned(),
            message: said.message().to_owned(),
        },
        None => ServerFault::Away(match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }),
    }
}
