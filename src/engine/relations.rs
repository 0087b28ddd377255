//! Which tables a statement will read, as PostgreSQL's own planner says.
//!
//! Owns the walk through a plan. Promises that views, CTEs, search_path and temporary tables that
//! hide others are resolved, because PostgreSQL resolved them. Never looks at the statement's text.

use serde_json::Value;

/// Relations of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// Each that is read.
    pub read: Vec<Relation>,
    /// Each that is changed.
    pub changed: Vec<Relation>,
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
            // What is done without a plan, such as a table that exists already, is no object.
            if statement.is_object() {
                relations.walk(statement.get("Plan")?);
            }
        }
        Some(relations)
    }

    fn walk(&mut self, node: &Value) {
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
        assert_eq!(Relations::of_plan("[{}]"), None);
    }

    #[test]
    fn what_needs_no_plan_reads_nothing() {
        let nothing = Some(Relations::default());
        assert_eq!(Relations::of_plan(r#"["CREATE TABLE AS"]"#), nothing);
    }
}
