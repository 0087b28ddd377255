//! Fields that stand for the default of their column: COPY's DEFAULT. The messages are those of
//! PostgreSQL 18.

use super::tests::{Copy, options};
use crate::sql::{CopyFormat, CopyHeader, CopyOptions};

fn with_default(format: CopyFormat, default: &str) -> CopyOptions {
    CopyOptions {
        default: Some(default.as_bytes().to_vec()),
        ..options(format)
    }
}

/// Both ways to name a series, of which a row uses one.
fn doubles(options: CopyOptions) -> Copy {
    let columns = ["external_id", "id", "timestamp", "value"];
    Copy::of("double_datapoints", &columns, options)
}

#[test]
fn a_field_equal_to_the_default_is_left_out() {
    for (format, default, data) in [
        (
            CopyFormat::Text,
            r"\D",
            "\\D\t7\t1970-01-01\t1\nb\t\\D\t1970-01-01\t2\n",
        ),
        (
            CopyFormat::Text,
            "none",
            "none\t7\t1970-01-01\t1\nb\tnone\t1970-01-01\t2\n",
        ),
        (
            CopyFormat::Csv,
            r"\D",
            "\\D,7,1970-01-01,1\nb,\\D,1970-01-01,2\n",
        ),
    ] {
        let copy = doubles(with_default(format, default));
        let whole = copy.points(&[data.as_bytes()]);
        assert_eq!(whole, ["#7@0=1", "b@0=2"], "{data}");
        let bytes: Vec<&[u8]> = data.as_bytes().chunks(1).collect();
        assert_eq!(copy.points(&bytes), whole, "cut into bytes: {data}");
    }
}

#[test]
fn what_only_looks_like_the_default_is_a_value() {
    let csv = Copy::strings(with_default(CopyFormat::Csv, r"\D"));
    assert_eq!(
        csv.points(&[b"a,1970-01-01,\"\\D\"\nb,1970-01-01, \\D\n"]),
        ["a@0=\\D", "b@0= \\D"]
    );
    let text = Copy::strings(with_default(CopyFormat::Text, "D"));
    assert_eq!(
        text.points(&[b"a\t1970-01-01\t\\D\nb\t1970-01-01\tDD\n"]),
        ["a@0=D", "b@0=DD"]
    );
}

#[test]
fn a_column_that_every_row_must_give_has_no_default() {
    for (format, data, line) in [
        (
            CopyFormat::Text,
            "7\t1970-01-01\t1\n\\N\t1970-01-01\t!\n",
            "\\N\t1970-01-01\t!",
        ),
        (
            CopyFormat::Csv,
            "7,1970-01-01,1\n,1970-01-01,!\n",
            ",1970-01-01,!",
        ),
    ] {
        let columns = ["id", "timestamp", "value"];
        let copy = Copy::of("double_datapoints", &columns, with_default(format, "!"));
        assert_eq!(
            copy.error(data.as_bytes()),
            format!(
                "22P04 unexpected default marker in COPY data | \
                 COPY double_datapoints, line 2: \"{line}\""
            )
        );
    }
}

#[test]
fn such_a_column_is_found_before_a_value_at_fault() {
    let columns = ["id", "timestamp", "value"];
    let options = with_default(CopyFormat::Csv, "!");
    let copy = Copy::of("double_datapoints", &columns, options);
    let refusal = copy.run(&[b"x,1970-01-01,!\n"]).expect_err("no default");
    assert_eq!(refusal.sqlstate.code(), "22P04");
    assert_eq!(
        refusal.detail.as_deref(),
        Some("Column \"value\" has no default value.")
    );
}

#[test]
fn too_many_fields_are_told_as_such() {
    let columns = ["id", "timestamp", "value"];
    let options = with_default(CopyFormat::Csv, "!");
    let copy = Copy::of("double_datapoints", &columns, options);
    assert_eq!(
        copy.error(b"7,1970-01-01,1,!\n"),
        "22P04 extra data after last expected column | \
         COPY double_datapoints, line 1: \"7,1970-01-01,1,!\""
    );
}

#[test]
fn a_header_names_columns_even_by_the_default() {
    let mut options = with_default(CopyFormat::Csv, "value");
    options.header = CopyHeader::Matched;
    let copy = Copy::of("double_datapoints", &["id", "timestamp", "value"], options);
    assert_eq!(
        copy.points(&[b"id,timestamp,value\n7,1970-01-01,1\n"]),
        ["#7@0=1"]
    );
}
