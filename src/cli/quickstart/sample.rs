//! The sample of the quickstart: a plant's pumps, one reading a second, and a work-order list.
//!
//! Owns the generator. Promises the same rows at every start, each computable from its index
//! alone, so that what is read back can be compared with what was sent. Never stores rows.

use std::io::Write;

/// 2026-01-01 00:00:00 UTC.
const FIRST_TIMESTAMP_MS: i64 = 1_767_225_600_000;

/// One reading a second.
const STEP_MS: i64 = 1_000;

/// What a sensor measures: name, mean, swing, unit.
const MEASURES: [(&str, f64, f64, &str); 5] = [
    ("discharge-pressure", 6.4, 0.8, "bar"),
    ("suction-pressure", 1.2, 0.2, "bar"),
    ("flow", 118.0, 14.0, "m3/h"),
    ("motor-current", 41.5, 3.5, "A"),
    ("bearing-temperature", 63.0, 6.0, "°C"),
];

const STATES: [&str; 4] = ["planned", "released", "in progress", "done"];

/// RAW database of the sample.
pub const RAW_DATABASE: &str = "maintenance";

/// RAW table of the sample.
pub const RAW_TABLE: &str = "work_orders";

/// How much is made.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub series: usize,
    pub points_per_series: usize,
    pub raw_rows: usize,
}

impl Default for Sample {
    /// A million datapoints over a thousand series and a hundred thousand RAW rows.
    fn default() -> Self {
        Sample {
            series: 1_000,
            points_per_series: 1_000,
            raw_rows: 100_000,
        }
    }
}

/// Metadata of a sample series.
pub struct SampleSeries {
    pub external_id: String,
    pub name: String,
    pub unit: &'static str,
}

impl Sample {
    pub fn datapoints(&self) -> usize {
        self.series * self.points_per_series
    }

    /// Series `index`: five measures a pump.
    pub fn series(&self, index: usize) -> SampleSeries {
        let pump = index / MEASURES.len() + 1;
        let (measure, _, _, unit) = MEASURES[index % MEASURES.len()];
        SampleSeries {
            external_id: format!("pump-{pump:04}:{measure}"),
            name: format!("Pump {pump} {}", measure.replace('-', " ")),
            unit,
        }
    }

    /// Milliseconds since 1970 of point `point` of every series.
    pub fn timestamp_ms(&self, point: usize) -> i64 {
        FIRST_TIMESTAMP_MS + point as i64 * STEP_MS
    }

    /// Value of point `point` of series `series`: a slow swing with noise, three decimals.
    pub fn value(&self, series: usize, point: usize) -> f64 {
        let (_, mean, swing, _) = MEASURES[series % MEASURES.len()];
        let phase = (point as f64 / 300.0 + series as f64) * std::f64::consts::TAU / 6.0;
        let noise = (scramble((series * self.points_per_series + point) as u64) % 2001) as f64
            / 1000.0
            - 1.0;
        ((mean + swing * phase.sin() + swing * 0.1 * noise) * 1000.0).round() / 1000.0
    }

    /// Appends the COPY text lines of all series at point `point`, as a historian would
    /// send them: `external_id`, `timestamp`, `value`.
    pub fn write_points(&self, external_ids: &[String], point: usize, buffer: &mut Vec<u8>) {
        let timestamp = jiff::Timestamp::from_millisecond(self.timestamp_ms(point))
            .map(|timestamp| timestamp.strftime("%Y-%m-%d %H:%M:%S+00").to_string())
            .unwrap_or_default();
        for (series, external_id) in external_ids.iter().enumerate() {
            let value = self.value(series, point);
            // Writing into a Vec cannot fail.
            let _ = writeln!(buffer, "{external_id}\t{timestamp}\t{value}");
        }
    }

    /// Key of RAW row `row`.
    pub fn raw_key(&self, row: usize) -> String {
        format!("WO-{:07}", row + 1)
    }

    /// Columns of RAW row `row`.
    pub fn raw_columns(&self, row: usize) -> serde_json::Value {
        let dice = scramble(row as u64);
        serde_json::json!({
            "pump": format!("pump-{:04}", dice % 200 + 1),
            "state": STATES[(dice / 200 % STATES.len() as u64) as usize],
            "hours": (dice % 400) as f64 / 10.0,
            "note": format!("seal \"{}\" checked\tby shift {}", dice % 97, dice % 3 + 1),
        })
    }

    /// Appends the COPY text line of RAW row `row`: database, table, key, columns.
    pub fn write_raw_row(&self, row: usize, buffer: &mut Vec<u8>) {
        // COPY text needs backslashes doubled; the JSON has no raw tab or newline.
        let columns = self.raw_columns(row).to_string().replace('\\', "\\\\");
        let key = self.raw_key(row);
        // Writing into a Vec cannot fail.
        let _ = writeln!(buffer, "{RAW_DATABASE}\t{RAW_TABLE}\t{key}\t{columns}");
    }
}

/// A well-mixed number for an index (the finalizer of MurmurHash3).
fn scramble(index: u64) -> u64 {
    let mut hash = index.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_has_an_external_id_of_its_own() {
        let sample = Sample::default();
        let ids: std::collections::HashSet<String> = (0..sample.series)
            .map(|index| sample.series(index).external_id)
            .collect();
        assert_eq!(ids.len(), sample.series);
    }

    #[test]
    fn a_raw_line_survives_copy_and_json_unescaping() {
        let sample = Sample::default();
        let mut line = Vec::new();
        sample.write_raw_row(7, &mut line);
        let line = String::from_utf8(line).expect("the sample is UTF-8");
        let columns = line.trim_end().split('\t').nth(3).expect("four fields");
        let columns: serde_json::Value =
            serde_json::from_str(&columns.replace("\\\\", "\\")).expect("valid JSON");
        assert_eq!(columns, sample.raw_columns(7));
    }
}
