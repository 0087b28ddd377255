//! What CDF itself says of its limits: `GET /models/statistics`.
//!
//! Owns the call. CDF publishes live figures for data modeling only. Promises no figure rather
//! than a wrong one. Never decides how often it is asked.

use super::client::{Call, JSON};
use super::{AttemptFailure, CdfClient, Identity, Operation, Repeat};
use crate::catalog::Resource;
use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;

/// Bytes of the answer that are read: it has some dozens of numbers.
const ANSWER_BYTES_MAX: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    concurrent_write_limit: Option<usize>,
}

impl CdfClient {
    /// Writes of instances that the project may have in flight now; `None` where CDF does not say.
    ///
    /// # Errors
    /// As an attempt.
    pub async fn instance_writes_max(
        &self,
        identity: &Identity,
    ) -> Result<Option<usize>, AttemptFailure> {
        let call = Call {
            operation: Operation::LookUp(Resource::Instances),
            repeat: Repeat::Harmless,
            method: Method::GET,
            path: "/models/statistics",
            body: Bytes::new(),
            content_type: JSON,
            gzip: false,
            accept: JSON,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = self.call(identity, &call).await?;
        let said = serde_json::from_slice::<Statistics>(&answer.body).ok();
        Ok(said
            .and_then(|said| said.concurrent_write_limit)
            .filter(|limit| *limit > 0))
    }
}
