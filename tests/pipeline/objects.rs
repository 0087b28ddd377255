//! Objects of every kind against the local CDF: made, upserted, changed and deleted.

use crate::plant::{assets, counts, rows, run, set_excluded, table};
use penstock::diagnostic::SqlState;
use penstock::pipeline::Ticket;
use penstock::rows::{Action, RowBatch};
use serde_json::{Value, json};

#[test]
fn an_upsert_of_assets_of_which_half_are_new_takes_two_requests_a_thousand() {
    run(|plant| async move {
        let made = plant.write(assets(&Action::Create, 0..50_000, "old")).await;
        assert_eq!(
            counts(&made),
            [50_000, 0, 0, 0, 0],
            "{:?}",
            made.first_error
        );
        assert_eq!(plant.requests("assets.create").await, 50);
        let upsert = set_excluded(table("assets"), &["name", "description"]);
        // Old and new in turn, so that every request meets both.
        let names: Vec<String> = (0..50_000)
            .flat_map(|number| [number, number + 50_000])
            .map(|number| format!("asset-{number}"))
            .collect();
        let values = names
            .iter()
            .map(|name| vec![Some(name.as_str()), Some(name.as_str()), Some("new")]);
        let columns = ["external_id", "name", "description"];
        let outcome = plant
            .write(rows(table("assets"), &upsert, &columns, values))
            .await;
        assert_eq!(
            counts(&outcome),
            [100_000, 0, 0, 0, 0],
            "{:?}",
            outcome.first_error
        );
        let requests =
            plant.requests("assets.create").await - 50 + plant.requests("assets.update").await;
        assert!(requests <= 220, "{requests} requests");
        for asset in plant
            .by_ids(
                "/assets",
                &["asset-0", "asset-49999", "asset-50000", "asset-99999"],
            )
            .await
        {
            assert_eq!(asset["description"], "new", "{asset}");
        }
    });
}

#[test]
fn an_upsert_of_new_assets_learns_to_make_them_first() {
    run(|plant| async move {
        let upsert = set_excluded(table("assets"), &["name"]);
        let outcome = plant.write(assets(&upsert, 0..20_000, "x")).await;
        assert_eq!(counts(&outcome), [20_000, 0, 0, 0, 0]);
        let requests =
            plant.requests("assets.create").await + plant.requests("assets.update").await;
        assert!(requests <= 28, "{requests} requests");
        let outcome = plant.write(assets(&upsert, 0..20_000, "x")).await;
        assert_eq!(counts(&outcome), [20_000, 0, 0, 0, 0]);
    });
}

#[test]
fn an_update_of_a_hundred_thousand_assets_takes_a_request_a_thousand() {
    run(|plant| async move {
        plant
            .write(assets(&Action::Create, 0..100_000, "old"))
            .await;
        let outcome = plant
            .write(assets(&Action::Update, 0..100_000, "new"))
            .await;
        assert_eq!(counts(&outcome), [100_000, 0, 0, 0, 0]);
        let requests = plant.requests("assets.update").await;
        assert!(requests <= 110, "{requests} requests");
    });
}

#[test]
fn doing_nothing_skips_what_exists_and_an_update_what_does_not() {
    run(|plant| async move {
        plant.write(assets(&Action::Create, 0..10, "old")).await;
        let ticket = Ticket::new();
        let batches = assets(&Action::CreateMissing, 5..15, "new");
        plant.submit(&ticket, batches).await;
        let outcome = ticket.settled().await;
        assert_eq!(counts(&outcome), [5, 5, 0, 0, 0]);
        let mut skipped = ticket.take_skipped();
        skipped.sort_unstable();
        assert_eq!(skipped, [1, 2, 3, 4, 5]);
        assert_eq!(
            plant.by_ids("/assets", &["asset-5"]).await[0]["description"],
            "old"
        );
        let outcome = plant
            .write(assets(&Action::Update, 10..20, "changed"))
            .await;
        assert_eq!(counts(&outcome), [5, 5, 0, 0, 0]);
        assert!(plant.by_ids("/assets", &["asset-19"]).await.is_empty());
    });
}

#[test]
fn an_update_takes_away_what_is_null() {
    run(|plant| async move {
        plant.write(assets(&Action::Create, 0..1, "old")).await;
        let values = [vec![Some("asset-0"), None, Some("renamed")]];
        let columns = ["external_id", "description", "name"];
        let batches = rows(table("assets"), &Action::Update, &columns, values);
        assert_eq!(counts(&plant.write(batches).await), [1, 0, 0, 0, 0]);
        let asset = &plant.by_ids("/assets", &["asset-0"]).await[0];
        assert_eq!(asset["name"], "renamed");
        assert_eq!(asset.get("description"), None);
    });
}

#[test]
fn deleted_assets_are_gone_and_unknown_ones_do_no_harm() {
    run(|plant| async move {
        plant.write(assets(&Action::Create, 0..10, "old")).await;
        let names: Vec<String> = (5..15).map(|number| format!("asset-{number}")).collect();
        let values = names.iter().map(|name| vec![Some(name.as_str())]);
        let batches = rows(table("assets"), &Action::Delete, &["external_id"], values);
        let outcome = plant.write(batches).await;
        assert_eq!(outcome.rejected + outcome.failed + outcome.unknown, 0);
        let left = plant
            .by_ids("/assets", &["asset-4", "asset-5", "asset-9"])
            .await;
        assert_eq!(left.len(), 1);
    });
}

#[test]
fn a_row_that_points_at_nothing_is_blamed_and_the_others_are_written() {
    run(|plant| async move {
        let values = [
            vec![Some("a"), Some("a"), None, None],
            vec![Some("b"), Some("b"), Some("4711"), None],
            vec![Some("c"), Some("c"), None, Some("{no-such-label}")],
            vec![Some("d"), Some("d"), None, None],
        ];
        let columns = ["external_id", "name", "data_set_id", "labels"];
        let batches = rows(table("assets"), &Action::Create, &columns, values);
        let outcome = plant.write(batches).await;
        assert_eq!(counts(&outcome), [2, 0, 2, 0, 0], "{outcome:?}");
        let (row, reason) = outcome.first_error.expect("two rows are refused");
        assert_eq!(row, 2);
        assert_eq!(reason.sqlstate, SqlState::FOREIGN_KEY_VIOLATION);
        assert_eq!(reason.column.as_deref(), Some("data_set_id"));
    });
}

#[test]
fn every_kind_of_object_is_made() {
    run(|plant| async move {
        let one = |name: &str, columns: &[&str], values: Vec<Option<&str>>| {
            rows(table(name), &Action::Create, columns, [values])
        };
        let made = plant
            .write(one(
                "data_sets",
                &["external_id", "name"],
                vec![Some("ds"), Some("Set")],
            ))
            .await;
        assert_eq!(counts(&made), [1, 0, 0, 0, 0], "{made:?}");
        let data_set = plant.by_ids("/datasets", &["ds"]).await[0]["id"].to_string();
        let list = format!("{{{data_set}}}");
        let columns = "[{\"externalId\": \"c1\", \"valueType\": \"DOUBLE\"}, \
                       {\"externalId\": \"c2\", \"valueType\": \"STRING\"}]";
        let cases: Vec<Vec<RowBatch>> = vec![
            one(
                "labels",
                &["external_id", "name", "data_set_id"],
                vec![Some("pump"), Some("Pump"), Some(&list)],
            ),
            one(
                "assets",
                &["external_id", "name", "labels", "metadata", "data_set_id"],
                vec![
                    Some("a"),
                    Some("A"),
                    Some("{pump}"),
                    Some("{\"k\": \"v\"}"),
                    Some(&data_set),
                ],
            ),
            one(
                "events",
                &["external_id", "start_time", "end_time", "type"],
                vec![
                    Some("e"),
                    Some("2026-01-01T00:00:00Z"),
                    Some("2026-01-02T00:00:00Z"),
                    Some("stop"),
                ],
            ),
            one(
                "files",
                &["external_id", "name"],
                vec![Some("f"), Some("f.txt")],
            ),
            one(
                "relationships",
                &[
                    "external_id",
                    "source_external_id",
                    "source_type",
                    "target_external_id",
                    "target_type",
                    "confidence",
                ],
                vec![
                    Some("r"),
                    Some("a"),
                    Some("asset"),
                    Some("e"),
                    Some("event"),
                    Some("0.5"),
                ],
            ),
            one(
                "sequences",
                &["external_id", "columns"],
                vec![Some("q"), Some(columns)],
            ),
            one(
                "extraction_pipelines",
                &["external_id", "name", "data_set_id"],
                vec![Some("x"), Some("X"), Some(&data_set)],
            ),
            one(
                "extraction_pipeline_runs",
                &["external_id", "status", "message"],
                vec![Some("x"), Some("success"), Some("done")],
            ),
        ];
        for batches in cases {
            let name = match &batches[0] {
                RowBatch::Objects(batch) => batch.table.name,
                _ => "",
            };
            let outcome = plant.write(batches).await;
            assert_eq!(counts(&outcome), [1, 0, 0, 0, 0], "{name}: {outcome:?}");
        }
        let asset = &plant.by_ids("/assets", &["a"]).await[0];
        assert_eq!(asset["labels"], json!([{"externalId": "pump"}]));
        assert_eq!(asset["metadata"], json!({"k": "v"}));
        let label = &plant.by_ids("/labels", &["pump"]).await[0];
        assert_eq!(label["dataSetId"].to_string(), data_set);
    });
}

#[test]
fn rows_of_sequences_are_written_by_lists_and_by_names_and_cells_merge() {
    run(|plant| async move {
        let columns = "[{\"externalId\": \"c1\", \"valueType\": \"DOUBLE\"}, \
                       {\"externalId\": \"c2\", \"valueType\": \"STRING\"}]";
        let values = [
            vec![Some("q"), Some(columns)],
            vec![Some("p"), Some(columns)],
        ];
        let made = rows(
            table("sequences"),
            &Action::Create,
            &["external_id", "columns"],
            values,
        );
        assert_eq!(counts(&plant.write(made).await), [2, 0, 0, 0, 0]);
        let columns = ["values", "external_id", "row_number", "columns"];
        let values = [
            vec![Some("[1, \"a\"]"), Some("q"), Some("1"), Some("{c1,c2}")],
            vec![Some("[2.5]"), Some("q"), Some("2"), Some("{c1}")],
            vec![Some("{\"c2\": \"b\"}"), Some("q"), Some("2"), None],
            vec![Some("{\"c1\": 7}"), Some("p"), Some("1"), None],
            vec![Some("{\"c1\": 7}"), Some("none"), Some("1"), None],
        ];
        let batches = rows(table("sequence_rows"), &Action::Create, &columns, values);
        let outcome = plant.write(batches).await;
        assert_eq!(counts(&outcome), [4, 0, 1, 0, 0], "{outcome:?}");
        assert_eq!(outcome.first_error.map(|(row, _)| row), Some(5));
        let page = plant
            .post(
                "/sequences/data/list",
                json!({"externalId": "q", "columns": ["c1", "c2"], "limit": 10}),
            )
            .await;
        let cells: Vec<Value> = page["rows"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| row["values"].clone())
            .collect();
        assert_eq!(cells, [json!([1, "a"]), json!([2.5, "b"])]);
    });
}

#[test]
fn what_cdf_made_of_rows_is_told_where_it_is_wanted() {
    run(|plant| async move {
        let ticket = Ticket::wanting_objects();
        plant
            .submit(&ticket, assets(&Action::Create, 0..3, "new"))
            .await;
        assert_eq!(counts(&ticket.settled().await), [3, 0, 0, 0, 0]);
        let mut returned = ticket.take_returned();
        returned.sort_by_key(|(row, _)| *row);
        let names: Vec<String> = returned
            .iter()
            .map(|(row, object)| {
                let object: Value = serde_json::from_str(object.get()).expect("it is JSON");
                assert!(object["id"].as_i64().is_some_and(|id| id > 0), "{object}");
                format!("{row}: {}", object["externalId"])
            })
            .collect();
        assert_eq!(
            names,
            ["1: \"asset-0\"", "2: \"asset-1\"", "3: \"asset-2\""]
        );
    });
}
