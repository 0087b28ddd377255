//! The protobuf messages as a client writes them, by prost, from the published numbers.

#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<Item>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Item {
    #[prost(int64, optional, tag = "1")]
    pub id: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub external_id: Option<String>,
    #[prost(message, optional, tag = "3")]
    pub numeric: Option<NumericList>,
    #[prost(message, optional, tag = "4")]
    pub text: Option<TextList>,
    #[prost(message, optional, tag = "5")]
    pub instance_id: Option<Instance>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Instance {
    #[prost(string, tag = "1")]
    pub space: String,
    #[prost(string, tag = "2")]
    pub external_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct NumericList {
    #[prost(message, repeated, tag = "1")]
    pub points: Vec<Numeric>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Numeric {
    #[prost(int64, tag = "1")]
    pub timestamp: i64,
    #[prost(double, tag = "2")]
    pub value: f64,
    #[prost(message, optional, tag = "3")]
    pub status: Option<Status>,
    #[prost(bool, tag = "4")]
    pub null_value: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TextList {
    #[prost(message, repeated, tag = "1")]
    pub points: Vec<Text>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Text {
    #[prost(int64, tag = "1")]
    pub timestamp: i64,
    #[prost(string, tag = "2")]
    pub value: String,
    #[prost(message, optional, tag = "3")]
    pub status: Option<Status>,
    #[prost(bool, tag = "4")]
    pub null_value: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    #[prost(int64, tag = "1")]
    pub code: i64,
    #[prost(string, tag = "2")]
    pub symbol: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ListResponse {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<ListItem>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ListItem {
    #[prost(int64, tag = "1")]
    pub id: i64,
    #[prost(string, tag = "2")]
    pub external_id: String,
    #[prost(message, optional, tag = "3")]
    pub numeric: Option<NumericList>,
    #[prost(message, optional, tag = "4")]
    pub text: Option<TextList>,
    #[prost(bool, tag = "6")]
    pub is_string: bool,
    #[prost(string, tag = "9")]
    pub next_cursor: String,
    #[prost(int32, tag = "12")]
    pub kind: i32,
}

/// The points of one series, by external id.
pub fn numeric_item(external_id: &str, points: impl IntoIterator<Item = (i64, f64)>) -> Item {
    let points = points.into_iter().map(|(timestamp, value)| Numeric {
        timestamp,
        value,
        ..Numeric::default()
    });
    Item {
        external_id: Some(external_id.to_owned()),
        numeric: Some(NumericList {
            points: points.collect(),
        }),
        ..Item::default()
    }
}

/// The same for strings.
pub fn text_item(external_id: &str, points: impl IntoIterator<Item = (i64, String)>) -> Item {
    let points = points.into_iter().map(|(timestamp, value)| Text {
        timestamp,
        value,
        ..Text::default()
    });
    Item {
        external_id: Some(external_id.to_owned()),
        text: Some(TextList {
            points: points.collect(),
        }),
        ..Item::default()
    }
}
