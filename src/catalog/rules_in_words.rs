//! What a column's values must be, in words.
//!
//! Owns the wording that documentation and comments of the catalog share. Promises to say what the
//! column's description says and nothing else. Never checks a value.

use super::column::{Access, JsonForm, JsonShape, ValueRule};
use super::table::Table;

impl Table {
    /// The rules of the column at `index`, one a text, in Markdown: `key`, `made by CDF`, `up to 10
    /// elements`.
    pub fn rules_in_words(&self, index: usize) -> Vec<String> {
        rules(self, index)
    }

    /// What a tool shows beside the column at `index`: the field of CDF behind it, and its rules.
    pub fn column_comment(&self, index: usize) -> String {
        let column = &self.columns[index];
        if !column.meaning.is_empty() {
            return column.meaning.to_owned();
        }
        let mut parts = vec![format!("{} in CDF", column.field)];
        parts.extend(self.rules_in_words(index));
        // Tools show comments as they are.
        parts.join("; ").replace('`', "")
    }
}

fn rules(table: &Table, index: usize) -> Vec<String> {
    let column = &table.columns[index];
    let mut rules = Vec::new();
    if table.key.contains(&index) {
        rules.push("key".to_owned());
    } else if table.id == Some(index) {
        rules.push("names a row in UPDATE and DELETE".to_owned());
    }
    match column.access {
        Access::ReadOnly => rules.push("made by CDF".to_owned()),
        Access::CreateOnly => rules.push("never changed afterwards".to_owned()),
        Access::Writable => {}
    }
    if column.required && column.access != Access::ReadOnly {
        rules.push("required".to_owned());
    }
    match column.rule {
        ValueRule::AsTyped => {}
        ValueRule::NotEmpty => rules.push("not empty".to_owned()),
        ValueRule::Identifier => rules.push("ids of CDF".to_owned()),
        ValueRule::Metadata { value_bytes_max } => rules.push(format!(
            "a JSON object of strings: 256 pairs, keys of 128 bytes, values of {value_bytes_max}"
        )),
        ValueRule::NotNegative => rules.push("from 0 on".to_owned()),
        ValueRule::UnitInterval => rules.push("from 0 to 1".to_owned()),
        ValueRule::OneOf(words) => rules.push(format!("one of {}", words.join(", "))),
        ValueRule::JsonObject => rules.push("a JSON object".to_owned()),
        ValueRule::Form(form) => rules.push(form_rule(form).to_owned()),
        ValueRule::AbsolutePath => rules.push("begins with a slash".to_owned()),
        ValueRule::Schedule => {
            rules.push("`On trigger`, `Continuous` or a cron expression".to_owned());
        }
    }
    if column.bytes_max > 0 {
        rules.push(format!("{} bytes in all", column.bytes_max));
    }
    if column.elements_max > 0 {
        rules.push(format!("up to {} elements", column.elements_max));
    }
    if column.is_distinct {
        rules.push("each once".to_owned());
    }
    if column.empty_is_none {
        rules.push("an empty list is left out of an INSERT".to_owned());
    }
    match column.shape {
        JsonShape::AsTyped => {}
        JsonShape::ExternalIds => rules.push("external ids".to_owned()),
        JsonShape::Single => rules.push("CDF knows one".to_owned()),
    }
    let is_updatable = table
        .endpoints
        .is_some_and(|endpoints| endpoints.update.is_some());
    if is_updatable && column.access == Access::Writable && !column.clearable && !column.required {
        rules.push("never set to NULL by UPDATE".to_owned());
    }
    rules
}

fn form_rule(form: JsonForm) -> &'static str {
    match form {
        JsonForm::GeoLocation => "a GeoJSON `Feature` in two dimensions",
        JsonForm::SequenceColumns => {
            "a JSON array of 1 to 400 objects: `externalId` (required, each once, 255 characters), \
             `name` (255), `description` (1000), `valueType` (`STRING`, up to 200 of them, \
             `DOUBLE` or `LONG`), `metadata` (10000 bytes)"
        }
        JsonForm::RawTables => "a JSON array of objects with `dbName` and `tableName`",
        JsonForm::Contacts => {
            "a JSON array of objects: `name`, `email` (254 characters), `role`, `sendNotification`"
        }
        JsonForm::NotificationConfig => "a JSON object: `allowedNotSeenRangeInMinutes`",
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::{DOUBLE_DATAPOINTS, TABLES};

    #[test]
    fn a_comment_names_the_field_and_its_rules() {
        let assets = TABLES.iter().find(|table| table.name == "assets");
        let comments: Vec<String> = assets
            .map(|table| {
                let columns = 0..table.columns.len();
                columns.map(|index| table.column_comment(index)).collect()
            })
            .unwrap_or_default();
        assert_eq!(
            comments[0],
            "id in CDF; names a row in UPDATE and DELETE; made by CDF"
        );
        assert_eq!(comments[1], "externalId in CDF; key");
        assert_eq!(comments[2], "name in CDF; required; not empty");
        assert_eq!(
            DOUBLE_DATAPOINTS.column_comment(0),
            "value in CDF; required"
        );
    }

    #[test]
    fn no_comment_holds_marks_of_markdown() {
        for table in TABLES {
            for index in 0..table.columns.len() {
                assert!(!table.column_comment(index).contains('`'));
            }
        }
    }
}
