//! What CDF has, read before it is changed.
//!
//! Owns the reads that come before a write: single RAW rows, the keys of a RAW table, instances.
//! Promises an answer for each row that was asked for, in their order; what is not there is no
//! error. Never writes.

use super::client::{Call, JSON};
use super::{AttemptFailure, CdfClient, Identity, Operation, Repeat, answer::Answer, percent};
use crate::catalog::{InstanceType, Resource};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::RawDestination;
use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};

/// Bytes of an answer that are read: a RAW row has up to 5 MiB of columns and more with escapes;
/// a page of keys and a thousand instances have less.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// What CDF has of the rows of a request.
#[derive(Clone, Debug)]
pub enum Found {
    /// Per row, in their order, what is under its key: the columns of a RAW row, or an instance.
    Rows(Vec<Option<Box<RawValue>>>),
    /// Keys of a RAW table that is to be emptied.
    Keys(FoundKeys),
}

/// A page of keys.
#[derive(Clone, Debug, Default)]
pub struct FoundKeys {
    pub keys: Vec<Box<str>>,
    /// Where the next page starts; `None`: there is none.
    pub next: Option<Box<str>>,
}

/// Names an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceName {
    pub space: Box<str>,
    pub external_id: Box<str>,
}

#[derive(Deserialize)]
struct Row {
    columns: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyPage {
    items: Vec<Key>,
    next_cursor: Option<Box<str>>,
}

#[derive(Deserialize)]
struct Key {
    key: Box<str>,
}

#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
}

impl CdfClient {
    /// The columns of a RAW row.
    ///
    /// # Errors
    /// As an attempt; a split of nothing for a key that no URL can name.
    pub async fn raw_row(
        &self,
        identity: &Identity,
        destination: &RawDestination,
        key: &str,
    ) -> Result<Option<Box<RawValue>>, AttemptFailure> {
        if !percent::is_segment(key) {
            return Err(unreadable_key(key));
        }
        let mut path = rows_path(destination)?;
        path.push('/');
        percent::push_segment(&mut path, key);
        let answer = self
            .read(
                identity,
                Resource::RawRows,
                Method::GET,
                &path,
                Bytes::new(),
            )
            .await?;
        match answer {
            None => Ok(None),
            Some(answer) => Ok(Some(parsed::<Row>(&answer)?.columns)),
        }
    }

    /// Up to `limit` keys of a RAW table, from `cursor` on. A table that does not exist has none.
    ///
    /// # Errors
    /// As an attempt.
    pub async fn raw_keys(
        &self,
        identity: &Identity,
        destination: &RawDestination,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<FoundKeys, AttemptFailure> {
        let mut path = rows_path(destination)?;
        // A comma alone: no columns.
        path.push_str(&format!("?limit={limit}&columns=%2C"));
        if let Some(cursor) = cursor {
            path.push_str("&cursor=");
            percent::push_segment(&mut path, cursor);
        }
        let answer = self
            .read(
                identity,
                Resource::RawRows,
                Method::GET,
                &path,
                Bytes::new(),
            )
            .await?;
        let Some(answer) = answer else {
            return Ok(FoundKeys::default());
        };
        let page: KeyPage = parsed(&answer)?;
        Ok(FoundKeys {
            keys: page.items.into_iter().map(|item| item.key).collect(),
            next: page.next_cursor,
        })
    }

    /// The instances of these names; at most 1000.
    ///
    /// # Errors
    /// As an attempt.
    pub async fn instances(
        &self,
        identity: &Identity,
        instance_type: InstanceType,
        names: &[InstanceName],
    ) -> Result<Vec<Option<Box<RawValue>>>, AttemptFailure> {
        let kind = instance_type.name();
        let items: Vec<serde_json::Value> = names
            .iter()
            .map(|name| {
                serde_json::json!({
                    "instanceType": kind, "space": name.space, "externalId": name.external_id
                })
            })
            .collect();
        let body = serde_json::json!({"items": items, "includeTyping": false});
        let path = "/models/instances/byids";
        let body = Bytes::from(body.to_string());
        let answer = self
            .read(identity, Resource::Instances, Method::POST, path, body)
            .await?;
        let mut found: HashMap<InstanceName, Box<RawValue>> = HashMap::new();
        if let Some(answer) = &answer {
            for item in parsed::<Items<Box<RawValue>>>(answer)?.items {
                let name =
                    serde_json::from_str(item.get()).map_err(|error| unreadable(answer, &error))?;
                found.insert(name, item);
            }
        }
        Ok(names.iter().map(|name| found.remove(name)).collect())
    }

    /// One read; `None`: CDF has no such thing.
    async fn read(
        &self,
        identity: &Identity,
        resource: Resource,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Option<Answer>, AttemptFailure> {
        let call = Call {
            operation: Operation::LookUp(resource),
            repeat: Repeat::Harmless,
            method,
            path,
            body,
            content_type: JSON,
            gzip: false,
            accept: JSON,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        self.call_for_existing(identity, &call).await
    }
}

/// The names in an answer of instances; `None` where it has none.
pub(super) fn names_in(body: &[u8]) -> Option<Vec<InstanceName>> {
    let items = serde_json::from_slice::<Items<InstanceName>>(body).ok()?;
    Some(items.items)
}

/// The names in an answer of instances that a write left as they were; `None` where it does not
/// say.
pub(super) fn untouched_in(body: &[u8]) -> Option<HashSet<InstanceName>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Written {
        #[serde(flatten)]
        name: InstanceName,
        was_modified: bool,
    }
    let items = serde_json::from_slice::<Items<Written>>(body).ok()?.items;
    let untouched = items.into_iter().filter(|item| !item.was_modified);
    Some(untouched.map(|item| item.name).collect())
}

/// `/raw/dbs/{database}/tables/{table}/rows`.
fn rows_path(destination: &RawDestination) -> Result<String, AttemptFailure> {
    super::encode::raw_rows_path(destination).map_err(|error| AttemptFailure::Reject {
        reason: error.into(),
    })
}

fn parsed<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<T, AttemptFailure> {
    serde_json::from_slice(&answer.body).map_err(|error| unreadable(answer, &error))
}

fn unreadable(answer: &Answer, error: &serde_json::Error) -> AttemptFailure {
    let fault = match answer.truncated {
        true => "it is too long".to_owned(),
        false => error.to_string(),
    };
    AttemptFailure::Reject {
        reason: Box::new(
            Diagnostic::error(
                SqlState::FDW_ERROR,
                format!("what CDF has could not be read before the change: {fault}"),
            )
            .with_detail(answer.in_words())
            .with_hint("Check that base_url leads to CDF."),
        ),
    }
}

fn unreadable_key(key: &str) -> AttemptFailure {
    AttemptFailure::Split {
        missing: Vec::new(),
        duplicated: Vec::new(),
        reason: Box::new(
            Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!(
                    "a RAW row with the key \"{key}\" cannot be read, only replaced or deleted"
                ),
            )
            .with_hint("INSERT the row again, with all its columns."),
        ),
    }
}
