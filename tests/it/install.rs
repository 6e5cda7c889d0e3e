//! `scripts/install.sh`, as makers of packages run it: into a folder. `scripts/drill.sh` runs it on a machine of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::server::Folder;

/// An unpacked release, and the folder that it is installed into.
struct Release {
    folder: Folder,
}

impl Release {
    /// Its program is a script that gives itself this version.
    fn new(version: &str) -> Self {
        let release = Self { folder: Folder::new() };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::create_dir(release.path("deploy")).unwrap();
        fs::create_dir(release.path("installed")).unwrap();
        for file in ["scripts/install.sh", "scripts/deploy/widgetd.service", "scripts/deploy/widgetd-backup.timer"] {
            fs::copy(root.join(file), release.path(file.strip_prefix("scripts/").unwrap_or(file))).unwrap();
        }
        release.becomes(version);
        release
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn becomes(&self, version: &str) {
        let program = self.folder.write("widgetd", &format!("#!/bin/sh\necho widgetd {version}\n"));
        fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("sh");
        command.arg(self.path("install.sh")).args(arguments).env("DESTDIR", self.path("installed"));
        command.output().unwrap()
    }

    /// What it says when it has done it.
    #[track_caller]
    fn install(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn installed(&self, name: &str) -> PathBuf {
        self.path("installed").join(name)
    }

    fn version_of(&self, name: &str) -> String {
        let output = Command::new(self.installed(name)).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

#[test]
fn the_first_installation_makes_no_configuration_and_says_what_does() {
    let release = Release::new("1.0.0");
    let said = release.install(&[]);
    let start = "systemctl enable --now widgetd widgetd-backup.timer\n";
    assert!(
        said.contains("installed widgetd 1.0.0\n") && said.contains("  widgetd init\n") && said.contains(start),
        "{said}"
    );
    assert!(!release.installed("etc/widgetd/widget.toml").exists());
    // Again, before that was done.
    let said = release.install(&[]);
    assert!(said.contains("installed widgetd 1.0.0 again\n") && said.contains("  widgetd init\n"), "{said}");
    fs::write(release.installed("etc/widgetd/widget.toml"), "# mine").unwrap();
    let said = release.install(&[]);
    assert!(said.contains("installed widgetd 1.0.0 again\n") && !said.contains("Next"), "{said}");
    for (name, mode) in [
        ("etc/widgetd", 0o750),
        ("etc/widgetd/env", 0o600),
        ("var/lib/widgetd", 0o700),
        ("usr/local/bin/widgetd", 0o755),
        ("etc/systemd/system/widgetd.service", 0o644),
    ] {
        assert_eq!(fs::metadata(release.installed(name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn an_upgrade_keeps_the_configuration_the_keys_and_the_program_before_it() {
    let release = Release::new("1.0.0");
    release.install(&[]);
    fs::write(release.installed("etc/widgetd/widget.toml"), "# mine").unwrap();
    fs::write(release.installed("etc/widgetd/env"), "KEY=mine").unwrap();
    fs::write(release.installed("etc/systemd/system/widgetd.service"), "# old").unwrap();
    release.becomes("1.1.0");
    let said = release.install(&[]);
    assert!(said.contains("upgraded widgetd 1.0.0 to widgetd 1.1.0"), "{said}");
    assert_eq!(release.version_of("usr/local/bin/widgetd"), "widgetd 1.1.0");
    assert_eq!(release.version_of("usr/local/bin/widgetd.previous"), "widgetd 1.0.0");
    assert_eq!(fs::read_to_string(release.installed("etc/widgetd/widget.toml")).unwrap(), "# mine");
    assert_eq!(fs::read_to_string(release.installed("etc/widgetd/env")).unwrap(), "KEY=mine");
    let unit = fs::read_to_string(release.installed("etc/systemd/system/widgetd.service")).unwrap();
    assert!(unit.contains("Type=notify"), "{unit}");
    // Once more: the version before this one is still the other.
    release.install(&[]);
    assert_eq!(release.version_of("usr/local/bin/widgetd.previous"), "widgetd 1.0.0");
}

#[test]
fn a_service_that_was_set_up_by_hand_is_not_replaced_by_one_without_a_configuration() {
    let release = Release::new("1.0.0");
    let unit = release.installed("etc/systemd/system/widgetd.service");
    fs::create_dir_all(unit.parent().unwrap()).unwrap();
    fs::write(&unit, "# mine").unwrap();
    let output = release.run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("move your widget.toml"));
    assert_eq!(fs::read_to_string(&unit).unwrap(), "# mine");
    assert!(!release.installed("etc/widgetd").exists() && !release.installed("usr/local/bin/widgetd").exists());
}

#[test]
fn uninstalling_leaves_what_cannot_be_had_again() {
    let release = Release::new("1.0.0");
    release.install(&[]);
    fs::write(release.installed("etc/widgetd/widget.toml"), "# mine").unwrap();
    fs::write(release.installed("var/lib/widgetd/widgetd.db"), "all that was said").unwrap();
    let said = release.install(&["--uninstall"]);
    for name in ["etc/widgetd/widget.toml", "etc/widgetd/env", "var/lib/widgetd/widgetd.db"] {
        assert!(release.installed(name).exists(), "{name}");
    }
    assert!(said.contains("/var/lib/widgetd") && said.contains("/etc/widgetd"), "{said}");
    for name in ["usr/local/bin/widgetd", "etc/systemd/system/widgetd.service"] {
        assert!(!release.installed(name).exists(), "{name}");
    }
}

#[test]
fn a_release_that_is_not_whole_and_a_program_of_another_machine_are_refused_before_anything_is_done() {
    let release = Release::new("1.0.0");
    let refused = |why: &str| {
        let output = release.run(&[]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(why), "{said}");
        assert_eq!(fs::read_dir(release.path("installed")).unwrap().count(), 0);
    };
    fs::write(release.path("widgetd"), b"\x7fELF of another machine").unwrap();
    refused("does not run on this machine");
    fs::remove_file(release.path("widgetd")).unwrap();
    refused("there is no widgetd beside this script");
    assert_eq!(release.run(&["--upgrade"]).status.code(), Some(2));
}
