//! Coming in and going out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use rouille::{Request as Http, Response};

use super::session::{LIFETIME, Session, no_cookie};
use super::{Admin, Ctx, Form, Outcome, Refusal, Reply, page, password, public, routes, secure};
use crate::clock;
use crate::config::Config;
use crate::http::{Permit, Request, Rest, address_key};
use crate::limiter::Verdict;
use crate::metrics;

/// How long to wait for another's hash, which takes some 20 ms.
const HASHING_WAIT: Duration = Duration::from_secs(1);
/// Stands for "everybody" where a limit is counted by a key.
const ALL: () = ();

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    page: page::Outside,
    next: &'a str,
    complaint: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "onward.html")]
struct Onward<'a> {
    page: page::Outside,
    to: &'a str,
}

/// What is shown instead of a page to who has no session.
pub(super) fn ask(http: &Http, parts: &[&str]) -> Result<Response, Refusal> {
    if http.method() != "GET" && http.method() != "HEAD" {
        return Err(Refusal::Forged);
    }
    let url = http.raw_url();
    if let ["login"] = parts {
        let next = Form::parse(http.raw_query_string().as_bytes());
        return form(200, safe(next.text("next")), None);
    }
    if http.header("Sec-Fetch-Site") == Some("cross-site") {
        // Who follows a link from a mail or a chat is logged in and shows no cookie (`SameSite=Strict`). The same request
        // from a page of our own has it.
        let onward = Onward { page: page::Outside::new("Opening the page"), to: url };
        return Ok(Response::html(onward.render()?));
    }
    let known = routes::find("GET", parts).is_ok();
    let next = if known && !parts.is_empty() { Form::default().with(&[("next", url)]) } else { String::new() };
    Ok(page::see_other(format!("/admin/login?{next}").trim_end_matches('?')))
}

fn form(status: u16, next: &str, complaint: Option<&'static str>) -> Result<Response, Refusal> {
    let form = Login { page: page::Outside::new("Log in"), next, complaint };
    Ok(Response::html(form.render()?).with_status_code(status))
}

/// Where to go on: a page of this room, never another site.
fn safe(next: &str) -> &str {
    let is_ours = next.strip_prefix(super::ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !next.contains("//");
    if is_ours && is_plain { next } else { "" }
}

/// Compares the password, on a thread that others do not wait for.
pub(super) fn attempt(admin: &Arc<Admin>, config: &Config, request: &Request, reply: Reply) -> Option<Rest> {
    const NAME: &str = "/admin/login";
    let attempt = match Attempt::begin(admin, config, request) {
        Ok(attempt) => attempt,
        Err(refusal) => {
            if matches!(refusal, Refusal::Limited { .. }) {
                metrics::requests().refused_by_limit("admin-login");
            }
            reply.send(NAME, Err(refusal));
            return None;
        }
    };
    Some(Box::new(move || reply.send(NAME, attempt.finish())))
}

/// An attempt that counts as failed until it has succeeded.
struct Attempt {
    admin: Arc<Admin>,
    client: IpAddr,
    is_tls: bool,
    password: String,
    next: String,
    /// One hash at a time: each takes 19 MiB.
    _permit: Permit,
}

impl Attempt {
    fn begin(admin: &Arc<Admin>, config: &Config, request: &Request) -> Result<Self, Refusal> {
        let http = &request.http;
        secure::check_origin(http, public(config))?;
        let form = Form::of_body(request)?;
        let client = http.remote_addr().ip();
        let now = clock::monotonic();
        if let Verdict::Refused { wait } = admin.failed_by_address.check(&address_key(client), now) {
            return Err(Refusal::Limited { wait });
        }
        if let Verdict::Refused { wait } = admin.failed.check(&ALL, now) {
            admin.failed_by_address.give_back(&address_key(client));
            return Err(Refusal::Limited { wait });
        }
        // Last, so that who may not try keeps nobody from it.
        let Some(permit) = admin.hashing.try_take() else {
            admin.failed_by_address.give_back(&address_key(client));
            admin.failed.give_back(&ALL);
            return Err(Refusal::Limited { wait: HASHING_WAIT });
        };
        Ok(Self {
            admin: admin.clone(),
            client,
            is_tls: secure::is_tls(http, public(config)),
            password: form.text("password").to_owned(),
            next: safe(form.text("next")).to_owned(),
            _permit: permit,
        })
    }

    fn finish(self) -> Result<Response, Refusal> {
        const WRONG: &str = "That is not the password.";
        let stored = self.admin.store.admin_password()?.ok_or(Refusal::NotFound)?;
        let is_short_enough = self.password.len() <= 4 * password::CHARS_MAX;
        if !is_short_enough || !password::is_right(&self.password, &stored)? {
            tracing::warn!("admin page: a wrong password");
            return form(403, &self.next, Some(WRONG));
        }
        let session = Session::new();
        let begun = self.admin.store.begin_admin_session(session.hash(), stored, clock::now(), LIFETIME).wait()?;
        if !begun {
            return form(403, &self.next, Some("The password was changed just now."));
        }
        self.admin.failed_by_address.give_back(&address_key(self.client));
        self.admin.failed.give_back(&ALL);
        tracing::info!("admin page: logged in");
        let to = if self.next.is_empty() { super::ROOT } else { &self.next };
        Ok(page::see_other(to).with_additional_header("Set-Cookie", session.cookie(self.is_tls)))
    }
}

pub(super) fn leave(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    ctx.admin.store.end_admin_session(ctx.session.hash()).wait()?;
    let gone = page::see_other("/admin/login").with_additional_header("Set-Cookie", no_cookie(ctx.is_tls));
    Ok(gone.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_logging_in_nobody_is_sent_to_another_site() {
        for good in ["/admin", "/admin/leads", "/admin/leads?q=a&agent=b", "/admin?days=7"] {
            assert_eq!(safe(good), good);
        }
        for bad in [
            "",
            "/",
            "//evil.example",
            "https://evil.example",
            "/administrator",
            "/admin//evil.example",
            "/admin/\\evil",
            "/admin/\r\nX: y",
            "/admin/ä",
        ] {
            assert_eq!(safe(bad), "", "{bad:?}");
        }
    }
}
