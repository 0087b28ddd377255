//! Tokens: what they say, who can check them, and which of them open CDF.

use crate::support::{Cdf, Reply, TestResult};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use penstock::emulator::{Application, EmulatorOptions, User};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

const OPERATORS: &str = "5f0c-operators";
const PORTAL: &str = "portal";

/// An identity provider with two applications and a user.
pub fn provider() -> Cdf {
    Cdf::with(EmulatorOptions {
        accept_any_token: false,
        applications: vec![
            Application {
                client_id: "loader".to_owned(),
                secrets: vec!["loader secret".to_owned()],
                object_id: Some("loader-object".to_owned()),
                groups: vec![OPERATORS.to_owned()],
                ..Application::default()
            },
            Application {
                client_id: PORTAL.to_owned(),
                secrets: vec!["portal secret".to_owned()],
                audiences: vec!["https://portal.example".to_owned()],
                ..Application::default()
            },
        ],
        users: vec![User {
            upn: "alice@plant.example".to_owned(),
            object_id: Some("alice-object".to_owned()),
            groups: vec![OPERATORS.to_owned()],
            tenant: Some("plant-tenant".to_owned()),
        }],
        ..EmulatorOptions::default()
    })
}

/// Asks a token endpoint, by default that of the tenant of the tests.
async fn ask(cdf: &Cdf, form: &[(&str, &str)]) -> reqwest::Result<Reply> {
    cdf.post_form("/plant-tenant/oauth2/v2.0/token", form).await
}

const LOADER: [(&str, &str); 3] = [
    ("grant_type", "client_credentials"),
    ("client_id", "loader"),
    ("client_secret", "loader secret"),
];

fn exchange<'a>(assertion: &'a str, scope: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("client_id", PORTAL),
        ("client_secret", "portal secret"),
        ("requested_token_use", "on_behalf_of"),
        ("assertion", assertion),
        ("scope", scope),
    ]
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// Whether a key of the published set, of the name in the header, has signed the token.
async fn is_signed(cdf: &Cdf, token: &str) -> Result<bool, Box<dyn std::error::Error>> {
    let url = format!("{}/any/discovery/v2.0/keys", cdf.handle.base_url());
    let keys = cdf.send(cdf.http.get(url)).await?.json();
    let header = part(token, 0);
    let published = keys["keys"].as_array().cloned().unwrap_or_default();
    let Some(key) = published.iter().find(|key| key["kid"] == header["kid"]) else {
        return Ok(false);
    };
    assert_eq!((&key["kty"], &key["crv"]), (&json!("EC"), &json!("P-256")));
    let mut point = vec![4];
    for coordinate in ["x", "y"] {
        let encoded = key[coordinate].as_str().unwrap_or_default();
        point.extend(URL_SAFE_NO_PAD.decode(encoded)?);
    }
    let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
    let signature = URL_SAFE_NO_PAD.decode(signature)?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    Ok(key.verify(signed.as_bytes(), &signature).is_ok())
}

#[tokio::test]
async fn a_token_says_who_holds_it_and_is_signed_by_a_published_key() -> TestResult {
    let cdf = provider();
    let token = ask(&cdf, &LOADER).await?.text("access_token")?;
    assert!(is_signed(&cdf, &token).await?);
    let (header, claims) = (part(&token, 0), part(&token, 1));
    assert_eq!(header["alg"], "ES256");
    let issuer = format!("{}/plant-tenant/v2.0", cdf.handle.base_url());
    assert_eq!(claims["iss"], issuer);
    assert_eq!(claims["aud"], cdf.handle.base_url());
    assert_eq!(claims["tid"], "plant-tenant");
    assert_eq!(claims["azp"], "loader");
    assert_eq!(claims["oid"], "loader-object");
    assert_eq!(claims["sub"], "loader-object");
    assert_eq!(claims["groups"], json!([OPERATORS]));
    let (issued, ends) = (claims["iat"].as_i64(), claims["exp"].as_i64());
    assert_eq!(
        ends.zip(issued).map(|(ends, issued)| ends - issued),
        Some(3_600)
    );
    assert_eq!(cdf.opens(&token).await?, 200);
    Ok(())
}

#[tokio::test]
async fn the_first_version_of_the_endpoint_gives_tokens_of_the_first_form() -> TestResult {
    let cdf = provider();
    let reply = cdf.post_form("/plant-tenant/oauth2/token", &LOADER).await?;
    let claims = part(&reply.text("access_token")?, 1);
    assert_eq!(claims["appid"], "loader");
    assert_eq!(
        claims["iss"],
        format!("{}/plant-tenant/", cdf.handle.base_url())
    );
    assert_eq!(claims["azp"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn discovery_names_endpoints_that_are_there() -> TestResult {
    let cdf = provider();
    for (path, form) in [
        ("/t/v2.0/.well-known/openid-configuration", "2.0"),
        ("/t/.well-known/openid-configuration", "1.0"),
    ] {
        let url = format!("{}{path}", cdf.handle.base_url());
        let document = cdf.send(cdf.http.get(url)).await?;
        let token_url = document.text("token_endpoint")?;
        let token_path = token_url.replace(&cdf.handle.base_url(), "");
        let token = cdf
            .post_form(&token_path, &LOADER)
            .await?
            .text("access_token")?;
        let claims = part(&token, 1);
        assert_eq!(claims["ver"], form);
        assert_eq!(claims["iss"], document.json()["issuer"]);
        let keys = cdf.send(cdf.http.get(document.text("jwks_uri")?)).await?;
        assert_eq!(keys.json()["keys"][0]["kid"], part(&token, 0)["kid"]);
    }
    Ok(())
}

#[tokio::test]
async fn an_old_key_is_published_until_it_is_retired() -> TestResult {
    let cdf = provider();
    let old = ask(&cdf, &LOADER).await?.text("access_token")?;
    let rotated = cdf
        .admin("POST", "identity/rotate-keys", Value::Null)
        .await?;
    let new = ask(&cdf, &LOADER).await?.text("access_token")?;
    assert_eq!(part(&new, 0)["kid"], rotated.json()["kid"]);
    assert_ne!(part(&new, 0)["kid"], part(&old, 0)["kid"]);
    assert!(is_signed(&cdf, &old).await? && is_signed(&cdf, &new).await?);
    assert_eq!(cdf.opens(&old).await?, 200);
    cdf.admin("POST", "identity/retire-keys", Value::Null)
        .await?;
    assert!(!is_signed(&cdf, &old).await? && is_signed(&cdf, &new).await?);
    assert_eq!(cdf.opens(&old).await?, 401);
    assert_eq!(cdf.opens(&new).await?, 200);
    Ok(())
}

#[tokio::test]
async fn forged_tokens_are_not_signed_and_open_nothing() -> TestResult {
    let cdf = provider();
    for signature in ["wrong_key", "unknown_key", "damaged", "absent"] {
        let token = cdf
            .mint(json!({"client_id": "loader", "signature": signature}))
            .await?;
        assert!(!is_signed(&cdf, &token).await?, "{signature}");
        assert_eq!(cdf.opens(&token).await?, 401, "{signature}");
    }
    let good = cdf.mint(json!({"client_id": "loader"})).await?;
    assert_eq!(cdf.opens(&good).await?, 200);
    Ok(())
}

#[tokio::test]
async fn a_minted_token_carries_what_was_ordered() -> TestResult {
    let cdf = provider();
    let order = json!({
        "user": "alice@plant.example", "client_id": "pgAdmin", "version": "1.0",
        "audience": "https://ossrdbms-aad.database.windows.net",
        "lifetime_s": 600, "claims": {"name": "Alice", "oid": null},
    });
    let token = cdf.mint(order).await?;
    assert!(is_signed(&cdf, &token).await?);
    let claims = part(&token, 1);
    assert_eq!(claims["upn"], "alice@plant.example");
    assert_eq!(claims["appid"], "pgAdmin");
    assert_eq!(claims["tid"], "plant-tenant");
    assert_eq!(claims["name"], "Alice");
    assert_eq!(claims["oid"], Value::Null);
    // What was made for somebody else is nothing to CDF.
    assert_eq!(cdf.opens(&token).await?, 401);
    Ok(())
}

#[tokio::test]
async fn tokens_end_and_begin_by_the_clock_of_the_provider() -> TestResult {
    let cdf = provider();
    let expired = cdf
        .mint(json!({"client_id": "loader", "lifetime_s": -10}))
        .await?;
    assert_eq!(cdf.opens(&expired).await?, 401);
    let token = ask(&cdf, &LOADER).await?.text("access_token")?;
    cdf.handle.advance_clock_ms(3_599_000 - 60_000);
    assert_eq!(cdf.opens(&token).await?, 200);
    let later = json!({"advance_ms": 61_000});
    cdf.admin("PUT", "identity/clock", later).await?;
    assert_eq!(cdf.opens(&token).await?, 401);
    let fresh = ask(&cdf, &LOADER).await?.text("access_token")?;
    assert_eq!(cdf.opens(&fresh).await?, 200);
    // Back at the start the fresh token is not good yet.
    cdf.admin("PUT", "identity/clock", json!({"offset_ms": 0}))
        .await?;
    assert_eq!(cdf.opens(&fresh).await?, 401);
    Ok(())
}

#[tokio::test]
async fn an_application_gets_a_users_token_for_cdf_in_exchange_for_its_own() -> TestResult {
    let cdf = provider();
    let scope = "https://westeurope-1.cognitedata.com/.default";
    for audience in ["portal", "api://portal", "https://portal.example"] {
        let order = json!({"user": "alice@plant.example", "audience": audience});
        let assertion = cdf.mint(order).await?;
        assert_eq!(cdf.opens(&assertion).await?, 401, "{audience}");
        let reply = ask(&cdf, &exchange(&assertion, scope)).await?;
        let token = reply.text("access_token")?;
        let claims = part(&token, 1);
        assert_eq!(claims["preferred_username"], "alice@plant.example");
        assert_eq!(claims["azp"], PORTAL);
        assert_eq!(claims["aud"], "https://westeurope-1.cognitedata.com");
        assert_eq!(claims["groups"], json!([OPERATORS]));
        assert_eq!(cdf.opens(&token).await?, 200);
    }
    Ok(())
}

#[tokio::test]
async fn an_assertion_for_another_or_of_nobody_is_an_invalid_grant() -> TestResult {
    let cdf = provider();
    let scope = "https://westeurope-1.cognitedata.com/.default";
    let alice = |more: Value| {
        let mut order = json!({"user": "alice@plant.example", "audience": "portal"});
        if let (Some(order), Some(more)) = (order.as_object_mut(), more.as_object()) {
            order.extend(more.clone());
        }
        order
    };
    for (order, code) in [
        (
            alice(json!({"audience": "https://graph.microsoft.com"})),
            "AADSTS500131",
        ),
        (alice(json!({"lifetime_s": -1})), "AADSTS500133"),
        (alice(json!({"signature": "wrong_key"})), "AADSTS50013"),
        (alice(json!({"signature": "absent"})), "AADSTS50013"),
        (alice(json!({"tenant": "another"})), "AADSTS50034"),
        (
            alice(json!({"user": "mallory@plant.example"})),
            "AADSTS50034",
        ),
        (
            json!({"client_id": "loader", "audience": "portal"}),
            "AADSTS7000114",
        ),
    ] {
        let assertion = cdf.mint(order.clone()).await?;
        let reply = ask(&cdf, &exchange(&assertion, scope)).await?;
        assert_eq!(reply.status, 400, "{order}");
        assert_eq!(reply.json()["error"], "invalid_grant", "{order}");
        let description = reply.text("error_description")?;
        assert!(
            description.starts_with(&format!("{code}:")),
            "{order}: {description}"
        );
        assert!(!description.contains(&assertion));
    }
    Ok(())
}

#[tokio::test]
async fn applications_come_and_go_while_it_runs() -> TestResult {
    let cdf = provider();
    let defined = json!({"client_id": "late", "secrets": ["one", "two"], "tenant": "plant-tenant"});
    let shown = cdf.admin("PUT", "identity/applications", defined).await?;
    assert_eq!(shown.json()["secrets"], 2);
    let form = |secret| {
        [
            ("grant_type", "client_credentials"),
            ("client_id", "late"),
            ("client_secret", secret),
        ]
    };
    assert_eq!(ask(&cdf, &form("two")).await?.status, 200);
    let elsewhere = cdf
        .post_form("/another/oauth2/v2.0/token", &form("two"))
        .await?;
    assert_eq!(elsewhere.json()["error"], "unauthorized_client");
    let wrong = ask(&cdf, &form("three")).await?;
    assert_eq!(
        (wrong.status, &wrong.json()["error"]),
        (401, &json!("invalid_client"))
    );
    cdf.admin("DELETE", "identity/applications/late", Value::Null)
        .await?;
    let gone = ask(&cdf, &form("two")).await?;
    assert_eq!(
        (gone.status, &gone.json()["error"]),
        (400, &json!("unauthorized_client"))
    );
    let all = cdf
        .admin("GET", "identity/applications", Value::Null)
        .await?;
    assert!(!String::from_utf8_lossy(&all.bytes).contains("loader secret"));
    Ok(())
}
