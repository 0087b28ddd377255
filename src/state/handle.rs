//! The state store of a running gateway, on a thread of its own.
//!
//! Owns the thread. Promises that users and tables are known before [`OpenedState::publish`] returns,
//! that a change through the handle is known to new sessions when it is done, and that one by
//! another process is known within [`LOOK_EVERY`]. Never blocks its callers' threads: the store
//! does, on its own.

use super::account::{Account, AccountCredentials};
use super::publication::{Publication, identity_of};
use super::sealing::SealingKeys;
use super::store::{StateStore, StoredTable};
use super::{StateError, StateLocation};
use crate::catalog::Definition;
use crate::cdf::{Identity, Project, Secret, SessionCredentials, SessionKeys};
use crate::config::AccountsSettings;
use crate::wire::LookAlikes;
use async_trait::async_trait;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a change by another process may stay unseen.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the thread does for a caller.
type Errand = Box<dyn FnOnce(&mut StateStore, &mut Publication) + Send>;

/// The way to the store's thread, which ends with the last clone.
#[derive(Clone)]
pub struct StateHandle {
    errands: Sender<Errand>,
    settings: Arc<AccountsSettings>,
}

impl fmt::Debug for StateHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StateHandle")
    }
}

/// An open store; nobody knows yet what is in it.
pub struct OpenedState {
    handle: StateHandle,
    place: String,
    seed: Secret,
    publications: Sender<Publication>,
    published: Receiver<Result<(), StateError>>,
}

impl OpenedState {
    /// The salts of names that nobody has, the same at each start.
    pub fn look_alikes(&self) -> LookAlikes {
        LookAlikes::of_seed(&self.seed)
    }

    /// Makes the users and tables in the store known.
    ///
    /// # Errors
    /// The store cannot be read, or a secret not opened.
    pub fn publish(self, publication: Publication) -> Result<StateHandle, StateError> {
        // A thread that is gone drops the other end, too.
        let _ = self.publications.send(publication);
        self.published
            .recv()
            .unwrap_or_else(|_| Err(thread_is_gone(&self.place)))?;
        Ok(self.handle)
    }
}

fn thread_is_gone(place: &str) -> StateError {
    StateError::Failed {
        place: place.to_owned(),
        fault: "its thread ended by a fault".to_owned(),
    }
}

impl StateHandle {
    /// Opens the store.
    ///
    /// # Errors
    /// The store cannot be opened, or there is no thread.
    pub fn open(
        location: StateLocation,
        keys: Option<SealingKeys>,
        settings: AccountsSettings,
    ) -> Result<OpenedState, StateError> {
        let (errands, received) = unbounded::<Errand>();
        let (opened, is_open) = bounded(1);
        let (publications, publication) = bounded::<Publication>(1);
        let (publish, published) = bounded(1);
        let place = location.shown();
        thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || {
                let mut store = match open(&location, keys) {
                    Ok((store, seed)) => {
                        // The receivers wait for these and nothing else.
                        let _ = opened.send(Ok(seed));
                        store
                    }
                    Err(error) => return drop(opened.send(Err(error))),
                };
                // Without one the gateway did not start.
                let Ok(mut publication) = publication.recv() else {
                    return;
                };
                let is_known = publication.publish(&mut store);
                let serves = is_known.is_ok();
                let _ = publish.send(is_known);
                if serves {
                    serve(store, publication, &received);
                }
            })
            .map_err(|error| StateError::Failed {
                place: place.clone(),
                fault: format!("no thread for it: {error}"),
            })?;
        let seed = is_open
            .recv()
            .unwrap_or_else(|_| Err(thread_is_gone(&place)))?;
        let settings = Arc::new(settings);
        Ok(OpenedState {
            handle: StateHandle { errands, settings },
            place,
            seed,
            publications,
            published,
        })
    }

    async fn ask<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut StateStore, &mut Publication) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let (answer, answered) = oneshot::channel();
        let errand: Errand = Box::new(move |store, publication| {
            // Whoever asked may have gone meanwhile.
            let _ = answer.send(errand(store, publication));
        });
        // A thread that is gone drops the errand, and the answer with it.
        let _ = self.errands.send(errand);
        answered.await.unwrap_or_else(|_| Err(thread_is_gone("")))
    }

    /// As [`StateStore::create_account`]; a name of the configuration is refused, too.
    ///
    /// # Errors
    /// As there.
    pub async fn create_account(&self, account: Account) -> Result<(), StateError> {
        self.ask(move |store, publication| {
            publication.check_name(&account.name)?;
            store.create_account(&account)?;
            publication.publish_account(store, &account.name)
        })
        .await
    }

    /// As [`StateStore::account`].
    ///
    /// # Errors
    /// As there.
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StateError> {
        let name = name.to_owned();
        self.ask(move |store, _| store.account(&name)).await
    }

    /// As [`StateStore::accounts`].
    ///
    /// # Errors
    /// As there.
    pub async fn accounts(
        &self,
        project: &Project,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Account>, StateError> {
        let (project, after) = (project.clone(), after.map(str::to_owned));
        self.ask(move |store, _| store.accounts(Some(&project), after.as_deref(), limit))
            .await
    }

    /// As [`StateStore::replace_credentials`].
    ///
    /// # Errors
    /// As there.
    pub async fn replace_credentials(
        &self,
        name: &str,
        credentials: AccountCredentials,
        principal: String,
        now: Timestamp,
    ) -> Result<Option<Account>, StateError> {
        let name = name.to_owned();
        self.ask(move |store, publication| {
            let changed = store.replace_credentials(&name, &credentials, &principal, now)?;
            publication.publish_account(store, &name)?;
            Ok(changed)
        })
        .await
    }

    /// As [`StateStore::delete_account`].
    ///
    /// # Errors
    /// As there.
    pub async fn delete_account(&self, name: &str) -> Result<bool, StateError> {
        let name = name.to_owned();
        self.ask(move |store, publication| {
            let deleted = store.delete_account(&name)?;
            publication.publish_account(store, &name)?;
            publication.publish_tables_of(store, &name)?;
            Ok(deleted)
        })
        .await
    }

    /// The tables of a user.
    ///
    /// # Errors
    /// As [`StateStore::tables`].
    pub async fn tables(&self, user: &str) -> Result<Vec<StoredTable>, StateError> {
        let user = user.to_owned();
        self.ask(move |store, _| store.tables(Some(&user))).await
    }

    /// As [`StateStore::table`].
    ///
    /// # Errors
    /// As there.
    pub async fn table(&self, user: &str, name: &str) -> Result<Option<StoredTable>, StateError> {
        let (user, name) = (user.to_owned(), name.to_owned());
        self.ask(move |store, _| store.table(&user, &name)).await
    }

    /// As [`StateStore::create`].
    ///
    /// # Errors
    /// As there.
    pub async fn create_tables(
        &self,
        user: &str,
        definitions: Vec<Definition>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let user = user.to_owned();
        self.ask(move |store, publication| {
            store.create(&user, &definitions, now)?;
            publication.publish_tables_of(store, &user)
        })
        .await
    }

    /// As [`StateStore::replace`].
    ///
    /// # Errors
    /// As there.
    pub async fn replace_tables(
        &self,
        user: &str,
        changes: Vec<(String, Definition)>,
    ) -> Result<(), StateError> {
        let user = user.to_owned();
        self.ask(move |store, publication| {
            store.replace(&user, &changes)?;
            publication.publish_tables_of(store, &user)
        })
        .await
    }

    /// As [`StateStore::delete`].
    ///
    /// # Errors
    /// As there.
    pub async fn delete_table(&self, user: &str, name: &str) -> Result<bool, StateError> {
        let (user, name) = (user.to_owned(), name.to_owned());
        self.ask(move |store, publication| {
            let deleted = store.delete(&user, &name)?;
            publication.publish_tables_of(store, &user)?;
            Ok(deleted)
        })
        .await
    }

    /// As whom the account writes; `None`: its credentials were taken away.
    pub fn identity_of(&self, account: &Account) -> Option<Identity> {
        match account.credentials {
            AccountCredentials::None => None,
            _ => Some(identity_of(account, &self.settings)),
        }
    }
}

#[async_trait]
impl SessionKeys for StateHandle {
    async fn renewed(&self, session: &SessionCredentials, key: &Secret) {
        let (id, key) = (session.id, key.clone());
        let kept = self.ask(move |store, _| store.session_key_renewed(id, &key));
        if let Err(error) = kept.await {
            tracing::error!(
                session = id,
                %error,
                "the new key of a session is not kept: the session ends with this process"
            );
        }
    }
}

fn open(
    location: &StateLocation,
    keys: Option<SealingKeys>,
) -> Result<(StateStore, Secret), StateError> {
    let mut store = StateStore::open(location, keys)?;
    let seed = store.look_alike_seed()?;
    Ok((store, seed))
}

fn serve(mut store: StateStore, mut publication: Publication, errands: &Receiver<Errand>) {
    let mut is_failing = false;
    let mut look_at = Instant::now() + LOOK_EVERY;
    loop {
        // Many errands do not keep it from looking.
        if Instant::now() < look_at {
            match errands.recv_deadline(look_at) {
                Ok(errand) => errand(&mut store, &mut publication),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            continue;
        }
        match publication.look(&mut store) {
            Ok(()) => is_failing = false,
            // Once is enough: the next look comes soon.
            Err(error) if !is_failing => {
                is_failing = true;
                tracing::error!(%error, "users and custom tables stay as they were");
            }
            Err(_) => {}
        }
        look_at = Instant::now() + LOOK_EVERY;
    }
}
