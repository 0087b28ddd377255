//! Sums over what was written, to compare with sums over what was sent.
//!
//! Owns the checksums. Promises that they do not depend on the order in which points or rows
//! come, and that a point or row that comes twice shows. Never reads anything itself.

/// How many numeric points a series holds, and a sum over them that does not depend on their
/// order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatapointDigest {
    pub points: u64,
    pub checksum: u64,
}

impl DatapointDigest {
    pub fn add(&mut self, timestamp_ms: i64, value: f64) {
        self.points += 1;
        let point = mix(timestamp_ms as u64).wrapping_add(value.to_bits());
        self.checksum = self.checksum.wrapping_add(mix(point));
    }
}

/// How many rows a RAW table holds, and a sum over keys and columns that depends neither on
/// the order of rows nor on how the JSON is spaced. The order of fields does count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawDigest {
    pub rows: u64,
    pub checksum: u64,
}

impl RawDigest {
    /// `columns` is the row's JSON object.
    pub fn add(&mut self, key: &str, columns: &serde_json::Value) {
        self.rows += 1;
        let mut row = 0;
        for byte in key.bytes().chain([0]).chain(columns.to_string().bytes()) {
            row = mix(row ^ u64::from(byte));
        }
        self.checksum = self.checksum.wrapping_add(row);
    }
}

/// splitmix64's finalizer: every bit of the input moves about half of the output's.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
