//! NOTIFY from session to session.
//!
//! Owns who listens to which channels, and what waits for each. Promises that a user hears its own
//! sessions and no other's, what one transaction says together and in its order, and that what waits
//! for a listener is bounded. Never sends a message itself: the listener's session does, when it is idle.

use crate::diagnostic::{Diagnostic, SqlState};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;

/// What may wait for one listener, in bytes, before nobody may say more.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// What a notification costs beside its words.
const NOTIFICATION_BYTES: usize = 64;

/// How many channels a session may listen to.
const CHANNELS_MAX: usize = 10_000;

/// Something that was said.
#[derive(Clone, Debug)]
pub(super) struct Notification {
    /// Of the session that said it.
    pub(super) process_id: i32,
    pub(super) channel: Arc<str>,
    pub(super) payload: Arc<str>,
}

impl Notification {
    fn bytes(&self) -> usize {
        NOTIFICATION_BYTES + self.channel.len() + self.payload.len()
    }
}

/// A session that listens, or did.
#[derive(Debug, Default)]
pub(super) struct Listener {
    ears: Mutex<Ears>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Ears {
    channels: HashSet<String>,
    waiting: VecDeque<Notification>,
    bytes: usize,
}

impl Listener {
    fn ears(&self) -> MutexGuard<'_, Ears> {
        self.ears.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears what is said in the channel from now on.
    pub(super) fn listen(&self, channel: String) {
        self.ears().channels.insert(channel);
    }

    /// Hears no more of a channel; `None`: of any.
    pub(super) fn unlisten(&self, channel: Option<&str>) {
        let mut ears = self.ears();
        match channel {
            Some(channel) => drop(ears.channels.remove(channel)),
            None => ears.channels.clear(),
        }
    }

    /// Whether `more` channels are too many.
    ///
    /// # Errors
    /// 54000.
    pub(super) fn check_channels(&self, more: usize) -> Result<(), Box<Diagnostic>> {
        if self.ears().channels.len() + more <= CHANNELS_MAX {
            return Ok(());
        }
        Err(Box::new(Diagnostic::error(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("a session cannot listen to more than {CHANNELS_MAX} channels"),
        )))
    }

    /// What was said, in its order.
    pub(super) fn take(&self) -> VecDeque<Notification> {
        let mut ears = self.ears();
        ears.bytes = 0;
        std::mem::take(&mut ears.waiting)
    }

    /// Waits until something was said.
    pub(super) async fn heard(&self) {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // From here on nothing is missed.
            arrived.as_mut().enable();
            if !self.ears().waiting.is_empty() {
                return;
            }
            arrived.await;
        }
    }
}

/// The listeners of one gateway.
#[derive(Debug, Default)]
pub(super) struct Notifications {
    by_user: Mutex<HashMap<String, Vec<Weak<Listener>>>>,
}

impl Notifications {
    fn by_user(&self) -> MutexGuard<'_, HashMap<String, Vec<Weak<Listener>>>> {
        self.by_user.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A listener of the user, until dropped.
    pub(super) fn listener(&self, user: &str) -> Arc<Listener> {
        let listener = Arc::new(Listener::default());
        let mut by_user = self.by_user();
        by_user.retain(|_, listeners| {
            listeners.retain(|listener| listener.strong_count() > 0);
            !listeners.is_empty()
        });
        let listeners = by_user.entry(user.to_owned()).or_default();
        listeners.push(Arc::downgrade(&listener));
        listener
    }

    /// Whether the user's listeners can be told more now.
    ///
    /// # Errors
    /// 54000 while one of them does not take what waits for it.
    pub(super) fn check_room(&self, user: &str) -> Result<(), Box<Diagnostic>> {
        let by_user = self.by_user();
        let mut listeners = by_user.get(user).into_iter().flatten();
        let is_full = listeners.any(|listener| {
            let listener = listener.upgrade();
            listener.is_some_and(|listener| listener.ears().bytes >= WAITING_BYTES_MAX)
        });
        if !is_full {
            return Ok(());
        }
        Err(Box::new(
            Diagnostic::error(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "too many notifications in the NOTIFY queue",
            )
            .with_detail("A session that listens has not taken what was said before.")
            .with_hint("A session takes notifications when it is in no transaction."),
        ))
    }

    /// Tells the user's listeners what a transaction has said.
    pub(super) fn publish(&self, user: &str, said: &[Notification]) {
        if said.is_empty() {
            return;
        }
        // The list is held: of two transactions everybody hears the same one first.
        let by_user = self.by_user();
        let listeners = by_user.get(user).into_iter().flatten();
        for listener in listeners.filter_map(Weak::upgrade) {
            let mut ears = listener.ears();
            for notification in said {
                if ears.channels.contains(&*notification.channel) {
                    ears.bytes += notification.bytes();
                    ears.waiting.push_back(notification.clone());
                }
            }
            drop(ears);
            listener.arrived.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(channel: &str, payload: &str) -> Notification {
        Notification {
            process_id: 1,
            channel: channel.into(),
            payload: payload.into(),
        }
    }

    fn heard(listener: &Listener) -> Vec<String> {
        let heard = listener.take();
        heard.iter().map(|one| one.payload.to_string()).collect()
    }

    #[test]
    fn a_listener_hears_its_channels_and_its_user() {
        let notifications = Notifications::default();
        let (ada, bob) = (notifications.listener("ada"), notifications.listener("bob"));
        ada.listen("news".to_owned());
        bob.listen("news".to_owned());
        notifications.publish(
            "ada",
            &[said("news", "a"), said("other", "b"), said("news", "c")],
        );
        assert_eq!(heard(&ada), ["a", "c"]);
        assert!(heard(&bob).is_empty());
        ada.unlisten(None);
        notifications.publish("ada", &[said("news", "d")]);
        assert!(heard(&ada).is_empty());
    }

    #[test]
    fn who_does_not_take_what_was_said_keeps_others_from_saying_more() {
        let notifications = Notifications::default();
        let listener = notifications.listener("ada");
        listener.listen("news".to_owned());
        let long = said("news", &"x".repeat(WAITING_BYTES_MAX));
        notifications.publish("ada", std::slice::from_ref(&long));
        let full = notifications.check_room("ada").expect_err("it is full");
        assert_eq!(full.sqlstate, SqlState::PROGRAM_LIMIT_EXCEEDED);
        assert!(notifications.check_room("bob").is_ok());
        listener.take();
        assert!(notifications.check_room("ada").is_ok());
        notifications.publish("ada", &[long]);
        drop(listener);
        assert!(notifications.check_room("ada").is_ok());
    }
}
