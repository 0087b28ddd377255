//! The directory of spool files.
//!
//! Owns where files are made and how they are named until they have no name. Promises that the
//! directory can be used when it is opened, and that remains of a crash (files without content)
//! are gone then. Never touches a file that is not a spool's.

use super::SpoolError;
use super::budget::SpoolBudget;
use super::file::Spool;
use crate::journal::disk::make_directory;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Ending of the names that files have for the moment between their making and their unlinking.
const ENDING: &str = "spool";

/// Numbers the files of this process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the directory of spool files, {path}, cannot be used: {cause}")]
pub struct SpoolOpenError {
    pub path: PathBuf,
    pub cause: io::Error,
}

/// Makes spool files. Clones share the room.
#[derive(Clone, Debug)]
pub struct SpoolStore {
    directory: Arc<Path>,
    budget: SpoolBudget,
}

impl SpoolStore {
    /// Uses `directory`, which is made if it does not exist, for files of `bytes_max` bytes each
    /// and `bytes_max_total` bytes together.
    ///
    /// # Errors
    /// No file can be made there.
    pub fn open(
        directory: &Path,
        bytes_max: u64,
        bytes_max_total: u64,
    ) -> Result<Self, SpoolOpenError> {
        let store = SpoolStore {
            directory: directory.into(),
            budget: SpoolBudget::new(bytes_max, bytes_max_total),
        };
        make_directory(directory)
            .and_then(|()| sweep(directory))
            .and_then(|()| store.nameless_file())
            .map_err(|cause| SpoolOpenError {
                path: directory.to_owned(),
                cause,
            })?;
        Ok(store)
    }

    /// A file for a transaction.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn begin(&self) -> Result<Spool, SpoolError> {
        Ok(Spool::new(self.nameless_file()?, self.budget.lease()))
    }

    fn nameless_file(&self) -> io::Result<File> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}.{ENDING}", std::process::id());
        let path = self.directory.join(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        match fs::remove_file(&path) {
            // Another gateway's sweep was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(file),
            removed => removed.map(|()| file),
        }
    }
}

/// Removes what a crash between making and unlinking has left: such a file has no content.
fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_ours = path.extension().is_some_and(|ending| ending == ENDING);
        if is_ours && fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() == 0) {
            // Another gateway's may have gone by itself.
            let _ = fs::remove_file(&path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_file_has_no_name_and_remains_of_a_crash_are_swept() {
        let directory = std::env::temp_dir().join(format!("spool-store-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("the directory can be made");
        fs::write(directory.join("1-1.spool"), "").expect("writable");
        fs::write(directory.join("notes.txt"), "").expect("writable");
        let store = SpoolStore::open(&directory, 100, 100).expect("the directory can be used");
        let _spool = store.begin().expect("a file can be made");
        let names: Vec<_> = fs::read_dir(&directory)
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name())
            .collect();
        assert_eq!(names, ["notes.txt"]);
        fs::remove_dir_all(&directory).expect("removable");
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let error = SpoolStore::open(Path::new("/dev/null/spool"), 1, 1)
            .expect_err("a device holds no files");
        assert!(error.to_string().contains("/dev/null/spool"));
    }
}
