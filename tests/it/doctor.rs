//! `widgetd doctor URL`: each mistake is found, and gone once the line that it prints was followed.

mod output;
mod page;
mod proxy;
mod tls;

use std::path::PathBuf;

use serde_json::Value;

use crate::support::config::Config;
use crate::support::relay::{Habits, Relay};
use crate::support::server::widgetd;
use crate::support::site::Site;
use crate::support::web::{Told, Web};

/// A web site, a server with a good proxy before it, and everything as it should be.
struct Scene {
    web: Web,
    relay: Relay,
    site: Site,
}

impl Scene {
    fn start() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let (web, relay) = (Web::start(), Relay::start());
        let site = Site::with(|config| {
            config.text("server", "public_url", &relay.origin());
            config.set("server", "trusted_proxies", "[\"127.0.0.1\"]");
            config.agent("demo").origins(&[&web.origin()]);
            change(config);
        });
        relay.forward_to(Some(site.address()));
        let scene = Self { web, relay, site };
        scene.show(&scene.tag());
        scene
    }

    /// The tag that `check` prints.
    fn tag(&self) -> String {
        format!("<script src=\"{}/widget.js\" data-agent-id=\"demo\" async></script>", self.relay.origin())
    }

    /// Puts this into the page.
    fn show(&self, html: &str) {
        self.web.tell("/", Told::html(&page_with(html)));
    }

    fn config_file(&self) -> PathBuf {
        self.site.server.data().parent().expect("its folder").join("widget.toml")
    }

    /// The same beside the running server, which does not hear of it.
    fn write_config(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.site.config);
        std::fs::write(self.config_file(), self.site.config.to_toml()).expect("a file in the scratch folder");
    }

    /// Changes the configuration of the running server too.
    fn reload(&mut self, change: impl FnOnce(&mut Config)) {
        self.site.reload(change);
        self.site.server.wait_for_line("widget.toml reloaded");
    }

    /// Follows a line such as `allowed_origins = […]` of a finding.
    fn follow(&mut self, key: &'static str, line: &str) {
        let value = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(" = ")).expect("a line with that key");
        self.reload(|config| {
            config.agent("demo").set(key, value);
        });
    }

    fn ask(&self, url: &str) -> Report {
        self.ask_with(url, &[])
    }

    fn ask_with(&self, url: &str, arguments: &[&str]) -> Report {
        let output = self.run(&[&["doctor", url, "--json"], arguments].concat());
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let document = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
        Report { document, code: output.status.code().expect("an exit code") }
    }

    /// The command, beside this server's configuration.
    fn run(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = widgetd();
        command.args(arguments).arg("--config").arg(self.config_file());
        command.arg("--listen").arg(self.site.address().to_string()).output().expect("widgetd runs")
    }

    /// Of the page at `/`.
    fn diagnosis(&self) -> Report {
        self.ask(&self.web.origin())
    }

    fn behave(&self, habits: Habits) {
        self.relay.behave(habits);
    }
}

fn page_with(html: &str) -> String {
    format!("<!doctype html><html><head><title>Shop</title></head><body><h1>Shop</h1>{html}</body></html>")
}

/// What the command printed with `--json`.
struct Report {
    document: Value,
    code: i32,
}

impl Report {
    fn ids(&self) -> Vec<&str> {
        let findings = self.document["findings"].as_array().expect("findings");
        findings.iter().map(|finding| finding["id"].as_str().expect("an id")).collect()
    }

    /// The lines of the one finding that there must be, which stops the widget if its severity is `error`.
    #[track_caller]
    fn only(&self, id: &str, severity: &str) -> Vec<String> {
        assert_eq!(self.ids(), [id], "{:#}", self.document);
        let finding = &self.document["findings"][0];
        assert_eq!(finding["severity"], severity, "{finding:#}");
        assert_eq!(self.code, i32::from(severity == "error"), "{finding:#}");
        assert!(finding["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{finding:#}");
        let lines = finding["lines"].as_array().expect("lines");
        lines.iter().map(|line| line.as_str().expect("a line").to_owned()).collect()
    }

    #[track_caller]
    fn healthy(&self) {
        assert_eq!((self.ids(), self.code), (vec![], 0), "{:#}", self.document);
    }
}
