//! The PostgreSQL side: listener, sign-in, connection actor, session.

pub mod copy;
