//! A configuration that was checked: what the rest of the gateway is given.
//!
//! Owns the way from file, limits file and environment to one value. Promises that defaults
//! fill what is not written, key by key, that the environment wins over files, and that all
//! problems are told at once. Never contacts CDF.

use super::document::Document;
use super::environment::{Environment, Override};
use super::problem::{ConfigurationError, Findings, Place, Problem};
use super::secret_source::Surroundings;
use super::tree::Tree;
use super::user::{Password, User};
use super::{
    BatchTable, CopySettings, LimitsTable, ListenSettings, LogSettings, MemorySettings,
    RequestBounds, RetrySettings, RuntimeSettings, TimeoutSettings, TransactionSettings, checks,
};
use crate::catalog::Resource;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Everything that operators decide. The default has no users: nobody can sign in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    pub listen: ListenSettings,
    pub runtime: RuntimeSettings,
    pub memory: MemorySettings,
    pub transactions: TransactionSettings,
    pub copy: CopySettings,
    pub timeouts: TimeoutSettings,
    pub batch: BatchTable,
    pub retry: RetrySettings,
    pub limits: LimitsTable,
    pub logs: LogSettings,
    /// Unique by name.
    pub users: Vec<User>,
    /// The file that the limits came from; `None`: the configuration itself, or the defaults.
    pub limits_file: Option<PathBuf>,
}

impl Configuration {
    /// Reads `path` with the environment of this process.
    ///
    /// # Errors
    /// Every problem found, with place and mend.
    pub fn load(path: &Path) -> Result<Self, ConfigurationError> {
        Self::load_with(path, &Environment::of_process())
    }

    /// Reads `path` with these environment variables.
    ///
    /// # Errors
    /// Every problem found, with place and mend.
    pub fn load_with(path: &Path, environment: &Environment) -> Result<Self, ConfigurationError> {
        let sources = Sources::read(path, environment)?;
        let tree = sources.merge()?;
        let mut findings = Findings::default();
        checks::check(&tree, &mut findings);
        sources.check_points(&mut findings);
        let surroundings = Surroundings {
            directory: sources.directory(),
            environment,
        };
        let users = resolve_users(&tree, &surroundings, &mut findings);
        check_files(&tree, surroundings.directory, &mut findings);
        if !findings.found.is_empty() {
            return Err(sources.locate(findings));
        }
        let directory = surroundings.directory;
        let listen = ListenSettings {
            tls_certificate: tree.listen.tls_certificate.map(|file| directory.join(file)),
            tls_private_key: tree.listen.tls_private_key.map(|file| directory.join(file)),
            ..tree.listen
        };
        Ok(Configuration {
            listen,
            runtime: tree.runtime,
            memory: tree.memory,
            transactions: tree.transactions,
            copy: tree.copy,
            timeouts: tree.timeouts,
            batch: tree.batch,
            retry: tree.retry,
            limits: tree.limits,
            logs: tree.logs,
            users,
            limits_file: sources.limits.map(|document| document.path),
        })
    }

    /// What works and is unwise, one sentence each, without the full stop.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let listen = &self.listen;
        if !listen.postgres.ip().is_loopback() && !listen.require_tls {
            warnings.push(format!(
                "listen.postgres is {} and listen.require_tls is false: rows can pass the network in clear text",
                listen.postgres
            ));
        }
        for user in &self.users {
            let base_url = &user.identity.project.base_url;
            let local = ["http://127.", "http://localhost", "http://[::1]"]
                .iter()
                .any(|start| base_url.starts_with(start));
            if base_url.starts_with("http://") && !local {
                warnings.push(format!(
                    "user {}: {base_url} is not https: tokens pass the network in clear text",
                    user.name
                ));
            }
            if let Password::Verifier(verifier) = &user.password
                && verifier.iterations < 4096
            {
                warnings.push(format!(
                    "user {}: a SCRAM verifier with {} iterations is weak; PostgreSQL makes 4096",
                    user.name, verifier.iterations
                ));
            }
        }
        warnings
    }
}

/// Where values come from, in rising order of precedence.
struct Sources {
    file: Document,
    limits: Option<Document>,
    overrides: Vec<Override>,
}

impl Sources {
    fn read(path: &Path, environment: &Environment) -> Result<Self, ConfigurationError> {
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

    fn directory(&self) -> &Path {
        self.file.path.parent().unwrap_or(Path::new(""))
    }

    /// Defaults, under the files, under the environment. Merging by key is what lets a section
    /// name one key and keep the defaults of the others, which differ between resources.
    fn merge(&self) -> Result<Tree, ConfigurationError> {
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
    fn check_points(&self, findings: &mut Findings) {
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
    fn locate(&self, findings: Findings) -> ConfigurationError {
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

fn resolve_users(
    tree: &Tree,
    surroundings: &Surroundings<'_>,
    findings: &mut Findings,
) -> Vec<User> {
    let principals: BTreeMap<&str, _> = tree
        .cdf
        .iter()
        .map(|(name, settings)| {
            let principal = settings.resolve(name, surroundings, findings);
            (name.as_str(), principal)
        })
        .collect();
    if tree.users.is_empty() {
        findings.note(
            "users",
            "there are no users, so nobody could sign in",
            "Add a section [[users]] with name, password_env and cdf",
        );
    }
    let mut users = Vec::with_capacity(tree.users.len());
    for (position, settings) in tree.users.iter().enumerate() {
        let section = format!("users.{position}");
        settings.check_name(&section, &tree.users[..position], findings);
        let password = settings.password(&section, surroundings, findings);
        let Some(principal) = principals.get(settings.cdf.as_str()) else {
            findings.note(
                format!("{section}.cdf"),
                if settings.cdf.is_empty() {
                    "the user has no CDF principal".to_owned()
                } else {
                    format!("there is no section [cdf.{}]", settings.cdf)
                },
                match principals.keys().copied().collect::<Vec<_>>().join(", ") {
                    names if names.is_empty() => {
                        "Add a section [cdf.<name>] and name it".to_owned()
                    }
                    names => format!("Name one of {names}, or add the section"),
                },
            );
            continue;
        };
        if let (Some(password), Some(principal)) = (password, principal) {
            users.push(User {
                name: settings.name.clone(),
                password,
                identity: principal.identity(&settings.name),
            });
        }
    }
    users
}

/// Files that must be there at start.
fn check_files(tree: &Tree, directory: &Path, findings: &mut Findings) {
    for (key, file) in [
        ("listen.tls_certificate", &tree.listen.tls_certificate),
        ("listen.tls_private_key", &tree.listen.tls_private_key),
    ] {
        let Some(file) = file else { continue };
        let path = directory.join(file);
        if let Err(error) = std::fs::File::open(&path) {
            findings.note(
                key,
                format!("{} cannot be read: {error}", path.display()),
                "Name a file that exists and that this user may read",
            );
        }
    }
}
