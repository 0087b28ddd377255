//! The messages of a datapoint insert, as prost reads them.
//!
//! Owns the published definitions that the tests of the encoder judge by. Values are optional, so
//! that one that is left out is told from zero.

use penstock::rows::SeriesReference;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct InsertionRequest {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<InsertionItem>,
}

#[derive(Clone, PartialEq, Message)]
pub struct InsertionItem {
    #[prost(oneof = "ItemReference", tags = "1, 2, 5")]
    pub reference: Option<ItemReference>,
    #[prost(oneof = "ItemPoints", tags = "3, 4")]
    pub points: Option<ItemPoints>,
}

#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum ItemReference {
    #[prost(int64, tag = "1")]
    Id(i64),
    #[prost(string, tag = "2")]
    ExternalId(String),
    #[prost(message, tag = "5")]
    InstanceId(InstanceId),
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct InstanceId {
    #[prost(string, tag = "1")]
    pub space: String,
    #[prost(string, tag = "2")]
    pub external_id: String,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum ItemPoints {
    #[prost(message, tag = "3")]
    Numeric(NumericDatapoints),
    #[prost(message, tag = "4")]
    Strings(StringDatapoints),
}

#[derive(Clone, PartialEq, Message)]
pub struct NumericDatapoints {
    #[prost(message, repeated, tag = "1")]
    pub datapoints: Vec<NumericDatapoint>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NumericDatapoint {
    #[prost(int64, tag = "1")]
    pub timestamp: i64,
    // Optional, so that a value that is left out is told from zero.
    #[prost(double, optional, tag = "2")]
    pub value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    pub status: Option<Status>,
    #[prost(bool, tag = "4")]
    pub null_value: bool,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Status {
    #[prost(int64, tag = "1")]
    pub code: i64,
    #[prost(string, tag = "2")]
    pub symbol: String,
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
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
    #[prost(message, optional, tag = "3")]
    pub status: Option<Status>,
    #[prost(bool, tag = "4")]
    pub null_value: bool,
}

pub fn item_reference(reference: &SeriesReference) -> ItemReference {
    match reference {
        SeriesReference::Id(id) => ItemReference::Id(*id),
        SeriesReference::ExternalId(external_id) => {
            ItemReference::ExternalId(external_id.to_string())
        }
        SeriesReference::InstanceId(instance) => ItemReference::InstanceId(InstanceId {
            space: instance.space.to_string(),
            external_id: instance.external_id.to_string(),
        }),
    }
}
