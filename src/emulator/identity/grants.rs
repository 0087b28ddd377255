//! The token endpoint: client credentials, and tokens on behalf of a user.
//!
//! Owns how a form is read and which grant asks for what, as Entra does it. Application
//! and secret come as fields of the form or as a Basic header. An assertion is exchanged
//! only by the application that it was made for, and only for a user.

use super::entries::Application;
use super::oauth_error::OauthError;
use super::principal::{Holder, TokenVersion};
use super::{Identity, Order};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::query::{Query, percent_decode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const ON_BEHALF_OF: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Answers a request for a token.
pub fn answer(
    identity: &Identity,
    tenant: &str,
    version: TokenVersion,
    basic: Option<&str>,
    form: &[u8],
) -> Result<Answer, Refusal> {
    match order(identity, tenant, version, basic, form) {
        Ok((order, scope)) => {
            let token = identity.issue(&order, None)?;
            Ok(Answer::json(
                200,
                &json!({
                    "token_type": "Bearer",
                    "expires_in": order.lifetime_s,
                    "ext_expires_in": order.lifetime_s,
                    "access_token": token,
                    "scope": scope,
                }),
            ))
        }
        Err(error) => Ok(error.into()),
    }
}

/// The token that a form asks for, and the scope as it was asked for.
fn order(
    identity: &Identity,
    tenant: &str,
    version: TokenVersion,
    basic: Option<&str>,
    form: &[u8],
) -> Result<(Order, String), OauthError> {
    let text = std::str::from_utf8(form).map_err(|_| OauthError::malformed())?;
    let form = Query::parse(text).map_err(|_| OauthError::malformed())?;
    let on_behalf_of = match form.get("grant_type") {
        Some("client_credentials") => false,
        Some(ON_BEHALF_OF) => true,
        Some(_) => return Err(OauthError::unsupported_grant()),
        None => return Err(OauthError::missing("grant_type")),
    };
    let application = sign_in(identity, tenant, basic, &form)?;
    let holder = if on_behalf_of {
        user_of_assertion(identity, tenant, &application, &form)?
    } else {
        Holder::Application(application)
    };
    let scope = form.get("scope").unwrap_or_default().to_owned();
    let scp = matches!(holder, Holder::User { .. }).then(|| permissions(&scope));
    Ok((
        Order {
            holder,
            version,
            tenant: tenant.to_owned(),
            audience: audience(identity, &form),
            lifetime_s: i64::try_from(identity.tokens.lifetime_s()).unwrap_or(i64::MAX),
            scope: scp,
        },
        scope,
    ))
}

fn sign_in(
    identity: &Identity,
    tenant: &str,
    basic: Option<&str>,
    form: &Query,
) -> Result<Application, OauthError> {
    let pair = match basic {
        Some(header) => basic_pair(header),
        None => {
            let pair = form.get("client_id").zip(form.get("client_secret"));
            pair.map(|(id, secret)| (id.to_owned(), secret.to_owned()))
        }
    };
    let (client_id, secret) = pair
        .filter(|(client_id, _)| !client_id.is_empty())
        .ok_or_else(OauthError::without_credentials)?;
    identity.directory.sign_in(&client_id, &secret, tenant)
}

/// The user whose token is presented, if the application may exchange it.
fn user_of_assertion(
    identity: &Identity,
    tenant: &str,
    application: &Application,
    form: &Query,
) -> Result<Holder, OauthError> {
    match form.get("requested_token_use") {
        Some("on_behalf_of") => {}
        Some(_) => return Err(OauthError::not_on_behalf_of()),
        None => return Err(OauthError::missing("requested_token_use")),
    }
    let assertion = form
        .get("assertion")
        .filter(|assertion| !assertion.is_empty())
        .ok_or_else(|| OauthError::missing("assertion"))?;
    let known = identity
        .tokens
        .find(assertion)
        .filter(|known| identity.keys.publishes(&known.kid))
        .ok_or_else(OauthError::bad_assertion)?;
    known
        .check(identity.clock.now_ms())
        .map_err(|_| OauthError::assertion_out_of_time())?;
    let principal = known.principal;
    if !principal
        .audiences
        .iter()
        .any(|audience| application.is_meant_by(audience))
    {
        let audience = principal.audiences.join(" ");
        let client_id = &application.client_id;
        return Err(OauthError::assertion_for_another(&audience, client_id));
    }
    let user = principal
        .user()
        .ok_or_else(|| OauthError::assertion_without_user(&application.client_id))?;
    let user = Some(user)
        .filter(|user| user.tenant.as_deref() == Some(tenant))
        .and_then(|user| identity.directory.still_knows(user))
        .ok_or_else(|| OauthError::unknown_user(tenant))?;
    Ok(Holder::User {
        user,
        client_id: application.client_id.clone(),
    })
}

/// Whom the token is for: the resource of the scope, or what a parameter says. Without
/// either it is for CDF.
fn audience(identity: &Identity, form: &Query) -> Value {
    let scopes = form
        .get("scope")
        .unwrap_or_default()
        .split_ascii_whitespace();
    let of_scope = scopes
        .filter(|scope| scope.contains('/'))
        .filter_map(|scope| scope.rsplit_once('/'))
        .map(|(resource, _)| resource)
        .next();
    of_scope
        .or_else(|| form.get("resource"))
        .or_else(|| form.get("audience"))
        .filter(|audience| !audience.is_empty())
        .unwrap_or(&identity.base_url)
        .into()
}

/// The names of the permissions in a scope; `.default` stands for those that were granted.
fn permissions(scope: &str) -> String {
    let names = scope.split_ascii_whitespace().map(|scope| {
        let name = scope.rsplit_once('/').map_or(scope, |(_, name)| name);
        if name == ".default" {
            "user_impersonation"
        } else {
            name
        }
    });
    names.collect::<Vec<_>>().join(" ")
}

fn basic_pair(header: &str) -> Option<(String, String)> {
    let (scheme, text) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (client_id, client_secret) = text.split_once(':')?;
    // RFC 6749 2.3.1 form-encodes both parts before they are joined.
    let decode = |part: &str| percent_decode(&part.replace('+', " ")).ok();
    Some((decode(client_id)?, decode(client_secret)?))
}
