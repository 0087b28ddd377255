//! `POST …/rows`: inserting rows.
//!
//! Owns the checks of rows. A key that is there already gets its columns replaced; the
//! same key twice in one request keeps the last. CDF may leave a failed insert half done:
//! a fault can ask for that.

use super::{
    COLUMN_CHARS_MAX, COLUMNS_BYTES_MAX, DATABASE_CHARS_MAX, KEY_CHARS_MAX, ROWS_MAX,
    TABLE_CHARS_MAX, check_name,
};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::checksum;
use crate::emulator::clock;
use crate::emulator::json::{self, check_items};
use crate::emulator::reference::check_chars;
use crate::emulator::sink;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;

#[derive(Deserialize)]
struct InsertRequest<'a> {
    #[serde(borrow)]
    items: Vec<GivenRow<'a>>,
}

#[derive(Deserialize)]
struct GivenRow<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    columns: &'a RawValue,
}

/// Inserts rows.
pub fn insert(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (database, table) = (&call.names.database, &call.names.table);
    check_name("databases", database, DATABASE_CHARS_MAX)?;
    check_name("tables", table, TABLE_CHARS_MAX)?;
    let ensure_parent = call.query.flag("ensureParent", false)?;
    let body = call.bytes();
    let factor = checksum::table(database.as_bytes(), table.as_bytes());
    if call.sink() {
        let mut tally = sink::read_rows(&body)?;
        tally.rows_sum = tally.rows_sum.wrapping_mul(factor);
        check_items("rows", tally.items as usize, ROWS_MAX)?;
        call.consume(tally.items, body.len() as u64)?;
        call.tally = tally;
        return Ok(Answer::empty());
    }
    let rows = json::read_object::<InsertRequest<'_>>(&body)?.items;
    call.tally.items = rows.len() as u64;
    call.consume(call.tally.items, body.len() as u64)?;
    check_items("rows", rows.len(), ROWS_MAX)?;
    for row in &rows {
        check_row(&row.key, row.columns.get())?;
    }
    let rows_max = call.rows_max.unwrap_or(rows.len());
    let table = if ensure_parent {
        call.project.raw.ensure_table(database, table)
    } else {
        call.project.raw.table(database, table)?
    };
    for row in rows.iter().take(rows_max) {
        let hash = checksum::row(row.key.as_bytes(), row.columns.get().as_bytes());
        call.tally.rows += 1;
        call.tally.rows_sum = call.tally.rows_sum.wrapping_add(factor.wrapping_mul(hash));
        if call.tally.wants_keys() {
            call.tally.keys.push(row.key.to_string());
        }
    }
    let written = rows
        .into_iter()
        .take(rows_max)
        .map(|row| (row.key.into_owned(), row.columns.to_owned()));
    table.upsert(written, clock::now_ms());
    Ok(Answer::empty())
}

/// Checks the key and the columns of one row; `columns` is valid JSON already.
pub fn check_row(key: &str, columns: &str) -> Result<(), Refusal> {
    if key.is_empty() {
        return Err(Refusal::invalid("key: must not be empty"));
    }
    check_chars("key", key, KEY_CHARS_MAX)?;
    if !columns.starts_with('{') {
        return Err(Refusal::invalid("columns: has to be a JSON object"));
    }
    if columns.len() > COLUMNS_BYTES_MAX {
        return Err(Refusal::invalid(format!(
            "columns: must be at most {COLUMNS_BYTES_MAX} bytes, got {}",
            columns.len()
        )));
    }
    // Below this no name and no value can be too long: do not take the columns apart.
    if columns.len() <= COLUMN_CHARS_MAX {
        return Ok(());
    }
    for (name, value) in json::read::<Map<String, Value>>(columns.as_bytes())? {
        check_chars("column name", &name, COLUMN_CHARS_MAX)?;
        match value {
            Value::String(text) => check_chars("column value", &text, COLUMN_CHARS_MAX)?,
            other => check_chars("column value", &other.to_string(), COLUMN_CHARS_MAX)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the storing reader makes of a body: the sum of its rows, or a refusal.
    fn stored(body: &str) -> Result<(u64, u64), u16> {
        let rows =
            json::read_object::<InsertRequest<'_>>(body.as_bytes()).map_err(|r| r.status())?;
        let mut sum = 0_u64;
        for row in &rows.items {
            check_row(&row.key, row.columns.get()).map_err(|r| r.status())?;
            let columns = row.columns.get().as_bytes();
            sum = sum.wrapping_add(checksum::row(row.key.as_bytes(), columns));
        }
        Ok((rows.items.len() as u64, sum))
    }

    fn sunk(body: &str) -> Result<(u64, u64), u16> {
        sink::read_rows(body.as_bytes())
            .map(|tally| (tally.rows, tally.rows_sum))
            .map_err(|refusal| refusal.status())
    }

    /// Bodies that are right, nearly right and wrong.
    fn bodies() -> impl Strategy<Value = String> {
        let field = prop::sample::select(vec![
            r#""key":"a""#,
            r#""key" : "\u00e9\n""#,
            r#""key":"""#,
            r#""key":5"#,
            r#""k\u0065y":"escaped""#,
            r#""columns":{}"#,
            r#""columns": {"a":[1,{"b":null}],"c":"\\\""} "#,
            r#""columns":[1]"#,
            r#""columns":"text""#,
            r#""columns":{"a":01}"#,
            r#""other":{"key":[]}"#,
        ]);
        let row =
            prop::collection::vec(field, 0..4).prop_map(|row| format!("{{{}}}", row.join(",")));
        let rows = prop::collection::vec(row, 0..4).prop_map(|rows| rows.join(" , "));
        let frame = prop::sample::select(vec![
            (r#"{"items":["#, "]}"),
            (r#"{ "x": 1, "items" : ["#, " ] } "),
            (r#"{"items":["#, r#"],"items":[]}"#),
            (r#"{"items":["#, "]"),
            (r#"[["#, "]]"),
        ]);
        (frame, rows).prop_map(|((start, end), rows)| format!("{start}{rows}{end}"))
    }

    proptest! {
        #[test]
        fn sink_and_store_agree_on_every_body(body in bodies()) {
            prop_assert_eq!(sunk(&body), stored(&body), "{}", body);
        }

        #[test]
        fn sink_and_store_agree_on_every_row_that_can_be_written(
            key in ".{1,40}",
            columns in prop::collection::btree_map(".{0,10}", ".{0,30}", 0..5),
        ) {
            let body = serde_json::json!({"items": [{"key": key, "columns": columns}]}).to_string();
            prop_assert!(stored(&body).is_ok());
            prop_assert_eq!(sunk(&body), stored(&body), "{}", body);
        }
    }
}
