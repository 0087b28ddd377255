//! The PostgreSQL side: everything between a client's socket and the pipeline.
//!
//! A connection goes through these files, in this order:
//!
//! 1. `listener` accepts it and gives it to a thread; `connection` is its actor.
//! 2. `startup` negotiates TLS and the version, [`sign_in`] checks password or token, `welcome`
//!    greets.
//! 3. `session` reads `frame`s and `message`s and keeps the order of replies.
//! 4. `simple_query`, `extended_query`, [`copy`], `execute` and `write` run statements.
//! 5. `open_batch` gathers rows in a `group`; `transaction` keeps them until COMMIT,
//!    `savepoints` take them back, `holding` keeps them within bounds and `spooling` on disk past
//!    those; `streaming` sends them at once.
//! 6. `delivery` submits them to a [`Destination`], `settle` turns verdicts into replies, which
//!    `completion` completes.
//!
//! Owns the protocol: framing, sign-in, replies, transaction states. Promises that whatever a
//! client sends ends in a clear error and never in a panic, that no success is told before CDF
//! has accepted the rows, and that memory is bounded by not reading the socket. Never talks to
//! CDF and never parses SQL by itself.

mod abandoned;
mod activity;
mod announcements;
mod awaited_answer;
mod change_plan;
mod changes;
mod cold;
mod completion;
mod connection;
pub mod copy;
mod copy_in;
mod copy_message;
mod copy_where;
mod deadlines;
mod delivery;
mod departure;
mod departures;
mod destination;
mod encoding;
mod ending;
mod error;
mod execute;
mod extended_query;
mod failure;
mod frame;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gateway;
mod gateway_state;
mod group;
mod held;
mod holding;
mod ignored_rows;
mod ignoring;
mod listener;
mod live_tls;
mod look_alikes;
mod message;
mod notifications;
mod numbering;
mod on_duplicate;
mod open_batch;
mod open_connections;
mod ranged;
mod receive;
mod registry;
mod relay;
mod replay;
mod reply;
mod result;
mod returned;
mod returned_cells;
mod returned_raw;
mod savepoints;
mod scram;
mod session;
mod settle;
mod sign_in;
mod signals;
mod simple_query;
mod spooling;
mod staged;
mod staged_bytes;
mod staged_cells;
mod staged_rows;
mod stamped_rows;
mod startup;
mod startup_parameters;
mod streaming;
mod table_numbers;
mod tls;
mod transaction;
mod transport;
mod unknown_relation;
mod unread;
mod user;
mod welcome;
mod withdrawn;
mod withheld;
mod write;

pub use departure::{Departure, Whom};
pub use destination::Destination;
pub use error::WireError;
pub use listener::{WireHandle, WireSettings, WireStop, start};
pub use look_alikes::LookAlikes;
pub use open_connections::OpenConnections;
pub use scram::ScramVerifier;
pub use sign_in::{ClientCertificate, SignInMethod, SignInRule};
pub use tls::{TlsFiles, TlsIdentity};
pub use user::{GatewayUser, Users};
