//! What a capability reaches: everything, or some data sets, tables, spaces and so on.
//!
//! Owns the forms of scopes in requests. Names are taken in any case: CDF's own clients
//! write `idScope` and `idscope`. A scope of a kind that is not enforced here is kept and
//! reaches nothing.

use serde_json::Value;
use std::collections::BTreeMap;

/// The scope of a capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    All,
    /// The groups that the principal is in.
    CurrentUser,
    DataSets(Vec<i64>),
    /// The objects themselves.
    Ids(Vec<i64>),
    /// Extraction pipelines, for their runs.
    Pipelines(Vec<i64>),
    /// Tables by database; none named means all of the database.
    Tables(BTreeMap<String, Vec<String>>),
    Spaces(Vec<String>),
    /// Users of the PostgreSQL gateway, by name.
    GatewayUsers(Vec<String>),
    /// Of a kind that reaches nothing here.
    Other,
}

impl Scope {
    /// Reads the one scope that the object has; what is wrong is said.
    pub fn read(value: &Value) -> Result<Self, String> {
        let members = value.as_object().filter(|members| members.len() == 1);
        let (name, content) = members
            .and_then(|members| members.iter().next())
            .ok_or("scope: expected an object with exactly one scope")?;
        let malformed = || format!("scope.{name}: not of the form that it has");
        match name.to_ascii_lowercase().as_str() {
            "all" => content.is_object().then_some(Self::All),
            "currentuserscope" => Some(Self::CurrentUser),
            "datasetscope" => numbers(content, "ids").map(Self::DataSets),
            "idscope" => numbers(content, "ids").map(Self::Ids),
            "extractionpipelinescope" => numbers(content, "ids").map(Self::Pipelines),
            "tablescope" => tables(content).map(Self::Tables),
            "spaceidscope" => texts(content.get("spaceIds")).map(Self::Spaces),
            "usersscope" => texts(content.get("usernames")).map(Self::GatewayUsers),
            other if OTHERS.contains(&other) => Some(Self::Other),
            _ => return Err(format!("scope: there is no scope '{name}'")),
        }
        .ok_or_else(malformed)
    }

    /// Whether it reaches an object with this id in this data set.
    pub fn reaches_object(&self, id: Option<i64>, data_set_id: Option<i64>) -> bool {
        match self {
            Self::All => true,
            Self::DataSets(ids) => data_set_id.is_some_and(|id| ids.contains(&id)),
            Self::Ids(ids) => id.is_some_and(|id| ids.contains(&id)),
            _ => false,
        }
    }

    /// Whether it reaches a table, or with `None` a database as a whole.
    pub fn reaches_table(&self, database: &str, table: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Tables(databases) => databases.get(database).is_some_and(|tables| {
                tables.is_empty()
                    || table.is_some_and(|table| tables.iter().any(|known| known == table))
            }),
            _ => false,
        }
    }

    /// Whether it reaches any table of a database.
    pub fn reaches_database(&self, database: &str) -> bool {
        match self {
            Self::All => true,
            Self::Tables(databases) => databases.contains_key(database),
            _ => false,
        }
    }

    pub fn reaches_space(&self, space: &str) -> bool {
        match self {
            Self::All => true,
            Self::Spaces(spaces) => spaces.iter().any(|known| known == space),
            _ => false,
        }
    }
}

/// Scopes that CDF has for resources that are not served here, and for what is not
/// enforced.
const OTHERS: [&str; 9] = [
    "assetrootidscope",
    "instancesscope",
    "experimentscope",
    "appscope",
    "partition",
    "spacescope",
    "datamodelscope",
    "appexternalidscope",
    "dataproductscope",
];

/// Clients write ids as numbers, older ones as texts.
fn numbers(content: &Value, member: &str) -> Option<Vec<i64>> {
    let list = content.get(member)?.as_array()?;
    list.iter()
        .map(|one| one.as_i64().or_else(|| one.as_str()?.parse().ok()))
        .collect()
}

fn texts(list: Option<&Value>) -> Option<Vec<String>> {
    let list = list?.as_array()?;
    list.iter()
        .map(|one| one.as_str().map(str::to_owned))
        .collect()
}

/// `{"dbsToTables": {"db": ["t"]}}`, or `{"db": {"tables": ["t"]}}` for each database.
fn tables(content: &Value) -> Option<BTreeMap<String, Vec<String>>> {
    let databases = content.get("dbsToTables")?.as_object()?;
    databases
        .iter()
        .map(|(name, tables)| {
            let list = if tables.is_object() {
                tables.get("tables")
            } else {
                Some(tables)
            };
            Some((name.clone(), texts(list)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_are_given_in_two_forms() {
        for tables in [json!(["t"]), json!({"tables": ["t"]})] {
            let scope = Scope::read(&json!({"tableScope": {"dbsToTables": {"d": tables}}}));
            let reaches = |db, table| scope.as_ref().map(|scope| scope.reaches_table(db, table));
            assert_eq!(reaches("d", Some("t")), Ok(true));
            assert_eq!(reaches("d", Some("u")), Ok(false));
            assert_eq!(reaches("d", None), Ok(false));
            assert_eq!(reaches("e", Some("t")), Ok(false));
        }
    }

    #[test]
    fn a_database_without_tables_is_reached_as_a_whole() {
        let scope = Scope::read(&json!({"tableScope": {"dbsToTables": {"d": []}}}));
        assert_eq!(scope.map(|scope| scope.reaches_table("d", None)), Ok(true));
    }

    #[test]
    fn an_unknown_or_broken_scope_is_named() {
        for (scope, word) in [
            (json!({"everything": {}}), "everything"),
            (json!({"datasetScope": {"ids": ["x"]}}), "datasetScope"),
            (json!({}), "exactly one"),
            (json!({"all": {}, "idScope": {"ids": [1]}}), "exactly one"),
        ] {
            let error = Scope::read(&scope).err().unwrap_or_default();
            assert!(error.contains(word), "{scope}: {error}");
        }
    }
}
