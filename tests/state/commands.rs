//! `penstock user` and `penstock state` on the store of a gateway that runs: what they change is
//! seen by clients.

use crate::on_both;
use crate::process::{Installation, password_in};
use penstock::cdf::Secret;
use penstock::state::StateLocation;
use std::process::Output;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

/// How long a change may stay unseen before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A signed-in client, and what tells of its end.
struct Connected {
    client: Client,
    end: tokio::task::JoinHandle<Result<(), tokio_postgres::Error>>,
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

async fn connect(
    address: &str,
    user: &str,
    password: &str,
) -> Result<Connected, tokio_postgres::Error> {
    let (host, port) = address.rsplit_once(':').expect("host:port");
    let (client, connection) = tokio_postgres::Config::new()
        .host(host)
        .port(port.parse().expect("a port"))
        .user(user)
        .password(password)
        .dbname(user)
        .connect(NoTls)
        .await?;
    let end = tokio::spawn(connection);
    Ok(Connected { client, end })
}

/// Tries until the gateway has seen a change.
async fn connect_soon(address: &str, user: &str, password: &str) -> Connected {
    let began = Instant::now();
    loop {
        match connect(address, user, password).await {
            Ok(connected) => return connected,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Tries until the gateway lets nobody in by this password; the SQLSTATE.
async fn refused_soon(address: &str, user: &str, password: &str) -> String {
    let began = Instant::now();
    loop {
        if let Err(error) = connect(address, user, password).await {
            return error
                .code()
                .expect("the gateway says why")
                .code()
                .to_owned();
        }
        assert!(began.elapsed() < PATIENCE, "{user} still gets in");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The SQLSTATE that a connection ends with.
async fn ended_by(connected: Connected) -> String {
    let end = connected.end.await.expect("no panic");
    drop(connected.client);
    let error = end.expect_err("the gateway ends it");
    error.code().expect("it says why").code().to_owned()
}

fn said(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn users_come_and_go_while_the_gateway_runs() {
    on_both("users", |location| {
        let installation = Installation::new("users", location);
        let gateway = installation.start();
        let (address, _) = gateway.ready();
        runtime().block_on(async {
            let name = "Ada L@example.com";
            let password = installation.create_user(name);
            let connected = connect_soon(&address, name, &password).await;

            let rotated = installation.command(&["user", "rotate-password", name], "");
            let newer = password_in(&rotated);
            let other = connect_soon(&address, name, &newer).await;
            assert_eq!(refused_soon(&address, name, &password).await, "28P01");
            // A new password ends nobody.
            assert!(!connected.client.is_closed());

            let rotated = installation.command(&["user", "rotate-secret", name], "another\n");
            assert!(rotated.status.success());
            assert_eq!(ended_by(connected).await, "57P01");
            assert_eq!(ended_by(other).await, "57P01");

            let last = connect_soon(&address, name, &newer).await;
            let deleted = installation.command(&["user", "delete", name], "");
            assert!(deleted.status.success());
            assert_eq!(ended_by(last).await, "57P01");
            assert_eq!(refused_soon(&address, name, &newer).await, "28P01");
        });
    });
}

#[test]
fn a_store_that_was_put_back_from_a_copy_is_read_as_it_is() {
    let directory = std::env::temp_dir().join(format!("penstock-put-back-{}", std::process::id()));
    let path = directory.join("state.sqlite");
    let installation = Installation::new("put-back", &StateLocation::File(path.clone()));
    let gateway = installation.start();
    let (address, _) = gateway.ready();
    runtime().block_on(async {
        let older = installation.create_user("ada");
        connect_soon(&address, "ada", &older).await;
        let store = rusqlite::Connection::open(&path).expect("the store");
        let copy = "CREATE TABLE copy AS SELECT verifier, changed, count FROM accounts, changes";
        store.execute_batch(copy).expect("copied");
        for _ in 0..2 {
            let rotated = installation.command(&["user", "rotate-password", "ada"], "");
            connect_soon(&address, "ada", &password_in(&rotated)).await;
        }
        let put_back = "BEGIN; UPDATE accounts SET (verifier, changed) = \
                        (SELECT verifier, changed FROM copy); \
                        UPDATE changes SET count = (SELECT count FROM copy); COMMIT";
        store.execute_batch(put_back).expect("put back");
        connect_soon(&address, "ada", &older).await;
    });
    drop(gateway);
    std::fs::remove_dir_all(&directory).expect("removable");
}

#[test]
fn names_that_are_taken_or_no_names_are_refused() {
    on_both("names", |location| {
        let installation = Installation::new("names", location);
        installation.create_user("ada");
        for (name, part) in [
            ("ada", "there is a user \"ada\" already"),
            ("configured", "the configuration has a user \"configured\""),
            ("", "the name is empty"),
            (&"x".repeat(64), "longer than 63 bytes"),
        ] {
            let words = [
                "user",
                "create",
                "--project",
                "p",
                "--name",
                name,
                "--base-url",
                "https://cdf.example",
                "--token-url",
                "https://login.example/token",
                "--client-id",
                "client",
            ];
            let told = said(&installation.command(&words, "secret\n"));
            assert!(told.contains(part), "{told}");
        }
        let listed = installation.command(&["user", "list"], "");
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert_eq!(listed.lines().count(), 1, "{listed}");
        assert!(listed.starts_with("ada  project plant, version 2.0, client client"));
    });
}

#[test]
fn a_wrong_key_starts_no_gateway_and_makes_no_user_and_a_rotation_changes_it() {
    on_both("key", |location| {
        let installation = Installation::new("key", location);
        let password = installation.create_user("ada");
        let key = |byte: &str| byte.repeat(32);

        installation.write(format!("key = \"{}\"", key("02")));
        let mut gateway = installation.start();
        gateway.logs("sealed with another key");
        assert_eq!(gateway.ended(), Some(1));
        let made = installation.command(&["user", "delete", "ada"], "");
        assert!(said(&made).contains("sealed with another key"));

        installation.write(String::new());
        let mut gateway = installation.start();
        gateway.logs("has no key to seal secrets with");
        assert_eq!(gateway.ended(), Some(1));

        installation.write(format!(
            "key = \"{}\"\nprevious_key = \"{}\"",
            key("02"),
            key("01")
        ));
        let rotated = installation.command(&["state", "rotate-key"], "");
        let report = String::from_utf8_lossy(&rotated.stdout).into_owned();
        assert!(report.starts_with("1 secrets are sealed"), "{report}");

        installation.write(format!("key = \"{}\"", key("02")));
        let gateway = installation.start();
        let (address, _) = gateway.ready();
        let connected = runtime().block_on(connect(&address, "ada", &password));
        assert!(connected.is_ok());
    });
}

#[test]
fn a_user_whose_secret_is_damaged_keeps_no_other_change_from_being_seen() {
    let directory =
        std::env::temp_dir().join(format!("penstock-state-damaged-{}", std::process::id()));
    let path = directory.join("state.sqlite");
    let installation = Installation::new("damaged", &StateLocation::File(path.clone()));
    let gateway = installation.start();
    let (address, _) = gateway.ready();
    let (ada, bob) = (
        installation.create_user("ada"),
        installation.create_user("bob"),
    );
    runtime().block_on(async {
        let with_ada = connect_soon(&address, "ada", &ada).await;
        let with_bob = connect_soon(&address, "bob", &bob).await;
        let database = rusqlite::Connection::open(&path).expect("the store");
        database
            .execute_batch(
                "BEGIN IMMEDIATE;
                 UPDATE accounts SET sealed = 'x', updated_ms = updated_ms + 1,
                     changed = (SELECT count + 1 FROM changes) WHERE name = 'ada';
                 UPDATE changes SET count = count + 1;
                 COMMIT",
            )
            .expect("damaged");
        // Nobody knows any more what ada may do.
        assert_eq!(ended_by(with_ada).await, "57P01");
        let deleted = installation.command(&["user", "delete", "bob"], "");
        assert!(deleted.status.success());
        assert_eq!(ended_by(with_bob).await, "57P01");
    });
    drop(gateway);
    std::fs::remove_dir_all(&directory).expect("removable");
}

#[test]
fn the_place_of_a_store_is_told_without_its_password() {
    let location = StateLocation::PostgreSql(Secret::new("postgres://a:hidden@127.0.0.1:9/x"));
    let installation = Installation::new("nowhere", &location);
    let told = said(&installation.command(&["user", "list"], ""));
    assert!(
        told.contains("127.0.0.1:9/x") && !told.contains("hidden"),
        "{told}"
    );
}
