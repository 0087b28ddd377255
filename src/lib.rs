//! Penstock: rows from PostgreSQL clients, delivered into Cognite Data Fusion.
//!
//! The data path, in the order a row meets it:
//!
//! 1. [`wire`] accepts the connection, signs the client in and reads frames.
//! 2. [`sql`] decides what a statement is: COPY, INSERT, a session command, a probe.
//! 3. [`catalog`] knows the tables: columns, types, keys, limits, CDF endpoints.
//! 4. [`rows`] decodes the values into columns, thousands of rows a batch.
//! 5. [`pipeline`] sequences, batches, paces, sends, retries and gives verdicts.
//! 6. [`cdf`] encodes the requests, signs them and reads CDF's answers.
//!
//! Where a session or a table asks for it, [`journal`] stands before the pipeline: rows are
//! acknowledged once they are safe on disk, and go on from there. Rows of a transaction that memory
//! has no room for wait in [`spool`] files until COMMIT.
//!
//! Statements that are no writes, and questions about the catalog, are run by a PostgreSQL of the
//! gateway's own ([`engine`]); [`scan`] fetches from CDF the rows that they need.
//!
//! Around it: [`config`] (what operators tune), [`oidc`] (sign-in by access token), [`state`] (users
//! and custom tables that are kept), [`accounts_api`] (HTTP that makes them), [`revocation`] (access
//! that is withdrawn), [`telemetry`] (metrics and logs), [`supervision`] (threads that hang),
//! [`admin`] (HTTP: health and metrics, on an [`http_server`]), [`dead_letters`] (rows that CDF
//! refused for good), [`emulator`] (a local CDF) and [`cli`].
//!
//! Dependencies point one way: wire → sql → rows → catalog, wire → journal → pipeline
//! → cdf.
//! The emulator shares no encoder and no decoder with the rest.
#![deny(unsafe_code)]

pub mod accounts_api;
pub mod admin;
pub mod catalog;
pub mod cdf;
pub mod cli;
pub mod config;
pub mod dead_letters;
pub mod diagnostic;
pub mod emulator;
pub mod engine;
pub mod gateway;
pub mod http_server;
pub mod journal;
pub mod oidc;
pub mod pipeline;
pub mod revocation;
pub mod rows;
pub mod scan;
pub mod spool;
pub mod sql;
mod sqlite;
pub mod state;
pub mod supervision;
pub mod telemetry;
pub mod wire;
