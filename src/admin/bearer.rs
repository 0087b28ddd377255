//! The bearer token: who may see and change rows.
//!
//! Owns the check of the Authorization header. Promises that comparing takes the same time
//! whatever was sent, and that without a token in the configuration nobody is let in. Never
//! logs what was sent.

use super::refusal::ApiRefusal;
use crate::cdf::Secret;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Lets a request through that shows the token.
pub(super) async fn check(
    State(token): State<Option<Secret>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(token) = token else {
        return ApiRefusal::forbidden(
            "no token is configured: set admin.token, admin.token_env or admin.token_file",
        )
        .into_response();
    };
    let shown = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match shown {
        Some(shown) if is_equal(shown, token.expose().as_bytes()) => next.run(request).await,
        _ => ApiRefusal::unauthorized("the bearer token is missing or wrong").into_response(),
    }
}

/// Looks at every byte: the time taken tells only the length.
fn is_equal(shown: &[u8], token: &[u8]) -> bool {
    let differences = shown
        .iter()
        .zip(token)
        .fold(0, |differences, (one, other)| differences | (one ^ other));
    shown.len() == token.len() && std::hint::black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_equal() {
        assert!(is_equal(b"token", b"token"));
        for other in [&b""[..], b"tokem", b"toke", b"tokens", b"TOKEN"] {
            assert!(!is_equal(other, b"token"));
        }
    }
}
