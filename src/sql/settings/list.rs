//! The settings that a session has.
//!
//! Owns the list, in the order of SHOW ALL. Promises PostgreSQL's names and, where the setting
//! means nothing here, its default. Settings that steer a planner or a disk are accepted and
//! have no effect. Never holds a session's values.

use super::definition::{Change, Definition, Kind, Unit};
use crate::sql::SERVER_VERSION;

const fn setting(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    description: &'static str,
) -> Definition {
    Definition {
        name,
        kind,
        default,
        change: Change::Session,
        reported: false,
        description,
    }
}

const fn reported(definition: Definition) -> Definition {
    Definition {
        reported: true,
        ..definition
    }
}

const fn fact(name: &'static str, value: &'static str, description: &'static str) -> Definition {
    Definition {
        change: Change::Never,
        ..setting(name, Kind::Text, value, description)
    }
}

const fn at_restart(
    name: &'static str,
    value: &'static str,
    description: &'static str,
) -> Definition {
    Definition {
        change: Change::Restart,
        ..setting(name, Kind::Text, value, description)
    }
}

const fn switch(
    name: &'static str,
    default: &'static str,
    description: &'static str,
) -> Definition {
    setting(name, Kind::Bool, default, description)
}

const fn milliseconds(name: &'static str, description: &'static str) -> Definition {
    setting(name, TIMEOUT, "0", description)
}

const TIMEOUT: Kind = Kind::Integer {
    least: 0,
    most: i32::MAX as i64,
    unit: Unit::Milliseconds,
};
const MEMORY: Kind = Kind::Integer {
    least: 64,
    most: i32::MAX as i64,
    unit: Unit::Kilobytes,
};
const ISOLATION: Kind = Kind::Enum(&[
    "serializable",
    "repeatable read",
    "read committed",
    "read uncommitted",
]);
const MESSAGES: Kind = Kind::Enum(&[
    "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error",
]);

/// Every setting.
pub(crate) static DEFINITIONS: &[Definition] = &[
    reported(setting(
        "application_name",
        Kind::Text,
        "",
        "The client's name for itself.",
    )),
    switch("array_nulls", "on", "Accepts NULL in arrays."),
    switch("backslash_quote", "on", "Accepts \\' in E'' constants."),
    setting(
        "bytea_output",
        Kind::Enum(&["escape", "hex"]),
        "hex",
        "The form of bytea.",
    ),
    switch(
        "check_function_bodies",
        "on",
        "No effect: there are no functions.",
    ),
    reported(setting(
        "client_encoding",
        Kind::ClientEncoding,
        "UTF8",
        "The client's encoding.",
    )),
    setting(
        "client_min_messages",
        MESSAGES,
        "notice",
        "The least message that is sent.",
    ),
    reported(setting(
        "DateStyle",
        Kind::DateStyle,
        "ISO, MDY",
        "How dates are read and shown.",
    )),
    switch(
        "default_transaction_deferrable",
        "off",
        "No effect: nothing is deferred.",
    ),
    setting(
        "default_transaction_isolation",
        ISOLATION,
        "read committed",
        "No effect: nothing is isolated.",
    ),
    reported(switch(
        "default_transaction_read_only",
        "off",
        "Whether transactions may write.",
    )),
    setting(
        "default_table_access_method",
        Kind::Text,
        "heap",
        "No effect: tables are CDF resources.",
    ),
    setting(
        "default_tablespace",
        Kind::Text,
        "",
        "No effect: tables are CDF resources.",
    ),
    switch("enable_seqscan", "on", "No effect: there is no planner."),
    setting(
        "extra_float_digits",
        Kind::Integer {
            least: -15,
            most: 3,
            unit: Unit::None,
        },
        "1",
        "No effect: doubles are shown exactly.",
    ),
    switch("geqo", "on", "No effect: there is no planner."),
    milliseconds(
        "idle_in_transaction_session_timeout",
        "How long a client may be silent in a transaction block.",
    ),
    milliseconds(
        "idle_session_timeout",
        "How long a client may be silent outside of one.",
    ),
    reported(fact("in_hot_standby", "off", "Never a standby.")),
    reported(fact(
        "integer_datetimes",
        "on",
        "Binary times are integers.",
    )),
    reported(setting(
        "IntervalStyle",
        Kind::Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
        "postgres",
        "The form of intervals.",
    )),
    reported(fact("is_superuser", "off", "Nobody is.")),
    switch("jit", "off", "No effect: nothing is compiled."),
    fact("lc_collate", "C.UTF-8", "The order of text."),
    fact("lc_ctype", "C.UTF-8", "The classes of characters."),
    setting(
        "lc_messages",
        Kind::Text,
        "C.UTF-8",
        "The language of messages.",
    ),
    setting("lc_monetary", Kind::Text, "C.UTF-8", "No effect."),
    setting("lc_numeric", Kind::Text, "C.UTF-8", "No effect."),
    setting("lc_time", Kind::Text, "C.UTF-8", "No effect."),
    milliseconds("lock_timeout", "No effect: nothing is locked."),
    setting("maintenance_work_mem", MEMORY, "64MB", "No effect."),
    fact("max_identifier_length", "63", "Bytes of a name."),
    fact("max_index_keys", "32", "Columns of a key."),
    at_restart("max_connections", "1000", "Most connections."),
    setting(
        "password_encryption",
        Kind::Enum(&["md5", "scram-sha-256"]),
        "scram-sha-256",
        "No effect.",
    ),
    setting(
        "penstock.ack",
        Kind::Enum(&["default", "delivered", "journaled"]),
        "default",
        "When rows are acknowledged: delivered, journaled, or as the table is configured.",
    ),
    setting(
        "penstock.copy",
        Kind::Enum(&["streaming", "staged"]),
        "streaming",
        "When rows of a COPY are sent: streaming, while it reads; staged, after the last line.",
    ),
    setting(
        "penstock.exact_row_counts",
        Kind::Enum(&["default", "on", "off"]),
        "default",
        "Whether DELETE counts the points and sequence rows that there were, or default: as configured.",
    ),
    setting(
        "penstock.on_duplicate",
        Kind::Enum(&["default", "error", "update", "ignore"]),
        "default",
        "What INSERT and COPY do with existing keys, or default: as the table is configured.",
    ),
    setting(
        "penstock.transaction",
        Kind::Enum(&["staged", "streaming"]),
        "staged",
        "When rows of a transaction are sent: staged, at COMMIT; streaming, with their statements.",
    ),
    fact(
        "penstock.version",
        env!("CARGO_PKG_VERSION"),
        "The version of this gateway.",
    ),
    setting(
        "plan_cache_mode",
        Kind::Enum(&["auto", "force_generic_plan", "force_custom_plan"]),
        "auto",
        "No effect.",
    ),
    switch("quote_all_identifiers", "off", "No effect."),
    setting("role", Kind::Text, "none", "The current role."),
    setting(
        "random_page_cost",
        Kind::Real {
            least: 0.0,
            most: 1.0e10,
        },
        "4",
        "No effect.",
    ),
    switch(
        "row_security",
        "on",
        "No effect: CDF decides who sees what.",
    ),
    reported(fact("scram_iterations", "4096", "Rounds of SCRAM-SHA-256.")),
    reported(setting(
        "search_path",
        Kind::Names,
        "\"$user\", public",
        "Every table is in public.",
    )),
    fact("segment_size", "1GB", "No effect."),
    reported(fact("server_encoding", "UTF8", "The server's encoding.")),
    reported(fact(
        "server_version",
        SERVER_VERSION,
        "The PostgreSQL version whose rules hold.",
    )),
    fact("server_version_num", "170005", "The same as a number."),
    reported(fact(
        "session_authorization",
        "",
        "The user of the session.",
    )),
    setting(
        "session_replication_role",
        Kind::Enum(&["origin", "replica", "local"]),
        "origin",
        "No effect: there are no triggers.",
    ),
    fact(
        "ssl",
        "on",
        "Whether TLS is available depends on the listener.",
    ),
    reported(Definition {
        kind: Kind::Bool,
        ..setting(
            "standard_conforming_strings",
            Kind::Bool,
            "on",
            "Backslashes are ordinary in '' constants.",
        )
    }),
    milliseconds("statement_timeout", "How long a statement may take."),
    switch("synchronize_seqscans", "on", "No effect."),
    setting(
        "synchronous_commit",
        Kind::Enum(&["local", "remote_write", "remote_apply", "on", "off"]),
        "on",
        "No effect: rows are acknowledged once they are in CDF.",
    ),
    setting(
        "tcp_keepalives_idle",
        Kind::Integer {
            least: 0,
            most: i32::MAX as i64,
            unit: Unit::Seconds,
        },
        "0",
        "No effect.",
    ),
    setting("temp_buffers", MEMORY, "8MB", "No effect."),
    reported(setting(
        "TimeZone",
        Kind::TimeZone,
        "UTC",
        "The zone of timestamps without one.",
    )),
    setting(
        "timezone_abbreviations",
        Kind::Text,
        "Default",
        "No effect.",
    ),
    switch(
        "transaction_deferrable",
        "off",
        "No effect: nothing is deferred.",
    ),
    setting(
        "transaction_isolation",
        ISOLATION,
        "read committed",
        "No effect: nothing is isolated.",
    ),
    switch(
        "transaction_read_only",
        "off",
        "Whether the transaction may write.",
    ),
    milliseconds("transaction_timeout", "How long a transaction may take."),
    setting("vacuum_cost_delay", TIMEOUT, "0", "No effect."),
    setting("work_mem", MEMORY, "4MB", "No effect."),
    setting(
        "xmloption",
        Kind::Enum(&["content", "document"]),
        "content",
        "No effect.",
    ),
];

/// The setting of that name, whatever its case.
pub(crate) fn find(name: &str) -> Option<&'static Definition> {
    // `SET SEED` and the like are not here; `timezone` and `TimeZone` are one.
    DEFINITIONS
        .iter()
        .find(|definition| definition.name.eq_ignore_ascii_case(name))
}
