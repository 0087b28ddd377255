//! Objects that the conditions name, from CDF's calls that read by reference.
//!
//! Owns the cutting of many names into calls. Promises each object that exists once, and no fault
//! for those that do not. Never filters: what the conditions say beside the names is PostgreSQL's.

use super::super::condition::Condition;
use super::super::copy_text::RowWriter;
use super::super::fault::ScanFault;
use super::super::plan::{Reading, Taken};
use super::super::source::{Page, Source, Turn, bytes_max};
use super::super::typed;
use super::objects::{Items, PAGE_MAX, push_object};
use super::{PARTITIONS, nothing, one_of};
use crate::catalog::Table;
use crate::cdf::{Operation, PageCall, PageFormat};
use serde_json::{Value, json};

/// Characters of an external id.
pub(super) const EXTERNAL_ID_MAX: usize = 255;

/// How objects are read that the conditions name by id or external id; `None`: they name none so.
pub(super) fn reading(table: &'static Table, conditions: &[Condition]) -> Option<Reading> {
    let path = table.endpoints?.by_ids?;
    let by_id = one_of(table, conditions, "id")
        .and_then(|(place, values)| Some((place, "id", ids(values)?)));
    let by_name = one_of(table, conditions, "externalId")
        .and_then(|(place, values)| Some((place, "externalId", names(values)?)));
    let (place, field, references) = match (by_id, by_name) {
        (Some(ids), Some(names)) if names.2.len() < ids.2.len() => names,
        (Some(ids), _) => ids,
        (None, names) => names?,
    };
    if references.is_empty() {
        return Some(nothing(conditions));
    }
    let mut taken = vec![Taken::No; conditions.len()];
    taken[place] = Taken::Exactly;
    let shown: Vec<&Value> = references.iter().take(3).collect();
    let filter = Some(json!({"items": shown, "of": references.len()}));
    Some(Reading {
        sources: in_parts(references)
            .map(|references| {
                Box::new(ObjectsByIds {
                    table,
                    path,
                    field,
                    references,
                    asked: 0,
                }) as Box<dyn Source>
            })
            .collect(),
        operation: format!("POST {path}"),
        filter,
        taken,
    })
}

/// References in parts that are read beside each other, if they are more than one call has.
pub(super) fn in_parts(references: Vec<Value>) -> impl Iterator<Item = Vec<Value>> {
    let calls = references.len().div_ceil(PAGE_MAX);
    let part = calls.div_ceil(PARTITIONS).max(1) * PAGE_MAX;
    let mut rest = references;
    std::iter::from_fn(move || {
        let part = rest.split_off(rest.len().saturating_sub(part));
        (!part.is_empty()).then_some(part)
    })
}

/// Ids as JSON; `None`: they are not all ids.
pub(super) fn ids(values: &[String]) -> Option<Vec<Value>> {
    Some(typed::ids(values)?.into_iter().map(Value::from).collect())
}

/// External ids as JSON; `None`: CDF cannot be asked for them all.
pub(super) fn names(values: &[String]) -> Option<Vec<Value>> {
    let names = typed::texts(values, EXTERNAL_ID_MAX)?;
    Some(names.into_iter().map(Value::from).collect())
}

/// The call for objects by reference; those that do not exist are left out.
pub(super) fn by_ids_call(
    table: &'static Table,
    path: &str,
    field: &str,
    references: &[Value],
) -> PageCall {
    let items: Vec<Value> = references
        .iter()
        .map(|reference| json!({field: reference}))
        .collect();
    let body = json!({"items": items, "ignoreUnknownIds": true});
    PageCall {
        operation: Operation::LookUp(table.resource),
        path: path.to_owned(),
        body: Some(body.to_string().into()),
        format: PageFormat::Json,
        bytes_max: bytes_max(references.len()),
        may_be_absent: false,
    }
}

/// Named objects, a call's worth at a time.
struct ObjectsByIds {
    table: &'static Table,
    path: &'static str,
    field: &'static str,
    /// Those still to be read; the last ones are next.
    references: Vec<Value>,
    asked: usize,
}

impl Source for ObjectsByIds {
    fn page_max(&self) -> usize {
        PAGE_MAX.min(self.references.len()).max(1)
    }

    fn is_sized_by_rows(&self) -> bool {
        false
    }

    fn call(&mut self, items: usize) -> PageCall {
        self.asked = items.min(self.references.len());
        let first = self.references.len() - self.asked;
        by_ids_call(self.table, self.path, self.field, &self.references[first..])
    }

    fn take(&mut self, page: Option<Page<'_>>, rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        if let Some(page) = page {
            let list: Items<'_> = page.json()?;
            for object in list.items {
                push_object(self.table, page, object, rows)?;
            }
        }
        self.references.truncate(self.references.len() - self.asked);
        Ok(Turn::more_if(!self.references.is_empty()))
    }
}
