//! Secrets, taken out of what others say.
//!
//! Owns the search for them. Promises that a known secret is found in clear and percent-encoded,
//! and that what looks like a token is found without being known. Never shortens a text.

use super::{Secret, percent};
use std::borrow::Cow;

/// What stands in a secret's place.
const HIDDEN: &str = "(hidden)";

/// How every JSON Web Token begins: `{"` in base64url.
const TOKEN_START: &str = "eyJ";

/// A shorter run of such characters is no token.
const TOKEN_BYTES_MIN: usize = 40;

/// `text` without `secrets`: a provider that echoes a request must not bring them into a log.
pub fn without(text: &str, secrets: &[&Secret]) -> String {
    let mut shown = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.expose().is_empty()) {
        let mut encoded = String::new();
        percent::push_segment(&mut encoded, secret.expose());
        shown = shown
            .replace(secret.expose(), HIDDEN)
            .replace(&encoded, HIDDEN);
    }
    shown
}

/// `text` without anything that looks like a JSON Web Token.
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    if !text.contains(TOKEN_START) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(TOKEN_START) {
        let length = rest[start..]
            .find(|character: char| {
                !(character.is_ascii_alphanumeric() || "-_.=".contains(character))
            })
            .unwrap_or(rest.len() - start);
        let run = &rest[start..start + length];
        shown.push_str(&rest[..start]);
        shown.push_str(match run.len() >= TOKEN_BYTES_MIN && run.contains('.') {
            true => HIDDEN,
            false => run,
        });
        rest = &rest[start + length..];
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_secrets_are_hidden_in_clear_and_encoded() {
        let secret = Secret::new("a&b=/c");
        let shown = without("x a&b=/c y a%26b%3D%2Fc z", &[&secret, &Secret::new("")]);
        assert_eq!(shown, "x (hidden) y (hidden) z");
    }

    #[test]
    fn tokens_are_hidden_and_what_only_begins_like_one_is_not() {
        let token = format!("eyJhbGciOiJFUzI1NiJ9.{}.sig", "a".repeat(30));
        let shown = without_tokens("Bearer eyJ and eyJshort.x stay").into_owned();
        assert_eq!(shown, "Bearer eyJ and eyJshort.x stay");
        let text = format!("Invalid token '{token}', again {token}");
        assert_eq!(
            without_tokens(&text),
            "Invalid token '(hidden)', again (hidden)"
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_search_panic_and_no_token_survives_it(
            before in ".{0,20}", after in ".{0,20}",
        ) {
            let token = format!("eyJ{}.{}", "x".repeat(30), "y".repeat(30));
            let text = format!("{before} {token} {after}");
            prop_assert!(!without_tokens(&text).contains(&token));
        }
    }
}
