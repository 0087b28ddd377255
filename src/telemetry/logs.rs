//! Set-up of the logs.
//!
//! Owns the process-wide subscriber of `tracing`. Promises lines on standard error, coloured
//! only on a terminal. Never logs rows, passwords or tokens: nothing here could know them.

use crate::config::{LogFormat, LogSettings};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::Subscriber;

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
        LogFormat::Text => tracing::subscriber::set_global_default(lines.finish()),
        LogFormat::Json => {
            tracing::subscriber::set_global_default(lines.json().flatten_event(true).finish())
        }
    };
    Ok(())
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
}
