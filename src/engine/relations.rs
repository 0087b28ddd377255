//! Which tables a statement will read, as PostgreSQL's own planner says.
//!
//! Owns the walk through a plan. Promises that views, CTEs, search_path and temporary tables that
//! hide others are resolved, because PostgreSQL resolved them. Never looks at the statement's text.

use serde_json::Value;

/// Relations of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// Schema and name of each that is read, once.
    pub read: Vec<(String, String)>,
    /// Of each that is changed.
    pub changed: Vec<(String, String)>,
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

    fn walk(&mut self, node: &Value) {
        if let (Some(schema), Some(name)) = (text(node, "Schema"), text(node, "Relation Name")) {
            let relation = (schema.to_owned(), name.to_owned());
            let into = match text(node, "Node Type") {
                Some("ModifyTable") => &mut self.changed,
                _ => &mut self.read,
            };
            if !into.contains(&relation) {
                into.push(relation);
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
        let name = |name: &str| ("public".to_owned(), name.to_owned());
        assert_eq!(relations.read, [name("assets"), name("events")]);
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
