//! Rows of `cdf.double_datapoints` and `cdf.string_datapoints`: statuses, missing values, nodes.

use super::builder_tests::{A, B, Building, Field, point};
use super::{DatapointValues, RowBuilder, SeriesReference};

const BAD: Field<'_> = ("status_code", Some("2147483648"));
const SPACE: Field<'_> = ("instance_space", Some("plant"));

/// A point with more fields behind it.
fn with<'a>(point: [Field<'a>; 3], more: &[Field<'a>]) -> Vec<Field<'a>> {
    point.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn a_point_of_an_instance_is_not_one_of_the_series_with_its_external_id() {
    let mut building = Building::of("cdf.double_datapoints", 100);
    let plain = point(A, "1970-01-01", "1");
    let other = ("instance_space", Some("other"));
    for fields in [
        plain.to_vec(),
        with(plain, &[SPACE]),
        with(plain, &[other]),
        with(plain, &[("instance_space", None)]),
        with(plain, &[SPACE, ("id", Some("7"))]),
        with(point(B, "1970-01-01", "1"), &[SPACE]),
        // A space may have the name of a series.
        with(plain, &[("instance_space", Some("a"))]),
        with(point(("id", Some("7")), "1970-01-01", "1"), &[]),
    ] {
        building.row(&fields).expect("valid");
    }
    let batch = building.datapoints();
    let references: Vec<_> = batch
        .series
        .iter()
        .map(|key| key.reference().clone())
        .collect();
    assert_eq!(
        references,
        [
            SeriesReference::ExternalId("a".into()),
            SeriesReference::instance("plant", "a"),
            SeriesReference::instance("other", "a"),
            SeriesReference::instance("plant", "b"),
            SeriesReference::instance("a", "a"),
            SeriesReference::Id(7),
        ]
    );
    assert_eq!(batch.series_index, [0, 1, 2, 0, 1, 3, 4, 5]);
    assert!(std::ptr::eq(
        batch.table,
        crate::catalog::CDF_DOUBLE_DATAPOINTS
    ));
    assert!(batch.statuses.is_empty(), "all of them are Good");
}

#[test]
fn only_a_bad_point_may_be_without_a_value_or_beyond_the_bounds() {
    let mut building = Building::of("cdf.double_datapoints", 100);
    let nothing = [A, ("timestamp", Some("1970-01-01")), ("value", None)];
    for value in ["NaN", "Infinity", "-1e100"] {
        let plain = point(A, "1970-01-01", value);
        assert_eq!(building.code(&plain), "22003", "{value}");
        let uncertain = with(plain, &[("status_symbol", Some("Uncertain"))]);
        assert_eq!(building.code(&uncertain), "22003", "{value}");
        assert_eq!(building.code(&with(plain, &[BAD])), "00000", "{value}");
    }
    assert_eq!(building.code(&nothing), "23502");
    assert_eq!(building.code(&nothing[..2]), "23502");
    let refusal = building.row(&nothing).expect_err("no value");
    assert!(refusal.hint.is_some_and(|hint| hint.contains("Bad")));
    assert_eq!(building.code(&with(nothing, &[BAD])), "00000");
    assert_eq!(building.code(&point(A, "1970-01-01", "2.5")), "00000");
    let batch = building.datapoints();
    let DatapointValues::Double(values) = &batch.values else {
        panic!("the table has numbers");
    };
    assert!(values[0].is_nan() && values[1] == f64::INFINITY);
    assert_eq!(values[2..], [-1e100, 0.0, 2.5]);
    let statuses: Vec<_> = (0..5).map(|row| batch.status(row)).collect();
    assert_eq!(
        statuses
            .iter()
            .map(|status| status.code)
            .collect::<Vec<_>>(),
        [0x8000_0000, 0x8000_0000, 0x8000_0000, 0x8000_0000, 0]
    );
    let without = statuses.iter().map(|status| status.has_no_value);
    assert_eq!(
        without.collect::<Vec<_>>(),
        [false, false, false, true, false]
    );
    assert_eq!(batch.statuses.len(), 5);
    // The public table has no status that would allow it.
    let mut plain = Building::of("double_datapoints", 100);
    assert_eq!(plain.code(&point(A, "1970-01-01", "NaN")), "22003");
}

#[test]
fn code_and_symbol_of_a_status_agree_or_one_of_them_is_there() {
    let mut building = Building::of("cdf.double_datapoints", 100);
    let plain = point(A, "1970-01-01", "1");
    for (code, symbol, sqlstate, expected) in [
        (None, None, "00000", 0),
        (Some("0"), None, "00000", 0),
        (None, Some("Good"), "00000", 0),
        (Some("1073741824"), Some("Uncertain"), "00000", 0x4000_0000),
        (None, Some("BadNoData, Low"), "00000", 0x809b_0500),
        (Some("2157642000"), None, "22023", 0),
        (Some("0"), Some("Bad"), "22023", 0),
        (Some("-1"), None, "22003", 0),
        (None, Some("Mediocre"), "22023", 0),
        (Some("Bad"), None, "22P02", 0),
    ] {
        let given = [("status_code", code), ("status_symbol", symbol)];
        assert_eq!(building.code(&with(plain, &given)), sqlstate, "{given:?}");
        if sqlstate == "00000" {
            let batch = building.datapoints();
            assert_eq!(batch.status(0).code, expected, "{given:?}");
        }
    }
    let given = [("status_code", Some("0")), ("status_symbol", Some("Bad"))];
    let refusal = building
        .row(&with(plain, &given))
        .expect_err("they disagree");
    assert_eq!(refusal.column.as_deref(), Some("status_symbol"));
}

#[test]
fn a_string_point_of_the_wider_table_has_up_to_1023_bytes() {
    let mut building = Building::of("cdf.string_datapoints", 100);
    let fits = "é".repeat(511);
    let bytes = "é".repeat(512);
    let characters = "x".repeat(1024);
    for (value, code) in [(&fits, "00000"), (&bytes, "22001"), (&characters, "22001")] {
        assert_eq!(building.code(&point(A, "1970-01-01", value)), code);
    }
    let nothing = [A, ("timestamp", Some("1970-01-01")), ("value", None)];
    assert_eq!(building.code(&nothing), "23502");
    assert_eq!(building.code(&with(nothing, &[BAD])), "00000");
    assert_eq!(building.code(&point(A, "1970-01-02", "")), "00000");
    let batch = building.datapoints();
    let DatapointValues::Text(values) = &batch.values else {
        panic!("the table has strings");
    };
    assert_eq!((values.len(), values.text(1), values.text(2)), (3, "", ""));
    assert!(batch.status(1).has_no_value && !batch.status(2).has_no_value);
}

#[test]
fn an_instance_is_named_by_its_space_and_its_external_id() {
    let mut building = Building::of("cdf.double_datapoints", 100);
    let by_id = point(("id", Some("7")), "1970-01-01", "1");
    assert_eq!(building.code(&with(by_id, &[SPACE])), "23502");
    let long = "s".repeat(44);
    let plain = point(A, "1970-01-01", "1");
    for (space, code) in [("", "22023"), (long.as_str(), "22001"), ("a\0", "22021")] {
        let fields = with(plain, &[("instance_space", Some(space))]);
        assert_eq!(building.code(&fields), code);
    }
    assert_eq!(building.builder.rows(), 0);
}
