//! Rows that a client has not taken yet, on disk, so that their engine need not wait for it.
//!
//! Owns a file without a name, and the room that all such files share. Promises whole messages back
//! in the order in which they came, and room again when the last of them was taken. Never keeps
//! more than a part in memory.

use super::fault::EngineFault;
use bytes::Bytes;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that all files together may have.
#[derive(Debug)]
pub(super) struct SpoolRoom {
    bytes_max: u64,
    used: AtomicU64,
}

impl SpoolRoom {
    pub fn new(bytes_max: u64) -> Self {
        SpoolRoom {
            bytes_max,
            used: AtomicU64::new(0),
        }
    }

    /// Whether there is any.
    pub fn is_there(&self) -> bool {
        self.used.load(Ordering::Relaxed) < self.bytes_max
    }

    fn take(&self, bytes: u64) -> bool {
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                let used = used.checked_add(bytes)?;
                (used <= self.bytes_max).then_some(used)
            });
        taken.is_ok()
    }

    fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Parts of one answer, in a file.
#[derive(Debug)]
pub struct AnswerSpool {
    file: Arc<File>,
    room: Arc<SpoolRoom>,
    /// Where the next part goes.
    end: u64,
    /// Where the first one is that was not taken, and how long they are.
    start: u64,
    parts: VecDeque<usize>,
}

impl AnswerSpool {
    pub(super) fn new(file: File, room: Arc<SpoolRoom>) -> Self {
        AnswerSpool {
            file: Arc::new(file),
            room,
            end: 0,
            start: 0,
            parts: VecDeque::new(),
        }
    }

    /// Puts whole messages behind the others; `false`: there is no room, and nothing was put.
    ///
    /// # Errors
    /// `Broken` when the disk fails.
    pub async fn put(&mut self, part: Bytes) -> Result<bool, EngineFault> {
        let bytes = part.len() as u64;
        if !self.room.take(bytes) {
            return Ok(false);
        }
        let (file, end) = (self.file.clone(), self.end);
        // Room that was taken goes with the spool.
        self.end += bytes;
        self.parts.push_back(part.len());
        on_disk(move || file.write_all_at(&part, end)).await?;
        Ok(true)
    }

    /// The first part that was not taken yet.
    ///
    /// # Errors
    /// `Broken` when the disk fails.
    pub async fn take(&mut self) -> Result<Option<Vec<u8>>, EngineFault> {
        let Some(bytes) = self.parts.pop_front() else {
            return Ok(None);
        };
        let (file, start) = (self.file.clone(), self.start);
        self.start += bytes as u64;
        let part = on_disk(move || {
            let mut part = vec![0; bytes];
            file.read_exact_at(&mut part, start).map(|()| part)
        });
        Ok(Some(part.await?))
    }

    /// Whether all parts were taken.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

impl Drop for AnswerSpool {
    fn drop(&mut self) {
        self.room.give(self.end);
    }
}

/// Work that blocks on the disk.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, EngineFault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| {
            EngineFault::Broken(format!("rows could not be kept on disk: {error}"))
        }),
        Err(error) => Err(EngineFault::Broken(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is gone when it is closed.
    fn file(name: &str) -> File {
        let name = format!("penstock-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(&path);
        std::fs::remove_file(&path).expect("it was made");
        file.expect("writable")
    }

    #[tokio::test]
    async fn parts_come_back_in_their_order() {
        let mut spool = AnswerSpool::new(file("order"), Arc::new(SpoolRoom::new(100)));
        assert!(spool.put(Bytes::from_static(b"one")).await.expect("room"));
        assert!(spool.put(Bytes::from_static(b"two!")).await.expect("room"));
        assert_eq!(spool.take().await.expect("readable"), Some(b"one".to_vec()));
        assert!(spool.put(Bytes::from_static(b"3")).await.expect("room"));
        assert_eq!(
            spool.take().await.expect("readable"),
            Some(b"two!".to_vec())
        );
        assert_eq!(spool.take().await.expect("readable"), Some(b"3".to_vec()));
        assert!(spool.is_empty());
        assert_eq!(spool.take().await.expect("readable"), None);
    }

    #[tokio::test]
    async fn all_share_the_room_and_give_it_back() {
        let room = Arc::new(SpoolRoom::new(10));
        let mut one = AnswerSpool::new(file("one"), room.clone());
        let mut other = AnswerSpool::new(file("other"), room.clone());
        assert!(
            one.put(Bytes::from_static(b"12345678"))
                .await
                .expect("room")
        );
        assert!(
            !other
                .put(Bytes::from_static(b"123"))
                .await
                .expect("no fault")
        );
        assert!(other.is_empty());
        drop(one);
        assert!(other.put(Bytes::from_static(b"123")).await.expect("room"));
        drop(other);
        assert!(room.take(10));
        assert!(!room.is_there());
    }
}
