//! The PostgreSQL protocol as clients meet it, over real sockets.
//!
//! Owns the promises of the wire side: framing, sign-in, both query protocols, COPY,
//! transactions, cancel, TLS, bad input. The pipeline is a stand-in that gives the verdicts a
//! test wants; the way into CDF has tests of its own.

mod client;
mod gateway;
mod pipeline;
mod tls;
mod token_issuer;

mod bad_input;
mod bearer;
mod cancel;
mod client_certificates;
mod copy;
mod departure;
mod extended;
mod memory;
mod shutdown;
mod sign_in;
mod sign_in_limits;
mod sign_in_rules;
mod simple;
mod spool;
mod startup;
mod streaming;
mod timeouts;
mod tls_reload;
mod token_check;
mod token_sign_in;
mod tokio_postgres_client;
mod transaction_model;
mod transactions;
