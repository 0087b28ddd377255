//! The options of COPY FROM STDIN, as PostgreSQL 18 defines them.
//!
//! Owns the options after parsing, with PostgreSQL's defaults per format. Promises that
//! combinations that PostgreSQL refuses never get here. Never decodes a row.

/// The layout of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

/// What the first line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyHeader {
    /// Data.
    Absent,
    /// Column names, not looked at.
    Skipped,
    /// Column names that must match the column list.
    Matched,
}

/// The encoding of text and CSV data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyEncoding {
    Utf8,
    Latin1,
}

/// What happens at a value that a column does not take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// The COPY fails.
    #[default]
    Stop,
    /// The COPY goes on without the row.
    Ignore {
        /// The COPY fails at one more than so many rows.
        reject_limit: Option<u64>,
    },
}

/// What the client is told of rows that were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogVerbosity {
    Silent,
    /// How many there were.
    #[default]
    Default,
    /// Each of them, too.
    Verbose,
}

/// Options of one COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    pub format: CopyFormat,
    pub delimiter: u8,
    /// The spelling of NULL: `\N` for text, empty for CSV.
    pub null: Vec<u8>,
    /// The spelling of a column's default. Text and CSV only.
    pub default: Option<Vec<u8>>,
    pub header: CopyHeader,
    /// CSV only.
    pub quote: u8,
    /// CSV only.
    pub escape: u8,
    /// Per column of the column list: a quoted NULL spelling is NULL, too. CSV only.
    pub force_null: Vec<bool>,
    /// Per column of the column list: the NULL spelling is an ordinary value. CSV only.
    pub force_not_null: Vec<bool>,
    pub encoding: CopyEncoding,
    /// Text and CSV only.
    pub on_error: OnError,
    pub log_verbosity: LogVerbosity,
}
