//! Datapoints: first the series that the conditions mean.
//!
//! Owns the ways to series (by reference, by node, by list) and which of those found are wanted.
//! Promises every series that a row of the table may be of. The points themselves are read by
//! `points`.

use super::super::condition::Condition;
use super::super::copy_text::RowWriter;
use super::super::fault::ScanFault;
use super::super::plan::{Reading, Taken};
use super::super::source::{AfterRefusal, Page, Source, Turn, bytes_max};
use super::super::typed;
use super::by_ids::{by_ids_call, ids, in_parts, names};
use super::objects::{PAGE_MAX, list_call};
use super::points::{Points, SERIES_MAX};
use super::{PARTITIONS, nothing, one_of};
use crate::catalog::{self, Resource, RowShape, Table};
use crate::cdf::{AttemptFailure, Operation, PageCall, PageFormat};
use crate::diagnostic::SqlState;
use crate::rows::{DATAPOINT_FIRST_MS, DATAPOINT_LAST_MS};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// Nodes of several spaces that are asked for one by one.
const PAIRS_MAX: usize = 1000;

/// Names of nodes that one filter compares with.
const NAMES_MAX: usize = 1000;

/// A time series.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Series {
    pub id: i64,
    pub external_id: Option<String>,
    pub instance_id: Option<Instance>,
    #[serde(default)]
    is_string: bool,
    /// Left out by those who know numbers and strings only.
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Instance {
    pub space: String,
    pub external_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SeriesList {
    items: Vec<Series>,
    next_cursor: Option<String>,
}

impl Series {
    /// What the column `external_id` shows of it.
    pub fn shown_external_id(&self, is_wide: bool) -> Option<&str> {
        match &self.instance_id {
            Some(instance) if is_wide => Some(&instance.external_id),
            _ => self.external_id.as_deref(),
        }
    }
}

/// A condition on a column that names a series.
#[derive(Debug)]
struct OfSeries {
    condition: Condition,
    /// Those that the column may have, as the series shows them.
    values: HashSet<String>,
}

impl OfSeries {
    fn new(table: &'static Table, condition: &Condition) -> Self {
        let is_id = table.columns[condition.column()].field == "id";
        let shown = |value: &String| match is_id {
            true => typed::integer(value).map(|id| id.to_string()),
            false => Some(value.clone()),
        };
        let values = match condition {
            Condition::OneOf { values, .. } => values.iter().filter_map(shown).collect(),
            _ => HashSet::new(),
        };
        OfSeries {
            condition: condition.clone(),
            values,
        }
    }
}

/// Which points are wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    pub table: &'static Table,
    pub is_string: bool,
    /// The table has nodes and statuses.
    pub is_wide: bool,
    /// The end is not included.
    pub times_ms: Range<i64>,
    /// Those on the columns that name a series.
    conditions: Vec<OfSeries>,
}

impl Wanted {
    /// Whether rows of the series may meet the conditions.
    fn has(&self, series: &Series) -> bool {
        let is_typed = match series.kind.as_deref() {
            None => series.is_string == self.is_string,
            Some(kind) => kind == if self.is_string { "string" } else { "numeric" },
        };
        is_typed && self.conditions.iter().all(|one| self.meets(series, one))
    }

    fn meets(&self, series: &Series, condition: &OfSeries) -> bool {
        let OfSeries { condition, values } = condition;
        let column = &self.table.columns[condition.column()];
        let id;
        let value = match column.field {
            "id" => {
                id = series.id.to_string();
                Some(id.as_str())
            }
            "externalId" => series.shown_external_id(self.is_wide),
            _ => series.instance_id.as_ref().map(|node| node.space.as_str()),
        };
        match condition {
            Condition::IsNull { .. } => value.is_none(),
            Condition::IsNotNull { .. } => value.is_some(),
            Condition::Prefix { text, .. } => value.is_some_and(|value| value.starts_with(text)),
            Condition::OneOf { .. } => value.is_some_and(|value| values.contains(value)),
            // Texts are not ordered by bytes everywhere.
            Condition::Range { .. } => true,
        }
    }

    /// Reads the points of these series.
    fn points(self: &Arc<Self>, series: Vec<Series>) -> Turn {
        let named = series.len() as u64;
        let wanted: Vec<Series> = series.into_iter().filter(|one| self.has(one)).collect();
        Turn {
            has_more: false,
            named,
            sources: wanted
                .chunks(SERIES_MAX)
                .map(|chunk| Box::new(Points::new(self.clone(), chunk)) as Box<dyn Source>)
                .collect(),
        }
    }
}

/// How a table of datapoints is read.
pub(super) fn reading(table: &'static Table, conditions: &[Condition]) -> Reading {
    let mut times = typed::Span::default();
    let mut taken = vec![Taken::No; conditions.len()];
    let mut of_series = Vec::new();
    for (condition, taken) in conditions.iter().zip(&mut taken) {
        match table.columns[condition.column()].field {
            "timestamp" => {
                if let Some(span) = typed::times_ms(condition) {
                    times = times.and(span);
                    *taken = Taken::Exactly;
                }
            }
            "externalId" | "id" | "instanceId.space" => {
                let is_range = matches!(condition, Condition::Range { .. });
                let is_read = match condition {
                    Condition::OneOf { values, .. }
                        if table.columns[condition.column()].field == "id" =>
                    {
                        values.iter().all(|value| typed::integer(value).is_some())
                    }
                    _ => !is_range,
                };
                if is_read {
                    of_series.push(OfSeries::new(table, condition));
                    *taken = Taken::Exactly;
                }
            }
            _ => {}
        }
    }
    let times_ms = times.from.unwrap_or(i64::MIN).max(DATAPOINT_FIRST_MS)
        ..times
            .to
            .unwrap_or(i64::MAX)
            .min(DATAPOINT_LAST_MS)
            .saturating_add(1);
    if times_ms.is_empty() {
        return nothing(conditions);
    }
    let wanted = Arc::new(Wanted {
        table,
        is_string: table.shape == RowShape::StringDatapoints,
        is_wide: table
            .columns
            .iter()
            .any(|column| column.field == "instanceId.space"),
        times_ms: times_ms.clone(),
        conditions: of_series,
    });
    let sources = ways(&wanted, conditions);
    let mut filter = Map::new();
    if times.from.is_some() {
        filter.insert("start".to_owned(), times_ms.start.into());
    }
    if times.to.is_some() {
        filter.insert("end".to_owned(), times_ms.end.into());
    }
    Reading {
        sources,
        operation: "POST /timeseries/data/list".to_owned(),
        filter: (!filter.is_empty()).then(|| filter.into()),
        taken,
    }
}

/// The ways to the series that the conditions name, or to all.
fn ways(wanted: &Arc<Wanted>, conditions: &[Condition]) -> Vec<Box<dyn Source>> {
    let named = |field| one_of(wanted.table, conditions, field).map(|(_, values)| values);
    let by_reference = |field, references: Vec<Value>| -> Vec<Box<dyn Source>> {
        let part = |references| {
            Box::new(NamedSeries {
                wanted: wanted.clone(),
                field,
                references,
                asked: 0,
            }) as Box<dyn Source>
        };
        in_parts(references).map(part).collect()
    };
    if let Some(ids) = named("id").and_then(ids) {
        return by_reference("id", ids);
    }
    let external_ids = named("externalId").and_then(|values| Some((values, names(values)?)));
    if let Some((values, names)) = external_ids {
        let is_classic = conditions.iter().any(|condition| {
            matches!(condition, Condition::IsNull { column }
                if wanted.table.columns[*column].field == "instanceId.space")
        });
        if !wanted.is_wide || is_classic {
            return by_reference("externalId", names);
        }
        match named("instanceId.space") {
            Some(spaces) if spaces.len().saturating_mul(values.len()) <= PAIRS_MAX => {
                let nodes = spaces.iter().flat_map(|space| {
                    let node = move |name| json!({"space": space, "externalId": name});
                    names.iter().map(node)
                });
                return by_reference("instanceId", nodes.collect());
            }
            Some(_) => {}
            None => {
                let mut both = by_reference("externalId", names.clone());
                both.extend(names.chunks(NAMES_MAX).map(|names| {
                    Box::new(NodesByName {
                        wanted: wanted.clone(),
                        names: names.to_vec(),
                        cursor: None,
                    }) as Box<dyn Source>
                }));
                return both;
            }
        }
    }
    all_series(wanted, conditions)
}

/// Every series of the kind, from a list in parts.
fn all_series(wanted: &Arc<Wanted>, conditions: &[Condition]) -> Vec<Box<dyn Source>> {
    let mut filter = Map::new();
    filter.insert("isString".to_owned(), wanted.is_string.into());
    let prefix = conditions.iter().find_map(|condition| match condition {
        Condition::Prefix { column, text }
            // Nodes show another name than the one that the list goes by.
            if !wanted.is_wide && wanted.table.columns[*column].field == "externalId" =>
        {
            (!text.is_empty() && text.chars().count() <= 255).then_some(text)
        }
        _ => None,
    });
    if let Some(prefix) = prefix {
        filter.insert("externalIdPrefix".to_owned(), prefix.as_str().into());
    }
    (1..=PARTITIONS)
        .map(|part| {
            Box::new(ListedSeries {
                wanted: wanted.clone(),
                filter: filter.clone(),
                partition: format!("{part}/{PARTITIONS}"),
                cursor: None,
            }) as Box<dyn Source>
        })
        .collect()
}

/// Series of a list.
struct ListedSeries {
    wanted: Arc<Wanted>,
    filter: Map<String, Value>,
    partition: String,
    cursor: Option<String>,
}

impl Source for ListedSeries {
    fn page_max(&self) -> usize {
        PAGE_MAX
    }

    fn is_sized_by_rows(&self) -> bool {
        false
    }

    fn call(&mut self, items: usize) -> PageCall {
        list_call(
            Resource::TimeSeries,
            "/timeseries/list",
            items,
            &self.filter,
            Some(&self.partition),
            self.cursor.as_deref(),
        )
    }

    fn take(&mut self, page: Option<Page<'_>>, _rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: SeriesList = page.json()?;
        let mut turn = self.wanted.points(list.items);
        self.cursor = list.next_cursor;
        turn.has_more = self.cursor.is_some();
        Ok(turn)
    }
}

/// Series by reference.
struct NamedSeries {
    wanted: Arc<Wanted>,
    field: &'static str,
    /// Those still to be found; the last ones are next.
    references: Vec<Value>,
    asked: usize,
}

impl Source for NamedSeries {
    fn page_max(&self) -> usize {
        PAGE_MAX.min(self.references.len()).max(1)
    }

    fn is_sized_by_rows(&self) -> bool {
        false
    }

    fn call(&mut self, items: usize) -> PageCall {
        self.asked = items.min(self.references.len());
        let first = self.references.len() - self.asked;
        let (path, references) = ("/timeseries/byids", &self.references[first..]);
        // The table of series, whose budget it is.
        let table = catalog::table_of_full_name("time_series").unwrap_or(self.wanted.table);
        by_ids_call(table, path, self.field, references)
    }

    fn take(&mut self, page: Option<Page<'_>>, _rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let mut turn = match page {
            Some(page) => {
                let list: SeriesList = page.json()?;
                let mut series = list.items;
                if self.field == "externalId" && self.wanted.is_wide {
                    // Nodes are found by their own names.
                    series.retain(|one| one.instance_id.is_none());
                }
                self.wanted.points(series)
            }
            None => Turn::done(),
        };
        self.references.truncate(self.references.len() - self.asked);
        turn.has_more = !self.references.is_empty();
        Ok(turn)
    }
}

/// Nodes with these names in any space, which may be series.
struct NodesByName {
    wanted: Arc<Wanted>,
    names: Vec<Value>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeList {
    items: Vec<Instance>,
    next_cursor: Option<String>,
}

impl Source for NodesByName {
    fn page_max(&self) -> usize {
        PAGE_MAX
    }

    fn is_sized_by_rows(&self) -> bool {
        false
    }

    fn call(&mut self, items: usize) -> PageCall {
        let view = json!({
            "type": "view", "space": "cdf_cdm", "externalId": "CogniteTimeSeries", "version": "v1"
        });
        let mut body = json!({
            "instanceType": "node",
            "sources": [{"source": view}],
            "filter": {"in": {"property": ["node", "externalId"], "values": self.names}},
            "limit": items,
        });
        if let Some(cursor) = &self.cursor {
            body["cursor"] = cursor.as_str().into();
        }
        PageCall {
            operation: Operation::List(Resource::Instances),
            path: "/models/instances/list".to_owned(),
            body: Some(body.to_string().into()),
            format: PageFormat::Json,
            bytes_max: bytes_max(items),
            may_be_absent: true,
        }
    }

    fn take(&mut self, page: Option<Page<'_>>, _rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: NodeList = page.json()?;
        let references: Vec<Value> = list
            .items
            .into_iter()
            .map(|node| json!({"space": node.space, "externalId": node.external_id}))
            .collect();
        self.cursor = list.next_cursor;
        let mut turn = Turn::more_if(self.cursor.is_some());
        if !references.is_empty() {
            turn.sources.push(Box::new(NamedSeries {
                wanted: self.wanted.clone(),
                field: "instanceId",
                references,
                asked: 0,
            }));
        }
        Ok(turn)
    }

    /// Who may not read nodes sees no series that are nodes; a project without the core data model
    /// has none.
    fn refused(&mut self, failure: &AttemptFailure) -> AfterRefusal {
        let is_forbidden = failure.reason().sqlstate == SqlState::INSUFFICIENT_PRIVILEGE;
        match failure {
            AttemptFailure::Split { .. } => AfterRefusal::Nothing,
            AttemptFailure::Stop { .. } if is_forbidden => AfterRefusal::Nothing,
            _ => AfterRefusal::Fail,
        }
    }
}
