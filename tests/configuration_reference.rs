//! The files that operators start from, and the documentation of every key: none of them may
//! differ from the code.

use penstock::config::{
    AccountsSettings, BatchTable, Configuration, CopySettings, DeadLetterSettings, EngineSettings,
    Environment, JournalSettings, LimitsTable, ListenSettings, LogSettings, MemorySettings,
    PacingSettings, RetrySettings, RuntimeSettings, SignInFailureSettings, StateKeys,
    StatementSettings, TimeoutSettings, TransactionSettings,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The secrets that the files of the repository name.
fn secrets() -> Environment {
    Environment::of(&[
        ("PENSTOCK_WRITER_PASSWORD", "w"),
        ("PENSTOCK_PLANT_CLIENT_SECRET", "s"),
    ])
}

/// Every section with a default, by its name.
fn defaults() -> Value {
    json!({
        "listen": ListenSettings::default(),
        "runtime": RuntimeSettings::default(),
        "memory": MemorySettings::default(),
        "transactions": TransactionSettings::default(),
        "copy": CopySettings::default(),
        "statements": StatementSettings::default(),
        "engine": EngineSettings::default(),
        "timeouts": TimeoutSettings::default(),
        "batch": BatchTable::default(),
        "retry": RetrySettings::default(),
        "pacing": PacingSettings::default(),
        "limits": LimitsTable::default(),
        "dead_letters": DeadLetterSettings::default(),
        "state": StateKeys::default(),
        "accounts": AccountsSettings::default(),
        "sign_in_failures": SignInFailureSettings::default(),
        "journal": JournalSettings::default(),
        "logs": LogSettings::default(),
    })
}

/// Every key with its default, dotted; without the keys that may not be set.
fn keys_with_defaults() -> Vec<(String, Value)> {
    fn walk(path: &str, value: &Value, keys: &mut Vec<(String, Value)>) {
        let Value::Object(members) = value else {
            keys.push((path.to_owned(), value.clone()));
            return;
        };
        for (name, value) in members {
            let path = match path {
                "" => name.clone(),
                _ => format!("{path}.{name}"),
            };
            walk(&path, value, keys);
        }
    }
    let mut keys = Vec::new();
    walk("", &defaults(), &mut keys);
    keys.retain(|(key, _)| !key.ends_with(".points_max") || key == "batch.datapoints.points_max");
    keys
}

/// The keys that a section knows, as the refusal of an unknown one lists them.
fn known_keys(header: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "reference-{}-{:?}.toml",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::write(&path, format!("{header}\nno_such_key = 1\n")).expect("writable");
    let text = Configuration::load_with(&path, &Environment::default())
        .expect_err("the key is unknown")
        .to_string();
    std::fs::remove_file(&path).expect("the file can be removed");
    // Of two keys it says `a` or `b`, of more one of them all.
    let (_, names) = text.split_once("expected ").expect("names are listed");
    names
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn as_json(table: &toml::Table) -> Value {
    serde_json::to_value(table).expect("TOML without dates is JSON")
}

fn at<'a>(tree: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(tree, |tree, name| tree.get(name))
}

#[test]
fn the_reference_file_shows_every_key_with_its_default() {
    let text = std::fs::read_to_string(repository("config/penstock.toml")).expect("readable");
    let file = as_json(&toml::from_str(&text).expect("the file is TOML"));
    let limits = std::fs::read_to_string(repository("config/limits.toml")).expect("readable");
    let limits = as_json(&toml::from_str(&limits).expect("the file is TOML"));
    for (key, default) in keys_with_defaults() {
        let written = match key.strip_prefix("limits.") {
            Some(key) => at(&limits, key),
            None => at(&file, &key),
        };
        if default.is_null() {
            let name = key.rsplit('.').next().expect("a key has a name");
            assert_eq!(written, None, "{key} has no default");
            assert!(
                text.contains(&format!("\n# {name} = ")),
                "{key} is not shown"
            );
        } else {
            assert_eq!(written, Some(&default), "{key}");
        }
    }
    for header in [
        "[[users]]",
        "[cdf.plant]",
        "[tables.assets]",
        "[admin]",
        "[state]",
        "[engine]",
        "[[sign_in]]",
        "[[issuers]]",
        "[[principals]]",
    ] {
        for key in known_keys(header) {
            let shown = [format!("\n{key} = "), format!("\n# {key} = ")];
            assert!(
                shown.iter().any(|line| text.contains(line)),
                "{header} {key} is not shown"
            );
        }
    }
    assert!(text.contains("\n# limits_file = "));
}

#[test]
fn the_reference_file_loads_and_equals_the_defaults() {
    let loaded = Configuration::load_with(&repository("config/penstock.toml"), &secrets())
        .expect("the file is sound");
    let defaults = Configuration {
        users: loaded.users.clone(),
        ..Configuration::default()
    };
    assert_eq!(loaded, defaults);
    assert_eq!(loaded.users.len(), 1);
    assert_eq!(loaded.warnings(), Vec::<String>::new());
}

#[test]
fn the_limits_file_loads_and_equals_the_compiled_limits() {
    let mut environment = vec![("PENSTOCK_LIMITS_FILE", "limits.toml")];
    environment.extend([
        ("PENSTOCK_WRITER_PASSWORD", "w"),
        ("PENSTOCK_PLANT_CLIENT_SECRET", "s"),
    ]);
    let loaded = Configuration::load_with(
        &repository("config/penstock.toml"),
        &Environment::of(&environment),
    )
    .expect("the files are sound");
    assert_eq!(loaded.limits, LimitsTable::default());
    assert_eq!(loaded.limits_file, Some(repository("config/limits.toml")));
}

#[test]
fn the_preset_for_bulk_loads_loads() {
    let loaded = Configuration::load_with(&repository("config/high-throughput.toml"), &secrets())
        .expect("the file is sound");
    assert_eq!(loaded.batch.datapoints.in_flight_max, 10);
    assert_eq!(loaded.batch.datapoints.points_max, 100_000);
    assert_eq!(loaded.warnings(), Vec::<String>::new());
}

#[test]
fn the_documentation_lists_every_key_with_its_default() {
    let document = std::fs::read_to_string(repository("docs/configuration.md")).expect("readable");
    let documented: BTreeSet<String> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`'))
        .map(|(key, _)| key.to_owned())
        .collect();
    let mut wanted = BTreeSet::from(["limits_file".to_owned()]);
    for (key, default) in keys_with_defaults() {
        let default = match &default {
            Value::Null => "none".to_owned(),
            Value::String(text) => format!("`{text}`"),
            value => format!("`{value}`"),
        };
        let line = format!("| `{key}` | {default} | ");
        assert!(
            document.contains(&line),
            "docs/configuration.md must hold {line}"
        );
        wanted.insert(key);
    }
    for (header, prefix) in [
        ("[[users]]", "users"),
        ("[cdf.plant]", "cdf.<name>"),
        ("[tables.assets]", "tables.<name>"),
        ("[admin]", "admin"),
        ("[state]", "state"),
        ("[engine]", "engine"),
        ("[[sign_in]]", "sign_in"),
        ("[[issuers]]", "issuers"),
        ("[[principals]]", "principals"),
    ] {
        wanted.extend(
            known_keys(header)
                .iter()
                .map(|key| format!("{prefix}.{key}")),
        );
    }
    let unknown: Vec<&String> = documented.difference(&wanted).collect();
    let missing: Vec<&String> = wanted.difference(&documented).collect();
    assert!(unknown.is_empty(), "no such keys: {unknown:?}");
    assert!(missing.is_empty(), "not documented: {missing:?}");
}
