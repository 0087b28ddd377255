//! Users in the state store of a configuration.
//!
//! Owns what the commands do there. Promises that a user whom the gateway would not use is not
//! made. Never contacts CDF: whether credentials work shows when the user signs in and writes.

use super::{CreateArguments, DialectOption, Done, SecretArguments};
use crate::catalog::Dialect;
use crate::cdf::Project;
use crate::config::Configuration;
use crate::state::{Account, AccountCredentials, NewUser, StateStore, name_fault, new_password};
use crate::wire::ScramVerifier;
use jiff::Timestamp;
use std::path::Path;

fn open(config: &Path) -> Result<(Configuration, StateStore), String> {
    let configuration = Configuration::load(config).map_err(|error| error.to_string())?;
    let location = configuration.state.location.clone().ok_or_else(|| {
        "the configuration names no state store: set state.path, for example to \"state.sqlite\""
            .to_owned()
    })?;
    let store = StateStore::open(&location, configuration.state.keys());
    Ok((configuration, store.map_err(|error| error.to_string())?))
}

pub(super) fn create(config: &Path, create: &CreateArguments) -> Done {
    let (configuration, mut store) = open(config)?;
    let needed = |option: &Option<String>, name: &str| {
        let value = option.clone().filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("{name} is needed"))
    };
    let base_url = create
        .base_url
        .clone()
        .unwrap_or_else(|| configuration.accounts.cdf_base_url.clone());
    let base_url = base_url.trim_end_matches('/').to_owned();
    if base_url.is_empty() {
        return Err("--base-url is needed, or accounts.cdf_base_url".to_owned());
    }
    let project = Project {
        name: needed(&create.place.project, "--project")?,
        base_url: base_url.clone(),
    };
    let client_id = needed(&create.client_id, "--client-id")?;
    let credentials = AccountCredentials::Client {
        token_url: needed(&create.token_url, "--token-url")?,
        client_id: client_id.clone(),
        client_secret: create.secret.read()?,
        scope: create
            .scope
            .clone()
            .unwrap_or_else(|| format!("{base_url}/.default")),
    };
    let dialect = match create.dialect {
        DialectOption::First => Dialect::First,
        DialectOption::Second => Dialect::Second,
    };
    let now = Timestamp::now();
    let new = match &create.name {
        Some(name) => {
            if let Some(fault) = name_fault(name) {
                return Err(fault.to_owned());
            }
            if configuration.users.iter().any(|user| user.name == *name) {
                return Err(format!("the configuration has a user \"{name}\""));
            }
            NewUser::named(name.clone(), project, dialect, client_id, credentials, now)
        }
        None => NewUser::generate(project, dialect, client_id, credentials, now),
    };
    store
        .create_account(&new.account)
        .map_err(|error| error.to_string())?;
    Ok(format!(
        "username {}\npassword {}\n\nThe password is not kept: copy it now.\n",
        new.account.name,
        new.password.expose()
    ))
}

pub(super) fn list(config: &Path, project: Option<&str>) -> Done {
    let (_, mut store) = open(config)?;
    let accounts = store
        .accounts(None, None, usize::MAX)
        .map_err(|error| error.to_string())?;
    let meant = accounts
        .iter()
        .filter(|account| project.is_none_or(|project| account.project.name == project));
    Ok(meant.map(line).collect())
}

fn line(account: &Account) -> String {
    let credentials = match &account.credentials {
        AccountCredentials::Client { client_id, .. } => format!("client {client_id}"),
        AccountCredentials::Session { id, .. } => format!("session {id}"),
        AccountCredentials::None => "no credentials".to_owned(),
    };
    let version = match account.dialect {
        Dialect::First => "1.0",
        Dialect::Second => "2.0",
    };
    format!(
        "{}  project {}, version {version}, {credentials}\n",
        account.name, account.project.name
    )
}

fn no_user(name: &str) -> String {
    format!("the state store has no user \"{name}\"")
}

pub(super) fn delete(config: &Path, name: &str) -> Done {
    let (_, mut store) = open(config)?;
    match store.delete_account(name) {
        Ok(true) => Ok(format!(
            "deleted {name} and its tables; what they wrote stays in CDF\n"
        )),
        Ok(false) => Err(no_user(name)),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn rotate_password(config: &Path, name: &str) -> Done {
    let (_, mut store) = open(config)?;
    let password = new_password();
    let verifier = ScramVerifier::from_password(password.expose());
    match store.replace_verifier(name, &verifier, Timestamp::now()) {
        Ok(true) => Ok(format!(
            "username {name}\npassword {}\n\nThe password is not kept: copy it now. \
             Connections that are open stay so.\n",
            password.expose()
        )),
        Ok(false) => Err(no_user(name)),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn rotate_secret(config: &Path, name: &str, secret: &SecretArguments) -> Done {
    let (_, mut store) = open(config)?;
    let account = store.account(name).map_err(|error| error.to_string())?;
    let account = account.ok_or_else(|| no_user(name))?;
    let AccountCredentials::Client {
        token_url,
        client_id,
        scope,
        ..
    } = account.credentials
    else {
        return Err(format!(
            "the user \"{name}\" has no client secret; a user with a session gets another one by the \
             nonce of a new session (POST …/postgresgateway/update)"
        ));
    };
    let credentials = AccountCredentials::Client {
        token_url,
        client_id,
        client_secret: secret.read()?,
        scope,
    };
    store
        .replace_credentials(name, &credentials, &account.principal, Timestamp::now())
        .map_err(|error| error.to_string())?
        // It was deleted meanwhile.
        .ok_or_else(|| no_user(name))?;
    Ok(format!(
        "{name} has the new secret; its open connections end, so that what comes next goes by it\n"
    ))
}
