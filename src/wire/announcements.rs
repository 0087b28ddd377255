//! LISTEN, UNLISTEN and NOTIFY within a transaction.
//!
//! Owns what a transaction will do when it commits. Promises that ROLLBACK and ROLLBACK TO take it
//! back, that the same words in the same channel are said once a transaction, and that a listener is
//! told when it is in no transaction. Never tells anybody before COMMIT.

use super::notifications::{Listener, Notification};
use super::reply::put_notification;
use super::session::Session;
use super::transaction::Transaction;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::{DiscardTarget, SessionCommand};
use std::collections::HashSet;
use std::sync::Arc;

/// Bytes of a channel's name, at most, and of what is said there: PostgreSQL's bounds.
const CHANNEL_BYTES_MAX: usize = 63;
const PAYLOAD_BYTES_MAX: usize = 7999;

/// What one transaction may say, in bytes.
const BYTES_MAX: usize = 1 << 20;

/// What each costs beside its words.
const ANNOUNCEMENT_BYTES: usize = 64;

/// What is done at COMMIT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Announcement {
    Say {
        channel: String,
        payload: String,
    },
    Listen(String),
    /// `None`: to any channel.
    Unlisten(Option<String>),
}

impl Announcement {
    fn bytes(&self) -> usize {
        ANNOUNCEMENT_BYTES
            + match self {
                Announcement::Say { channel, payload } => channel.len() + payload.len(),
                Announcement::Listen(channel) | Announcement::Unlisten(Some(channel)) => {
                    channel.len()
                }
                Announcement::Unlisten(None) => 0,
            }
    }
}

/// Those of a transaction, in their order.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    made: Vec<Announcement>,
    /// What is said among them.
    said: HashSet<Announcement>,
    bytes: usize,
    /// How many there were at each savepoint, the oldest first.
    marks: Vec<usize>,
}

impl Announcements {
    /// A savepoint is made.
    pub(super) fn mark(&mut self) {
        self.marks.push(self.made.len());
    }

    /// Savepoint number `index` (the oldest is 0) and those after it are released.
    pub(super) fn release(&mut self, index: usize) {
        self.marks.truncate(index);
    }

    /// Goes back to savepoint number `index` (the oldest is 0), which stays.
    pub(super) fn go_back_to(&mut self, index: usize) {
        self.marks.truncate(index + 1);
        let Some(mark) = self.marks.last() else {
            return;
        };
        for taken_back in self.made.drain(*mark..) {
            self.bytes -= taken_back.bytes();
            self.said.remove(&taken_back);
        }
    }

    fn add(&mut self, announcement: Announcement) -> Result<(), Box<Diagnostic>> {
        if self.bytes + announcement.bytes() > BYTES_MAX {
            return Err(Box::new(Diagnostic::error(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "too many notifications in one transaction",
            )));
        }
        if matches!(announcement, Announcement::Say { .. })
            && !self.said.insert(announcement.clone())
        {
            return Ok(());
        }
        self.bytes += announcement.bytes();
        self.made.push(announcement);
        Ok(())
    }
}

impl Session {
    /// Notes what a command says or wants to hear.
    ///
    /// # Errors
    /// 22023 and 54000 for what PostgreSQL refuses, too.
    pub(super) fn announce_command(
        &mut self,
        command: &SessionCommand,
    ) -> Result<(), Box<Diagnostic>> {
        match command {
            SessionCommand::Notify { channel, payload } => self.say(channel, payload),
            SessionCommand::Listen(channel) => {
                let more = self.announcements.made.len() + 1;
                self.listener().check_channels(more)?;
                self.announcements
                    .add(Announcement::Listen(channel.clone()))
            }
            SessionCommand::Unlisten(channel) => self
                .announcements
                .add(Announcement::Unlisten(channel.clone())),
            SessionCommand::Discard(DiscardTarget::All) => {
                self.announcements.add(Announcement::Unlisten(None))
            }
            _ => Ok(()),
        }
    }

    /// Notes what is to be said in a channel.
    ///
    /// # Errors
    /// 22023 for a name or a payload that PostgreSQL does not take; 54000 past the bounds.
    pub(super) fn say(&mut self, channel: &str, payload: &str) -> Result<(), Box<Diagnostic>> {
        let wrong = |message: &str| {
            Err(Box::new(Diagnostic::error(
                SqlState::INVALID_PARAMETER_VALUE,
                message,
            )))
        };
        if channel.is_empty() {
            return wrong("channel name cannot be empty");
        }
        if channel.len() > CHANNEL_BYTES_MAX {
            return wrong("channel name too long");
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return wrong("payload string too long");
        }
        self.gateway.notifications.check_room(&self.user.name)?;
        self.announcements.add(Announcement::Say {
            channel: channel.to_owned(),
            payload: payload.to_owned(),
        })
    }

    /// The transaction is committed: does what it announced.
    pub(super) fn carry_out_announcements(&mut self) {
        if self.announcements.made.is_empty() {
            self.announcements.marks.clear();
            return;
        }
        let Announcements { made, .. } = std::mem::take(&mut self.announcements);
        let mut said = Vec::new();
        for announcement in made {
            match announcement {
                Announcement::Say { channel, payload } => said.push(Notification {
                    process_id: self.process_id,
                    channel: channel.into(),
                    payload: payload.into(),
                }),
                Announcement::Listen(channel) => self.listener().listen(channel),
                Announcement::Unlisten(channel) => {
                    if let Some(listener) = &self.listener {
                        listener.unlisten(channel.as_deref());
                    }
                }
            }
        }
        self.gateway.notifications.publish(&self.user.name, &said);
    }

    /// The transaction is rolled back: nothing of it is said.
    pub(super) fn forget_announcements(&mut self) {
        self.announcements = Announcements::default();
    }

    /// What the session listens with, from the first LISTEN on.
    fn listener(&mut self) -> &Listener {
        let notifications = &self.gateway.notifications;
        self.listener
            .get_or_insert_with(|| notifications.listener(&self.user.name))
    }

    /// The listener that may be told now: the session is in no transaction.
    pub(super) fn idle_listener(&self) -> Option<Arc<Listener>> {
        match self.transaction {
            Transaction::Idle => self.listener.clone(),
            Transaction::Open(_) | Transaction::Failed(_) => None,
        }
    }

    /// Appends what was said to the replies, if the session is in no transaction.
    pub(super) fn put_notifications(&mut self) {
        let Some(listener) = self.idle_listener() else {
            return;
        };
        for notification in listener.take() {
            put_notification(&mut self.replies, self.encoding, &notification);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(announcements: &mut Announcements, payload: &str) {
        let said = announcements.add(Announcement::Say {
            channel: "news".to_owned(),
            payload: payload.to_owned(),
        });
        said.expect("there is room");
    }

    #[test]
    fn what_comes_after_a_savepoint_is_taken_back_and_may_be_said_again() {
        let mut announcements = Announcements::default();
        say(&mut announcements, "a");
        announcements.mark();
        say(&mut announcements, "b");
        say(&mut announcements, "a");
        announcements.mark();
        say(&mut announcements, "c");
        announcements.go_back_to(0);
        assert_eq!(announcements.made.len(), 1);
        say(&mut announcements, "b");
        assert_eq!(announcements.made.len(), 2);
        announcements.release(0);
        assert!(announcements.marks.is_empty());
    }

    #[test]
    fn a_transaction_says_no_more_than_a_bound() {
        let mut announcements = Announcements::default();
        let long = "x".repeat(PAYLOAD_BYTES_MAX);
        let mut refused = None;
        for number in 0..BYTES_MAX / PAYLOAD_BYTES_MAX + 1 {
            let added = announcements.add(Announcement::Say {
                channel: number.to_string(),
                payload: long.clone(),
            });
            refused = added.err();
        }
        let refused = refused.expect("it is too much");
        assert_eq!(refused.sqlstate, SqlState::PROGRAM_LIMIT_EXCEEDED);
    }
}
