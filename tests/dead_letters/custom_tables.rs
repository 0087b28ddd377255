//! Letters of tables that users define are rows again as long as the table is there.

use super::letters::{Directory, letter};
use penstock::catalog::{CustomTables, Definition, custom_table, publish_custom_tables};
use penstock::dead_letters::{DeadLetterSettings, DeadLetterStore, LetterFilter, rebuild};
use penstock::rows::{ObjectValues, RowBatch};
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
