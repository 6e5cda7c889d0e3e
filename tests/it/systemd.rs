//! What a service manager hears: systemd's protocol (sd_notify(3)), on a socket that the test reads.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::Signal;

use crate::support::server::Folder;
use crate::support::site::Site;
use crate::support::{CEILING, wait_until};

/// After so long without a word, the manager of these tests would restart the server.
const WATCHDOG: Duration = Duration::from_secs(1);

struct Manager {
    socket: UnixDatagram,
    folder: Folder,
}

impl Manager {
    fn new() -> Self {
        let folder = Folder::new();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { socket, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// A server that was told of this manager.
    fn site(&self) -> Site {
        let (path, patience) = (self.path(), WATCHDOG.as_micros().to_string());
        let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", &patience)];
        Site::with_environment(&environment, |_| {})
    }

    /// The next message; none if that takes longer.
    fn next_within(&self, time: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut buffer = [0; 4096];
        match self.socket.recv(&mut buffer) {
            Ok(bytes) => Some(String::from_utf8(buffer[..bytes].to_vec()).unwrap()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// The next message that has this line, whatever comes before it.
    #[track_caller]
    fn expect(&self, line: &str) -> String {
        loop {
            let message = self.next_within(CEILING).unwrap_or_else(|| panic!("{line} was never said"));
            if message.lines().any(|it| it == line) {
                return message;
            }
        }
    }
}

#[test]
fn a_service_manager_hears_of_start_reload_and_stop() {
    let manager = Manager::new();
    let mut site = manager.site();
    let serving = format!("STATUS=Serving 2 agents on http://{}/", site.address());
    assert_eq!(manager.expect("READY=1").lines().nth(1), Some(serving.as_str()));
    site.get("/readyz").expect(200);

    site.reload(|config| {
        config.remove_agent("other");
    });
    let reloading = manager.expect("RELOADING=1");
    assert!(reloading.contains("\nMONOTONIC_USEC="), "systemd 253 and later want it: {reloading}");
    let serving = serving.replace("2 agents", "1 agent");
    assert_eq!(manager.expect("READY=1").lines().nth(1), Some(serving.as_str()));

    site.server.reload("this is no TOML");
    manager.expect("RELOADING=1");
    let refused = format!("{serving}; widget.toml was not reloaded, see the log");
    assert_eq!(manager.expect("READY=1").lines().nth(1), Some(refused.as_str()));

    site.server.signal(Signal::TERM);
    assert!(manager.expect("STOPPING=1").contains("STATUS=Stopping: "));
    assert_eq!(site.server.wait().code(), Some(0));
}

#[test]
fn the_watchdog_hears_from_a_server_that_serves_and_from_one_that_waits_for_its_last_answer() {
    let manager = Manager::new();
    let site = manager.site();
    for _ in 0..3 {
        manager.expect("WATCHDOG=1");
    }
    site.model.will_hang_after(&["Half an "]);
    let mut stream = site.init("demo").open("Hello");
    for name in ["start", "token"] {
        stream.expect(name);
    }
    site.server.signal(Signal::TERM);
    manager.expect("STOPPING=1");
    manager.expect("WATCHDOG=1");
}

/// The writing end, so full that nobody can write more; and the reading end, which empties it.
fn full_pipe(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(i32::try_from(OFlags::NONBLOCK.bits()).unwrap());
    let mut pipe = options.open(path).unwrap();
    for bytes in [4096, 1] {
        while pipe.write(&[b'\n'; 4096][..bytes]).is_ok() {}
    }
    pipe
}

#[test]
fn the_watchdog_hears_nothing_from_a_server_whose_intake_hangs() {
    let manager = Manager::new();
    // The intake logs what it refuses: a log that nobody reads holds it up.
    let log = manager.folder.path().join("log");
    mknodat(CWD, &log, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut reader = OpenOptions::new().read(true).write(true).open(&log).unwrap();
    let socket = format!("NOTIFY_SOCKET={}", manager.path().display());
    let patience = format!("WATCHDOG_USEC={}", WATCHDOG.as_micros());
    let into_log = ["sh", "-c", "exec \"$@\" 2>\"$0\"", log.to_str().unwrap()];
    let launcher: Vec<_> = ["env", "WIDGETD_LOG=debug", &socket, &patience].into_iter().chain(into_log).collect();
    let site = Site::under(&launcher, |_| {});
    manager.expect("WATCHDOG=1");

    let pipe = full_pipe(&log);
    site.connect().send_raw(b"this is no HTTP\r\n\r\n").unwrap();
    wait_until("the intake hangs, and the watchdog hears nothing", || manager.next_within(WATCHDOG).is_none());

    drop(pipe);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while reader.read(&mut buffer).is_ok_and(|bytes| bytes > 0) {}
    });
    manager.expect("WATCHDOG=1");
    site.get("/healthz").expect(200);
}
