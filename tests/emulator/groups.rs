//! Groups: what they may say, who is in one, and what a token shows of them.

use crate::support::{Cdf, Fallible, TestResult};
use penstock::emulator::{Application, ClientCredentials, EmulatorOptions, User};
use serde_json::{Value, json};

/// An emulator that enforces access, signed in as its administrator, with an application
/// and a user that are in no group of the project.
pub async fn enforcing() -> Fallible<Cdf> {
    let mut cdf = Cdf::with(EmulatorOptions {
        enforce_access: true,
        admin: Some(ClientCredentials {
            client_id: "admin".to_owned(),
            client_secret: "admin secret".to_owned(),
        }),
        applications: vec![Application {
            client_id: "loader".to_owned(),
            secrets: vec!["loader secret".to_owned()],
            groups: vec!["source-1".to_owned()],
            ..Application::default()
        }],
        users: vec![User {
            upn: "alice@plant".to_owned(),
            object_id: Some("alice-object".to_owned()),
            groups: vec!["source-1".to_owned()],
            ..User::default()
        }],
        ..EmulatorOptions::default()
    });
    cdf.token = cdf.sign_in("admin", "admin secret").await?;
    Ok(cdf)
}

/// Makes a group that gives its members these capabilities; its id comes back.
pub async fn group(cdf: &Cdf, source_id: &str, capabilities: Value) -> Fallible<Value> {
    let item = json!({"name": "g", "sourceId": source_id, "capabilities": capabilities});
    let created = cdf.post("/groups", json!({"items": [item]})).await?;
    assert_eq!(created.status, 201, "{}", created.json());
    Ok(created.json()["items"][0]["id"].clone())
}

/// One capability.
pub fn capability(acl: &str, actions: &[&str], scope: Value) -> Value {
    json!({acl: {"actions": actions, "scope": scope}})
}

async fn inspect(cdf: &Cdf, token: &str) -> reqwest::Result<Value> {
    let url = format!("{}/api/v1/token/inspect", cdf.handle.base_url());
    Ok(cdf.send(cdf.http.get(url).bearer_auth(token)).await?.json())
}

#[tokio::test]
async fn a_group_comes_back_as_it_was_sent() -> TestResult {
    let cdf = enforcing().await?;
    let item = json!({
        "name": "Operators", "sourceId": "5f0c", "sourceName": "Plant operators",
        "metadata": {"shift": "night"}, "attributes": {"token": {"appIds": ["loader"]}},
        "capabilities": [
            {"assetsAcl": {"actions": ["READ"], "scope": {"datasetScope": {"ids": [7]}}}},
            {"postgresGatewayAcl": {"actions": ["READ", "WRITE"],
                "scope": {"usersScope": {"usernames": ["u1"]}}}},
        ],
    });
    let created = cdf.post("/groups", json!({"items": [item]})).await?;
    assert_eq!(created.status, 201);
    let created = &created.json()["items"][0];
    assert_eq!(created["isDeleted"], false);
    let listed = cdf.get("/groups?all=true").await?.json();
    let listed = listed["items"].as_array().cloned().unwrap_or_default();
    assert!(listed.contains(created));
    for (member, value) in item.as_object().into_iter().flatten() {
        assert_eq!(&created[member], value);
    }
    Ok(())
}

#[tokio::test]
async fn a_group_that_makes_no_sense_is_refused_by_name() -> TestResult {
    let cdf = enforcing().await?;
    let read_all = json!({"actions": ["READ"], "scope": {"all": {}}});
    for (group, word) in [
        (json!({"name": ""}), "name"),
        (
            json!({"name": "g", "capabilities": [{"cakeAcl": read_all}]}),
            "cakeAcl",
        ),
        (
            json!({"name": "g", "capabilities": [{"assetsAcl": {"actions": ["EAT"], "scope": {"all": {}}}}]}),
            "EAT",
        ),
        (
            json!({"name": "g", "capabilities": [{"assetsAcl": {"actions": ["READ"]}}]}),
            "scope",
        ),
        (
            json!({"name": "g", "capabilities": [{"assetsAcl": {"actions": ["READ"], "scope": {"cake": {}}}}]}),
            "cake",
        ),
        (
            json!({"name": "g", "capabilities": [{"assetsAcl": read_all, "eventsAcl": read_all}]}),
            "exactly one",
        ),
        (
            json!({"name": "g", "sourceId": "s", "members": ["m"]}),
            "not both",
        ),
    ] {
        let refused = cdf.post("/groups", json!({"items": [group]})).await?;
        assert_eq!(refused.status, 400, "{group}");
        assert!(refused.message().contains(word), "{}", refused.message());
    }
    Ok(())
}

#[tokio::test]
async fn membership_is_the_groups_claim_of_the_token() -> TestResult {
    let cdf = enforcing().await?;
    let id = group(&cdf, "source-1", json!([])).await?;
    group(&cdf, "source-2", json!([])).await?;
    let loader = cdf.sign_in("loader", "loader secret").await?;
    let own = cdf.http.get(cdf.url("/groups")).bearer_auth(&loader);
    let own = cdf.send(own).await?.json();
    assert_eq!(own["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(own["items"][0]["id"], id);
    // To see all takes a capability.
    let all = cdf
        .http
        .get(cdf.url("/groups?all=true"))
        .bearer_auth(&loader);
    assert_eq!(cdf.send(all).await?.status, 403);
    let stranger = cdf
        .mint(json!({"client_id": "stranger", "groups": ["source-3"]}))
        .await?;
    assert_eq!(cdf.opens(&stranger).await?, 401);
    Ok(())
}

#[tokio::test]
async fn a_group_may_list_its_members_or_hold_for_some_applications_only() -> TestResult {
    let cdf = enforcing().await?;
    let read = capability("timeSeriesAcl", &["READ"], json!({"all": {}}));
    let items = json!([
        {"name": "listed", "members": ["bob-object"], "capabilities": [read]},
        {"name": "by application", "sourceId": "s", "capabilities": [read],
            "attributes": {"token": {"appIds": ["viewer"]}}},
    ]);
    assert_eq!(
        cdf.post("/groups", json!({"items": items})).await?.status,
        201
    );
    let claims = |oid: &str| json!({"oid": oid});
    for (order, status) in [
        (json!({"user": "bob", "claims": claims("bob-object")}), 200),
        (json!({"user": "eve", "claims": claims("eve-object")}), 401),
        (
            json!({"user": "eve", "client_id": "viewer", "groups": ["s"]}),
            200,
        ),
        (
            json!({"user": "eve", "client_id": "other", "groups": ["s"]}),
            401,
        ),
    ] {
        let token = cdf.mint(order.clone()).await?;
        assert_eq!(cdf.opens(&token).await?, status, "{order}");
    }
    Ok(())
}

#[tokio::test]
async fn inspect_shows_subject_projects_groups_and_capabilities() -> TestResult {
    let cdf = enforcing().await?;
    let gateway = capability("postgresGatewayAcl", &["READ", "WRITE"], json!({"all": {}}));
    let id = group(&cdf, "source-1", json!([gateway])).await?;
    let alice = cdf.mint(json!({"user": "alice@plant"})).await?;
    let shown = inspect(&cdf, &alice).await?;
    assert_eq!(shown["subject"], "alice-object");
    assert_eq!(
        shown["projects"],
        json!([{"projectUrlName": "plant", "groups": [id]}])
    );
    let mut granted = gateway;
    granted["projectScope"] = json!({"projects": ["plant"]});
    assert_eq!(shown["capabilities"], json!([granted]));
    let body = json!({"items": [id]});
    assert_eq!(cdf.post("/groups/delete", body.clone()).await?.status, 200);
    let shown = inspect(&cdf, &alice).await?;
    assert_eq!(
        (&shown["projects"], &shown["capabilities"]),
        (&json!([]), &json!([]))
    );
    let again = cdf.post("/groups/delete", body).await?;
    assert_eq!(
        (again.status, &again.json()["error"]["missing"][0]["id"]),
        (400, &id)
    );
    Ok(())
}
