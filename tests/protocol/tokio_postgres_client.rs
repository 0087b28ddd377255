//! A real driver against the gateway: tokio-postgres.

use crate::gateway::{Gateway, PASSWORD, USER};
use bytes::Bytes;
use futures::SinkExt;
use std::pin::pin;
use tokio_postgres::{Client, NoTls, error::SqlState};

/// Runs `test` with a client that is connected to `gateway`.
fn with_client<F>(gateway: &Gateway, test: impl FnOnce(Client) -> F)
where
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::Config::new()
            .host("127.0.0.1")
            .port(gateway.address.port())
            .user(USER)
            .password(PASSWORD)
            .connect(NoTls)
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        test(client).await;
        connection.await.unwrap().unwrap();
    });
}

const INSERT: &str =
    "insert into double_datapoints (external_id, timestamp, value) values ($1, now(), $2)";

#[test]
fn the_driver_prepares_and_executes() {
    let gateway = Gateway::start();
    with_client(&gateway, async |client| {
        let statement = client.prepare(INSERT).await.unwrap();
        for value in [1.5, 2.5] {
            let rows = client
                .execute(&statement, &[&"pump", &value])
                .await
                .unwrap();
            assert_eq!(rows, 1);
        }
    });
    assert_eq!(gateway.pipeline.rows().len(), 2);
}

#[test]
fn the_driver_copies_through_the_extended_protocol() {
    let gateway = Gateway::start();
    with_client(&gateway, async |client| {
        let sink = client
            .copy_in("copy double_datapoints (external_id, timestamp, value) from stdin")
            .await
            .unwrap();
        let mut sink = pin!(sink);
        for value in 0..1000 {
            let line = format!("pump\t2026-01-01T00:00:00Z\t{value}\n");
            sink.feed(Bytes::from(line)).await.unwrap();
        }
        assert_eq!(sink.finish().await.unwrap(), 1000);
    });
    assert_eq!(gateway.pipeline.rows().len(), 1000);
}

#[test]
fn the_driver_rolls_a_transaction_back_when_it_is_dropped() {
    let gateway = Gateway::start();
    with_client(&gateway, async |mut client| {
        let transaction = client.transaction().await.unwrap();
        transaction.execute(INSERT, &[&"pump", &1.0]).await.unwrap();
        drop(transaction);
        let mut transaction = client.transaction().await.unwrap();
        transaction.execute(INSERT, &[&"pump", &2.0]).await.unwrap();
        let savepoint = transaction.transaction().await.unwrap();
        savepoint.execute(INSERT, &[&"pump", &3.0]).await.unwrap();
        savepoint.rollback().await.unwrap();
        transaction.commit().await.unwrap();
    });
    let rows = gateway.pipeline.rows();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].ends_with(" 2"), "{rows:?}");
}

#[test]
fn the_driver_gets_errors_with_their_fields() {
    let gateway = Gateway::start();
    with_client(&gateway, async |client| {
        let error = client
            .execute("insert into nowhere values (1)", &[])
            .await
            .unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code(), &SqlState::UNDEFINED_TABLE);
        assert!(error.hint().is_some());
    });
}

#[test]
fn the_driver_pipelines_and_cancels() {
    let gateway = Gateway::start();
    with_client(&gateway, async |client| {
        let statement = client.prepare(INSERT).await.unwrap();
        let inserts = (0..100).map(|value| {
            let (client, statement) = (&client, &statement);
            async move {
                let value = f64::from(value);
                client.execute(statement, &[&"pump", &value]).await.unwrap()
            }
        });
        let counts = futures::future::join_all(inserts).await;
        assert_eq!(counts.iter().sum::<u64>(), 100);

        gateway.pipeline.hold();
        let cancel = client.cancel_token();
        let insert = async {
            client
                .execute(&statement, &[&"pump", &1.0])
                .await
                .unwrap_err()
        };
        let stop = async {
            while gateway.pipeline.rows().len() < 101 {
                tokio::task::yield_now().await;
            }
            cancel.cancel_query(NoTls).await.unwrap();
            gateway.pipeline.wait_for_abort();
        };
        let (error, ()) = futures::join!(insert, stop);
        assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
    });
}
