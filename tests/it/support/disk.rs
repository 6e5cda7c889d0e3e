//! A small disk for one server: a tmpfs that only the calling thread and the processes that it starts can see, since it is
//! mounted in a mount namespace of theirs. So nothing stays behind, however a test ends.
//!
//! It takes root (or CAP_SYS_ADMIN): without, the tests fail and say so.

use std::ffi::CString;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// What a tmpfs gives out at least.
const PAGE: usize = 4096;

/// Mounted at a folder until it is dropped.
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts an empty disk of so many KiB at `folder`, which is made.
    pub(crate) fn mount(folder: &Path, kib: u32) -> Self {
        std::fs::create_dir_all(folder).expect("the folder of the disk");
        let size = CString::new(format!("size={kib}k,mode=700")).expect("no zero byte");
        // SAFETY: only unsharing the table of files could take a descriptor from another thread.
        let mounted = unsafe { unshare_unsafe(UnshareFlags::NEWNS) }
            .and_then(|()| mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC))
            .and_then(|()| mount("widgetd-test", folder, "tmpfs", MountFlags::empty(), size.as_c_str()));
        mounted.unwrap_or_else(|error| panic!("no tmpfs can be mounted ({error}): run this test as root"));
        Self { folder: folder.to_owned() }
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }

    /// Takes what is free but for so many KiB: 0 is a full disk.
    pub(crate) fn fill_but(&self, kib: usize) {
        let mut filler = File::create(self.filler()).expect("a file on the disk");
        let error = loop {
            if let Err(error) = filler.write_all(&[0; PAGE]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
        let length = filler.metadata().expect("a file").len();
        filler.set_len(length - kib as u64 * 1024).expect("a shorter file");
    }

    /// Fills the disk after the log was emptied, so that no commit can succeed: the space that the log keeps would serve
    /// for some.
    pub(crate) fn fill(&self) {
        // Of a server that has stopped it is empty, and whoever opened the database would take its files away at the end.
        if std::fs::metadata(self.folder.join("widgetd.db-wal")).is_ok_and(|log| log.len() > 0) {
            super::db::empty_log(&self.folder);
        }
        self.fill_but(0);
    }

    /// Gives back what was taken.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.filler()).expect("the disk is filled");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the server may still have files open there.
        let _ = unmount(&self.folder, UnmountFlags::DETACH);
    }
}
