//! COPY as clients spell it. Errors are what PostgreSQL 15 says to the same statements.

use super::copy_options::{LogVerbosity, OnError};
use super::{
    CopyEncoding, CopyFormat, CopyHeader, CopyOptions, CopyStatement, Statement, classify,
};
use crate::catalog::Namespace;

fn copy(text: &str) -> CopyStatement {
    match classify(text, &Namespace::default()) {
        Ok(Statement::Copy(statement)) => statement,
        other => panic!("{text} is {other:?}"),
    }
}

fn text_options() -> CopyOptions {
    CopyOptions {
        format: CopyFormat::Text,
        delimiter: b'\t',
        null: b"\\N".to_vec(),
        default: None,
        header: CopyHeader::Absent,
        quote: b'"',
        escape: b'"',
        force_null: vec![false; 4],
        force_not_null: vec![false; 4],
        encoding: CopyEncoding::Utf8,
        on_error: OnError::Stop,
        log_verbosity: LogVerbosity::Default,
    }
}

fn csv_options() -> CopyOptions {
    CopyOptions {
        format: CopyFormat::Csv,
        delimiter: b',',
        null: Vec::new(),
        ..text_options()
    }
}

#[test]
fn every_spelling_of_a_format_is_taken() {
    for text in [
        "COPY double_datapoints FROM STDIN",
        "copy double_datapoints from stdin",
        "COPY public.double_datapoints FROM STDIN",
        "COPY \"gw\".\"public\".\"double_datapoints\" FROM STDIN",
        "COPY  double_datapoints ( value, timestamp, external_id, id ) FROM STDIN ",
        "COPY double_datapoints FROM STDIN WITH (FORMAT text)",
        "COPY double_datapoints FROM STDIN (FORMAT 'text', FREEZE false, ON_ERROR stop)",
        "COPY \"public\" . \"double_datapoints\" FROM stdin WITH DELIMITER AS '\t' NULL AS '\\N'",
        "COPY double_datapoints FROM STDIN USING DELIMITERS '\t'",
        "COPY double_datapoints FROM STDIN -- really\n",
    ] {
        let statement = copy(text);
        assert_eq!(statement.options, text_options(), "{text}");
        assert_eq!(statement.columns, [0, 1, 2, 3], "{text}");
        assert_eq!(statement.table.name, "double_datapoints");
    }
    for text in [
        "COPY double_datapoints FROM STDIN CSV",
        "COPY double_datapoints FROM STDIN WITH CSV",
        "COPY double_datapoints FROM STDIN DELIMITER ',' CSV",
        "COPY double_datapoints FROM STDIN WITH (FORMAT CSV, DELIMITER ',', NULL '', ENCODING 'utf-8')",
        "COPY double_datapoints FROM STDIN (FORMAT 'csv', HEADER off)",
    ] {
        assert_eq!(copy(text).options, csv_options(), "{text}");
    }
    for text in [
        "COPY double_datapoints FROM STDIN BINARY",
        "copy double_datapoints from stdin binary",
        "COPY double_datapoints FROM STDIN WITH BINARY",
        "copy binary double_datapoints from stdin",
        "COPY double_datapoints FROM STDIN (FORMAT binary) ",
        "COPY double_datapoints FROM STDIN WITH (FORMAT BINARY)",
    ] {
        assert_eq!(copy(text).options.format, CopyFormat::Binary, "{text}");
    }
}

#[test]
fn options_are_read_as_they_are_meant() {
    let old = copy(
        "COPY double_datapoints (id, value) FROM STDIN CSV HEADER DELIMITER AS ';' QUOTE AS '''' \
         ESCAPE AS '\\' NULL AS 'nil' FORCE NOT NULL id FORCE NULL value ENCODING 'LATIN1'",
    );
    let new = copy(
        "COPY double_datapoints (id, value) FROM STDIN (FORMAT csv, HEADER, DELIMITER ';', \
         QUOTE '''', ESCAPE '\\', NULL 'nil', FORCE_NOT_NULL (id), FORCE_NULL (value), \
         ENCODING LATIN1)",
    );
    assert_eq!(
        old.options,
        CopyOptions {
            format: CopyFormat::Csv,
            delimiter: b';',
            null: b"nil".to_vec(),
            default: None,
            header: CopyHeader::Skipped,
            quote: b'\'',
            escape: b'\\',
            force_null: vec![false, true],
            force_not_null: vec![true, false],
            encoding: CopyEncoding::Latin1,
            on_error: OnError::Stop,
            log_verbosity: LogVerbosity::Default,
        }
    );
    assert_eq!(old.options, new.options);
    assert_eq!(old.columns, [3, 0]);
    let all = copy("COPY double_datapoints FROM STDIN (FORMAT csv, FORCE_NULL *, HEADER match)");
    assert_eq!(all.options.force_null, [true; 4]);
    assert_eq!(all.options.header, CopyHeader::Matched);
    let quote = copy("COPY double_datapoints FROM STDIN (FORMAT csv, QUOTE '$')");
    assert_eq!(quote.options.escape, b'$');
    let header = copy("COPY double_datapoints FROM STDIN WITH (FORMAT csv, HEADER True)");
    assert_eq!(header.options.header, CopyHeader::Skipped);
}

#[test]
fn without_encoding_the_client_encoding_counts() {
    let open = copy("COPY double_datapoints FROM STDIN");
    assert_eq!(
        open.options_in(CopyEncoding::Latin1).encoding,
        CopyEncoding::Latin1
    );
    let named = copy("COPY double_datapoints FROM STDIN (ENCODING 'UTF8')");
    assert_eq!(
        named.options_in(CopyEncoding::Latin1).encoding,
        CopyEncoding::Utf8
    );
}

#[test]
fn a_foreign_database_is_refused() {
    let statement = classify(
        "COPY gw.public.double_datapoints FROM STDIN",
        &Namespace::default(),
    )
    .expect("copy");
    assert!(statement.check_database("gw").is_ok());
    let error = statement.check_database("other").expect_err("0A000");
    assert_eq!(error.sqlstate.code(), "0A000");
    assert_eq!(
        error.message,
        "cross-database references are not implemented: \"gw.public.double_datapoints\""
    );
}

#[test]
fn refusals_are_those_of_postgresql() {
    for (rest, expected) in [
        (
            " FROM STDIN (FORMAT xml)",
            "22023 36 COPY format \"xml\" not recognized",
        ),
        (
            " FROM STDIN (FORMAT csv, FORMAT csv)",
            "42601 48 conflicting or redundant options",
        ),
        (
            " FROM STDIN CSV CSV",
            "42601 39 conflicting or redundant options",
        ),
        (
            " FROM STDIN (nonsense)",
            "42601 36 option \"nonsense\" not recognized",
        ),
        (
            " FROM STDIN nonsense",
            "42601 35 syntax error at or near \"nonsense\"",
        ),
        (
            " FROM STDIN (HEADER 2)",
            "42601 0 header requires a Boolean value or \"match\"",
        ),
        (
            " FROM STDIN (FREEZE 3)",
            "42601 0 freeze requires a Boolean value",
        ),
        (
            " FROM STDIN (FORMAT)",
            "42601 0 format requires a parameter",
        ),
        (
            " FROM STDIN (FORMAT csv",
            "42601 46 syntax error at end of input",
        ),
        (
            " FROM STDIN (FORMAT csv, FORCE_NULL id)",
            "22023 48 argument to option \"force_null\" must be a list of column names",
        ),
        (
            " FROM STDIN (FORMAT csv, FORCE_NULL (nope))",
            "42703 0 column \"nope\" of relation \"double_datapoints\" does not exist",
        ),
        (
            " (value) FROM STDIN (FORMAT csv, FORCE_NULL (id))",
            "42P10 0 FORCE_NULL column \"id\" not referenced by COPY",
        ),
        (
            " FROM STDIN (FORMAT csv, FORCE_NOT_NULL (id, id))",
            "42701 0 column \"id\" specified more than once",
        ),
        (
            " FROM STDIN (ENCODING 'nope')",
            "22023 36 argument to option \"encoding\" must be a valid encoding name",
        ),
        (
            " FROM STDIN (FORMAT binary, DELIMITER ',')",
            "42601 0 cannot specify DELIMITER in BINARY mode",
        ),
        (
            " FROM STDIN (FORMAT binary, NULL '')",
            "42601 0 cannot specify NULL in BINARY mode",
        ),
        (
            " FROM STDIN (FORMAT binary, HEADER)",
            "0A000 0 cannot specify HEADER in BINARY mode",
        ),
        (
            " FROM STDIN (FORMAT binary, QUOTE '''')",
            "0A000 0 COPY quote available only in CSV mode",
        ),
        (
            " FROM STDIN (DELIMITER 'ab')",
            "0A000 0 COPY delimiter must be a single one-byte character",
        ),
        (
            " FROM STDIN (DELIMITER 'æ')",
            "0A000 0 COPY delimiter must be a single one-byte character",
        ),
        (
            " FROM STDIN (FORMAT csv, DELIMITER '')",
            "0A000 0 COPY delimiter must be a single one-byte character",
        ),
        (
            " FROM STDIN (DELIMITER E'\\n')",
            "22023 0 COPY delimiter cannot be newline or carriage return",
        ),
        (
            " FROM STDIN (DELIMITER 'a')",
            "22023 0 COPY delimiter cannot be \"a\"",
        ),
        (
            " FROM STDIN (DELIMITER '\\')",
            "22023 0 COPY delimiter cannot be \"\\\"",
        ),
        (
            " FROM STDIN (NULL E'\\n')",
            "22023 0 COPY null representation cannot use newline or carriage return",
        ),
        (
            " FROM STDIN (DELIMITER ',', NULL 'a,b')",
            "0A000 0 COPY delimiter must not appear in the NULL specification",
        ),
        (
            " FROM STDIN (QUOTE '\"')",
            "0A000 0 COPY quote available only in CSV mode",
        ),
        (
            " FROM STDIN (ESCAPE '\"')",
            "0A000 0 COPY escape available only in CSV mode",
        ),
        (
            " FROM STDIN (FORMAT csv, QUOTE 'ab')",
            "0A000 0 COPY quote must be a single one-byte character",
        ),
        (
            " FROM STDIN (FORMAT csv, QUOTE ',')",
            "22023 0 COPY delimiter and quote must be different",
        ),
        (
            " FROM STDIN (FORMAT csv, NULL '\"')",
            "0A000 0 CSV quote character must not appear in the NULL specification",
        ),
        (
            " FROM STDIN (FORMAT csv, FORCE_QUOTE *)",
            "0A000 0 COPY force quote only available using COPY TO",
        ),
        (
            " FROM STDIN (FORCE_NULL (id))",
            "0A000 0 COPY force null available only in CSV mode",
        ),
        (
            " FROM STDIN (FORCE_NOT_NULL (id))",
            "0A000 0 COPY force not null available only in CSV mode",
        ),
        (
            " (nope) FROM STDIN",
            "42703 0 column \"nope\" of relation \"double_datapoints\" does not exist",
        ),
        (
            " (id, id) FROM STDIN",
            "42701 0 column \"id\" specified more than once",
        ),
        (" FROM", "42601 28 syntax error at end of input"),
        (" INTO STDIN", "42601 24 syntax error at or near \"INTO\""),
        (
            " FROM '/etc/passwd'",
            "42501 0 permission denied to COPY from a file",
        ),
        (
            " FROM PROGRAM 'id'",
            "42501 0 permission denied to COPY from an external program",
        ),
    ] {
        let text = format!("COPY double_datapoints{rest}");
        let error = classify(&text, &Namespace::default()).expect_err(&text);
        let said = format!(
            "{} {} {}",
            error.sqlstate.code(),
            error.position.unwrap_or(0),
            error.message
        );
        assert_eq!(said, expected, "{text}");
    }
}

#[test]
fn rows_may_be_left_out_and_counted() {
    for (rest, on_error, log_verbosity) in [
        ("ON_ERROR stop", OnError::Stop, LogVerbosity::Default),
        (
            "ON_ERROR ignore",
            OnError::Ignore { reject_limit: None },
            LogVerbosity::Default,
        ),
        (
            "FORMAT csv, ON_ERROR IGNORE, REJECT_LIMIT '5', LOG_VERBOSITY Verbose",
            OnError::Ignore {
                reject_limit: Some(5),
            },
            LogVerbosity::Verbose,
        ),
        ("LOG_VERBOSITY silent", OnError::Stop, LogVerbosity::Silent),
    ] {
        let text = format!("COPY double_datapoints FROM STDIN ({rest})");
        match classify(&text, &Namespace::default()) {
            Ok(Statement::Copy(copy)) => {
                assert_eq!(copy.options.on_error, on_error, "{text}");
                assert_eq!(copy.options.log_verbosity, log_verbosity, "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

/// The messages are those of PostgreSQL 18.
#[test]
fn options_for_rows_to_leave_out_are_refused_as_in_postgresql() {
    for (rest, expected) in [
        (
            "FORMAT binary, ON_ERROR ignore",
            "42601 only ON_ERROR STOP is allowed in BINARY mode",
        ),
        (
            "REJECT_LIMIT 5",
            "22023 COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE",
        ),
        (
            "ON_ERROR ignore, REJECT_LIMIT 0",
            "22023 REJECT_LIMIT (0) must be greater than zero",
        ),
        (
            "ON_ERROR ignore, REJECT_LIMIT -1",
            "22023 REJECT_LIMIT (-1) must be greater than zero",
        ),
        (
            "ON_ERROR ignore, REJECT_LIMIT",
            "42601 reject_limit requires a numeric value",
        ),
        (
            "ON_ERROR ignore, REJECT_LIMIT 'many'",
            "22P02 invalid input syntax for type bigint: \"many\"",
        ),
        (
            "LOG_VERBOSITY loud",
            "22023 COPY LOG_VERBOSITY \"loud\" not recognized",
        ),
        (
            "ON_ERROR warn",
            "22023 COPY ON_ERROR \"warn\" not recognized",
        ),
    ] {
        let text = format!("COPY double_datapoints FROM STDIN ({rest})");
        let error = classify(&text, &Namespace::default()).expect_err(&text);
        let said = format!("{} {}", error.sqlstate.code(), error.message);
        assert_eq!(said, expected, "{text}");
    }
}

#[test]
fn statements_that_copy_no_rows_into_a_table_are_told_apart() {
    for text in [
        "COPY double_datapoints TO STDOUT",
        "COPY (SELECT 1) TO STDOUT",
        "COPY double_datapoints FROM STDIN WHERE id > 5",
    ] {
        assert!(
            matches!(
                classify(text, &Namespace::default()),
                Ok(Statement::Cold(_))
            ),
            "{text}"
        );
    }
}

#[test]
fn a_default_has_a_spelling_in_text_and_csv() {
    for (rest, default) in [
        ("DEFAULT '\\D'", &b"\\D"[..]),
        ("FORMAT csv, DEFAULT 'it''s'", b"it's"),
        ("FORMAT csv, NULL 'nil', DEFAULT ''", b""),
        ("DEFAULT 'a\"b'", b"a\"b"),
    ] {
        let text = format!("COPY double_datapoints FROM STDIN ({rest})");
        assert_eq!(
            copy(&text).options.default.as_deref(),
            Some(default),
            "{text}"
        );
    }
}

/// The messages are those of PostgreSQL 18.
#[test]
fn a_default_that_cannot_be_told_apart_is_refused_as_in_postgresql() {
    for (rest, expected) in [
        (
            "FORMAT binary, DEFAULT 'x'",
            "42601 cannot specify DEFAULT in BINARY mode",
        ),
        (
            "DEFAULT E'a\nb'",
            "22023 COPY default representation cannot use newline or carriage return",
        ),
        (
            "FORMAT csv, DEFAULT E'\r'",
            "22023 COPY default representation cannot use newline or carriage return",
        ),
        (
            "DELIMITER ';', DEFAULT 'a;b'",
            "0A000 COPY delimiter character must not appear in the DEFAULT specification",
        ),
        (
            "FORMAT csv, DEFAULT 'a\"b'",
            "0A000 CSV quote character must not appear in the DEFAULT specification",
        ),
        (
            "NULL 'x', DEFAULT 'x'",
            "0A000 NULL specification and DEFAULT specification cannot be the same",
        ),
        (
            "FORMAT csv, DEFAULT ''",
            "0A000 NULL specification and DEFAULT specification cannot be the same",
        ),
        ("DEFAULT", "42601 default requires a parameter"),
        (
            "DEFAULT 'x', DEFAULT 'y'",
            "42601 conflicting or redundant options",
        ),
    ] {
        let text = format!("COPY double_datapoints FROM STDIN ({rest})");
        let error = classify(&text, &Namespace::default()).expect_err(&text);
        let said = format!("{} {}", error.sqlstate.code(), error.message);
        assert_eq!(said, expected, "{text}");
    }
}
