//! `/create`: the users of version 1.0.
//!
//! Owns the call. Promises that a secret is sent to a listed identity provider only, that
//! credentials are tried before they are kept, and that a password is shown once and kept nowhere.
//! Never logs what was sent.

use super::document::Fields;
use super::fault::ApiFault;
use super::minimum::{FIRST_VERSION, missing_in_words};
use super::sent::Sent;
use super::service::AccountsService;
use super::users::Answered;
use crate::catalog::Dialect;
use crate::cdf::{Credentials, Identity, Project, Secret};
use crate::state::AccountCredentials;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

pub(super) fn router() -> Router<AccountsService> {
    Router::new().route("/create", post(create))
}

async fn create(
    State(service): State<AccountsService>,
    headers: HeaderMap,
    sent: Sent,
) -> Answered {
    // Without a token nobody learns what else would be wrong.
    super::caller::bearer(&headers)?;
    let body = sent.read()?;
    let fields = Fields::of_body(&body)?.only(&["auth", "project"])?;
    let project = fields.text("project")?;
    let auth = fields.object("auth")?;
    let auth = auth.only(&["token_url", "client_id", "client_secret", "scope"])?;
    let caller = service.caller(&headers, project).await?;
    caller.need(&FIRST_VERSION, |words| {
        ApiFault::unauthorized(format!("invalid token: {words}"))
    })?;
    let token_url = auth.text("token_url")?.to_owned();
    service.token_hosts.check(&token_url)?;
    let client_id = auth.text("client_id")?.to_owned();
    let client_secret = Secret::new(auth.text("client_secret")?);
    let scope = auth.text_if_given("scope")?.unwrap_or_default().to_owned();
    let project = service.project(project)?;
    let credentials = AccountCredentials::Client {
        token_url: token_url.clone(),
        client_id: client_id.clone(),
        client_secret: client_secret.clone(),
        scope: scope.clone(),
    };
    let identity = Identity {
        name: client_id.clone(),
        credentials: Credentials::ClientCredentials {
            token_url,
            client_id: client_id.clone(),
            client_secret,
            scope,
            audience: String::new(),
        },
        ..Identity::of_token(project.clone(), Secret::new(String::new()))
    };
    try_out(&service, &project, &identity).await?;
    let new = service
        .new_user(project, Dialect::First, client_id, credentials)
        .await?;
    service.state.create_account(new.account.clone()).await?;
    let (user, project) = (&new.account.name, &new.account.project.name);
    tracing::info!(user, project, "a user of version 1.0 was made");
    Ok(Json(json!({
        "host": service.public_host(&headers),
        "username": user,
        "password": new.password.expose(),
    })))
}

/// Fetches a token with the credentials and looks at what it opens.
async fn try_out(
    service: &AccountsService,
    project: &Project,
    identity: &Identity,
) -> Result<(), ApiFault> {
    let inspection = service.cdf.inspect_token(identity).await;
    let inspection = inspection.map_err(|diagnostic| {
        ApiFault::of_cdf(&diagnostic, |said| {
            ApiFault::bad(format!("the credentials in auth do not work: {said}"))
        })
    })?;
    if !inspection.projects.contains(&project.name) {
        return Err(ApiFault::bad(format!(
            "the credentials in auth open no project \"{}\": link the application's group to a CDF \
             group there",
            project.name
        )));
    }
    match missing_in_words(&inspection, &project.name, &FIRST_VERSION) {
        None => Ok(()),
        Some(words) => Err(ApiFault::forbidden(format!(
            "the application in auth lacks {words}"
        ))),
    }
}
