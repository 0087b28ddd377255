//! What a running gateway knows of its store, whoever changes it.

use crate::{keys, on_both, open};
use jiff::Timestamp;
use penstock::catalog::Dialect;
use penstock::cdf::{Project, Secret};
use penstock::config::AccountsSettings;
use penstock::state::{
    Account, AccountCredentials, NewUser, Publication, StateHandle, StateLocation,
};
use penstock::wire::{OpenConnections, Users};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Longer than any machine is busy; what is awaited comes within a second.
const PATIENCE: Duration = Duration::from_secs(60);

fn account(name: &str) -> Account {
    NewUser::named(
        name.to_owned(),
        Project {
            base_url: "https://cdf.example".to_owned(),
            name: "plant".to_owned(),
        },
        Dialect::Second,
        "client".to_owned(),
        AccountCredentials::Session {
            id: 7,
            key: Secret::new("key"),
        },
        Timestamp::UNIX_EPOCH,
    )
    .account
}

fn served(location: &StateLocation) -> (StateHandle, Users) {
    let users = Users::default();
    let settings = AccountsSettings::default();
    let publication = Publication::new(users.clone(), OpenConnections::default(), settings.clone());
    let keys = Some(keys(1, &[]));
    let handle = StateHandle::start(location.clone(), keys, publication, settings);
    (handle.expect("it starts"), users)
}

/// Waits until the process knows the user, or not any more.
fn await_known(users: &Users, name: &str, is_known: bool) {
    let until = Instant::now() + PATIENCE;
    while users.find(name).is_some() != is_known {
        assert!(Instant::now() < until, "{name}: known is not {is_known}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn changes_of_others_between_its_own_are_not_missed() {
    let runtime = Runtime::new().expect("a runtime");
    on_both("between", |location| {
        let (handle, users) = served(location);
        let mut other = open(location);
        for round in 0..3 {
            let [before, foreign, after] =
                ["before", "foreign", "after"].map(|name| format!("{name}-{round}"));
            runtime
                .block_on(handle.create_account(account(&before)))
                .expect("made");
            other.create_account(&account(&foreign)).expect("made");
            runtime
                .block_on(handle.create_account(account(&after)))
                .expect("made");
            // Its own are known at once.
            assert!(users.find(&before).is_some());
            assert!(users.find(&after).is_some());
            await_known(&users, &foreign, true);
            other.delete_account(&foreign).expect("deleted");
            let deleted = runtime.block_on(handle.delete_account(&before));
            assert!(deleted.expect("deleted"));
            assert!(users.find(&before).is_none());
            await_known(&users, &foreign, false);
            assert!(users.find(&after).is_some());
        }
    });
}
