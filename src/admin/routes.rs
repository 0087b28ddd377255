//! The paths of the admin server.
//!
//! Owns `/metrics`, `/health` and `/ready`. Promises plain text. Never blocks: a scrape renders
//! from memory.

use super::readiness::{Readiness, ReadinessState};
use crate::telemetry::Scrape;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

/// The format that Prometheus' scrapers ask for.
const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
pub(super) struct AdminState {
    pub scrape: Scrape,
    pub readiness: Readiness,
}

pub(super) fn router(state: AdminState) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .with_state(state)
}

async fn metrics(State(state): State<AdminState>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)],
        state.scrape.render(),
    )
}

/// The process lives: restart it when this stays unanswered.
async fn health() -> &'static str {
    "alive\n"
}

/// Route clients here only while this is 200.
async fn ready(State(state): State<AdminState>) -> impl IntoResponse {
    let readiness = state.readiness.state();
    let status = match readiness {
        ReadinessState::Ready => StatusCode::OK,
        ReadinessState::Starting | ReadinessState::Standby | ReadinessState::Draining => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    (status, format!("{}\n", readiness.name()))
}
