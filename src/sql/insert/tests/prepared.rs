//! Prepared statements: types of parameters, rows from binds.

use super::insert;
use crate::sql::Bindings;
use crate::sql::insert::InsertProgress;
use crate::sql::insert::recorder::Recorder;
use bytes::Bytes;
use std::sync::Arc;

#[test]
fn parameters_take_the_type_of_their_cast_or_column_unless_declared() {
    let statement = insert(
        "INSERT INTO double_datapoints (external_id, id, timestamp, value) \
         VALUES ($1::VARCHAR, $2::BIGINT, $3::TIMESTAMP WITH TIME ZONE, $4)",
    );
    assert_eq!(
        statement.parameter_types(&[0, 21]),
        Ok(vec![1043, 21, 1184, 701])
    );
    let statement = insert("INSERT INTO double_datapoints VALUES ($1, $2, $3, $4)");
    assert_eq!(
        statement.parameter_types(&[]),
        Ok(vec![701, 1184, 1043, 20])
    );
    let statement = insert("INSERT INTO time_series (metadata) VALUES (cast($1 as json))");
    assert_eq!(statement.parameter_types(&[25]), Ok(vec![25]));
    let statement = insert("INSERT INTO time_series (metadata) VALUES ($1)");
    assert_eq!(statement.parameter_types(&[3802]), Ok(vec![3802]));
    let statement = insert("INSERT INTO time_series (security_categories) VALUES ($1::BIGINT[])");
    assert_eq!(statement.parameter_types(&[1005]), Ok(vec![1005]));
}

#[test]
fn parameters_of_a_type_that_does_not_fit_are_refused_at_parse() {
    for (column, oid) in [("id", 25), ("id", 16), ("timestamp", 25), ("value", 1184)] {
        let statement = insert(&format!(
            "INSERT INTO double_datapoints ({column}) VALUES ($1)"
        ));
        let error = statement.parameter_types(&[oid]).expect_err("42804");
        assert_eq!(error.sqlstate.code(), "42804", "{column} {oid}");
        assert!(error.position.is_some());
    }
    let gap = insert("INSERT INTO double_datapoints (id) VALUES ($2)");
    let error = gap.parameter_types(&[]).expect_err("42P18");
    assert_eq!(
        error.message,
        "could not determine data type of parameter $1"
    );
}

#[test]
fn a_prepared_row_is_filled_from_every_bind_anew() {
    let statement = insert(
        "INSERT INTO double_datapoints (external_id, id, timestamp, value) \
         VALUES ($1, NULL, now(), $2::float8), ('fixed', DEFAULT, $3, 1.5)",
    );
    let types: Arc<[u32]> = statement.parameter_types(&[25]).expect("types").into();
    assert_eq!(*types, [25, 701, 1184]);
    for value in ["1", "2"] {
        let bindings = Bindings::new(
            "s",
            types.clone(),
            &[0, 0, 1],
            vec![
                Some(Bytes::from(value)),
                None,
                Some(Bytes::from_static(&[0; 8])),
            ],
        )
        .expect("bindings");
        let mut recorder = Recorder::new();
        let progress = statement.reader(&bindings).read(&mut recorder, 1);
        assert_eq!(
            progress,
            Ok(InsertProgress {
                rows_read: 2,
                finished: true
            })
        );
        let first = format!("2={value}");
        assert_eq!(
            recorder.rows(),
            vec![
                vec![first.as_str(), "3 null", "1:1184=now", "0 null"],
                vec!["2=fixed", "1:1184b=[0, 0, 0, 0, 0, 0, 0, 0]", "0=1.5"],
            ]
        );
    }
}

#[test]
fn a_bind_with_the_wrong_number_of_values_is_refused() {
    let types: Arc<[u32]> = Arc::new([20, 20]);
    let error = Bindings::new("s1", types.clone(), &[], vec![None]).expect_err("08P01");
    assert_eq!(
        error.message,
        "bind message supplies 1 parameters, but prepared statement \"s1\" requires 2"
    );
    let error = Bindings::new("", types.clone(), &[1, 1, 1], vec![None, None]).expect_err("08P01");
    assert_eq!(
        error.message,
        "bind message has 3 parameter formats but 2 parameters"
    );
    let error = Bindings::new("", types, &[2], vec![None, None]).expect_err("22023");
    assert_eq!(error.sqlstate.code(), "22023");
}
