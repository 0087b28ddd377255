//! The applications and users that the identity provider knows.
//!
//! Owns which there are, and which pair signs in. While no application is defined, any
//! pair of client id and secret signs in; from the first definition on only the defined
//! ones do. What a token says was true when it was issued: changes here show in the next.

use super::entries::{Application, User};
use super::oauth_error::OauthError;
use super::tokens::{Hash, hash};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[derive(Debug, Clone, Default)]
struct Entries {
    applications: BTreeMap<String, Application>,
    users: BTreeMap<String, User>,
}

/// The directory of one emulator.
#[derive(Debug)]
pub struct Directory {
    entries: RwLock<Entries>,
    /// Whether only defined applications sign in. Stays so when the last one is deleted.
    closed: AtomicBool,
    at_start: (Entries, bool),
}

impl Directory {
    pub fn new(applications: Vec<Application>, users: Vec<User>, closed: bool) -> Self {
        let closed = closed || !applications.is_empty();
        let named = applications
            .into_iter()
            .map(|application| (application.client_id.clone(), application));
        let users = users.into_iter().map(|user| (user.upn.clone(), user));
        let entries = Entries {
            applications: named.collect(),
            users: users.collect(),
        };
        Self {
            at_start: (entries.clone(), closed),
            entries: RwLock::new(entries),
            closed: AtomicBool::new(closed),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        // Whole entries are inserted and removed: a panic leaves none half written.
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The application that this pair belongs to.
    pub fn sign_in(
        &self,
        client_id: &str,
        secret: &str,
        tenant: &str,
    ) -> Result<Application, OauthError> {
        if !self.closed.load(Ordering::Relaxed) {
            return Ok(Application {
                client_id: client_id.to_owned(),
                ..Application::default()
            });
        }
        let entries = self.read();
        let known = entries.applications.get(client_id).filter(|application| {
            let home = application.tenant.as_deref();
            home.is_none_or(|home| home == tenant)
        });
        let application =
            known.ok_or_else(|| OauthError::unknown_application(client_id, tenant))?;
        if application.secrets.iter().any(|known| known == secret) {
            Ok(application.clone())
        } else {
            Err(OauthError::wrong_secret(client_id))
        }
    }

    /// The application that a pair signs in, in its own tenant. Of the secret the hash is
    /// enough.
    pub fn accepts(&self, client_id: &str, secret: &Hash) -> Option<Application> {
        let known = self.still_knows_application(&Application {
            client_id: client_id.to_owned(),
            ..Application::default()
        })?;
        let is_open = !self.closed.load(Ordering::Relaxed);
        let is_right = is_open || known.secrets.iter().any(|one| hash(one) == *secret);
        is_right.then_some(known)
    }

    /// What is known now of an application that held a token: the entry, or `None` once
    /// applications are defined and this one is not among them.
    pub fn still_knows_application(&self, application: &Application) -> Option<Application> {
        let known = self.application(&application.client_id);
        let is_open = !self.closed.load(Ordering::Relaxed);
        known.or_else(|| is_open.then(|| application.clone()))
    }

    pub fn application(&self, client_id: &str) -> Option<Application> {
        self.read().applications.get(client_id).cloned()
    }

    pub fn applications(&self) -> Vec<Application> {
        self.read().applications.values().cloned().collect()
    }

    /// Defines an application, in the place of the one with its client id.
    pub fn put_application(&self, application: Application) {
        self.closed.store(true, Ordering::Relaxed);
        let name = application.client_id.clone();
        self.write().applications.insert(name, application);
    }

    /// Whether there was one.
    pub fn delete_application(&self, client_id: &str) -> bool {
        self.write().applications.remove(client_id).is_some()
    }

    pub fn user(&self, upn: &str) -> Option<User> {
        self.read().users.get(upn).cloned()
    }

    /// What is known now of a user who held a token: the entry, or `None` once users are
    /// defined and this one is not among them.
    pub fn still_knows(&self, user: User) -> Option<User> {
        let entries = self.read();
        match entries.users.get(&user.upn) {
            Some(known) => Some(known.clone()),
            None => entries.users.is_empty().then_some(user),
        }
    }

    pub fn users(&self) -> Vec<User> {
        self.read().users.values().cloned().collect()
    }

    /// Defines a user, in the place of the one with this name.
    pub fn put_user(&self, user: User) {
        self.write().users.insert(user.upn.clone(), user);
    }

    /// Whether there was one.
    pub fn delete_user(&self, upn: &str) -> bool {
        self.write().users.remove(upn).is_some()
    }

    /// Goes back to what was defined at the start.
    pub fn reset(&self) {
        let (entries, closed) = &self.at_start;
        *self.write() = entries.clone();
        self.closed.store(*closed, Ordering::Relaxed);
    }
}
