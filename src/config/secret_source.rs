//! Secrets by value, by environment variable or by file.
//!
//! Owns the rule that exactly one source is named. Promises that what is missing is named, and
//! what is found is never shown. Never trims anything but one line end of a file.

use super::environment::Environment;
use super::problem::Findings;
use crate::cdf::Secret;
use std::path::Path;

/// The three keys of one secret: `<name>`, `<name>_env`, `<name>_file`.
pub(super) struct SecretSource<'a> {
    /// Dotted key of the section that holds the keys.
    pub section: &'a str,
    pub name: &'static str,
    pub value: Option<&'a Secret>,
    pub variable: Option<&'a str>,
    pub file: Option<&'a Path>,
}

/// What relative paths and variables refer to.
pub(super) struct Surroundings<'a> {
    /// The directory of the configuration file.
    pub directory: &'a Path,
    pub environment: &'a Environment,
}

impl SecretSource<'_> {
    /// Whether any of the three keys is set.
    pub fn is_named(&self) -> bool {
        self.value.is_some() || self.variable.is_some() || self.file.is_some()
    }

    /// The secret; a finding and `None` when no source, more than one, or an empty one is named.
    pub fn read(&self, surroundings: &Surroundings<'_>, findings: &mut Findings) -> Option<Secret> {
        let Self { section, name, .. } = self;
        let key = format!("{section}.{name}");
        let secret = match (self.value, self.variable, self.file) {
            (Some(value), None, None) => value.clone(),
            (None, Some(variable), None) => match surroundings.environment.get(variable) {
                Some(text) => Secret::new(text),
                None => {
                    findings.note(
                        format!("{key}_env"),
                        format!("the environment variable {variable} is not set"),
                        format!("Set {variable} for this process, or use {name}_file"),
                    );
                    return None;
                }
            },
            (None, None, Some(file)) => {
                let path = surroundings.directory.join(file);
                match std::fs::read_to_string(&path) {
                    Ok(text) => Secret::new(without_line_end(&text)),
                    Err(error) => {
                        findings.note(
                            format!("{key}_file"),
                            format!("{} cannot be read: {error}", path.display()),
                            "Name a file that exists and that this user may read",
                        );
                        return None;
                    }
                }
            }
            (None, None, None) => {
                findings.note(
                    key,
                    "the secret is missing",
                    format!("Set one of {name}, {name}_env and {name}_file"),
                );
                return None;
            }
            _ => {
                findings.note(
                    key,
                    "the secret has more than one source",
                    format!("Keep one of {name}, {name}_env and {name}_file"),
                );
                return None;
            }
        };
        if secret.expose().is_empty() {
            findings.note(key, "the secret is empty", "Give it a value");
            return None;
        }
        Some(secret)
    }
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
