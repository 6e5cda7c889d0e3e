//! A wall clock for one server that a test sets while it runs: libfaketime, which reads the time from a file each time
//! that it is asked. Between two settings it stands still. The monotonic clock is left alone, as it is when a real clock
//! is set.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::server::Folder;

/// Goes with the folder of its file.
pub(crate) struct Clock {
    file: PathBuf,
    folder: Folder,
}

impl Clock {
    /// A clock that shows this time of day, such as "12:00:00", on the first day.
    pub(crate) fn at(time: &str) -> Self {
        let folder = Folder::new();
        let clock = Self { file: folder.path().join("time"), folder };
        clock.set(time);
        clock
    }

    /// Sets it to a time of the first day.
    pub(crate) fn set(&self, time: &str) {
        self.set_on(1, time);
    }

    /// Sets it to a time of a day, from 1 to 30. Seconds may have decimals.
    pub(crate) fn set_on(&self, day: u32, time: &str) {
        let next = self.folder.write("next", &format!("2030-06-{day:02} {time}\n"));
        // In one step: the server may read it at any moment.
        std::fs::rename(next, &self.file).expect("a file in the scratch folder");
    }

    /// What makes a server go by this clock.
    pub(crate) fn environment(&self) -> [(&str, &str); 5] {
        [
            ("LD_PRELOAD", library().to_str().expect("a path in UTF-8")),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_str().expect("a path in UTF-8")),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("TZ", "UTC"),
        ]
    }
}

/// Debian and Ubuntu have it in the folder of their architecture.
fn library() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let mut candidates = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
        candidates.find(|path| path.exists()).expect("libfaketime is missing: apt-get install libfaketime")
    })
}
