//! The sessions of one project.
//!
//! Owns the lookup by id and by nonce, behind one lock.

use super::session::{Session, SessionFault, SessionStatus};
use crate::emulator::identity::{Hash, Identity};
use crate::emulator::reference::ID_MAX;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sessions by their ids.
#[derive(Debug, Default)]
pub struct SessionStore {
    sessions: Mutex<BTreeMap<i64, Session>>,
}

impl SessionStore {
    pub fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Session>> {
        // The changes of a session are single assignments: a panic leaves none half done.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a session in and gives it its id.
    pub fn add(&self, mut session: Session) -> i64 {
        let mut sessions = self.lock();
        while session.id == 0 || sessions.contains_key(&session.id) {
            session.id = rand::random::<i64>() & ID_MAX;
        }
        let id = session.id;
        sessions.insert(id, session);
        id
    }

    /// The session of a nonce, which is used up by that. `None` when there is none.
    pub fn bind(&self, nonce: &Hash, now_ms: i64) -> Option<Result<i64, SessionFault>> {
        let mut sessions = self.lock();
        let session = sessions
            .values_mut()
            .find(|session| session.has_nonce(nonce))?;
        Some(session.bind(now_ms).map(|()| session.id))
    }

    /// Ends the sessions whose credentials are no longer good.
    pub fn end_lost(&self, identity: &Identity) {
        let now_ms = identity.clock.now_ms();
        for session in self.lock().values_mut() {
            let lives = matches!(
                session.status(now_ms),
                SessionStatus::Ready | SessionStatus::Active
            );
            if lives && session.source.holder(identity).is_none() {
                session.lose(now_ms);
            }
        }
    }

    pub fn clear(&self) {
        let mut sessions = self.lock();
        for session in sessions.values_mut() {
            // Their tokens end with them.
            session.lose(i64::MIN);
        }
        sessions.clear();
    }
}
