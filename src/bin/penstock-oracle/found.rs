//! What the CDF holds at the end, read by plain HTTP and JSON.
//!
//! Owns the reading back. Promises to read every point, row and series that is there, also
//! those that nobody sent. Never uses the gateway's own code for CDF: that is what is judged.

use crate::ledger::{Key, Version};
use crate::payload;
use crate::plant::{PROJECT, Plant};
use crate::statement::RAW_DATABASE;
use anyhow::Context;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Items of a page, by CDF's limits: points and RAW rows, and everything else.
const ROWS_PER_PAGE: usize = 10_000;
const ITEMS_PER_PAGE: usize = 1_000;

/// A value by its key: its version, or `None` if it is no version of that key.
pub type Found = HashMap<Key, Option<Version>>;

/// Reads everything.
pub async fn read(plant: &Plant) -> anyhow::Result<Found> {
    let mut found = Found::new();
    for series in pages(plant, "timeseries/list", ITEMS_PER_PAGE).await? {
        let name = series["externalId"]
            .as_str()
            .context("a series has a name")?;
        let is_string = series["isString"].as_bool().unwrap_or(false);
        if name.contains("-made") {
            found.insert(Key::Series(name.into()), Some(1));
        }
        read_points(plant, &mut found, name, is_string).await?;
    }
    let tables = get_pages(
        plant,
        &format!("raw/dbs/{RAW_DATABASE}/tables"),
        ITEMS_PER_PAGE,
    )
    .await?;
    for table in tables {
        let table = table["name"].as_str().context("a table has a name")?;
        let table: Arc<str> = table.into();
        let path = format!("raw/dbs/{RAW_DATABASE}/tables/{table}/rows");
        for row in get_pages(plant, &path, ROWS_PER_PAGE).await? {
            let key = row["key"].as_str().context("a row has a key")?;
            let key = Key::Raw(table.clone(), key.into());
            let version = payload::version_of_columns(&key, &row["columns"]);
            found.insert(key, version);
        }
    }
    Ok(found)
}

async fn read_points(
    plant: &Plant,
    found: &mut Found,
    series: &str,
    is_string: bool,
) -> anyhow::Result<()> {
    let series: Arc<str> = series.into();
    let mut start = 0;
    loop {
        let answer = post(
            plant,
            "timeseries/data/list",
            json!({"items": [{"externalId": &*series}], "start": start,
                   "end": 4_000_000_000_000_i64, "limit": ROWS_PER_PAGE}),
        )
        .await?;
        let points = answer["items"][0]["datapoints"]
            .as_array()
            .context("a list of points")?;
        for point in points {
            let time = point["timestamp"].as_i64().context("a point has a time")?;
            start = time + 1;
            let value = &point["value"];
            let (key, version) = if is_string {
                let key = Key::Text(series.clone(), time);
                let version = value
                    .as_str()
                    .and_then(|text| payload::version_of_text(&key, text));
                (key, version)
            } else {
                let key = Key::Number(series.clone(), time);
                let version = value
                    .as_f64()
                    .and_then(|number| payload::version_of_number(&key, number));
                (key, version)
            };
            found.insert(key, version);
        }
        if points.len() < ROWS_PER_PAGE {
            return Ok(());
        }
    }
}

/// All items of a list that is asked by POST.
async fn pages(plant: &Plant, path: &str, limit: usize) -> anyhow::Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut question = json!({"limit": limit});
    loop {
        let mut answer = post(plant, path, question.clone()).await?;
        items.append(answer["items"].as_array_mut().context("items")?);
        match answer.get("nextCursor").filter(|cursor| !cursor.is_null()) {
            Some(cursor) => question["cursor"] = cursor.clone(),
            None => return Ok(items),
        }
    }
}

/// All items of a list that is asked by GET.
async fn get_pages(plant: &Plant, path: &str, limit: usize) -> anyhow::Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let mut url = reqwest::Url::parse(&url(plant, path))?;
        url.query_pairs_mut()
            .append_pair("limit", &limit.to_string());
        if !cursor.is_empty() {
            url.query_pairs_mut().append_pair("cursor", &cursor);
        }
        let request = plant.http.get(url).header("authorization", "Bearer oracle");
        let answer = request.send().await?;
        if answer.status() == 404 {
            // Nothing was ever written there.
            return Ok(items);
        }
        let mut answer: Value = serde_json::from_str(&answer.error_for_status()?.text().await?)?;
        items.append(answer["items"].as_array_mut().context("items")?);
        match answer["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return Ok(items),
        }
    }
}

async fn post(plant: &Plant, path: &str, question: Value) -> anyhow::Result<Value> {
    let answer = plant
        .http
        .post(url(plant, path))
        .header("authorization", "Bearer oracle")
        .header("content-type", "application/json")
        .body(question.to_string())
        .send()
        .await?;
    let text = answer.error_for_status()?.text().await?;
    Ok(serde_json::from_str(&text)?)
}

/// Makes series in the CDF, before anyone writes points to them.
pub async fn make_series(plant: &Plant, series: &[(String, bool)]) -> anyhow::Result<()> {
    for part in series.chunks(ITEMS_PER_PAGE) {
        let items: Vec<Value> = part
            .iter()
            .map(|(name, is_string)| json!({"externalId": name, "isString": is_string}))
            .collect();
        post(plant, "timeseries", json!({ "items": items })).await?;
    }
    Ok(())
}

fn url(plant: &Plant, path: &str) -> String {
    format!("{}/api/v1/projects/{PROJECT}/{path}", plant.cdf_url)
}
