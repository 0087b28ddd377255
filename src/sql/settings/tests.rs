//! Settings from outside. Values and errors are what PostgreSQL 15 shows for the same commands.

use super::Settings;
use crate::catalog::Namespace;
use crate::diagnostic::Diagnostic;
use crate::rows::value::DateOrder;
use crate::sql::{
    CopyEncoding, IsolationLevel, SessionCommand, SetScope, Statement, TransactionModes, classify,
};

fn new() -> Settings {
    Settings::new("writer", []).expect("defaults")
}

fn run_in(
    settings: &mut Settings,
    text: &str,
    in_transaction: bool,
) -> Result<Vec<Diagnostic>, Box<Diagnostic>> {
    match classify(text, &Namespace::default())? {
        Statement::Session(command) => settings.apply(&command, in_transaction),
        other => panic!("{text} is {other:?}"),
    }
}

fn run(settings: &mut Settings, text: &str) {
    let result = run_in(settings, text, true);
    assert_eq!(result, Ok(Vec::new()), "{text}");
}

fn shown<'s>(settings: &'s Settings, name: &str) -> &'s str {
    settings.get(name).expect("a setting")
}

#[test]
fn startup_parameters_are_what_reset_goes_back_to() {
    let mut settings = Settings::new(
        "writer",
        [
            ("user", "writer"),
            ("database", "gw"),
            ("client_encoding", "'utf-8'"),
            ("DateStyle", "ISO, DMY"),
            ("TimeZone", "europe/oslo"),
            ("extra_float_digits", "2"),
            ("application_name", "etl"),
            ("search_path", "\"ds\",public"),
            ("_pq_.grease", "x"),
        ],
    )
    .expect("startup");
    assert_eq!(shown(&settings, "client_encoding"), "UTF8");
    assert_eq!(shown(&settings, "timezone"), "Europe/Oslo");
    assert_eq!(shown(&settings, "search_path"), "\"ds\",public");
    assert_eq!(shown(&settings, "session_authorization"), "writer");
    assert_eq!(settings.date_order(), DateOrder::DayMonthYear);
    assert_eq!(settings.application_name(), "etl");
    run(&mut settings, "SET application_name = 'other'");
    run(&mut settings, "RESET ALL");
    assert_eq!(settings.application_name(), "etl");
    assert!(Settings::new("writer", [("nope", "1")]).is_err());
    assert!(Settings::new("writer", [("server_version", "1")]).is_err());
}

#[test]
fn values_are_shown_as_postgresql_shows_them() {
    for (command, name, value) in [
        ("SET statement_timeout = '90s'", "statement_timeout", "90s"),
        (
            "SET statement_timeout = 1500",
            "statement_timeout",
            "1500ms",
        ),
        ("SET statement_timeout = 0", "statement_timeout", "0"),
        (
            "SET statement_timeout = '2 min'",
            "statement_timeout",
            "2min",
        ),
        ("SET work_mem = '65536'", "work_mem", "64MB"),
        ("SET jit = TRUE", "jit", "on"),
        ("SET jit = n", "jit", "off"),
        (
            "SET client_min_messages = WARNING",
            "client_min_messages",
            "warning",
        ),
        ("SET TimeZone = 'europe/oslo'", "TimeZone", "Europe/Oslo"),
        ("SET TIME ZONE 2", "timezone", "<+02>-02"),
        ("SET TIME ZONE -3.5", "timezone", "<-03:30>+03:30"),
        (
            "SET search_path TO \"$user\", public, 'A b'",
            "search_path",
            "\"$user\", public, \"A b\"",
        ),
        ("SET datestyle TO german", "datestyle", "German, DMY"),
        ("SET datestyle = 'ISO, YMD'", "datestyle", "ISO, YMD"),
        ("SET client_encoding = latin1", "client_encoding", "LATIN1"),
        ("SET client_encoding = 'unicode'", "client_encoding", "UTF8"),
        ("SET my.thing = 'x'", "My.Thing", "x"),
    ] {
        let mut settings = new();
        run(&mut settings, command);
        assert_eq!(shown(&settings, name), value, "{command}");
    }
}

#[test]
fn the_half_of_datestyle_that_is_not_named_stays() {
    let mut settings = new();
    run(&mut settings, "SET datestyle = german");
    run(&mut settings, "SET datestyle = mdy");
    assert_eq!(shown(&settings, "DateStyle"), "German, MDY");
    run(&mut settings, "SET datestyle = iso");
    assert_eq!(shown(&settings, "DateStyle"), "ISO, MDY");
}

#[test]
fn wrong_settings_are_refused_as_postgresql_refuses_them() {
    for (command, expected) in [
        (
            "SET nope = 1",
            "42704 unrecognized configuration parameter \"nope\"",
        ),
        (
            "RESET nope",
            "42704 unrecognized configuration parameter \"nope\"",
        ),
        (
            "SET work_mem = 'x'",
            "22023 invalid value for parameter \"work_mem\": \"x\"",
        ),
        (
            "SET work_mem = '1'",
            "22023 1 kB is outside the valid range for parameter \"work_mem\" (64 .. 2147483647)",
        ),
        (
            "SET work_mem = 1, 2",
            "22023 SET work_mem takes only one argument",
        ),
        (
            "SET my.thing = 1, 2",
            "22023 SET my.thing takes only one argument",
        ),
        (
            "SET extra_float_digits = 99",
            "22023 99 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)",
        ),
        (
            "SET DateStyle = 'foo'",
            "22023 invalid value for parameter \"DateStyle\": \"foo\"",
        ),
        (
            "SET TimeZone = 'nope'",
            "22023 invalid value for parameter \"TimeZone\": \"nope\"",
        ),
        (
            "SET jit = maybe",
            "22023 parameter \"jit\" requires a Boolean value",
        ),
        (
            "SET client_min_messages = loud",
            "22023 invalid value for parameter \"client_min_messages\": \"loud\"",
        ),
        (
            "SET client_encoding = 'klingon'",
            "22023 invalid value for parameter \"client_encoding\": \"klingon\"",
        ),
        (
            "SET server_version = '1'",
            "55P02 parameter \"server_version\" cannot be changed",
        ),
        (
            "RESET server_version",
            "55P02 parameter \"server_version\" cannot be changed",
        ),
        (
            "SET max_connections = 5",
            "55P02 parameter \"max_connections\" cannot be changed without restarting the server",
        ),
        (
            "SET penstock.nope = 5",
            "42602 invalid configuration parameter name \"penstock.nope\"",
        ),
        (
            "SET standard_conforming_strings = off",
            "0A000 standard_conforming_strings cannot be turned off",
        ),
        (
            "SET SESSION AUTHORIZATION nobody",
            "42501 permission denied to set session authorization",
        ),
        (
            "SET ROLE nobody",
            "42501 permission denied to set role \"nobody\"",
        ),
        (
            "DISCARD ALL",
            "25001 DISCARD ALL cannot run inside a transaction block",
        ),
    ] {
        let mut settings = new();
        let error = run_in(&mut settings, command, true).expect_err(command);
        let said = format!("{} {}", error.sqlstate.code(), error.message);
        assert_eq!(said, expected, "{command}");
    }
    let mut settings = new();
    let units = run_in(&mut settings, "SET work_mem = '5 XB'", false).expect_err("22023");
    assert_eq!(
        units.hint.as_deref(),
        Some("Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".")
    );
    let style = run_in(&mut settings, "SET DateStyle = 'ISO, DMY, MDY'", false).expect_err("22023");
    assert_eq!(
        style.detail.as_deref(),
        Some("Conflicting \"datestyle\" specifications.")
    );
}

#[test]
fn a_rollback_takes_back_what_was_set() {
    let mut settings = new();
    run(&mut settings, "SET application_name = 'before'");
    settings.begin(&TransactionModes::default());
    run(&mut settings, "SET application_name = 'inside'");
    run(&mut settings, "SET LOCAL work_mem = '8MB'");
    assert_eq!(shown(&settings, "work_mem"), "8MB");
    settings.rollback();
    assert_eq!(settings.application_name(), "before");
    assert_eq!(shown(&settings, "work_mem"), "4MB");
}

#[test]
fn a_commit_keeps_set_and_ends_set_local() {
    let mut settings = new();
    settings.begin(&TransactionModes::default());
    run(&mut settings, "SET application_name = 'inside'");
    run(&mut settings, "SET LOCAL TIME ZONE 'Europe/Oslo'");
    assert_eq!(settings.time_zone().iana_name(), Some("Europe/Oslo"));
    settings.commit();
    assert_eq!(settings.application_name(), "inside");
    assert_eq!(settings.time_zone().iana_name(), Some("UTC"));
}

#[test]
fn savepoints_take_back_their_own_changes_only() {
    let mut settings = new();
    settings.begin(&TransactionModes::default());
    run(&mut settings, "SET application_name = 'a'");
    settings.savepoint();
    run(&mut settings, "SET application_name = 'b'");
    settings.savepoint();
    settings.rollback_to(1);
    assert_eq!(settings.application_name(), "b");
    settings.rollback_to(0);
    assert_eq!(settings.application_name(), "a");
    run(&mut settings, "SET application_name = 'c'");
    settings.release(0);
    settings.commit();
    assert_eq!(settings.application_name(), "c");
}

#[test]
fn transaction_modes_last_as_long_as_the_transaction() {
    let mut settings = new();
    settings.begin(&TransactionModes {
        isolation: Some(IsolationLevel::Serializable),
        read_only: Some(true),
        deferrable: None,
    });
    assert_eq!(shown(&settings, "transaction_isolation"), "serializable");
    assert!(settings.read_only());
    settings.commit();
    assert_eq!(shown(&settings, "transaction_isolation"), "read committed");
    run(
        &mut settings,
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL READ UNCOMMITTED",
    );
    assert!(settings.read_only());
    assert_eq!(
        shown(&settings, "transaction_isolation"),
        "read uncommitted"
    );
}

#[test]
fn commands_for_transactions_warn_outside_of_one() {
    for command in ["SET LOCAL work_mem = '8MB'", "SET TRANSACTION READ ONLY"] {
        let mut settings = new();
        let warnings = run_in(&mut settings, command, false).expect("a warning");
        assert_eq!(warnings.len(), 1, "{command}");
        assert_eq!(warnings[0].sqlstate.code(), "25P01");
        assert_eq!(shown(&settings, "work_mem"), "4MB");
        assert!(!settings.read_only());
    }
}

#[test]
fn the_client_hears_of_reported_settings_once() {
    let mut settings = new();
    let first = settings.take_reports();
    for name in [
        "server_version",
        "server_encoding",
        "client_encoding",
        "DateStyle",
        "IntervalStyle",
        "TimeZone",
        "integer_datetimes",
        "standard_conforming_strings",
        "is_superuser",
        "session_authorization",
        "application_name",
        "in_hot_standby",
        "default_transaction_read_only",
    ] {
        assert!(first.iter().any(|(known, _)| *known == name), "{name}");
    }
    assert!(settings.take_reports().is_empty());
    run(&mut settings, "SET application_name = 'x'");
    run(&mut settings, "SET work_mem = '8MB'");
    assert_eq!(
        settings.take_reports(),
        vec![("application_name", "x".to_owned())]
    );
    run(&mut settings, "RESET application_name");
    assert_eq!(
        settings.take_reports(),
        vec![("application_name", String::new())]
    );
}

#[test]
fn the_encoding_of_the_client_is_known() {
    let mut settings = new();
    assert_eq!(settings.client_encoding(), CopyEncoding::Utf8);
    run(&mut settings, "SET NAMES 'latin1'");
    assert_eq!(settings.client_encoding(), CopyEncoding::Latin1);
    run(&mut settings, "SET client_encoding TO sql_ascii");
    assert_eq!(settings.client_encoding(), CopyEncoding::Utf8);
}

#[test]
fn set_config_takes_a_list_as_one_text() {
    let mut settings = new();
    assert_eq!(
        settings.set_text("search_path", "a, b", SetScope::Session),
        Ok("a, b".to_owned())
    );
    assert_eq!(
        settings.canonical("statement_timeout", "60000"),
        Ok("1min".to_owned())
    );
    assert_eq!(shown(&settings, "search_path"), "a, b");
}

#[test]
fn resetting_needs_no_role() {
    let mut settings = new();
    run(&mut settings, "SET ROLE writer");
    assert_eq!(shown(&settings, "role"), "writer");
    let result = settings.apply(&SessionCommand::SetRole(None), false);
    assert_eq!(result, Ok(Vec::new()));
    assert_eq!(shown(&settings, "role"), "none");
}
