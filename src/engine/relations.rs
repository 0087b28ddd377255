//! Which tables a statement will read and change, as PostgreSQL's own planner says.
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
    /// Each part of the statement that changes one.
    pub changes: Vec<PlannedChange>,
    /// Names that its expressions may call, in lower case.
    pub calls: BTreeSet<String>,
}

/// A part of a statement that changes a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    pub schema: String,
    pub name: String,
    /// What the statement calls it.
    alias: String,
    pub operation: PlannedOperation,
    /// Whether it says what becomes of rows whose key exists.
    pub decides_conflicts: bool,
    /// What it returns, as PostgreSQL writes expressions; empty: nothing.
    returned: Vec<String>,
    /// Whether it is the statement itself, not a CTE.
    pub is_outermost: bool,
    /// Whether it is of every row, without any condition.
    pub is_of_all: bool,
}

/// What a part of a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedOperation {
    Insert,
    Update,
    Delete,
    /// Any of the others.
    Merge,
}

impl PlannedChange {
    fn of_node(node: &Value, is_outermost: bool) -> Option<Self> {
        let name = text(node, "Relation Name")?;
        Some(PlannedChange {
            schema: text(node, "Schema")?.to_owned(),
            name: name.to_owned(),
            alias: text(node, "Alias").unwrap_or(name).to_owned(),
            operation: match text(node, "Operation")? {
                "Insert" => PlannedOperation::Insert,
                "Update" => PlannedOperation::Update,
                "Delete" => PlannedOperation::Delete,
                _ => PlannedOperation::Merge,
            },
            decides_conflicts: text(node, "Conflict Resolution").is_some(),
            returned: node
                .get("Output")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|output| output.as_str().map(str::to_owned))
                .collect(),
            is_outermost,
            is_of_all: match node
                .get("Plans")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
            {
                Some([only]) => {
                    text(only, "Node Type") == Some("Seq Scan")
                        && text(only, "Relation Name") == Some(name)
                        && only.get("Filter").is_none()
                }
                _ => false,
            },
        })
    }

    /// That of a COPY into the relation, which no plan shows.
    pub fn of_copy(schema: &str, name: &str) -> Self {
        PlannedChange {
            schema: schema.to_owned(),
            name: name.to_owned(),
            alias: name.to_owned(),
            operation: PlannedOperation::Insert,
            decides_conflicts: false,
            returned: Vec::new(),
            is_outermost: true,
            is_of_all: false,
        }
    }

    /// Whether it returns something.
    pub fn returns(&self) -> bool {
        !self.returned.is_empty()
    }

    /// Whether what it returns depends on that column.
    pub fn returns_column(&self, column: &str) -> bool {
        let forms = [column.to_owned(), super::identifier(column)];
        let names = [self.alias.clone(), super::identifier(&self.alias)];
        self.returned.iter().any(|output| {
            forms.iter().any(|form| {
                let mut places = whole_words(output, form);
                places.any(|before| match before.strip_suffix('.') {
                    Some(before) => names
                        .iter()
                        .any(|name| before.ends_with(name) && !ends_in_word(before, name)),
                    // Where there is one relation only PostgreSQL names it nowhere.
                    None => !before.ends_with('\''),
                })
            })
        })
    }
}

impl PlannedChange {
    /// Where it returns that column as it is, from 0; `None`: it is part of something else, too.
    pub fn places_of(&self, column: &str) -> Option<Vec<usize>> {
        let quoted = super::identifier(column);
        let alias = super::identifier(&self.alias);
        let is_plain = |output: &str| {
            let name = [self.alias.as_str(), alias.as_str()]
                .iter()
                .find_map(|alias| output.strip_prefix(*alias)?.strip_prefix('.'))
                .unwrap_or(output);
            name == column || name == quoted
        };
        let mut places = Vec::new();
        for (place, output) in self.returned.iter().enumerate() {
            let alone = PlannedChange {
                returned: vec![output.clone()],
                ..self.clone()
            };
            if is_plain(output) {
                places.push(place);
            } else if alone.returns_column(column) {
                return None;
            }
        }
        Some(places)
    }
}

/// What stands before each place of `text` where `word` stands by itself.
fn whole_words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(word).filter_map(move |(start, _)| {
        let after = text[start + word.len()..].chars().next();
        let before = &text[..start];
        let is_whole =
            !before.chars().next_back().is_some_and(is_of_word) && !after.is_some_and(is_of_word);
        is_whole.then_some(before)
    })
}

/// Whether the name at the end of `text` is the end of a longer one.
fn ends_in_word(text: &str, name: &str) -> bool {
    let before = &text[..text.len() - name.len()];
    before.chars().next_back().is_some_and(is_of_word)
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
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
                relations.walk(statement.get("Plan")?, true);
            }
        }
        Some(relations)
    }

    /// Notes the names that a text may call, such as those in VALUES, which a plan leaves out.
    pub fn note_calls_of(&mut self, text: &str) {
        self.calls.extend(calls_in(text));
    }

    /// Whether the statement may run SQL that stands in a text. The embedded PostgreSQL lets nobody; one
    /// on a server may let everybody.
    pub fn run_sql_of_texts(&self, planned: &str) -> bool {
        let runs = |name: &String| {
            name.contains("_to_xml") || matches!(name.as_str(), "ts_stat" | "ts_rewrite")
        };
        self.calls.iter().any(runs) || calls_in(planned).any(|name| runs(&name))
    }

    /// Whether all are the catalog's, and none is changed.
    pub fn are_of_the_catalog(&self) -> bool {
        let is_it = |relation: &Relation| OF_THE_CATALOG.contains(&relation.schema.as_str());
        self.changed.is_empty() && self.read.iter().all(is_it)
    }

    fn walk(&mut self, node: &Value, is_outermost: bool) {
        if text(node, "Node Type") == Some("ModifyTable") {
            self.changes
                .extend(PlannedChange::of_node(node, is_outermost));
        }
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
            self.walk(part, false);
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
        assert_eq!(relations.changes[0].operation, PlannedOperation::Update);
        assert!(relations.changes[0].is_outermost && !relations.changes[0].returns());
        assert_eq!(Relations::of_plan("Seq Scan"), None);
        assert_eq!(Relations::of_plan("[{}]"), None);
    }

    #[test]
    fn sql_of_texts_is_found_in_the_plan_and_in_the_statement() {
        let plan = r#"[{"Plan": {"Node Type": "Result", "Output": ["query_to_xml('x'::text)"]}}]"#;
        let relations = Relations::of_plan(plan).expect("it is a plan");
        assert!(relations.run_sql_of_texts("SELECT * FROM a_view"));
        let nothing = Relations::default();
        assert!(nothing.run_sql_of_texts("VALUES (1), (ts_stat ('SELECT 1'))"));
        assert!(!nothing.run_sql_of_texts("SELECT lower(ts_stat) FROM assets"));
    }

    #[test]
    fn what_needs_no_plan_reads_nothing() {
        let nothing = Some(Relations::default());
        assert_eq!(Relations::of_plan(r#"["CREATE TABLE AS"]"#), nothing);
    }

    #[test]
    fn a_part_of_a_statement_tells_what_its_answer_depends_on() {
        let plan = r#"[{"Plan": {"Node Type": "CTE Scan", "Plans": [{"Node Type": "ModifyTable",
            "Operation": "Insert", "Schema": "public", "Relation Name": "assets", "Alias": "a",
            "Conflict Resolution": "NOTHING",
            "Output": ["a.id", "upper((a.name)::text)", "a.\"externalId\"", "last_updated_time",
                "ba.source", "'unit'::text"]}]}}]"#;
        let relations = Relations::of_plan(plan).expect("it is a plan");
        let change = &relations.changes[0];
        assert!(!change.is_outermost && change.decides_conflicts);
        for (column, is_returned) in [
            ("id", true),
            ("name", true),
            ("externalId", true),
            ("last_updated_time", true),
            ("source", false),
            ("unit", false),
            ("i", false),
            ("root_id", false),
        ] {
            assert_eq!(change.returns_column(column), is_returned, "{column}");
        }
    }
}
