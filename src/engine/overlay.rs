//! Rows that are written but not in CDF yet, laid over those of an engine's table.
//!
//! Owns the SQL that does to the engine's rows what CDF will do to its own. Promises that rows of
//! one step have keys of their own, so that their order does not matter within it. Never reads
//! CDF, and never says which rows there are.

use super::dressing::{identifier, literal, type_of};
use super::fault::EngineFault;
use super::link::EngineLink;
use crate::catalog::{Column, ColumnType, RowShape, Table};
use crate::rows::{
    Action, Assigned, ConflictUpdate, LAST_TIMESTAMP, ObjectBatch, RowBatch, RowText,
};
use bytes::Bytes;

/// Where the rows of a step are, until they are laid over the table's.
const STAGED: &str = "pg_temp.penstock_staged";
/// Those of them that are made, of an upsert.
const MADE: &str = "pg_temp.penstock_made";

/// Rows of one statement's kind, in text form, with the same columns each.
#[derive(Debug)]
pub struct OverlayStep<'a> {
    pub table: &'static Table,
    pub action: &'a Action,
    /// Names of the columns that are given.
    pub columns: &'a [&'static str],
    /// Which of them name a row; empty where rows have no key, and each is one more.
    pub key: &'a [&'static str],
}

impl OverlayStep<'_> {
    /// Lays `rows` over the table's.
    ///
    /// # Errors
    /// `Broken` when the engine is gone; `Refused` for a value that is none of its column's type.
    pub async fn lay(&self, link: &mut EngineLink, rows: &[RowText]) -> Result<(), EngineFault> {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|name| format!("{} text", identifier(name)))
            .collect();
        link.run(&format!(
            "CREATE TEMP TABLE {STAGED} ({}) ON COMMIT DROP",
            columns.join(", ")
        ))
        .await?;
        link.begin_copy(&format!("COPY {STAGED} FROM STDIN"))
            .await?;
        link.copy_chunk(Bytes::from(lines(rows))).await?;
        link.end_copy().await?;
        for statement in self.statements() {
            link.run(&statement).await?;
        }
        link.run(&format!("DROP TABLE {STAGED}")).await?;
        Ok(())
    }

    fn statements(&self) -> Vec<String> {
        let (table, matches) = (self.name(), self.matches());
        let replaced = format!("DELETE FROM {table} AS t USING {STAGED} AS s WHERE {matches}");
        let missing = format!("WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE {matches})");
        match self.action {
            Action::Create if self.key.is_empty() => vec![self.insertion("")],
            Action::Create => vec![replaced, self.insertion("")],
            Action::CreateMissing => vec![self.insertion(&missing)],
            Action::Upsert(update) => {
                // Which rows are made is known before any is changed.
                let mut statements = vec![format!(
                    "CREATE TEMP TABLE {MADE} ON COMMIT DROP AS SELECT s.* FROM {STAGED} AS s {missing}"
                )];
                statements.extend(self.changes(&self.conflict_assignments(update)));
                statements.push(format!(
                    "TRUNCATE {STAGED}; INSERT INTO {STAGED} SELECT * FROM {MADE}; DROP TABLE {MADE}"
                ));
                statements.push(self.insertion(""));
                statements
            }
            Action::Update => self.changes(&self.assignments()).into_iter().collect(),
            Action::Delete | Action::DeleteFound => vec![replaced],
            Action::Empty => vec![format!("DELETE FROM {table}")],
        }
    }

    fn name(&self) -> String {
        format!(
            "{}.{}",
            identifier(self.table.schema),
            identifier(self.table.name)
        )
    }

    /// What row `t` of the table and row `s` of the step have in common.
    fn matches(&self) -> String {
        let is_range = self.columns.contains(&LAST_TIMESTAMP);
        let parts: Vec<String> = self
            .key
            .iter()
            .map(|name| {
                let (column, value) = (identifier(name), self.value(name));
                if is_range && *name == "timestamp" {
                    let last = format!("s.{}::timestamptz", identifier(LAST_TIMESTAMP));
                    format!("t.{column} BETWEEN {value} AND {last}")
                } else {
                    format!("t.{column} = {value}")
                }
            })
            .collect();
        parts.join(" AND ")
    }

    fn insertion(&self, condition: &str) -> String {
        let names: Vec<String> = self.columns.iter().map(|name| identifier(name)).collect();
        let values: Vec<String> = self.columns.iter().map(|name| self.value(name)).collect();
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {STAGED} AS s {condition}",
            self.name(),
            names.join(", "),
            values.join(", ")
        )
    }

    /// `UPDATE`, if there is anything to set.
    fn changes(&self, assignments: &[String]) -> Option<String> {
        (!assignments.is_empty()).then(|| {
            format!(
                "UPDATE {} AS t SET {} FROM {STAGED} AS s WHERE {}",
                self.name(),
                assignments.join(", "),
                self.matches()
            )
        })
    }

    fn assignments(&self) -> Vec<String> {
        let set = self.columns.iter().filter(|name| !self.key.contains(name));
        set.map(|name| format!("{} = {}", identifier(name), self.value(name)))
            .collect()
    }

    fn conflict_assignments(&self, update: &ConflictUpdate) -> Vec<String> {
        let columns = self.table.columns;
        update
            .assignments
            .iter()
            .map(|assignment| {
                let set = &columns[assignment.column];
                let value = match assignment.value {
                    Assigned::Excluded(from) if self.columns.contains(&columns[from].name) => {
                        self.value(columns[from].name)
                    }
                    Assigned::Excluded(_) => "NULL".to_owned(),
                    Assigned::Constant => constant(update.constants.as_ref(), self.table, set),
                };
                format!("{} = {value}", identifier(set.name))
            })
            .collect()
    }

    /// The value of a column of row `s`, as its type.
    fn value(&self, name: &str) -> String {
        let text = format!("s.{}", identifier(name));
        let column = self.table.columns.iter().find(|column| column.name == name);
        column.map_or_else(|| text.clone(), |column| typed(&text, self.table, column))
    }
}

/// An expression of text as a value of the column.
fn typed(text: &str, table: &Table, column: &Column) -> String {
    // Values of custom RAW tables are in PostgreSQL's text form, all of them.
    let has_json_lists = !matches!(table.shape, RowShape::RawColumns(_));
    match column.column_type {
        // Lists of strings are JSON.
        ColumnType::TextArray | ColumnType::VarcharArray if has_json_lists => format!(
            "CASE WHEN {text} IS NOT NULL THEN ARRAY(SELECT json_array_elements_text({text}::json)) END"
        ),
        other => format!("{text}::{}", type_of(other)),
    }
}

/// A constant of `DO UPDATE SET`.
fn constant(constants: Option<&ObjectBatch>, table: &Table, column: &Column) -> String {
    let text = constants.and_then(|constants| {
        let row = RowBatch::Objects(constants.clone()).row_text(0);
        let place = row.columns.iter().position(|name| *name == column.name)?;
        row.values.into_iter().nth(place)?
    });
    text.map_or_else(
        || "NULL".to_owned(),
        |text| typed(&literal(&text), table, column),
    )
}

/// Rows as lines of COPY.
fn lines(rows: &[RowText]) -> String {
    let mut lines = String::new();
    for row in rows {
        for (place, value) in row.values.iter().enumerate() {
            if place > 0 {
                lines.push('\t');
            }
            let Some(value) = value else {
                lines.push_str("\\N");
                continue;
            };
            for character in value.chars() {
                match character {
                    '\\' => lines.push_str("\\\\"),
                    '\t' => lines.push_str("\\t"),
                    '\n' => lines.push_str("\\n"),
                    '\r' => lines.push_str("\\r"),
                    other => lines.push(other),
                }
            }
        }
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    fn statements(action: Action, columns: &[&'static str], key: &[&'static str]) -> Vec<String> {
        let table = catalog::table(None, "assets").expect("there is one");
        let step = OverlayStep {
            table,
            action: &action,
            columns,
            key,
        };
        step.statements()
    }

    #[test]
    fn a_row_that_is_made_takes_the_place_of_the_old_one() {
        let statements = statements(Action::Create, &["external_id", "labels"], &["external_id"]);
        assert_eq!(statements.len(), 2);
        assert!(statements[0].starts_with("DELETE FROM \"public\".\"assets\" AS t USING"));
        assert!(statements[1].contains("json_array_elements_text"));
    }

    #[test]
    fn a_change_sets_everything_but_the_key() {
        let statements = statements(Action::Update, &["name", "external_id"], &["external_id"]);
        let [update] = statements.as_slice() else {
            panic!("{statements:?}");
        };
        assert!(update.contains("SET \"name\" = s.\"name\""), "{update}");
        assert!(update.contains("WHERE t.\"external_id\" = s.\"external_id\""));
    }

    #[test]
    fn lines_hold_what_lines_are_made_of() {
        let row = RowText {
            columns: vec!["a", "b"],
            values: vec![Some("x\ty\\z\n".to_owned()), None],
            action: "insert",
        };
        assert_eq!(lines(&[row]), "x\\ty\\\\z\\n\t\\N\n");
    }
}
