//! An option of COPY as it is written.
//!
//! Owns the spelling of an option and how a value of any spelling is read as text, a Boolean or
//! a choice. Promises PostgreSQL's errors. Never knows what an option is for.

use super::syntax::error_at;
use crate::diagnostic::{Diagnostic, SqlState};

/// The value of an option, as written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OptionValue {
    None,
    Text(String),
    Star,
    Names(Vec<String>),
}

/// An option as written, under the name of the parenthesised spelling.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RawOption {
    pub name: String,
    pub value: OptionValue,
    /// Where it stands in the statement.
    pub offset: usize,
}

impl RawOption {
    pub fn text(name: &str, value: String, offset: usize) -> Self {
        RawOption {
            name: name.to_owned(),
            value: OptionValue::Text(value),
            offset,
        }
    }

    pub fn flag(name: &str, value: &str, offset: usize) -> Self {
        Self::text(name, value.to_owned(), offset)
    }

    /// The one value of the option.
    ///
    /// # Errors
    /// 42601 for none and for several.
    pub fn required_text(&self) -> Result<&str, Box<Diagnostic>> {
        match &self.value {
            OptionValue::Text(value) => Ok(value),
            OptionValue::None => Err(syntax_error(format!("{} requires a parameter", self.name))),
            OptionValue::Star => Ok("*"),
            OptionValue::Names(_) => Err(syntax_error(format!(
                "{} requires a single value",
                self.name
            ))),
        }
    }

    /// The choice of that name, in whatever case.
    ///
    /// # Errors
    /// 22023 for any other value.
    pub fn choice<T: Copy>(&self, text: &str, choices: &[(&str, T)]) -> Result<T, Box<Diagnostic>> {
        let value = self.required_text()?;
        let chosen = choices
            .iter()
            .find(|(name, _)| value.eq_ignore_ascii_case(name));
        chosen.map(|(_, choice)| *choice).ok_or_else(|| {
            let name = self.name.to_ascii_uppercase();
            error_at(
                text,
                self.offset,
                SqlState::INVALID_PARAMETER_VALUE,
                format!("COPY {name} \"{value}\" not recognized"),
            )
        })
    }

    /// Whether the option is on; without a value it is.
    ///
    /// # Errors
    /// 42601 for what is no Boolean.
    pub fn boolean(&self) -> Result<bool, Box<Diagnostic>> {
        match &self.value {
            OptionValue::None => Some(true),
            OptionValue::Text(value) => switch(value),
            _ => None,
        }
        .ok_or_else(|| syntax_error(format!("{} requires a Boolean value", self.name)))
    }
}

/// A Boolean as COPY spells it: unlike settings, it takes no abbreviations.
fn switch(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn syntax_error(message: String) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(SqlState::SYNTAX_ERROR, message))
}
