//! The first five minutes: `widgetd init`, from flags and at a terminal, and where the configuration is found.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Output};

use crate::support::server::{BINARY, Folder, Server, widgetd};
use crate::support::terminal::Terminal;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn run(folder: &Folder, arguments: &[&str]) -> Output {
    widgetd().current_dir(folder.path()).args(arguments).env("SET_KEY", "k").output().unwrap()
}

fn written(folder: &Folder) -> String {
    std::fs::read_to_string(folder.path().join("widget.toml")).unwrap()
}

/// Every flag, in every combination with the others that it may have.
#[test]
fn whatever_the_flags_are_the_file_passes_check() {
    let folder = Folder::new();
    let key = folder.write("model.key", "k");
    std::fs::set_permissions(key, PermissionsExt::from_mode(0o600)).unwrap();
    let sites: [&[&str]; 4] = [
        &["--site", "https://www.acme.example/shop?a=b"],
        &["--site", "acme.example", "--no-twin"],
        &["--site", "http://localhost:3000", "--site", "https://bücher.example"],
        &["--site", "http://[::1]:3000"],
    ];
    let addresses: [&[&str]; 5] = [
        &[],
        &["--public-url", "https://chat.acme.example"],
        &["--public-url", "https://chat.acme.example/", "--proxy", "10.0.0.0/8"],
        &["--public-url", "http://chat.acme.example:8090", "--proxy", "none"],
        &["--listen", "127.0.0.1:8099", "--proxy", "::1"],
    ];
    let models: [&[&str]; 4] = [
        &[],
        &["--model-url", "http://127.0.0.1:8000/v1", "--model", "qwen3-8b"],
        &["--model-url", "https://api.openai.com/v1", "--model", "openai/gpt \"x\"", "--key-env", "SET_KEY"],
        &["--model-url", "https://api.example.com/v1", "--model", "m", "--key-file", "model.key"],
    ];
    let looks: [&[&str]; 3] = [
        &[],
        &["--name", "Ada's \"kites\" \\ 🪁", "--agent", "kites-2", "--language", "ar-EG"],
        &["--name", "C:\\new", "--language", "tlh", "--folder", "a \"b\" \\c"],
    ];
    for site in sites {
        for address in addresses {
            for model in models {
                for look in looks {
                    let flags = [&["init", "--force", "--yes"][..], site, address, model, look].concat();
                    let output = run(&folder, &flags);
                    assert_eq!(output.status.code(), Some(0), "{flags:?}\n{}", text(&output.stderr));
                    let check = run(&folder, &["check"]);
                    assert_eq!(
                        check.status.code(),
                        Some(0),
                        "{flags:?}\n{}\n{}",
                        text(&check.stderr),
                        written(&folder)
                    );
                }
            }
        }
    }
}

#[test]
fn until_it_is_on_the_web_its_own_page_shows_the_agent() {
    for (flags, own) in [
        (&["--listen", "127.0.0.1:8099"][..], true),
        (&["--listen", "0.0.0.0:8099"], false),
        (&["--public-url", "https://chat.acme.example"], false),
    ] {
        let folder = Folder::new();
        let told = text(&run(&folder, &[&["init", "--site", "https://acme.example"], flags].concat()).stdout);
        assert_eq!(told.contains("in a browser on this machine: http://127.0.0.1:8099/\n"), own, "{told}");
        assert_eq!(written(&folder).contains("\"https://www.acme.example\", \"self\"]"), own, "{}", written(&folder));
    }
}

#[test]
fn a_proxy_on_this_machine_is_suggested_as_the_server_sees_it() {
    for (listen, proxy) in [("127.0.0.1:8099", "127.0.0.1"), ("[::1]:8099", "::1")] {
        let folder = Folder::new();
        let flags = ["init", "--site", "https://acme.example", "--public-url", "https://chat.acme.example"];
        run(&folder, &[&flags[..], &["--listen", listen]].concat());
        assert!(written(&folder).contains(&format!("\ntrusted_proxies = [\"{proxy}\"]\n")), "{}", written(&folder));
    }
}

#[test]
fn the_file_that_it_writes_says_what_the_flags_said() {
    let folder = Folder::new();
    let flags = ["init", "--site", "https://acme.example", "--name", "Ada", "--language", "de"];
    let output = run(&folder, &[&flags[..], &["--public-url", "https://chat.acme.example"]].concat());
    let told = text(&output.stdout);
    for words in [
        "widgetd import-faq",
        "widgetd check",
        "widgetd admin set-password",
        "<script src=\"https://chat.acme.example/widget.js\" data-agent-id=\"acme\" async></script>",
    ] {
        assert!(told.contains(words), "{words} in\n{told}");
    }
    let toml = written(&folder);
    for line in [
        "id = \"acme\"",
        "name = \"Ada\"",
        "allowed_origins = [\"https://acme.example\", \"https://www.acme.example\"]",
        "greeting = \"Hallo! Wie kann ich helfen?\"",
        "public_url = \"https://chat.acme.example\"",
        "trusted_proxies = [\"127.0.0.1\"]",
        "folder = \"data\"",
    ] {
        assert!(toml.lines().any(|found| found == line), "{line} in\n{toml}");
    }
    assert!(toml.lines().count() < 70 && toml.lines().all(|line| line.chars().count() <= 130), "{toml}");
    assert_eq!(folder.path().join("widget.toml").metadata().unwrap().mode() & 0o777, 0o600);
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1, "nothing else is left");
}

#[test]
fn a_file_that_is_there_is_not_written_over_unless_it_must_be() {
    let folder = Folder::new();
    folder.write("widget.toml", "mine");
    let init = |more: &[&str]| run(&folder, &[&["init", "--site", "acme.example"], more].concat());
    let refused = init(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("--force"), "{}", text(&refused.stderr));
    assert_eq!(written(&folder), "mine");
    assert_eq!(init(&["--output", "other.toml"]).status.code(), Some(0));
    assert_eq!(written(&folder), "mine");
    assert!(text(&init(&["--output", "-"]).stdout).contains("[[agent]]"));
    assert_eq!(init(&["--force"]).status.code(), Some(0));
    assert!(written(&folder).contains("[[agent]]"));
}

#[test]
fn all_that_is_wrong_with_the_flags_is_told_at_once_and_nothing_is_written() {
    let folder = Folder::new();
    let flags = [
        ["--site", "https://"],
        ["--name", "a\nb"],
        ["--agent", "A B"],
        ["--language", "de_CH"],
        ["--public-url", "https://chat.acme.example/x"],
        ["--proxy", "here"],
        ["--model-url", "api.example.com"],
        ["--model", " "],
        ["--key-env", "sk-proj-Ab3dEfGh1jKlMn0pQrSt"],
    ]
    .concat();
    let output = run(&folder, &[&["init"], &flags[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    for words in [
        "--site: \"https://\" is not an origin",
        "--name: \"a\\nb\" must be one line",
        "--agent: \"A B\" is not an id; write \"a-b\"",
        "write \"de-CH\"",
        "write \"https://chat.acme.example\"",
        "--proxy: \"here\" is not an address",
        "--model-url: \"api.example.com\"",
        "--model: \" \" must not be empty",
        "--key-env: that seems to be a secret key of a model provider",
    ] {
        assert!(told.contains(words), "{words} in\n{told}");
    }
    assert!(!told.contains("sk-proj"), "{told}");
    assert!(!folder.path().join("widget.toml").exists());
    let nobody = run(&folder, &["init"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(text(&nobody.stderr).contains("--site"), "{}", text(&nobody.stderr));
}

#[test]
fn every_key_is_written_if_that_is_asked_for() {
    let folder = Folder::new();
    assert_eq!(run(&folder, &["init", "--full"]).status.code(), Some(0));
    let shipped = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/widget.toml")).unwrap();
    assert_eq!(written(&folder), shipped);
    assert_eq!(run(&folder, &["init", "--full", "--name", "Ada", "--force"]).status.code(), Some(2));
}

#[test]
fn a_person_is_asked_until_the_answer_will_do() {
    let folder = Folder::new();
    let mut terminal = Terminal::start(widgetd().current_dir(folder.path()).arg("init").env_remove("OPENAI_API_KEY"));
    terminal.answer("Your site", "acme");
    terminal.wait_for("\"acme\" is not the address of a site");
    terminal.answer("Your site", "www.acme.example");
    terminal.answer("https://acme.example? ", "maybe");
    terminal.wait_for("please answer yes or no");
    terminal.answer("[yes]: ", "");
    terminal.answer("What the agent is called [Acme]: ", "Ada \"the kite\"");
    terminal.answer("[acme]: ", "");
    terminal.answer("[en]: ", "de_CH");
    terminal.wait_for("write \"de-CH\"");
    terminal.answer("[en]: ", "de-CH");
    terminal.answer("(then the FAQ answers) [none]: ", "https://api.openai.com/v1");
    terminal.answer("gpt-4o-mini: ", "");
    terminal.wait_for("must not be empty");
    terminal.answer("gpt-4o-mini: ", "gpt-4o-mini");
    terminal.answer("[OPENAI_API_KEY]: ", "sk-proj-Ab3dEfGh1jKlMn0pQrSt");
    terminal.wait_for("seems to be a secret key");
    terminal.answer("[OPENAI_API_KEY]: ", "");
    terminal.answer("or none for now [none]: ", "https://chat.acme.example/");
    terminal.answer("[127.0.0.1]: ", "");
    terminal.answer("[data]: ", "");
    terminal.wait_for("export OPENAI_API_KEY=");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(0), "{shown}");
    let toml = written(&folder);
    for line in [
        "allowed_origins = [\"https://www.acme.example\", \"https://acme.example\"]",
        "name = \"Ada \\\"the kite\\\"\"",
        "language = \"de-CH\"",
        "key_env = \"OPENAI_API_KEY\"",
        "public_url = \"https://chat.acme.example\"",
        "trusted_proxies = [\"127.0.0.1\"]",
    ] {
        assert!(toml.lines().any(|found| found == line), "{line} in\n{toml}");
    }
    assert!(!toml.contains("sk-proj"));
    let check = widgetd().current_dir(folder.path()).arg("check").env("OPENAI_API_KEY", "k").output().unwrap();
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
}

#[test]
fn whoever_gives_up_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut terminal = Terminal::start(widgetd().current_dir(folder.path()).args(["init", "--site", "acme.example"]));
    // Ctrl-D.
    terminal.answer("What the agent is called", "\u{4}");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("nothing was written"), "{shown}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn flags_at_a_terminal_leave_only_the_other_questions() {
    let folder = Folder::new();
    let mut command = widgetd();
    command.current_dir(folder.path()).args(["init", "--site", "acme.example", "--name", "Ada", "--agent", "a"]);
    let mut terminal = Terminal::start(command.args(["--language", "en", "--public-url", "https://chat.acme.example"]));
    terminal.answer("(then the FAQ answers) [none]: ", "");
    terminal.answer("[data]: ", "");
    let (code, shown) = terminal.finish();
    assert_eq!((code, shown.matches("]: ").count()), (Some(0), 2), "{shown}");
    let asks_nothing = Terminal::start(widgetd().current_dir(folder.path()).args(["init", "--yes", "--force"]));
    assert_eq!(asks_nothing.finish().0, Some(2));
}

/// Runs a script with an /etc of its own, which has a widgetd folder.
fn with_own_etc(folder: &Folder, script: &str) -> Output {
    let prepare = "mount -t tmpfs tmpfs /mnt && cp --archive /etc/. /mnt && mkdir -p /mnt/widgetd && \
                   mount --bind /mnt /etc && umount --lazy /mnt";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &format!("{prepare} && {script}")]).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("W", BINARY);
    command.current_dir(folder.path()).output().unwrap()
}

#[test]
fn the_installed_configuration_is_found_where_there_is_none_in_the_folder() {
    let folder = Folder::new();
    folder.write("one.toml", "[[agent]]\nid = \"one\"\nname = \"One\"\n");
    let told = |script: &str| {
        let output = with_own_etc(&folder, script);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, nowhere) = told("$W check");
    assert_eq!(code, Some(2), "{nowhere}");
    for words in ["widget.toml: there is no such file", "/etc/widgetd/widget.toml", "`widgetd init`"] {
        assert!(nowhere.contains(words), "{words} in {nowhere}");
    }
    let installed = told("cp one.toml /etc/widgetd/widget.toml; $W check");
    assert!(installed.0 == Some(0) && installed.1.starts_with("/etc/widgetd/widget.toml is valid."), "{}", installed.1);
    let own = told("cp one.toml /etc/widgetd/widget.toml; mkdir x; cd x; cp ../one.toml widget.toml; $W check");
    assert!(own.0 == Some(0) && own.1.starts_with("widget.toml is valid."), "{}", own.1);
    // As `runuser -u widgetd` in root's folder.
    let closed = told(
        "cp one.toml /etc/widgetd/widget.toml; cp $W /etc/widgetd/program; chmod 755 /etc/widgetd; mkdir root; chmod 700 root; \
         cd root; setpriv --reuid 4711 --clear-groups /etc/widgetd/program check",
    );
    assert!(closed.0 == Some(0) && closed.1.starts_with("/etc/widgetd/widget.toml is valid."), "{}", closed.1);
    // What is named is taken, or nothing is.
    let named = told("cp one.toml /etc/widgetd/widget.toml; WIDGETD_CONFIG=no.toml $W check");
    assert!(named.0 == Some(2) && named.1.contains("no.toml"), "{}", named.1);
}

#[test]
fn a_file_that_root_makes_for_an_installed_server_can_be_read_by_it() {
    let folder = Folder::new();
    let script = "sed -i '/^widgetd:/d' /etc/group; echo 'widgetd:x:4711:' >> /etc/group; $W init --site acme.example >out; \
                  stat --format '%a %u %g %n' /etc/widgetd/*; grep ^folder /etc/widgetd/widget.toml; cat out";
    let output = with_own_etc(&folder, script);
    let told = text(&output.stdout);
    assert!(told.starts_with("640 0 4711 /etc/widgetd/widget.toml\nfolder = \"/var/lib/widgetd\"\n"), "{told}");
    assert!(told.contains("  widgetd check\n  # start it\n  widgetd\n"), "{told}{}", text(&output.stderr));
    // Beside a service, as its user.
    let script = "mkdir -p /etc/systemd/system; touch /etc/systemd/system/widgetd.service; $W init --site acme.example \
                  --model-url https://api.openai.com/v1 --model m --key-env MODEL_KEY";
    let told = text(&with_own_etc(&folder, script).stdout);
    for words in [
        "Write the key into /etc/widgetd/env: MODEL_KEY=",
        "(set -a; . /etc/widgetd/env; runuser -u widgetd -- widgetd check)\n",
        "systemctl enable --now widgetd widgetd-backup.timer\n",
        "runuser -u widgetd -- widgetd admin set-password\n",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
}

#[test]
fn a_server_starts_from_what_was_written() {
    let folder = Folder::new();
    assert_eq!(run(&folder, &["init", "--site", "http://localhost:3000"]).status.code(), Some(0));
    let toml = written(&folder);
    let server = Server::start(&toml, &[]);
    let mut connection = crate::support::client::Connection::open(server.address());
    let request =
        crate::support::client::Request::post("/v1/widget/init", &serde_json::json!({"agent_id": "localhost"}));
    let answer = connection.call(&request.origin("http://localhost:3000")).expect(200);
    assert_eq!(answer["agent"]["name"], "Localhost");
}
