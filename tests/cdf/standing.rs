//! How an identity stands: only a refusal counts, never a network that does not work.
//!
//! Owns the tests of `CdfClient::standing` against scripted servers.

use super::attempts::{client, client_with, datapoint, identity};
use super::scripted_server::{Reply, ScriptedServer};
use penstock::cdf::{
    Credentials, Denials, Identity, RequiredAccess, Secret, SessionCredentials, Standing,
    TokenCache,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn capability(acl: &str, actions: &[&str]) -> Value {
    json!({
        acl: {"actions": actions, "scope": {"all": {}}},
        "projectScope": {"projects": ["my plant"]},
    })
}

fn inspection(capabilities: &[Value]) -> Reply {
    let body = json!({
        "subject": "client", "capabilities": capabilities,
        "projects": [{"projectUrlName": "my plant", "groups": [1]}],
    });
    Reply::json(200, body.to_string())
}

fn with_client_credentials(cdf: &ScriptedServer, provider: &ScriptedServer) -> Identity {
    Identity {
        credentials: Credentials::ClientCredentials {
            token_url: format!("{}/token", provider.url),
            client_id: "client".to_owned(),
            client_secret: Secret::new("s3cret"),
            scope: String::new(),
            audience: String::new(),
        },
        ..identity(&cdf.url)
    }
}

fn requiring(cdf: &ScriptedServer, required_access: RequiredAccess) -> Identity {
    Identity {
        required_access,
        ..identity(&cdf.url)
    }
}

async fn answering(reply: Reply) -> ScriptedServer {
    ScriptedServer::start(vec![], reply).await
}

fn is_lost(standing: &Standing) -> bool {
    matches!(standing, Standing::Lost(_))
}

#[tokio::test]
async fn an_accepted_token_is_enough_for_an_identity_of_the_configuration() {
    let cdf = answering(inspection(&[])).await;
    let identity = requiring(&cdf, RequiredAccess::AcceptedToken);
    assert_eq!(client().standing(&identity).await, Standing::Kept);
    assert_eq!(cdf.requests()[0].path, "/api/v1/token/inspect");
}

#[tokio::test]
async fn users_of_version_2_need_the_gateway_in_their_project() {
    for (acl, actions, kept) in [
        ("postgresGatewayAcl", vec!["READ"], true),
        ("postgresGatewayAcl", vec!["WRITE"], true),
        ("postgresGatewayAcl", vec![], false),
        ("rawAcl", vec!["READ", "WRITE"], false),
    ] {
        let cdf = answering(inspection(&[capability(acl, &actions)])).await;
        let identity = requiring(&cdf, RequiredAccess::PostgresGateway);
        let standing = client().standing(&identity).await;
        assert_eq!(
            standing == Standing::Kept,
            kept,
            "{acl} {actions:?}: {standing:?}"
        );
        assert_eq!(matches!(standing, Standing::Lacking(_)), !kept);
    }
}

#[tokio::test]
async fn users_of_version_1_need_the_project_and_its_groups() {
    let project = capability("projectsAcl", &["LIST"]);
    let groups = capability("groupsAcl", &["LIST"]);
    for (capabilities, lacking) in [
        (vec![project.clone(), groups.clone()], None),
        (vec![project], Some("groupsAcl LIST")),
        (vec![groups], Some("projectsAcl LIST")),
    ] {
        let cdf = answering(inspection(&capabilities)).await;
        let identity = requiring(&cdf, RequiredAccess::ProjectAndGroups);
        match (client().standing(&identity).await, lacking) {
            (Standing::Kept, None) => {}
            (Standing::Lacking(reason), Some(lacking)) => {
                assert!(reason.message.contains(lacking), "{reason:?}");
            }
            (standing, _) => panic!("{standing:?}, though it lacks {lacking:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_of_cdf_or_of_the_provider_is_a_loss() {
    let provider = answering(Reply::token("granted", "3600")).await;
    let nothing_here = json!({
        "subject": "client", "capabilities": [], "projects": [{"projectUrlName": "other", "groups": [1]}],
    });
    for refusal in [
        Reply::json(401, r#"{"error":{"message":"no"}}"#),
        Reply::json(200, nothing_here.to_string()),
    ] {
        let cdf = answering(refusal.clone()).await;
        let identity = with_client_credentials(&cdf, &provider);
        let standing = client().standing(&identity).await;
        assert!(is_lost(&standing), "{refusal:?}: {standing:?}");
    }
    let cdf = answering(inspection(&[])).await;
    for error in ["invalid_client", "unauthorized_client", "invalid_grant"] {
        let provider = answering(Reply::json(400, json!({"error": error}).to_string())).await;
        let identity = with_client_credentials(&cdf, &provider);
        assert!(is_lost(&client().standing(&identity).await), "{error}");
    }
    let exchange = answering(Reply::json(400, r#"{"error":{"message":"REVOKED"}}"#)).await;
    let session = SessionCredentials::new(exchange.url.clone(), 7, Secret::new("key"));
    let identity = Identity {
        credentials: Credentials::Session(session),
        ..identity(&cdf.url)
    };
    assert!(is_lost(&client().standing(&identity).await));
}

#[tokio::test]
async fn a_token_that_may_not_be_inspected_is_neither_kept_nor_lost() {
    let cdf = answering(Reply::json(403, r#"{"error":{"message":"no"}}"#)).await;
    let identity = requiring(&cdf, RequiredAccess::AcceptedToken);
    match client().standing(&identity).await {
        Standing::Untold(reason) => {
            assert!(reason.message.contains("projectsAcl LIST"), "{reason:?}");
        }
        standing => panic!("{standing:?}"),
    }
}

#[tokio::test]
async fn a_network_that_does_not_work_is_no_loss() {
    let provider = answering(Reply::token("granted", "3600")).await;
    let silences = [
        Reply::Close,
        Reply::json(500, ""),
        Reply::json(503, ""),
        Reply::json(429, ""),
        Reply::json(404, ""),
        Reply::html(403, "<title>Blocked by a proxy</title>"),
        Reply::html(200, "<html>Welcome</html>"),
    ];
    for reply in &silences {
        let cdf = answering(reply.clone()).await;
        let identity = with_client_credentials(&cdf, &provider);
        let standing = client().standing(&identity).await;
        assert!(
            matches!(standing, Standing::Unknown(_)),
            "{reply:?}: {standing:?}"
        );
    }
    let cdf = answering(inspection(&[])).await;
    for reply in &silences {
        let provider = answering(reply.clone()).await;
        let identity = with_client_credentials(&cdf, &provider);
        let standing = client().standing(&identity).await;
        assert!(
            matches!(standing, Standing::Unknown(_)),
            "{reply:?}: {standing:?}"
        );
    }
}

#[tokio::test]
async fn the_provider_is_asked_each_time_though_the_token_is_good() {
    let cdf = answering(inspection(&[])).await;
    let provider = ScriptedServer::start(
        vec![
            Reply::token("granted", "3600"),
            Reply::token("granted", "3600"),
        ],
        Reply::json(401, r#"{"error":"invalid_client"}"#),
    )
    .await;
    let client = client();
    let identity = with_client_credentials(&cdf, &provider);
    assert_eq!(client.standing(&identity).await, Standing::Kept);
    assert_eq!(client.standing(&identity).await, Standing::Kept);
    assert!(is_lost(&client.standing(&identity).await));
    // What is left of the access goes with it.
    client.distrust(&identity).await;
    let sent = client.send(&identity, &datapoint()).await;
    assert_eq!(sent.expect_err("no token").class(), "stop");
}

#[tokio::test]
async fn a_token_that_cdf_rejects_is_renewed_once_before_it_counts() {
    let cdf = ScriptedServer::start(vec![Reply::json(401, "{}")], inspection(&[])).await;
    let provider = answering(Reply::token("granted", "3600")).await;
    let identity = with_client_credentials(&cdf, &provider);
    assert_eq!(client().standing(&identity).await, Standing::Kept);
    assert_eq!(cdf.requests().len(), 2);
}

/// Remembers the names that it was told.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Denials for Heard {
    fn denied(&self, identity: &Identity) {
        self.0
            .lock()
            .expect("no test panicked")
            .push(identity.name.clone());
    }
}

#[tokio::test]
async fn whoever_is_turned_away_while_writing_is_reported_and_nobody_else() {
    for (reply, reported) in [
        (Reply::json(200, "{}"), false),
        (Reply::json(400, "{}"), false),
        (Reply::json(503, ""), false),
        (Reply::json(404, ""), false),
        (Reply::json(401, "{}"), true),
        (Reply::json(403, "{}"), true),
    ] {
        let cdf = answering(reply.clone()).await;
        let (tokens, heard) = (Arc::new(TokenCache::new()), Arc::new(Heard::default()));
        tokens.report_denials(heard.clone());
        let client = client_with(Duration::from_secs(30), tokens);
        // What comes of it is the business of other tests.
        let _ = client.send(&identity(&cdf.url), &datapoint()).await;
        let names = heard.0.lock().expect("no test panicked").clone();
        assert_eq!(
            names,
            if reported { vec!["tester"] } else { vec![] },
            "{reply:?}"
        );
    }
}
