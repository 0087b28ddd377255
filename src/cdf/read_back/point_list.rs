//! `DataPointListResponse`: a page of datapoints in protobuf.
//!
//! Owns the messages of `com.cognite.v1.timeseries.proto` that a read of raw points needs, by
//! derive: the hand-written encoder of inserts shares nothing with them. Never writes one.

use prost::Message;

#[derive(Message)]
pub struct DataPointListResponse {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<DataPointListItem>,
}

#[derive(Message)]
pub struct DataPointListItem {
    #[prost(int64, tag = "1")]
    pub id: i64,
    #[prost(string, tag = "2")]
    pub external_id: String,
    #[prost(message, optional, tag = "3")]
    pub numeric: Option<NumericDatapoints>,
    #[prost(message, optional, tag = "4")]
    pub strings: Option<StringDatapoints>,
    #[prost(bool, tag = "6")]
    pub is_string: bool,
    #[prost(string, tag = "9")]
    pub next_cursor: String,
    #[prost(message, optional, tag = "11")]
    pub instance_id: Option<InstanceId>,
}

#[derive(Message)]
pub struct InstanceId {
    #[prost(string, tag = "1")]
    pub space: String,
    #[prost(string, tag = "2")]
    pub external_id: String,
}

/// What CDF says of a point's quality; left out where it is Good.
#[derive(Message)]
pub struct Status {
    #[prost(int64, tag = "1")]
    pub code: i64,
    #[prost(string, tag = "2")]
    pub symbol: String,
}

#[derive(Message)]
pub struct NumericDatapoints {
    #[prost(message, repeated, tag = "1")]
    pub datapoints: Vec<NumericDatapoint>,
}

#[derive(Message)]
pub struct NumericDatapoint {
    #[prost(int64, tag = "1")]
    pub timestamp: i64,
    #[prost(double, tag = "2")]
    pub value: f64,
    #[prost(message, optional, tag = "3")]
    pub status: Option<Status>,
    /// The point has no value, which only a Bad one may.
    #[prost(bool, tag = "4")]
    pub null_value: bool,
}

#[derive(Message)]
pub struct StringDatapoints {
    #[prost(message, repeated, tag = "1")]
    pub datapoints: Vec<StringDatapoint>,
}

#[derive(Message)]
pub struct StringDatapoint {
    #[prost(int64, tag = "1")]
    pub timestamp: i64,
    #[prost(string, tag = "2")]
    pub value: String,
    #[prost(message, optional, tag = "3")]
    pub status: Option<Status>,
    /// The point has no value, which only a Bad one may.
    #[prost(bool, tag = "4")]
    pub null_value: bool,
}
