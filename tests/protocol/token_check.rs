//! Which tokens let somebody in, under which name, and as whom they write.

use crate::token_issuer::{
    ADA, AUDIENCE, CDF_AUDIENCE, TokenIssuer, everybody, now_s, project, stored,
};
use penstock::cdf::Credentials;
use penstock::oidc::{
    CdfTarget, KeySource, NamePattern, Names, PrincipalRule, TokenCheck, TokenRefusal, TokenUser,
};
use serde_json::json;
use std::sync::Arc;

fn check(check: &TokenCheck, token: &str, user: &str) -> Result<TokenUser, TokenRefusal> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(check.check(token, user, None))
}

fn refusal(of: &TokenCheck, token: &str, user: &str) -> TokenRefusal {
    check(of, token, user).expect_err("the token must be refused")
}

#[test]
fn a_token_lets_its_owner_in_under_each_of_its_names() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check();
    let token = issuer.token(json!({}));
    for name in [ADA, "ada-object-id", "loaders"] {
        let user = check(&tokens, &token, name).unwrap();
        assert_eq!(user.identity.name, "plant-client");
    }
    // By the address that Entra's version 1 has as its issuer.
    let token = issuer.token(json!({"iss": "https://sts.windows.net/tenant/"}));
    check(&tokens, &token, ADA).unwrap();
    let token = issuer.token(json!({"aud": ["elsewhere", AUDIENCE]}));
    check(&tokens, &token, ADA).unwrap();
    assert_eq!(issuer.fetches(), 1, "keys are kept");
}

#[test]
fn a_good_token_does_not_let_its_owner_in_as_somebody_else() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check();
    let token = issuer.token(json!({}));
    for name in [
        "bob@example.com",
        "Ada@example.com",
        "ada",
        "a-tool",
        "group-1",
        "ada-subject",
        "user_impersonation",
        "ada@example.com'; drop table users; --",
    ] {
        assert_eq!(
            refusal(&tokens, &token, name),
            TokenRefusal::NameNotBound,
            "{name}"
        );
    }
}

#[test]
fn forged_tokens_are_refused() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check();
    let forged = issuer.forged(json!({}));
    assert_eq!(
        refusal(&tokens, &forged, ADA),
        TokenRefusal::Signature("entra".to_owned())
    );
    // A token's claims under another token's signature.
    let (one, other) = (issuer.token(json!({})), issuer.token(json!({"upn": "bob"})));
    let signature = one.rsplit('.').next().unwrap();
    let message = other.rsplit_once('.').unwrap().0;
    let mixed = format!("{message}.{signature}");
    assert_eq!(
        refusal(&tokens, &mixed, "bob"),
        TokenRefusal::Signature("entra".to_owned())
    );
}

#[test]
fn no_signature_and_a_signature_with_the_public_key_as_secret_are_refused() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check();
    for algorithm in ["none", "None", "NONE", ""] {
        let token = issuer.unsigned(json!({"alg": algorithm, "kid": "first"}), b"");
        assert!(
            matches!(refusal(&tokens, &token, ADA), TokenRefusal::Malformed(_)),
            "{algorithm}"
        );
    }
    let header = json!({"alg": "HS256", "kid": "first"});
    let message = issuer.unsigned(header.clone(), b"");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &issuer.public_key());
    let signature = ring::hmac::sign(&key, message.trim_end_matches('.').as_bytes());
    let token = issuer.unsigned(header, signature.as_ref());
    assert_eq!(
        refusal(&tokens, &token, ADA),
        TokenRefusal::Algorithm("entra".to_owned())
    );
    // An algorithm that is allowed, with a key of another kind.
    let token = issuer.unsigned(json!({"alg": "RS256", "kid": "first"}), &[1; 256]);
    assert_eq!(
        refusal(&tokens, &token, ADA),
        TokenRefusal::UnknownKey("entra".to_owned())
    );
}

#[test]
fn a_token_for_somebody_else_or_of_another_time_or_place_is_refused() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check();
    let entra = || "entra".to_owned();
    for (changes, reason) in [
        (
            json!({"aud": "https://graph.microsoft.com"}),
            TokenRefusal::Audience(entra()),
        ),
        (json!({"aud": null}), TokenRefusal::Claim("aud".to_owned())),
        (json!({"aud": 1}), TokenRefusal::Claim("aud".to_owned())),
        (json!({"exp": now_s() - 3_600}), TokenRefusal::Expired),
        (json!({"exp": null}), TokenRefusal::Claim("exp".to_owned())),
        (
            json!({"exp": "tomorrow"}),
            TokenRefusal::Claim("exp".to_owned()),
        ),
        (json!({"nbf": now_s() + 3_600}), TokenRefusal::NotYetValid),
        (
            json!({"tid": "another"}),
            TokenRefusal::WrongTenant(entra()),
        ),
        (json!({"tid": null}), TokenRefusal::WrongTenant(entra())),
        (
            json!({"iss": "https://issuer.evil.org"}),
            TokenRefusal::UnknownIssuer,
        ),
        (json!({"iss": null}), TokenRefusal::Malformed("its claims")),
    ] {
        let token = issuer.token(changes.clone());
        assert_eq!(refusal(&tokens, &token, ADA), reason, "{changes}");
    }
}

#[test]
fn what_is_no_token_is_refused_without_a_fetch() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check();
    let long = "a".repeat(20_000);
    for text in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "eyJhbGciOiJSUzI1NiJ9.e30.",
        "päß",
        &long,
    ] {
        assert!(matches!(
            refusal(&tokens, text, ADA),
            TokenRefusal::Malformed(_)
        ));
    }
    assert_eq!(issuer.fetches(), 0);
}

#[test]
fn a_clock_that_differs_a_little_is_forgiven() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check();
    let late = json!({"exp": now_s() - 20});
    check(&tokens, &issuer.token(late), ADA).unwrap();
    let early = json!({"nbf": now_s() + 20});
    check(&tokens, &issuer.token(early), ADA).unwrap();
}

#[test]
fn a_new_key_is_fetched_when_a_token_names_it() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check_with(
        |issuer| issuer.keys_interval_min_s = 0,
        vec![everybody(stored())],
    );
    let old = issuer.token(json!({}));
    check(&tokens, &old, ADA).unwrap();
    issuer.rotate("second");
    check(&tokens, &issuer.token(json!({})), ADA).unwrap();
    assert_eq!(issuer.fetches(), 2);
    // What the issuer withdrew counts no longer.
    assert_eq!(
        refusal(&tokens, &old, ADA),
        TokenRefusal::UnknownKey("entra".to_owned())
    );
}

#[test]
fn made_up_kids_do_not_make_the_gateway_fetch_over_and_over() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check();
    check(&tokens, &issuer.token(json!({})), ADA).unwrap();
    for n in 0..20 {
        let header = json!({"alg": "ES256", "kid": format!("made-up-{n}")});
        let token = issuer.unsigned(header, &[1; 64]);
        assert_eq!(
            refusal(&tokens, &token, ADA),
            TokenRefusal::UnknownKey("entra".to_owned())
        );
    }
    assert_eq!(issuer.fetches(), 1);
}

#[test]
fn known_keys_serve_while_the_provider_is_away_or_answers_nonsense() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check_with(
        |issuer| issuer.keys_interval_min_s = 0,
        vec![everybody(stored())],
    );
    check(&tokens, &issuer.token(json!({})), ADA).unwrap();
    // A key that is not known makes the gateway fetch; what it gets is of no use.
    let stranger = issuer.unsigned(json!({"alg": "ES256", "kid": "made-up"}), &[1; 64]);
    issuer.be_away(true);
    refusal(&tokens, &stranger, ADA);
    check(&tokens, &issuer.token(json!({})), ADA).unwrap();
    issuer.be_away(false);
    for nonsense in ["", "{\"keys\":[]}", "<html>"] {
        issuer.publish_text(nonsense);
        let before = issuer.fetches();
        refusal(&tokens, &stranger, ADA);
        assert_eq!(issuer.fetches(), before + 1, "{nonsense}");
        check(&tokens, &issuer.token(json!({})), ADA).unwrap();
    }
}

#[test]
fn without_any_keys_nobody_can_tell_and_it_is_no_guess() {
    let issuer = TokenIssuer::start();
    issuer.be_away(true);
    let tokens = issuer.check_with(
        |issuer| issuer.keys_interval_min_s = 0,
        vec![everybody(stored())],
    );
    let refused = refusal(&tokens, &issuer.token(json!({})), ADA);
    assert!(
        matches!(refused, TokenRefusal::KeysUnavailable { .. }),
        "{refused}"
    );
    assert!(!refused.is_a_guess());
    issuer.be_away(false);
    check(&tokens, &issuer.token(json!({})), ADA).unwrap();
}

#[test]
fn keys_may_come_from_an_address_of_their_own() {
    let issuer = TokenIssuer::start();
    let url = format!("http://{}/keys", issuer.address);
    let tokens = issuer.check_with(
        |issuer| issuer.keys = KeySource::KeySet(url),
        vec![everybody(stored())],
    );
    check(&tokens, &issuer.token(json!({})), ADA).unwrap();
}

#[test]
fn an_openid_configuration_of_another_issuer_is_not_believed() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check_with(
        |issuer| issuer.iss.remove(0).clear(),
        vec![everybody(stored())],
    );
    let token = issuer.token(json!({"iss": "https://sts.windows.net/tenant/"}));
    let refused = refusal(&tokens, &token, ADA);
    assert!(
        matches!(refused, TokenRefusal::KeysUnavailable { .. }),
        "{refused}"
    );
}

#[test]
fn the_first_principal_that_fits_counts_and_somebody_without_one_stays_out() {
    let issuer = TokenIssuer::start();
    let named = |name: &str| match stored() {
        CdfTarget::Stored(identity) => CdfTarget::Stored(Arc::new(penstock::cdf::Identity {
            project: identity.project.clone(),
            name: name.to_owned(),
            credentials: identity.credentials.clone(),
            create_missing_time_series: false,
            required_access: Default::default(),
        })),
        _ => unreachable!(),
    };
    let rules = vec![
        PrincipalRule {
            applications: vec!["etl".to_owned()],
            ..everybody(named("for-etl"))
        },
        PrincipalRule {
            groups: vec!["group-9".to_owned(), "group-2".to_owned()],
            users: Names::new([NamePattern::new("*@example.com")]),
            ..everybody(named("for-loaders"))
        },
        PrincipalRule {
            issuer: Some("another".to_owned()),
            ..everybody(named("for-others"))
        },
    ];
    let tokens = issuer.check_with(|_| {}, rules);
    let name = |changes, user| {
        check(&tokens, &issuer.token(changes), user).map(|user| user.identity.name.clone())
    };
    assert_eq!(name(json!({}), ADA).unwrap(), "for-loaders");
    let application = json!({
        "appid": "etl", "upn": null, "scp": null, "oid": "etl-object", "sub": "etl-object",
    });
    assert_eq!(name(application, "etl").unwrap(), "for-etl");
    // Nor is a person of whom the token tells nothing but an id.
    let nobody = json!({"appid": "etl", "upn": null, "scp": null, "oid": null});
    assert_eq!(name(nobody, "etl"), Err(TokenRefusal::NameNotBound));
    // A person whose token the application fetched is not the application.
    assert_eq!(
        name(json!({"appid": "etl"}), "ada-object-id"),
        Err(TokenRefusal::NoPrincipal)
    );
    assert_eq!(
        name(json!({"groups": []}), ADA),
        Err(TokenRefusal::NoPrincipal)
    );
}

#[test]
fn the_callers_own_token_goes_on_only_when_it_was_made_for_cdf() {
    let issuer = TokenIssuer::start();
    let tokens = issuer.check_with(
        |_| {},
        vec![everybody(CdfTarget::OwnToken { project: project() })],
    );
    let for_cdf = issuer.token(json!({"aud": CDF_AUDIENCE}));
    let user = check(&tokens, &for_cdf, ADA).unwrap();
    assert_eq!(user.identity.name, "ada-object-id");
    assert!(!user.identity.credentials.outlive_the_session());
    match &user.identity.credentials {
        Credentials::CallerToken {
            token,
            expires_at_ms,
        } => {
            assert_eq!(token.expose(), for_cdf);
            assert!(*expires_at_ms > now_s() * 1000);
        }
        other => panic!("{other:?}"),
    }
    let for_postgresql = issuer.token(json!({}));
    assert_eq!(
        refusal(&tokens, &for_postgresql, ADA),
        TokenRefusal::NoPrincipal
    );
}

#[test]
fn an_exchange_has_the_callers_token_and_the_applications_secret_and_shows_neither() {
    let issuer = TokenIssuer::start();
    let target = CdfTarget::OnBehalfOf {
        project: project(),
        token_url: "http://127.0.0.1:1/token".to_owned(),
        client_id: "gateway".to_owned(),
        client_secret: penstock::cdf::Secret::new("the secret"),
        scope: "cdf/.default".to_owned(),
        create_missing_time_series: true,
    };
    let tokens = issuer.check_with(|_| {}, vec![everybody(target)]);
    let token = issuer.token(json!({}));
    let user = check(&tokens, &token, ADA).unwrap();
    assert!(!user.identity.credentials.outlive_the_session());
    let shown = format!("{user:?} {tokens:?}");
    assert!(
        !shown.contains(&token) && !shown.contains("the secret"),
        "{shown}"
    );
}
