//! Bytes sent within a sliding window, in buckets.
//!
//! Owns the ring of buckets: 60 to the window, so 10 seconds each for CDF's 10 minutes.
//! Promises that the bytes granted within any window never exceed the budget; the price is
//! that up to one bucket's time of budget is given back late. Never sleeps: it tells until when.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Buckets in one window.
const BUCKETS: u64 = 60;

/// A budget of bytes per window.
#[derive(Debug)]
pub struct ByteWindow {
    bytes_max: u64,
    bucket_ns: u64,
    epoch: Instant,
    /// Bucket number and bytes, oldest first; empty buckets are not kept.
    buckets: VecDeque<(u64, u64)>,
    bytes: u64,
}

impl ByteWindow {
    /// `bytes_max` bytes within any `window`.
    pub fn new(bytes_max: u64, window: Duration, epoch: Instant) -> Self {
        let window_ns = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        ByteWindow {
            bytes_max: bytes_max.max(1),
            bucket_ns: window_ns.div_ceil(BUCKETS).max(1),
            epoch,
            buckets: VecDeque::new(),
            bytes: 0,
        }
    }

    /// From when `bytes` fit; `now` or earlier: at once. More than the whole budget fits
    /// when nothing else counts.
    pub fn available_at(&mut self, now: Instant, bytes: u64) -> Instant {
        self.forget_old(now);
        let wanted = bytes.min(self.bytes_max);
        let mut used = self.bytes;
        if used.saturating_add(wanted) <= self.bytes_max {
            return now;
        }
        for (bucket, bytes) in &self.buckets {
            used -= bytes;
            if used + wanted <= self.bytes_max {
                return self.expiry(*bucket);
            }
        }
        now
    }

    /// Counts `bytes` as sent at `now`.
    pub fn add(&mut self, now: Instant, bytes: u64) {
        self.forget_old(now);
        let bucket = self.bucket_of(now);
        match self.buckets.back_mut() {
            // A restored bucket may lie ahead: later is on the safe side.
            Some((last, held)) if *last >= bucket => *held += bytes,
            _ => self.buckets.push_back((bucket, bytes)),
        }
        self.bytes += bytes;
    }

    /// Takes back what was counted too much, out of the newest buckets: an estimate from
    /// above is corrected once the size of the body is known.
    pub fn give_back(&mut self, bytes: u64) {
        let mut left = bytes.min(self.bytes);
        self.bytes -= left;
        while left > 0
            && let Some((_, held)) = self.buckets.back_mut()
        {
            let taken = left.min(*held);
            *held -= taken;
            left -= taken;
            if *held == 0 {
                self.buckets.pop_back();
            }
        }
    }

    /// What is spent now, as (when it can be spent again, bytes), earliest first.
    pub fn spent(&mut self, now: Instant) -> Vec<(Instant, u64)> {
        self.forget_old(now);
        self.buckets
            .iter()
            .map(|(bucket, bytes)| (self.expiry(*bucket), *bytes))
            .collect()
    }

    /// Counts bytes that were spent before this window was made and can be spent again at
    /// `free_at`. To be called earliest first, before anything is added.
    pub fn restore(&mut self, now: Instant, free_at: Instant, bytes: u64) {
        let latest = self.expiry(self.bucket_of(now));
        let after_epoch = free_at.min(latest).saturating_duration_since(self.epoch);
        let after_ns = u64::try_from(after_epoch.as_nanos()).unwrap_or(u64::MAX);
        let bucket = after_ns
            .div_ceil(self.bucket_ns)
            .saturating_sub(BUCKETS + 1);
        match self.buckets.back_mut() {
            Some((last, held)) if *last >= bucket => *held += bytes,
            _ => self.buckets.push_back((bucket, bytes)),
        }
        self.bytes += bytes;
    }

    /// The budget of one window.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    fn bucket_of(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.epoch).as_nanos();
        u64::try_from(elapsed).unwrap_or(u64::MAX) / self.bucket_ns
    }

    /// When a bucket's last byte has left every window: one window after the bucket's end.
    fn expiry(&self, bucket: u64) -> Instant {
        let ns = (bucket + BUCKETS + 1).saturating_mul(self.bucket_ns);
        self.epoch + Duration::from_nanos(ns)
    }

    fn forget_old(&mut self, now: Instant) {
        let current = self.bucket_of(now);
        while let Some((bucket, bytes)) = self.buckets.front()
            && bucket + BUCKETS < current
        {
            self.bytes -= bytes;
            self.buckets.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_window_opens_one_window_after_the_bucket_that_filled_it() {
        let epoch = Instant::now();
        let mut window = ByteWindow::new(1000, Duration::from_secs(600), epoch);
        window.add(epoch, 1000);
        let opens = window.available_at(epoch, 1);
        assert_eq!(opens, epoch + Duration::from_secs(610));
        assert_eq!(window.available_at(opens, 1000), opens);
    }

    #[test]
    fn more_than_the_whole_budget_waits_for_an_empty_window() {
        let epoch = Instant::now();
        let mut window = ByteWindow::new(100, Duration::from_secs(60), epoch);
        assert_eq!(window.available_at(epoch, 5000), epoch);
        window.add(epoch, 1);
        assert!(window.available_at(epoch, 5000) > epoch);
    }

    #[test]
    fn bytes_given_back_can_be_spent_again() {
        let epoch = Instant::now();
        let mut window = ByteWindow::new(100, Duration::from_secs(60), epoch);
        window.add(epoch, 100);
        window.give_back(40);
        assert_eq!(window.available_at(epoch, 40), epoch);
        assert!(window.available_at(epoch, 41) > epoch);
    }

    #[test]
    fn what_a_window_held_is_held_by_one_that_takes_its_place() {
        let window = Duration::from_secs(600);
        let epoch = Instant::now();
        let start = epoch + Duration::from_secs(700);
        let mut before = ByteWindow::new(1000, window, start);
        before.add(start, 600);
        before.add(start + Duration::from_secs(100), 300);
        let stopped = start + Duration::from_secs(200);
        let spent = before.spent(stopped);
        let restarted = start + Duration::from_secs(203);
        let mut after = ByteWindow::new(1000, window, epoch);
        for (free_at, bytes) in spent {
            after.restore(restarted, free_at, bytes);
        }
        assert_eq!(after.available_at(restarted, 100), restarted);
        let opens = after.available_at(restarted, 101);
        let earliest = before.available_at(stopped, 101);
        let bucket = Duration::from_secs(10);
        assert!(opens >= earliest && opens <= earliest + bucket, "{opens:?}");
        assert!(after.available_at(restarted, 1000) >= before.available_at(stopped, 1000));
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_budget(
            steps in prop::collection::vec((0u64..40_000, 1u64..700), 1..200),
        ) {
            let epoch = Instant::now();
            let window = Duration::from_secs(60);
            let mut now = epoch;
            let mut ring = ByteWindow::new(1000, window, epoch);
            let mut sent: Vec<(Instant, u64)> = Vec::new();
            for (pause_ms, bytes) in steps {
                now += Duration::from_millis(pause_ms);
                now = now.max(ring.available_at(now, bytes));
                prop_assert!(ring.available_at(now, bytes) <= now, "the wait told was too short");
                ring.add(now, bytes);
                sent.push((now, bytes));
                let within: u64 = sent
                    .iter()
                    .filter(|(at, _)| *at + window > now)
                    .map(|(_, bytes)| bytes)
                    .sum();
                prop_assert!(within <= 1000, "{within} bytes within a window");
            }
        }
    }
}
