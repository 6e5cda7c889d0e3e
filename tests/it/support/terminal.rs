//! A terminal at which a person sits: the program sees one, and the test types and reads.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::CEILING;

pub(crate) struct Terminal {
    screen: File,
    child: Child,
    seen: String,
    /// How much of it was waited for already.
    read: usize,
}

impl Terminal {
    pub(crate) fn start(command: &mut Command) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&screen).expect("a terminal of ours");
        unlockpt(&screen).expect("a terminal of ours");
        let name = ptsname(&screen, Vec::new()).expect("its name");
        let open = || OpenOptions::new().read(true).write(true).open(name.to_str().expect("a path")).expect("its end");
        let child = command.stdin(open()).stdout(open()).stderr(open()).spawn().expect("widgetd starts");
        // The command would hold the other end open, and its end would never be seen.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { screen: screen.into(), child, seen: String::new(), read: 0 }
    }

    /// Waits until `text` is shown, behind what was waited for before, and answers it with a line.
    #[track_caller]
    pub(crate) fn answer(&mut self, text: &str, line: &str) {
        self.wait_for(text);
        writeln!(self.screen, "{line}").expect("somebody listens");
    }

    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            if let Some(at) = self.seen[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            assert!(self.read_more(), "{text:?} is not shown after {:?} in\n{}", &self.seen[..self.read], self.seen);
        }
    }

    /// All that was shown until the program ended, and how it did.
    pub(crate) fn finish(mut self) -> (Option<i32>, String) {
        while self.read_more() {}
        (self.child.wait().expect("an exit status").code(), self.seen.replace("\r\n", "\n"))
    }

    /// False at the end, when nobody has the other end open.
    fn read_more(&mut self) -> bool {
        let left = Timespec::try_from(CEILING).expect("a few seconds");
        let is_ready = poll(&mut [PollFd::new(&self.screen, PollFlags::IN)], Some(&left)).expect("a terminal");
        assert!(is_ready > 0, "nothing more is shown after\n{}", self.seen);
        let mut bytes = [0; 4096];
        let count = self.screen.read(&mut bytes).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
