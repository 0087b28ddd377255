//! Schema `penstock`: relations that show the gateway's own state.
//!
//! Owns their list; one file describes one of them. Promises columns that keep their names, and
//! numbers (OIDs) that stay the same. Never knows a row: those are made anew for each statement.

mod budgets;
mod connections;
mod dead_letters;
mod queues;

use super::column::Column;
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

/// What a relation shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayState {
    /// What CDF lets pass, and what is used of it.
    Budgets,
    /// Clients that are connected.
    Connections,
    /// Rows that will never be in CDF as they are.
    DeadLetters,
    /// Rows on their way.
    Queues,
}

/// Every relation of the schema, ordered by name.
pub static STATE_TABLES: [&Table; 4] = [
    &budgets::TABLE,
    &connections::TABLE,
    &dead_letters::TABLE,
    &queues::TABLE,
];

/// A relation of the schema. It is of no resource of CDF: who reads or writes rows of tables asks
/// for the shape first, and the resource stands for nothing.
const fn relation(
    name: &'static str,
    oid: u32,
    state: GatewayState,
    columns: &'static [Column],
    comment: &'static str,
) -> Table {
    Table {
        schema: super::PENSTOCK,
        name,
        oid,
        resource: Resource::Instances,
        shape: RowShape::GatewayState(state),
        on_existing: OnExisting::Refuse,
        columns,
        key: &[],
        id: None,
        endpoints: None,
        row_rule: RowRule::None,
        is_writable: false,
        comment,
    }
}

/// The names of the relations, for a HINT.
pub(super) fn known_relations() -> String {
    let names = STATE_TABLES.map(|table| table.name);
    format!(
        "The relations of schema {} are {}.",
        super::PENSTOCK,
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Definition, TABLES};
    use serde_json::json;

    #[test]
    fn every_column_says_what_it_means_and_is_only_read() {
        for table in STATE_TABLES {
            assert!(!table.is_writable && !table.comment.is_empty());
            for (index, column) in table.columns.iter().enumerate() {
                assert!(!column.is_writable(), "{}.{}", table.name, column.name);
                assert_eq!(table.column_comment(index), column.meaning);
                assert!(!column.meaning.is_empty(), "{}", column.name);
            }
        }
    }

    #[test]
    fn no_custom_table_takes_the_name_of_one() {
        let definition = |name: &str| {
            let options = json!({"database": "d", "table": "t"});
            let columns = json!({"a": {"type": "TEXT"}});
            let table = json!({
                "type": "raw_rows", "tablename": name, "options": options, "columns": columns,
            });
            Definition::from_json(&table)
        };
        let refused = definition("penstock.queues").expect_err("it is taken");
        assert!(refused.to_string().contains("the gateway's own"));
        assert!(definition("queues").is_ok(), "schema public is the user's");
    }

    #[test]
    fn no_number_is_that_of_another_table() {
        for state in STATE_TABLES {
            let others = TABLES.iter().chain(&STATE_TABLES);
            let same = others.filter(|other| other.oid == state.oid).count();
            assert_eq!(same, 1, "{}", state.name);
        }
    }
}
