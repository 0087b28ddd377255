//! Data models, views, containers, units: lists that are got, not posted.
//!
//! Owns their addresses and pages. Promises all versions, those of the system too, and inherited
//! properties. Never reads one of them by name: the lists are short.

use super::super::condition::Condition;
use super::super::copy_text::RowWriter;
use super::super::fault::ScanFault;
use super::super::plan::{Reading, Taken};
use super::super::source::{Page, Source, Turn, bytes_max};
use super::super::typed;
use super::nothing;
use super::objects::{Items, PAGE_MAX, push_object};
use crate::catalog::{Resource, Table};
use crate::cdf::{Operation, PageCall, PageFormat, with_query_value};
use serde_json::json;

/// Characters of a space's name.
const SPACE_MAX: usize = 43;

/// How one of these tables is read.
pub(super) fn reading(table: &'static Table, conditions: &[Condition]) -> Reading {
    let (path, is_paged) = match table.name {
        "data_models" => (
            "/models/datamodels?allVersions=true&includeGlobal=true",
            true,
        ),
        "views" => (
            "/models/views?allVersions=true&includeGlobal=true&includeInheritedProperties=true",
            true,
        ),
        "containers" => ("/models/containers?includeGlobal=true", true),
        "units" => ("/units", false),
        _ => ("/units/systems", false),
    };
    let mut taken = vec![Taken::No; conditions.len()];
    let mut space = None;
    for (condition, taken) in conditions.iter().zip(&mut taken) {
        let Condition::OneOf { column, values } = condition else {
            continue;
        };
        if !is_paged || space.is_some() || table.columns[*column].field != "space" {
            continue;
        }
        match typed::texts(values, SPACE_MAX).as_deref() {
            Some([]) => return nothing(conditions),
            Some([one]) => {
                space = Some(one.clone());
                *taken = Taken::Exactly;
            }
            _ => {}
        }
    }
    let name = path.split('?').next().unwrap_or(path);
    Reading {
        operation: format!("GET {name}"),
        filter: space.as_ref().map(|space| json!({"space": space})),
        sources: vec![Box::new(GotList {
            table,
            path: match &space {
                Some(space) => with_query_value(path.to_owned(), "space", space),
                None => path.to_owned(),
            },
            is_paged,
            cursor: None,
        })],
        taken,
    }
}

/// A list that is got, page by page.
struct GotList {
    table: &'static Table,
    path: String,
    is_paged: bool,
    cursor: Option<String>,
}

impl Source for GotList {
    fn page_max(&self) -> usize {
        match self.is_paged {
            true => PAGE_MAX,
            // All of it, or nothing.
            false => 1,
        }
    }

    fn call(&mut self, items: usize) -> PageCall {
        let mut path = self.path.clone();
        if self.is_paged {
            path = with_query_value(path, "limit", &items.to_string());
        }
        if let Some(cursor) = &self.cursor {
            path = with_query_value(path, "cursor", cursor);
        }
        PageCall {
            operation: Operation::List(Resource::Instances),
            path,
            body: None,
            format: PageFormat::Json,
            bytes_max: bytes_max(items),
            may_be_absent: false,
        }
    }

    fn take(&mut self, page: Option<Page<'_>>, rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: Items<'_> = page.json()?;
        for object in list.items {
            push_object(self.table, page, object, rows)?;
        }
        self.cursor = list.next_cursor.filter(|_| self.is_paged);
        Ok(Turn::more_if(self.cursor.is_some()))
    }
}
