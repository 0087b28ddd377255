//! `/dead-letters`: what operators do with refused rows.
//!
//! Owns the paths below `/dead-letters`; all of them want the bearer token. Promises that an
//! edit makes a row that its table takes, that nothing is purged by an empty filter unless
//! `all` says so, and that an export of any size is bounded in memory. Never decides what a
//! replay means: the replayer does.

use super::bearer;
use super::letter_query::LetterQuery;
use super::refusal::ApiRefusal;
use crate::catalog::{self, Table};
use crate::cdf::Secret;
use crate::dead_letters::{
    DeadLetterStore, Edit, ExportFormat, Letter, LetterFilter, Replayer, StoreError, csv_header,
    csv_record, json_line, read_csv, read_json_lines, rebuild,
};
use axum::body::{Body, Bytes};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of an edited export that is sent back, at most.
const IMPORT_BYTES_MAX: usize = 64 << 20;

/// Letters of one step of an export or an import.
const STEP_LETTERS: usize = 500;

/// What the paths work on.
#[derive(Clone)]
pub struct Letters {
    pub store: DeadLetterStore,
    pub replayer: Arc<Replayer>,
}

type Answered<T> = Result<T, ApiRefusal>;

/// The paths, closed to whoever does not show `token`. Without letters they answer 404.
pub(super) fn router(token: Option<Secret>, letters: Option<Letters>) -> Router {
    let router = match letters {
        Some(letters) => Router::new()
            .route("/dead-letters", get(list))
            .route("/dead-letters/{id}", get(show).put(edit))
            .route("/dead-letters/export", get(export))
            .route(
                "/dead-letters/import",
                post(import).layer(DefaultBodyLimit::max(IMPORT_BYTES_MAX)),
            )
            .route("/dead-letters/replay", post(replay))
            .route("/dead-letters/purge", post(purge))
            .with_state(letters),
        None => Router::new()
            .route("/dead-letters", get(no_store))
            .route("/dead-letters/{*path}", axum::routing::any(no_store)),
    };
    // Only these routes: any other path is unknown, with a token or without.
    router.route_layer(middleware::from_fn_with_state(token, bearer::check))
}

async fn no_store() -> ApiRefusal {
    ApiRefusal::not_found("no dead letters are kept: dead_letters.directory is not set")
}

/// A query string that can be read.
fn query(query: Result<Query<LetterQuery>, QueryRejection>) -> Answered<LetterQuery> {
    let Query(query) = query.map_err(|error| ApiRefusal::bad(error.body_text()))?;
    Ok(query)
}

/// A body that can be read.
fn body<T>(body: Result<Json<T>, JsonRejection>) -> Answered<T> {
    let Json(body) = body.map_err(|error| ApiRefusal::bad(error.body_text()))?;
    Ok(body)
}

async fn list(
    State(letters): State<Letters>,
    given: Result<Query<LetterQuery>, QueryRejection>,
) -> Answered<Json<Value>> {
    let given = query(given)?;
    let page = letters
        .store
        .page(given.filter()?, given.after(), given.limit())
        .await?;
    let next = page.last().map(|letter| letter.id);
    Ok(Json(json!({"items": page, "next": next})))
}

async fn one(store: &DeadLetterStore, id: i64) -> Answered<Letter> {
    let mut page = store.page(LetterFilter::one(id), 0, 1).await?;
    page.pop()
        .ok_or_else(|| ApiRefusal::not_found(format!("there is no letter {id}")))
}

async fn show(State(letters): State<Letters>, Path(id): Path<i64>) -> Answered<Json<Letter>> {
    one(&letters.store, id).await.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditBody {
    /// Those of the letter, if absent.
    columns: Option<Vec<String>>,
    values: Vec<Option<String>>,
}

async fn edit(
    State(letters): State<Letters>,
    Path(id): Path<i64>,
    given: Result<Json<EditBody>, JsonRejection>,
) -> Answered<Json<Letter>> {
    let given = body(given)?;
    let letter = one(&letters.store, id).await?;
    let edit = Edit {
        id,
        columns: given.columns.unwrap_or_else(|| letter.columns.clone()),
        values: given.values,
    };
    check(&letter, &edit)?;
    letters.store.edit(vec![edit]).await?;
    one(&letters.store, id).await.map(Json)
}

/// Whether the new values make a row of the letter's table.
fn check(letter: &Letter, edit: &Edit) -> Answered<()> {
    let edited = Letter {
        columns: edit.columns.clone(),
        values: edit.values.clone(),
        ..letter.clone()
    };
    rebuild(&edited)
        .map(drop)
        .map_err(|diagnostic| ApiRefusal::of_row(letter.id, &diagnostic))
}

async fn export(
    State(letters): State<Letters>,
    given: Result<Query<LetterQuery>, QueryRejection>,
) -> Answered<Response> {
    let given = query(given)?;
    let filter = given.filter()?;
    let (layout, content_type) = match given.format {
        ExportFormat::Jsonl => (Layout::JsonLines, "application/x-ndjson"),
        ExportFormat::Csv => {
            let name = filter.table.as_deref().ok_or_else(|| {
                ApiRefusal::bad("a CSV export is of one table: name it with table=")
            })?;
            let table = catalog::table_of_full_name(name)
                .ok_or_else(|| ApiRefusal::bad(format!("there is no table \"{name}\"")))?;
            (Layout::Csv(table), "text/csv; charset=utf-8")
        }
    };
    let start = (letters.store, filter, Some(given.after()), layout.header());
    let pages = stream::try_unfold(start, move |(store, filter, after, head)| async move {
        let Some(after) = after else { return Ok(None) };
        let page = store.page(filter.clone(), after, STEP_LETTERS).await?;
        let mut text = head;
        for letter in &page {
            text.push_str(&layout.line(letter)?);
        }
        let next = page.last().map(|letter| letter.id);
        if text.is_empty() && next.is_none() {
            return Ok(None);
        }
        let rest = (store, filter, next, String::new());
        Ok::<_, StoreError>(Some((Bytes::from(text), rest)))
    });
    Ok((
        [(header::CONTENT_TYPE, content_type)],
        Body::from_stream(pages),
    )
        .into_response())
}

#[derive(Clone, Copy)]
enum Layout {
    JsonLines,
    Csv(&'static Table),
}

impl Layout {
    fn header(self) -> String {
        match self {
            Layout::JsonLines => String::new(),
            Layout::Csv(table) => csv_header(table),
        }
    }

    fn line(self, letter: &Letter) -> Result<String, serde_json::Error> {
        match self {
            Layout::JsonLines => json_line(letter),
            Layout::Csv(table) => Ok(csv_record(table, letter)),
        }
    }
}

/// An edited export: all letters whose values differ get the new ones, or none does.
async fn import(
    State(letters): State<Letters>,
    given: Result<Query<LetterQuery>, QueryRejection>,
    text: String,
) -> Answered<Json<Value>> {
    let edits = match query(given)?.format {
        ExportFormat::Jsonl => read_json_lines(&text),
        ExportFormat::Csv => read_csv(&text),
    }
    .map_err(|error| ApiRefusal::bad(error.to_string()))?;
    let read = edits.len();
    let mut changed = Vec::new();
    for step in edits.chunks(STEP_LETTERS) {
        let mut known: HashMap<i64, Letter> = HashMap::new();
        for edit in step {
            if let std::collections::hash_map::Entry::Vacant(place) = known.entry(edit.id) {
                place.insert(one(&letters.store, edit.id).await?);
            }
            let letter = &known[&edit.id];
            if !is_same(letter, edit) {
                check(letter, edit)?;
                changed.push(edit.clone());
            }
        }
    }
    let edited = changed.len();
    letters.store.edit(changed).await?;
    Ok(Json(json!({"read": read, "edited": edited})))
}

/// Whether the edit gives every column the value that it has; NULL and absent are the same.
fn is_same(letter: &Letter, edit: &Edit) -> bool {
    let given = |columns: &[String], values: &[Option<String>]| -> HashMap<String, String> {
        columns
            .iter()
            .zip(values)
            .filter_map(|(column, value)| Some((column.clone(), value.clone()?)))
            .collect()
    };
    edit.columns.len() == edit.values.len()
        && given(&letter.columns, &letter.values) == given(&edit.columns, &edit.values)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ReplayBody {
    filter: LetterFilter,
    /// Replay where the key was written since, too.
    force: bool,
    /// Go on behind this id.
    after: i64,
}

async fn replay(
    State(letters): State<Letters>,
    given: Result<Json<ReplayBody>, JsonRejection>,
) -> Answered<Json<Value>> {
    let given = body(given)?;
    let replayer = letters.replayer.clone();
    // A task of its own: a caller who hangs up must not keep what CDF answers from being noted.
    let replay = tokio::spawn(async move {
        replayer
            .replay(&given.filter, given.after, given.force)
            .await
    });
    let report = replay.await.unwrap_or(Err(StoreError::Closed))?;
    Ok(Json(json!(report)))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PurgeBody {
    filter: LetterFilter,
    /// Delete every letter, when the filter has no condition.
    all: bool,
}

async fn purge(
    State(letters): State<Letters>,
    given: Result<Json<PurgeBody>, JsonRejection>,
) -> Answered<Json<Value>> {
    let given = body(given)?;
    if given.filter.is_empty() && !given.all {
        return Err(ApiRefusal::bad(
            "the filter means every letter: say \"all\": true if that is meant",
        ));
    }
    let purged = letters.store.purge(given.filter).await?;
    Ok(Json(json!({
        "purged": purged.letters,
        "not_replayed": purged.not_replayed,
    })))
}
