//! Files that a person keeps: written whole or not at all, never over something by mistake.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Puts `text` in the place of the file at `path`, with its mode and its owner. If that is a link, it is the file it leads to.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = path.canonicalize()?;
    let old = target.metadata()?;
    write_beside(&target, text, |file| {
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            fchown(file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(PermissionsExt::from_mode(old.mode() & 0o7777))
    })
}

/// Makes the file at `path`, with mode 0600, or 0640 for the group of this id. One that is there is an error, unless it is to be
/// `overwrite`n.
pub(super) fn create(path: &Path, text: &str, group: Option<u32>, overwrite: bool) -> io::Result<()> {
    if !overwrite {
        // Takes the name, so that nobody else can from here on.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    }
    let written = write_beside(path, text, |file| match group {
        Some(group) => {
            fchown(file, None, Some(group))?;
            file.set_permissions(PermissionsExt::from_mode(0o640))
        }
        None => Ok(()),
    });
    if written.is_err() && !overwrite {
        let _ = std::fs::remove_file(path);
    }
    written
}

/// Writes a file beside its place, lets `prepare` set who may read it, and moves it there once it is on the disk.
fn write_beside(path: &Path, text: &str, prepare: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let unfinished = unfinished(path)?;
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        prepare(&file)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)
    };
    let written = write();
    if written.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}

/// A hidden name beside it, of this process alone.
pub(super) fn unfinished(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(hidden))
}

/// The id of the group `widgetd`, which a server that was installed runs as.
pub(super) fn server_group() -> Option<u32> {
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    let line = groups.lines().find_map(|line| line.strip_prefix("widgetd:"))?;
    line.split(':').nth(1)?.parse().ok()
}
