//! The watchdog: a thread of its own that looks at every heartbeat.
//!
//! Owns the looking and the count of looks without a beat. Promises to tell of the first thread
//! that hangs, once. It counts its looks instead of seconds: when the whole process stood still
//! (SIGSTOP, a paused virtual machine), nobody is blamed. Never ends anything itself.

use super::Heartbeat;
use crate::telemetry::WatchedThread;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Looks without a beat that make a hang.
const LOOKS: u32 = 4;

/// The running watchdog; it ends when this is dropped.
#[derive(Debug)]
pub struct Watchdog {
    _ends: Sender<()>,
}

/// A heartbeat and what was last seen of it.
struct Watched {
    heartbeat: Heartbeat,
    beats: u64,
    looks_without: u32,
}

impl Watchdog {
    /// How often threads have to beat so that `hang` without a beat is noticed.
    pub fn beat_interval(hang: Duration) -> Duration {
        hang / (2 * LOOKS)
    }

    /// Watches until dropped. `on_hang` is told the thread that did not beat for `hang`, on the
    /// watchdog's own thread; after that nothing is watched any more.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        heartbeats: Vec<Heartbeat>,
        hang: Duration,
        on_hang: impl FnOnce(WatchedThread) + Send + 'static,
    ) -> io::Result<Self> {
        let (ends, ended) = channel::<()>();
        let mut watched: Vec<Watched> = heartbeats
            .into_iter()
            .map(|heartbeat| Watched {
                beats: heartbeat.beats(),
                heartbeat,
                looks_without: 0,
            })
            .collect();
        let watch = move || {
            while ended.recv_timeout(hang / LOOKS) == Err(RecvTimeoutError::Timeout) {
                if let Some(thread) = look(&mut watched) {
                    on_hang(thread);
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(watch)?;
        Ok(Watchdog { _ends: ends })
    }
}

/// Looks at every heartbeat once. Returns a thread that hangs.
fn look(watched: &mut [Watched]) -> Option<WatchedThread> {
    for each in watched {
        let beats = each.heartbeat.beats();
        if beats != each.beats {
            each.beats = beats;
            each.looks_without = 0;
            continue;
        }
        each.looks_without += 1;
        if each.looks_without >= LOOKS {
            return Some(each.heartbeat.thread);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const HANG: Duration = Duration::from_millis(400);

    /// Longer than any machine takes to notice; reached only when the test fails.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_blocked_event_loop_is_told_once_and_a_turning_one_is_not() {
        let system = actix::System::new();
        let (turning, blocked) =
            system.block_on(async { (actix::Arbiter::new(), actix::Arbiter::new()) });
        let interval = Watchdog::beat_interval(HANG);
        let heartbeats = vec![
            Heartbeat::start(WatchedThread::Connections, &turning.handle(), interval),
            Heartbeat::start(WatchedThread::Batchers, &blocked.handle(), interval),
        ];
        let (release, released) = mpsc::channel::<()>();
        blocked.spawn_fn(move || {
            let _ = released.recv();
        });
        let (told, hears) = mpsc::channel();
        let watchdog = Watchdog::start(heartbeats, HANG, move |thread| {
            let _ = told.send(thread);
        })
        .expect("the thread starts");
        assert_eq!(hears.recv_timeout(PATIENCE), Ok(WatchedThread::Batchers));
        // The sender is gone: nothing more is told.
        assert_eq!(hears.recv(), Err(mpsc::RecvError));
        drop((watchdog, release));
    }

    #[test]
    fn a_beat_between_two_looks_forgives_all_looks_before() {
        let system = actix::System::new();
        let arbiter = system.block_on(async { actix::Arbiter::new() });
        arbiter.stop();
        let heartbeat = Heartbeat::start(WatchedThread::Writers, &arbiter.handle(), HANG);
        let mut watched = [Watched {
            beats: heartbeat.beats(),
            heartbeat,
            looks_without: LOOKS - 1,
        }];
        watched[0].beats = u64::MAX;
        assert_eq!(look(&mut watched), None);
        for _ in 1..LOOKS {
            assert_eq!(look(&mut watched), None);
        }
        assert_eq!(look(&mut watched), Some(WatchedThread::Writers));
    }
}
