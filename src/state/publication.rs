//! Making the store's users and tables known to the process.
//!
//! Owns what was made known last. Promises that an account that did not change keeps its identity,
//! to which limits, order and caches are tied; that a user who is gone, or has other credentials,
//! loses the open connections; and that one account that cannot be used keeps no other from being
//! known. Never on a row's way.

use super::StateError;
use super::account::{Account, AccountCredentials};
use super::accounts::Unreadable;
use super::store::{StateStore, StoreVersion, StoredTable};
use crate::catalog::{
    CustomTables, Dialect, Table, custom_table, publish_custom_tables, publish_custom_tables_of,
};
use crate::cdf::{Credentials, Identity, RequiredAccess, Secret, SessionCredentials};
use crate::config::{AccountsSettings, UserModes};
use crate::wire::{Departure, GatewayUser, OpenConnections, Users, Whom};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Accounts that are read at once.
const PAGE: usize = 1000;

/// The count of changes before any account.
const BEFORE_ALL: i64 = -1;

/// Why nobody signs in as a user without credentials.
const NO_SESSION: &str =
    "this user has no session of CDF any more: an administrator of the gateway can give it one";

/// Where users become known, and what belongs to all of them.
pub struct Publication {
    users: Users,
    connections: OpenConnections,
    settings: AccountsSettings,
    known: HashMap<String, (Account, Arc<GatewayUser>)>,
    seen: StoreVersion,
}

impl Publication {
    pub fn new(users: Users, connections: OpenConnections, settings: AccountsSettings) -> Self {
        Publication {
            users,
            connections,
            settings,
            known: HashMap::new(),
            seen: StoreVersion {
                changes: BEFORE_ALL,
                tables: BEFORE_ALL,
            },
        }
    }

    /// Makes everything known as the store has it; the first time.
    ///
    /// # Errors
    /// The store cannot be read, or a secret in it not opened.
    pub(super) fn publish(&mut self, store: &mut StateStore) -> Result<(), StateError> {
        let version = store.version()?;
        self.publish_tables(store)?;
        self.take_changed(store, BEFORE_ALL, |unreadable| Err(unreadable.error))?;
        self.seen = version;
        Ok(())
    }

    /// Makes known what others changed since the last look.
    ///
    /// # Errors
    /// The store cannot be read. An account that cannot be used is no such error.
    pub(super) fn look(&mut self, store: &mut StateStore) -> Result<(), StateError> {
        // Before what it counts: what comes meanwhile is seen once more at the next look.
        let version = store.version()?;
        if version == self.seen {
            return Ok(());
        }
        let there: HashSet<String> = store.account_names()?.into_iter().collect();
        let gone = self.known.keys().filter(|name| !there.contains(*name));
        for name in gone.cloned().collect::<Vec<String>>() {
            self.drop_user(&name);
        }
        // A count that went back is that of a store put back from a copy: its changes are none that
        // were seen.
        let since = match version.changes < self.seen.changes {
            true => BEFORE_ALL,
            false => self.seen.changes,
        };
        let mut unreadable = Vec::new();
        self.take_changed(store, since, |account| {
            unreadable.push(account);
            Ok(())
        })?;
        for account in unreadable {
            self.cannot_read(account);
        }
        if since == BEFORE_ALL || version.tables != self.seen.tables {
            self.publish_tables(store)?;
        }
        self.seen = version;
        Ok(())
    }

    /// Takes the store's last change through this process for seen: it is made known, so the next
    /// look has nothing to read. Where others changed something before it, the look reads all the
    /// same.
    pub(super) fn made_known(&mut self, store: &StateStore) {
        if let Some(own) = store.own_change
            && own.changes == self.seen.changes + 1
        {
            self.seen = own;
        }
    }

    fn take_changed(
        &mut self,
        store: &mut StateStore,
        since: i64,
        mut otherwise: impl FnMut(Unreadable) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut after = String::new();
        loop {
            let page = store.accounts_changed(since, &after, PAGE)?;
            let is_last = page.len() < PAGE;
            for read in page {
                match read {
                    Ok(account) => {
                        after.clone_from(&account.name);
                        self.take(account);
                    }
                    Err(unreadable) => {
                        after.clone_from(&unreadable.name);
                        otherwise(unreadable)?;
                    }
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// What was known stays if only its sealing changed; else somebody has taken it away or given
    /// something that this process does not know.
    fn cannot_read(&mut self, unreadable: Unreadable) {
        let Unreadable {
            name,
            updated_ms,
            error,
        } = unreadable;
        let known = self.known.get(&name);
        let stays = known.is_some_and(|(known, _)| known.updated_ms == updated_ms);
        if !stays && self.known.remove(&name).is_some() && !self.users.is_configured(&name) {
            self.users.set_account(&name, None);
            self.depart(&name, Departure::Changed);
        }
        tracing::error!(user = name, stays, %error, "a user cannot be used as the state store has it");
    }

    /// Makes the tables of all users known as the store has them.
    pub(super) fn publish_tables(&self, store: &mut StateStore) -> Result<(), StateError> {
        let tables = usable(store.tables(None)?).into_iter();
        publish_custom_tables(
            tables
                .map(|(user, tables)| (user, CustomTables::new(tables)))
                .collect(),
        );
        Ok(())
    }

    /// Makes the tables of one user known as the store has them.
    pub(super) fn publish_tables_of(
        &self,
        store: &mut StateStore,
        user: &str,
    ) -> Result<(), StateError> {
        let tables = usable(store.tables(Some(user))?).remove(user);
        publish_custom_tables_of(user, CustomTables::new(tables.unwrap_or_default()));
        Ok(())
    }

    /// Refuses a name that the configuration has.
    pub(super) fn check_name(&self, name: &str) -> Result<(), StateError> {
        if self.users.is_configured(name) {
            return Err(StateError::Refused(format!(
                "the configuration has a user \"{name}\""
            )));
        }
        Ok(())
    }

    /// Makes one account known as the store has it.
    pub(super) fn publish_account(
        &mut self,
        store: &mut StateStore,
        name: &str,
    ) -> Result<(), StateError> {
        match store.account(name)? {
            Some(account) => self.take(account),
            None => self.drop_user(name),
        }
        Ok(())
    }

    fn take(&mut self, account: Account) {
        if self.users.is_configured(&account.name) {
            if !self.known.contains_key(&account.name) {
                let user = &account.name;
                tracing::warn!(
                    user,
                    "the state store has a user of the configuration's name: the configuration's is used"
                );
            }
            let user = self.user(&account, None);
            self.known.insert(account.name.clone(), (account, user));
            return;
        }
        let known = self.known.get(&account.name);
        if known.is_some_and(|(known, _)| is_same(known, &account)) {
            return;
        }
        let is_other_principal = known.is_some_and(|(known, _)| !has_same_access(known, &account));
        let identity = known
            .filter(|_| !is_other_principal)
            .map(|(_, user)| user.identity.clone());
        let user = self.user(&account, identity);
        self.users.set_account(&account.name, Some(user.clone()));
        if is_other_principal {
            self.depart(&account.name, Departure::Changed);
        }
        self.known.insert(account.name.clone(), (account, user));
    }

    fn drop_user(&mut self, name: &str) {
        if self.known.remove(name).is_some() && !self.users.is_configured(name) {
            self.users.set_account(name, None);
            self.depart(name, Departure::Deleted);
        }
    }

    fn depart(&self, name: &str, departure: Departure) {
        let count = self
            .connections
            .depart(departure, Whom::User(name.to_owned()));
        if count > 0 {
            tracing::info!(user = name, count, ?departure, "connections of a user end");
        }
    }

    fn user(&self, account: &Account, identity: Option<Arc<Identity>>) -> Arc<GatewayUser> {
        Arc::new(GatewayUser {
            name: account.name.clone(),
            scram: account.verifier.clone(),
            identity: identity.unwrap_or_else(|| Arc::new(identity_of(account, &self.settings))),
            modes: UserModes {
                dialect: account.dialect,
                ..UserModes::default()
            },
            barred: match account.credentials {
                AccountCredentials::None => Some(NO_SESSION),
                _ => None,
            },
        })
    }
}

/// As whom the account's rows are sent.
pub fn identity_of(account: &Account, settings: &AccountsSettings) -> Identity {
    let credentials = match &account.credentials {
        AccountCredentials::Client {
            token_url,
            client_id,
            client_secret,
            scope,
        } => Credentials::ClientCredentials {
            token_url: token_url.clone(),
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            scope: scope.clone(),
            audience: String::new(),
        },
        AccountCredentials::Session { id, key } => {
            let project = &account.project;
            let exchange_url = settings.session_exchange_url(&project.base_url, &project.name);
            Credentials::Session(SessionCredentials::new(exchange_url, *id, key.clone()))
        }
        AccountCredentials::None => Credentials::FixedToken(Secret::new("")),
    };
    Identity {
        project: account.project.clone(),
        name: account.principal.clone(),
        credentials,
        create_missing_time_series: false,
        required_access: match account.dialect {
            Dialect::First => RequiredAccess::ProjectAndGroups,
            Dialect::Second => RequiredAccess::PostgresGateway,
        },
    }
}

/// A session's key is renewed by its use, and its user stays the same.
fn is_same(known: &Account, account: &Account) -> bool {
    known.verifier == account.verifier
        && known.dialect == account.dialect
        && has_same_access(known, account)
}

fn has_same_access(known: &Account, account: &Account) -> bool {
    let same_credentials = match (&known.credentials, &account.credentials) {
        (AccountCredentials::Session { id: known, .. }, AccountCredentials::Session { id, .. }) => {
            known == id
        }
        (known, given) => known == given,
    };
    same_credentials && known.principal == account.principal && known.project == account.project
}

/// The tables that can be used, by their users.
fn usable(stored: Vec<StoredTable>) -> HashMap<String, Vec<&'static Table>> {
    let mut tables: HashMap<String, Vec<&'static Table>> = HashMap::new();
    for stored in stored {
        match custom_table(&stored.definition) {
            Ok(table) => tables.entry(stored.user).or_default().push(table),
            Err(fault) => {
                let (user, table) = (&stored.user, &stored.definition.name);
                tracing::error!(user, table, %fault, "a custom table cannot be used");
            }
        }
    }
    tables
}
