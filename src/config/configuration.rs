//! A configuration that was checked: what the rest of the gateway is given.
//!
//! Owns the way from file, limits file and environment to one value. Promises that defaults
//! fill what is not written, key by key, that the environment wins over files, and that all
//! problems are told at once. Never contacts CDF.

use super::environment::Environment;
use super::issuers::resolve_issuers;
use super::principals::resolve_principals;
use super::problem::{ConfigurationError, Findings};
use super::secret_source::Surroundings;
use super::sign_in::resolve_rules;
use super::sources::Sources;
use super::tree::Tree;
use super::user::{Password, User, resolve_cdf, resolve_users};
use super::{
    AccountsSettings, AdminSettings, BatchTable, CopySettings, DeadLetterSettings, EngineSettings,
    JournalSettings, LimitsTable, ListenSettings, LogSettings, MemorySettings, PacingSettings,
    RetrySettings, RuntimeSettings, SignInFailureSettings, StateSettings, StatementSettings,
    TableSettings, TimeoutSettings, TransactionSettings, checks,
};
use crate::oidc::{Issuer, PrincipalRule};
use crate::wire::SignInRule;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Everything that operators decide. The default has no users: nobody can sign in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    pub listen: ListenSettings,
    pub runtime: RuntimeSettings,
    pub memory: MemorySettings,
    pub transactions: TransactionSettings,
    pub copy: CopySettings,
    pub statements: StatementSettings,
    pub engine: EngineSettings,
    /// By name of a table.
    pub tables: BTreeMap<String, TableSettings>,
    pub journal: JournalSettings,
    pub timeouts: TimeoutSettings,
    pub batch: BatchTable,
    pub retry: RetrySettings,
    pub pacing: PacingSettings,
    pub limits: LimitsTable,
    /// The directory starts at the directory of the file.
    pub dead_letters: DeadLetterSettings,
    /// A path starts at the directory of the file.
    pub state: StateSettings,
    pub accounts: AccountsSettings,
    pub admin: AdminSettings,
    pub logs: LogSettings,
    /// Unique by name.
    pub users: Vec<User>,
    /// Of which the first that fits counts; none: everybody signs in with a password.
    pub sign_in: Vec<SignInRule>,
    pub sign_in_failures: SignInFailureSettings,
    /// Unique by name.
    pub issuers: Vec<Issuer>,
    /// Of which the first that fits counts.
    pub principals: Vec<PrincipalRule>,
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
        let sections = resolve_cdf(&tree, &surroundings, &mut findings);
        let users = resolve_users(&tree, &sections, &surroundings, &mut findings);
        let sign_in = resolve_rules(&tree, &mut findings);
        let issuers = resolve_issuers(&tree, &mut findings);
        let principals = resolve_principals(&tree, &sections, &mut findings);
        drop(sections);
        let admin = tree.admin.resolve(&surroundings, &mut findings);
        let state = tree.state.resolve(&surroundings, &mut findings);
        let engine = tree.engine.resolve(&surroundings, &mut findings);
        check_files(&tree, surroundings.directory, &mut findings);
        if !findings.found.is_empty() {
            return Err(sources.locate(findings));
        }
        let directory = surroundings.directory;
        let listen = ListenSettings {
            tls_certificate: tree.listen.tls_certificate.map(|file| directory.join(file)),
            tls_private_key: tree.listen.tls_private_key.map(|file| directory.join(file)),
            tls_client_ca: tree.listen.tls_client_ca.map(|file| directory.join(file)),
            ..tree.listen
        };
        let journal = JournalSettings {
            directory: tree.journal.directory.map(|path| directory.join(path)),
            ..tree.journal
        };
        let state_file = tree.pacing.state_file.map(|file| directory.join(file));
        let pacing = PacingSettings {
            // A journal is sent again after a crash: then it must be known that there was one.
            state_file: state_file.or_else(|| journal.directory.as_deref().map(beside)),
            ..tree.pacing
        };
        Ok(Configuration {
            listen,
            runtime: tree.runtime,
            memory: tree.memory,
            transactions: TransactionSettings {
                spool_directory: tree
                    .transactions
                    .spool_directory
                    .map(|name| directory.join(name)),
                ..tree.transactions
            },
            copy: tree.copy,
            statements: tree.statements,
            engine,
            tables: tree.tables,
            journal,
            timeouts: tree.timeouts,
            batch: tree.batch,
            retry: tree.retry,
            pacing,
            limits: tree.limits,
            dead_letters: DeadLetterSettings {
                directory: tree.dead_letters.directory.map(|name| directory.join(name)),
                ..tree.dead_letters
            },
            state,
            accounts: tree.accounts,
            admin,
            logs: tree.logs,
            users,
            sign_in,
            sign_in_failures: tree.sign_in_failures,
            issuers,
            principals,
            limits_file: sources.limits_path(),
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
        if self.dead_letters.directory.is_some() && self.admin.token.is_none() {
            warnings.push(
                "dead_letters.directory is set and admin.token is not: dead letters can be listed and deleted on this machine, and neither edited nor replayed"
                    .to_owned(),
            );
        }
        if self.admin.token.is_some() && !listen.http.ip().is_loopback() {
            warnings.push(format!(
                "listen.http is {} and admin.token is set: the token and rows can pass the network in clear text",
                listen.http
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
                && verifier.iterations() < 4096
            {
                warnings.push(format!(
                    "user {}: a SCRAM verifier with {} iterations is weak; PostgreSQL makes 4096",
                    user.name,
                    verifier.iterations()
                ));
            }
        }
        warnings
    }
}

/// Files that must be there at start.
fn check_files(tree: &Tree, directory: &Path, findings: &mut Findings) {
    for (key, file) in [
        ("listen.tls_certificate", &tree.listen.tls_certificate),
        ("listen.tls_private_key", &tree.listen.tls_private_key),
        ("listen.tls_client_ca", &tree.listen.tls_client_ca),
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

/// The file of spent budgets that belongs to a journal: beside its directory.
fn beside(journal: &Path) -> PathBuf {
    let mut file = journal.as_os_str().to_owned();
    file.push(".pacing");
    file.into()
}
