//! The configuration as operators meet it: files, environment, refusals.

use penstock::cdf::Credentials;
use penstock::config::{Configuration, Environment, Password};
use penstock::oidc::CdfTarget;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The two sections that every configuration needs.
const PRINCIPALS: &str = r#"
[[users]]
name = "writer"
password = "correct horse"
cdf = "plant"

[cdf.plant]
base_url = "https://api.cognitedata.com"
project = "my-project"
token_url = "https://login.example.com/token"
client_id = "client"
client_secret = "battery staple"
"#;

/// A new directory with these files in it.
fn directory(files: &[(&str, &str)]) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("configuration-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).expect("the directory can be made");
    for (name, text) in files {
        std::fs::write(path.join(name), text).expect("the file can be written");
    }
    path
}

fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Configuration, String> {
    let directory = directory(&[("penstock.toml", text)]);
    let loaded = Configuration::load_with(
        &directory.join("penstock.toml"),
        &Environment::of(variables),
    );
    std::fs::remove_dir_all(&directory).expect("the directory can be removed");
    // Without the directory, so that the texts can be compared.
    loaded.map_err(|error| {
        error
            .to_string()
            .replace(&format!("{}/", directory.display()), "")
    })
}

/// Sections after the principals, so that a top-level key cannot be meant.
fn load(sections: &str) -> Result<Configuration, String> {
    load_with(&format!("{PRINCIPALS}\n{sections}"), &[])
}

fn refusal(sections: &str) -> String {
    load(sections).expect_err("the configuration must be refused")
}

#[test]
fn a_section_that_names_one_key_keeps_the_defaults_of_its_resource() {
    let loaded = load("[batch.datapoints]\nlinger_ms = 7\n[limits.raw_rows]\nconcurrency = 20\n")
        .expect("the configuration is sound");
    assert_eq!(loaded.batch.datapoints.linger_ms, 7);
    assert_eq!(loaded.batch.datapoints.items_max, 10_000);
    assert_eq!(loaded.batch.time_series.items_max, 1000);
    assert_eq!(loaded.limits.raw_rows.concurrency, 20);
    assert_eq!(loaded.limits.raw_rows.bytes_per_window, 1_300_000_000);
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = format!("{PRINCIPALS}\n[copy]\nbatch_rows = 5\n");
    let variables = [
        ("PENSTOCK_COPY__BATCH_ROWS", "6"),
        ("PENSTOCK_LISTEN__POSTGRES", "0.0.0.0:6543"),
        ("PENSTOCK_CDF__PLANT__PROJECT", "other"),
    ];
    let loaded = load_with(&text, &variables).expect("the configuration is sound");
    assert_eq!(loaded.copy.batch_rows, 6);
    assert_eq!(loaded.listen.postgres.to_string(), "0.0.0.0:6543");
    assert_eq!(loaded.users[0].identity.project.name, "other");
}

#[test]
fn a_limits_file_stands_beside_the_configuration_and_under_the_environment() {
    let text = format!("limits_file = \"budgets.toml\"\n{PRINCIPALS}");
    let directory = directory(&[
        ("penstock.toml", &text),
        (
            "budgets.toml",
            "budget_share = 0.5\n[raw_rows]\nconcurrency = 9\n",
        ),
    ]);
    let path = directory.join("penstock.toml");
    let variables = Environment::of(&[("PENSTOCK_LIMITS__RAW_ROWS__CONCURRENCY", "8")]);
    let loaded = Configuration::load_with(&path, &variables).expect("the files are sound");
    assert_eq!(loaded.limits.budget_share, 0.5);
    assert_eq!(loaded.limits.raw_rows.concurrency, 8);
    assert_eq!(loaded.limits.raw_rows.window_s, 600);

    std::fs::write(directory.join("budgets.toml"), "\nbudget_share = 1.5\n").expect("writable");
    let text = Configuration::load_with(&path, &variables)
        .expect_err("the share is too large")
        .to_string();
    assert!(
        text.contains("budgets.toml:2: limits.budget_share: 1.5"),
        "{text}"
    );
    std::fs::remove_dir_all(&directory).expect("the directory can be removed");
}

#[test]
fn limits_in_two_places_are_refused() {
    let text =
        format!("limits_file = \"limits.toml\"\n{PRINCIPALS}\n[limits]\nbudget_share = 1.0\n");
    let error = load_with(&text, &[]).expect_err("must be refused");
    assert!(
        error.contains("limits: the limits are here and in limits_file"),
        "{error}"
    );
}

#[test]
fn every_problem_is_told_at_once() {
    let error =
        refusal("[copy]\nbatch_rows = 0\n[retry]\nmultiplier = 0.5\n[timeouts]\nsign_in_s = 0");
    assert_eq!(error.lines().count(), 3, "{error}");
    assert!(
        error.contains("penstock.toml:15: copy.batch_rows: the value is 0."),
        "{error}"
    );
    assert!(
        error.contains("penstock.toml:17: retry.multiplier: "),
        "{error}"
    );
    assert!(
        error.contains("penstock.toml:19: timeouts.sign_in_s: "),
        "{error}"
    );
}

#[test]
fn what_cannot_work_is_refused_by_its_key() {
    for (sections, key) in [
        (
            "[listen]\ntls_certificate = \"a\"",
            "listen.tls_private_key",
        ),
        (
            "[listen]\ntls_private_key = \"a\"",
            "listen.tls_certificate",
        ),
        ("[listen]\nrequire_tls = true", "listen.require_tls"),
        ("[listen]\nhttp = \"127.0.0.1:5432\"", "listen.http"),
        ("[listen]\nconnections_max = 0", "listen.connections_max"),
        (
            "[listen]\nmessage_bytes_max = 9",
            "listen.message_bytes_max",
        ),
        (
            "[listen]\nmessage_bytes_max = 2_000_000_000",
            "listen.message_bytes_max",
        ),
        (
            "[listen]\nmessage_bytes_max_before_sign_in = 100",
            "listen.message_bytes_max_before_sign_in",
        ),
        ("[runtime]\nwriter_threads = 5000", "runtime.writer_threads"),
        (
            "[memory]\nrows_bytes_max_per_connection = 70_000_000",
            "memory.rows_bytes_max_per_connection",
        ),
        (
            "[memory]\nrows_bytes_max_per_connection = 1000",
            "memory.rows_bytes_max_per_connection",
        ),
        ("[memory]\nscans_bytes_max = 1000", "memory.scans_bytes_max"),
        (
            "[memory]\nrows_bytes_max = 1_000_000",
            "batch.datapoints.bytes_max",
        ),
        (
            "[transactions]\nstaged_bytes_max = 70_000_000",
            "transactions.staged_bytes_max",
        ),
        (
            "[transactions]\nspool_bytes_max = 20_000_000_000",
            "transactions.spool_bytes_max",
        ),
        (
            "[timeouts]\nstatement_s = 3_000_000",
            "timeouts.statement_s",
        ),
        ("[copy]\nbatch_rows = 2_000_000", "copy.batch_rows"),
        ("[copy]\nline_bytes_max = 0", "copy.line_bytes_max"),
        (
            "[retry]\ninitial_interval_ms = 60_000",
            "retry.interval_max_ms",
        ),
        (
            "[retry]\nrequest_timeout_s = 3_600",
            "retry.request_timeout_s",
        ),
        ("[retry]\nmultiplier = nan", "retry.multiplier"),
        (
            "[retry]\nstale_write_guard_ms = 10_000_000",
            "retry.stale_write_guard_ms",
        ),
        (
            "[batch.datapoints]\nitems_max = 10_001",
            "batch.datapoints.items_max",
        ),
        (
            "[batch.datapoints]\npoints_max = 100_001",
            "batch.datapoints.points_max",
        ),
        (
            "[batch.time_series]\nitems_max = 2_000",
            "batch.time_series.items_max",
        ),
        (
            "[batch.raw_rows]\npoints_max = 10",
            "batch.raw_rows.points_max",
        ),
        (
            "[batch.raw_rows]\nlinger_ms = 61_000",
            "batch.raw_rows.linger_ms",
        ),
        (
            "[batch.raw_rows]\nin_flight_max = 0",
            "batch.raw_rows.in_flight_max",
        ),
        (
            "[batch.datapoints]\nin_flight_max = 11",
            "batch.datapoints.in_flight_max",
        ),
        ("[limits]\nbudget_share = 0.0", "limits.budget_share"),
        ("[limits]\nbudget_share = 1.01", "limits.budget_share"),
        (
            "[limits.raw_rows]\nwindow_s = 0",
            "limits.raw_rows.window_s",
        ),
        (
            "[limits.raw_rows]\nbytes_per_window = 1_000_000",
            "limits.raw_rows.bytes_per_window",
        ),
        (
            "[limits.time_series]\nitems_per_s = 500",
            "limits.time_series.items_per_s",
        ),
        ("[logs]\nfilter = \"penstock=loud\"", "logs.filter"),
        ("[logs]\nformat = \"xml\"", "logs.format"),
        (
            "[listen]\ntls_certificate = \"no.crt\"\ntls_private_key = \"no.key\"",
            "listen.tls_certificate",
        ),
    ] {
        let error = refusal(sections);
        assert!(
            error
                .lines()
                .any(|line| line.contains(&format!(": {key}: "))),
            "{sections}\nis refused with\n{error}"
        );
    }
}

#[test]
fn what_cannot_work_about_users_is_refused_by_its_key() {
    let change = |from: &str, to: &str| PRINCIPALS.replace(from, to);
    let second = "[[users]]\nname = \"writer\"\npassword = \"p\"\ncdf = \"plant\"\n";
    for (text, expected) in [
        ("[listen]\n".to_owned(), "users: there are no users"),
        (
            change("cdf = \"plant\"", "cdf = \"plan\""),
            "users.0.cdf: there is no section [cdf.plan]. Name one of plant",
        ),
        (
            change("cdf = \"plant\"", ""),
            "users.0.cdf: the user has no CDF principal",
        ),
        (
            format!("{PRINCIPALS}{second}"),
            "users.1.name: the user \"writer\" is there twice",
        ),
        (
            change("name = \"writer\"", ""),
            "users.0.name: the user has no name",
        ),
        (
            change("password = \"correct horse\"", ""),
            "users.0.password: the secret is missing",
        ),
        (
            change("password = \"correct horse\"", "password = \"\""),
            "users.0.password: the secret is empty",
        ),
        (
            change(
                "password = \"correct horse\"",
                "password = \"a\"\npassword_env = \"A\"",
            ),
            "users.0.password: the secret has more than one source",
        ),
        (
            change("password = \"correct horse\"", "password_env = \"ABSENT\""),
            "users.0.password_env: the environment variable ABSENT is not set",
        ),
        (
            change("password = \"correct horse\"", "password_file = \"absent\""),
            "users.0.password_file: absent cannot be read",
        ),
        (
            change("correct horse", "SCRAM-SHA-256$4096:salt"),
            "users.0.password: the value starts like a SCRAM verifier and is none",
        ),
        (
            change("https://api.cognitedata.com", "api.cognitedata.com"),
            "cdf.plant.base_url: \"api.cognitedata.com\" is no http or https address",
        ),
        (
            change(
                "https://api.cognitedata.com",
                "https://api.cognitedata.com/api/v1",
            ),
            "cdf.plant.base_url: \"https://api.cognitedata.com/api/v1\" goes on after the host",
        ),
        (
            change(
                "https://api.cognitedata.com",
                "https://api.cognitedata.com/",
            ),
            "cdf.plant.base_url: \"https://api.cognitedata.com/\" goes on after the host",
        ),
        (
            change("https://login.example.com/token", "file:///etc/token"),
            "cdf.plant.token_url: \"file:///etc/token\" is no http or https address",
        ),
        (change("my-project", "my/project"), "cdf.plant.project: "),
        (
            change("project = \"my-project\"", ""),
            "cdf.plant.project: the project is missing",
        ),
        (
            change("client_id = \"client\"", ""),
            "cdf.plant.client_id: ",
        ),
        (
            change("client_secret = \"battery staple\"", ""),
            "cdf.plant.client_secret: the secret is missing",
        ),
        (
            change("client_secret = \"battery staple\"", "token = \"t\""),
            "cdf.plant.token: there are both a fixed token and client credentials",
        ),
        (
            change(
                "token_url = \"https://login.example.com/token\"\nclient_id = \"client\"\nclient_secret = \"battery staple\"",
                "",
            ),
            "cdf.plant: there are no credentials",
        ),
    ] {
        let error = load_with(&text, &[]).expect_err("must be refused");
        assert!(error.contains(expected), "{text}\nis refused with\n{error}");
    }
}

#[test]
fn secrets_come_from_files_and_variables_too() {
    let text = PRINCIPALS
        .replace(
            "password = \"correct horse\"",
            "password_file = \"writer.password\"",
        )
        .replace(
            "client_secret = \"battery staple\"",
            "client_secret_env = \"PLANT\"",
        );
    let directory = directory(&[
        ("penstock.toml", &text),
        ("writer.password", "from file \n"),
    ]);
    let loaded = Configuration::load_with(
        &directory.join("penstock.toml"),
        &Environment::of(&[("PLANT", "from variable")]),
    )
    .expect("the configuration is sound");
    std::fs::remove_dir_all(&directory).expect("the directory can be removed");
    let user = &loaded.users[0];
    match &user.password {
        Password::Plain(password) => assert_eq!(password.expose(), "from file "),
        Password::Verifier(_) => panic!("a plain password is no verifier"),
    }
    match &user.identity.credentials {
        Credentials::ClientCredentials { client_secret, .. } => {
            assert_eq!(client_secret.expose(), "from variable");
        }
        other => panic!("these are no client credentials: {other:?}"),
    }
}

#[test]
fn users_of_one_client_share_an_identity_and_users_of_a_token_do_not() {
    let text = r#"
[[users]]
name = "a"
password = "p"
cdf = "client"
[[users]]
name = "b"
password = "p"
cdf = "client"
[[users]]
name = "c"
password = "p"
cdf = "token"
[[users]]
name = "d"
password = "p"
cdf = "token"
[cdf.client]
base_url = "http://127.0.0.1:8010"
project = "p"
token_url = "http://127.0.0.1:8010/token"
client_id = "id"
client_secret = "s"
[cdf.token]
base_url = "http://127.0.0.1:8010"
project = "p"
token = "t"
create_missing_time_series = true
"#;
    let loaded = load_with(text, &[]).expect("the configuration is sound");
    let names: Vec<&str> = loaded
        .users
        .iter()
        .map(|user| user.identity.name.as_str())
        .collect();
    assert_eq!(names, ["id", "id", "c", "d"]);
    assert_eq!(loaded.users[0].identity, loaded.users[1].identity);
    assert!(loaded.users[2].identity.create_missing_time_series);
    assert!(!loaded.users[0].identity.create_missing_time_series);
}

#[test]
fn no_secret_can_be_printed() {
    let token = PRINCIPALS.replace("name = \"writer\"", "name = \"w\"");
    let loaded = load_with(&token, &[]).expect("the configuration is sound");
    let shown = format!("{loaded:?}");
    for secret in ["correct horse", "battery staple"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let error = load_with(
        &token.replace("correct horse", "SCRAM-SHA-256$hunter2"),
        &[],
    )
    .expect_err("must be refused");
    assert!(!error.contains("hunter2"), "{error}");
    let environment = Environment::of(&[("A", "hunter2")]);
    assert!(!format!("{environment:?}").contains("hunter2"));
}

#[test]
fn what_works_and_is_unwise_is_a_warning() {
    let text = PRINCIPALS.replace("https://api.cognitedata.com", "http://api.cognitedata.com");
    let text = format!("{text}\n[listen]\npostgres = \"0.0.0.0:5432\"\n");
    let warnings = load_with(&text, &[])
        .expect("the configuration is sound")
        .warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("clear text"));
    assert!(warnings[1].contains("not https"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Configuration::load(Path::new("/no/such/penstock.toml"))
        .expect_err("there is no such file")
        .to_string();
    assert!(
        error.starts_with("/no/such/penstock.toml: the file cannot be read"),
        "{error}"
    );
}

#[test]
fn a_journal_keeps_its_spent_budgets_beside_it_unless_they_have_a_file() {
    let file = |sections: &str| {
        let configuration = load(sections).expect("the configuration is accepted");
        let path = configuration.pacing.state_file?;
        Some(path.file_name()?.to_string_lossy().into_owned())
    };
    assert_eq!(file(""), None);
    let journal = "[journal]\ndirectory = \"rows\"\n";
    assert_eq!(file(journal).as_deref(), Some("rows.pacing"));
    let both = format!("{journal}[pacing]\nstate_file = \"spent\"\n");
    assert_eq!(file(&both).as_deref(), Some("spent"));
}

/// Sign-in by token, with all that belongs to it.
const BY_TOKEN: &str = r#"
[listen]
tls_certificate = "server.crt"
tls_private_key = "server.key"

[[sign_in]]
user = ["*@example.com", "etl"]
address = "10.0.0.0/8"
method = "token"

[[sign_in]]
user = "writer"
method = "scram"

[[issuers]]
name = "entra"
iss = ["https://login.example.com/tenant/v2.0", "https://sts.example.com/tenant/"]
audiences = "https://ossrdbms-aad.database.windows.net"

[[principals]]
cdf = "plant"
"#;

fn load_by_token(text: &str) -> Result<Configuration, String> {
    let text = format!("{PRINCIPALS}\n{text}");
    let directory = directory(&[
        ("penstock.toml", &text),
        ("server.crt", ""),
        ("server.key", ""),
        ("clients.crt", ""),
    ]);
    let loaded = Configuration::load_with(&directory.join("penstock.toml"), &Environment::of(&[]));
    std::fs::remove_dir_all(&directory).expect("the directory can be removed");
    loaded.map_err(|error| error.to_string())
}

#[test]
fn sign_in_by_token_is_read_with_its_defaults() {
    let loaded = load_by_token(BY_TOKEN).expect("the configuration is sound");
    assert_eq!(loaded.sign_in.len(), 2);
    let issuer = &loaded.issuers[0];
    assert_eq!(
        issuer.discovery_url(),
        "https://login.example.com/tenant/v2.0/.well-known/openid-configuration"
    );
    assert_eq!(issuer.leeway_s, 60);
    match &loaded.principals[0].target {
        CdfTarget::Stored(identity) => assert_eq!(*identity, loaded.users[0].identity),
        other => panic!("{other:?}"),
    }
    // Nobody but those who have tokens.
    let users = "[[users]]\nname = \"writer\"\npassword = \"correct horse\"\ncdf = \"plant\"\n";
    let text = format!("{PRINCIPALS}\n{BY_TOKEN}").replace(users, "");
    assert!(!text.contains("[[users]]"));
    let directory = directory(&[
        ("penstock.toml", &text),
        ("server.crt", ""),
        ("server.key", ""),
    ]);
    let file = directory.join("penstock.toml");
    let loaded = Configuration::load_with(&file, &Environment::of(&[])).expect("sound as well");
    std::fs::remove_dir_all(&directory).expect("the directory can be removed");
    assert!(loaded.users.is_empty());
}

#[test]
fn what_cannot_work_about_sign_in_is_refused_by_its_key() {
    let change = |from: &str, to: &str| {
        assert!(BY_TOKEN.contains(from), "{from}");
        BY_TOKEN.replace(from, to)
    };
    let without = |section: &str| {
        let start = BY_TOKEN.find(section).expect("the section is there");
        let end = BY_TOKEN[start..]
            .find("\n\n")
            .map_or(BY_TOKEN.len(), |end| start + end);
        format!("{}{}", &BY_TOKEN[..start], &BY_TOKEN[end..])
    };
    let own = |keys: &str| change("cdf = \"plant\"", &format!("own_token = true\n{keys}"));
    let place = "base_url = \"https://api.example.com\"\nproject = \"p\"\n";
    for (text, expected) in [
        (
            without("[[issuers]]"),
            "sign_in.0.method: there is no issuer",
        ),
        (without("[[principals]]"), "sign_in.0.method: no rule maps"),
        (
            without("[listen]"),
            "sign_in.0.method: tokens are taken over TLS only",
        ),
        (
            change("method = \"token\"", ""),
            "sign_in.0.method: the rule has no method",
        ),
        (
            change("\"token\"", "\"trust\""),
            "sign_in.0.method: unknown variant",
        ),
        (
            change("method = \"token\"", "method = \"token\"\ntls = false"),
            "sign_in.0.tls: tokens are taken over TLS only",
        ),
        (
            change(
                "method = \"token\"",
                "method = \"token\"\nissuer = \"google\"",
            ),
            "sign_in.0.issuer: there is no section [[issuers]] with the name \"google\"",
        ),
        (
            change(
                "method = \"scram\"",
                "method = \"scram\"\nissuer = \"entra\"",
            ),
            "sign_in.1.issuer: only the methods token and oauth",
        ),
        (
            change(
                "method = \"scram\"",
                "method = \"scram\"\nscope = \"openid\"",
            ),
            "sign_in.1.scope: only the method oauth",
        ),
        (
            change("\"10.0.0.0/8\"", "[\"10.0.0.0/8\", \"10.0.0.0/33\"]"),
            "sign_in.0.address: \"10.0.0.0/33\" is no address",
        ),
        (
            change(
                "\"scram\"",
                "\"scram\"\nclient_certificate = \"verify-full\"",
            ),
            "sign_in.1.client_certificate: there is no authority",
        ),
        (
            change("name = \"entra\"", ""),
            "issuers.0.name: the issuer has no name",
        ),
        (
            change("iss = [", "forms = ["),
            "issuers.0.forms: unknown field",
        ),
        (
            change(
                "iss = [\"https://login.example.com/tenant/v2.0\", \"https://sts.example.com/tenant/\"]",
                "",
            ),
            "issuers.0.iss: the issuer has no iss",
        ),
        (
            change("https://login.example.com", "http://login.example.com"),
            "issuers.0.iss: the keys would be fetched from \"http://login.example.com",
        ),
        (
            change(
                "audiences = \"https://ossrdbms-aad.database.windows.net\"",
                "",
            ),
            "issuers.0.audiences: no audience",
        ),
        (
            change(
                "name = \"entra\"",
                "name = \"entra\"\nalgorithms = [\"HS256\"]",
            ),
            "issuers.0.algorithms",
        ),
        (
            change(
                "name = \"entra\"",
                "name = \"entra\"\nalgorithms = [\"none\"]",
            ),
            "issuers.0.algorithms",
        ),
        (
            change("name = \"entra\"", "name = \"entra\"\nalgorithms = []"),
            "issuers.0.algorithms: no algorithm is allowed",
        ),
        (
            change("name = \"entra\"", "name = \"entra\"\nname_claims = []"),
            "issuers.0.name_claims: no claim names the user",
        ),
        (
            change("name = \"entra\"", "name = \"entra\"\nleeway_s = 86_400"),
            "issuers.0.leeway_s: expired tokens would count",
        ),
        (
            change(
                "name = \"entra\"",
                "name = \"entra\"\nkeys_interval_min_s = 0",
            ),
            "issuers.0.keys_interval_min_s: the value is 0",
        ),
        (
            change(
                "name = \"entra\"",
                "name = \"entra\"\njwks_url = \"https://a.b/c\"\ndiscovery_url = \"https://a.b/d\"",
            ),
            "issuers.0.jwks_url: there are two addresses",
        ),
        (
            format!(
                "{BY_TOKEN}\n[[issuers]]\nname = \"entra\"\niss = \"https://a.b\"\naudiences = \"a\""
            ),
            "issuers.1.name: the issuer \"entra\" is there twice",
        ),
        (
            format!(
                "{BY_TOKEN}\n[[issuers]]\nname = \"b\"\niss = \"https://sts.example.com/tenant/\"\naudiences = \"a\""
            ),
            "issuers.1.iss: an earlier issuer has",
        ),
        (
            change("cdf = \"plant\"", "cdf = \"plan\""),
            "principals.0.cdf: there is no section [cdf.plan]",
        ),
        (
            change("cdf = \"plant\"", ""),
            "principals.0: the rule does not say",
        ),
        (
            change(
                "cdf = \"plant\"",
                "cdf = \"plant\"\non_behalf_of = \"plant\"",
            ),
            "principals.0: the rule does not say with which credentials rows are written, or says it twice",
        ),
        (
            change("cdf = \"plant\"", "cdf = \"plant\"\nproject = \"p\""),
            "principals.0.project: the project is that of the section",
        ),
        (
            change("cdf = \"plant\"", "cdf = \"plant\"\nissuer = \"google\""),
            "principals.0.issuer: there is no section [[issuers]]",
        ),
        (
            own(place),
            "principals.0.own_token: no issuer accepts tokens that are made for CDF",
        ),
        (own(""), "principals.0.base_url: "),
        (
            format!(
                "{}\n[cdf.fixed]\nbase_url = \"https://a.b\"\nproject = \"p\"\ntoken = \"t\"",
                change("cdf = \"plant\"", "on_behalf_of = \"fixed\"")
            ),
            "principals.0.on_behalf_of: [cdf.fixed] has a fixed token",
        ),
        (
            change("[listen]", "[sign_in_failures]\nforgotten_s = 0\n[listen]"),
            "sign_in_failures.forgotten_s: the value is 0",
        ),
        (
            change("[listen]", "[timeouts]\ntoken_grace_s = 100_000\n[listen]"),
            "timeouts.token_grace_s: ",
        ),
        (
            change("[listen]", "[listen]\nsign_ins_max = 2_000"),
            "listen.sign_ins_max: more connections",
        ),
        (
            change(
                "[listen]",
                "[listen]\ntls_client_certificates = \"require\"",
            ),
            "listen.tls_client_certificates: clients must show",
        ),
        (
            change("[listen]", "[listen]\ntls_client_ca = \"absent.crt\""),
            "listen.tls_client_ca: ",
        ),
    ] {
        let error = load_by_token(&text).expect_err(&format!("must be refused: {expected}"));
        assert!(error.contains(expected), "{text}\nis refused with\n{error}");
    }
}
