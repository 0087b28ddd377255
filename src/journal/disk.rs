//! The files of a journal, as the journal writes them.
//!
//! Owns the seam between the journal and the file system: tests put a disk there that is full,
//! or that fails to sync. Promises files of mode 0600 in directories of mode 0700. Never reads:
//! reading has no faults that the journal must survive by itself.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes files.
pub trait Disk: Send + Sync + 'static {
    /// A new, empty file.
    ///
    /// # Errors
    /// It exists, or cannot be made.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Makes names in a directory last: new files, and those that went.
    ///
    /// # Errors
    /// The disk's.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// A file that grows at its end.
pub trait DiskFile: Send {
    /// Appends all of `parts`.
    ///
    /// # Errors
    /// The disk's; some bytes may have been written.
    fn append(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()>;

    /// Makes what was appended last.
    ///
    /// # Errors
    /// The disk's. What was appended since the last success must then be taken as lost, also
    /// if a later call succeeds: the system may have dropped the pages.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `bytes` and goes on from there.
    ///
    /// # Errors
    /// The disk's.
    fn truncate(&mut self, bytes: u64) -> io::Result<()>;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSystem;

impl Disk for FileSystem {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Box::new(AppendFile(file)))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

struct AppendFile(File);

impl DiskFile for AppendFile {
    fn append(&mut self, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        // Slices of no bytes would read as "nothing could be written".
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match self.0.write_vectored(parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut parts, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }
}

/// Makes a directory, with those above it, for this user alone.
///
/// # Errors
/// The file system's.
pub fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Puts `bytes` in the place of the file at `path`, so that after a crash there is either the
/// old content or the new.
///
/// # Errors
/// The file system's; the old content is still there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = Path::new(&name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(new, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// Whether an error says that there is no room, which an operator or time can mend.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
