//! A PostgreSQL 15 of Debian's for the tests, in a directory of its own.
//!
//! Owns the server; stops and removes it at the end. PostgreSQL refuses to run as root, so root
//! hands over to the user `postgres` that Debian's package makes.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const BINARIES: &str = "/usr/lib/postgresql/15/bin";

pub struct PostgreSql {
    directory: PathBuf,
    port: u16,
    runs: bool,
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout == b"0\n"
}

/// Runs a program of PostgreSQL's; the test fails where it is not installed.
fn run(program: &str, arguments: &[&str]) {
    let path = Path::new(BINARIES).join(program);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(&path);
        command
    } else {
        Command::new(&path)
    };
    let status = command
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("Debian's package postgresql-15 is installed");
    assert!(status.success(), "{program} ended with {status}");
}

impl PostgreSql {
    pub fn start(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("penstock-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        if is_root() {
            let passwd = std::fs::read_to_string("/etc/passwd").expect("readable");
            let line = passwd
                .lines()
                .find(|line| line.starts_with("postgres:"))
                .expect("Debian's package makes the user postgres");
            let ids: Vec<u32> = line
                .split(':')
                .skip(2)
                .take(2)
                .map(|id| id.parse().expect("a number"))
                .collect();
            chown(&directory, Some(ids[0]), Some(ids[1])).expect("root may");
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let mut server = PostgreSql {
            directory,
            port,
            runs: false,
        };
        let data = server.data();
        run(
            "initdb",
            &["-D", &data, "-U", "postgres", "--auth=trust", "-E", "UTF8"],
        );
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c fsync=off",
            server.directory.display()
        );
        let log = server.directory.join("log").display().to_string();
        run(
            "pg_ctl",
            &["-D", &data, "-l", &log, "-o", &options, "-w", "start"],
        );
        server.runs = true;
        server
    }

    fn data(&self) -> String {
        self.directory.join("data").display().to_string()
    }

    /// The URL of a new, empty database.
    pub fn database(&self, name: &str) -> String {
        let port = self.port.to_string();
        run(
            "createdb",
            &["-h", "127.0.0.1", "-p", &port, "-U", "postgres", name],
        );
        format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable")
    }
}

impl PostgreSql {
    /// Ends it, with all connections.
    pub fn stop(&mut self) {
        if std::mem::take(&mut self.runs) {
            run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"]);
        }
    }
}

impl Drop for PostgreSql {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
