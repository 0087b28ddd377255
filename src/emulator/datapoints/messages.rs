//! The protobuf messages of the datapoint endpoints.
//!
//! Package `com.cognite.v1.timeseries.proto`; the tags are the wire contract. Owns the
//! messages that are served; aggregates and state datapoints are known only as far as to
//! refuse them.

use prost::{Message, Oneof};

/// Body of an insert.
#[derive(Clone, PartialEq, Message)]
pub struct DataPointInsertionRequest {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<DataPointInsertionItem>,
}

/// The points of one series.
#[derive(Clone, PartialEq, Message)]
pub struct DataPointInsertionItem {
    #[prost(oneof = "ItemReference", tags = "1, 2, 5")]
    pub reference: Option<ItemReference>,
    #[prost(oneof = "InsertedPoints", tags = "3, 4, 6")]
    pub points: Option<InsertedPoints>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum ItemReference {
    #[prost(int64, tag = "1")]
    Id(i64),
    #[prost(string, tag = "2")]
    ExternalId(String),
    #[prost(message, tag = "5")]
    InstanceId(InstanceIdMessage),
}

#[derive(Clone, PartialEq, Oneof)]
pub enum InsertedPoints {
    #[prost(message, tag = "3")]
    Numeric(NumericDatapoints),
    #[prost(message, tag = "4")]
    Text(StringDatapoints),
    /// State datapoints, undecoded.
    #[prost(bytes, tag = "6")]
    State(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
pub struct InstanceIdMessage {
    #[prost(string, tag = "1")]
    pub space: String,
    #[prost(string, tag = "2")]
    pub external_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct NumericDatapoints {
    #[prost(message, repeated, tag = "1")]
    pub datapoints: Vec<NumericDatapoint>,
}

/// A number. The value is optional here because prost would leave out `-0.0` as it leaves
/// out `0.0`; on the wire, where only the latter is left out, there is no difference.
#[derive(Clone, PartialEq, Message)]
pub struct NumericDatapoint {
    #[prost(int64, tag = "1")]
    pub timestamp: i64,
    #[prost(double, optional, tag = "2")]
    pub value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    pub status: Option<StatusMessage>,
    #[prost(bool, tag = "4")]
    pub null_value: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct StringDatapoints {
    #[prost(message, repeated, tag = "1")]
    pub datapoints: Vec<StringDatapoint>,
}

#[derive(Clone, PartialEq, Message)]
pub struct StringDatapoint {
    #[prost(int64, tag = "1")]
    pub timestamp: i64,
    #[prost(string, tag = "2")]
    pub value: String,
    #[prost(message, optional, tag = "3")]
    pub status: Option<StatusMessage>,
    #[prost(bool, tag = "4")]
    pub null_value: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct StatusMessage {
    #[prost(int64, tag = "1")]
    pub code: i64,
    #[prost(string, tag = "2")]
    pub symbol: String,
}

/// Answer of a list.
#[derive(Clone, PartialEq, Message)]
pub struct DataPointListResponse {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<DataPointListItem>,
}

/// The points of one series. `r#type` is 1 for numeric, 2 for string.
#[derive(Clone, PartialEq, Message)]
pub struct DataPointListItem {
    #[prost(int64, tag = "1")]
    pub id: i64,
    #[prost(string, tag = "2")]
    pub external_id: String,
    #[prost(oneof = "ListedPoints", tags = "3, 4")]
    pub points: Option<ListedPoints>,
    #[prost(bool, tag = "6")]
    pub is_string: bool,
    #[prost(bool, tag = "7")]
    pub is_step: bool,
    #[prost(string, tag = "8")]
    pub unit: String,
    #[prost(string, tag = "9")]
    pub next_cursor: String,
    #[prost(string, tag = "10")]
    pub unit_external_id: String,
    #[prost(message, optional, tag = "11")]
    pub instance_id: Option<InstanceIdMessage>,
    #[prost(int32, tag = "12")]
    pub r#type: i32,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum ListedPoints {
    #[prost(message, tag = "3")]
    Numeric(NumericDatapoints),
    #[prost(message, tag = "4")]
    Text(StringDatapoints),
}
