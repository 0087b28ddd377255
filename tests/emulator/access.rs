//! Enforced access: what a capability opens, where, and what is said without it.

use crate::groups::{capability, enforcing, group};
use crate::support::{Cdf, Fallible, Reply, TestResult};
use serde_json::{Value, json};

const HIDDEN: &str = "Resource not found. This may also be due to insufficient access rights.";

/// What an application hears that has exactly these capabilities.
struct Loader<'a> {
    cdf: &'a Cdf,
    token: String,
}

impl<'a> Loader<'a> {
    async fn with(cdf: &'a Cdf, capabilities: Value) -> Fallible<Self> {
        cdf.admin("DELETE", "access", Value::Null).await?;
        group(cdf, "source-1", capabilities).await?;
        let token = cdf.sign_in("loader", "loader secret").await?;
        Ok(Self { cdf, token })
    }

    async fn ask(&self, path: &str, body: &Value) -> reqwest::Result<Reply> {
        let request = if body.is_null() {
            self.cdf.http.get(self.cdf.url(path))
        } else {
            let request = self.cdf.http.post(self.cdf.url(path));
            request
                .header("content-type", "application/json")
                .body(body.to_string())
        };
        self.cdf.send(request.bearer_auth(&self.token)).await
    }

    async fn status(&self, path: &str, body: Value) -> reqwest::Result<u16> {
        Ok(self.ask(path, &body).await?.status)
    }

    async fn names(&self, path: &str, member: &str) -> reqwest::Result<Vec<String>> {
        let listed = self.ask(path, &Value::Null).await?.json();
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        let names = items.iter().filter_map(|item| item[member].as_str());
        Ok(names.map(str::to_owned).collect())
    }
}

fn all() -> Value {
    json!({"all": {}})
}

/// One call for each resource and direction, with the capability that opens it.
fn calls() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let item = |item: Value| json!({"items": [item]});
    let get = Value::Null;
    vec![
        ("assetsAcl", "WRITE", "/assets", item(json!({"name": "n"}))),
        ("assetsAcl", "READ", "/assets/list", json!({})),
        ("eventsAcl", "WRITE", "/events", item(json!({"type": "t"}))),
        ("eventsAcl", "READ", "/events/list", json!({})),
        (
            "timeSeriesAcl",
            "WRITE",
            "/timeseries",
            item(json!({"externalId": "s"})),
        ),
        ("timeSeriesAcl", "READ", "/timeseries", get.clone()),
        (
            "timeSeriesAcl",
            "WRITE",
            "/timeseries/data",
            item(json!({"externalId": "there", "datapoints": [{"timestamp": 1, "value": 1}]})),
        ),
        (
            "timeSeriesAcl",
            "READ",
            "/timeseries/data/list",
            item(json!({"externalId": "there"})),
        ),
        ("rawAcl", "LIST", "/raw/dbs", get.clone()),
        ("rawAcl", "WRITE", "/raw/dbs", item(json!({"name": "d"}))),
        (
            "rawAcl",
            "READ",
            "/raw/dbs/there/tables/t/rows",
            get.clone(),
        ),
        (
            "rawAcl",
            "WRITE",
            "/raw/dbs/there/tables/t/rows",
            item(json!({"key": "k", "columns": {}})),
        ),
        (
            "labelsAcl",
            "WRITE",
            "/labels",
            item(json!({"externalId": "l", "name": "l"})),
        ),
        ("labelsAcl", "READ", "/labels/list", json!({})),
        (
            "relationshipsAcl",
            "WRITE",
            "/relationships",
            item(
                json!({"externalId": "r", "sourceExternalId": "a", "sourceType": "asset",
                "targetExternalId": "b", "targetType": "asset"}),
            ),
        ),
        ("relationshipsAcl", "READ", "/relationships/list", json!({})),
        ("filesAcl", "WRITE", "/files", json!({"name": "f"})),
        ("filesAcl", "READ", "/files/list", json!({})),
        (
            "sequencesAcl",
            "WRITE",
            "/sequences",
            item(json!({"columns": [{"externalId": "c"}]})),
        ),
        ("sequencesAcl", "READ", "/sequences/list", json!({})),
        (
            "extractionpipelinesAcl",
            "WRITE",
            "/extpipes",
            item(json!({"externalId": "p", "name": "p", "dataSetId": 1})),
        ),
        (
            "extractionpipelinesAcl",
            "READ",
            "/extpipes/list",
            json!({}),
        ),
        (
            "extractionRunsAcl",
            "READ",
            "/extpipes/runs/list",
            json!({"filter": {"externalId": "none"}}),
        ),
        (
            "extractionRunsAcl",
            "WRITE",
            "/extpipes/runs",
            item(json!({"externalId": "none", "status": "success"})),
        ),
        (
            "datasetsAcl",
            "WRITE",
            "/datasets",
            item(json!({"name": "d"})),
        ),
        ("datasetsAcl", "READ", "/datasets/list", json!({})),
        (
            "dataModelsAcl",
            "WRITE",
            "/models/spaces",
            item(json!({"space": "sp"})),
        ),
        ("dataModelsAcl", "READ", "/models/spaces", get.clone()),
        (
            "dataModelInstancesAcl",
            "WRITE",
            "/models/instances",
            item(json!({"instanceType": "node", "space": "there", "externalId": "n"})),
        ),
        (
            "dataModelInstancesAcl",
            "READ",
            "/models/instances/list",
            json!({}),
        ),
        ("groupsAcl", "CREATE", "/groups", item(json!({"name": "g"}))),
        ("groupsAcl", "LIST", "/groups?all=true", get.clone()),
        (
            "sessionsAcl",
            "CREATE",
            "/sessions",
            item(json!({"tokenExchange": true})),
        ),
        ("sessionsAcl", "LIST", "/sessions", get),
    ]
}

#[tokio::test]
async fn each_call_takes_its_capability_and_no_other_does() -> TestResult {
    let cdf = enforcing().await?;
    cdf.create_series(&["there"]).await?;
    cdf.post("/raw/dbs", json!({"items": [{"name": "there"}]}))
        .await?;
    cdf.post("/raw/dbs/there/tables", json!({"items": [{"name": "t"}]}))
        .await?;
    cdf.post("/models/spaces", json!({"items": [{"space": "there"}]}))
        .await?;
    for (acl, action, path, body) in calls() {
        let others: Vec<Value> = calls()
            .iter()
            .filter(|(other, other_action, ..)| (*other, *other_action) != (acl, action))
            .map(|(other, other_action, ..)| capability(other, &[other_action], all()))
            .collect();
        let without = Loader::with(&cdf, json!(others)).await?;
        let refused = without.ask(path, &body).await?;
        assert_eq!(refused.status, 403, "{acl}:{action} {path}");
        assert_eq!(refused.json()["error"]["code"], 403);
        assert!(!refused.message().is_empty());
        let with = Loader::with(&cdf, json!([capability(acl, &[action], all())])).await?;
        let status = with.status(path, body).await?;
        // A made up data set or pipeline is a 400, which is past the door.
        assert!(
            [200, 201, 400].contains(&status),
            "{acl}:{action} {path}: {status}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_capability_that_is_taken_away_is_gone_with_the_next_request() -> TestResult {
    let cdf = enforcing().await?;
    let read = capability("timeSeriesAcl", &["READ"], all());
    let loader = Loader::with(&cdf, json!([read])).await?;
    assert_eq!(loader.status("/timeseries", Value::Null).await?, 200);
    let groups = loader.ask("/groups", &Value::Null).await?.json();
    let body = json!({"items": [groups["items"][0]["id"]]});
    group(&cdf, "source-1", json!([])).await?;
    cdf.post("/groups/delete", body).await?;
    let refused = loader.ask("/timeseries", &Value::Null).await?;
    assert_eq!((refused.status, refused.message().as_str()), (403, HIDDEN));
    Ok(())
}

#[tokio::test]
async fn a_data_set_scope_reaches_what_is_in_the_data_set() -> TestResult {
    let cdf = enforcing().await?;
    let sets = json!({"items": [{"name": "in"}, {"name": "out"}]});
    let sets = cdf.post("/datasets", sets).await?.json();
    let (inside, outside) = (&sets["items"][0]["id"], &sets["items"][1]["id"]);
    let actions = &["READ", "WRITE"];
    let scope = json!({"datasetScope": {"ids": [inside]}});
    let loader = Loader::with(
        &cdf,
        json!([
            capability("assetsAcl", actions, scope.clone()),
            capability("timeSeriesAcl", actions, scope),
        ]),
    )
    .await?;
    for (path, list) in [
        ("/assets", "/assets/list"),
        ("/timeseries", "/timeseries/list"),
    ] {
        let object = |name: &str, set: &Value| json!({"items": [{"name": name, "externalId": name, "dataSetId": set}]});
        assert_eq!(loader.status(path, object("mine", inside)).await?, 201);
        for foreign in [object("no", outside), json!({"items": [{"name": "no"}]})] {
            let refused = loader.ask(path, &foreign).await?;
            assert_eq!((refused.status, refused.message().as_str()), (403, HIDDEN));
        }
        assert_eq!(cdf.post(path, object("theirs", outside)).await?.status, 201);
        let named = |name: &str| json!({"items": [{"externalId": name}]});
        let moved = |name: &str, set: &Value| json!({"items": [{"externalId": name, "update": {"dataSetId": {"set": set}}}]});
        for (call, body, status) in [
            ("byids", named("mine"), 200),
            ("byids", named("theirs"), 403),
            ("update", moved("mine", inside), 200),
            ("update", moved("mine", outside), 403),
            ("update", moved("theirs", inside), 403),
            ("delete", named("theirs"), 403),
        ] {
            let path = format!("{path}/{call}");
            assert_eq!(
                loader.status(&path, body.clone()).await?,
                status,
                "{path} {body}"
            );
        }
        let listed = loader.ask(list, &json!({})).await?.json();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{list}");
        assert_eq!(listed["items"][0]["externalId"], "mine");
    }
    let point = |name: &str| json!({"items": [{"externalId": name, "datapoints": [{"timestamp": 1, "value": 1}]}]});
    assert_eq!(loader.status("/timeseries/data", point("mine")).await?, 200);
    assert_eq!(
        loader.status("/timeseries/data", point("theirs")).await?,
        403
    );
    Ok(())
}

#[tokio::test]
async fn a_table_scope_reaches_its_tables() -> TestResult {
    let cdf = enforcing().await?;
    for database in ["whole", "some", "none"] {
        for table in ["a", "b"] {
            let path = format!("/raw/dbs/{database}/tables/{table}/rows?ensureParent=true");
            let row = json!({"items": [{"key": "k", "columns": {}}]});
            assert_eq!(cdf.post(&path, row).await?.status, 200);
        }
    }
    let scope = json!({"tableScope": {"dbsToTables": {"whole": [], "some": {"tables": ["a"]}}}});
    let raw = capability("rawAcl", &["READ", "WRITE", "LIST"], scope);
    let loader = Loader::with(&cdf, json!([raw])).await?;
    for (database, table, status) in [
        ("whole", "a", 200),
        ("whole", "new", 200),
        ("some", "a", 200),
        ("some", "b", 403),
        ("none", "a", 403),
    ] {
        let path = format!("/raw/dbs/{database}/tables/{table}/rows?ensureParent=true");
        let row = json!({"items": [{"key": "k", "columns": {}}]});
        let written = loader.ask(&path, &row).await?;
        assert_eq!(written.status, status, "{path}");
        if status == 403 {
            assert_eq!(written.message(), "Subject does not have 'WRITE' action");
        }
        assert_eq!(loader.status(&path, Value::Null).await?, status, "{path}");
    }
    assert_eq!(loader.names("/raw/dbs", "name").await?, ["some", "whole"]);
    assert_eq!(loader.names("/raw/dbs/some/tables", "name").await?, ["a"]);
    let new = json!({"items": [{"name": "new"}]});
    assert_eq!(loader.status("/raw/dbs", new.clone()).await?, 403);
    assert_eq!(loader.status("/raw/dbs/some/tables", new).await?, 403);
    Ok(())
}

#[tokio::test]
async fn a_space_scope_reaches_its_spaces() -> TestResult {
    let cdf = enforcing().await?;
    let spaces = json!({"items": [{"space": "mine"}, {"space": "theirs"}]});
    assert_eq!(cdf.post("/models/spaces", spaces).await?.status, 200);
    let scope = json!({"spaceIdScope": {"spaceIds": ["mine"]}});
    let instances = capability("dataModelInstancesAcl", &["READ", "WRITE"], scope.clone());
    let loader = Loader::with(&cdf, json!([instances])).await?;
    let node = |space: &str| json!({"items": [{"instanceType": "node", "space": space, "externalId": "n"}]});
    assert_eq!(loader.status("/models/instances", node("mine")).await?, 200);
    assert_eq!(
        loader.status("/models/instances", node("theirs")).await?,
        403
    );
    assert_eq!(
        cdf.post("/models/instances", node("theirs")).await?.status,
        200
    );
    let listed = loader
        .ask("/models/instances/list", &json!({}))
        .await?
        .json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    for (space, status) in [("mine", 200), ("theirs", 403)] {
        let byids = loader
            .status("/models/instances/byids", node(space))
            .await?;
        assert_eq!(byids, status, "{space}");
        let delete = loader
            .status("/models/instances/delete", node(space))
            .await?;
        assert_eq!(delete, status, "{space}");
    }
    // Writing through a view takes reading it.
    let through = json!({"items": [{"instanceType": "node", "space": "mine", "externalId": "s",
        "sources": [{"properties": {"name": "S", "isStep": false, "type": "numeric"}, "source": {"type": "view",
            "space": "cdf_cdm", "externalId": "CogniteTimeSeries", "version": "v1"}}]}]});
    let refused = loader.ask("/models/instances", &through).await?;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.message(),
        "Not allowed to perform schema action: READ"
    );
    let both = json!([
        capability("dataModelInstancesAcl", &["READ", "WRITE"], scope.clone()),
        capability("dataModelsAcl", &["READ"], scope),
    ]);
    let loader = Loader::with(&cdf, both).await?;
    assert_eq!(loader.status("/models/instances", through).await?, 200);
    // The points of its series are open by the same capability.
    let points = json!({"items": [{"instanceId": {"space": "mine", "externalId": "s"},
        "datapoints": [{"timestamp": 1, "value": 1}]}]});
    assert_eq!(loader.status("/timeseries/data", points).await?, 200);
    Ok(())
}

#[tokio::test]
async fn a_session_has_the_rights_of_the_one_behind_it() -> TestResult {
    let cdf = enforcing().await?;
    let rights = json!([
        capability("sessionsAcl", &["CREATE"], all()),
        capability("timeSeriesAcl", &["READ"], all()),
    ]);
    let loader = Loader::with(&cdf, rights).await?;
    let item = json!({"items": [{"clientId": "loader", "clientSecret": "loader secret"}]});
    let created = loader.ask("/sessions", &item).await?.json();
    let nonce = json!({"nonce": created["items"][0]["nonce"]});
    let session = loader.ask("/sessions/token", &nonce).await?.json();
    let bearer = Loader {
        cdf: &cdf,
        token: session["accessToken"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    };
    assert_eq!(bearer.status("/timeseries", Value::Null).await?, 200);
    assert_eq!(bearer.status("/assets/list", json!({})).await?, 403);
    // Revoking is not theirs; and who may not list hears the ids only.
    let ids = json!({"items": [{"id": session["id"]}]});
    assert_eq!(loader.status("/sessions/revoke", ids.clone()).await?, 403);
    let revoking = capability("sessionsAcl", &["DELETE"], all());
    group(&cdf, "source-1", json!([revoking])).await?;
    let revoked = loader.ask("/sessions/revoke", &ids).await?;
    assert_eq!(revoked.json(), ids);
    assert_eq!(bearer.status("/timeseries", Value::Null).await?, 401);
    Ok(())
}

#[tokio::test]
async fn a_project_is_closed_to_those_without_a_group_in_it() -> TestResult {
    let cdf = enforcing().await?;
    let read = capability("timeSeriesAcl", &["READ"], all());
    let loader = Loader::with(&cdf, json!([read])).await?;
    let other = format!("{}/api/v1/projects/other/timeseries", cdf.handle.base_url());
    let refused = cdf
        .send(cdf.http.get(&other).bearer_auth(&loader.token))
        .await?;
    assert_eq!(refused.status, 401);
    // A token that was not issued here opens nothing, and there is no project now.
    assert_eq!(cdf.opens("made up").await?, 401);
    let inspect = format!("{}/api/v1/token/inspect", cdf.handle.base_url());
    let shown = cdf
        .send(cdf.http.get(inspect).bearer_auth(&cdf.token))
        .await?;
    let projects = shown.json()["projects"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert_eq!(projects.len(), 1);
    assert_eq!(projects[0]["projectUrlName"], "plant");
    Ok(())
}
