//! The state store of a running gateway, on a thread of its own.
//!
//! Owns the thread, and what waits for it, which is bounded. Promises that users and tables are known
//! before [`OpenedState::publish`] returns, that a change through the handle is known to new sessions
//! when it is done, that one by another process is known within [`LOOK_EVERY`], and that a session's
//! new key is kept whoever waits for it. Never blocks its callers' threads: the store does, on its
//! own.

use super::account::{Account, AccountCredentials};
use super::publication::{Publication, identity_of};
use super::renewed_keys::RenewedKeys;
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

/// Callers who wait for the thread. A store that is away takes its time for each.
const WAITING_MAX: usize = 256;

/// What the thread does for a caller.
type Ask = Box<dyn FnOnce(&mut StateStore, &mut Publication) + Send>;

/// What the thread is told.
enum Errand {
    /// To do something for a caller.
    Ask(Ask),
    /// To keep the new key of a session, and to say when that was tried.
    Renewed(SessionCredentials, Secret, oneshot::Sender<()>),
}

/// The way to the store's thread, which ends with the last clone.
#[derive(Clone)]
pub struct StateHandle {
    errands: Sender<Errand>,
    settings: Arc<AccountsSettings>,
    place: Arc<str>,
}

impl fmt::Debug for StateHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StateHandle")
    }
}

/// An open store; nobody knows yet what is in it.
pub struct OpenedState {
    handle: StateHandle,
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
            .unwrap_or_else(|_| Err(self.handle.thread_ended()))?;
        Ok(self.handle)
    }
}

impl StateHandle {
    /// Opens the store and makes what is in it known.
    ///
    /// # Errors
    /// As [`Self::open`] and [`OpenedState::publish`].
    pub fn start(
        location: StateLocation,
        keys: Option<SealingKeys>,
        publication: Publication,
        settings: AccountsSettings,
    ) -> Result<Self, StateError> {
        Self::open(location, keys, settings)?.publish(publication)
    }

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
        let settings = Arc::new(settings);
        let keys_renewed = RenewedKeys::new(settings.clone());
        let handle = StateHandle {
            errands,
            settings,
            place: location.shown().into(),
        };
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
                    serve(store, publication, keys_renewed, &received);
                }
            })
            .map_err(|error| handle.failed(&format!("no thread for it: {error}")))?;
        let seed = is_open
            .recv()
            .unwrap_or_else(|_| Err(handle.thread_ended()))?;
        Ok(OpenedState {
            handle,
            seed,
            publications,
            published,
        })
    }

    /// Has the thread do something, unless too many wait already; not for a caller who has gone by
    /// the time.
    async fn ask<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut StateStore, &mut Publication) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        if self.errands.len() >= WAITING_MAX {
            return Err(self.failed("too many wait for it"));
        }
        let (answer, answered) = oneshot::channel();
        let errand = Box::new(
            move |store: &mut StateStore, publication: &mut Publication| {
                if !answer.is_closed() {
                    // Whoever asked may be going.
                    let _ = answer.send(errand(store, publication));
                }
            },
        );
        // A thread that is gone drops the errand, and the answer with it.
        let _ = self.errands.send(Errand::Ask(errand));
        answered.await.unwrap_or_else(|_| Err(self.thread_ended()))
    }

    fn failed(&self, fault: &str) -> StateError {
        StateError::Failed {
            place: self.place.to_string(),
            fault: fault.to_owned(),
        }
    }

    fn thread_ended(&self) -> StateError {
        self.failed("its thread ended by a fault")
    }

    /// Does a change that makes itself known.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut StateStore, &mut Publication) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        self.ask(move |store, publication| {
            let done = change(store, publication)?;
            publication.made_known(store);
            Ok(done)
        })
        .await
    }

    /// As [`StateStore::create_account`]; a name of the configuration is refused, too.
    ///
    /// # Errors
    /// As there.
    pub async fn create_account(&self, account: Account) -> Result<(), StateError> {
        self.change(move |store, publication| {
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
        self.change(move |store, publication| {
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
        self.change(move |store, publication| {
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
        self.change(move |store, publication| {
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
        self.change(move |store, publication| {
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
        self.change(move |store, publication| {
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
        let (answer, answered) = oneshot::channel();
        // Also when too many wait, or nobody any more: CDF has forgotten the old key.
        let renewed = Errand::Renewed(session.clone(), key.clone(), answer);
        let _ = self.errands.send(renewed);
        if answered.await.is_err() {
            let (session, error) = (session.id, self.thread_ended());
            tracing::error!(session, %error, "the new key of a session is not kept");
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

fn serve(
    mut store: StateStore,
    mut publication: Publication,
    mut keys: RenewedKeys,
    errands: &Receiver<Errand>,
) {
    let mut is_failing = false;
    let mut look_at = Instant::now() + LOOK_EVERY;
    loop {
        // Many errands do not keep it from looking.
        if Instant::now() < look_at {
            match errands.recv_deadline(look_at) {
                Ok(Errand::Ask(errand)) => errand(&mut store, &mut publication),
                Ok(Errand::Renewed(session, key, answer)) => {
                    keys.take(&mut store, session, key);
                    // Whoever waited may have gone.
                    let _ = answer.send(());
                }
                Err(RecvTimeoutError::Disconnected) => return keys.try_again(&mut store),
                Err(RecvTimeoutError::Timeout) => {}
            }
            continue;
        }
        match publication.look(&mut store) {
            Ok(()) => {
                is_failing = false;
                keys.try_again(&mut store);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{OpenConnections, Users};
    use futures::FutureExt;

    /// A handle whose thread is the test.
    fn handle() -> (StateHandle, Receiver<Errand>) {
        let (errands, received) = unbounded();
        let handle = StateHandle {
            errands,
            settings: Arc::default(),
            place: "here".into(),
        };
        (handle, received)
    }

    fn publication() -> Publication {
        Publication::new(
            Users::default(),
            OpenConnections::default(),
            AccountsSettings::default(),
        )
    }

    #[tokio::test]
    async fn who_comes_when_too_many_wait_is_refused_and_who_has_gone_is_not_served() {
        let directory =
            std::env::temp_dir().join(format!("penstock-handle-{}", std::process::id()));
        let location = StateLocation::File(directory.join("state.sqlite"));
        let mut store = StateStore::open(&location, None).expect("opens");
        let (handle, received) = handle();
        let delete = || handle.delete_account("nobody").boxed();
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| delete()).collect();
        for one in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        let refused = delete().now_or_never().expect("at once");
        let refused = refused.expect_err("it is refused").to_string();
        assert_eq!(refused, "the state store here failed: too many wait for it");
        // The key of a session is never refused.
        let session = SessionCredentials::new("http://cdf", 7, Secret::new("old"));
        let key = Secret::new("new");
        assert!(handle.renewed(&session, &key).now_or_never().is_none());
        assert_eq!(received.len(), WAITING_MAX + 1);

        let before = store.version().expect("readable");
        waiting.truncate(1);
        let mut publication = publication();
        for errand in received.try_iter() {
            if let Errand::Ask(errand) = errand {
                errand(&mut store, &mut publication);
            }
        }
        let after = store.version().expect("readable");
        assert_eq!(after.changes, before.changes + 1);
        let deleted = waiting.remove(0).await.expect("answered");
        assert!(!deleted);
        std::fs::remove_dir_all(&directory).expect("removable");
    }
}
