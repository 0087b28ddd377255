//! A disk that can be filled.
//!
//! Owns a small file system of its own where the system lets us mount one, and a plain
//! directory elsewhere. Promises to unmount it. Never touches the files of others on it.

use anyhow::Context;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Bytes of the small disk: the journal's bound and some more.
const DISK_BYTES: u64 = 48 << 20;

pub struct Disk {
    root: PathBuf,
    is_small: bool,
}

impl Disk {
    /// A disk at `root`.
    pub fn new(root: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={DISK_BYTES}"))
            .arg("tmpfs")
            .arg(root)
            .stderr(Stdio::null())
            .status();
        Ok(Disk {
            root: root.to_owned(),
            is_small: mounted.is_ok_and(|status| status.success()),
        })
    }

    /// Whether it can be filled.
    pub fn is_small(&self) -> bool {
        self.is_small
    }

    fn ballast(&self) -> PathBuf {
        self.root.join("ballast")
    }

    /// Takes every byte that is left.
    pub fn fill(&mut self) -> anyhow::Result<()> {
        let mut file = File::create(self.ballast())?;
        let mut block = vec![0; 1 << 20];
        while !block.is_empty() {
            match file.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    // The rest may still fit less.
                    block.truncate(block.len() / 2);
                }
                Err(error) => return Err(error).context("the disk cannot be filled"),
            }
        }
        Ok(())
    }

    /// Gives the bytes back.
    pub fn empty(&mut self) -> anyhow::Result<()> {
        match std::fs::remove_file(self.ballast()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_small {
            // Lazily: a process that has just been killed may still hold a file.
            let _ = Command::new("umount").arg("-l").arg(&self.root).status();
        }
    }
}
