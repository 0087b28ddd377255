//! Spaces, containers, views and data models: upserts, limits, references.

use crate::support::{Cdf, Reply, TestResult};
use serde_json::{Value, json};

/// A space, a container with one property of each sort, and a view over it.
pub async fn plant(cdf: &Cdf) -> reqwest::Result<()> {
    apply(cdf, "spaces", json!([{"space": "plant"}])).await?;
    apply(cdf, "containers", json!([pump()])).await?;
    apply(cdf, "views", json!([pump_view()])).await?;
    Ok(())
}

/// Applies items and insists that they are taken.
pub async fn apply(cdf: &Cdf, what: &str, items: Value) -> reqwest::Result<Reply> {
    let reply = cdf
        .post(&format!("/models/{what}"), json!({ "items": items }))
        .await?;
    assert_eq!(reply.status, 200, "{what}: {}", reply.message());
    Ok(reply)
}

/// Applies items and gives the message of the 400 that it insists on.
pub async fn refused(cdf: &Cdf, what: &str, items: Value) -> reqwest::Result<String> {
    let reply = cdf
        .post(&format!("/models/{what}"), json!({ "items": items }))
        .await?;
    assert_eq!(reply.status, 400, "{what}: {:?}", reply.json());
    assert_eq!(reply.json()["error"]["code"], 400);
    Ok(reply.message())
}

pub fn pump() -> Value {
    json!({
        "space": "plant",
        "externalId": "Pump",
        "usedFor": "all",
        "properties": {
            "name": {"type": {"type": "text"}, "nullable": false},
            "speed": {"type": {"type": "float64"}},
            "starts": {"type": {"type": "int32"}, "defaultValue": 0},
            "running": {"type": {"type": "boolean"}},
            "installed": {"type": {"type": "timestamp"}},
            "tags": {"type": {"type": "text", "list": true}},
            "feeds": {"type": {"type": "direct"}},
            "serial": {"type": {"type": "int64"}, "immutable": true},
        },
    })
}

pub fn pump_view() -> Value {
    let mapped = |name: &str| {
        json!({
            "container": {"type": "container", "space": "plant", "externalId": "Pump"},
            "containerPropertyIdentifier": name,
        })
    };
    json!({
        "space": "plant",
        "externalId": "Pump",
        "version": "v1",
        "properties": {
            "name": mapped("name"),
            "speed": mapped("speed"),
            "starts": mapped("starts"),
            "running": mapped("running"),
            "installedAt": mapped("installed"),
            "tags": mapped("tags"),
            "feeds": mapped("feeds"),
            "serial": mapped("serial"),
            "pipes": {
                "type": {"space": "plant", "externalId": "Pump.pipes"},
                "source": {"type": "view", "space": "plant", "externalId": "Pump", "version": "v1"},
            },
        },
    })
}

#[tokio::test]
async fn an_unchanged_space_keeps_its_times_and_a_changed_one_does_not() -> TestResult {
    let cdf = Cdf::new();
    let space = |name: &str| json!([{"space": "plant", "name": name}]);
    let made = apply(&cdf, "spaces", space("A")).await?.json();
    // Times are in ms: only another name can show that something is newer.
    let again = apply(&cdf, "spaces", space("A")).await?.json();
    assert_eq!(made, again);
    let renamed = apply(&cdf, "spaces", space("B")).await?.json();
    assert_eq!(renamed["items"][0]["name"], "B");
    assert_eq!(
        renamed["items"][0]["createdTime"],
        made["items"][0]["createdTime"]
    );
    Ok(())
}

#[tokio::test]
async fn reserved_and_malformed_names_are_refused() -> TestResult {
    let cdf = Cdf::new();
    for space in ["cdf", "9a", "a b", &"s".repeat(44)] {
        refused(&cdf, "spaces", json!([{"space": space}])).await?;
    }
    apply(&cdf, "spaces", json!([{"space": "plant"}])).await?;
    let named = |external_id: &str, property: &str| {
        json!([{
            "space": "plant",
            "externalId": external_id,
            "properties": {property: {"type": {"type": "text"}}},
        }])
    };
    apply(&cdf, "containers", named("Valve", "name")).await?;
    for (external_id, property) in [
        ("String", "name"),
        ("Valve_", "name"),
        ("Valve", "externalId"),
        ("Valve", "a b"),
    ] {
        refused(&cdf, "containers", named(external_id, property)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn at_most_a_hundred_are_applied_at_once_and_each_only_once() -> TestResult {
    let cdf = Cdf::new();
    let spaces = |count: usize| -> Value {
        (0..count)
            .map(|number| json!({"space": format!("s{number}")}))
            .collect()
    };
    apply(&cdf, "spaces", spaces(100)).await?;
    refused(&cdf, "spaces", spaces(101)).await?;
    refused(&cdf, "spaces", spaces(0)).await?;
    refused(&cdf, "spaces", json!([{"space": "a"}, {"space": "a"}])).await?;
    // A project has no room for one more.
    let message = refused(&cdf, "spaces", json!([{"space": "one_more"}])).await?;
    assert!(message.contains("101 spaces"), "{message}");
    Ok(())
}

#[tokio::test]
async fn what_does_not_exist_is_named() -> TestResult {
    let cdf = Cdf::new();
    let message = refused(&cdf, "containers", json!([pump()])).await?;
    assert_eq!(message, "One or more spaces do not exist: 'plant'");
    apply(&cdf, "spaces", json!([{"space": "plant"}])).await?;
    let message = refused(&cdf, "views", json!([pump_view()])).await?;
    assert_eq!(message, "One or more containers do not exist: 'plant:Pump'");
    apply(&cdf, "containers", json!([pump()])).await?;
    let mut view = pump_view();
    view["implements"] =
        json!([{"type": "view", "space": "plant", "externalId": "Base", "version": "v1"}]);
    let message = refused(&cdf, "views", json!([view])).await?;
    assert_eq!(message, "One or more views do not exist: 'plant:Base/v1'");
    let mut view = pump_view();
    view["properties"]["name"]["containerPropertyIdentifier"] = json!("title");
    let message = refused(&cdf, "views", json!([view])).await?;
    assert!(message.contains("no property 'title'"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_refused_request_makes_nothing() -> TestResult {
    let cdf = Cdf::new();
    apply(&cdf, "spaces", json!([{"space": "plant"}])).await?;
    let mut broken = pump();
    broken["externalId"] = json!("Broken");
    broken["properties"]["name"]["type"]["type"] = json!("varchar");
    refused(&cdf, "containers", json!([pump(), broken])).await?;
    let listed = cdf.get("/models/containers").await?.json();
    assert_eq!(listed, json!({"items": []}));
    Ok(())
}

#[tokio::test]
async fn a_view_shows_what_its_containers_say_of_its_properties() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let id = json!([{"space": "plant", "externalId": "Pump"}]);
    let view = apply(&cdf, "views/byids", id).await?.json()["items"][0].clone();
    let name = &view["properties"]["name"];
    assert_eq!(name["nullable"], false);
    assert_eq!(name["type"]["type"], "text");
    assert_eq!(name["type"]["collation"], "ucs_basic");
    let pipes = &view["properties"]["pipes"];
    assert_eq!(pipes["connectionType"], "multi_edge_connection");
    assert_eq!(pipes["direction"], "outwards");
    assert_eq!(view["usedFor"], "all");
    assert_eq!(
        (&view["writable"], &view["queryable"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(view["mappedContainers"][0]["externalId"], "Pump");
    Ok(())
}

#[tokio::test]
async fn a_view_inherits_and_overrides() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let mut properties = json!({"title": pump_view()["properties"]["name"].clone()});
    properties["name"] = pump_view()["properties"]["name"].clone();
    properties["name"]["name"] = json!("The pump's name");
    let special = json!([{
        "space": "plant",
        "externalId": "SpecialPump",
        "version": "v1",
        "implements": [{"type": "view", "space": "plant", "externalId": "Pump", "version": "v1"}],
        "properties": properties,
    }]);
    let made = apply(&cdf, "views", special).await?.json();
    let properties = &made["items"][0]["properties"];
    assert_eq!(properties["speed"]["type"]["type"], "float64");
    assert_eq!(properties["name"]["name"], "The pump's name");
    let own = cdf
        .get("/models/views?includeInheritedProperties=false&limit=100")
        .await?
        .json();
    let own = own["items"].as_array().and_then(|items| {
        let special = items
            .iter()
            .find(|view| view["externalId"] == "SpecialPump");
        special?["properties"].as_object().map(|all| all.len())
    });
    assert_eq!(own, Some(2));
    Ok(())
}

#[tokio::test]
async fn a_view_that_inherits_from_itself_is_refused() -> TestResult {
    let cdf = Cdf::new();
    apply(&cdf, "spaces", json!([{"space": "plant"}])).await?;
    let view = |external_id: &str, parent: &str| {
        json!({
            "space": "plant", "externalId": external_id, "version": "v1",
            "implements": [{"type": "view", "space": "plant", "externalId": parent, "version": "v1"}],
        })
    };
    let message = refused(&cdf, "views", json!([view("A", "B"), view("B", "A")])).await?;
    assert!(message.contains("from itself"), "{message}");
    // Two ways to one ancestor are no circle.
    let both = |external_id: &str| {
        let mut both = view(external_id, "Left");
        let right = view(external_id, "Right")["implements"][0].clone();
        both["implements"] = json!([both["implements"][0].clone(), right]);
        both
    };
    let mut base = view("Base", "Base");
    base["implements"] = json!([]);
    let diamond = [
        base,
        view("Left", "Base"),
        view("Right", "Base"),
        both("Bottom"),
    ];
    apply(&cdf, "views", json!(diamond)).await?;
    Ok(())
}

#[tokio::test]
async fn the_type_of_a_property_with_data_cannot_change() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let mut changed = pump();
    changed["properties"]["speed"]["type"]["type"] = json!("text");
    let message = refused(&cdf, "containers", json!([changed])).await?;
    assert!(message.contains("from float64 to text"), "{message}");
    let mut changed = pump();
    changed["properties"]["more"] = json!({"type": {"type": "date"}});
    apply(&cdf, "containers", json!([changed])).await?;
    Ok(())
}

#[tokio::test]
async fn lists_page_by_cursor_and_hide_the_system() -> TestResult {
    let cdf = Cdf::new();
    let spaces: Value = (0..25)
        .map(|number| json!({"space": format!("s{number:02}")}))
        .collect();
    apply(&cdf, "spaces", spaces).await?;
    let mut seen = Vec::new();
    let mut path = "/models/spaces".to_owned();
    loop {
        let page = cdf.get(&path).await?.json();
        let items = page["items"].as_array().cloned().unwrap_or_default();
        assert!(items.len() <= 10);
        seen.extend(items.iter().map(|space| space["space"].clone()));
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/models/spaces?cursor={cursor}");
    }
    assert_eq!(seen.len(), 25);
    let all = cdf
        .get("/models/spaces?includeGlobal=true&limit=1000")
        .await?;
    let all = all.json();
    let system = all["items"].as_array().and_then(|items| {
        let system = items.iter().find(|space| space["space"] == "cdf_cdm");
        system.map(|space| space["isGlobal"].clone())
    });
    assert_eq!(system, Some(json!(true)));
    Ok(())
}

#[tokio::test]
async fn containers_are_listed_by_what_they_are_used_for() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    for (query, found) in [
        ("usedFor=node&usedFor=all", 1),
        ("usedFor=%5B%22node%22%2C%22all%22%5D", 1),
        ("usedFor=node", 0),
        ("usedFor=", 1),
    ] {
        let page = cdf.get(&format!("/models/containers?{query}")).await?;
        let count = page.json()["items"].as_array().map(Vec::len);
        assert_eq!(count, Some(found), "{query}");
    }
    Ok(())
}

#[tokio::test]
async fn only_the_newest_version_is_listed_unless_all_are_asked_for() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let mut next = pump_view();
    next["version"] = json!("v2");
    apply(&cdf, "views", json!([next])).await?;
    let versions = |reply: Value| -> Vec<Value> {
        let items = reply["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|view| view["version"].clone()).collect()
    };
    let newest = versions(cdf.get("/models/views?space=plant").await?.json());
    assert_eq!(newest, ["v2"]);
    let all = cdf.get("/models/views?space=plant&allVersions=true");
    assert_eq!(versions(all.await?.json()), ["v1", "v2"]);
    Ok(())
}

#[tokio::test]
async fn a_data_model_may_bring_its_views_along() -> TestResult {
    let cdf = Cdf::new();
    apply(&cdf, "spaces", json!([{"space": "plant"}])).await?;
    apply(&cdf, "containers", json!([pump()])).await?;
    let model = json!([{
        "space": "plant", "externalId": "Plant", "version": "v1", "views": [pump_view()],
    }]);
    let made = apply(&cdf, "datamodels", model).await?.json();
    assert_eq!(made["items"][0]["views"][0]["type"], "view");
    let id = json!({"items": [{"space": "plant", "externalId": "Plant", "version": "v1"}]});
    let read = cdf
        .post("/models/datamodels/byids?inlineViews=true", id)
        .await?;
    let view = read.json()["items"][0]["views"][0].clone();
    assert_eq!(view["properties"]["name"]["type"]["type"], "text");
    let unknown = json!([{
        "space": "plant", "externalId": "Plant", "version": "v2",
        "views": [{"type": "view", "space": "plant", "externalId": "Valve", "version": "v1"}],
    }]);
    let message = refused(&cdf, "datamodels", unknown).await?;
    assert_eq!(message, "One or more views do not exist: 'plant:Valve/v1'");
    Ok(())
}

#[tokio::test]
async fn only_an_empty_space_is_deleted_and_the_system_never() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let message = refused(&cdf, "spaces/delete", json!([{"space": "plant"}])).await?;
    assert!(message.contains("not empty"), "{message}");
    let view = json!([{"space": "plant", "externalId": "Pump", "version": "v1"}]);
    let container = json!([{"space": "plant", "externalId": "Pump"}]);
    assert_eq!(
        apply(&cdf, "views/delete", view.clone()).await?.json(),
        json!({"items": view})
    );
    assert_eq!(
        apply(&cdf, "containers/delete", container.clone())
            .await?
            .json(),
        json!({"items": container})
    );
    let both = json!([{"space": "plant"}, {"space": "unknown"}]);
    let deleted = apply(&cdf, "spaces/delete", both).await?.json();
    assert_eq!(deleted, json!({"items": [{"space": "plant"}]}));
    refused(&cdf, "spaces/delete", json!([{"space": "cdf_cdm"}])).await?;
    let mut container = pump();
    container["space"] = json!("cdf_cdm");
    refused(&cdf, "containers", json!([container])).await?;
    Ok(())
}

#[tokio::test]
async fn constraints_and_indexes_can_be_taken_away() -> TestResult {
    let cdf = Cdf::new();
    apply(&cdf, "spaces", json!([{"space": "plant"}])).await?;
    let mut container = pump();
    container["constraints"] =
        json!({"serials": {"constraintType": "uniqueness", "properties": ["serial"]}});
    container["indexes"] = json!({"names": {"indexType": "btree", "properties": ["name"]}});
    let made = apply(&cdf, "containers", json!([container])).await?.json();
    assert_eq!(
        made["items"][0]["constraints"]["serials"]["state"],
        "current"
    );
    let part = |identifier: &str| json!([{"space": "plant", "containerExternalId": "Pump", "identifier": identifier}]);
    let deleted = apply(&cdf, "containers/constraints/delete", part("serials")).await?;
    assert_eq!(deleted.json()["items"][0]["identifier"], "serials");
    apply(&cdf, "containers/indexes/delete", part("names")).await?;
    let listed = cdf.get("/models/containers").await?.json();
    assert_eq!(listed["items"][0]["constraints"], json!({}));
    assert_eq!(listed["items"][0]["indexes"], json!({}));
    Ok(())
}

#[tokio::test]
async fn statistics_count_what_the_project_owns() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let statistics = cdf.get("/models/statistics").await?.json();
    assert_eq!(statistics["spaces"], json!({"count": 1, "limit": 100}));
    assert_eq!(statistics["containers"]["count"], 1);
    assert_eq!(statistics["containerProperties"]["count"], 8);
    assert_eq!(statistics["views"]["count"], 1);
    assert_eq!(statistics["instances"]["instancesLimit"], 5_000_000);
    assert_eq!(
        [
            &statistics["concurrentWriteLimit"],
            &statistics["concurrentDeleteLimit"],
            &statistics["concurrentReadLimit"],
        ],
        [&json!(4), &json!(2), &json!(8)]
    );
    let spaces = cdf.get("/models/statistics/spaces").await?.json();
    assert_eq!(spaces["items"][0]["containers"], 1);
    Ok(())
}
