//! From a method and a path to an operation.
//!
//! Owns the table of endpoints and the names of operations, which faults, statistics and
//! the request log use. The path is split **before** percent decoding, so that a name
//! with a slash (`t%2F1`) stays one segment. Never looks at a body.

use super::access::{self, AccessOperation};
use super::answer::Refusal;
use super::data_modeling::{self, DataModelingOperation};
use super::identity::{TENANT, TokenVersion};
use super::objects::{self, ObjectOperation};
use super::query::percent_decode;
use super::units::{self, UnitOperation};
use axum::http::Method;
use serde::Serialize;

/// One operation of the API; the figures and faults of the emulator are kept per operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    TokenIssue,
    TokenInspect,
    IdentityKeys,
    IdentityConfiguration,
    TimeSeriesCreate,
    TimeSeriesList,
    TimeSeriesByIds,
    TimeSeriesUpdate,
    TimeSeriesDelete,
    DatapointsInsert,
    DatapointsList,
    DatapointsLatest,
    DatapointsDelete,
    /// A call on assets, events and their kind.
    Objects(ObjectOperation),
    RawDatabasesCreate,
    RawDatabasesList,
    RawDatabasesDelete,
    RawTablesCreate,
    RawTablesList,
    RawTablesDelete,
    RawRowsInsert,
    RawRowsList,
    RawRowsGet,
    RawRowsDelete,
    RawCursorsList,
    DataModeling(DataModelingOperation),
    Units(UnitOperation),
    /// A call on groups or sessions.
    Access(AccessOperation),
    /// A path that no endpoint answers.
    Unknown,
}

impl Operation {
    /// The name, `resource.verb`; the part before the first dot is the API that budgets
    /// are counted for.
    pub fn name(self) -> &'static str {
        match self {
            Self::TokenIssue => "token.issue",
            Self::TokenInspect => "token.inspect",
            Self::IdentityKeys => "identity.keys",
            Self::IdentityConfiguration => "identity.configuration",
            Self::TimeSeriesCreate => "time_series.create",
            Self::TimeSeriesList => "time_series.list",
            Self::TimeSeriesByIds => "time_series.byids",
            Self::TimeSeriesUpdate => "time_series.update",
            Self::TimeSeriesDelete => "time_series.delete",
            Self::DatapointsInsert => "datapoints.insert",
            Self::DatapointsList => "datapoints.list",
            Self::DatapointsLatest => "datapoints.latest",
            Self::DatapointsDelete => "datapoints.delete",
            Self::Objects(operation) => operation.name(),
            Self::RawDatabasesCreate => "raw.databases.create",
            Self::RawDatabasesList => "raw.databases.list",
            Self::RawDatabasesDelete => "raw.databases.delete",
            Self::RawTablesCreate => "raw.tables.create",
            Self::RawTablesList => "raw.tables.list",
            Self::RawTablesDelete => "raw.tables.delete",
            Self::RawRowsInsert => "raw.rows.insert",
            Self::RawRowsList => "raw.rows.list",
            Self::RawRowsGet => "raw.rows.get",
            Self::RawRowsDelete => "raw.rows.delete",
            Self::RawCursorsList => "raw.cursors.list",
            Self::DataModeling(operation) => operation.name(),
            Self::Units(operation) => operation.name(),
            Self::Access(operation) => operation.name(),
            Self::Unknown => "unknown",
        }
    }
}

impl Serialize for Operation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The names that a path carries, decoded. Empty where the path has none.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PathNames {
    pub project: String,
    pub database: String,
    pub table: String,
    /// The key of a RAW row, the name of a unit or the id of an object.
    pub key: String,
    /// The tenant of the identity provider.
    pub tenant: String,
    /// The form of the tokens that are asked for.
    pub version: TokenVersion,
}

/// Finds the operation of a request; an unknown path is a 404, a known one with another
/// method a 405.
pub fn resolve(method: &Method, path: &str) -> Result<(Operation, PathNames), Refusal> {
    let mut names = PathNames::default();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let operation = match segments.as_slice() {
        ["oauth2", "token"] => {
            names.tenant = TENANT.to_owned();
            pick(method, path, None, Some(Operation::TokenIssue))?
        }
        ["api", "v1", "token", "inspect"] => {
            pick(method, path, Some(Operation::TokenInspect), None)?
        }
        ["upload", project, id] if *method == Method::PUT => {
            names.project = percent_decode(project)?;
            names.key = percent_decode(id)?;
            Operation::Objects(ObjectOperation::FilesUpload)
        }
        ["api", "v1", "projects", project, rest @ ..] => {
            names.project = percent_decode(project)?;
            in_project(method, path, rest, &mut names)?
        }
        [tenant, rest @ ..] => {
            names.tenant = percent_decode(tenant)?;
            at_identity_provider(method, path, rest, &mut names)?
        }
        _ => return Err(unknown_path(path)),
    };
    Ok((operation, names))
}

/// The paths of a tenant, for tokens of the second version and of the first.
fn at_identity_provider(
    method: &Method,
    path: &str,
    rest: &[&str],
    names: &mut PathNames,
) -> Result<Operation, Refusal> {
    use Operation as O;
    let (version, get, post) = match rest {
        ["oauth2", "v2.0", "token"] => (TokenVersion::Second, None, Some(O::TokenIssue)),
        ["oauth2", "token"] => (TokenVersion::First, None, Some(O::TokenIssue)),
        ["discovery", "v2.0", "keys"] => (TokenVersion::Second, Some(O::IdentityKeys), None),
        ["discovery", "keys"] => (TokenVersion::First, Some(O::IdentityKeys), None),
        ["v2.0", ".well-known", "openid-configuration"] => {
            (TokenVersion::Second, Some(O::IdentityConfiguration), None)
        }
        [".well-known", "openid-configuration"] => {
            (TokenVersion::First, Some(O::IdentityConfiguration), None)
        }
        _ => return Err(unknown_path(path)),
    };
    names.version = version;
    pick(method, path, get, post)
}

fn in_project(
    method: &Method,
    path: &str,
    rest: &[&str],
    names: &mut PathNames,
) -> Result<Operation, Refusal> {
    use Operation as O;
    match rest {
        ["timeseries"] => pick(
            method,
            path,
            Some(O::TimeSeriesList),
            Some(O::TimeSeriesCreate),
        ),
        ["timeseries", "list"] => pick(method, path, None, Some(O::TimeSeriesList)),
        ["timeseries", "byids"] => pick(method, path, None, Some(O::TimeSeriesByIds)),
        ["timeseries", "update"] => pick(method, path, None, Some(O::TimeSeriesUpdate)),
        ["timeseries", "delete"] => pick(method, path, None, Some(O::TimeSeriesDelete)),
        ["timeseries", "data"] => pick(method, path, None, Some(O::DatapointsInsert)),
        ["timeseries", "data", "list"] => pick(method, path, None, Some(O::DatapointsList)),
        ["timeseries", "data", "latest"] => pick(method, path, None, Some(O::DatapointsLatest)),
        ["timeseries", "data", "delete"] => pick(method, path, None, Some(O::DatapointsDelete)),
        ["raw", "dbs"] => pick(
            method,
            path,
            Some(O::RawDatabasesList),
            Some(O::RawDatabasesCreate),
        ),
        ["raw", "dbs", "delete"] => pick(method, path, None, Some(O::RawDatabasesDelete)),
        ["raw", "dbs", database, "tables", in_database @ ..] => {
            names.database = percent_decode(database)?;
            in_raw_database(method, path, in_database, names)
        }
        ["models", rest @ ..] => data_modeling::resolve(method, path, rest).map(O::DataModeling),
        ["units", rest @ ..] => units::resolve(method, path, rest, names).map(O::Units),
        ["groups" | "sessions", ..] => access::resolve(method, path, rest).map(O::Access),
        _ => objects::resolve(method, path, rest, names).map(O::Objects),
    }
}

fn in_raw_database(
    method: &Method,
    path: &str,
    rest: &[&str],
    names: &mut PathNames,
) -> Result<Operation, Refusal> {
    use Operation as O;
    if let [table, ..] = rest {
        names.table = percent_decode(table)?;
    }
    match rest {
        [] => pick(
            method,
            path,
            Some(O::RawTablesList),
            Some(O::RawTablesCreate),
        ),
        ["delete"] => pick(method, path, None, Some(O::RawTablesDelete)),
        [_, "rows"] => pick(method, path, Some(O::RawRowsList), Some(O::RawRowsInsert)),
        // A row whose key is "delete" is read by GET, rows are deleted by POST.
        [_, "rows", "delete"] if *method == Method::POST => Ok(O::RawRowsDelete),
        [_, "rows", key] => {
            names.key = percent_decode(key)?;
            pick(method, path, Some(O::RawRowsGet), None)
        }
        [_, "cursors"] => pick(method, path, Some(O::RawCursorsList), None),
        _ => Err(unknown_path(path)),
    }
}

/// The operation for the method, of those that a path has.
pub fn pick<T>(method: &Method, path: &str, get: Option<T>, post: Option<T>) -> Result<T, Refusal> {
    let found = match *method {
        Method::GET => get,
        Method::POST => post,
        _ => None,
    };
    found.ok_or_else(|| Refusal::MethodNotAllowed(format!("{method} is not allowed on {path}")))
}

/// The 404 for a path that no endpoint answers.
pub fn unknown_path(path: &str) -> Refusal {
    Refusal::NotFound {
        message: format!("This local CDF has no endpoint at {path}"),
        missing: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_and_slashes_stay_one_segment() -> Result<(), Refusal> {
        let path = "/api/v1/projects/p/raw/dbs/my%20db/tables/t%2F1/rows/k%2F1";
        let (operation, names) = resolve(&Method::GET, path)?;
        assert_eq!(operation, Operation::RawRowsGet);
        assert_eq!(names.database, "my db");
        assert_eq!(names.table, "t/1");
        assert_eq!(names.key, "k/1");
        Ok(())
    }

    #[test]
    fn an_unencoded_slash_in_a_table_name_reaches_nothing() {
        let path = "/api/v1/projects/p/raw/dbs/d/tables/t/1/rows";
        let refusal = resolve(&Method::GET, path)
            .err()
            .map(|refusal| refusal.status());
        assert_eq!(refusal, Some(404));
    }

    #[test]
    fn a_row_with_the_key_delete_can_be_read() -> Result<(), Refusal> {
        let path = "/api/v1/projects/p/raw/dbs/d/tables/t/rows/delete";
        assert_eq!(resolve(&Method::GET, path)?.0, Operation::RawRowsGet);
        assert_eq!(resolve(&Method::POST, path)?.0, Operation::RawRowsDelete);
        Ok(())
    }

    #[test]
    fn a_known_path_with_another_method_is_a_405() {
        let refusal = resolve(&Method::PUT, "/api/v1/projects/p/timeseries");
        assert_eq!(refusal.err().map(|refusal| refusal.status()), Some(405));
    }
}
