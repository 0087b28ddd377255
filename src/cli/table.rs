//! `penstock table`: the custom tables of a gateway's users.
//!
//! Owns the commands. Promises that a definition is checked before anything is kept, and that a
//! view is read from CDF, as the user's principal, when its table is made. Works on the state
//! store of a configuration, whether its gateway runs or not. Never changes anything in CDF.

use crate::catalog::{Definition, DefinitionFault, InstanceType, Source, custom_table};
use crate::cdf::{CdfClient, Identity, TokenCache, ViewFault};
use crate::config::Configuration;
use crate::state::{StateError, StateStore, StoredTable, identity_of};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Definitions that one command takes, as the tables API does.
const DEFINITIONS_MAX: usize = 10;

/// Options of `penstock table`.
#[derive(Args)]
pub struct TableArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make tables from their definitions as JSON: one object, or {"items": [...]}
    Create {
        #[command(flatten)]
        place: Place,
        /// File with the definitions; - is standard input
        file: PathBuf,
    },
    /// Show the user's tables, a line each
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Show the definition of one table as JSON
    Show {
        #[command(flatten)]
        place: Place,
        name: String,
    },
    /// Take a table away; what it wrote stays in CDF
    Delete {
        #[command(flatten)]
        place: Place,
        name: String,
    },
}

/// Whose tables, and where they are kept.
#[derive(Args, Clone)]
struct Place {
    /// The configuration file of the gateway
    #[arg(long)]
    config: PathBuf,
    /// The gateway user
    #[arg(long)]
    user: String,
}

/// A command that did not do what it was asked; one sentence for a person.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the definition cannot be used: {0}")]
    Definition(#[from] DefinitionFault),
    #[error("{0}")]
    Other(String),
}

/// Runs the command and tells by the exit code.
pub fn run(arguments: &TableArguments) -> ExitCode {
    let done = match &arguments.command {
        Command::Create { place, file } => create(place, file),
        Command::List { place } => list(place),
        Command::Show { place, name } => show(place, name),
        Command::Delete { place, name } => delete(place, name),
    };
    match done {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

/// A user of the configuration, or of the store.
struct Owner {
    name: String,
    identity: Arc<Identity>,
}

/// The configuration, the user, and the store that it names.
fn open(place: &Place) -> Result<(Configuration, Owner, StateStore), Trouble> {
    let configuration =
        Configuration::load(&place.config).map_err(|error| Trouble::Other(error.to_string()))?;
    let location = configuration.state.location.clone().ok_or_else(|| {
        Trouble::Other(
            "the configuration names no state store: set state.path, for example to \"state.sqlite\""
                .to_owned(),
        )
    })?;
    let mut store = StateStore::open(&location, configuration.state.keys())?;
    let configured = configuration
        .users
        .iter()
        .find(|user| user.name == place.user)
        .map(|user| user.identity.clone());
    let identity = match configured {
        Some(identity) => Some(identity),
        None => store
            .account(&place.user)?
            .map(|account| Arc::new(identity_of(&account, &configuration.accounts))),
    };
    let identity = identity.ok_or_else(|| {
        let names: Vec<&str> = configuration
            .users
            .iter()
            .map(|user| user.name.as_str())
            .collect();
        Trouble::Other(format!(
            "there is no user \"{}\" in the state store; the configuration has {}",
            place.user,
            match names.as_slice() {
                [] => "none".to_owned(),
                names => names.join(", "),
            }
        ))
    })?;
    let owner = Owner {
        name: place.user.clone(),
        identity,
    };
    Ok((configuration, owner, store))
}

fn create(place: &Place, file: &Path) -> Result<String, Trouble> {
    let items = items(&read(file)?)?;
    let (configuration, user, mut store) = open(place)?;
    let mut definitions = Vec::with_capacity(items.len());
    for item in &items {
        let definition = match item.get("type").and_then(Value::as_str) {
            Some("view") => of_view(item, &configuration, &user.identity)?,
            _ => Definition::from_json(item)?,
        };
        custom_table(&definition)?;
        definitions.push(definition);
    }
    store.create(&user.name, &definitions, Timestamp::now())?;
    let names: Vec<&str> = definitions
        .iter()
        .map(|definition| definition.name.as_str())
        .collect();
    Ok(format!(
        "made {}; connections that begin from now on have {}\n",
        names.join(", "),
        if names.len() == 1 { "it" } else { "them" }
    ))
}

fn read(file: &Path) -> Result<Value, Trouble> {
    let mut text = String::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().read_to_string(&mut text).map(|_| ()),
        _ => std::fs::read_to_string(file).map(|read| text = read),
    };
    read.map_err(|error| Trouble::Other(format!("{} cannot be read: {error}", file.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| Trouble::Other(format!("{} is not JSON: {error}", file.display())))
}

/// One definition, or those of a request to the tables API.
fn items(value: &Value) -> Result<Vec<Value>, Trouble> {
    let items = match value.get("items") {
        None => vec![value.clone()],
        Some(Value::Array(items)) => items.clone(),
        Some(_) => return Err(Trouble::Other("items must be a list".to_owned())),
    };
    if items.is_empty() || items.len() > DEFINITIONS_MAX {
        return Err(Trouble::Other(format!(
            "there are {} definitions: give 1 to {DEFINITIONS_MAX}",
            items.len()
        )));
    }
    Ok(items)
}

/// The definition of a table of a view, with the properties that the view has now.
fn of_view(
    item: &Value,
    configuration: &Configuration,
    identity: &Identity,
) -> Result<Definition, Trouble> {
    let fields = item.as_object().cloned().unwrap_or_default();
    let timeout = Duration::from_secs(configuration.retry.request_timeout_s);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::Other(format!("no runtime for the network: {error}")))?;
    let client = CdfClient::new(timeout, Arc::new(TokenCache::new()))
        .map_err(|diagnostic| Trouble::Other(diagnostic.to_string()))?;
    runtime
        .block_on(client.view_definition(identity, &fields))
        .map_err(|fault| match fault {
            ViewFault::Definition(fault) => Trouble::Definition(fault),
            other => Trouble::Other(other.to_string()),
        })
}

fn list(place: &Place) -> Result<String, Trouble> {
    let (_, user, mut store) = open(place)?;
    let mut report = String::new();
    for table in store.tables(Some(&user.name))? {
        let place = match &table.definition.source {
            Source::Raw {
                database, table, ..
            } => format!("RAW table {database}.{table}"),
            Source::View {
                space,
                external_id,
                version,
                instance_type,
            } => {
                let kind = match instance_type {
                    InstanceType::Node => "nodes",
                    InstanceType::Edge => "edges",
                };
                format!("{kind} through view {space}.{external_id}/{version}")
            }
        };
        let columns = table.definition.columns.len();
        report.push_str(&format!(
            "{}  {place}, {columns} columns\n",
            table.definition.name
        ));
    }
    Ok(report)
}

fn show(place: &Place, name: &str) -> Result<String, Trouble> {
    let (_, user, mut store) = open(place)?;
    let StoredTable {
        definition,
        created_ms,
        ..
    } = store
        .table(&user.name, name)?
        .ok_or_else(|| no_such_table(&user, name))?;
    let mut shown = definition.to_json();
    shown["createdTime"] = json!(created_ms);
    Ok(format!("{shown:#}\n"))
}

fn delete(place: &Place, name: &str) -> Result<String, Trouble> {
    let (_, user, mut store) = open(place)?;
    if !store.delete(&user.name, name)? {
        return Err(no_such_table(&user, name));
    }
    Ok(format!(
        "deleted {name}; connections that have begun keep it, and CDF keeps its rows\n"
    ))
}

fn no_such_table(user: &Owner, name: &str) -> Trouble {
    Trouble::Other(format!(
        "the user \"{}\" has no table \"{name}\"",
        user.name
    ))
}
