//! A column: its name, its PostgreSQL type, and the CDF field behind it.
//!
//! Owns the column types of the gateway's tables and what PostgreSQL says of them (OID,
//! typmod, size). Promises OIDs of PostgreSQL's built-in types. Never parses a value.

/// The PostgreSQL type of a column. Names and lengths as in Cognite's gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    Bool,
    BigInt,
    DoublePrecision,
    /// Kept as the double with the same shortest decimal form: CDF's JSON knows no reals.
    Real,
    Text,
    /// `VARCHAR(n)`, n in characters; 0 is `VARCHAR` without a length.
    Varchar(u16),
    /// Stored as milliseconds since 1970-01-01 UTC, which is CDF's resolution.
    TimestampTz,
    Json,
    /// Stored in PostgreSQL's hexadecimal text form, as JSON has no bytes.
    Bytea,
    BoolArray,
    BigIntArray,
    DoublePrecisionArray,
    RealArray,
    TextArray,
    /// `VARCHAR[]`, without a length.
    VarcharArray,
    JsonArray,
}

impl ColumnType {
    /// OID of the type in PostgreSQL's `pg_type`.
    pub fn oid(self) -> u32 {
        match self {
            ColumnType::Bool => 16,
            ColumnType::BigInt => 20,
            ColumnType::DoublePrecision => 701,
            ColumnType::Real => 700,
            ColumnType::Text => 25,
            ColumnType::Varchar(_) => 1043,
            ColumnType::TimestampTz => 1184,
            ColumnType::Json => 114,
            ColumnType::Bytea => 17,
            ColumnType::BoolArray => 1000,
            ColumnType::BigIntArray => 1016,
            ColumnType::DoublePrecisionArray => 1022,
            ColumnType::RealArray => 1021,
            ColumnType::TextArray => 1009,
            ColumnType::VarcharArray => 1015,
            ColumnType::JsonArray => 199,
        }
    }

    /// `atttypmod`: length + 4 for `VARCHAR(n)`, -1 otherwise.
    pub fn type_modifier(self) -> i32 {
        match self {
            ColumnType::Varchar(length) if length > 0 => i32::from(length) + 4,
            _ => -1,
        }
    }

    /// `typlen`: bytes of a fixed-size type, -1 for the others.
    pub fn type_size(self) -> i16 {
        match self {
            ColumnType::Bool => 1,
            ColumnType::Real => 4,
            ColumnType::BigInt | ColumnType::DoublePrecision | ColumnType::TimestampTz => 8,
            _ => -1,
        }
    }

    /// The name that PostgreSQL uses in messages, without the length.
    pub fn sql_name(self) -> &'static str {
        match self {
            ColumnType::Bool => "boolean",
            ColumnType::BigInt => "bigint",
            ColumnType::DoublePrecision => "double precision",
            ColumnType::Real => "real",
            ColumnType::Text => "text",
            ColumnType::Varchar(_) => "character varying",
            ColumnType::TimestampTz => "timestamp with time zone",
            ColumnType::Json => "json",
            ColumnType::Bytea => "bytea",
            ColumnType::BoolArray => "boolean[]",
            ColumnType::BigIntArray => "bigint[]",
            ColumnType::DoublePrecisionArray => "double precision[]",
            ColumnType::RealArray => "real[]",
            ColumnType::TextArray => "text[]",
            ColumnType::VarcharArray => "character varying[]",
            ColumnType::JsonArray => "json[]",
        }
    }

    /// Whether values are lists.
    pub fn is_array(self) -> bool {
        self.element().is_some()
    }

    /// The type of a list's elements.
    pub fn element(self) -> Option<ColumnType> {
        match self {
            ColumnType::BoolArray => Some(ColumnType::Bool),
            ColumnType::BigIntArray => Some(ColumnType::BigInt),
            ColumnType::DoublePrecisionArray => Some(ColumnType::DoublePrecision),
            ColumnType::RealArray => Some(ColumnType::Real),
            ColumnType::TextArray => Some(ColumnType::Text),
            ColumnType::VarcharArray => Some(ColumnType::Varchar(0)),
            ColumnType::JsonArray => Some(ColumnType::Json),
            ColumnType::Bool
            | ColumnType::BigInt
            | ColumnType::DoublePrecision
            | ColumnType::Real
            | ColumnType::Text
            | ColumnType::Varchar(_)
            | ColumnType::TimestampTz
            | ColumnType::Json
            | ColumnType::Bytea => None,
        }
    }
}

/// Whether a client may write a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Sent to CDF when the client gives a value.
    Writable,
    /// The same when the row is made; CDF never changes it afterwards: an UPDATE is 0A000.
    CreateOnly,
    /// Made by CDF: a write is 428C9.
    ReadOnly,
}

/// What CDF asks of a value beyond its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueRule {
    /// Nothing.
    AsTyped,
    /// At least one character.
    NotEmpty,
    /// CDF's ids, alone or in an array: 1 to 2^53 - 1.
    Identifier,
    /// A JSON object of strings: at most 256 pairs, keys of 128 bytes, values of so many, and
    /// `bytes_max` in all.
    Metadata { value_bytes_max: u32 },
    /// Anything but a negative number.
    NotNegative,
    /// A number from 0 to 1.
    UnitInterval,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A JSON object.
    JsonObject,
    /// JSON of one of CDF's forms.
    Form(JsonForm),
    /// A path that begins with a slash.
    AbsolutePath,
    /// `On trigger`, `Continuous` or a cron expression.
    Schedule,
}

/// JSON whose inside CDF looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonForm {
    /// A feature of GeoJSON, in two dimensions.
    GeoLocation,
    /// The columns of a sequence.
    SequenceColumns,
    /// Objects with `dbName` and `tableName`.
    RawTables,
    /// People with their addresses.
    Contacts,
    /// When somebody is to be told that a pipeline is silent.
    NotificationConfig,
}

/// How a value stands in CDF's JSON where its type does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonShape {
    /// As the type is: a number, a string, a list of them, JSON as it is.
    AsTyped,
    /// A list of names becomes a list of objects: `[{"externalId": "a"}]`.
    ExternalIds,
    /// A list of one becomes that one.
    Single,
}

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub column_type: ColumnType,
    /// The field of CDF's JSON that holds the value.
    pub field: &'static str,
    pub access: Access,
    /// A row without a value for it is 23502, unless it is read-only.
    pub required: bool,
    /// Most UTF-8 bytes that CDF takes, where CDF counts bytes; 0: no such bound.
    pub bytes_max: u32,
    /// Most elements of a list that CDF takes; 0: no such bound.
    pub elements_max: u32,
    /// CDF takes each element of a list once.
    pub is_distinct: bool,
    /// CDF makes no object with an empty list: it is left out.
    pub empty_is_none: bool,
    pub rule: ValueRule,
    pub shape: JsonShape,
    /// CDF can take the value away again: an UPDATE may set NULL.
    pub clearable: bool,
    /// What it means, where no field of CDF says it; empty: a field does.
    pub meaning: &'static str,
}

impl Column {
    /// A writable column that may be left out.
    pub const fn optional(
        name: &'static str,
        column_type: ColumnType,
        field: &'static str,
    ) -> Self {
        Column {
            name,
            column_type,
            field,
            access: Access::Writable,
            required: false,
            bytes_max: 0,
            elements_max: 0,
            is_distinct: false,
            empty_is_none: false,
            rule: ValueRule::AsTyped,
            shape: JsonShape::AsTyped,
            clearable: true,
            meaning: "",
        }
    }

    /// A writable column that every row needs.
    pub const fn required(
        name: &'static str,
        column_type: ColumnType,
        field: &'static str,
    ) -> Self {
        Column {
            required: true,
            clearable: false,
            ..Self::optional(name, column_type, field)
        }
    }

    /// `metadata`, which nearly every resource has: values of up to `value_bytes_max` bytes,
    /// `bytes_max` bytes in all.
    pub const fn metadata(value_bytes_max: u32, bytes_max: u32) -> Self {
        Column {
            bytes_max,
            ..Self::optional("metadata", ColumnType::Json, "metadata")
                .with_rule(ValueRule::Metadata { value_bytes_max })
        }
    }

    /// `data_set_id`, a reference to a data set.
    pub const fn data_set_id() -> Self {
        Self::optional("data_set_id", ColumnType::BigInt, "dataSetId")
            .with_rule(ValueRule::Identifier)
    }

    /// `labels`: external ids of up to 10 labels, each once.
    pub const fn labels() -> Self {
        Column {
            elements_max: 10,
            is_distinct: true,
            shape: JsonShape::ExternalIds,
            ..Self::optional("labels", ColumnType::TextArray, "labels")
        }
    }

    /// `geo_location`: a feature of GeoJSON.
    pub const fn geo_location() -> Self {
        Self::optional("geo_location", ColumnType::Json, "geoLocation")
            .with_rule(ValueRule::Form(JsonForm::GeoLocation))
    }

    /// `created_time`, made by CDF.
    pub const fn created_time() -> Self {
        Self::read_only("created_time", ColumnType::TimestampTz, "createdTime")
    }

    /// `last_updated_time`, made by CDF.
    pub const fn last_updated_time() -> Self {
        Self::read_only(
            "last_updated_time",
            ColumnType::TimestampTz,
            "lastUpdatedTime",
        )
    }

    /// The column with a rule of CDF's for its values.
    pub const fn with_rule(self, rule: ValueRule) -> Self {
        Column { rule, ..self }
    }

    /// The column with a bound on the UTF-8 bytes of its values.
    pub const fn with_bytes_max(self, bytes_max: u32) -> Self {
        Column { bytes_max, ..self }
    }

    /// The column with a bound on the elements of its lists.
    pub const fn with_elements_max(self, elements_max: u32) -> Self {
        Column {
            elements_max,
            ..self
        }
    }

    /// The column, whose lists name each element once.
    pub const fn distinct(self) -> Self {
        Column {
            is_distinct: true,
            ..self
        }
    }

    /// The column, whose lists are left out where they are empty and the object is made.
    pub const fn empty_is_none(self) -> Self {
        Column {
            empty_is_none: true,
            ..self
        }
    }

    /// The column, which no UPDATE changes.
    pub const fn create_only(self) -> Self {
        Column {
            access: Access::CreateOnly,
            ..self
        }
    }

    /// The column, which CDF never empties once it has a value.
    pub const fn not_clearable(self) -> Self {
        Column {
            clearable: false,
            ..self
        }
    }

    /// Whether a client may give it a value in an INSERT or a COPY.
    pub fn is_writable(&self) -> bool {
        self.access != Access::ReadOnly
    }

    /// A column of the gateway's own state.
    pub const fn state(name: &'static str, column_type: ColumnType, meaning: &'static str) -> Self {
        Column {
            meaning,
            ..Self::read_only(name, column_type, "")
        }
    }

    /// A column that CDF fills.
    pub const fn read_only(
        name: &'static str,
        column_type: ColumnType,
        field: &'static str,
    ) -> Self {
        Column {
            access: Access::ReadOnly,
            ..Self::optional(name, column_type, field)
        }
    }
}
