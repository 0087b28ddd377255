//! Where the values of a configuration come from.
//!
//! Owns the order of precedence: defaults, files, environment. Promises that values are laid
//! over each other key by key, and that every key can be traced back to its line or variable.
//! Never judges a value, except one that would be set in vain.

use super::document::Document;
use super::environment::{Environment, Override};
use super::problem::{ConfigurationError, Findings, Place, Problem};
use super::tree::Tree;
use super::{LimitsTable, RequestBounds};
use crate::catalog::Resource;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Where values come from, in rising order of precedence.
pub(super) struct Sources {
    file: Document,
    limits: Option<Document>,
    overrides: Vec<Override>,
}

impl Sources {
    /// Reads the files; relative names start at the directory of `path`.
    pub fn read(path: &Path, environment: &Environment) -> Result<Self, ConfigurationError> {
        let file = Document::read::<Tree>(path)?;
        let overrides = environment.overrides()?;
        let named = overrides
            .iter()
            .find(|found| found.key == "limits_file")
            .map(|found| &found.value)
            .or_else(|| file.table.get("limits_file"))
            .and_then(Value::as_str);
        let limits = match named {
            None => None,
            Some(_) if file.has("limits") => {
                return Err(ConfigurationError {
                    problems: vec![Problem {
                        place: file.place("limits"),
                        key: "limits".to_owned(),
                        fault: "the limits are here and in limits_file".to_owned(),
                        mend: "Keep one of them".to_owned(),
                    }],
                });
            }
            Some(name) => {
                let directory = path.parent().unwrap_or(Path::new(""));
                Some(Document::read::<LimitsTable>(&directory.join(name))?)
            }
        };
        Ok(Sources {
            file,
            limits,
            overrides,
        })
    }

    /// Where relative paths start.
    pub fn directory(&self) -> &Path {
        self.file.path.parent().unwrap_or(Path::new(""))
    }

    /// Defaults, under the files, under the environment. Merging by key is what lets a section
    /// name one key and keep the defaults of the others, which differ between resources.
    pub fn merge(&self) -> Result<Tree, ConfigurationError> {
        let mut merged = Table::try_from(Tree::default())
            .expect("the defaults hold only numbers, booleans and strings");
        lay_over(&mut merged, &self.file.table);
        if let Some(limits) = &self.limits {
            let limits = Value::Table(limits.table.clone());
            lay_over(
                &mut merged,
                &Table::from_iter([("limits".to_owned(), limits)]),
            );
        }
        for found in &self.overrides {
            lay_over(&mut merged, &found.tree());
        }
        // Files and variables were checked each by itself, so this fails only where a variable
        // turns a section of one file into something else.
        merged.try_into().map_err(|error| {
            ConfigurationError::of_file(
                &self.file.path,
                format!(
                    "with the environment laid over it: {}",
                    error.message().trim_end()
                ),
                "Correct the environment variables that start with PENSTOCK_",
            )
        })
    }

    /// `points_max` of a resource whose requests hold no datapoints would be set in vain.
    pub fn check_points(&self, findings: &mut Findings) {
        for resource in Resource::ALL {
            let key = format!("batch.{}.points_max", resource.name());
            let is_set = self.file.has(&key) || self.overrides.iter().any(|found| found.key == key);
            if is_set && RequestBounds::of(resource).points.is_none() {
                findings.note(
                    key,
                    "requests of this resource hold no datapoints",
                    "Remove the key; items_max bounds the request",
                );
            }
        }
    }

    /// The findings with the places of their keys.
    pub fn locate(&self, findings: Findings) -> ConfigurationError {
        let mut problems: Vec<Problem> = findings
            .found
            .into_iter()
            .map(|finding| Problem {
                place: self.place(&finding.key),
                key: finding.key,
                fault: finding.fault,
                mend: finding.mend,
            })
            .collect();
        problems.sort_by(|one, other| one.place.cmp(&other.place));
        ConfigurationError { problems }
    }

    /// The limits file, if there is one.
    pub fn limits_path(&self) -> Option<PathBuf> {
        self.limits.as_ref().map(|document| document.path.clone())
    }

    fn place(&self, key: &str) -> Place {
        if let Some(found) = self.overrides.iter().find(|found| found.key == key) {
            return Place::Variable(found.variable.clone());
        }
        match (&self.limits, key.strip_prefix("limits.")) {
            (Some(limits), Some(key)) => limits.place(key),
            _ => self.file.place(key),
        }
    }
}

fn lay_over(below: &mut Table, above: &Table) {
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            _ => {
                below.insert(key.clone(), value.clone());
            }
        }
    }
}
