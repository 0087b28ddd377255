//! Time series by name: look them up and make them.
//!
//! Owns the calls on series that the pipeline makes on its own account. Promises at most
//! 1000 series per request, as CDF takes. Never caches: the directory does.

use super::client::{Call, JSON};
use super::encode::json;
use super::{
    AttemptFailure, CdfClient, EncodedRequest, Identity, Operation, Reference, Repeat, SeriesFacts,
};
use crate::catalog::Resource;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::{InstanceName, SeriesReference};
use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use std::collections::HashSet;

/// Series per request of `/timeseries` and `/timeseries/byids`.
const SERIES_PER_REQUEST_MAX: usize = 1_000;

/// Bytes of an answer with 1000 series: their metadata alone may be 10,000 bytes each.
const ANSWER_BYTES_MAX: usize = 32 << 20;

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: i64,
    external_id: Option<Box<str>>,
    instance_id: Option<Instance>,
    #[serde(default)]
    is_string: bool,
    #[serde(default)]
    created_time: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instance {
    space: Box<str>,
    external_id: Box<str>,
}

impl From<Instance> for Box<InstanceName> {
    fn from(instance: Instance) -> Self {
        Box::new(InstanceName {
            space: instance.space,
            external_id: instance.external_id,
        })
    }
}

impl CdfClient {
    /// What CDF knows of the series; those that it does not have are left out. A series that is
    /// named in several ways comes as often.
    ///
    /// # Errors
    /// As an attempt; earlier pages are dropped, which costs nothing: it is a read.
    pub async fn lookup_series(
        &self,
        identity: &Identity,
        references: &[SeriesReference],
    ) -> Result<Vec<SeriesFacts>, AttemptFailure> {
        // CDF refuses a request that names a series twice, so each is named once, and names of
        // several kinds, which may be of the same series, go apart.
        let distinct: HashSet<&SeriesReference> = references.iter().collect();
        let [mut ids, mut external_ids, mut nodes] = [Vec::new(), Vec::new(), Vec::new()];
        for reference in distinct {
            match reference {
                SeriesReference::Id(_) => ids.push(reference),
                SeriesReference::ExternalId(_) => external_ids.push(reference),
                SeriesReference::InstanceId(_) => nodes.push(reference),
            }
        }
        let mut facts = Vec::with_capacity(references.len());
        let chunks = [&ids, &external_ids, &nodes]
            .into_iter()
            .flat_map(|kind| kind.chunks(SERIES_PER_REQUEST_MAX));
        for chunk in chunks {
            let call = Call {
                operation: Operation::LookUp(Resource::TimeSeries),
                repeat: Repeat::Harmless,
                method: Method::POST,
                path: "/timeseries/byids",
                body: byids_body(chunk),
                content_type: JSON,
                gzip: false,
                accept: JSON,
                answer_bytes_max: ANSWER_BYTES_MAX,
            };
            let answer = self.call(identity, &call).await?;
            let page: Page =
                serde_json::from_slice(&answer.body).map_err(|error| AttemptFailure::Reject {
                    reason: Box::new(
                        Diagnostic::error(
                            SqlState::FDW_ERROR,
                            format!("CDF's list of time series cannot be read: {error}"),
                        )
                        .with_detail(answer.in_words())
                        .with_hint("Check that base_url leads to CDF."),
                    ),
                })?;
            facts.extend(page.items.into_iter().map(|item| SeriesFacts {
                id: item.id,
                external_id: item.external_id,
                instance_id: item.instance_id.map(Into::into),
                is_string: item.is_string,
                created_time_ms: item.created_time,
            }));
        }
        Ok(facts)
    }

    /// Makes time series that have nothing but an external id and a type. Those that exist
    /// already are no error here: CDF then refuses a whole request, so the rest is sent again.
    ///
    /// # Errors
    /// As an attempt. Some of the series may have been made.
    pub async fn create_series(
        &self,
        identity: &Identity,
        external_ids: &[&str],
        is_string: bool,
    ) -> Result<(), AttemptFailure> {
        for chunk in external_ids.chunks(SERIES_PER_REQUEST_MAX) {
            let mut wanted: Vec<&str> = chunk.to_vec();
            wanted.sort_unstable();
            wanted.dedup();
            while !wanted.is_empty() {
                let request = create_request(&wanted, is_string);
                match self.send(identity, &request).await {
                    Ok(()) => break,
                    Err(AttemptFailure::Split {
                        missing,
                        duplicated,
                        reason,
                    }) => {
                        let before = wanted.len();
                        wanted.retain(|external_id| {
                            !duplicated.iter().any(|reference| {
                                matches!(reference, Reference::ExternalId(name)
                                    if **name == **external_id)
                            })
                        });
                        // Nothing left out: sending it again would say the same.
                        if wanted.len() == before {
                            return Err(AttemptFailure::Split {
                                missing,
                                duplicated,
                                reason,
                            });
                        }
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
        Ok(())
    }
}

/// `"space":"…","externalId":"…"`.
pub(super) fn push_name(body: &mut Vec<u8>, instance: &InstanceName) {
    body.extend_from_slice(b"\"space\":");
    json::push_string(body, instance.space.as_bytes());
    body.extend_from_slice(b",\"externalId\":");
    json::push_string(body, instance.external_id.as_bytes());
}

fn byids_body(references: &[&SeriesReference]) -> Bytes {
    let mut body = Vec::with_capacity(64 + references.len() * 40);
    body.extend_from_slice(b"{\"items\":[");
    for (index, reference) in references.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        match reference {
            SeriesReference::Id(id) => {
                body.extend_from_slice(b"{\"id\":");
                json::push_integer(&mut body, *id);
            }
            SeriesReference::ExternalId(external_id) => {
                body.extend_from_slice(b"{\"externalId\":");
                json::push_string(&mut body, external_id.as_bytes());
            }
            SeriesReference::InstanceId(instance) => {
                body.extend_from_slice(b"{\"instanceId\":{");
                push_name(&mut body, instance);
                body.push(b'}');
            }
        }
        body.push(b'}');
    }
    body.extend_from_slice(b"],\"ignoreUnknownIds\":true}");
    Bytes::from(body)
}

fn create_request(external_ids: &[&str], is_string: bool) -> EncodedRequest {
    let mut body = Vec::with_capacity(16 + external_ids.len() * 60);
    body.extend_from_slice(b"{\"items\":[");
    for (index, external_id) in external_ids.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"externalId\":");
        json::push_string(&mut body, external_id.as_bytes());
        body.extend_from_slice(match is_string {
            true => b",\"isString\":true}".as_slice(),
            false => b",\"isString\":false}".as_slice(),
        });
    }
    body.extend_from_slice(b"]}");
    EncodedRequest {
        operation: Operation::Create(Resource::TimeSeries),
        repeat: Repeat::Conflicts,
        path: "/timeseries".to_owned(),
        uncompressed_bytes: body.len(),
        body: Bytes::from(body),
        content_type: JSON,
        gzip: false,
        items: external_ids.len(),
        points: 0,
    }
}
