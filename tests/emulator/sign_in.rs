//! Sign-in: the token endpoint, and what a token opens.

use crate::support::{Cdf, Reply, TestResult};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use penstock::emulator::{ClientCredentials, EmulatorOptions};
use serde_json::{Value, json};

fn strict() -> Cdf {
    Cdf::with(EmulatorOptions {
        project: Some("plant".to_owned()),
        accept_any_token: false,
        clients: vec![ClientCredentials {
            client_id: "line 1".to_owned(),
            client_secret: "s:1&".to_owned(),
        }],
        ..EmulatorOptions::default()
    })
}

async fn token(cdf: &Cdf, form: &str, basic: Option<&str>) -> reqwest::Result<Reply> {
    let mut request = cdf
        .http
        .post(cdf.handle.token_url())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned());
    if let Some(pair) = basic {
        request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
    }
    cdf.send(request).await
}

const FORM: &str = "grant_type=client_credentials&client_id=line+1&client_secret=s%3A1%26";

async fn sign_in(cdf: &mut Cdf) -> Result<(), Box<dyn std::error::Error>> {
    let reply = token(cdf, FORM, None).await?;
    let json = reply.json();
    cdf.token = json["access_token"].as_str().ok_or("no token")?.to_owned();
    Ok(())
}

#[tokio::test]
async fn client_credentials_are_taken_as_a_form_and_as_a_basic_header() -> TestResult {
    let cdf = strict();
    let form = token(&cdf, FORM, None).await?;
    assert_eq!(form.status, 200);
    assert_eq!(form.json()["token_type"], "Bearer");
    assert_eq!(form.json()["expires_in"], 3_600);
    let basic = token(
        &cdf,
        "grant_type=client_credentials",
        Some("line+1:s%3A1%26"),
    )
    .await?;
    assert_eq!(basic.status, 200);
    Ok(())
}

#[tokio::test]
async fn wrong_credentials_get_oauth_errors() -> TestResult {
    let cdf = strict();
    let wrong = token(&cdf, &FORM.replace("s%3A1%26", "wrong"), None).await?;
    assert_eq!(
        (wrong.status, &wrong.json()["error"]),
        (401, &json!("invalid_client"))
    );
    let grant = token(&cdf, &FORM.replace("client_credentials", "password"), None).await?;
    assert_eq!(
        (grant.status, &grant.json()["error"]),
        (400, &json!("unsupported_grant_type"))
    );
    let none = token(&cdf, "grant_type=client_credentials", None).await?;
    assert_eq!(none.status, 401);
    Ok(())
}

#[tokio::test]
async fn without_a_known_token_nothing_opens() -> TestResult {
    let mut cdf = strict();
    let refused = cdf.create_series(&["a"]).await?;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error"]["code"], 401);
    let none = cdf.send(cdf.http.get(cdf.url("/timeseries"))).await?;
    assert_eq!(none.status, 401);
    sign_in(&mut cdf).await?;
    assert_eq!(cdf.create_series(&["a"]).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn another_project_is_closed() -> TestResult {
    let mut cdf = strict();
    sign_in(&mut cdf).await?;
    let url = format!("{}/api/v1/projects/other/timeseries", cdf.handle.base_url());
    let refused = cdf.send(cdf.http.get(url).bearer_auth(&cdf.token)).await?;
    assert_eq!(refused.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_token_ends_after_its_lifetime_and_a_new_one_opens_again() -> TestResult {
    let mut cdf = strict();
    cdf.admin("PUT", "tokens", json!({"lifetime_s": 0})).await?;
    let reply = token(&cdf, FORM, None).await?;
    assert_eq!(reply.json()["expires_in"], 0);
    cdf.token = reply.json()["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let refused = cdf.create_series(&["a"]).await?;
    assert_eq!(refused.status, 401);
    assert!(
        refused.message().contains("expired"),
        "{}",
        refused.message()
    );
    cdf.handle.set_token_lifetime_s(3_600);
    sign_in(&mut cdf).await?;
    assert_eq!(cdf.create_series(&["a"]).await?.status, 201);
    cdf.admin("DELETE", "tokens", Value::Null).await?;
    assert_eq!(cdf.create_series(&["b"]).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn inspect_shows_the_subject_and_its_projects() -> TestResult {
    let mut cdf = strict();
    sign_in(&mut cdf).await?;
    let url = format!("{}/api/v1/token/inspect", cdf.handle.base_url());
    let shown = cdf.send(cdf.http.get(url).bearer_auth(&cdf.token)).await?;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.json()["subject"], "line 1");
    assert_eq!(shown.json()["projects"][0]["projectUrlName"], "plant");
    Ok(())
}
