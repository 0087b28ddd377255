//! Encoded, sent over HTTP to the local CDF, and read back.
//!
//! Owns the tests of the whole client. Promises that nothing is shared between the two sides:
//! the emulator reads with decoders of its own.

use super::attempts::{client, identity};
use super::batches::{doubles, external_id, range, raw_rows, raw_tables, strings};
use penstock::catalog::Resource;
use penstock::cdf::{
    AttemptFailure, CdfClient, Credentials, DatapointDigest, EncodedRequest, Identity, Operation,
    RawDigest, Reference, Secret, encode,
};
use penstock::config::BatchSettings;
use penstock::diagnostic::SqlState;
use penstock::emulator::{ClientCredentials, EmulatorHandle, EmulatorOptions, start};
use penstock::rows::{RowBatch, SeriesReference};
use serde_json::json;
use std::time::SystemTime;

const FIRST_MS: i64 = 1_763_769_600_000;

fn emulator() -> (EmulatorHandle, Identity) {
    let emulator = start(EmulatorOptions::default()).expect("the emulator starts");
    let identity = identity(&emulator.base_url());
    (emulator, identity)
}

fn request(resource: Resource, batch: &RowBatch, gzip_bytes_min: usize) -> EncodedRequest {
    let settings = BatchSettings {
        gzip_bytes_min,
        ..BatchSettings::default()
    };
    encode(Operation::writing(resource), &[range(batch)], &settings).expect("the rows are right")
}

async fn order_fault(identity: &Identity, rule: serde_json::Value) {
    let url = format!("{}/_emulator/faults", identity.project.base_url);
    let answer = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .expect("the HTTP client starts")
        .post(url)
        .body(json!([rule]).to_string())
        .send()
        .await
        .expect("the emulator answers");
    assert_eq!(answer.status().as_u16(), 200);
}

#[tokio::test]
async fn doubles_come_back_to_the_last_bit_compressed_or_not() {
    let client = client();
    let (_emulator, identity) = emulator();
    // Not -0.0: the local CDF's answers are written by prost, which leaves it out as it
    // leaves out 0.0.
    let values = [
        0.0,
        0.1,
        -1e99,
        f64::MIN_POSITIVE,
        5e-324,
        1.0 / 3.0,
        123_456_789.123_456_79,
    ];
    client
        .create_series(&identity, &["plain", "gzip"], false)
        .await
        .expect("the series are made");
    for (name, gzip_bytes_min) in [("plain", 0), ("gzip", 1)] {
        let rows: Vec<_> = (0..10_000)
            .map(|row: usize| {
                let value = values[row % values.len()];
                (external_id(name), FIRST_MS + row as i64, value)
            })
            .collect();
        let mut expected = DatapointDigest::default();
        for (_, timestamp_ms, value) in &rows {
            expected.add(*timestamp_ms, *value);
        }
        let request = request(Resource::Datapoints, &doubles(&rows), gzip_bytes_min);
        assert_eq!(client.send(&identity, &request).await, Ok(()));
        let found = client
            .digest_datapoints(&identity, name, FIRST_MS..FIRST_MS + 10_000)
            .await
            .expect("the points are read");
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test]
async fn more_points_than_a_page_holds_are_all_read() {
    let client = client();
    let (_emulator, identity) = emulator();
    client
        .create_series(&identity, &["long"], false)
        .await
        .expect("the series is made");
    let mut expected = DatapointDigest::default();
    for part in 0..3 {
        let rows: Vec<_> = (0..70_000)
            .map(|row| {
                let timestamp_ms = FIRST_MS + part * 70_000 + row;
                (external_id("long"), timestamp_ms, row as f64 / 7.0)
            })
            .collect();
        for (_, timestamp_ms, value) in &rows {
            expected.add(*timestamp_ms, *value);
        }
        let request = request(Resource::Datapoints, &doubles(&rows), 0);
        assert_eq!(client.send(&identity, &request).await, Ok(()));
    }
    let found = client
        .digest_datapoints(&identity, "long", FIRST_MS..FIRST_MS + 1_000_000)
        .await
        .expect("the points are read");
    assert_eq!(found.points, 210_000);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn strings_and_times_before_1970_come_back() {
    let client = client();
    let (_emulator, identity) = emulator();
    client
        .create_series(&identity, &["états"], true)
        .await
        .expect("the series is made");
    let rows: Vec<(SeriesReference, i64, String)> = [
        (-2_208_988_800_000, ""),
        (-1, "ein \"Wort\"\n"),
        (0, "null"),
        (FIRST_MS, "火"),
        (4_102_444_799_999, "\u{1f600}"),
    ]
    .into_iter()
    .map(|(timestamp_ms, value)| (external_id("états"), timestamp_ms, value.to_owned()))
    .collect();
    let request = request(Resource::Datapoints, &strings(&rows), 0);
    assert_eq!(client.send(&identity, &request).await, Ok(()));
    let mut found = Vec::new();
    client
        .read_strings(
            &identity,
            "états",
            -2_208_988_800_000..4_102_444_800_000,
            |timestamp_ms, value| {
                found.push((external_id("états"), timestamp_ms, value.to_owned()));
            },
        )
        .await
        .expect("the points are read");
    assert_eq!(found, rows);
}

#[tokio::test]
async fn raw_rows_come_back_from_tables_with_odd_names() {
    let client = client();
    let (_emulator, identity) = emulator();
    let rows: Vec<(String, String)> = (0..2_500)
        .map(|row| {
            let key = format!("key/{row} \"ø\"");
            let columns = json!({"number": row, "text": "a\\b\n", "list": [1, null, {}]});
            (key, columns.to_string())
        })
        .collect();
    let mut expected = RawDigest::default();
    for (key, columns) in &rows {
        let columns = serde_json::from_str(columns).expect("the columns are JSON");
        expected.add(key, &columns);
    }
    let batch = raw_rows("my db", "t/1?x=%2F", &rows);
    let request = request(Resource::RawRows, &batch, 1);
    assert_eq!(client.send(&identity, &request).await, Ok(()));
    let found = client
        .digest_raw_rows(&identity, "my db", "t/1?x=%2F")
        .await
        .expect("the rows are read");
    assert_eq!(found, expected);
}

#[tokio::test]
async fn points_of_missing_series_are_refused_by_name() {
    let client = client();
    let (_emulator, identity) = emulator();
    client
        .create_series(&identity, &["here"], false)
        .await
        .expect("the series is made");
    let batch = doubles(&[
        (external_id("here"), FIRST_MS, 1.0),
        (external_id("gone"), FIRST_MS, 1.0),
        (SeriesReference::Id(4_711), FIRST_MS, 1.0),
    ]);
    let failure = client
        .send(&identity, &request(Resource::Datapoints, &batch, 0))
        .await
        .expect_err("two series do not exist");
    let AttemptFailure::Split {
        missing, reason, ..
    } = failure
    else {
        panic!("{failure:?}");
    };
    assert_eq!(missing.len(), 2);
    assert!(missing.contains(&Reference::ExternalId("gone".into())));
    assert!(missing.contains(&Reference::Id(4_711)));
    assert_eq!(reason.sqlstate, SqlState::FOREIGN_KEY_VIOLATION);
    let detail = reason.detail.unwrap_or_default();
    assert!(detail.contains("x-request-id"), "{detail}");
}

#[tokio::test]
async fn points_of_the_wrong_type_are_42804() {
    let client = client();
    let (_emulator, identity) = emulator();
    client
        .create_series(&identity, &["words"], true)
        .await
        .expect("the series is made");
    let batch = doubles(&[(external_id("words"), FIRST_MS, 1.0)]);
    let failure = client
        .send(&identity, &request(Resource::Datapoints, &batch, 0))
        .await
        .expect_err("the series holds strings");
    assert_eq!(failure.class(), "split");
    assert_eq!(failure.reason().sqlstate, SqlState::DATATYPE_MISMATCH);
}

#[tokio::test]
async fn a_series_is_looked_up_by_both_its_names() {
    let client = client();
    let (_emulator, identity) = emulator();
    client
        .create_series(&identity, &["pump", "valve"], true)
        .await
        .expect("the series are made");
    let by_name = client
        .lookup_series(&identity, &[external_id("pump"), external_id("gone")])
        .await
        .expect("CDF answers");
    assert_eq!(by_name.len(), 1);
    assert!(by_name[0].is_string);
    let by_id = client
        .lookup_series(&identity, &[SeriesReference::Id(by_name[0].id)])
        .await
        .expect("CDF answers");
    assert_eq!(by_id, by_name);
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_settled_as_ours() {
    let client = client();
    let (_emulator, identity) = emulator();
    let fault = json!({"kind": "reset_after_commit", "path_contains": "/timeseries", "count": 1});
    order_fault(&identity, fault).await;
    let request = super::attempts::time_series(Some("pump"));
    let first_sent = SystemTime::now();
    let failure = client
        .send(&identity, &request)
        .await
        .expect_err("the answer was lost");
    let AttemptFailure::Retry { answered, .. } = failure else {
        panic!("{failure:?}");
    };
    assert!(!answered);
    let failure = client
        .send(&identity, &request)
        .await
        .expect_err("the series exists by now");
    let AttemptFailure::Split { duplicated, .. } = failure else {
        panic!("{failure:?}");
    };
    let settled = client
        .settle_creates(
            &identity,
            Operation::Create(Resource::TimeSeries),
            &duplicated,
            first_sent,
        )
        .await
        .expect("CDF answers");
    assert_eq!(settled.ours, [Reference::ExternalId("pump".into())]);
    assert!(settled.theirs.is_empty());
}

#[tokio::test]
async fn making_what_exists_is_a_conflict_and_making_the_rest_is_not() {
    let client = client();
    let (_emulator, identity) = emulator();
    client
        .create_series(&identity, &["a", "b"], false)
        .await
        .expect("the series are made");
    client
        .create_series(&identity, &["b", "c", "a"], false)
        .await
        .expect("one of three is new");
    let found = client
        .lookup_series(
            &identity,
            &[external_id("a"), external_id("b"), external_id("c")],
        )
        .await
        .expect("CDF answers");
    assert_eq!(found.len(), 3);
}

#[tokio::test]
async fn raw_tables_are_made_with_their_database() {
    let client = client();
    let (_emulator, identity) = emulator();
    let batch = raw_tables(&[("new db", "one"), ("new db", "two")]);
    let request = request(Resource::RawTables, &batch, 0);
    assert_eq!(client.send(&identity, &request).await, Ok(()));
    let empty = client
        .digest_raw_rows(&identity, "new db", "two")
        .await
        .expect("the table exists");
    assert_eq!(empty, RawDigest::default());
}

#[tokio::test]
async fn a_token_is_fetched_and_an_expired_one_renewed() {
    let emulator = start(EmulatorOptions {
        accept_any_token: false,
        clients: vec![ClientCredentials {
            client_id: "writer".to_owned(),
            client_secret: "s=cr&t".to_owned(),
        }],
        ..EmulatorOptions::default()
    })
    .expect("the emulator starts");
    let signing_in = |secret: &str| Identity {
        credentials: Credentials::ClientCredentials {
            token_url: emulator.token_url(),
            client_id: "writer".to_owned(),
            client_secret: Secret::new(secret),
            scope: "any".to_owned(),
            audience: String::new(),
        },
        ..identity(&emulator.base_url())
    };
    let client: CdfClient = client();
    let right = signing_in("s=cr&t");
    client
        .create_series(&right, &["pump"], false)
        .await
        .expect("the secret is right");
    order_fault(&right, json!({"kind": "expire_token", "count": 1})).await;
    let found = client
        .lookup_series(&right, &[external_id("pump")])
        .await
        .expect("the token is renewed");
    assert_eq!(found.len(), 1);
    let failure = client
        .lookup_series(&signing_in("wrong"), &[external_id("pump")])
        .await
        .expect_err("the secret is wrong");
    assert_eq!(failure.class(), "stop");
    assert_eq!(
        failure.reason().sqlstate,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
}
