//! Which tables a statement will read, as PostgreSQL's own planner says.
//!
//! Owns the walk through a plan. Promises that views, CTEs, search_path and temporary tables that
//! hide others are resolved, because PostgreSQL resolved them. Never looks at the statement's text.

use super::fickle::calls_in;
use serde_json::Value;
use std::collections::BTreeSet;

/// Schemas whose relations are the same as long as the user's tables are.
const OF_THE_CATALOG: [&str; 3] = ["pg_catalog", "information_schema", "pg_toast"];

/// Relations of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// Each that is read.
    pub read: Vec<Relation>,
    /// Each that is changed.
    pub changed: Vec<Relation>,
    /// Names that its expressions may call, in lower case.
    pub calls: BTreeSet<String>,
}

/// A relation of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    pub schema: String,
    pub name: String,
    /// How many nodes of the plan go to it. Rows that one of them has no use for another may need.
    pub nodes: usize,
}

impl Relations {
    /// Those of what `EXPLAIN (FORMAT JSON, VERBOSE)` said; `None` if that is no plan.
    pub fn of_plan(explained: &str) -> Option<Self> {
        let explained: Value = serde_json::from_str(explained).ok()?;
        let mut relations = Relations::default();
        for statement in explained.as_array()? {
            relations.walk(statement.get("Plan")?);
        }
        Some(relations)
    }

    /// Whether all are the catalog's, and none is changed.
    pub fn are_of_the_catalog(&self) -> bool {
        let is_it = |relation: &Relation| OF_THE_CATALOG.contains(&relation.schema.as_str());
        self.changed.is_empty() && self.read.iter().all(is_it)
    }

    fn walk(&mut self, node: &Value) {
        for (name, value) in node.as_object().into_iter().flatten() {
            match (name.as_str(), value) {
                ("Function Name", Value::String(function)) => {
                    self.calls.insert(function.to_lowercase());
                }
                ("Plans", _) => {}
                (_, value) => self.note_calls(value),
            }
        }
        if let (Some(schema), Some(name)) = (text(node, "Schema"), text(node, "Relation Name")) {
            let into = match text(node, "Node Type") {
                Some("ModifyTable") => &mut self.changed,
                _ => &mut self.read,
            };
            let is_it =
                |relation: &&mut Relation| relation.schema == schema && relation.name == name;
            match into.iter_mut().find(is_it) {
                Some(relation) => relation.nodes += 1,
                None => into.push(Relation {
                    schema: schema.to_owned(),
                    name: name.to_owned(),
                    nodes: 1,
                }),
            }
        }
        for part in node
            .get("Plans")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.walk(part);
        }
    }
}

impl Relations {
    /// Notes what the expressions call that a property of a node holds, at whatever depth.
    fn note_calls(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                self.calls.extend(calls_in(text));
                if super::fickle::means_the_present(text) {
                    // CURRENT_DATE and the like: they have no parentheses.
                    self.calls.insert("now".to_owned());
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.note_calls(value)),
            Value::Object(values) => values.values().for_each(|value| self.note_calls(value)),
            _ => {}
        }
    }
}

fn text<'a>(node: &'a Value, name: &str) -> Option<&'a str> {
    node.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_relation_of_a_plan_is_found_once() {
        let plan = r#"[{"Plan": {"Node Type": "Hash Join", "Plans": [
            {"Node Type": "Seq Scan", "Schema": "public", "Relation Name": "assets"},
            {"Node Type": "Hash", "Plans": [
                {"Node Type": "Index Scan", "Schema": "public", "Relation Name": "events"},
                {"Node Type": "Seq Scan", "Schema": "public", "Relation Name": "assets"}]}]}}]"#;
        let relations = Relations::of_plan(plan).expect("it is a plan");
        let found: Vec<(&str, usize)> = relations
            .read
            .iter()
            .map(|relation| (relation.name.as_str(), relation.nodes))
            .collect();
        assert_eq!(found, [("assets", 2), ("events", 1)]);
        assert!(relations.changed.is_empty());
    }

    #[test]
    fn a_table_that_is_changed_is_told_from_one_that_is_read() {
        let plan = r#"[{"Plan": {"Node Type": "ModifyTable", "Operation": "Update",
            "Schema": "public", "Relation Name": "assets", "Plans": [
            {"Node Type": "Seq Scan", "Schema": "public", "Relation Name": "events"}]}}]"#;
        let relations = Relations::of_plan(plan).expect("it is a plan");
        assert_eq!(relations.changed.len(), 1);
        assert_eq!(relations.read.len(), 1);
        assert_eq!(Relations::of_plan("Seq Scan"), None);
    }
}
