//! The accounts in the state store.
//!
//! Owns the table `accounts`: secrets go in sealed and come out opened. Promises that an account
//! goes with its tables, and that a secret that cannot be opened is an error that names the user.
//! Never stores a password.

use super::StateError;
use super::account::{Account, AccountCredentials, name_fault};
use super::database::{Ask, Fault, Row, Value};
use super::keys_in_use::claim;
use super::sealing::SealingFault;
use super::store::{StateStore, Undone, tables_change};
use crate::catalog::Dialect;
use crate::cdf::{Project, Secret};
use crate::wire::ScramVerifier;
use jiff::Timestamp;

const COLUMNS: &str = "name, base_url, project, dialect, verifier, principal, kind, token_url, \
                       client_id, scope, session_id, sealed, created_ms, updated_ms";

/// What a secret is sealed for, beside its user.
pub(super) const SECRET_FIELD: &str = "client_secret";
pub(super) const KEY_FIELD: &str = "session_key";

/// An account that is there and cannot be used.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub name: String,
    /// As in [`Account`].
    pub updated_ms: i64,
    pub error: StateError,
}

/// How credentials stand in a row.
struct Columns {
    kind: &'static str,
    token_url: String,
    client_id: String,
    scope: String,
    session_id: i64,
    sealed: String,
}

impl StateStore {
    /// Adds an account.
    ///
    /// # Errors
    /// Refused when the name is taken or cannot be a name; no key; the store cannot be written.
    pub fn create_account(&mut self, account: &Account) -> Result<(), StateError> {
        if let Some(fault) = name_fault(&account.name) {
            return Err(StateError::Refused(fault.to_owned()));
        }
        let columns = self.columns(&account.name, &account.credentials)?;
        self.change_accounts(&account.credentials, |ask| {
            let added = ask.execute(
                &format!(
                    "INSERT INTO accounts ({COLUMNS}, changed) \
                     SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), \
                     CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS TEXT), \
                     CAST($8 AS TEXT), CAST($9 AS TEXT), CAST($10 AS TEXT), \
                     CAST($11 AS BIGINT), CAST($12 AS TEXT), CAST($13 AS BIGINT), \
                     CAST($14 AS BIGINT), count + 1 FROM changes WHERE one = 1 \
                     ON CONFLICT DO NOTHING"
                ),
                &[
                    account.name.as_str().into(),
                    account.project.base_url.as_str().into(),
                    account.project.name.as_str().into(),
                    dialect_name(account.dialect).into(),
                    account.verifier.to_text().into(),
                    account.principal.as_str().into(),
                    columns.kind.into(),
                    columns.token_url.into(),
                    columns.client_id.into(),
                    columns.scope.into(),
                    columns.session_id.into(),
                    columns.sealed.into(),
                    account.created_ms.into(),
                    account.updated_ms.into(),
                ],
            )?;
            if added == 0 {
                return Err(StateError::Refused(format!(
                    "there is a user \"{}\" already",
                    account.name
                ))
                .into());
            }
            Ok(())
        })
    }

    /// The account of that name.
    ///
    /// # Errors
    /// The store cannot be read, or the secret not opened.
    pub fn account(&mut self, name: &str) -> Result<Option<Account>, StateError> {
        let rows = self.query(
            &format!("SELECT {COLUMNS} FROM accounts WHERE name = $1"),
            &[name.into()],
        )?;
        rows.first().map(|row| self.read(row)).transpose()
    }

    /// Accounts by name, behind `after`, at most `limit`; those of one project, or all.
    ///
    /// # Errors
    /// As [`Self::account`].
    pub fn accounts(
        &mut self,
        project: Option<&Project>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Account>, StateError> {
        let mut conditions = vec!["name > $1"];
        let mut values: Vec<Value> = vec![after.unwrap_or_default().into()];
        if let Some(project) = project {
            conditions.push("project = $2 AND base_url = $3");
            values.push(project.name.as_str().into());
            values.push(project.base_url.as_str().into());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.query(
            &format!(
                "SELECT {COLUMNS} FROM accounts WHERE {} ORDER BY name LIMIT {limit}",
                conditions.join(" AND ")
            ),
            &values,
        )?;
        rows.iter().map(|row| self.read(row)).collect()
    }

    /// The names of all accounts.
    pub(super) fn account_names(&mut self) -> Result<Vec<String>, StateError> {
        let rows = self.query("SELECT name FROM accounts", &[])?;
        let names = rows.iter().map(|row| row.text(0)).collect::<Result<_, _>>();
        names.map_err(|fault| self.failed(fault))
    }

    /// The accounts that were made or changed after `changes`, by name behind `after`, at most
    /// `limit`. One that cannot be read keeps no other from being read.
    pub(super) fn accounts_changed(
        &mut self,
        changes: i64,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Result<Account, Unreadable>>, StateError> {
        let rows = self.query(
            &format!(
                "SELECT {COLUMNS} FROM accounts WHERE changed > $1 AND name > $2 \
                 ORDER BY name LIMIT {limit}"
            ),
            &[changes.into(), after.into()],
        )?;
        let read = |row: &Row| match self.read(row) {
            Ok(account) => Ok(Ok(account)),
            Err(error) => Ok(Err(Unreadable {
                name: row.text(0)?,
                updated_ms: row.integer(13)?,
                error,
            })),
        };
        let read: Result<_, Fault> = rows.iter().map(read).collect();
        read.map_err(|fault| self.failed(fault))
    }

    /// A change that may bring a secret.
    fn change_accounts<T>(
        &mut self,
        credentials: &AccountCredentials,
        change: impl FnOnce(&mut dyn Ask) -> Result<T, Undone>,
    ) -> Result<T, StateError> {
        match credentials {
            AccountCredentials::None => self.change(change),
            _ => self.change_sealed(change),
        }
    }

    /// Gives an account other credentials; `None`: there is none of that name.
    ///
    /// # Errors
    /// No key; the store cannot be written.
    pub fn replace_credentials(
        &mut self,
        name: &str,
        credentials: &AccountCredentials,
        principal: &str,
        now: Timestamp,
    ) -> Result<Option<Account>, StateError> {
        let columns = self.columns(name, credentials)?;
        self.change_accounts(credentials, |ask| {
            ask.execute(
                "UPDATE accounts SET kind = $1, token_url = $2, client_id = $3, scope = $4, \
                 session_id = $5, sealed = $6, principal = $7, updated_ms = $8, \
                 changed = (SELECT count + 1 FROM changes) WHERE name = $9",
                &[
                    columns.kind.into(),
                    columns.token_url.into(),
                    columns.client_id.into(),
                    columns.scope.into(),
                    columns.session_id.into(),
                    columns.sealed.into(),
                    principal.into(),
                    now.as_millisecond().into(),
                    name.into(),
                ],
            )?;
            Ok(())
        })?;
        self.account(name)
    }

    /// Gives an account another password; `false`: there is none of that name.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn replace_verifier(
        &mut self,
        name: &str,
        verifier: &ScramVerifier,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.change(|ask| {
            let changed = ask.execute(
                "UPDATE accounts SET verifier = $1, updated_ms = $2, \
                 changed = (SELECT count + 1 FROM changes) WHERE name = $3",
                &[
                    verifier.to_text().into(),
                    now.as_millisecond().into(),
                    name.into(),
                ],
            )?;
            Ok(changed > 0)
        })
    }

    /// Takes an account away, with its tables; `false`: there was none of that name.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn delete_account(&mut self, name: &str) -> Result<bool, StateError> {
        self.change(|ask| {
            let deleted = ask.execute("DELETE FROM accounts WHERE name = $1", &[name.into()])?;
            if deleted > 0 {
                tables_change(ask)?;
                ask.execute(
                    "DELETE FROM custom_tables WHERE user_name = $1",
                    &[name.into()],
                )?;
            }
            Ok(deleted > 0)
        })
    }

    /// Keeps the key that the next exchange of a session needs. Of a session that was replaced
    /// meanwhile it keeps none. Sessions of two CDFs may have one number: `is_of` tells which
    /// projects are meant.
    ///
    /// # Errors
    /// No key to seal it with; the store cannot be written.
    pub fn session_key_renewed(
        &mut self,
        session_id: i64,
        key: &Secret,
        is_of: impl Fn(&Project) -> bool,
    ) -> Result<(), StateError> {
        let keys = self.keys()?;
        let place = self.place.clone();
        // Nobody's sign-in changes by it.
        self.change_unseen(|ask| {
            claim(ask, &keys, &place)?;
            let users = ask.query(
                "SELECT name, base_url, project FROM accounts \
                 WHERE kind = 'session' AND session_id = $1",
                &[session_id.into()],
            )?;
            for user in users {
                let name = user.text(0)?;
                let project = Project {
                    base_url: user.text(1)?,
                    name: user.text(2)?,
                };
                if !is_of(&project) {
                    continue;
                }
                let sealed =
                    keys.seal(&name, KEY_FIELD, key)
                        .map_err(|fault| StateError::Sealed {
                            place: place.clone(),
                            user: name.clone(),
                            fault,
                        })?;
                ask.execute(
                    "UPDATE accounts SET sealed = $1 WHERE name = $2",
                    &[sealed.into(), name.into()],
                )?;
            }
            Ok(())
        })
    }

    fn seal(&self, owner: &str, field: &str, secret: &Secret) -> Result<String, StateError> {
        self.keys()?
            .seal(owner, field, secret)
            .map_err(|fault| self.sealed_fault(owner, fault))
    }

    fn sealed_fault(&self, user: &str, fault: SealingFault) -> StateError {
        StateError::Sealed {
            place: self.place.clone(),
            user: user.to_owned(),
            fault,
        }
    }

    fn columns(
        &self,
        owner: &str,
        credentials: &AccountCredentials,
    ) -> Result<Columns, StateError> {
        let nothing = Columns {
            kind: "none",
            token_url: String::new(),
            client_id: String::new(),
            scope: String::new(),
            session_id: 0,
            sealed: String::new(),
        };
        Ok(match credentials {
            AccountCredentials::Client {
                token_url,
                client_id,
                client_secret,
                scope,
            } => Columns {
                kind: "client",
                token_url: token_url.clone(),
                client_id: client_id.clone(),
                scope: scope.clone(),
                sealed: self.seal(owner, SECRET_FIELD, client_secret)?,
                ..nothing
            },
            AccountCredentials::Session { id, key } => Columns {
                kind: "session",
                session_id: *id,
                sealed: self.seal(owner, KEY_FIELD, key)?,
                ..nothing
            },
            AccountCredentials::None => nothing,
        })
    }

    fn read(&self, row: &Row) -> Result<Account, StateError> {
        let text = |column| row.text(column).map_err(|fault| self.failed(fault));
        let integer = |column| row.integer(column).map_err(|fault| self.failed(fault));
        let name = text(0)?;
        let sealed = text(11)?;
        let open = |field| {
            self.keys()?
                .open(&name, field, &sealed)
                .map_err(|fault| self.sealed_fault(&name, fault))
        };
        let credentials = match text(6)?.as_str() {
            "client" => AccountCredentials::Client {
                token_url: text(7)?,
                client_id: text(8)?,
                client_secret: open(SECRET_FIELD)?,
                scope: text(9)?,
            },
            "session" => AccountCredentials::Session {
                id: integer(10)?,
                key: open(KEY_FIELD)?,
            },
            "none" => AccountCredentials::None,
            other => return Err(self.failed(format!("an account is of the kind {other}"))),
        };
        let verifier = ScramVerifier::parse(&text(4)?)
            .ok_or_else(|| self.failed(format!("the verifier of the user \"{name}\" is none")))?;
        let dialect = match text(3)?.as_str() {
            "1.0" => Dialect::First,
            _ => Dialect::Second,
        };
        Ok(Account {
            project: Project {
                base_url: text(1)?,
                name: text(2)?,
            },
            dialect,
            verifier,
            principal: text(5)?,
            credentials,
            created_ms: integer(12)?,
            updated_ms: integer(13)?,
            name,
        })
    }
}

fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::First => "1.0",
        Dialect::Second => "2.0",
    }
}
