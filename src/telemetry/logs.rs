//! Set-up of the logs.
//!
//! Owns the process-wide subscriber of `tracing`. Promises lines on standard error, coloured
//! only on a terminal, and that whatever strangers call themselves begins no line and steers no
//! terminal. Never logs rows, passwords or tokens: nothing here could know them.

use crate::config::{LogFormat, LogSettings};
use std::fmt::{self, Write};
use std::io::IsTerminal;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::Subscriber;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// Starts logging as `settings` say. A second call changes nothing.
///
/// # Errors
/// The filter cannot be read.
pub fn install(settings: &LogSettings) -> Result<(), ParseError> {
    let filter = filter(settings)?;
    let colours = std::io::stderr().is_terminal();
    let lines = Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    // Already set: a test or an earlier call did; its settings stay.
    let _ = match settings.format {
        LogFormat::Text => {
            let lines = lines.fmt_fields(debug_fn(put_field).delimited(" "));
            tracing::subscriber::set_global_default(lines.finish())
        }
        LogFormat::Json => {
            tracing::subscriber::set_global_default(lines.json().flatten_event(true).finish())
        }
    };
    Ok(())
}

/// Writes a field as tracing does, but for the characters in it that would be more than text.
fn put_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(OneLine(writer), "{value:?}")
}

/// Lets text pass, and spells out what ends lines, steers terminals or turns the direction of writing.
struct OneLine<'a, W>(&'a mut W);

impl<W: Write> Write for OneLine<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, character) in text.char_indices() {
            if is_plain(character) {
                continue;
            }
            self.0.write_str(&text[plain..at])?;
            write!(self.0, "{}", character.escape_default())?;
            plain = at + character.len_utf8();
        }
        self.0.write_str(&text[plain..])
    }
}

fn is_plain(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !character.is_control() && !turns
}

/// The filter of `settings`, for `install` and for the check of a configuration.
///
/// # Errors
/// The filter cannot be read.
pub fn filter(settings: &LogSettings) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(&settings.filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_makes_no_sense_is_refused() {
        let settings = LogSettings {
            filter: "penstock=loud".to_owned(),
            ..LogSettings::default()
        };
        assert!(filter(&settings).is_err());
    }

    #[test]
    fn levels_and_directives_by_module_are_filters() {
        for text in ["info", "warn,penstock=debug", "penstock::wire=trace"] {
            let settings = LogSettings {
                filter: text.to_owned(),
                ..LogSettings::default()
            };
            assert!(filter(&settings).is_ok(), "{text}");
        }
    }

    #[test]
    fn names_that_strangers_choose_stay_within_their_line() {
        let mut line = String::new();
        let name = "a\nINFO forged \u{1b}[2J\r\u{7}\u{9b}\u{202e}\u{2028}é \"";
        write!(OneLine(&mut line), "user={name}").expect("a String takes all");
        assert_eq!(
            line,
            "user=a\\nINFO forged \\u{1b}[2J\\r\\u{7}\\u{9b}\\u{202e}\\u{2028}é \""
        );
    }
}
