//! `penstock check`: whether a configuration can be used.
//!
//! Owns the summary of a configuration. Promises exit code 1 and every problem on standard error
//! when it cannot be used, and that no secret is printed. Never contacts anybody without
//! `--online`.

use crate::cdf::{CdfClient, Credentials, Identity, TokenCache};
use crate::config::{Configuration, Password};
use crate::engine::Server;
use crate::oidc::{CdfTarget, KeySource, TokenCheck};
use crate::wire::SignInMethod;
use clap::Args;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Options of `penstock check`.
#[derive(Args)]
pub struct CheckArguments {
    /// The configuration file
    file: PathBuf,
    /// Fetch the keys of every issuer, and a token for every user and every [[principals]] rule with
    /// stored credentials, and ask CDF what it may do; look at the PostgreSQL of engine.url; changes nothing
    #[arg(long)]
    online: bool,
}

/// Checks, prints, and tells by the exit code.
pub fn run(arguments: &CheckArguments) -> ExitCode {
    let configuration = match Configuration::load(&arguments.file) {
        Ok(configuration) => configuration,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match summary(&configuration) {
        Ok(summary) => print!("{} can be used.\n{summary}", arguments.file.display()),
        Err(fmt::Error) => return ExitCode::FAILURE,
    }
    for warning in configuration.warnings() {
        println!("Warning: {warning}.");
    }
    if arguments.online && !all_is_well_online(&configuration) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Prints what comes of every look: at the issuers' keys, at the PostgreSQL of engines, and at the tokens that rows are sent with;
/// `false` if one fails.
fn all_is_well_online(configuration: &Configuration) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime for the network: {error}");
            return false;
        }
    };
    let timeout = Duration::from_secs(configuration.retry.request_timeout_s);
    let client = match CdfClient::new(timeout, Arc::new(TokenCache::new())) {
        Ok(client) => client,
        Err(error) => {
            eprintln!("{error}");
            return false;
        }
    };
    let mut all_open = keys_can_be_fetched(configuration, &runtime);
    all_open &= engine_can_be_used(configuration);
    for (whose, identity) in identities(configuration) {
        all_open &= opens_its_project(&client, &runtime, &whose, &identity);
    }
    all_open
}

/// Prints what comes of a look at the PostgreSQL of `engine.url`, if there is one; `false` if it will
/// not do.
fn engine_can_be_used(configuration: &Configuration) -> bool {
    let Some(server) = Server::of(&configuration.engine) else {
        return true;
    };
    match server.check() {
        Ok(()) => println!("  online     engine.url: the PostgreSQL can be used"),
        Err(fault) => {
            eprintln!("engine.url: {fault}");
            return false;
        }
    }
    true
}

/// As whom rows are written, each once: for every user, and for owners of tokens where a rule gives
/// them credentials of the configuration.
fn identities(configuration: &Configuration) -> Vec<(String, Arc<Identity>)> {
    let users = configuration.users.iter();
    let mut all: Vec<(String, Arc<Identity>)> = users
        .map(|user| (format!("user {}", user.name), user.identity.clone()))
        .collect();
    for rule in &configuration.principals {
        if let CdfTarget::Stored(identity) = &rule.target
            && !all.iter().any(|(_, other)| other == identity)
        {
            all.push((format!("principals {}", rule.users), identity.clone()));
        }
    }
    all
}

/// Prints what CDF says of the token of `identity`; `false` if it does not open the project.
fn opens_its_project(
    client: &CdfClient,
    runtime: &Runtime,
    whose: &str,
    identity: &Identity,
) -> bool {
    let project = &identity.project.name;
    let token = match runtime.block_on(client.inspect_token(identity)) {
        Ok(token) => token,
        Err(error) => {
            eprintln!("{whose}: {error}");
            return false;
        }
    };
    if !token.projects.contains(project) {
        eprintln!(
            "{whose}: the token does not open the project {project}; it opens: {}.",
            token.projects.join(", ")
        );
        return false;
    }
    let lacking: Vec<&str> = NEEDED
        .iter()
        .filter(|(acl, action, _)| !token.allows(project, acl, action))
        .map(|(_, _, meaning)| *meaning)
        .collect();
    let lacking = match lacking.is_empty() {
        true => String::new(),
        false => format!("; it may not {}", lacking.join(", not ")),
    };
    println!(
        "  online     {whose}: CDF knows the token as {} in {project}{lacking}",
        token.subject
    );
    true
}

/// What the tables need of CDF: the access list, the action, and what it is for.
const NEEDED: [(&str, &str, &str); 4] = [
    ("timeSeriesAcl", "READ", "look up time series"),
    ("timeSeriesAcl", "WRITE", "write datapoints and time series"),
    ("rawAcl", "WRITE", "write RAW rows"),
    ("rawAcl", "LIST", "make RAW tables"),
];

/// What a reader wants to see at a glance: addresses, users, bounds.
fn summary(configuration: &Configuration) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let listen = &configuration.listen;
    let tls = match (&listen.tls_certificate, listen.require_tls) {
        (None, _) => "no TLS",
        (Some(_), false) => "TLS if the client wants it",
        (Some(_), true) => "TLS only",
    };
    writeln!(text, "  clients    {}, {tls}", listen.postgres)?;
    writeln!(text, "  http       {}", listen.http)?;
    for user in &configuration.users {
        let identity = &user.identity;
        let password = match &user.password {
            Password::Plain(_) => "password",
            Password::Verifier(_) => "SCRAM verifier",
        };
        let credentials = match &identity.credentials {
            Credentials::ClientCredentials { client_id, .. } => format!("client {client_id}"),
            Credentials::FixedToken(_) => "a fixed token".to_owned(),
            Credentials::Session(session) => format!("session {}", session.id),
            Credentials::CallerToken { .. } => "the caller's token".to_owned(),
            Credentials::OnBehalfOf { client_id, .. } => {
                format!("client {client_id}, on behalf of the caller")
            }
        };
        writeln!(
            text,
            "  user       {} ({password}) writes to project {} at {} as {credentials}{}",
            user.name,
            identity.project.name,
            identity.project.base_url,
            if identity.create_missing_time_series {
                ", making missing time series"
            } else {
                ""
            }
        )?;
    }
    sign_in_summary(&mut text, configuration)?;
    let memory = &configuration.memory;
    writeln!(
        text,
        "  memory     {} of rows under way, {} per connection, {} staged",
        mebibytes(memory.rows_bytes_max),
        mebibytes(memory.rows_bytes_max_per_connection),
        mebibytes(configuration.transactions.staged_bytes_max_total),
    )?;
    let requests: BTreeMap<&str, usize> = crate::catalog::Resource::ALL
        .iter()
        .map(|resource| {
            let batch = configuration.batch.of(*resource);
            (resource.name(), batch.in_flight_max)
        })
        .collect();
    let requests: Vec<String> = requests
        .iter()
        .map(|(name, in_flight)| format!("{name} {in_flight}"))
        .collect();
    writeln!(text, "  in flight  {}", requests.join(", "))?;
    let transactions = &configuration.transactions;
    if let Some(directory) = &transactions.spool_directory {
        writeln!(
            text,
            "  spool      in {}, {:.0} MiB per transaction, {:.0} MiB together",
            directory.display(),
            transactions.spool_bytes_max as f64 / f64::from(1 << 20),
            transactions.spool_bytes_max_total as f64 / f64::from(1 << 20),
        )?;
    }
    match &configuration.dead_letters.directory {
        Some(directory) => writeln!(
            text,
            "  letters    in {}, {:.0} MiB, {}",
            directory.display(),
            configuration.dead_letters.bytes_max as f64 / f64::from(1 << 20),
            match configuration.dead_letters.keep_days {
                0 => "of any age".to_owned(),
                days => format!("up to {days} days"),
            }
        )?,
        None => writeln!(text, "  letters    none are kept")?,
    }
    let limits = match &configuration.limits_file {
        Some(file) => format!("of {}", file.display()),
        None => "of the configuration, over the compiled-in ones".to_owned(),
    };
    writeln!(
        text,
        "  limits     {limits}, share {}",
        configuration.limits.budget_share
    )?;
    Ok(text)
}

/// Who signs in how, and as whom owners of tokens write.
fn sign_in_summary(text: &mut String, configuration: &Configuration) -> fmt::Result {
    for rule in &configuration.sign_in {
        let method = match &rule.method {
            SignInMethod::Scram => "by password".to_owned(),
            SignInMethod::Reject => "not at all".to_owned(),
            SignInMethod::Token { issuer: None } => "by token of any issuer".to_owned(),
            SignInMethod::Token {
                issuer: Some(issuer),
            } => format!("by token of {issuer}"),
            SignInMethod::Oauth { issuer, .. } => {
                format!("by OAUTHBEARER with a token of {issuer}")
            }
        };
        writeln!(text, "  sign-in    {}: {method}", rule.users)?;
    }
    for issuer in &configuration.issuers {
        let (KeySource::KeySet(url) | KeySource::Discovery(url)) = &issuer.keys;
        writeln!(text, "  issuer     {} with the keys of {url}", issuer.name)?;
    }
    for rule in &configuration.principals {
        let target = match &rule.target {
            CdfTarget::Stored(identity) => {
                format!(
                    "write to project {} as {}",
                    identity.project.name, identity.name
                )
            }
            CdfTarget::OnBehalfOf {
                project, client_id, ..
            } => format!(
                "write to project {} on their own behalf through client {client_id}",
                project.name
            ),
            CdfTarget::OwnToken { project } => {
                format!("write to project {} with their own tokens", project.name)
            }
        };
        writeln!(text, "  principals {}: {target}", rule.users)?;
    }
    Ok(())
}

/// Prints for every issuer whether its keys can be fetched; `false` if those of one cannot.
fn keys_can_be_fetched(configuration: &Configuration, runtime: &Runtime) -> bool {
    if configuration.issuers.is_empty() {
        return true;
    }
    let issuers = configuration.issuers.iter().cloned();
    let check = match TokenCheck::new(issuers, Vec::new()) {
        Ok(check) => check,
        Err(error) => {
            eprintln!("{error}");
            return false;
        }
    };
    let mut all_fetched = true;
    for (name, fetched) in runtime.block_on(check.fetch_keys()) {
        match fetched {
            Ok(keys) => println!("  online     issuer {name}: keys can be fetched, {keys} of them"),
            Err(error) => {
                all_fetched = false;
                eprintln!("issuer {name}: its keys cannot be fetched: {error}");
            }
        }
    }
    all_fetched
}

fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
