//! The key of a row, from its text.
//!
//! Owns which columns of a table name a row. Promises the same text for the same key of one
//! table, and that two keys never share a text. Never reads values: `01` and `1` are two keys.

use crate::catalog::{RowShape, Table};

/// The key as a JSON array of texts; `None` where a part of it is missing or NULL.
pub fn key_of<C: AsRef<str>>(
    table: &Table,
    columns: &[C],
    values: &[Option<String>],
) -> Option<String> {
    let value = |name: &str| {
        let index = columns.iter().position(|column| column.as_ref() == name)?;
        values.get(index)?.as_deref()
    };
    let parts: Vec<&str> = match table.shape {
        RowShape::DoubleDatapoints | RowShape::StringDatapoints => {
            // The external id counts where a row has both names of its series.
            let mut parts = match (value("instance_space"), value("external_id")) {
                (Some(space), name) => vec!["instance_id", space, name?],
                (None, Some(external_id)) => vec!["external_id", external_id],
                (None, None) => vec!["id", value("id")?],
            };
            parts.push(value("timestamp")?);
            parts
        }
        _ if table.key.is_empty() => return None,
        _ => table
            .key
            .iter()
            .map(|column| value(table.columns[*column].name))
            .collect::<Option<_>>()?,
    };
    serde_json::to_string(&parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    fn key(table: &Table, row: &[(&str, Option<&str>)]) -> Option<String> {
        let columns: Vec<&str> = row.iter().map(|(column, _)| *column).collect();
        let values: Vec<Option<String>> = row
            .iter()
            .map(|(_, value)| value.map(str::to_owned))
            .collect();
        key_of(table, &columns, &values)
    }

    #[test]
    fn a_point_is_named_by_its_series_and_time() {
        let table = catalog::DOUBLE_DATAPOINTS;
        let point = [("value", Some("1")), ("timestamp", Some("t"))];
        let by_name = [point[0], point[1], ("external_id", Some("7"))];
        let by_id = [point[0], point[1], ("id", Some("7"))];
        assert_eq!(
            key(table, &by_name).as_deref(),
            Some(r#"["external_id","7","t"]"#)
        );
        assert_eq!(key(table, &by_id).as_deref(), Some(r#"["id","7","t"]"#));
        assert_eq!(key(table, &point), None);
        let of_instance = [
            by_name[0],
            by_name[1],
            by_name[2],
            ("instance_space", Some("s")),
        ];
        assert_eq!(
            key(catalog::CDF_DOUBLE_DATAPOINTS, &of_instance).as_deref(),
            Some(r#"["instance_id","s","7","t"]"#)
        );
    }

    #[test]
    fn an_object_is_named_by_its_key_columns() {
        let table = catalog::table(None, "time_series").expect("the table exists");
        assert_eq!(
            key(table, &[("name", Some("n")), ("external_id", Some("a\"b"))]).as_deref(),
            Some(r#"["a\"b"]"#)
        );
        assert_eq!(key(table, &[("external_id", None)]), None);
    }
}
