//! Whose an object is that CDF says exists already.
//!
//! Owns the look-up by which the repeat of an unanswered create is told from a real conflict.
//! Promises that what was there before the first attempt is called somebody else's. Never makes
//! or changes an object.

use super::client::{Call, JSON, milliseconds};
use super::encode::json;
use super::{AttemptFailure, CdfClient, Identity, Operation, Reference, Repeat};
use crate::catalog::endpoints_of;
use crate::diagnostic::{Diagnostic, SqlState};
use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use std::time::SystemTime;

/// Objects that one look-up names. CDF takes 1000; fewer keep the answer small.
const REFERENCES_MAX: usize = 100;

/// Bytes of an answer with 100 objects: their metadata alone may be 200,000 bytes each.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// `Date` counts whole seconds, and clocks drift between two answers.
const CLOCK_TOLERANCE_MS: i64 = 2_000;

/// Which of the objects that CDF calls duplicated an earlier attempt of ours made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettledCreates {
    /// Made by the attempt whose answer never came: accepted.
    pub ours: Vec<Reference>,
    /// There before: 23505.
    pub theirs: Vec<Reference>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: Option<i64>,
    external_id: Option<Box<str>>,
    #[serde(default)]
    created_time: i64,
}

impl CdfClient {
    /// Tells the objects that an unanswered attempt made from those that were there before,
    /// when the repeat of a create was refused with `duplicated`. `first_sent` is when the
    /// first attempt began.
    ///
    /// They are told by their creation time on CDF's clock, to two seconds: somebody else's
    /// object of the same name, made in that very time, is taken for ours. A RAW table is only a
    /// name, so one that exists is what was asked for.
    ///
    /// # Errors
    /// As a look-up.
    pub async fn settle_creates(
        &self,
        identity: &Identity,
        operation: Operation,
        duplicated: &[Reference],
        first_sent: SystemTime,
    ) -> Result<SettledCreates, AttemptFailure> {
        let by_ids = match operation {
            Operation::Create(resource) => endpoints_of(resource)
                .and_then(|endpoints| endpoints.by_ids)
                .map(|path| (resource, path)),
            _ => None,
        };
        let Some((resource, path)) = by_ids else {
            return Ok(SettledCreates {
                ours: duplicated.to_vec(),
                theirs: Vec::new(),
            });
        };
        let mut found = Vec::with_capacity(duplicated.len());
        for chunk in duplicated.chunks(REFERENCES_MAX) {
            let call = Call {
                operation: Operation::LookUp(resource),
                repeat: Repeat::Harmless,
                method: Method::POST,
                path,
                body: body(chunk),
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
                            format!(
                                "CDF's list of {} cannot be read: {error}",
                                resource.in_words()
                            ),
                        )
                        .with_detail(answer.in_words())
                        .with_hint("Check that base_url leads to CDF."),
                    ),
                })?;
            found.extend(page.items);
        }
        let earliest_ms = milliseconds(first_sent) + self.clock_offset_ms() - CLOCK_TOLERANCE_MS;
        let mut settled = SettledCreates::default();
        for reference in duplicated {
            let ours = found.iter().any(|item| {
                let named = match reference {
                    Reference::Id(id) => item.id == Some(*id),
                    Reference::ExternalId(name) => item.external_id.as_ref() == Some(name),
                    Reference::InstanceId(_)
                    | Reference::Name(_)
                    | Reference::InColumn { .. }
                    | Reference::NameInColumn { .. } => false,
                };
                named && item.created_time >= earliest_ms
            });
            match ours {
                true => settled.ours.push(reference.clone()),
                false => settled.theirs.push(reference.clone()),
            }
        }
        Ok(settled)
    }
}

fn body(references: &[Reference]) -> Bytes {
    let mut body = Vec::with_capacity(48 + references.len() * 40);
    body.extend_from_slice(b"{\"items\":[");
    let mut items = 0;
    for reference in references {
        let (head, name) = match reference {
            Reference::Id(id) => (b"{\"id\":".as_slice(), Err(*id)),
            Reference::ExternalId(name) => (b"{\"externalId\":".as_slice(), Ok(name)),
            Reference::InstanceId(_)
            | Reference::Name(_)
            | Reference::InColumn { .. }
            | Reference::NameInColumn { .. } => {
                continue;
            }
        };
        if items > 0 {
            body.push(b',');
        }
        body.extend_from_slice(head);
        match name {
            Ok(name) => json::push_string(&mut body, name.as_bytes()),
            Err(id) => json::push_integer(&mut body, id),
        }
        body.push(b'}');
        items += 1;
    }
    body.extend_from_slice(b"],\"ignoreUnknownIds\":true}");
    Bytes::from(body)
}
