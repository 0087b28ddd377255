//! Tables of views, rows of sequences, and what describes data models and units.

use super::world::{World, column, table};
use penstock::catalog::{self, Definition, Table};
use penstock::scan::{Bound, Condition};
use serde_json::{Value, json};

fn custom(value: &Value) -> &'static Table {
    let definition = Definition::from_json(value).expect("the definition is sound");
    catalog::custom_table(&definition).expect("the table is made")
}

/// A view over one container, and the table of it.
async fn pumps(world: &World) -> &'static Table {
    let properties = [
        ("label", "text"),
        ("speed", "float64"),
        ("starts", "int32"),
        ("running", "boolean"),
        ("installed", "timestamp"),
    ];
    let described = |(name, kind): (&str, &str)| (name.to_owned(), json!({"type": {"type": kind}}));
    let container = properties.map(described);
    let mapped = properties.map(|(name, _)| {
        let container = json!({"type": "container", "space": "plant", "externalId": "Pump"});
        let property = json!({"container": container, "containerPropertyIdentifier": name});
        (name.to_owned(), property)
    });
    world
        .post("/models/spaces", json!({"items": [{"space": "plant"}]}))
        .await;
    world
        .post(
            "/models/containers",
            json!({"items": [{"space": "plant", "externalId": "Pump",
              "usedFor": "all", "properties": Value::Object(container.into_iter().collect())}]}),
        )
        .await;
    world
        .post(
            "/models/views",
            json!({"items": [{"space": "plant", "externalId": "Pump",
              "version": "v1", "properties": Value::Object(mapped.into_iter().collect())}]}),
        )
        .await;
    custom(&json!({
        "type": "nodes", "tablename": "scan_view_pumps",
        "options": {"space": "plant", "externalId": "Pump", "version": "v1"},
        "columns": {"label": {"type": "TEXT"}, "speed": {"type": "DOUBLE PRECISION"},
                    "starts": {"type": "BIGINT"}, "running": {"type": "BOOL"},
                    "installed": {"type": "TIMESTAMPTZ"}}
    }))
}

#[tokio::test]
async fn instances_come_back_through_their_view() {
    let world = World::new();
    let table = pumps(&world).await;
    let source = json!({"type": "view", "space": "plant", "externalId": "Pump", "version": "v1"});
    let nodes: Vec<Value> = (0..1_200)
        .map(|number: i64| {
            let mut properties = json!({"starts": number, "running": number % 2 == 0,
                "speed": number as f64 / 4.0,
                "installed": format!("2026-01-01T00:{:02}:{:02}.000+00:00", number / 60, number % 60)});
            if number < 10 {
                properties["label"] = json!(format!("pump {number}"));
            }
            json!({"instanceType": "node", "space": "plant", "externalId": format!("p{number:04}"),
                   "sources": [{"source": source, "properties": properties}]})
        })
        .collect();
    world.make("/models/instances", &nodes).await;
    world
        .make(
            "/models/instances",
            &[json!({"instanceType": "node", "space": "plant", "externalId": "bare"})],
        )
        .await;
    let of = |name: &str| column(table, name);
    assert_eq!(
        world.select(table, &[]).await.len(),
        1_200,
        "what has data in the view"
    );
    // More names than one filter has; some are nobody's, and some are there twice.
    let named = Condition::OneOf {
        column: of("external_id"),
        values: (0..2_100)
            .map(|n| format!("p{:04}", n * 2 % 3_000))
            .collect(),
    };
    let even = world
        .select_exactly(table, "external_id", std::slice::from_ref(&named))
        .await;
    let expected: Vec<String> = (0..600).map(|n| format!("p{:04}", n * 2)).collect();
    assert_eq!(even, expected);
    // One part is read without what CDF refuses, and the parts still do not overlap.
    let fault =
        json!([{"kind": "status", "status": 400, "operation": "instances.list", "count": 1}]);
    world.order("faults", fault).await;
    let running = Condition::equals(of("running"), "true");
    let rows = world.select(table, &[named, running]).await;
    assert_eq!(rows.len(), 600);
    let one = world
        .select(table, &[Condition::equals(of("external_id"), "p0007")])
        .await;
    let cells: Vec<&str> = one[0]
        .iter()
        .map(|cell| cell.as_deref().unwrap_or("NULL"))
        .collect();
    assert_eq!(
        cells,
        [
            "plant",
            "p0007",
            "pump 7",
            "1.75",
            "7",
            "f",
            "2026-01-01 00:00:07+00"
        ]
    );
    let range = |name: &str, from: Option<Bound>, to: Option<Bound>| Condition::Range {
        column: of(name),
        from,
        to,
    };
    for (conditions, expected) in [
        (vec![Condition::equals(of("space"), "plant")], 1_200),
        (vec![Condition::equals(of("space"), "elsewhere")], 0),
        (vec![Condition::equals(of("label"), "pump 3")], 1),
        (
            vec![Condition::Prefix {
                column: of("label"),
                text: "pump".to_owned(),
            }],
            10,
        ),
        (
            vec![Condition::IsNull {
                column: of("label"),
            }],
            1_190,
        ),
        (
            vec![Condition::IsNotNull {
                column: of("label"),
            }],
            10,
        ),
        (vec![Condition::equals(of("running"), "t")], 600),
        (
            vec![range(
                "starts",
                Some(Bound::exclusive("10")),
                Some(Bound::inclusive("20")),
            )],
            10,
        ),
        (
            vec![range(
                "installed",
                None,
                Some(Bound::exclusive("2026-01-01 00:01:00+00")),
            )],
            60,
        ),
        (
            vec![
                Condition::equals(of("running"), "f"),
                range("starts", None, Some(Bound::exclusive("5"))),
            ],
            2,
        ),
        (
            vec![Condition::Prefix {
                column: of("external_id"),
                text: "p000".to_owned(),
            }],
            10,
        ),
    ] {
        let found = world
            .select_exactly(table, "external_id", &conditions)
            .await;
        assert_eq!(found.len(), expected, "{conditions:?}");
    }
}

#[tokio::test]
async fn rows_of_sequences_come_back_with_their_columns() {
    let world = World::new();
    let columns = json!([{"externalId": "depth", "valueType": "DOUBLE"}, {"externalId": "rock", "valueType": "STRING"}]);
    world
        .make(
            "/sequences",
            &[
                json!({"externalId": "well", "columns": columns}),
                json!({"externalId": "other", "columns": columns}),
            ],
        )
        .await;
    let rows: Vec<Value> = (0..10_001)
        .map(|number: i64| json!({"rowNumber": number, "values": [number as f64 / 2.0, null]}))
        .collect();
    for chunk in rows.chunks(10_000) {
        world
            .post(
                "/sequences/data",
                json!({"items": [{"externalId": "well",
                  "columns": ["depth", "rock"], "rows": chunk}]}),
            )
            .await;
    }
    world
        .post(
            "/sequences/data",
            json!({"items": [{"externalId": "other", "columns": ["rock"],
              "rows": [{"rowNumber": 3, "values": ["slate"]}]}]}),
        )
        .await;
    let table = table("sequence_rows");
    let of = |name: &str| column(table, name);
    assert_eq!(world.select(table, &[]).await.len(), 10_002);
    let well = Condition::equals(of("external_id"), "well");
    let numbers = Condition::Range {
        column: of("row_number"),
        from: Some(Bound::exclusive("2")),
        to: Some(Bound::exclusive("5")),
    };
    let both = [well.clone(), numbers.clone()];
    assert_eq!(
        world.select_exactly(table, "values", &both).await,
        ["[1.5,null]", "[2.0,null]"]
    );
    assert_eq!(
        world
            .select_exactly(table, "columns", &[numbers])
            .await
            .len(),
        3
    );
    let gone = [Condition::equals(of("external_id"), "gone")];
    assert!(
        world
            .select_exactly(table, "values", &gone)
            .await
            .is_empty()
    );
    let other = [Condition::equals(of("external_id"), "other")];
    let row = &world.select(table, &other).await[0];
    assert_eq!(row[of("columns")].as_deref(), Some("{depth,rock}"));
    assert_eq!(row[of("values")].as_deref(), Some("[null,\"slate\"]"));
}

#[tokio::test]
async fn schemas_and_units_are_read() {
    let world = World::new();
    pumps(&world).await;
    let view = json!({"type": "view", "space": "plant", "externalId": "Pump", "version": "v1"});
    world
        .post(
            "/models/datamodels",
            json!({"items": [{"space": "plant", "externalId": "Plant",
              "version": "1", "views": [view]}]}),
        )
        .await;
    for (name, shown, expected) in [
        ("views", "external_id", "Pump"),
        ("containers", "external_id", "Pump"),
        ("data_models", "version", "1"),
    ] {
        let table = table(name);
        let own = [Condition::equals(column(table, "space"), "plant")];
        assert_eq!(
            world.select_exactly(table, shown, &own).await,
            [expected],
            "{name}"
        );
        let global = world.select(table, &[]).await;
        assert!(
            name == "data_models" || global.len() > 1,
            "{name} of the system are there, too"
        );
    }
    let units = table("units");
    let rows = world.select(units, &[]).await;
    let named = column(units, "external_id");
    let kelvin = rows
        .iter()
        .find(|row| row[named].as_deref() == Some("temperature:k"))
        .expect("it is in the catalogue");
    assert_eq!(
        kelvin[column(units, "alias_names")].as_deref(),
        Some("{kelvin,Kelvin,degK}")
    );
    assert!(!world.select(table("unit_systems"), &[]).await.is_empty());
}
