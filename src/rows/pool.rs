//! Pools of row buffers: what a delivered batch leaves is what the next one is filled into.
//!
//! Owns the process-wide queues of empty buffers. Promises that taking and giving neither
//! lock nor wait, and that the pools hold at most [`BUFFERS_MAX`] buffers of each kind, none
//! above [`BUFFER_BYTES_MAX`]. Never hands out a buffer with values in it.

use super::{PointStatus, TextColumn};
use crossbeam::queue::ArrayQueue;
use std::sync::LazyLock;

/// Buffers of each kind that wait for use: enough for the batches that are under way at once.
const BUFFERS_MAX: usize = 32;

/// A buffer that grew beyond this is freed, so that one huge batch does not stay in memory.
const BUFFER_BYTES_MAX: usize = 512 << 10;

/// What can be emptied and filled again.
pub trait Buffer: Default {
    fn clear(&mut self);
    fn reserve(&mut self, values: usize);
    fn capacity_bytes(&self) -> usize;
}

impl<T> Buffer for Vec<T> {
    fn clear(&mut self) {
        Vec::clear(self);
    }

    fn reserve(&mut self, values: usize) {
        Vec::reserve(self, values);
    }

    fn capacity_bytes(&self) -> usize {
        self.capacity() * size_of::<T>()
    }
}

impl Buffer for TextColumn {
    fn clear(&mut self) {
        TextColumn::clear(self);
    }

    fn reserve(&mut self, values: usize) {
        TextColumn::reserve(self, values);
    }

    fn capacity_bytes(&self) -> usize {
        TextColumn::capacity_bytes(self)
    }
}

/// Empty buffers of one kind.
pub struct Pool<B> {
    buffers: LazyLock<ArrayQueue<B>>,
}

impl<B: Buffer> Pool<B> {
    const fn new() -> Self {
        Pool {
            buffers: LazyLock::new(|| ArrayQueue::new(BUFFERS_MAX)),
        }
    }

    /// An empty buffer with room for `values` values.
    pub fn take(&self, values: usize) -> B {
        let mut buffer = self.buffers.pop().unwrap_or_default();
        buffer.reserve(values);
        buffer
    }

    /// Takes a buffer back; what the pool has no place for is freed.
    pub fn give(&self, mut buffer: B) {
        let bytes = buffer.capacity_bytes();
        if bytes == 0 || bytes > BUFFER_BYTES_MAX {
            return;
        }
        buffer.clear();
        // A full pool gives the buffer back, and it is freed here.
        let _ = self.buffers.push(buffer);
    }
}

pub static TIMESTAMPS: Pool<Vec<i64>> = Pool::new();
pub static DOUBLES: Pool<Vec<f64>> = Pool::new();
pub static INDEXES: Pool<Vec<u32>> = Pool::new();
pub static HASHES: Pool<Vec<u64>> = Pool::new();
pub static STATUSES: Pool<Vec<PointStatus>> = Pool::new();
pub static TEXTS: Pool<TextColumn> = Pool::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_with_its_room() {
        let pool: Pool<Vec<i64>> = Pool::new();
        let mut buffer = pool.take(1000);
        buffer.extend(0..1000);
        let room = buffer.capacity();
        pool.give(buffer);
        let again = pool.take(10);
        assert!(again.is_empty());
        assert_eq!(again.capacity(), room);
    }

    #[test]
    fn the_pool_is_bounded() {
        let pool: Pool<Vec<u8>> = Pool::new();
        pool.give(Vec::with_capacity(BUFFER_BYTES_MAX + 1));
        assert_eq!(pool.buffers.len(), 0, "too large a buffer is freed");
        for _ in 0..BUFFERS_MAX + 5 {
            pool.give(Vec::with_capacity(10));
        }
        assert_eq!(pool.buffers.len(), BUFFERS_MAX);
    }
}
