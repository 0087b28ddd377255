//! Supervision: noticing that a thread of the gateway hangs.
//!
//! Actors that panic are started again where they are owned (see the pipeline). A thread that
//! hangs cannot be ended: what it held could still be sent later and overtake newer rows. So the
//! process has to go, and whoever runs it starts another.
//!
//! Owns the [`heartbeat`]s and the [`watchdog`]. Promises that a thread without a beat for the
//! configured time is noticed within a quarter of it, also when the machine's clock jumps or
//! the process was stopped for a while. Never ends a thread.

mod heartbeat;
mod watchdog;

pub use heartbeat::Heartbeat;
pub use watchdog::Watchdog;
