//! A PostgreSQL that is slow, away for a moment, or gives few rights.

use crate::postgresql::PostgreSql;
use crate::{keys, open};
use jiff::Timestamp;
use penstock::catalog::Dialect;
use penstock::cdf::{Project, Secret};
use penstock::state::{AccountCredentials, NewUser, StateError, StateLocation, StateStore};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

fn create(store: &mut StateStore, name: &str) -> Result<(), StateError> {
    let project = Project {
        base_url: "https://cdf.example".to_owned(),
        name: "plant".to_owned(),
    };
    let new = NewUser::named(
        name.to_owned(),
        project,
        Dialect::Second,
        "client".to_owned(),
        AccountCredentials::None,
        Timestamp::UNIX_EPOCH,
    );
    store.create_account(&new.account)
}

/// A client of the same database.
struct Neighbour {
    runtime: Runtime,
    client: Client,
}

impl Neighbour {
    fn of(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (client, connection) = runtime
            .block_on(tokio_postgres::connect(url, NoTls))
            .expect("it connects");
        runtime.spawn(connection);
        Neighbour { runtime, client }
    }

    fn run(&self, sql: &str) {
        self.runtime
            .block_on(self.client.batch_execute(sql))
            .expect("it may");
    }
}

#[test]
fn a_connection_that_was_lost_is_made_again() {
    let server = PostgreSql::start("lost");
    let url = server.database("state");
    let location = StateLocation::PostgreSql(Secret::new(url.clone()));
    let mut store = open(&location);
    let neighbour = Neighbour::of(&url);
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE application_name = 'penstock'";
    neighbour.run(end);
    create(&mut store, "ada").expect("made");
    neighbour.run(end);
    assert!(store.account("ada").expect("readable").is_some());
}

#[test]
fn a_change_that_was_given_up_does_not_happen_later_and_blocks_nobody() {
    let server = PostgreSql::start("given-up");
    let url = server.database("state");
    let location = StateLocation::PostgreSql(Secret::new(url.clone()));
    let mut store = open(&location);
    let neighbour = Neighbour::of(&url);
    neighbour.run("BEGIN; LOCK TABLE penstock.changes IN EXCLUSIVE MODE");
    let error = create(&mut store, "ada").expect_err("it has to wait too long");
    assert!(matches!(error, StateError::Failed { .. }), "{error}");
    neighbour.run("COMMIT");
    // Whoever comes next is not kept waiting by what was given up.
    create(&mut open(&location), "bob").expect("made");
    create(&mut store, "carl").expect("made");
    let accounts = store.accounts(None, None, 9).expect("readable");
    let names: Vec<&str> = accounts
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    assert_eq!(names, ["bob", "carl"]);
}

#[test]
fn a_change_that_takes_long_keeps_nobody_from_renewing_the_lease() {
    let server = PostgreSql::start("long-change");
    let url = server.database("state");
    let mut store = open(&StateLocation::PostgreSql(Secret::new(url.clone())));
    let held = store.take_lease("one", 60_000).expect("answered");
    let neighbour = Neighbour::of(&url);
    neighbour.run("BEGIN; LOCK TABLE penstock.changes IN EXCLUSIVE MODE");
    assert_eq!(store.take_lease("one", 60_000).expect("answered"), held);
    neighbour.run("COMMIT");
}

#[test]
fn a_role_needs_the_right_to_make_schemas_for_the_first_start_only() {
    let server = PostgreSql::start("rights");
    let url = server.database("state");
    let administrator = Neighbour::of(&url);
    administrator.run("CREATE ROLE gateway LOGIN");
    let url = url.replace("postgres@", "gateway@");
    let location = StateLocation::PostgreSql(Secret::new(url));
    let refused = StateStore::open(&location, Some(keys(1, &[]))).expect_err("it may not yet");
    assert!(
        refused.to_string().contains("permission denied"),
        "{refused}"
    );
    administrator.run("GRANT CREATE ON DATABASE state TO gateway");
    create(&mut open(&location), "ada").expect("made");
    administrator.run("REVOKE CREATE ON DATABASE state FROM gateway");
    create(&mut open(&location), "bob").expect("made");
}
