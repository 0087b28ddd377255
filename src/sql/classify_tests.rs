//! Which statement is what: transaction control, session commands, and what is left.

use super::{
    DiscardTarget, IsolationLevel, SessionCommand, SetScope, Statement, TransactionCommand,
    TransactionModes, classify, locate_in_query, split_statements,
};
use crate::catalog::Namespace;
use proptest::prelude::*;

fn transaction(text: &str) -> TransactionCommand {
    match classify(text, &Namespace::default()) {
        Ok(Statement::Transaction(command)) => command,
        other => panic!("{text} is {other:?}"),
    }
}

fn session(text: &str) -> SessionCommand {
    match classify(text, &Namespace::default()) {
        Ok(Statement::Session(command)) => command,
        other => panic!("{text} is {other:?}"),
    }
}

fn set(scope: SetScope, name: &str, values: &[&str]) -> SessionCommand {
    SessionCommand::Set {
        scope,
        name: name.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

#[test]
fn every_spelling_of_transaction_control_is_known() {
    let plain = TransactionModes::default();
    for text in [
        "BEGIN",
        "begin work",
        "begin transaction",
        "/* x */ Begin -- y",
    ] {
        assert_eq!(
            transaction(text),
            TransactionCommand::Begin {
                start: false,
                modes: plain
            },
            "{text}"
        );
    }
    assert_eq!(
        transaction("START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE"),
        TransactionCommand::Begin {
            start: true,
            modes: TransactionModes {
                isolation: Some(IsolationLevel::RepeatableRead),
                read_only: Some(true),
                deferrable: Some(false),
            }
        }
    );
    assert_eq!(
        transaction("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"),
        TransactionCommand::Begin {
            start: false,
            modes: TransactionModes {
                isolation: Some(IsolationLevel::ReadCommitted),
                read_only: Some(false),
                deferrable: None,
            }
        }
    );
    for text in [
        "COMMIT",
        "commit transaction",
        "END",
        "end work",
        "COMMIT AND NO CHAIN",
    ] {
        assert_eq!(
            transaction(text),
            TransactionCommand::Commit { chain: false },
            "{text}"
        );
    }
    for text in ["ROLLBACK", "abort", "ROLLBACK WORK"] {
        assert_eq!(
            transaction(text),
            TransactionCommand::Rollback { chain: false },
            "{text}"
        );
    }
    assert_eq!(
        transaction("ROLLBACK AND CHAIN"),
        TransactionCommand::Rollback { chain: true }
    );
    assert_eq!(
        transaction("SAVEPOINT _EXEC_SVP_0x55d"),
        TransactionCommand::Savepoint("_exec_svp_0x55d".to_owned())
    );
    for text in ["RELEASE \"_pg3_1\"", "RELEASE SAVEPOINT _PG3_1"] {
        assert_eq!(
            transaction(text),
            TransactionCommand::Release("_pg3_1".to_owned()),
            "{text}"
        );
    }
    for text in [
        "ROLLBACK TO a",
        "ROLLBACK TO SAVEPOINT a",
        "rollback transaction to savepoint A",
    ] {
        assert_eq!(
            transaction(text),
            TransactionCommand::RollbackTo("a".to_owned()),
            "{text}"
        );
    }
}

#[test]
fn every_spelling_of_set_is_known() {
    for (text, command) in [
        (
            "SET extra_float_digits = 3",
            set(SetScope::Session, "extra_float_digits", &["3"]),
        ),
        (
            "set session search_path to 'public'",
            set(SetScope::Session, "search_path", &["public"]),
        ),
        (
            "SET LOCAL a.B = -1.5",
            set(SetScope::Local, "a.b", &["-1.5"]),
        ),
        (
            "SET search_path = \"$user\", public",
            set(SetScope::Session, "search_path", &["$user", "public"]),
        ),
        (
            "SET DateStyle = 'ISO'",
            set(SetScope::Session, "datestyle", &["ISO"]),
        ),
        ("SET jit TO OFF", set(SetScope::Session, "jit", &["off"])),
        ("SET jit TO DEFAULT", set(SetScope::Session, "jit", &[])),
        (
            "SET NAMES 'utf8'",
            set(SetScope::Session, "client_encoding", &["utf8"]),
        ),
        (
            "SET SCHEMA 'public'",
            set(SetScope::Session, "search_path", &["public"]),
        ),
        (
            "SET TIME ZONE 'UTC'",
            set(SetScope::Session, "timezone", &["UTC"]),
        ),
        (
            "SET TIME ZONE utc",
            set(SetScope::Session, "timezone", &["utc"]),
        ),
        (
            "SET TIME ZONE -3",
            set(SetScope::Session, "timezone", &["-3"]),
        ),
        (
            "SET TIME ZONE LOCAL",
            set(SetScope::Session, "timezone", &[]),
        ),
        (
            "SET LOCAL TIME ZONE DEFAULT",
            set(SetScope::Local, "timezone", &[]),
        ),
        (
            "SET TIME ZONE INTERVAL '+00:00' HOUR TO MINUTE",
            set(SetScope::Session, "timezone", &["<+00>-00"]),
        ),
        (
            "SET TIME ZONE INTERVAL '-08:30' HOUR TO MINUTE",
            set(SetScope::Session, "timezone", &["<-08:30>+08:30"]),
        ),
        ("SET ROLE NONE", SessionCommand::SetRole(None)),
        (
            "SET ROLE 'writer'",
            SessionCommand::SetRole(Some("writer".to_owned())),
        ),
        (
            "SET SESSION AUTHORIZATION DEFAULT",
            SessionCommand::SetSessionAuthorization(None),
        ),
        (
            "RESET SESSION AUTHORIZATION",
            SessionCommand::ResetSessionAuthorization,
        ),
        (
            "SET CONSTRAINTS ALL DEFERRED",
            SessionCommand::SetConstraints,
        ),
        ("RESET ALL", SessionCommand::ResetAll),
        (
            "RESET TIME ZONE",
            SessionCommand::Reset("timezone".to_owned()),
        ),
        ("reset Jit", SessionCommand::Reset("jit".to_owned())),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
            SessionCommand::SetSessionCharacteristics(TransactionModes {
                isolation: Some(IsolationLevel::ReadUncommitted),
                ..TransactionModes::default()
            }),
        ),
        (
            "SET TRANSACTION READ ONLY",
            SessionCommand::SetTransaction(TransactionModes {
                read_only: Some(true),
                ..TransactionModes::default()
            }),
        ),
    ] {
        assert_eq!(session(text), command, "{text}");
    }
}

#[test]
fn pools_reset_with_one_answer_a_statement() {
    for (text, tags) in [
        ("DISCARD ALL", &["DISCARD ALL"][..]),
        (
            "SET SESSION AUTHORIZATION DEFAULT;RESET ALL;CLOSE ALL;UNLISTEN *;\
             SELECT pg_advisory_unlock_all();DISCARD SEQUENCES;DISCARD TEMP",
            &[
                "SET",
                "RESET",
                "CLOSE CURSOR ALL",
                "UNLISTEN",
                "SELECT",
                "DISCARD SEQUENCES",
                "DISCARD TEMP",
            ],
        ),
        (
            "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;",
            &["SELECT", "CLOSE CURSOR ALL", "UNLISTEN", "RESET"],
        ),
        (
            "SET DateStyle = 'ISO';SET extra_float_digits = 2;show transaction_isolation",
            &["SET", "SET", "SELECT"],
        ),
        (
            "SET client_min_messages TO warning;SET TIME ZONE INTERVAL '+00:00' HOUR TO MINUTE;",
            &["SET", "SET"],
        ),
    ] {
        let found: Vec<&str> = split_statements(text)
            .into_iter()
            .map(
                |statement| match classify(statement, &Namespace::default()) {
                    Ok(Statement::Session(command)) => command.tag(),
                    Ok(Statement::Query(_)) => "SELECT",
                    other => panic!("{statement} is {other:?}"),
                },
            )
            .collect();
        assert_eq!(found, tags, "{text}");
    }
}

#[test]
fn names_of_prepared_statements_and_cursors_are_read() {
    for (text, command) in [
        ("DEALLOCATE ALL", SessionCommand::Deallocate(None)),
        ("DEALLOCATE PREPARE ALL", SessionCommand::Deallocate(None)),
        (
            "DEALLOCATE \"_PLAN0x1\"",
            SessionCommand::Deallocate(Some("_PLAN0x1".to_owned())),
        ),
        (
            "DEALLOCATE prepare",
            SessionCommand::Deallocate(Some("prepare".to_owned())),
        ),
        (
            "CLOSE c1",
            SessionCommand::CloseCursor(Some("c1".to_owned())),
        ),
        (
            "DISCARD TEMPORARY",
            SessionCommand::Discard(DiscardTarget::Temporary),
        ),
        (
            "DISCARD PLANS",
            SessionCommand::Discard(DiscardTarget::Plans),
        ),
    ] {
        assert_eq!(session(text), command, "{text}");
    }
}

#[test]
fn other_statements_are_cold_and_say_what_they_are() {
    for (text, kind) in [
        ("update assets set name = description", "UPDATE"),
        ("DELETE FROM assets WHERE name = 'a'", "DELETE"),
        ("CREATE TABLE x (a int)", "CREATE"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("DECLARE c CURSOR FOR SELECT 1", "DECLARE"),
        ("COMMIT PREPARED 'x'", "PREPARED TRANSACTION"),
        ("INSERT INTO double_datapoints SELECT 1", "INSERT"),
    ] {
        match classify(text, &Namespace::default()) {
            Ok(Statement::Cold(cold)) => {
                assert_eq!(cold.kind, kind, "{text}");
                let refusal = cold.refusal();
                assert_eq!(refusal.sqlstate.code(), "0A000");
                assert!(refusal.hint.is_some());
            }
            other => panic!("{text} is {other:?}"),
        }
    }
}

#[test]
fn what_is_no_sql_is_a_syntax_error_with_its_position() {
    for (text, expected) in [
        ("SELEC 1", (1, "syntax error at or near \"SELEC\"")),
        ("  'x'", (3, "syntax error at or near \"'x'\"")),
        (
            "BEGIN nonsense",
            (7, "syntax error at or near \"nonsense\""),
        ),
        ("SET work_mem", (13, "syntax error at end of input")),
        (
            "SET æ = 'x",
            (9, "unterminated quoted string at or near \"'x\""),
        ),
        ("/* x", (1, "unterminated /* comment at or near \"/* x\"")),
        ("SET a = $b", (9, "syntax error at or near \"$\"")),
        (
            "DISCARD nonsense",
            (9, "syntax error at or near \"nonsense\""),
        ),
    ] {
        let error = classify(text, &Namespace::default()).expect_err(text);
        assert_eq!(error.sqlstate.code(), "42601", "{text}");
        assert_eq!(
            (error.position, error.message.as_str()),
            (Some(expected.0), expected.1)
        );
    }
}

#[test]
fn a_position_counts_from_the_start_of_the_whole_query() {
    let query = "select 'æ'; SELEC 2";
    let statement = split_statements(query)[1];
    let error = classify(statement, &Namespace::default()).expect_err("42601");
    assert_eq!(locate_in_query(error, query, statement).position, Some(13));
}

#[test]
fn blanks_and_comments_are_an_empty_statement() {
    for text in ["", "  ", "-- x", "/* x */"] {
        assert!(
            matches!(classify(text, &Namespace::default()), Ok(Statement::Empty)),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn classifying_never_panics(text in "\\PC{0,80}") {
        let _ = classify(&text, &Namespace::default());
    }

    #[test]
    fn classifying_what_looks_like_sql_never_panics(
        words in proptest::collection::vec(
            "(select|insert|into|values|copy|from|stdin|set|show|begin|time zone|local|with|to|double_datapoints|where|case|when|end|and|null|cast|as|pg_type|oid|limit|[(),;='\"$.:*+-]|\\$1|::int4|'x'|1|E'\\\\|/\\*|--)",
            0..25,
        )
    ) {
        let text = words.join(" ");
        for statement in split_statements(&text) {
            let _ = classify(statement, &Namespace::default());
        }
    }
}
