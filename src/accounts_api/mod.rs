//! The HTTP API that makes users and their tables, as Cognite's gateways have it.
//!
//! Owns the paths of version 2.0 (below `/api/v1/projects/{project}/postgresgateway`) and those of
//! version 1.0 (`/create`, `/user/{username}/tables`). A request is answered so: `caller` asks CDF
//! whose token it is and what it may do, `document` reads the body, `users`, `tables`,
//! `first_users` or `first_tables` does the work in the state store through `service`, and `fault`
//! says what was wrong in CDF's shape.
//!
//! Promises that nobody acts without a token that CDF accepts at that moment, that users of one
//! project are nobody's business in another, and that passwords, nonces, secrets and tokens are
//! never logged. Never touches a row.

mod caller;
mod document;
mod fault;
mod first_tables;
mod first_users;
mod minimum;
mod page;
mod sent;
mod service;
mod table_shape;
mod tables;
mod token_hosts;
mod users;

pub use service::AccountsService;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse;
use fault::ApiFault;

/// Bytes of a request's body: ten tables of 1,600 columns take one.
const BODY_BYTES_MAX: usize = 2 << 20;

/// The paths of both versions.
pub fn router(service: AccountsService) -> Router {
    Router::new()
        .merge(users::router())
        .merge(tables::router())
        .merge(first_users::router())
        .merge(first_tables::router())
        .fallback(async || ApiFault::not_found("there is no such path").into_response())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(service)
}
