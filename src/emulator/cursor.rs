//! Opaque cursors.
//!
//! Owns their text form: URL-safe base64 over JSON, with the name of the list they belong
//! to, so that a cursor of one list is refused by another. Keeps no state on the server.

use super::answer::Refusal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, de::DeserializeOwned};

/// Writes `position` as a cursor of `list`.
pub fn encode<T: Serialize>(list: &str, position: &T) -> String {
    let text = serde_json::to_vec(&(list, position))
        .expect("cursor positions are plain structures that always serialise");
    URL_SAFE_NO_PAD.encode(text)
}

/// Reads a cursor of `list`; anything else is a 400.
pub fn decode<T: DeserializeOwned>(list: &str, cursor: &str) -> Result<T, Refusal> {
    let refused = || Refusal::invalid(format!("Invalid cursor: {cursor}"));
    let text = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
    let (name, position): (String, T) = serde_json::from_slice(&text).map_err(|_| refused())?;
    if name == list {
        Ok(position)
    } else {
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        assert_eq!(
            decode("rows", &encode("rows", &("k/ü", 7))),
            Ok(("k/ü".to_owned(), 7))
        );
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        assert!(decode::<i64>("rows", &encode("series", &7)).is_err());
        assert!(decode::<i64>("rows", "not a cursor").is_err());
    }
}
