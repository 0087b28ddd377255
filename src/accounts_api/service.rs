//! What the paths of the API work on.
//!
//! Owns the way to the state store, to CDF and to the settings, as one value that every request
//! shares. Promises that no path acts before its caller is known, and that what takes a new
//! user's password milliseconds of a processor keeps no other request waiting. Never holds a token.

use super::caller::{self, Caller};
use super::fault::ApiFault;
use super::token_hosts::TokenHosts;
use crate::catalog::Dialect;
use crate::cdf::{CdfClient, Project};
use crate::config::AccountsSettings;
use crate::state::{Account, AccountCredentials, NewUser, StateHandle};
use axum::http::HeaderMap;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Clones share everything.
#[derive(Clone)]
pub struct AccountsService {
    pub(super) state: StateHandle,
    pub(super) cdf: CdfClient,
    pub(super) settings: Arc<AccountsSettings>,
    pub(super) token_hosts: Arc<TokenHosts>,
    /// Verifiers that may be derived at once.
    derivations: Arc<Semaphore>,
}

/// Cores for each verifier that is derived: the others are for rows.
const CORES_PER_DERIVATION: usize = 2;

impl AccountsService {
    /// A service of the accounts in `state`. `cdf` belongs to the runtime that serves the paths.
    pub fn new(state: StateHandle, cdf: CdfClient, settings: AccountsSettings) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        AccountsService {
            derivations: Arc::new(Semaphore::new((cores / CORES_PER_DERIVATION).max(1))),
            state,
            cdf,
            token_hosts: Arc::new(TokenHosts::new(&settings.token_hosts)),
            settings: Arc::new(settings),
        }
    }

    /// The project of that name in this gateway's CDF.
    ///
    /// # Errors
    /// 404: no name of a project, or none that this gateway serves.
    pub(super) fn project(&self, name: &str) -> Result<Project, ApiFault> {
        // Two of these are steps in a path, and no names.
        let is_name = !matches!(name, "" | "." | "..")
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let projects = &self.settings.projects;
        if !is_name || !(projects.is_empty() || projects.iter().any(|served| served == name)) {
            return Err(ApiFault::not_found(
                "this gateway serves no project of that name",
            ));
        }
        Ok(Project {
            base_url: self.settings.cdf_base_url.clone(),
            name: name.to_owned(),
        })
    }

    /// This gateway's CDF, whatever the project.
    pub(super) fn anywhere(&self) -> Project {
        Project {
            base_url: self.settings.cdf_base_url.clone(),
            name: String::new(),
        }
    }

    /// Who calls for the project `name`.
    ///
    /// # Errors
    /// As [`Self::project`] and [`Caller::identify`].
    pub(super) async fn caller(&self, headers: &HeaderMap, name: &str) -> Result<Caller, ApiFault> {
        let token = caller::bearer(headers)?;
        Caller::identify(&self.cdf, self.project(name)?, token).await
    }

    /// The user of that name in the project; those of other projects do not exist here.
    ///
    /// # Errors
    /// 404: there is none.
    pub(super) async fn account(&self, project: &str, user: &str) -> Result<Account, ApiFault> {
        self.state
            .account(user)
            .await?
            .filter(|account| self.is_of(account, project))
            .ok_or_else(|| no_user(user))
    }

    /// A user with a generated name and password, who is not in the store yet.
    ///
    /// # Errors
    /// 503: the process has no thread to derive the verifier on.
    pub(super) async fn new_user(
        &self,
        project: Project,
        dialect: Dialect,
        principal: String,
        credentials: AccountCredentials,
    ) -> Result<NewUser, ApiFault> {
        // Many users that are made at once take no core from those who write rows.
        let derivation = self.derivations.acquire().await;
        let made = tokio::task::spawn_blocking(move || {
            NewUser::generate(project, dialect, principal, credentials, Timestamp::now())
        })
        .await;
        drop(derivation);
        made.map_err(|error| {
            tracing::error!(%error, "a new user's verifier cannot be derived");
            ApiFault::unavailable("the gateway cannot make a user now: see the gateway's log")
        })
    }

    pub(super) fn is_of(&self, account: &Account, project: &str) -> bool {
        account.project.name == project && account.project.base_url == self.settings.cdf_base_url
    }

    /// What a new user connects to.
    pub(super) fn public_host(&self, headers: &HeaderMap) -> String {
        if !self.settings.public_host.is_empty() {
            return self.settings.public_host.clone();
        }
        let host = headers
            .get(axum::http::header::HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        // The port there is this API's and not PostgreSQL's.
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
            _ => host.to_owned(),
        }
    }
}

/// 404 for a user that the caller may not know of, or that is not there.
pub(super) fn no_user(user: &str) -> ApiFault {
    ApiFault::not_found(format!("there is no user \"{user}\" in this project"))
}
