//! Checks of the settings that no type can make.
//!
//! Owns the ranges of single settings and the combinations that cannot work. Promises that
//! every problem of a tree is found in one pass, and that each names the key to change. Never
//! refuses what is merely unwise: those are the warnings of
//! [`Configuration::warnings`](super::Configuration::warnings).

use super::ClientCertificates;
use super::problem::Findings;
use super::request_checks;
use super::tree::Tree;

/// Room for a page of some hundred rows at a time.
const SCANS_BYTES_MIN: usize = 1 << 20;

/// The memory budget counts permits of one byte in 32 bits.
const PERMIT_BYTES_MAX: usize = u32::MAX as usize;

/// PostgreSQL's protocol carries a message length in 31 bits; its own bound is 1 GiB - 1.
const MESSAGE_BYTES_MAX: u32 = 0x3fff_ffff;

/// PostgreSQL's bound of a startup packet, which every client may fill.
const STARTUP_BYTES_MAX: u32 = 10_000;

/// Memory of an embedded PostgreSQL that has not been asked anything, and some to work with.
const ENGINE_BYTES_MIN: u64 = 128 << 20;

/// Its files, and some room for rows.
const ENGINE_DISK_BYTES_MIN: u64 = 192 << 20;

/// Rows of one batch; row indexes inside a batch are 32 bits, and a batch is one unit of work.
const BATCH_ROWS_MAX: usize = 1_000_000;

/// An empty store takes some pages, and a letter may hold a row of 5 MiB.
const DEAD_LETTERS_BYTES_MIN: u64 = 16 << 20;

/// PostgreSQL's settings of time are milliseconds in 31 bits.
const SESSION_TIMEOUT_S_MAX: u64 = i32::MAX as u64 / 1000;

/// A day: whoever was shut out must not write for longer.
const TOKEN_GRACE_S_MAX: u64 = 86_400;

/// As long as the departures of users are remembered.
const SIGN_IN_S_MAX: u64 = 3_600;

/// More threads than this are a mistake.
const THREADS_MAX: usize = 1024;

/// Notes everything that is wrong with the settings of `tree`.
pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    listen(tree, findings);
    threads(tree, findings);
    memory(tree, findings);
    copy(tree, findings);
    engine(tree, findings);
    timeouts(tree, findings);
    dead_letters(tree, findings);
    tree.journal.check(findings);
    super::statements::check_tables(&tree.tables, findings);
    tree.accounts.check(tree.state.is_named(), findings);
    logs(tree, findings);
    request_checks::check(tree, findings);
}

/// Notes a 0 where one makes no sense.
pub(super) fn not_zero(key: &str, value: u64, findings: &mut Findings) {
    if value == 0 {
        findings.note(key, "the value is 0", "Set it to 1 or more");
    }
}

fn listen(tree: &Tree, findings: &mut Findings) {
    let listen = &tree.listen;
    match (&listen.tls_certificate, &listen.tls_private_key) {
        (Some(_), None) => findings.note(
            "listen.tls_private_key",
            "there is a TLS certificate and no private key",
            "Set tls_private_key to the PEM file of the certificate's key, or remove tls_certificate",
        ),
        (None, Some(_)) => findings.note(
            "listen.tls_certificate",
            "there is a private key and no TLS certificate",
            "Set tls_certificate to the PEM file of the certificate, or remove tls_private_key",
        ),
        (None, None) if listen.require_tls => findings.note(
            "listen.require_tls",
            "TLS is required and there is no certificate, so nobody could connect",
            "Set tls_certificate and tls_private_key, or set require_tls to false",
        ),
        _ => {}
    }
    if listen.tls_client_ca.is_some() && listen.tls_certificate.is_none() {
        findings.note(
            "listen.tls_client_ca",
            "certificates of clients would be checked and there is no TLS",
            "Set tls_certificate and tls_private_key, or remove tls_client_ca",
        );
    }
    if listen.tls_client_certificates == ClientCertificates::Require
        && listen.tls_client_ca.is_none()
    {
        findings.note(
            "listen.tls_client_certificates",
            "clients must show a certificate and nothing says which are good",
            "Set tls_client_ca to the PEM file of their authority",
        );
    }
    if listen.sign_ins_max > listen.connections_max {
        findings.note(
            "listen.sign_ins_max",
            "more connections may sign in at once than may be open",
            "Set it to listen.connections_max or less; 0 is half of that",
        );
    }
    if listen.postgres == listen.http && listen.http.port() != 0 {
        findings.note(
            "listen.http",
            format!("{} is the address of listen.postgres too", listen.http),
            "Choose another port",
        );
    }
    not_zero(
        "listen.connections_max",
        listen.connections_max as u64,
        findings,
    );
    if listen.message_bytes_max_before_sign_in < STARTUP_BYTES_MAX {
        findings.note(
            "listen.message_bytes_max_before_sign_in",
            format!("clients may send startup packets of {STARTUP_BYTES_MAX} bytes"),
            format!("Set it to {STARTUP_BYTES_MAX} or more"),
        );
    }
    if listen.message_bytes_max < listen.message_bytes_max_before_sign_in {
        findings.note(
            "listen.message_bytes_max",
            "messages after sign-in would have to be smaller than those before it",
            "Set it to message_bytes_max_before_sign_in or more",
        );
    } else if listen.message_bytes_max > MESSAGE_BYTES_MAX {
        findings.note(
            "listen.message_bytes_max",
            "PostgreSQL's clients send no message above 1 GiB",
            format!("Set it to {MESSAGE_BYTES_MAX} or less"),
        );
    }
}

fn threads(tree: &Tree, findings: &mut Findings) {
    for (key, value) in [
        (
            "runtime.connection_threads",
            tree.runtime.connection_threads,
        ),
        ("runtime.writer_threads", tree.runtime.writer_threads),
    ] {
        if value > THREADS_MAX {
            findings.note(
                key,
                format!("{value} threads are more than any machine needs"),
                format!("Set it to {THREADS_MAX} or less; 0 chooses by the number of cores"),
            );
        }
    }
}

fn memory(tree: &Tree, findings: &mut Findings) {
    let memory = &tree.memory;
    let connection_key = "memory.rows_bytes_max_per_connection";
    not_zero(
        "memory.rows_bytes_max",
        memory.rows_bytes_max as u64,
        findings,
    );
    if memory.rows_bytes_max_per_connection > memory.rows_bytes_max {
        findings.note(
            connection_key,
            "one connection may hold more than all connections together",
            "Set it to memory.rows_bytes_max or less",
        );
    }
    if memory.rows_bytes_max_per_connection > PERMIT_BYTES_MAX {
        findings.note(
            connection_key,
            "one connection may not hold 4 GiB or more",
            format!("Set it to {PERMIT_BYTES_MAX} or less"),
        );
    }
    if memory.rows_bytes_max_per_connection < tree.copy.batch_bytes {
        findings.note(
            connection_key,
            format!("it holds no batch of copy.batch_bytes = {} bytes", tree.copy.batch_bytes),
            "Set it to twice copy.batch_bytes or more, so that one batch fills while another is sent",
        );
    }
    if memory.scans_bytes_max < SCANS_BYTES_MIN {
        findings.note(
            "memory.scans_bytes_max",
            "CDF's answers would be read in tiny parts",
            format!("Set it to {SCANS_BYTES_MIN} or more"),
        );
    }
    let transactions = &tree.transactions;
    not_zero(
        "transactions.staged_bytes_max",
        transactions.staged_bytes_max as u64,
        findings,
    );
    if transactions.staged_bytes_max > transactions.staged_bytes_max_total {
        findings.note(
            "transactions.staged_bytes_max",
            "one transaction may stage more than all transactions together",
            "Set it to transactions.staged_bytes_max_total or less",
        );
    }
    not_zero(
        "transactions.spool_bytes_max",
        transactions.spool_bytes_max,
        findings,
    );
    if transactions.spool_bytes_max > transactions.spool_bytes_max_total {
        findings.note(
            "transactions.spool_bytes_max",
            "one transaction may have more on disk than all transactions together",
            "Set it to transactions.spool_bytes_max_total or less",
        );
    }
}

fn engine(tree: &Tree, findings: &mut Findings) {
    let engine = &tree.engine;
    not_zero("engine.engines_max", engine.engines_max as u64, findings);
    if engine.spares > engine.engines_max {
        findings.note(
            "engine.spares",
            format!(
                "more than engine.engines_max, {}, cannot be up",
                engine.engines_max
            ),
            "Set it to that or less",
        );
    }
    not_zero("engine.stall_s", engine.stall_s, findings);
    not_zero("engine.scan_rows_max", engine.scan_rows_max, findings);
    if engine.disk_bytes_max < ENGINE_DISK_BYTES_MIN {
        findings.note(
            "engine.disk_bytes_max",
            format!(
                "the files of an engine take {ENGINE_DISK_BYTES_MIN} bytes before it runs anything"
            ),
            format!("Set it to {ENGINE_DISK_BYTES_MIN} or more"),
        );
    }
    if engine.memory_bytes_max < ENGINE_BYTES_MIN {
        findings.note(
            "engine.memory_bytes_max",
            format!("an engine takes {ENGINE_BYTES_MIN} bytes before it runs anything"),
            format!("Set it to {ENGINE_BYTES_MIN} or more"),
        );
    }
}

fn copy(tree: &Tree, findings: &mut Findings) {
    let copy = &tree.copy;
    not_zero("copy.batch_rows", copy.batch_rows as u64, findings);
    not_zero("copy.batch_bytes", copy.batch_bytes as u64, findings);
    not_zero("copy.line_bytes_max", copy.line_bytes_max as u64, findings);
    if copy.batch_rows > BATCH_ROWS_MAX {
        findings.note(
            "copy.batch_rows",
            format!("a batch holds at most {BATCH_ROWS_MAX} rows"),
            format!("Set it to {BATCH_ROWS_MAX} or less"),
        );
    }
}

fn timeouts(tree: &Tree, findings: &mut Findings) {
    let timeouts = &tree.timeouts;
    not_zero("timeouts.sign_in_s", timeouts.sign_in_s, findings);
    if timeouts.sign_in_s > SIGN_IN_S_MAX {
        findings.note(
            "timeouts.sign_in_s",
            "who signs in for so long could outlast the end of its user",
            format!("Set it to {SIGN_IN_S_MAX} or less"),
        );
    }
    if timeouts.token_grace_s > TOKEN_GRACE_S_MAX {
        findings.note(
            "timeouts.token_grace_s",
            "sessions would go on for longer than a day after their token has expired",
            format!("Set it to {TOKEN_GRACE_S_MAX} or less"),
        );
    }
    for (key, value) in [
        ("timeouts.idle_s", timeouts.idle_s),
        (
            "timeouts.idle_in_transaction_s",
            timeouts.idle_in_transaction_s,
        ),
        ("timeouts.statement_s", timeouts.statement_s),
        ("timeouts.transaction_s", timeouts.transaction_s),
    ] {
        if value > SESSION_TIMEOUT_S_MAX {
            findings.note(
                key,
                "PostgreSQL's settings hold no longer time",
                format!("Set it to {SESSION_TIMEOUT_S_MAX} or less; 0 is no bound"),
            );
        }
    }
}

fn dead_letters(tree: &Tree, findings: &mut Findings) {
    if tree.dead_letters.bytes_max < DEAD_LETTERS_BYTES_MIN {
        findings.note(
            "dead_letters.bytes_max",
            format!(
                "{} bytes are too few for a store",
                tree.dead_letters.bytes_max
            ),
            format!("Set it to {DEAD_LETTERS_BYTES_MIN} or more"),
        );
    }
}

fn logs(tree: &Tree, findings: &mut Findings) {
    if let Err(error) = crate::telemetry::logs::filter(&tree.logs) {
        findings.note(
            "logs.filter",
            format!("the filter cannot be read: {error}"),
            "Write a level (error, warn, info, debug, trace) or directives such as info,penstock=debug",
        );
    }
}
