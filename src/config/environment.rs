//! Environment variables: secrets by name, and overrides of single keys.
//!
//! Owns the scheme `PENSTOCK_SECTION__KEY`. Promises that an override has the type of its key
//! and that an unknown key is refused. Never reads variables with the prefix but without `__`
//! as overrides, except `PENSTOCK_LIMITS_FILE`: container platforms set such names themselves
//! (`PENSTOCK_SERVICE_HOST`), and operators keep passwords in them.

use super::problem::{ConfigurationError, Place, Problem};
use super::tree::Tree;
use std::collections::BTreeMap;
use std::fmt;
use toml::{Table, Value};

const PREFIX: &str = "PENSTOCK_";
const SEPARATOR: &str = "__";

/// The variables that a configuration may use.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        formatter
            .debug_set()
            .entries(self.variables.keys())
            .finish()
    }
}

impl Environment {
    /// The variables of this process; those that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Environment { variables }
    }

    /// These variables and no others.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Environment { variables }
    }

    /// The value of a variable, if it is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Every override, with its value in the type of its key.
    ///
    /// # Errors
    /// A variable names a key that does not exist, or its value has the wrong type.
    pub(super) fn overrides(&self) -> Result<Vec<Override>, ConfigurationError> {
        let mut overrides = Vec::new();
        let mut problems = Vec::new();
        for (variable, text) in &self.variables {
            let Some(key) = key_of(variable) else {
                continue;
            };
            match typed(&key, text) {
                Ok(value) => overrides.push(Override {
                    variable: variable.clone(),
                    key,
                    value,
                }),
                Err(fault) => problems.push(Problem {
                    place: Place::Variable(variable.clone()),
                    key,
                    fault,
                    mend: "Correct the variable or unset it".to_owned(),
                }),
            }
        }
        if problems.is_empty() {
            Ok(overrides)
        } else {
            Err(ConfigurationError { problems })
        }
    }
}

/// One key whose value the environment gives.
#[derive(Debug)]
pub(super) struct Override {
    pub variable: String,
    /// Dotted.
    pub key: String,
    pub value: Value,
}

impl Override {
    /// The override as a tree of one key.
    pub fn tree(&self) -> Table {
        tree_of(&self.key, self.value.clone())
    }
}

fn key_of(variable: &str) -> Option<String> {
    let name = variable.strip_prefix(PREFIX)?;
    if name != "LIMITS_FILE" && !name.contains(SEPARATOR) {
        return None;
    }
    Some(name.to_ascii_lowercase().replace(SEPARATOR, "."))
}

fn tree_of(key: &str, value: Value) -> Table {
    let mut names = key.rsplit('.');
    let last = names.next().unwrap_or_default();
    let mut table = Table::from_iter([(last.to_owned(), value)]);
    for name in names {
        table = Table::from_iter([(name.to_owned(), Value::Table(table))]);
    }
    table
}

/// `text` in the type of `key`: as a string where the key holds one, else as a TOML value.
fn typed(key: &str, text: &str) -> Result<Value, String> {
    let fits = |value: &Value| match tree_of(key, value.clone()).try_into::<Tree>() {
        Ok(_) => Ok(()),
        Err(error) => Err(error.message().trim_end().to_owned()),
    };
    let string = Value::String(text.to_owned());
    let Err(refused) = fits(&string) else {
        return Ok(string);
    };
    let literal = toml::from_str::<Table>(&format!("value = {}", text.trim()))
        .ok()
        .and_then(|mut table| table.remove("value"));
    match literal {
        Some(literal) => fits(&literal).map(|()| literal),
        None => Err(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(variables: &[(&str, &str)]) -> Result<Vec<(String, Value)>, String> {
        Environment::of(variables)
            .overrides()
            .map(|overrides| {
                overrides
                    .into_iter()
                    .map(|found| (found.key, found.value))
                    .collect()
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_override_takes_the_type_of_its_key() {
        let found = overrides(&[
            ("PENSTOCK_LISTEN__POSTGRES", "0.0.0.0:5432"),
            ("PENSTOCK_LISTEN__REQUIRE_TLS", "true"),
            ("PENSTOCK_BATCH__RAW_ROWS__LINGER_MS", "7"),
            ("PENSTOCK_LIMITS__BUDGET_SHARE", "0.5"),
            ("PENSTOCK_CDF__PLANT__PROJECT", "12345"),
            ("PENSTOCK_LIMITS_FILE", "limits.toml"),
        ])
        .expect("all are sound");
        let of = |key: &str| {
            found
                .iter()
                .find(|(found, _)| found == key)
                .map(|(_, value)| value.clone())
        };
        assert_eq!(of("listen.postgres"), Some(Value::from("0.0.0.0:5432")));
        assert_eq!(of("listen.require_tls"), Some(Value::from(true)));
        assert_eq!(of("batch.raw_rows.linger_ms"), Some(Value::from(7)));
        assert_eq!(of("limits.budget_share"), Some(Value::from(0.5)));
        assert_eq!(of("cdf.plant.project"), Some(Value::from("12345")));
        assert_eq!(of("limits_file"), Some(Value::from("limits.toml")));
    }

    #[test]
    fn an_override_of_an_unknown_key_is_refused_by_the_name_of_the_variable() {
        let text = overrides(&[("PENSTOCK_LISTEN__PORT", "1")]).expect_err("must be refused");
        assert!(
            text.starts_with(
                "environment variable PENSTOCK_LISTEN__PORT: listen.port: unknown field"
            ),
            "{text}"
        );
    }

    #[test]
    fn an_override_of_the_wrong_type_is_refused() {
        let text =
            overrides(&[("PENSTOCK_COPY__BATCH_ROWS", "many")]).expect_err("must be refused");
        assert!(text.contains("copy.batch_rows: invalid type"), "{text}");
    }

    #[test]
    fn variables_that_a_container_platform_sets_are_no_overrides() {
        let found = overrides(&[
            ("PENSTOCK_SERVICE_HOST", "10.0.0.1"),
            ("PENSTOCK_PORT", "tcp://10.0.0.1:5432"),
            ("PENSTOCK_PASSWORD", "secret"),
        ]);
        assert_eq!(found, Ok(Vec::new()));
    }
}
