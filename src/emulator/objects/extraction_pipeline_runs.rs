//! Runs of extraction pipelines.
//!
//! Owns the runs, which never change, and what they leave on their pipeline: the times of
//! the last success, failure and sign of life, and the last message.

use super::changes::{ItemTexts, count};
use super::kind::ObjectKind;
use super::references::unknown;
use super::store::Object;
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::clock;
use crate::emulator::cursor;
use crate::emulator::json::{self, check_items};
use crate::emulator::reference::check_chars;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// CDF takes one run per call, although its schema has room for a thousand.
const RUNS_MAX: usize = 1;
const MESSAGE_CHARS_MAX: usize = 1_000;
const PAGE_DEFAULT: i64 = 100;
const PAGE_MAX: i64 = 1_000;
const CURSOR: &str = "extraction_pipeline_runs";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Success,
    Failure,
    Seen,
}

/// One run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    id: i64,
    external_id: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    created_time: i64,
}

/// The runs of all pipelines of a project.
#[derive(Debug, Default)]
pub struct RunStore {
    by_pipeline: Mutex<HashMap<i64, Vec<Run>>>,
}

impl RunStore {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Vec<Run>>> {
        // A run is added whole: a panic leaves none half written.
        self.by_pipeline
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the runs of pipelines that are gone.
    pub fn forget(&self, pipelines: &[i64]) {
        let mut runs = self.lock();
        for pipeline in pipelines {
            runs.remove(pipeline);
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewRun {
    external_id: String,
    status: Status,
    message: Option<String>,
    created_time: Option<i64>,
}

#[derive(Deserialize)]
struct CreateList {
    items: Vec<NewRun>,
}

/// `POST /extpipes/runs`
pub fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let body = call.bytes();
    let items = json::read_object::<ItemTexts<'_>>(&body)?.items;
    check_items("extraction pipeline runs", items.len(), RUNS_MAX)?;
    count(call, &items)?;
    let mut created = Vec::new();
    for new in json::read_object::<CreateList>(&body)?.items {
        if let Some(message) = &new.message {
            check_chars("message", message, MESSAGE_CHARS_MAX)?;
        }
        call.tally.keys.push(new.external_id.clone());
        created.push(Run {
            id: 0,
            external_id: new.external_id,
            status: new.status,
            message: new.message,
            created_time: new.created_time.unwrap_or_else(clock::now_ms),
        });
    }
    if call.sink() {
        return Ok(Answer::items(200, &created));
    }
    let objects = &call.project.objects;
    let mut pipelines = objects.of(ObjectKind::ExtractionPipelines).write();
    let mut runs = objects.runs.lock();
    for run in &mut created {
        let Some(pipeline) = pipelines.find_named(&run.external_id) else {
            let missing = vec![json!({"externalId": run.external_id})];
            return Err(unknown("Extraction pipeline ids not found", missing));
        };
        let pipeline = marked(pipeline, run);
        let of_pipeline = runs.entry(pipeline.id).or_default();
        run.id = of_pipeline.last().map_or(1, |last| last.id + 1);
        of_pipeline.push(run.clone());
        pipelines.put(pipeline);
    }
    Ok(Answer::items(200, &created))
}

/// The pipeline after the run.
fn marked(pipeline: &Object, run: &Run) -> Object {
    let mut pipeline = pipeline.clone();
    let mut mark = |field: &str| {
        let later = pipeline.fields.get(field).and_then(|time| time.as_i64());
        let time = later.unwrap_or(0).max(run.created_time);
        pipeline.fields.insert(field.to_owned(), time.into());
    };
    mark("lastSeen");
    match run.status {
        Status::Success => mark("lastSuccess"),
        Status::Failure => mark("lastFailure"),
        Status::Seen => {}
    }
    if let Some(message) = &run.message {
        let message = message.clone().into();
        pipeline.fields.insert("lastMessage".to_owned(), message);
    }
    pipeline
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListRequest {
    filter: Filter,
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filter {
    external_id: String,
    statuses: Option<Vec<Status>>,
    created_time: Option<TimeRange>,
    message: Option<Message>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeRange {
    min: Option<i64>,
    max: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    substring: Option<String>,
}

impl Filter {
    fn holds(&self, run: &Run) -> bool {
        let contains = |part: &String| {
            let message = run.message.as_deref().unwrap_or_default().to_lowercase();
            message.contains(&part.to_lowercase())
        };
        self.statuses
            .as_ref()
            .is_none_or(|statuses| statuses.contains(&run.status))
            && self.created_time.as_ref().is_none_or(|range| {
                range.min.is_none_or(|min| min <= run.created_time)
                    && range.max.is_none_or(|max| run.created_time <= max)
            })
            && self
                .message
                .as_ref()
                .and_then(|message| message.substring.as_ref())
                .is_none_or(contains)
    }
}

/// `GET /extpipes/runs` and `POST /extpipes/runs/list`: the newest first.
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = match call.bytes().as_ref() {
        [] => ListRequest {
            filter: Filter {
                external_id: call
                    .query
                    .get("externalId")
                    .ok_or_else(|| Refusal::invalid("externalId: is required"))?
                    .to_owned(),
                statuses: None,
                created_time: None,
                message: None,
            },
            limit: call.query.number("limit")?,
            cursor: call.query.get("cursor").map(str::to_owned),
        },
        body => json::read_object(body)?,
    };
    let limit = request.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refusal::invalid(format!(
            "limit: must be from 1 to {PAGE_MAX}, got {limit}"
        )));
    }
    // The run after which the page starts.
    let after: Option<(i64, i64)> = match &request.cursor {
        Some(text) => Some(cursor::decode(CURSOR, text)?),
        None => None,
    };
    if call.sink() {
        return Ok(Answer::items::<Run>(200, &[]));
    }
    let external_id = &request.filter.external_id;
    let objects = &call.project.objects;
    let pipelines = objects.of(ObjectKind::ExtractionPipelines).read();
    let pipeline = pipelines.find_named(external_id).ok_or_else(|| {
        let missing = vec![json!({"externalId": external_id})];
        unknown("Extraction pipeline ids not found", missing)
    })?;
    let runs = objects.runs.lock();
    let place = |run: &Run| (run.created_time, run.id);
    let mut found: Vec<&Run> = runs
        .get(&pipeline.id)
        .into_iter()
        .flatten()
        .filter(|run| request.filter.holds(run) && after.is_none_or(|after| place(run) < after))
        .collect();
    found.sort_unstable_by_key(|run| std::cmp::Reverse(place(run)));
    let limit = usize::try_from(limit).unwrap_or(1);
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found
        .last()
        .filter(|_| more)
        .map(|last| cursor::encode(CURSOR, &place(last)));
    call.tally.items = found.len() as u64;
    Ok(Answer::page(200, &found, next_cursor))
}
