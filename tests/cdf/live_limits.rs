//! What CDF says of its own limits, and how the pipeline keeps to it.

use super::attempts::{client, identity};
use super::scripted_server::{Reply, ScriptedServer};

#[tokio::test]
async fn the_writes_of_instances_that_cdf_takes_at_once_are_read() {
    let said = r#"{"concurrentReadLimit": 8, "concurrentWriteLimit": 3, "views": {"count": 1}}"#;
    let server = ScriptedServer::start(vec![Reply::json(200, said)], Reply::json(200, "{}")).await;
    let identity = identity(&server.url);
    let client = client();
    assert_eq!(client.instance_writes_max(&identity).await, Ok(Some(3)));
    // An answer without the figure is no figure, and no error.
    assert_eq!(client.instance_writes_max(&identity).await, Ok(None));
    let requests = server.requests();
    assert!(requests[0].text().is_empty(), "a read has no body");
}

#[tokio::test]
async fn a_limit_of_nothing_and_a_page_of_a_proxy_are_no_limits() {
    let zero = Reply::json(200, r#"{"concurrentWriteLimit": 0}"#);
    let server = ScriptedServer::start(vec![zero], Reply::html(502, "busy")).await;
    let identity = identity(&server.url);
    assert_eq!(client().instance_writes_max(&identity).await, Ok(None));
    assert!(client().instance_writes_max(&identity).await.is_err());
}
