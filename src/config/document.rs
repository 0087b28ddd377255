//! One TOML file: its text, its tree and the lines of its keys.
//!
//! Owns reading and parsing. Promises that a value of the wrong type and an unknown key are
//! refused with line and key, and that no error repeats the value of a secret. Never knows what
//! the keys mean.

use super::problem::{ConfigurationError, Place, Problem};
use serde::de::DeserializeOwned;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table};

/// Keys whose values never appear in an error.
const SECRET_KEYS: [&str; 3] = ["password", "client_secret", "token"];

/// A parsed file.
#[derive(Debug)]
pub(super) struct Document {
    pub path: PathBuf,
    pub table: Table,
    /// Every key with its dotted path and its line, in the order of the tree.
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    path: String,
    line: usize,
    name: Range<usize>,
    value: Range<usize>,
}

impl Document {
    /// Reads `path` and checks that it has the shape of `T`.
    ///
    /// # Errors
    /// The file cannot be read, is no TOML, or has a key or a type that `T` does not have.
    pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Self, ConfigurationError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigurationError::of_file(
                path,
                format!("the file cannot be read: {error}"),
                "Name a file that exists and that this user may read",
            )
        })?;
        Self::parse::<T>(path, &text)
    }

    fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<Self, ConfigurationError> {
        let refuse = |error: &toml::de::Error, keys: &[Key]| {
            let offset = error.span().map_or(0, |span| span.start);
            let key = keys
                .iter()
                .rfind(|key| key.name.contains(&offset) || key.value.contains(&offset));
            ConfigurationError {
                problems: vec![problem(path, line(text, offset), key, error.message())],
            }
        };
        let spans = DeTable::parse(text).map_err(|error| refuse(&error, &[]))?;
        let mut keys = Vec::new();
        gather(text, "", spans.get_ref(), &mut keys);
        toml::from_str::<T>(text).map_err(|error| refuse(&error, &keys))?;
        let table = toml::from_str(text).map_err(|error| refuse(&error, &keys))?;
        Ok(Document {
            path: path.to_owned(),
            table,
            keys,
        })
    }

    /// Where `key` stands; for a key that is absent, where the section stands that lacks it.
    pub fn place(&self, key: &str) -> Place {
        let mut wanted = key;
        let line = loop {
            if let Some(found) = self.keys.iter().find(|key| key.path == wanted) {
                break found.line;
            }
            match wanted.rsplit_once('.') {
                Some((parent, _)) => wanted = parent,
                None => break 0,
            }
        };
        Place::File {
            path: self.path.clone(),
            line,
        }
    }

    /// Whether `key` is in the file.
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|found| found.path == key)
    }
}

fn problem(path: &Path, line: usize, key: Option<&Key>, message: &str) -> Problem {
    let key = key.map_or("", |key| key.path.as_str());
    let last = key.rsplit('.').next().unwrap_or_default();
    let unknown = message.starts_with("unknown field");
    let fault = if SECRET_KEYS.contains(&last) {
        "the value is not a string".to_owned()
    } else {
        message.trim_end().replace('\n', "; ")
    };
    let mend = if unknown {
        "Remove the key or correct its name"
    } else if key.is_empty() {
        "Correct the line so that it is TOML"
    } else {
        "Give a value of the right type"
    };
    Problem {
        place: Place::File {
            path: path.to_owned(),
            line,
        },
        key: key.to_owned(),
        fault,
        mend: mend.to_owned(),
    }
}

fn gather(text: &str, parent: &str, table: &DeTable<'_>, keys: &mut Vec<Key>) {
    for (name, value) in table.iter() {
        let path = if parent.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{parent}.{}", name.get_ref())
        };
        keys.push(Key {
            path: path.clone(),
            line: line(text, name.span().start),
            name: name.span(),
            value: value.span(),
        });
        gather_value(text, &path, value, keys);
    }
}

fn gather_value(text: &str, path: &str, value: &Spanned<DeValue<'_>>, keys: &mut Vec<Key>) {
    match value.get_ref() {
        DeValue::Table(table) => gather(text, path, table, keys),
        DeValue::Array(values) => {
            for (position, element) in values.iter().enumerate() {
                let path = format!("{path}.{position}");
                keys.push(Key {
                    path: path.clone(),
                    line: line(text, element.span().start),
                    name: 0..0,
                    value: element.span(),
                });
                gather_value(text, &path, element, keys);
            }
        }
        _ => {}
    }
}

/// The line of byte `offset`, from 1.
fn line(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    1 + memchr::memchr_iter(b'\n', before).count()
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    fn parse(text: &str) -> Result<Document, ConfigurationError> {
        Document::parse::<Tree>(Path::new("p.toml"), text)
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_names_that_exist() {
        let error =
            parse("[listen]\n\npostgress = \"127.0.0.1:1\"\n").expect_err("must be refused");
        let text = error.to_string();
        assert!(
            text.starts_with("p.toml:3: listen.postgress: unknown field"),
            "{text}"
        );
        assert!(text.contains("`postgres`"), "{text}");
        assert!(
            text.ends_with("Remove the key or correct its name."),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_section_is_refused_with_its_line() {
        let text = parse("[listen]\n[lisen]\n")
            .expect_err("must be refused")
            .to_string();
        assert!(text.starts_with("p.toml:2: lisen: unknown field"), "{text}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_with_its_line_and_key() {
        let text = parse("[copy]\nbatch_rows = \"many\"\n")
            .expect_err("must be refused")
            .to_string();
        assert!(
            text.starts_with("p.toml:2: copy.batch_rows: invalid type"),
            "{text}"
        );
    }

    #[test]
    fn a_text_that_is_no_toml_is_refused_with_its_line() {
        let text = parse("[copy]\nbatch_rows 5\n")
            .expect_err("must be refused")
            .to_string();
        assert!(text.starts_with("p.toml:2: "), "{text}");
    }

    #[test]
    fn the_value_of_a_secret_is_in_no_error() {
        for line in ["password = 918273645", "password = [\"918273645\"]"] {
            let text = format!("[[users]]\nname = \"a\"\n{line}\n");
            let error = parse(&text).expect_err("must be refused");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("918273645"), "{shown}");
            assert!(shown.contains("users.0.password"), "{shown}");
        }
        let text = "[cdf.plant]\ntoken = 918273645\n";
        let error = parse(text).expect_err("must be refused").to_string();
        assert!(!error.contains("918273645"), "{error}");
    }

    #[test]
    fn an_absent_key_stands_where_its_section_stands() {
        let document = parse("\n[listen]\nrequire_tls = true\n[[users]]\nname = \"a\"\n")
            .expect("the text is sound");
        let line = |key| match document.place(key) {
            Place::File { line, .. } => line,
            Place::Variable(_) => 0,
        };
        assert_eq!(line("listen.require_tls"), 3);
        assert_eq!(line("listen.tls_certificate"), 2);
        assert_eq!(line("users.0.name"), 5);
        assert_eq!(line("users.0.cdf"), 4);
        assert_eq!(line("memory.rows_bytes_max"), 0);
    }
}
