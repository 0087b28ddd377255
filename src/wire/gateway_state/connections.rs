//! Rows of `penstock.connections`.
//!
//! Owns the look at the sessions of one user. Promises none of another's. Never waits.

use super::rows::{StateWriter, Value, number, text};
use crate::catalog::{Namespace, Table};
use crate::diagnostic::Diagnostic;
use crate::wire::activity::Activities;

/// Writes a row for each session of `user`, whose tables are those of `namespace`; the one with the
/// number `asking` asks.
pub(super) fn write(
    writer: &mut StateWriter,
    activities: &Activities,
    (user, asking): (&str, i32),
    namespace: &Namespace,
) -> Result<(), Box<Diagnostic>> {
    for activity in activities.of_user(user) {
        let (state, since) = activity.state();
        let (requests, rows, bytes) = activity.counts();
        let table = activity
            .table_oid()
            .and_then(|oid| namespace.table_of_oid(oid));
        writer.row([
            number(activity.process_id),
            number(activity.process_id == asking),
            text(user),
            text(activity.application_name()),
            text(activity.peer.ip().to_canonical().to_string()),
            number(activity.peer.port()),
            number(activity.is_encrypted),
            number(activity.connected),
            text(state.name()),
            number(since),
            activity.transaction().and_then(number),
            name(table),
            table.and_then(|table| text(table.resource.name())),
            number(requests),
            number(rows),
            number(bytes),
        ])?;
    }
    Ok(())
}

fn name(table: Option<&'static Table>) -> Value {
    table.and_then(|table| text(table.full_name()))
}
