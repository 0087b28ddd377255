//! What is wrong with a configuration, where, and what mends it.
//!
//! Owns the error of loading. Promises that a problem names its file and line, or its
//! environment variable, the key, and the mend. Never holds the value of a secret.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value came from; ordered as an operator reads: by file, then by line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of a file, from 1; 0 where no line applies.
    File { path: PathBuf, line: usize },
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { path, line: 0 } => write!(formatter, "{}", path.display()),
            Place::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Place::Variable(name) => write!(formatter, "environment variable {name}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    /// Dotted; positions in lists count from 0. Empty where the file as a whole is at fault.
    pub key: String,
    /// What is wrong, without the full stop.
    pub fault: String,
    /// What to do, without the full stop.
    pub mend: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        write!(formatter, "{}. {}.", self.fault, self.mend)
    }
}

/// A configuration that cannot be used: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl ConfigurationError {
    /// An error about a file as a whole.
    pub(super) fn of_file(path: &Path, fault: impl Into<String>, mend: impl Into<String>) -> Self {
        ConfigurationError {
            problems: vec![Problem {
                place: Place::File {
                    path: path.to_owned(),
                    line: 0,
                },
                key: String::new(),
                fault: fault.into(),
                mend: mend.into(),
            }],
        }
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.problems.iter().enumerate() {
            if position > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigurationError {}

/// Problems as the checks find them, before anybody knows where their keys stand.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub found: Vec<Finding>,
}

/// A problem without its place.
#[derive(Debug)]
pub(super) struct Finding {
    pub key: String,
    pub fault: String,
    pub mend: String,
}

impl Findings {
    /// Notes that `key` has `fault`, and that `mend` helps.
    pub fn note(
        &mut self,
        key: impl Into<String>,
        fault: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.found.push(Finding {
            key: key.into(),
            fault: fault.into(),
            mend: mend.into(),
        });
    }
}
