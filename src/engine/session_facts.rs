//! What PostgreSQL tells of a session, of the gateway's sessions.
//!
//! Owns the functions that say it: those about the connection, and the one behind `pg_stat_activity` and
//! its relatives. Promises that a statement learns of its own session, by the number that its client
//! knows, and of no other session; an engine's own connection is seen by nobody. Never knows a
//! session: they read settings, which the session sets.

use std::fmt::Write;

/// Names of the settings from which the functions read.
#[derive(Debug)]
pub struct SessionFacts {
    /// What the client knows the connection by.
    pub process_id: &'static str,
    pub connected_at: &'static str,
    pub client_address: &'static str,
    pub client_port: &'static str,
    pub server_address: &'static str,
    pub server_port: &'static str,
    pub is_encrypted: &'static str,
}

/// The names.
pub const SESSION_FACTS: SessionFacts = SessionFacts {
    process_id: "penstock.backend_pid",
    connected_at: "penstock.backend_start",
    client_address: "penstock.client_addr",
    client_port: "penstock.client_port",
    server_address: "penstock.server_addr",
    server_port: "penstock.server_port",
    is_encrypted: "penstock.ssl",
};

/// The value of a setting as an expression; NULL where it is not set.
fn value(setting: &str, type_name: &str) -> String {
    format!("NULLIF(pg_catalog.current_setting('{setting}', true), '')::pg_catalog.{type_name}")
}

/// The one row of pg_stat_get_activity, whose columns are those of PostgreSQL 17.
fn activity() -> String {
    let process_id = value(SESSION_FACTS.process_id, "int4");
    let connected_at = value(SESSION_FACTS.connected_at, "timestamptz");
    let client_address = value(SESSION_FACTS.client_address, "inet");
    let client_port = value(SESSION_FACTS.client_port, "int4");
    let is_encrypted = value(SESSION_FACTS.is_encrypted, "bool");
    let null = |type_name: &str| format!("NULL::pg_catalog.{type_name}");
    let columns = [
        "(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"
            .to_owned(),
        process_id.clone(),
        "(SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = SESSION_USER)".to_owned(),
        "pg_catalog.current_setting('application_name')".to_owned(),
        "'active'::pg_catalog.text".to_owned(),
        "pg_catalog.current_query()".to_owned(),
        // What it waits for: nothing.
        null("text"),
        null("text"),
        "pg_catalog.transaction_timestamp()".to_owned(),
        "pg_catalog.statement_timestamp()".to_owned(),
        connected_at,
        "pg_catalog.statement_timestamp()".to_owned(),
        client_address,
        null("text"),
        client_port,
        null("xid"),
        null("xid"),
        "'client backend'::pg_catalog.text".to_owned(),
        // Of TLS; its details are the gateway's log's.
        is_encrypted,
        null("text"),
        null("text"),
        null("int4"),
        null("text"),
        null("numeric"),
        null("text"),
        // Of GSSAPI, which nobody signs in with.
        "false".to_owned(),
        null("text"),
        "false".to_owned(),
        "false".to_owned(),
        null("int4"),
        null("int8"),
    ];
    format!(
        "SELECT {} WHERE $1 IS NULL OR $1 = {process_id}",
        columns.join(", ")
    )
}

/// SQL that has an engine tell of the session instead of its own connection.
pub(super) fn functions() -> String {
    let bodies = [
        (
            "pg_backend_pid()",
            format!("SELECT {}", value(SESSION_FACTS.process_id, "int4")),
        ),
        (
            "inet_client_addr()",
            format!("SELECT {}", value(SESSION_FACTS.client_address, "inet")),
        ),
        (
            "inet_client_port()",
            format!("SELECT {}", value(SESSION_FACTS.client_port, "int4")),
        ),
        (
            "inet_server_addr()",
            format!("SELECT {}", value(SESSION_FACTS.server_address, "inet")),
        ),
        (
            "inet_server_port()",
            format!("SELECT {}", value(SESSION_FACTS.server_port, "int4")),
        ),
        ("pg_stat_get_activity(integer)", activity()),
    ];
    let mut sql = String::new();
    for (function, body) in bodies {
        // They keep their numbers, which views hold on to.
        let _ = writeln!(
            sql,
            "UPDATE pg_catalog.pg_proc SET prolang = (SELECT oid FROM pg_catalog.pg_language WHERE \
             lanname = 'sql'), prosrc = {}, proisstrict = false WHERE oid = \
             'pg_catalog.{function}'::pg_catalog.regprocedure;",
            super::literal(&body)
        );
    }
    // They would be about processes of the engine's, or said where nobody listens.
    sql.push_str(
        "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_terminate_backend(integer, bigint), \
         pg_catalog.pg_cancel_backend(integer), pg_catalog.pg_notify(text, text) FROM PUBLIC;\n",
    );
    sql
}
