//! Prepared statements and portals by name, within a bound.
//!
//! Owns what a client may keep on a connection. Promises that a client which prepares without
//! end gets an error instead of the gateway's memory. Never evicts: a name that was given stays
//! good until the client gives it back.

use crate::diagnostic::{Diagnostic, SqlState};
use bytes::Bytes;
use std::collections::HashMap;

/// Bytes that the things of one kind may have on one connection.
const BYTES_MAX: usize = 64 << 20;

/// What an entry costs beside its bytes.
const ENTRY_BYTES: usize = 256;

/// Things by name.
#[derive(Debug)]
pub(super) struct Held<T> {
    by_name: HashMap<Bytes, (T, usize)>,
    bytes: usize,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Held {
            by_name: HashMap::new(),
            bytes: 0,
        }
    }
}

impl<T> Held<T> {
    pub(super) fn get(&self, name: &[u8]) -> Option<&T> {
        self.by_name.get(name).map(|(thing, _)| thing)
    }

    /// Keeps `thing`, which has `bytes` bytes, in the place of what had that name.
    ///
    /// # Errors
    /// 53400 beyond the bound.
    pub(super) fn insert(
        &mut self,
        name: Bytes,
        thing: T,
        bytes: usize,
    ) -> Result<(), Box<Diagnostic>> {
        self.remove(&name);
        // The name may be a slice of a whole message, which it would keep.
        let name = Bytes::copy_from_slice(&name);
        self.check_room(&name, bytes)?;
        let bytes = bytes + name.len() + ENTRY_BYTES;
        self.bytes += bytes;
        self.by_name.insert(name, (thing, bytes));
        Ok(())
    }

    /// Whether something of `bytes` bytes may be kept under a name that nothing has.
    ///
    /// # Errors
    /// 53400 beyond the bound.
    pub(super) fn check_room(&self, name: &[u8], bytes: usize) -> Result<(), Box<Diagnostic>> {
        if self.bytes + bytes + name.len() + ENTRY_BYTES > BYTES_MAX {
            return Err(Box::new(
                Diagnostic::error(
                    SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                    format!(
                        "a connection cannot keep more than {BYTES_MAX} bytes of prepared \
                         statements or portals"
                    ),
                )
                .with_hint("Close statements and portals that are not needed any more."),
            ));
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<T> {
        let (thing, bytes) = self.by_name.remove(name)?;
        self.bytes -= bytes;
        Some(thing)
    }

    pub(super) fn clear(&mut self) {
        self.by_name.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_given_back_makes_room() {
        let mut held = Held::default();
        let half = BYTES_MAX / 2;
        held.insert(Bytes::from_static(b"a"), 1, half)
            .expect("there is room");
        assert!(held.insert(Bytes::from_static(b"b"), 2, half).is_err());
        // The same name takes the place of the first.
        held.insert(Bytes::from_static(b"a"), 3, half)
            .expect("it replaces");
        assert_eq!(held.get(b"a"), Some(&3));
        assert_eq!(held.remove(b"a"), Some(3));
        held.insert(Bytes::from_static(b"b"), 4, half)
            .expect("there is room again");
        held.clear();
        assert_eq!(held.get(b"b"), None);
        assert_eq!(held.bytes, 0);
    }
}
