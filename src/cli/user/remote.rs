//! Users behind the accounts API of a gateway.
//!
//! Owns the calls and what is printed of their answers. Promises that what the gateway refuses is
//! told in its words, and that no answer is waited for without an end. Never sends a token over
//! plain HTTP to another machine.

use super::{CreateArguments, Done, Place, from_environment, from_file};
use reqwest::{Client, Url};
use serde_json::{Value, json};
use std::time::Duration;

/// Users of a page.
const PAGE: i64 = 10;

/// Bound of one call: the gateway asks CDF and the identity provider meanwhile.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

struct Api {
    client: Client,
    base: String,
    token: String,
}

pub(super) fn create(place: &Place, create: &CreateArguments) -> Done {
    let variable = create.nonce_env.as_deref().ok_or(
        "with --api, --nonce-env names the variable with the nonce of a session; users with client \
         credentials are made with --config, or by POST /create",
    )?;
    let nonce = from_environment(variable)?;
    let body = json!({"items": [{"credentials": {"nonce": nonce.trim()}}]});
    let answer = Api::of(place)?.post("", &body)?;
    let user = &answer["items"][0];
    Ok(format!(
        "host {}\nusername {}\npassword {}\n\nThe password is not kept: copy it now.\n",
        text(&user["host"]),
        text(&user["username"]),
        text(&user["password"])
    ))
}

pub(super) fn list(place: &Place) -> Done {
    let api = Api::of(place)?;
    let mut report = String::new();
    let mut body = json!({"limit": PAGE});
    loop {
        let page = api.post("/list", &body)?;
        for user in page["items"].as_array().into_iter().flatten() {
            let session = match &user["sessionId"] {
                Value::Null => "client credentials, or none".to_owned(),
                id => format!("session {id}"),
            };
            report.push_str(&format!("{}  {session}\n", text(&user["username"])));
        }
        match page.get("nextCursor") {
            Some(cursor) => body["cursor"] = cursor.clone(),
            None => return Ok(report),
        }
    }
}

pub(super) fn delete(place: &Place, name: &str) -> Done {
    let body = json!({"items": [{"username": name}], "ignoreUnknownIds": false});
    Api::of(place)?.post("/delete", &body)?;
    Ok(format!(
        "deleted {name} and its tables; what they wrote stays in CDF\n"
    ))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Api {
    fn of(place: &Place) -> Result<Self, String> {
        let token = match (&place.token, &place.token_file) {
            (_, Some(file)) => from_file(file)?.trim().to_owned(),
            (Some(token), None) => token.trim().to_owned(),
            (None, None) => {
                return Err(
                    "the API wants a bearer token: set PENSTOCK_TOKEN or --token-file".to_owned(),
                );
            }
        };
        let api = place
            .api
            .as_deref()
            .unwrap_or_default()
            .trim_end_matches('/');
        let url = Url::parse(api).map_err(|error| format!("{api} is no address: {error}"))?;
        let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if url.scheme() != "https" && !is_here {
            return Err(format!(
                "{api} is no https address: the token would pass the network in clear text"
            ));
        }
        crate::cdf::install_crypto();
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(CALL_TIMEOUT)
            .build()
            .map_err(|error| format!("the HTTP client cannot start: {error}"))?;
        let project = place.project.as_deref().unwrap_or_default();
        Ok(Api {
            client,
            base: format!("{api}/api/v1/projects/{project}/postgresgateway"),
            token,
        })
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("no runtime for the network: {error}"))?;
        runtime.block_on(async {
            let answer = self
                .client
                .post(format!("{}{path}", self.base))
                .bearer_auth(&self.token)
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body.to_string())
                .send()
                .await
                .map_err(|error| format!("the gateway cannot be reached: {error}"))?;
            let status = answer.status();
            let text = answer.text().await.unwrap_or_default();
            let answer: Value = serde_json::from_str(&text).unwrap_or_default();
            if status.is_success() {
                return Ok(answer);
            }
            let said = answer["error"]["message"].as_str().unwrap_or(&text);
            Err(format!("the gateway refused ({status}): {said}"))
        })
    }
}
