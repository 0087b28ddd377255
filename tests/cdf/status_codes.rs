//! Statuses of datapoints, as the tables take them and as the local CDF does.
//!
//! Owns the comparison. Promises two sides that share neither the table of names nor the rules.

use super::attempts::{client, identity};
use penstock::catalog;
use penstock::emulator::{EmulatorOptions, start};
use penstock::rows::value::ValueSettings;
use penstock::rows::{AnyBuilder, BatchBounds, RowBatch, RowBuilder, WireFormat, status_symbol};
use serde_json::{Value, json};

/// The code that the table makes of the fields, if it takes them.
fn taken(fields: &[(&str, &str)]) -> Option<u32> {
    let table = catalog::CDF_DOUBLE_DATAPOINTS;
    let columns: Vec<usize> = (0..table.columns.len()).collect();
    let bounds = BatchBounds {
        rows: 1,
        bytes: 1 << 10,
    };
    let mut builder = AnyBuilder::new(table, &columns, ValueSettings::default(), bounds);
    let point = [("value", "1"), ("timestamp", "1970-01-01"), ("id", "1")];
    for (name, value) in point.iter().chain(fields) {
        let column = table.column_index(name).expect("the column exists");
        builder
            .field(column, WireFormat::Text, value.as_bytes())
            .ok()?;
    }
    builder.finish_row(1).ok()?;
    match builder.take().pop() {
        Some(RowBatch::Datapoints(batch)) => Some(batch.status(0).code),
        other => panic!("a point was built: {other:?}"),
    }
}

/// Codes of all categories, of numbers between them, and with flags of all kinds.
fn codes() -> Vec<i64> {
    let mut codes: Vec<i64> = (0..=0x0450).map(|upper| upper << 16).collect();
    codes.extend((0x4000..0x4220).map(|upper: i64| upper << 16));
    codes.extend((0x8000..0x8130).map(|upper: i64| upper << 16));
    codes.extend([0xc000_0000, 0xffff_0000, 1 << 32, -1, i64::MAX]);
    for category in [0, 0x4000_0000, 0x8000_0000, 0x809b_0000] {
        codes.extend((0..16).map(|bit| category | 1 << bit));
        codes.extend((0..16).map(|bit| category | 0x400 | 1 << bit));
        codes.extend((0..4).map(|low| category | 0x400 | low));
        codes.extend([0x700, 0xc400, 0x5ff, 0x69c].map(|low| category | low));
    }
    codes
}

#[tokio::test]
async fn the_table_takes_the_codes_and_symbols_that_the_local_cdf_takes() {
    let emulator = start(EmulatorOptions::default()).expect("the emulator starts");
    client()
        .create_series(&identity(&emulator.base_url()), &["s"], false)
        .await
        .expect("the series is made");
    let url = format!(
        "{}/api/v1/projects/my%20plant/timeseries/data",
        emulator.base_url()
    );
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .expect("the HTTP client starts");
    let accepts = |status: Value| {
        let body = json!({"items": [{"externalId": "s", "datapoints": [
            {"timestamp": 0, "value": 1.0, "status": status}
        ]}]});
        let request = http
            .post(&url)
            .bearer_auth("fixed")
            .header("content-type", "application/json")
            .body(body.to_string());
        async { request.send().await.expect("it answers").status().as_u16() }
    };
    for code in codes() {
        let ours = taken(&[("status_code", &code.to_string())]);
        let theirs = accepts(json!({"code": code})).await;
        assert_eq!(ours.is_some(), theirs == 200, "{code:#x}: {theirs}");
        let Some(code) = ours else {
            continue;
        };
        let symbol = status_symbol(code);
        let by_symbol = taken(&[("status_symbol", &symbol)]);
        // Where the bit that announces flags stands alone, no symbol says so.
        let announces_nothing = code & 0x7ff == 0x400;
        let told = match announces_nothing {
            true => code & !0x400,
            false => code,
        };
        assert_eq!(by_symbol, Some(told), "{symbol}");
        let theirs = accepts(json!({"code": told, "symbol": symbol})).await;
        assert_eq!(theirs, 200, "{symbol} is {told:#x}");
    }
    for symbol in [
        "Mediocre",
        "bad",
        "Bad, Low, High",
        "Bad Low",
        "Low",
        "Good, Good",
    ] {
        let ours = taken(&[("status_symbol", symbol)]);
        let theirs = accepts(json!({"symbol": symbol})).await;
        assert_eq!(ours.is_some(), theirs == 200, "{symbol}: {theirs}");
    }
}
