//! Time series that are nodes of data modeling: make them.
//!
//! Owns the call that makes them through the view of CDF's core model. Promises to leave nodes
//! that exist as they are. CDF makes the time series behind a node some time after the node:
//! who writes to it waits.

use super::series::push_name;
use super::{AttemptFailure, CdfClient, EncodedRequest, Identity, Operation, Repeat};
use crate::catalog::Resource;
use crate::rows::InstanceName;
use bytes::Bytes;

/// Nodes per request of `/models/instances`.
const NODES_PER_REQUEST_MAX: usize = 1_000;

impl CdfClient {
    /// Makes nodes that have nothing but their name and the type of their points. Their spaces
    /// must exist.
    ///
    /// # Errors
    /// As an attempt. Some of the nodes may have been made.
    pub async fn create_series_nodes(
        &self,
        identity: &Identity,
        nodes: &[InstanceName],
        is_string: bool,
    ) -> Result<(), AttemptFailure> {
        for chunk in nodes.chunks(NODES_PER_REQUEST_MAX) {
            self.send(identity, &create_request(chunk, is_string))
                .await?;
        }
        Ok(())
    }
}

fn create_request(nodes: &[InstanceName], is_string: bool) -> EncodedRequest {
    let kind = match is_string {
        true => "string",
        false => "numeric",
    };
    let sources = format!(
        ",\"sources\":[{{\"source\":{{\"type\":\"view\",\"space\":\"cdf_cdm\",\
         \"externalId\":\"CogniteTimeSeries\",\"version\":\"v1\"}},\
         \"properties\":{{\"type\":\"{kind}\",\"isStep\":false}}}}]}}"
    );
    let mut body = Vec::with_capacity(64 + nodes.len() * (sources.len() + 120));
    body.extend_from_slice(b"{\"items\":[");
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        // Version 0: only where there is no such node yet.
        body.extend_from_slice(b"{\"instanceType\":\"node\",\"existingVersion\":0,");
        push_name(&mut body, node);
        body.extend_from_slice(sources.as_bytes());
    }
    body.extend_from_slice(b"],\"skipOnVersionConflict\":true}");
    EncodedRequest {
        operation: Operation::Create(Resource::Instances),
        repeat: Repeat::Harmless,
        path: "/models/instances".to_owned(),
        uncompressed_bytes: body.len(),
        body: Bytes::from(body),
        content_type: super::client::JSON,
        gzip: false,
        items: nodes.len(),
        points: 0,
    }
}
