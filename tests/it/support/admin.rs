//! The owner at the admin page: a password, a browser's cookie, forms.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Output, Stdio};

use super::client::{Connection, Request, Response};
use super::server::{Server, widgetd};
use super::site::Site;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// `widgetd admin set-password` beside a running server, with this on its standard input.
pub(crate) fn set_password(server: &Server, password: &str) -> Output {
    let data = server.data();
    let mut child = widgetd()
        .args(["admin", "set-password", "--config"])
        .arg(data.with_file_name("widget.toml"))
        .arg("--data")
        .arg(&data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("widgetd starts");
    let mut input = child.stdin.take().expect("piped");
    writeln!(input, "{password}").expect("a line");
    drop(input);
    child.wait_with_output().expect("an exit status")
}

/// Somebody's browser.
pub(crate) struct Owner {
    address: SocketAddr,
    /// More headers of each request.
    headers: Vec<(&'static str, String)>,
    /// As it is sent: `NAME=VALUE`.
    pub(crate) cookie: Option<String>,
}

impl Owner {
    /// Sets the password and logs in.
    #[track_caller]
    pub(crate) fn of(site: &Site) -> Self {
        let output = set_password(&site.server, PASSWORD);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut owner = Self::at(site.address());
        owner.logs_in();
        owner
    }

    /// The server was started again.
    pub(crate) fn moves_to(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// Not logged in.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, headers: Vec::new(), cookie: None }
    }

    /// Another client that shows the same cookie.
    pub(crate) fn same(&self) -> Self {
        Self { cookie: self.cookie.clone(), ..Self::at(self.address) }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    #[track_caller]
    pub(crate) fn logs_in(&mut self) {
        let answer = self.log_in(PASSWORD);
        assert_eq!(answer.status, 303, "{}", answer.text());
    }

    /// Sends the login form, and keeps the cookie that comes.
    pub(crate) fn log_in(&mut self, password: &str) -> Response {
        let answer = self.send("POST", "/admin/login", Some(&[("password", password)]));
        if let Some(cookie) = answer.header("Set-Cookie") {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        answer
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        self.send("GET", target, None)
    }

    /// The page, which must be there.
    #[track_caller]
    pub(crate) fn page(&self, target: &str) -> String {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.text()
    }

    /// A form of `page`, with the token that stands there.
    #[track_caller]
    pub(crate) fn post_from(&self, page: &str, target: &str, fields: &[(&str, &str)]) -> Response {
        let token = token(&self.page(page));
        let fields: Vec<_> = [("token", token.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.send("POST", target, Some(&fields))
    }

    pub(crate) fn send(&self, method: &str, target: &str, fields: Option<&[(&str, &str)]>) -> Response {
        let mut request = Request::new(method, target);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("Cookie", cookie);
        }
        if let Some(fields) = fields {
            let mut body = url::form_urlencoded::Serializer::new(String::new());
            body.extend_pairs(fields);
            request = request.header("Content-Type", "application/x-www-form-urlencoded").body(body.finish());
        }
        Connection::open(self.address).call(&request)
    }
}

/// The hidden field of a page's forms.
#[track_caller]
pub(crate) fn token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"token\" value=\"").expect("a form with a token");
    rest.split('"').next().expect("a value").to_owned()
}
