//! Why a change by position is not made.
//!
//! Owns its words. Promises a hint that names what is taken. Never decides.

use crate::catalog::{Resource, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::change::{ChangeKind, empties};

fn not_supported(table: &Table, message: String, hint: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(SqlState::FEATURE_NOT_SUPPORTED, message)
            .with_hint(hint)
            .with_table(table.name),
    )
}

fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Update => "UPDATE",
        _ => "DELETE",
    }
}

/// 0A000: the condition does not name rows by series and time, or sequence and row number.
pub(super) fn other_condition(table: &Table, kind: ChangeKind) -> Box<Diagnostic> {
    let message = format!(
        "{} of \"{}\" is not supported with this condition",
        word(kind),
        table.name
    );
    let hint = match (table.resource, kind) {
        (Resource::SequenceRows, _) => {
            "Name rows by sequence and number: WHERE external_id (or id) = …, IN (…) or = ANY (…) \
             AND row_number =, IN, = ANY, <, <=, >, >= or BETWEEN constants or parameters."
        }
        (_, ChangeKind::Update) => {
            "Name points by series and time: WHERE external_id (or id) = …, IN (…) or = ANY (…) \
             AND timestamp =, IN or = ANY constants, parameters or now() ± interval."
        }
        _ => {
            "Name points by series and time: WHERE external_id (or id) = …, IN (…) or = ANY (…) \
             [AND timestamp =, IN, = ANY, <, <=, >, >= or BETWEEN constants, parameters or \
             now() ± interval]."
        }
    };
    not_supported(table, message, hint)
}

/// 42501: the condition would take away rows of all series or sequences; an UPDATE is 0A000.
pub(super) fn no_key(table: &Table, kind: ChangeKind) -> Box<Diagnostic> {
    match kind {
        ChangeKind::Update => other_condition(table, kind),
        _ => empties(table, "DELETE"),
    }
}

/// 0A000: an UPDATE names points, not times between two.
pub(super) fn update_of_range(table: &Table) -> Box<Diagnostic> {
    not_supported(
        table,
        format!(
            "UPDATE of \"{}\" needs the timestamps of the points",
            table.name
        ),
        "Name them: AND timestamp = …, IN (…) or = ANY (…). All points between two times cannot \
         be set to one value.",
    )
}

/// 0A000: more row numbers than are listed one by one.
pub(super) fn too_wide(table: &Table, rows_max: i64) -> Box<Diagnostic> {
    not_supported(
        table,
        format!("the row numbers of the condition are not bounded by {rows_max}"),
        "CDF takes row numbers one by one: give row_number a lower and an upper bound that are \
         closer, and repeat the statement for the next ones. To delete all rows, delete the \
         sequence and make it again.",
    )
}

/// 0A000: a column that says where a row is.
pub(in crate::sql) fn moves(table: &Table, column: usize) -> Box<Diagnostic> {
    let column = table.columns[column].name;
    let mut refusal = not_supported(
        table,
        format!("column \"{column}\" cannot be updated: it names the row"),
        "INSERT the row in its new place, and DELETE the old one.",
    );
    refusal.column = Some(column.to_owned());
    refusal
}

/// 0A000: an UPDATE of sequence rows that writes no cells.
pub(super) fn no_cells(table: &Table) -> Box<Diagnostic> {
    not_supported(
        table,
        format!("UPDATE of \"{}\" has to set \"values\"", table.name),
        "SET values = '{\"column\": 1}', or values = '[1]' with columns = '{column}'.",
    )
}

/// 0A000: CDF does not tell what it deletes.
pub(super) fn returns_deleted(table: &Table) -> Box<Diagnostic> {
    not_supported(
        table,
        format!(
            "RETURNING is not supported for DELETE of \"{}\"",
            table.name
        ),
        "CDF does not tell which rows there were: leave RETURNING out.",
    )
}

/// 0A000: CDF writes points whole, with their statuses.
pub(super) fn no_status(table: &Table) -> Box<Diagnostic> {
    not_supported(
        table,
        format!(
            "UPDATE of \"{}\" has to set the value and the status of the points",
            table.name
        ),
        "CDF writes a point whole: SET value = …, status_code = … (0 is Good).",
    )
}

/// 0A000: several spaces at once.
pub(super) fn several_spaces(table: &Table) -> Box<Diagnostic> {
    not_supported(
        table,
        "the condition names several spaces".to_owned(),
        "Name the series of one space at a time: AND instance_space = ….",
    )
}
