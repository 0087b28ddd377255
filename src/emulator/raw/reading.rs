//! Reading rows: pages, single rows, parallel cursors.
//!
//! Owns the cursor: where a page starts, where its part of the table ends, and the time
//! window, which a cursor carries with it. Parallel cursors cut the table into ranges of
//! keys of about equal size.

use super::store::{Row, Table, not_found};
use super::{ROWS_MAX, page_limit};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::cursor;
use crate::emulator::json;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

const CURSOR: &str = "rows";
const CURSORS_DEFAULT: i64 = 10;
const CURSORS_MAX: i64 = 10_000;

/// A part of a table.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Part {
    /// The first key, unless it is `after`.
    from: String,
    /// Whether `from` itself was given out already.
    after: bool,
    /// The first key of the next part.
    until: Option<String>,
    /// Only rows updated after this, in ms.
    updated_after: Option<i64>,
    /// Only rows updated until this, in ms.
    updated_until: Option<i64>,
}

impl Part {
    fn of_query(call: &Call<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            updated_after: call.query.number("minLastUpdatedTime")?,
            updated_until: call.query.number("maxLastUpdatedTime")?,
            ..Self::default()
        })
    }

    fn shows(&self, row: &Row) -> bool {
        let time_ms = row.last_updated_ms;
        self.updated_after.is_none_or(|after| time_ms > after)
            && self.updated_until.is_none_or(|until| time_ms <= until)
    }

    fn rows<'a>(
        &'a self,
        rows: &'a BTreeMap<String, Row>,
    ) -> impl Iterator<Item = (&'a String, &'a Row)> {
        let start = if self.after {
            Bound::Excluded(self.from.as_str())
        } else {
            Bound::Included(self.from.as_str())
        };
        rows.range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| self.until.as_ref().is_none_or(|until| *key < until))
            .filter(|(_, row)| self.shows(row))
    }
}

/// Which columns a reader wants.
enum Selection<'a> {
    All,
    Named(Vec<&'a str>),
}

impl<'a> Selection<'a> {
    /// Empty means all, a single comma none.
    fn parse(text: Option<&'a str>) -> Self {
        match text {
            None | Some("") => Self::All,
            Some(text) => Self::Named(text.split(',').filter(|name| !name.is_empty()).collect()),
        }
    }

    fn apply<'r>(&self, columns: &'r RawValue) -> Result<Cow<'r, RawValue>, Refusal> {
        let Self::Named(names) = self else {
            return Ok(Cow::Borrowed(columns));
        };
        let all: BTreeMap<String, &RawValue> = json::read(columns.get().as_bytes())?;
        let chosen: serde_json::Map<_, _> = names
            .iter()
            .filter_map(|name| Some((name, all.get(*name)?)))
            .map(|(name, value)| Ok(((*name).to_owned(), json::read(value.get().as_bytes())?)))
            .collect::<Result<_, Refusal>>()?;
        serde_json::value::to_raw_value(&chosen)
            .map(Cow::Owned)
            .map_err(|error| Refusal::invalid(format!("columns: {error}")))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownRow<'a> {
    key: &'a str,
    columns: Cow<'a, RawValue>,
    last_updated_time: i64,
}

impl<'a> ShownRow<'a> {
    fn new(key: &'a str, row: &'a Row, selection: &Selection<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            key,
            columns: selection.apply(&row.columns)?,
            last_updated_time: row.last_updated_ms,
        })
    }
}

/// The table of a call. In sink mode every table exists and is empty.
fn table_of(call: &Call<'_>) -> Result<Arc<Table>, Refusal> {
    let found = call
        .project
        .raw
        .table(&call.names.database, &call.names.table);
    match found {
        Err(_) if call.sink() => Ok(Arc::default()),
        found => found,
    }
}

/// `GET …/rows`
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let limit = page_limit(call.query, ROWS_MAX)?;
    let part: Part = match call.query.get("cursor") {
        None | Some("") => Part::of_query(call)?,
        Some(text) => cursor::decode(CURSOR, text)?,
    };
    let selection = Selection::parse(call.query.get("columns"));
    let table = table_of(call)?;
    let rows = table.rows();
    let mut rest = part.rows(&rows);
    let page = rest
        .by_ref()
        .take(limit)
        .map(|(key, row)| ShownRow::new(key, row, &selection))
        .collect::<Result<Vec<_>, _>>()?;
    let next_cursor = rest.next().and(page.last()).map(|last| {
        let next = Part {
            from: last.key.to_owned(),
            after: true,
            ..part.clone()
        };
        cursor::encode(CURSOR, &next)
    });
    call.tally.items = page.len() as u64;
    call.tally.rows = call.tally.items;
    Ok(Answer::page(200, &page, next_cursor))
}

/// `GET …/rows/{key}`
pub fn get(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let table = table_of(call)?;
    let rows = table.rows();
    let key = &call.names.key;
    let row = rows.get(key).ok_or_else(|| not_found("rows", key))?;
    call.tally.items = 1;
    Ok(Answer::json(
        200,
        &ShownRow::new(key, row, &Selection::All)?,
    ))
}

/// `GET …/cursors`
pub fn cursors(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let wanted = call
        .query
        .number("numberOfCursors")?
        .unwrap_or(CURSORS_DEFAULT);
    if !(1..=CURSORS_MAX).contains(&wanted) {
        return Err(Refusal::invalid(format!(
            "numberOfCursors: must be from 1 to {CURSORS_MAX}, got {wanted}"
        )));
    }
    let whole = Part::of_query(call)?;
    let table = table_of(call)?;
    let rows = table.rows();
    // The first part starts at the smallest key there can be, for rows that come later.
    let parts = (wanted as usize).min(rows.len().max(1));
    let size = rows.len().div_ceil(parts).max(1);
    let mut starts: Vec<String> = rows.keys().step_by(size).cloned().collect();
    if let Some(first) = starts.first_mut() {
        first.clear();
    } else {
        starts.push(String::new());
    }
    let cursors: Vec<String> = starts
        .iter()
        .enumerate()
        .map(|(number, from)| Part {
            from: from.clone(),
            until: starts.get(number + 1).cloned(),
            ..whole.clone()
        })
        .map(|part| cursor::encode(CURSOR, &part))
        .collect();
    call.tally.items = cursors.len() as u64;
    Ok(Answer::items(200, &cursors))
}
