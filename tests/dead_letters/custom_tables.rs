//! Letters of tables that users define are rows again as long as the table is there.

use super::letters::{Directory, letter};
use penstock::catalog::{self, CustomTables, Definition, custom_table, publish_custom_tables};
use penstock::dead_letters::{DeadLetterSettings, DeadLetterStore, LetterFilter, rebuild};
use penstock::rows::{Action, ObjectValues, RawAction, RowBatch};
use serde_json::json;
use std::collections::HashMap;

#[tokio::test]
async fn a_letter_of_a_views_table_is_its_row_again_while_its_user_has_the_table() {
    let definition = json!({
        "type": "nodes", "tablename": "pumps",
        "options": {"space": "plant", "externalId": "Pump", "version": "v1"},
        "columns": {"power": {"type": "REAL"}, "tags": {"type": "TEXT[]"}}
    });
    let definition = Definition::from_json(&definition).expect("sound");
    let table = custom_table(&definition).expect("a table");
    let directory = Directory::new();
    let settings = DeadLetterSettings::default();
    let store = DeadLetterStore::open(directory.path(), &settings).expect("it opens");
    let mut refused = letter("unused", "22023");
    refused.table = table;
    refused.row.columns = vec!["space", "external_id", "power", "tags"];
    let values = ["plant", "p1", "0.1", "[\"a\",\"b\"]"];
    refused.row.values = values.map(|value| Some(value.to_owned())).into();
    store.add(vec![refused]).await.expect("stored");
    let letters = store.page(LetterFilter::default(), 0, 1).await;
    let letter = letters.expect("readable").pop().expect("a letter");

    let tables = CustomTables::new([table]);
    publish_custom_tables(HashMap::from([("writer".to_owned(), tables)]));
    let (again, batch) = rebuild(&letter).expect("the row");
    assert!(std::ptr::eq(again, table));
    let RowBatch::Objects(batch) = batch else {
        panic!("instances are objects");
    };
    let power = batch.columns.iter().find(|column| column.column == 2);
    let power = power.map(|column| column.values.clone());
    assert_eq!(power, Some(ObjectValues::Double(vec![0.1])));

    publish_custom_tables(HashMap::new());
    let gone = rebuild(&letter).expect_err("the table is gone");
    assert_eq!(gone.sqlstate.code(), "42P01");
}

#[tokio::test]
async fn a_letter_does_what_its_row_did() {
    let directory = Directory::new();
    let settings = DeadLetterSettings::default();
    let store = DeadLetterStore::open(directory.path(), &settings).expect("it opens");
    let destination = ["_raw_database", "_raw_table"];
    for action in RawAction::ALL {
        let mut refused = letter("unused", "22023");
        refused.table = catalog::RAW_ROWS;
        let (mut columns, mut values) = (destination.to_vec(), vec!["plant", "t"]);
        if action != RawAction::Empty {
            columns.push("_raw_key");
            values.push("k");
        }
        let written = match action {
            RawAction::Delete | RawAction::DeleteFound | RawAction::Empty => "",
            RawAction::Upsert => "{\"set\":{\"a\":1},\"remove\":[\"b\"],\"make\":{\"a\":1}}",
            RawAction::Merge => "{\"set\":{\"a\":1},\"remove\":[\"b\"]}",
            _ => "{\"a\":1}",
        };
        if !written.is_empty() {
            columns.push("_raw_columns");
            values.push(written);
        }
        refused.row.columns = columns;
        refused.row.values = values
            .iter()
            .map(|value| Some((*value).to_owned()))
            .collect();
        refused.row.action = action.name();
        let text = refused.row.clone();
        store.add(vec![refused]).await.expect("stored");
        let letters = store.page(LetterFilter::default(), 0, 100).await;
        let mut kept = letters.expect("readable").pop().expect("a letter");
        let (_, batch) = rebuild(&kept).expect("the row");
        let RowBatch::RawRows(raw) = &batch else {
            panic!("a RAW row");
        };
        assert_eq!(raw.action, action);
        assert_eq!(batch.row_text(0), text);
        if action == RawAction::Merge {
            kept.values[3] = Some("{\"a\":1}".to_owned());
            let refusal = rebuild(&kept).expect_err("no changes of cells");
            assert_eq!(refusal.sqlstate.code(), "22023");
            kept.action = "unheard of".to_owned();
            let refusal = rebuild(&kept).expect_err("of a later version");
            assert_eq!(refusal.sqlstate.code(), "0A000");
        }
    }
    // An asset that was to be deleted is not made.
    let mut refused = letter("unused", "22023");
    refused.table = catalog::table(None, "assets").expect("the table exists");
    refused.row.columns = vec!["external_id"];
    refused.row.values = vec![Some("a".to_owned())];
    refused.row.action = "delete";
    store.add(vec![refused]).await.expect("stored");
    let letters = store.page(LetterFilter::default(), 0, 100).await;
    let kept = letters.expect("readable").pop().expect("a letter");
    match rebuild(&kept).expect("the row") {
        (_, RowBatch::Objects(batch)) => assert_eq!(batch.action, Action::Delete),
        other => panic!("an object: {other:?}"),
    }
}
