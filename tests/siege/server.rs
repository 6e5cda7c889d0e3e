//! What `/proc` says of the server.

use std::path::PathBuf;

pub(crate) struct Watched(PathBuf);

impl Watched {
    pub(crate) fn new(pid: u32) -> Self {
        Self(PathBuf::from(format!("/proc/{pid}")))
    }

    pub(crate) fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    /// Memory that is in use now.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Open sockets, the listening one and those to models included.
    pub(crate) fn sockets(&self) -> usize {
        let descriptors = std::fs::read_dir(self.0.join("fd")).expect("the server runs");
        let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(self.0.join("status")).expect("the server runs");
        let line = status.lines().find(|line| line.starts_with(name)).expect("a figure of that name");
        line.split_whitespace().nth(1).and_then(|figure| figure.parse().ok()).expect("a figure")
    }
}
