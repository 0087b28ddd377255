//! Gateway and sink as processes of their own, and what processes cost.
//!
//! Owns the children and the reading of /proc. Promises that a child that was started is ended
//! when its handle drops. Never shares an address space with what it measures.

use super::connection::Target;
use super::{Ack, BenchError};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Linux counts process times in hundredths of a second for every program, whatever the
/// kernel's own clock.
const TICKS_PER_SECOND: u64 = 100;

/// A process whose CPU time is measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    process_id: u32,
}

impl Measured {
    pub fn new(process_id: u32) -> Self {
        Measured { process_id }
    }

    /// This process.
    pub fn own() -> Self {
        Measured::new(std::process::id())
    }

    /// CPU time so far, user and kernel, all threads.
    ///
    /// # Errors
    /// The process is gone.
    pub fn cpu_time(&self) -> Result<Duration, BenchError> {
        let text = self.read("stat")?;
        // The name of the program is in parentheses and may hold spaces.
        let ticks = text.rsplit_once(')').and_then(|(_, rest)| {
            let mut fields = rest.split_whitespace().skip(11);
            let user: u64 = fields.next()?.parse().ok()?;
            let kernel: u64 = fields.next()?.parse().ok()?;
            Some(user + kernel)
        });
        let ticks = ticks.ok_or_else(|| self.unreadable("stat"))?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// The most memory that the process ever had resident, in bytes.
    ///
    /// # Errors
    /// The process is gone.
    pub fn resident_bytes_peak(&self) -> Result<u64, BenchError> {
        let text = self.read("status")?;
        text.lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|value| value.trim().strip_suffix(" kB"))
            .and_then(|value| value.trim().parse::<u64>().ok())
            .map(|kibibytes| kibibytes * 1024)
            .ok_or_else(|| self.unreadable("status"))
    }

    fn read(&self, name: &str) -> Result<String, BenchError> {
        let path = format!("/proc/{}/{name}", self.process_id);
        fs::read_to_string(&path).map_err(BenchError::io(path))
    }

    fn unreadable(&self, name: &str) -> BenchError {
        BenchError::Answer(format!(
            "/proc/{}/{name} does not look as expected",
            self.process_id
        ))
    }
}

/// A child of our own binary.
struct Subprocess {
    child: Child,
    /// Kept open: a program whose standard output is closed may end by that.
    _output: Option<BufReader<ChildStdout>>,
    /// What stands behind "ready" in its ready line.
    ready: String,
}

impl Subprocess {
    fn start(arguments: &[&str]) -> Result<Self, BenchError> {
        let program = std::env::current_exe().map_err(BenchError::io("finding this program"))?;
        let name = arguments.first().copied().unwrap_or_default();
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(BenchError::io(format!("starting {name}")))?;
        let mut line = String::new();
        let mut output = child.stdout.take().map(BufReader::new);
        let read = match &mut output {
            Some(output) => output.read_line(&mut line),
            None => Ok(0),
        };
        let mut started = Subprocess {
            child,
            _output: output,
            ready: String::new(),
        };
        read.map_err(BenchError::io(format!("waiting for {name}")))?;
        match line.trim().split_once(" ready ") {
            Some((_, ready)) => {
                started.ready = ready.to_owned();
                Ok(started)
            }
            None => Err(BenchError::Answer(format!(
                "penstock {name} did not start; it said what is wrong above"
            ))),
        }
    }

    /// The value of `name=` in the ready line.
    fn value(&self, name: &str) -> Result<String, BenchError> {
        self.ready
            .split(' ')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
            .ok_or_else(|| BenchError::Answer(format!("no {name} in \"{}\"", self.ready)))
    }
}

impl Drop for Subprocess {
    fn drop(&mut self) {
        // Nothing is lost: every row was answered for, or the test failed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A sink and a gateway in front of it.
pub struct Pair {
    // Fields drop in this order: the gateway first, so that it never misses its sink.
    gateway: Subprocess,
    sink: Subprocess,
    _configuration: TemporaryFile,
    _journal: Option<TemporaryDirectory>,
}

impl Pair {
    /// Starts both on free ports. The gateway takes `PENSTOCK_…` overrides from the
    /// environment, as always.
    ///
    /// # Errors
    /// One of them does not start.
    pub fn start(
        ack: Option<Ack>,
        journal: Option<&Path>,
        unpaced: bool,
    ) -> Result<Self, BenchError> {
        let journal = match (ack, journal) {
            (_, Some(directory)) => Some(TemporaryDirectory::create(directory.to_owned())?),
            (Some(Ack::Journaled), None) => {
                let name = format!("penstock-bench-{}.journal", std::process::id());
                Some(TemporaryDirectory::create(std::env::temp_dir().join(name))?)
            }
            _ => None,
        };
        let sink = Subprocess::start(&["emulator", "--sink", "--listen", "127.0.0.1:0"])?;
        let configuration = TemporaryFile::create(&configuration(
            &sink.value("cdf")?,
            journal.as_ref().map(|journal| journal.path.as_path()),
            unpaced,
        ))?;
        let path = configuration.path.display().to_string();
        let gateway = Subprocess::start(&["serve", &path])?;
        Ok(Pair {
            gateway,
            sink,
            _configuration: configuration,
            _journal: journal,
        })
    }

    /// Where the gateway takes rows.
    ///
    /// # Errors
    /// The gateway did not say.
    pub fn target(&self) -> Result<Target, BenchError> {
        Ok(Target {
            address: self.gateway.value("postgres")?,
            user: "bench".to_owned(),
            password: "bench".to_owned(),
            database: "bench".to_owned(),
        })
    }

    /// Address of the sink.
    ///
    /// # Errors
    /// The sink did not say.
    pub fn sink_url(&self) -> Result<String, BenchError> {
        self.sink.value("cdf")
    }

    pub fn gateway(&self) -> Measured {
        Measured::new(self.gateway.child.id())
    }

    pub fn sink(&self) -> Measured {
        Measured::new(self.sink.child.id())
    }
}

/// Without the rates of CDF that would be all that is measured.
const UNPACED: &str = "
[limits.raw_rows]
bytes_per_window = 0
window_s = 0
[limits.raw_rows.project]
bytes_per_window = 0
[limits.assets]
requests_per_s = 0
[limits.assets.project]
requests_per_s = 0
[limits.events]
requests_per_s = 0
[limits.events.project]
requests_per_s = 0
";

/// Defaults, few logs, and one user who writes with a token that the sink takes as it is.
fn configuration(cdf_url: &str, journal: Option<&Path>, unpaced: bool) -> String {
    let limits = if unpaced { UNPACED } else { "" };
    let journal = journal.map_or(String::new(), |journal| {
        format!("[journal]\ndirectory = '{}'\n", journal.display())
    });
    format!(
        r#"[listen]
postgres = "127.0.0.1:0"
http = "127.0.0.1:0"
[logs]
filter = "warn"
[[users]]
name = "bench"
password = "bench"
cdf = "sink"
[cdf.sink]
base_url = "{cdf_url}"
project = "bench"
token = "bench"
{limits}{journal}"#
    )
}

/// A file that goes away with its handle.
struct TemporaryFile {
    path: PathBuf,
}

impl TemporaryFile {
    fn create(text: &str) -> Result<Self, BenchError> {
        let path = std::env::temp_dir().join(format!("penstock-bench-{}.toml", std::process::id()));
        let mut file = new_file(&path).map_err(BenchError::io(path.display().to_string()))?;
        let created = TemporaryFile { path };
        file.write_all(text.as_bytes())
            .map_err(BenchError::io(created.path.display().to_string()))?;
        Ok(created)
    }
}

/// A directory that goes away with its handle.
struct TemporaryDirectory {
    path: PathBuf,
}

impl TemporaryDirectory {
    /// Must not be there yet: what is in it goes.
    fn create(path: PathBuf) -> Result<Self, BenchError> {
        fs::create_dir(&path).map_err(BenchError::io(path.display().to_string()))?;
        let path = path
            .canonicalize()
            .map_err(BenchError::io(path.display().to_string()))?;
        Ok(TemporaryDirectory { path })
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A file that was not there before: nobody can have put a link in its place.
fn new_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Configuration, Environment};

    #[test]
    fn the_cpu_time_of_a_process_grows_with_its_work() {
        let own = Measured::own();
        let before = own.cpu_time().expect("this process is there");
        let mut sum = 0_u64;
        while own.cpu_time().expect("this process is there") == before {
            sum = (0..1_000_000).fold(sum, |sum, number| std::hint::black_box(sum ^ number));
        }
        assert!(own.resident_bytes_peak().expect("this process is there") > 1 << 20);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(Measured::new(u32::MAX).cpu_time().is_err());
    }

    #[test]
    fn the_configuration_of_the_gateway_is_sound() {
        let file = TemporaryFile::create(&configuration("http://127.0.0.1:8010", None, false))
            .expect("the file can be written");
        let loaded = Configuration::load_with(&file.path, &Environment::default());
        assert!(loaded.is_ok(), "{loaded:?}");
        let path = file.path.clone();
        drop(file);
        assert!(!path.exists());
    }
}
