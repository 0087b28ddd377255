//! The files of a gateway's engines, in one directory.
//!
//! Owns that directory: what all engines unpack once, what new ones begin with, and a directory
//! for each. Promises that only the gateway's own user can enter it, that it goes with the last
//! engine in it, and that what an earlier gateway left behind is removed. Never knows what is in
//! the files.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// How names of directories begin; then comes the process id of the gateway, and a number.
const DIRECTORY_PREFIX: &str = "penstock-engine-";

/// Most bytes of a socket's name, by the system; and of what comes after a directory of ours.
const SOCKET_NAME_MAX: usize = 107;
const SOCKET_NAME_REST: usize = "/4294967295/socket".len();

/// The directory of all engines of one gateway; removed when nobody uses it any more.
#[derive(Debug)]
pub struct EngineFiles {
    root: PathBuf,
    next: AtomicU64,
    /// Dropped once all is removed, after the body of `drop`.
    gone: watch::Sender<()>,
    /// Held so that cleaners of temporary directories leave it alone, however old its files get.
    _locked: File,
}

impl EngineFiles {
    /// Makes the directory in `parent`.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(parent: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        sweep(parent);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{DIRECTORY_PREFIX}{}-{number}", std::process::id());
        let root = parent.join(name);
        let bytes = root.as_os_str().len() + SOCKET_NAME_REST;
        if bytes > SOCKET_NAME_MAX {
            return Err(io::Error::other(format!(
                "the name of engine.directory is too long for sockets in it, by {} bytes",
                bytes - SOCKET_NAME_MAX
            )));
        }
        make_private(&root)?;
        let locked = File::open(&root)?;
        locked.lock_shared()?;
        let files = EngineFiles {
            root,
            next: AtomicU64::new(0),
            gone: watch::Sender::new(()),
            _locked: locked,
        };
        make_private(&files.unpacked())?;
        Ok(files)
    }

    /// Ends once nobody uses the directory any more and it is removed.
    pub fn removed(&self) -> impl Future<Output = ()> + use<> {
        let mut gone = self.gone.subscribe();
        async move {
            // Nothing is ever sent: it ends with the sender.
            while gone.changed().await.is_ok() {}
        }
    }

    /// What an engine's program unpacks of itself, which is the same for all.
    pub fn unpacked(&self) -> PathBuf {
        self.root.join("unpacked")
    }

    /// A file that nobody else can open, and that goes when it is closed.
    ///
    /// # Errors
    /// What the system says.
    pub fn nameless_file(&self) -> io::Result<File> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(number.to_string());
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).mode(0o600);
        let file = file.open(&path)?;
        fs::remove_file(&path)?;
        Ok(file)
    }

    /// A new directory for an engine.
    ///
    /// # Errors
    /// What the system says.
    pub fn new_directory(&self) -> io::Result<PathBuf> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let directory = self.root.join(number.to_string());
        make_private(&directory)?;
        Ok(directory)
    }
}

impl Drop for EngineFiles {
    fn drop(&mut self) {
        remove(&self.root);
    }
}

/// Copies a directory with all that is in it; `to` must not exist.
///
/// # Errors
/// What the system says; part of the copy may be there then.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    make_private(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Removes a directory; says so in the log if it cannot.
pub fn remove(directory: &Path) {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(directory = %directory.display(), %error, "an engine's files stay behind");
        }
        _ => {}
    }
}

/// A directory that only this user of the machine can enter.
fn make_private(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(directory)
}

/// Removes what gateways left that are no more.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let gateway = name
            .to_str()
            .and_then(|name| name.strip_prefix(DIRECTORY_PREFIX))
            .and_then(|rest| rest.split('-').next())
            .and_then(|process_id| process_id.parse::<u32>().ok());
        if gateway.is_some_and(|process_id| !Path::new(&format!("/proc/{process_id}")).exists()) {
            remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of a test, removed with it.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("penstock-{name}-{}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            fs::create_dir_all(&directory).expect("writable");
            Scratch(directory)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            remove(&self.0);
        }
    }

    #[test]
    fn a_copy_has_what_the_original_has() {
        let parent = Scratch::new("files-copied");
        let files = EngineFiles::make(&parent.0).expect("it can be made");
        let from = files.new_directory().expect("it can be made");
        fs::create_dir(from.join("base")).expect("writable");
        fs::write(from.join("base/1259"), b"rows").expect("writable");
        let to = parent.0.join("copy");
        copy(&from, &to).expect("it can be copied");
        assert_eq!(fs::read(to.join("base/1259")).expect("readable"), b"rows");
        copy(&from, &to).expect_err("it is there already");
    }

    #[test]
    fn nothing_stays_behind_of_a_gateway_that_is_gone() {
        let parent = Scratch::new("files-swept");
        // No process has this id: it is beyond the bound of Linux.
        let left = parent.0.join(format!("{DIRECTORY_PREFIX}4194999-0"));
        fs::create_dir_all(left.join("unpacked")).expect("writable");
        let foreign = parent.0.join("penstock-state");
        fs::create_dir(&foreign).expect("writable");
        let files = EngineFiles::make(&parent.0).expect("it can be made");
        assert!(!left.exists());
        assert!(foreign.exists());
        let directory = files.new_directory().expect("it can be made");
        assert!(directory.exists());
        drop(files);
        assert!(!directory.exists());
    }
}
