//! `penstock check` as an operator runs it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn check(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_penstock"))
        .arg("check")
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn reference() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config/penstock.toml")
        .display()
        .to_string()
}

#[test]
fn a_sound_file_is_summed_up_without_its_secrets() {
    let output = check(
        &[&reference()],
        &[
            ("PENSTOCK_WRITER_PASSWORD", "correct horse"),
            ("PENSTOCK_PLANT_CLIENT_SECRET", "battery staple"),
        ],
    );
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(shown.contains("can be used."), "{shown}");
    assert!(
        shown.contains("writer (password) writes to project my-project"),
        "{shown}"
    );
    let all = shown + &text(&output.stderr);
    assert!(!all.contains("horse") && !all.contains("staple"), "{all}");
}

#[test]
fn what_is_wrong_is_on_standard_error_with_exit_code_1() {
    let output = check(&[&reference()], &[("PENSTOCK_COPY__BATCH_ROWS", "0")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    let shown = text(&output.stderr);
    // The two secrets that are not set, and the override.
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(
        shown.contains("environment variable PENSTOCK_COPY__BATCH_ROWS: copy.batch_rows: "),
        "{shown}"
    );
    assert!(
        shown.contains("penstock.toml:27: users.0.password_env: "),
        "{shown}"
    );
}

#[test]
fn nobody_is_asked_without_online_and_somebody_with_it() {
    // Nothing listens on port 1, so asking fails and not asking does not.
    let variables = [
        ("PENSTOCK_WRITER_PASSWORD", "p"),
        ("PENSTOCK_PLANT_CLIENT_SECRET", "s"),
        ("PENSTOCK_CDF__PLANT__BASE_URL", "http://127.0.0.1:1"),
        ("PENSTOCK_CDF__PLANT__TOKEN_URL", "http://127.0.0.1:1/token"),
    ];
    assert!(check(&[&reference()], &variables).status.success());
    let output = check(&[&reference(), "--online"], &variables);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(shown.contains("user writer: "), "{shown}");
    assert!(shown.contains("http://127.0.0.1:1/token"), "{shown}");
}

/// A local CDF that knows one client, in a process that ends with the test.
struct Emulator {
    child: Child,
    cdf: String,
    token_url: String,
}

impl Emulator {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_penstock"))
            .args(["emulator", "--listen", "127.0.0.1:0"])
            .args(["--project", "my-project", "--require-token"])
            .args([
                "--client-id",
                CLIENT_ID,
                "--client-secret",
                "battery staple",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let output = child.stdout.take().expect("the output is piped");
        let mut ready = String::new();
        BufReader::new(output)
            .read_line(&mut ready)
            .expect("the ready line can be read");
        let value = |name: &str| {
            ready
                .split_whitespace()
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
                .expect("the ready line has it")
                .to_owned()
        };
        Emulator {
            cdf: value("cdf"),
            token_url: value("token_url"),
            child,
        }
    }

    fn check_online(&self, client_secret: &str, project: &str) -> Output {
        check(
            &[&reference(), "--online"],
            &[
                ("PENSTOCK_WRITER_PASSWORD", "p"),
                ("PENSTOCK_PLANT_CLIENT_SECRET", client_secret),
                ("PENSTOCK_CDF__PLANT__BASE_URL", &self.cdf),
                ("PENSTOCK_CDF__PLANT__TOKEN_URL", &self.token_url),
                ("PENSTOCK_CDF__PLANT__PROJECT", project),
            ],
        )
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The client id of the reference file.
const CLIENT_ID: &str = "00000000-0000-0000-0000-000000000000";

#[test]
fn online_asks_cdf_what_the_token_may_do() {
    let emulator = Emulator::start();
    let sound = emulator.check_online("battery staple", "my-project");
    let shown = text(&sound.stdout);
    assert!(sound.status.success(), "{}", text(&sound.stderr));
    let line = format!("writer: CDF knows the token as {CLIENT_ID} in my-project");
    assert!(
        shown.lines().any(|found| found.trim_end().ends_with(&line)),
        "{shown}"
    );

    let wrong_secret = emulator.check_online("wrong", "my-project");
    assert_eq!(wrong_secret.status.code(), Some(1));
    let shown = text(&wrong_secret.stderr);
    assert!(
        shown.contains("user writer: ") && !shown.contains("wrong"),
        "{shown}"
    );

    let wrong_project = emulator.check_online("battery staple", "other-project");
    assert_eq!(wrong_project.status.code(), Some(1));
    let shown = text(&wrong_project.stderr);
    assert!(
        shown.contains("the token does not open the project other-project; it opens: my-project."),
        "{shown}"
    );
}

/// The tenant of the local identity provider's own token address.
const TENANT: &str = "2f9d3f0c-6c5e-4e5b-9d0f-6b1a7c3e8d21";

/// A file for owners of tokens, who write as `plant`; its name tells the tests apart.
fn for_tokens(name: &str, emulator: &Emulator, issuer: &str, client_secret: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
    // A check looks only whether it is there.
    std::fs::write(path.with_extension("pem"), "").expect("the file can be written");
    let Emulator { cdf, token_url, .. } = emulator;
    let text = format!(
        r#"
[listen]
tls_certificate = "{name}.pem"
tls_private_key = "{name}.pem"

[[users]]
name = "writer"
password = "p"
cdf = "open"

[[sign_in]]
user = "*@example.com"
method = "token"

[[issuers]]
name = "entra"
iss = ["{cdf}/{TENANT}/v2.0"]
audiences = ["https://ossrdbms-aad.database.windows.net"]
{issuer}

[[principals]]
user = "*@example.com"
cdf = "plant"

[cdf.open]
base_url = "{cdf}"
project = "my-project"
token_url = "{token_url}"
client_id = "{CLIENT_ID}"
client_secret = "battery staple"

[cdf.plant]
base_url = "{cdf}"
project = "my-project"
token_url = "{token_url}"
client_id = "{CLIENT_ID}"
client_secret = "{client_secret}"
create_missing_time_series = true
"#
    );
    std::fs::write(&path, text).expect("the file can be written");
    path.display().to_string()
}

#[test]
fn online_fetches_the_keys_of_every_issuer() {
    let emulator = Emulator::start();
    let sound = for_tokens("sound", &emulator, "", "battery staple");
    let output = check(&[&sound, "--online"], &[]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        shown.contains("  online     issuer entra: keys can be fetched, 1 of them"),
        "{shown}"
    );
    let unread = "jwks_url = \"http://127.0.0.1:1/keys\"";
    let away = for_tokens("away", &emulator, unread, "battery staple");
    assert!(check(&[&away], &[]).status.success());
    let output = check(&[&away, "--online"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(
        shown.contains("issuer entra: its keys cannot be fetched: "),
        "{shown}"
    );
    // What answers there lists no keys.
    let other = format!("jwks_url = \"{}/_emulator/ready\"", emulator.cdf);
    let other = for_tokens("other", &emulator, &other, "battery staple");
    let output = check(&[&other, "--online"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(shown.contains("the answer is no JWKS document"), "{shown}");
}

#[test]
fn online_tries_the_credentials_that_owners_of_tokens_write_with() {
    let emulator = Emulator::start();
    let sound = for_tokens("principal-sound", &emulator, "", "battery staple");
    let output = check(&[&sound, "--online"], &[]);
    let shown = text(&output.stdout);
    let line =
        format!("principals *@example.com: CDF knows the token as {CLIENT_ID} in my-project");
    assert!(output.status.success() && shown.contains(&line), "{shown}");
    let wrong = for_tokens("principal-wrong", &emulator, "", "expired");
    let output = check(&[&wrong, "--online"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(
        shown.contains("principals *@example.com: ")
            && shown.contains("does not accept the client id or its secret"),
        "{shown}"
    );
    assert!(!shown.contains("user writer"), "{shown}");
}
