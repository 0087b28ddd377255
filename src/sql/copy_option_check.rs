//! The rules of COPY's options.
//!
//! Owns which options exist, which values they take and which of them go together, in
//! PostgreSQL's order of checks. Promises options that the decoders can follow without
//! checking again. Never parses SQL.

use super::copy_options::{
    CopyEncoding, CopyFormat, CopyHeader, CopyOptions, LogVerbosity, OnError,
};
use super::raw_copy_option::{OptionValue, RawOption};
use super::settings::client_encoding;
use super::syntax::error_at;
use crate::catalog::Table;
use crate::diagnostic::{Diagnostic, SqlState};
use std::num::IntErrorKind;

/// Options that go together.
pub(crate) struct CheckedOptions {
    pub options: CopyOptions,
    /// Whether ENCODING was among them.
    pub names_encoding: bool,
}

/// What the options say before they are checked against each other.
#[derive(Default)]
struct Given {
    format: Option<CopyFormat>,
    delimiter: Option<String>,
    null: Option<String>,
    default: Option<String>,
    header: Option<CopyHeader>,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: bool,
    force_null: Option<Vec<bool>>,
    force_not_null: Option<Vec<bool>>,
    encoding: Option<CopyEncoding>,
    ignores_errors: bool,
    reject_limit: Option<u64>,
    log_verbosity: LogVerbosity,
}

/// Checks the options of a COPY FROM STDIN into `columns` of `table`.
///
/// # Errors
/// 42601, 22023, 0A000, 42703, 42701, 42P10 as PostgreSQL.
pub(crate) fn check(
    text: &str,
    table: &'static Table,
    columns: &[usize],
    options: &[RawOption],
) -> Result<CheckedOptions, Box<Diagnostic>> {
    let mut given = Given::default();
    for (index, option) in options.iter().enumerate() {
        if options[..index]
            .iter()
            .any(|earlier| earlier.name == option.name)
        {
            return Err(error_at(
                text,
                option.offset,
                SqlState::SYNTAX_ERROR,
                "conflicting or redundant options",
            ));
        }
        read(text, table, columns, option, &mut given)?;
    }
    let names_encoding = given.encoding.is_some();
    let options = combine(given, columns.len())?;
    Ok(CheckedOptions {
        options,
        names_encoding,
    })
}

fn read(
    text: &str,
    table: &'static Table,
    columns: &[usize],
    option: &RawOption,
    given: &mut Given,
) -> Result<(), Box<Diagnostic>> {
    let at = |sqlstate, message: String| error_at(text, option.offset, sqlstate, message);
    match option.name.as_str() {
        "format" => {
            let format = option.required_text()?;
            given.format = Some(match format {
                "text" => CopyFormat::Text,
                "csv" => CopyFormat::Csv,
                "binary" => CopyFormat::Binary,
                other => {
                    return Err(at(
                        SqlState::INVALID_PARAMETER_VALUE,
                        format!("COPY format \"{other}\" not recognized"),
                    ));
                }
            });
        }
        "delimiter" => given.delimiter = Some(option.required_text()?.to_owned()),
        "null" => given.null = Some(option.required_text()?.to_owned()),
        "quote" => given.quote = Some(option.required_text()?.to_owned()),
        "escape" => given.escape = Some(option.required_text()?.to_owned()),
        "header" => given.header = Some(header(option)?),
        "freeze" => {
            // Accepted for loaders that set it: nothing here can be frozen.
            option.boolean()?;
        }
        "force_quote" => given.force_quote = true,
        "force_null" => given.force_null = Some(forced(text, table, columns, option)?),
        "force_not_null" => given.force_not_null = Some(forced(text, table, columns, option)?),
        "encoding" => {
            given.encoding = match &option.value {
                OptionValue::Text(name) => client_encoding(name).map(|(encoding, _)| encoding),
                _ => None,
            };
            if given.encoding.is_none() {
                let mut diagnostic = at(
                    SqlState::INVALID_PARAMETER_VALUE,
                    "argument to option \"encoding\" must be a valid encoding name".to_owned(),
                );
                diagnostic.hint = Some("Supported are UTF8, LATIN1 and SQL_ASCII.".to_owned());
                return Err(diagnostic);
            }
        }
        "on_error" => {
            given.ignores_errors = option.choice(text, &[("stop", false), ("ignore", true)])?;
        }
        "log_verbosity" => {
            let choices = [
                ("silent", LogVerbosity::Silent),
                ("default", LogVerbosity::Default),
                ("verbose", LogVerbosity::Verbose),
            ];
            given.log_verbosity = option.choice(text, &choices)?;
        }
        "reject_limit" => given.reject_limit = Some(reject_limit(option)?),
        "default" => given.default = Some(option.required_text()?.to_owned()),
        other => {
            return Err(at(
                SqlState::SYNTAX_ERROR,
                format!("option \"{other}\" not recognized"),
            ));
        }
    }
    Ok(())
}

/// Rows that may be left out: a whole number above 0.
fn reject_limit(option: &RawOption) -> Result<u64, Box<Diagnostic>> {
    let text = match &option.value {
        OptionValue::None => {
            return Err(plain(
                SqlState::SYNTAX_ERROR,
                "reject_limit requires a numeric value",
            ));
        }
        _ => option.required_text()?.trim(),
    };
    let limit = text.parse::<i64>().map_err(|error| {
        let sqlstate = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => {
                return plain(
                    SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                    format!("value \"{text}\" is out of range for type bigint"),
                );
            }
            _ => SqlState::INVALID_TEXT_REPRESENTATION,
        };
        plain(
            sqlstate,
            format!("invalid input syntax for type bigint: \"{text}\""),
        )
    })?;
    match u64::try_from(limit) {
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(invalid(format!(
            "REJECT_LIMIT ({limit}) must be greater than zero"
        ))),
    }
}

fn header(option: &RawOption) -> Result<CopyHeader, Box<Diagnostic>> {
    if matches!(&option.value, OptionValue::Text(value) if value.eq_ignore_ascii_case("match")) {
        return Ok(CopyHeader::Matched);
    }
    match option.boolean() {
        Ok(true) => Ok(CopyHeader::Skipped),
        Ok(false) => Ok(CopyHeader::Absent),
        Err(_) => Err(plain(
            SqlState::SYNTAX_ERROR,
            "header requires a Boolean value or \"match\"",
        )),
    }
}

fn forced(
    text: &str,
    table: &'static Table,
    columns: &[usize],
    option: &RawOption,
) -> Result<Vec<bool>, Box<Diagnostic>> {
    let names = match &option.value {
        OptionValue::Star => return Ok(vec![true; columns.len()]),
        OptionValue::Names(names) => names,
        _ => {
            return Err(error_at(
                text,
                option.offset,
                SqlState::INVALID_PARAMETER_VALUE,
                format!(
                    "argument to option \"{}\" must be a list of column names",
                    option.name
                ),
            ));
        }
    };
    let mut forced = vec![false; columns.len()];
    for name in names {
        let index = table.column_index(name)?;
        let place = columns.iter().position(|column| *column == index);
        match place {
            Some(place) if forced[place] => {
                return Err(plain(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{name}\" specified more than once"),
                ));
            }
            Some(place) => forced[place] = true,
            None => {
                return Err(plain(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    format!(
                        "{} column \"{name}\" not referenced by COPY",
                        option.name.to_ascii_uppercase()
                    ),
                ));
            }
        }
    }
    Ok(forced)
}

/// Applies the defaults of the format and refuses what does not go together.
fn combine(given: Given, width: usize) -> Result<CopyOptions, Box<Diagnostic>> {
    let format = given.format.unwrap_or(CopyFormat::Text);
    let csv = format == CopyFormat::Csv;
    if format == CopyFormat::Binary {
        for (name, is_given) in [
            ("DELIMITER", given.delimiter.is_some()),
            ("NULL", given.null.is_some()),
            ("DEFAULT", given.default.is_some()),
        ] {
            if is_given {
                return Err(plain(
                    SqlState::SYNTAX_ERROR,
                    format!("cannot specify {name} in BINARY mode"),
                ));
            }
        }
    }
    let delimiter = match &given.delimiter {
        None => {
            if csv {
                b','
            } else {
                b'\t'
            }
        }
        Some(delimiter) => single_byte(delimiter, "delimiter")?,
    };
    let null = given
        .null
        .unwrap_or_else(|| if csv { String::new() } else { "\\N".to_owned() });
    let quote_text = given.quote.as_deref();
    let escape_text = given.escape.as_deref();
    if delimiter == b'\n' || delimiter == b'\r' {
        return Err(invalid(
            "COPY delimiter cannot be newline or carriage return",
        ));
    }
    if null.contains(['\n', '\r']) {
        return Err(invalid(
            "COPY null representation cannot use newline or carriage return",
        ));
    }
    if (given.default.as_deref()).is_some_and(|default| default.contains(['\n', '\r'])) {
        return Err(invalid(
            "COPY default representation cannot use newline or carriage return",
        ));
    }
    // A text delimiter must not be what a backslash escape may consist of.
    if !csv
        && (matches!(delimiter, b'\\' | b'.')
            || delimiter.is_ascii_lowercase()
            || delimiter.is_ascii_digit())
    {
        return Err(invalid(format!(
            "COPY delimiter cannot be \"{}\"",
            char::from(delimiter)
        )));
    }
    if format == CopyFormat::Binary
        && given
            .header
            .is_some_and(|header| header != CopyHeader::Absent)
    {
        return Err(unsupported("cannot specify HEADER in BINARY mode"));
    }
    if !csv && quote_text.is_some() {
        return Err(unsupported("COPY quote available only in CSV mode"));
    }
    let quote = quote_text.map_or(Ok(b'"'), |quote| single_byte(quote, "quote"))?;
    if csv && delimiter == quote {
        return Err(invalid("COPY delimiter and quote must be different"));
    }
    if !csv && escape_text.is_some() {
        return Err(unsupported("COPY escape available only in CSV mode"));
    }
    let escape = escape_text.map_or(Ok(quote), |escape| single_byte(escape, "escape"))?;
    if given.force_quote {
        return Err(unsupported(if csv {
            "COPY force quote only available using COPY TO"
        } else {
            "COPY force quote available only in CSV mode"
        }));
    }
    for (name, list) in [
        ("not null", &given.force_not_null),
        ("null", &given.force_null),
    ] {
        if !csv && list.is_some() {
            return Err(unsupported(format!(
                "COPY force {name} available only in CSV mode"
            )));
        }
    }
    if format != CopyFormat::Binary && null.as_bytes().contains(&delimiter) {
        return Err(unsupported(
            "COPY delimiter must not appear in the NULL specification",
        ));
    }
    if csv && null.as_bytes().contains(&quote) {
        return Err(unsupported(
            "CSV quote character must not appear in the NULL specification",
        ));
    }
    let default = given.default.map(String::into_bytes);
    if let Some(default) = &default {
        check_default(default, delimiter, csv.then_some(quote), null.as_bytes())?;
    }
    if format == CopyFormat::Binary && given.ignores_errors {
        return Err(plain(
            SqlState::SYNTAX_ERROR,
            "only ON_ERROR STOP is allowed in BINARY mode",
        ));
    }
    if given.reject_limit.is_some() && !given.ignores_errors {
        return Err(invalid(
            "COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE",
        ));
    }
    let on_error = match given.ignores_errors {
        false => OnError::Stop,
        true => OnError::Ignore {
            reject_limit: given.reject_limit,
        },
    };
    Ok(CopyOptions {
        format,
        delimiter,
        null: null.into_bytes(),
        default,
        header: given.header.unwrap_or(CopyHeader::Absent),
        quote,
        escape,
        force_null: given.force_null.unwrap_or_else(|| vec![false; width]),
        force_not_null: given.force_not_null.unwrap_or_else(|| vec![false; width]),
        encoding: given.encoding.unwrap_or(CopyEncoding::Utf8),
        on_error,
        log_verbosity: given.log_verbosity,
    })
}

/// A field must not be two things at once.
fn check_default(
    default: &[u8],
    delimiter: u8,
    quote: Option<u8>,
    null: &[u8],
) -> Result<(), Box<Diagnostic>> {
    let refusal = if default.contains(&delimiter) {
        "COPY delimiter character must not appear in the DEFAULT specification"
    } else if quote.is_some_and(|quote| default.contains(&quote)) {
        "CSV quote character must not appear in the DEFAULT specification"
    } else if default == null {
        "NULL specification and DEFAULT specification cannot be the same"
    } else {
        return Ok(());
    };
    Err(unsupported(refusal))
}

fn single_byte(value: &str, what: &str) -> Result<u8, Box<Diagnostic>> {
    match value.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(unsupported(format!(
            "COPY {what} must be a single one-byte character"
        ))),
    }
}

fn plain(sqlstate: SqlState, message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(sqlstate, message))
}

fn invalid(message: impl Into<String>) -> Box<Diagnostic> {
    plain(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn unsupported(message: impl Into<String>) -> Box<Diagnostic> {
    plain(SqlState::FEATURE_NOT_SUPPORTED, message)
}
