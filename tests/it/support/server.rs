//! The real binary in a folder of its own. Its address is read from what it prints, and what it prints is shown when a
//! test fails.

use std::collections::HashSet;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use super::CEILING;
use super::tokens::SECRET;

/// A folder that goes when the test does.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a scratch folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file in the scratch folder");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_widgetd");

/// `widgetd` with none of this shell's settings.
pub(crate) fn widgetd() -> Command {
    widgetd_under(&[])
}

/// As [`widgetd`], started by another program, such as `prlimit --nofile=256`, that becomes it.
fn widgetd_under(launcher: &[String]) -> Command {
    let mut command = match launcher {
        [] => Command::new(BINARY),
        [program, words @ ..] => {
            let mut command = Command::new(program);
            command.args(words).arg(BINARY);
            command
        }
    };
    for name in ["CONFIG", "LISTEN", "DATA", "LOG"] {
        command.env_remove(format!("WIDGETD_{name}"));
    }
    command.env("WIDGETD_JWT_SECRET", SECRET);
    command
}

/// A running `widgetd serve`.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    output: Arc<Output>,
    folder: Arc<Folder>,
    launch: Launch,
}

/// How it is started, and started again.
#[derive(Clone, Debug, Default)]
struct Launch {
    launcher: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Server {
    /// Serves `config` from a new folder, with more variables of the environment.
    pub(crate) fn start(config: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_in(Folder::new(), config, environment)
    }

    /// As [`Server::start`], from a folder that was prepared.
    pub(crate) fn start_in(folder: Folder, config: &str, environment: &[(&str, &str)]) -> Self {
        folder.write("widget.toml", config);
        Self::serve(Arc::new(folder), Launch { environment: owned(environment), ..Launch::default() })
    }

    /// Serves `config` from a new folder; `launcher` is a command that ends in becoming the one that follows it.
    pub(crate) fn start_under(launcher: &[&str], config: &str) -> Self {
        let folder = Folder::new();
        folder.write("widget.toml", config);
        // The launcher may change the user.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("the folder is ours");
        let launcher = launcher.iter().map(|&word| word.to_owned()).collect();
        Self::serve(Arc::new(folder), Launch { launcher, ..Launch::default() })
    }

    /// The arguments with which it serves from this folder.
    fn command(folder: &Folder, launch: &Launch) -> Command {
        let mut command = widgetd_under(&launch.launcher);
        command.arg("serve").arg("--config").arg(folder.path().join("widget.toml"));
        command.args(["--listen", "127.0.0.1:0"]).arg("--data").arg(folder.path().join("data"));
        for (name, value) in &launch.environment {
            // An empty one is none.
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        command
    }

    /// Starts again from the same folder, where it is expected to fail.
    pub(crate) fn run_to_its_end(&self) -> std::process::Output {
        Self::command(&self.folder, &self.launch).output().expect("widgetd starts")
    }

    fn serve(folder: Arc<Folder>, launch: Launch) -> Self {
        let mut child = Self::command(&folder, &launch)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("widgetd starts");
        let output = Arc::new(Output::default());
        output.keep(child.stdout.take().expect("piped"));
        output.keep(child.stderr.take().expect("piped"));
        let address = output
            .wait_for(|line| {
                line.split_once("listening on http://").map(|(_, rest)| rest.trim_end_matches('/').to_owned())
            })
            .and_then(|address| address.split_whitespace().next()?.trim_end_matches('/').parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("widgetd did not start:\n{}", output.text());
        };
        Self { child, address, output, folder, launch }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its threads, now.
    pub(crate) fn threads(&self) -> usize {
        self.count("task")
    }

    /// Its open descriptors, now.
    pub(crate) fn descriptors(&self) -> usize {
        self.count("fd")
    }

    /// Connections of clients that it has accepted and not closed, now.
    pub(crate) fn connections(&self) -> usize {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("a running process");
        let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        let own: HashSet<_> = targets.map(|target| target.to_string_lossy().into_owned()).collect();
        let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", self.pid())).expect("a running process");
        let port = format!(":{:04X}", self.address.port());
        let sockets = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        sockets
            .filter(|fields| fields[1].ends_with(&port) && !fields[2].ends_with(":0000"))
            .filter(|fields| own.contains(&format!("socket:[{}]", fields[9])))
            .count()
    }

    fn count(&self, what: &str) -> usize {
        std::fs::read_dir(format!("/proc/{}/{what}", self.pid())).expect("a running process").count()
    }

    /// A figure of `/proc/PID/status`, such as `VmRSS`, in KiB.
    pub(crate) fn memory_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a running process");
        let line = status.lines().find(|line| line.starts_with(name)).expect("a figure of that name");
        line.split_whitespace().nth(1).and_then(|figure| figure.parse().ok()).expect("a figure")
    }

    /// Sets how much the running process may have of something.
    pub(crate) fn limit(&self, resource: Resource, most: usize) {
        let most = u64::try_from(most).ok();
        let limit = Rlimit { current: most, maximum: most };
        prlimit(Some(self.process()), resource, limit).expect("a limit that is no higher");
    }

    /// What it printed until now, on both of its outputs.
    pub(crate) fn printed(&self) -> String {
        self.output.text()
    }

    /// Waits for a line that contains `text`.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, text: &str) -> String {
        self.output
            .wait_for(|line| line.contains(text).then(|| line.to_owned()))
            .unwrap_or_else(|| panic!("no line with {text:?}"))
    }

    fn process(&self) -> Pid {
        Pid::from_raw(self.pid().cast_signed()).expect("a process id")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).expect("a running process");
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        assert!(self.output.wait_for_end(), "widgetd is still running");
        self.child.wait().expect("an exit status")
    }

    /// Kills it as a power cut would, and serves again from the same folder.
    pub(crate) fn kill_and_restart(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
        self.start_again();
    }

    /// Starts it again and kills it after so long, however far it has come.
    pub(crate) fn start_and_kill(&self, after: Duration) {
        let mut command = Self::command(&self.folder, &self.launch);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("widgetd starts");
        std::thread::sleep(after);
        child.kill().expect("a child");
        child.wait().expect("an exit status");
    }

    /// Serves again from the same folder, after its end.
    pub(crate) fn start_again(&mut self) {
        let next = Self::serve(self.folder.clone(), self.launch.clone());
        drop(std::mem::replace(self, next));
    }

    /// As [`Server::start_again`], with other variables of the environment.
    pub(crate) fn start_again_with(&mut self, environment: &[(&str, &str)]) {
        self.launch.environment = owned(environment);
        self.start_again();
    }

    /// Replaces `widget.toml` and sends SIGHUP.
    pub(crate) fn reload(&self, config: &str) {
        self.folder.write("widget.toml", config);
        self.signal(Signal::HUP);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let config = std::fs::read_to_string(self.folder.path().join("widget.toml")).unwrap_or_default();
            eprintln!("--- widget.toml\n{config}\n--- widgetd on {}\n{}---", self.address, self.output.text());
        }
    }
}

fn owned(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The lines of both outputs, as they come.
#[derive(Default)]
struct Output {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    open: u8,
}

impl Output {
    fn keep(self: &Arc<Self>, pipe: impl Read + Send + 'static) {
        self.state.lock().expect("no panic under this lock").open += 1;
        let output = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                output.state.lock().expect("no panic under this lock").lines.push(line);
                output.changed.notify_all();
            }
            output.state.lock().expect("no panic under this lock").open -= 1;
            output.changed.notify_all();
        });
    }

    /// What `find` makes of the first line that it likes; none if the process ended without one.
    fn wait_for<T>(&self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + CEILING;
        let mut state = self.state.lock().expect("no panic under this lock");
        loop {
            let found = state.lines.iter().find_map(|line| find(line));
            let left = deadline.saturating_duration_since(Instant::now());
            if found.is_some() || state.open == 0 || left.is_zero() {
                return found;
            }
            state = self.changed.wait_timeout(state, left).expect("no panic under this lock").0;
        }
    }

    fn wait_for_end(&self) -> bool {
        let state = self.state.lock().expect("no panic under this lock");
        let (state, _) =
            self.changed.wait_timeout_while(state, CEILING, |state| state.open > 0).expect("no panic under this lock");
        state.open == 0
    }

    fn text(&self) -> String {
        self.state.lock().expect("no panic under this lock").lines.join("\n")
    }
}
