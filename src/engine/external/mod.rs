//! Engines in a PostgreSQL that somebody else runs, by its URL.
//!
//! 1. `server` is the way there; `administration` is the connection by which the gateway makes things.
//! 2. `template` is the look of one user's database, made once; `schema` is the SQL of its tables.
//! 3. `engine` is a copy of it, for one statement or one session at a time; `sign_in` is how its
//!    connection begins.
//! 4. `keeper` has all of these, and takes away what nobody needs; `sweep`, what gateways left that
//!    are no more.
//!
//! Owns the databases and roles whose names begin with `penstock_` and eight digits of a gateway's
//! own. Promises to touch nothing else on that server, and that no role which runs a statement of a
//! client can do more there than in that one database. Never uses the rights of a superuser.

mod administration;
mod engine;
mod keeper;
mod names;
mod schema;
mod server;
mod sign_in;
mod sweep;
mod template;

pub(super) use keeper::ExternalEngines;
pub use server::{Server, ServerFault};
