//! Names and values as URLs and forms carry them.
//!
//! Owns percent decoding and the reading of query strings and form bodies. Never guesses:
//! bytes that are not UTF-8 after decoding are refused.

use super::answer::Refusal;

/// The pairs of a query string or of a form body, decoded, in their order.
#[derive(Debug, Default, Clone)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads `a=1&b=2`; a plus is a blank, as forms write it.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let mut pairs = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            pairs.push((
                percent_decode(&name.replace('+', " "))?,
                percent_decode(&value.replace('+', " "))?,
            ));
        }
        Ok(Self { pairs })
    }

    /// The first value under `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values under `name`, in their order.
    pub fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        let named = self.pairs.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The names that have a value.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let given = self.pairs.iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, _)| name.as_str())
    }

    /// A flag; `absent` when it is not given.
    pub fn flag(&self, name: &str, absent: bool) -> Result<bool, Refusal> {
        match self.get(name) {
            None | Some("") => Ok(absent),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(Refusal::invalid(format!(
                "Invalid value for query parameter {name}: '{other}' is not a boolean"
            ))),
        }
    }

    /// A whole number; `None` when it is not given.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.get(name) {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| {
                Refusal::invalid(format!(
                    "Invalid value for query parameter {name}: '{text}' is not a whole number"
                ))
            }),
        }
    }
}

/// Decodes `%2F` and its kind. A percent sign without two hex digits stands for itself.
pub fn percent_decode(text: &str) -> Result<String, Refusal> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let source = text.as_bytes();
    let mut at = 0;
    while at < source.len() {
        let digits = (source[at] == b'%')
            .then(|| source.get(at + 1..at + 3))
            .flatten()
            .and_then(|pair| Some((hex_digit(pair[0])?, hex_digit(pair[1])?)));
        if let Some((high, low)) = digits {
            bytes.push(high * 16 + low);
            at += 3;
        } else {
            bytes.push(source[at]);
            at += 1;
        }
    }
    String::from_utf8(bytes)
        .map_err(|_| Refusal::invalid(format!("'{text}' is not percent-encoded UTF-8")))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_slash_and_blank_are_decoded() {
        assert_eq!(percent_decode("t%2F1%20b"), Ok("t/1 b".to_owned()));
    }

    #[test]
    fn a_lone_percent_sign_stands_for_itself() {
        assert_eq!(percent_decode("100%"), Ok("100%".to_owned()));
        assert_eq!(percent_decode("%zz%4"), Ok("%zz%4".to_owned()));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        assert!(percent_decode("%ff").is_err());
    }

    #[test]
    fn an_empty_value_differs_from_an_absent_one() -> Result<(), Refusal> {
        let query = Query::parse("columns=&limit=10")?;
        assert_eq!(query.get("columns"), Some(""));
        assert_eq!(query.get("cursor"), None);
        assert_eq!(query.number("limit")?, Some(10));
        Ok(())
    }
}
