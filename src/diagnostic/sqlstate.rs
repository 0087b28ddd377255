//! The SQLSTATEs that Penstock answers with, by PostgreSQL's condition names.
//!
//! Owns the list. Promises that a code stands here once, with the name that PostgreSQL's
//! documentation (appendix A) gives it. Never invents a code.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// SQLSTATEs of PostgreSQL's own that are remembered, at most. PostgreSQL has some 260; only
/// functions that clients write can RAISE others.
const FOREIGN_MAX: usize = 1000;

/// SQLSTATEs that PostgreSQL itself answered with and that are not in the list.
static FOREIGN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A five-character SQLSTATE.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState(&'static str);

impl SqlState {
    /// The five characters.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// The SQLSTATE that a PostgreSQL answered with; XX000 for what is none.
    pub fn of_postgresql(code: &str) -> Self {
        let is_code = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
        if code.len() != 5 || !code.bytes().all(is_code) {
            return SqlState::INTERNAL_ERROR;
        }
        if let Some(known) = KNOWN.iter().find(|known| known.0 == code) {
            return *known;
        }
        let mut foreign = FOREIGN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = foreign.get(code) {
            return SqlState(known);
        }
        if foreign.len() >= FOREIGN_MAX {
            return SqlState::INTERNAL_ERROR;
        }
        let remembered: &'static str = Box::leak(code.to_owned().into_boxed_str());
        foreign.insert(remembered);
        SqlState(remembered)
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

macro_rules! sqlstates {
    ($($name:ident = $code:literal),* $(,)?) => {
        impl SqlState {
            $(pub const $name: SqlState = SqlState($code);)*
        }

        /// Every one of the list.
        const KNOWN: &[SqlState] = &[$(SqlState::$name),*];
    };
}

sqlstates! {
    SUCCESSFUL_COMPLETION = "00000",
    WARNING = "01000",
    CONNECTION_EXCEPTION = "08000",
    CONNECTION_DOES_NOT_EXIST = "08003",
    CONNECTION_FAILURE = "08006",
    PROTOCOL_VIOLATION = "08P01",
    FEATURE_NOT_SUPPORTED = "0A000",
    CARDINALITY_VIOLATION = "21000",
    STRING_DATA_RIGHT_TRUNCATION = "22001",
    NUMERIC_VALUE_OUT_OF_RANGE = "22003",
    NULL_VALUE_NOT_ALLOWED = "22004",
    INVALID_DATETIME_FORMAT = "22007",
    DATETIME_FIELD_OVERFLOW = "22008",
    INVALID_TIME_ZONE_DISPLACEMENT_VALUE = "22009",
    DIVISION_BY_ZERO = "22012",
    CHARACTER_NOT_IN_REPERTOIRE = "22021",
    INVALID_PARAMETER_VALUE = "22023",
    INVALID_TEXT_REPRESENTATION = "22P02",
    INVALID_BINARY_REPRESENTATION = "22P03",
    BAD_COPY_FILE_FORMAT = "22P04",
    NOT_NULL_VIOLATION = "23502",
    FOREIGN_KEY_VIOLATION = "23503",
    UNIQUE_VIOLATION = "23505",
    CHECK_VIOLATION = "23514",
    ACTIVE_SQL_TRANSACTION = "25001",
    READ_ONLY_SQL_TRANSACTION = "25006",
    NO_ACTIVE_SQL_TRANSACTION = "25P01",
    IN_FAILED_SQL_TRANSACTION = "25P02",
    IDLE_IN_TRANSACTION_SESSION_TIMEOUT = "25P03",
    TRANSACTION_TIMEOUT = "25P04",
    INVALID_SQL_STATEMENT_NAME = "26000",
    INVALID_AUTHORIZATION_SPECIFICATION = "28000",
    INVALID_PASSWORD = "28P01",
    INVALID_CURSOR_NAME = "34000",
    INVALID_CATALOG_NAME = "3D000",
    INVALID_SAVEPOINT_SPECIFICATION = "3B001",
    INVALID_SCHEMA_NAME = "3F000",
    STATEMENT_COMPLETION_UNKNOWN = "40003",
    INSUFFICIENT_PRIVILEGE = "42501",
    SYNTAX_ERROR = "42601",
    INVALID_NAME = "42602",
    DUPLICATE_COLUMN = "42701",
    UNDEFINED_COLUMN = "42703",
    UNDEFINED_OBJECT = "42704",
    DATATYPE_MISMATCH = "42804",
    CANNOT_COERCE = "42846",
    UNDEFINED_FUNCTION = "42883",
    INDETERMINATE_DATATYPE = "42P18",
    UNDEFINED_TABLE = "42P01",
    UNDEFINED_PARAMETER = "42P02",
    DUPLICATE_CURSOR = "42P03",
    DUPLICATE_PREPARED_STATEMENT = "42P05",
    INVALID_COLUMN_REFERENCE = "42P10",
    GENERATED_ALWAYS = "428C9",
    INSUFFICIENT_RESOURCES = "53000",
    DISK_FULL = "53100",
    OUT_OF_MEMORY = "53200",
    TOO_MANY_CONNECTIONS = "53300",
    CONFIGURATION_LIMIT_EXCEEDED = "53400",
    PROGRAM_LIMIT_EXCEEDED = "54000",
    OBJECT_NOT_IN_PREREQUISITE_STATE = "55000",
    CANT_CHANGE_RUNTIME_PARAM = "55P02",
    QUERY_CANCELED = "57014",
    ADMIN_SHUTDOWN = "57P01",
    CANNOT_CONNECT_NOW = "57P03",
    IDLE_SESSION_TIMEOUT = "57P05",
    SYSTEM_ERROR = "58000",
    IO_ERROR = "58030",
    FDW_ERROR = "HV000",
    INTERNAL_ERROR = "XX000",
    DATA_CORRUPTED = "XX001",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_postgresql_are_known_or_remembered() {
        assert_eq!(SqlState::of_postgresql("42P01"), SqlState::UNDEFINED_TABLE);
        let once = SqlState::of_postgresql("22012");
        assert_eq!(once.code(), "22012");
        assert_eq!(SqlState::of_postgresql("22012"), once);
        for none in ["", "4200", "42p01", "420000", "42\n01"] {
            assert_eq!(SqlState::of_postgresql(none), SqlState::INTERNAL_ERROR);
        }
    }
}
