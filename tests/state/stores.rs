//! What is put into a store comes out again, whole, for whoever may read it.

use crate::{keys, on_both, open};
use jiff::Timestamp;
use penstock::catalog::{Definition, Dialect};
use penstock::cdf::{Project, Secret};
use penstock::state::{
    Account, AccountCredentials, NewUser, StateError, StateLocation, StateStore, new_password,
};
use penstock::wire::ScramVerifier;
use serde_json::json;

fn definition(name: &str) -> Definition {
    Definition::from_json(&json!({
        "type": "raw_rows", "tablename": name,
        "options": {"database": "d", "table": "t", "primaryKey": "k"},
        "columns": {"k": {"type": "TEXT"}}
    }))
    .expect("sound")
}

fn project(name: &str) -> Project {
    Project {
        base_url: "https://cdf.example".to_owned(),
        name: name.to_owned(),
    }
}

fn account(name: &str, credentials: AccountCredentials) -> Account {
    NewUser::named(
        name.to_owned(),
        project("plant"),
        Dialect::Second,
        "client".to_owned(),
        credentials,
        Timestamp::UNIX_EPOCH,
    )
    .account
}

fn with_secret(name: &str, secret: &str) -> Account {
    let credentials = AccountCredentials::Client {
        token_url: "https://login.example/token".to_owned(),
        client_id: "client".to_owned(),
        client_secret: Secret::new(secret),
        scope: "s".to_owned(),
    };
    account(name, credentials)
}

fn with_session(name: &str, id: i64, key: &str) -> Account {
    let key = Secret::new(key);
    account(name, AccountCredentials::Session { id, key })
}

fn names(accounts: &[Account]) -> Vec<&str> {
    accounts
        .iter()
        .map(|account| account.name.as_str())
        .collect()
}

#[test]
fn accounts_come_back_as_they_were_made_also_after_opening_again() {
    on_both("accounts", |location| {
        let made = [
            with_secret("Ada L@example.com", "s3cret"),
            with_session("bob", 7, "key"),
            account("carl'; DROP TABLE accounts; --", AccountCredentials::None),
        ];
        let mut store = open(location);
        for account in &made {
            store.create_account(account).expect("made");
        }
        drop(store);
        let mut store = open(location);
        for account in &made {
            let found = store.account(&account.name).expect("readable");
            assert_eq!(found.as_ref(), Some(account));
        }
        assert_eq!(store.account("nobody").expect("readable"), None);
        let again = store.create_account(&made[0]).expect_err("it is there");
        assert!(matches!(again, StateError::Refused(_)), "{again}");
    });
}

#[test]
fn accounts_are_listed_by_name_in_pages_and_by_project() {
    on_both("pages", |location| {
        let mut store = open(location);
        for name in ["d", "b", "a", "c"] {
            let made = account(name, AccountCredentials::None);
            store.create_account(&made).expect("made");
        }
        let mut elsewhere = account("aa", AccountCredentials::None);
        elsewhere.project = project("other");
        store.create_account(&elsewhere).expect("made");
        let plant = project("plant");
        let first = store.accounts(Some(&plant), None, 2).expect("readable");
        assert_eq!(names(&first), ["a", "b"]);
        let rest = store
            .accounts(Some(&plant), Some("b"), 9)
            .expect("readable");
        assert_eq!(names(&rest), ["c", "d"]);
        assert_eq!(store.accounts(None, None, 9).expect("readable").len(), 5);
    });
}

#[test]
fn a_deleted_account_takes_its_tables_along() {
    on_both("deleted", |location| {
        let mut store = open(location);
        store
            .create_account(&with_secret("ada", "s"))
            .expect("made");
        let now = Timestamp::UNIX_EPOCH;
        store.create("ada", &[definition("t")], now).expect("made");
        store.create("bob", &[definition("t")], now).expect("made");
        assert!(store.delete_account("ada").expect("deletes"));
        assert!(!store.delete_account("ada").expect("deletes"));
        assert!(store.tables(Some("ada")).expect("readable").is_empty());
        assert_eq!(store.tables(Some("bob")).expect("readable").len(), 1);
    });
}

#[test]
fn credentials_and_passwords_are_replaced_and_renewed_keys_are_kept() {
    on_both("replaced", |location| {
        let mut store = open(location);
        store
            .create_account(&with_session("ada", 7, "first"))
            .expect("made");
        store
            .session_key_renewed(7, &Secret::new("second"), |_| true)
            .expect("kept");
        // Of a session that nobody has any more nothing is kept.
        store
            .session_key_renewed(8, &Secret::new("stray"), |_| true)
            .expect("ignored");
        let found = store.account("ada").expect("readable").expect("there");
        let key = Secret::new("second");
        assert_eq!(
            found.credentials,
            AccountCredentials::Session { id: 7, key }
        );
        let later = Timestamp::from_millisecond(5_000).expect("in range");
        let none = AccountCredentials::None;
        let changed = store.replace_credentials("ada", &none, "client", later);
        let changed = changed.expect("written").expect("there");
        assert_eq!(changed.credentials, none);
        assert_eq!(changed.updated_ms, 5_000);
        let verifier = ScramVerifier::from_password(new_password().expose());
        assert!(
            store
                .replace_verifier("ada", &verifier, later)
                .expect("written")
        );
        let found = store.account("ada").expect("readable").expect("there");
        assert_eq!(found.verifier, verifier);
        assert!(
            !store
                .replace_verifier("bob", &verifier, later)
                .expect("written")
        );
    });
}

#[test]
fn a_renewed_key_is_kept_for_the_session_of_its_own_cdf() {
    on_both("two-cdfs", |location| {
        let mut store = open(location);
        let here = with_session("ada", 7, "first");
        let mut elsewhere = with_session("bob", 7, "his");
        elsewhere.project.base_url = "https://other.example".to_owned();
        for account in [&here, &elsewhere] {
            store.create_account(account).expect("made");
        }
        store
            .session_key_renewed(7, &Secret::new("second"), |project| {
                *project == here.project
            })
            .expect("kept");
        let mut key_of = |name| {
            let found = store.account(name).expect("readable").expect("there");
            match found.credentials {
                AccountCredentials::Session { key, .. } => key,
                other => panic!("no session: {other:?}"),
            }
        };
        assert_eq!(key_of("ada"), Secret::new("second"));
        assert_eq!(key_of("bob"), Secret::new("his"));
    });
}

#[test]
fn a_change_is_seen_by_others_and_the_renewal_of_a_key_is_none() {
    on_both("seen", |location| {
        let (mut writer, mut reader) = (open(location), open(location));
        let before = reader.version().expect("readable");
        writer
            .create_account(&with_session("ada", 7, "key"))
            .expect("made");
        let after = reader.version().expect("readable");
        assert!(after.changes > before.changes);
        assert_eq!(after.tables, before.tables);
        writer
            .session_key_renewed(7, &Secret::new("next"), |_| true)
            .expect("kept");
        assert_eq!(reader.version().expect("readable"), after);
    });
}

#[test]
fn of_tables_that_are_made_or_changed_together_all_or_none_are() {
    on_both("tables", |location| {
        let mut store = open(location);
        let now = Timestamp::from_millisecond(1_767_323_045_060).expect("in range");
        store
            .create("u", &[definition("a"), definition("b")], now)
            .expect("made");
        let refused = store.create("u", &[definition("c"), definition("a")], now);
        let refused = refused.expect_err("a is there").to_string();
        assert_eq!(refused, "the user \"u\" has a table \"a\" already");
        let tables = store.tables(Some("u")).expect("readable");
        assert_eq!(tables.len(), 2);
        assert_eq!(tables[0].created_ms, 1_767_323_045_060);
        assert!(tables[0].id != tables[1].id);
        let renamed = |from: &str, to: &str| (from.to_owned(), definition(to));
        let refused = store.replace("u", &[renamed("a", "c"), renamed("b", "c")]);
        assert!(refused.is_err());
        assert!(store.table("u", "a").expect("readable").is_some());
        store.replace("u", &[renamed("a", "c")]).expect("changed");
        let changed = store.table("u", "c").expect("readable").expect("there");
        assert_eq!(changed.id, tables[0].id);
        assert!(store.delete("u", "b").expect("deletes"));
        assert!(!store.delete("u", "b").expect("deletes"));
    });
}

#[test]
fn secrets_are_sealed_and_the_wrong_key_is_told() {
    on_both("sealed", |location| {
        let mut store = open(location);
        store
            .create_account(&with_secret("ada", "top-s3cret"))
            .expect("made");
        drop(store);
        if let StateLocation::File(path) = location {
            let directory = path.parent().expect("a directory");
            for file in std::fs::read_dir(directory).expect("readable") {
                let bytes = std::fs::read(file.expect("a file").path()).expect("readable");
                let found = bytes.windows(10).any(|window| window == b"top-s3cret");
                assert!(!found, "the secret is in the file");
            }
        }
        let wrong = StateStore::open(location, Some(keys(2, &[])));
        let told = wrong.expect_err("another key").to_string();
        assert!(told.contains("sealed with another key"), "{told}");
        assert!(told.contains("state.key"), "{told}");
        let mut keyless = StateStore::open(location, None).expect("opens");
        assert!(matches!(keyless.account("ada"), Err(StateError::NoKey)));
        let more = with_secret("bob", "s");
        assert!(matches!(
            keyless.create_account(&more),
            Err(StateError::NoKey)
        ));
    });
}

#[test]
fn a_new_key_takes_over_and_the_old_one_can_go() {
    on_both("rotation", |location| {
        let mut store = open(location);
        store
            .create_account(&with_secret("ada", "s"))
            .expect("made");
        store
            .create_account(&with_session("bob", 7, "k"))
            .expect("made");
        store
            .create_account(&account("carl", AccountCredentials::None))
            .expect("made");
        drop(store);
        let mut both = StateStore::open(location, Some(keys(2, &[1]))).expect("opens");
        assert_eq!(both.seal_again().expect("sealed"), 2);
        drop(both);
        let mut new = StateStore::open(location, Some(keys(2, &[]))).expect("opens");
        assert_eq!(new.accounts(None, None, 9).expect("readable").len(), 3);
    });
}

#[test]
fn after_a_rotation_nobody_seals_with_the_old_key() {
    on_both("old-key", |location| {
        let mut old = open(location);
        old.create_account(&with_session("ada", 7, "k"))
            .expect("made");
        let mut both = StateStore::open(location, Some(keys(2, &[1]))).expect("opens");
        // Until then both keys are good.
        old.create_account(&with_secret("bob", "s")).expect("made");
        assert_eq!(both.seal_again().expect("sealed"), 2);
        let refused = old.create_account(&with_secret("carl", "s"));
        assert!(matches!(refused, Err(StateError::OtherKeys { .. })));
        let renewed = old.session_key_renewed(7, &Secret::new("k2"), |_| true);
        assert!(matches!(renewed, Err(StateError::OtherKeys { .. })));
        let key = Secret::new("k");
        let ada = both.account("ada").expect("readable").expect("there");
        assert_eq!(ada.credentials, AccountCredentials::Session { id: 7, key });
    });
}

#[test]
fn a_new_store_may_be_opened_by_many_at_once() {
    on_both("at-once", |location| {
        let opened: Vec<_> = (0..8)
            .map(|number| {
                let location = location.clone();
                std::thread::spawn(move || {
                    let name = format!("user {number}");
                    let made = account(&name, AccountCredentials::None);
                    open(&location).create_account(&made).expect("made");
                })
            })
            .collect();
        for thread in opened {
            thread.join().expect("no panic");
        }
        let accounts = open(location).accounts(None, None, 99).expect("readable");
        assert_eq!(accounts.len(), 8);
    });
}
