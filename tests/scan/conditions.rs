//! From a statement to rows: what it needs is read, and nothing is missing.

use super::world::{ROWS_MAX, World, column, table};
use penstock::rows::value::ValueSettings;
use penstock::scan::Scan;
use penstock::scan::conditions::{BoundStatement, Parameter};
use serde_json::{Value, json};

#[tokio::test]
async fn a_statement_reads_the_rows_that_it_needs() {
    let world = World::new();
    let assets: Vec<Value> = (0..50)
        .map(|number| json!({"externalId": format!("a{number}"), "name": format!("n{}", number % 5)}))
        .collect();
    world.make("/assets", &assets).await;
    let settings = ValueSettings::default();
    let assets = table("assets");
    let name = [Parameter {
        type_oid: 25,
        text: Some("n3".to_owned()),
    }];
    for (sql, read) in [
        ("SELECT * FROM assets WHERE name = $1", 10),
        ("SELECT * FROM assets WHERE name = $1 LIMIT 4", 4),
        (
            "SELECT * FROM assets WHERE name = $1 ORDER BY id LIMIT 4",
            10,
        ),
        (
            "SELECT * FROM assets WHERE name = $1 AND upper(name) = 'N3' LIMIT 4",
            10,
        ),
        (
            "SELECT * FROM assets WHERE name = $1 OR external_id = 'a1'",
            50,
        ),
        (
            "SELECT * FROM assets WHERE external_id IN ('a1', 'a2', 'b')",
            2,
        ),
        ("SELECT * FROM assets WHERE external_id LIKE 'a4%'", 11),
        (
            "SELECT count(*) FROM assets a JOIN labels l ON a.name = l.name AND a.name = 'n0'",
            10,
        ),
    ] {
        let statement = BoundStatement {
            sql,
            parameters: &name,
            settings: &settings,
        };
        let needed = statement.needs(assets, "public", "assets");
        let scan = Scan {
            conditions: needed.conditions,
            limit: needed.limit,
            ..Scan::of(assets, ROWS_MAX)
        };
        let rows = world.scan(&scan).await.expect("it is read");
        assert_eq!(rows.len(), read, "{sql}: {}", scan.plan());
    }
}

#[tokio::test]
async fn a_plan_says_what_is_asked_and_what_is_not() {
    let settings = ValueSettings::default();
    let statement = BoundStatement {
        sql: "SELECT * FROM assets WHERE name = 'a' AND description = 'b'",
        parameters: &[],
        settings: &settings,
    };
    let assets = table("assets");
    let needed = statement.needs(assets, "public", "assets");
    let scan = Scan {
        conditions: needed.conditions,
        ..Scan::of(assets, ROWS_MAX)
    };
    assert_eq!(
        scan.plan().to_string(),
        "CDF Scan on assets: POST /assets/list\n  CDF Filter: {\"name\":\"a\"}\n  \
         Filter, after reading: description = 'b'\n  Page Size: 1000\n  Partitions: 4"
    );
    assert_eq!(column(assets, "name"), scan.conditions[0].column());
}
