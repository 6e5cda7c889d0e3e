//! Why does the widget not show on a site? Looks at the page as a browser would, at the server by the address that visitors use,
//! and at what stands between; each thing that is wrong is told with the line that mends it.
//!
//! `tokens` and `markup` read the page. Findings are made beside what finds them: `tag`, `integrity`, `policy` and `csp` judge the
//! page's text, `place` and `settings` `widget.toml`; these are pure. `page`, `server`, `cors` and `stream` make calls through
//! `fetch`. It stores nothing anywhere.

mod clocks;
mod cors;
mod csp;
mod fetch;
mod finding;
mod integrity;
mod local;
mod markup;
mod page;
mod paths;
mod place;
mod policy;
mod server;
mod settings;
mod stream;
mod tag;
mod tokens;

use url::Url;

use crate::config::Config;
use crate::domain::agent::Agent;
use crate::domain::origin::{Origin, Received};

pub(crate) use fetch::Caller;
pub(crate) use finding::{Finding, Report, Severity};
pub(crate) use place::origin as judge_origin;
pub(crate) use settings::findings as judge_settings;

use markup::Markup;
use page::Page;
use policy::Policies;
use server::Subject;
use tag::{Known, Tag};

/// What is to be looked at.
pub(crate) struct Case<'a> {
    pub(crate) config: &'a Config,
    /// The origins that are this server's own.
    pub(crate) own: &'a [Origin],
    pub(crate) page: &'a Url,
    /// That the page should ask for; none: whichever it does.
    pub(crate) agent: Option<&'a Agent>,
}

/// Looks at all of it.
pub(crate) fn examine(case: &Case<'_>, caller: &Caller) -> Report {
    let mut report = Report::default();
    let fetched = page::fetch(caller, case.page, &mut report);
    let url = match &fetched {
        Ok(page) => page.url.clone(),
        Err(url) => url.clone(),
    };
    url.as_str().clone_into(&mut report.page);
    let guess = case.server();
    let markup = fetched.as_ref().ok().map(|page| Markup::parse(&page.html()));
    let tag = markup.as_ref().and_then(|markup| case.judge_tag(markup, &url, &guess, &mut report));
    report.has_tag = tag.is_some();
    if fetched.as_ref().is_ok_and(|page| !page.is_whole()) {
        report.findings.iter_mut().for_each(tag::of_a_part);
    }
    let origin = Origin::of_page(&url);
    let agent = case.agent(tag.as_ref(), &origin);
    report.agent = Some(agent.id().to_string());
    let in_the_way = [place::origin(agent, &origin, case.own, case.config), place::path(agent, &url)];
    if in_the_way.iter().all(Option::is_none) {
        report.fine(format!("agent \"{}\" may be on this page", agent.id()));
    }
    let is_allowed = in_the_way[0].is_none();
    report.findings.extend(in_the_way.into_iter().flatten());
    if let (Ok(page), Some(markup), Some(tag)) = (&fetched, &markup, &tag) {
        judge_policies(page, markup, tag, agent, &mut report);
    }
    report.findings.extend(settings::of_server(case.config));
    if tag.is_none() && case.config.public_url.is_none() && !local::is_loopback(&url) {
        report.findings.extend(settings::unknown_to_visitors(case.config));
    }
    // Where the page itself is refused, what else might be is of no interest.
    report
        .findings
        .extend(settings::of_agent(agent).into_iter().filter(|it| is_allowed || it.severity != Severity::Note));
    case.judge_server(&guess, tag.as_ref(), agent, &origin, caller, &mut report);
    report.findings.sort_by_key(|finding| finding.severity);
    report
}

impl Case<'_> {
    /// The address of the server as far as `widget.toml` tells it: the public one, else where it listens.
    fn server(&self) -> Origin {
        let public = self.config.public_url.clone();
        let listens = || Origin::parse(&stream::listens_on(self.config.http.listen)).ok();
        public.or_else(listens).unwrap_or_else(|| Origin::of_page(self.page))
    }

    fn judge_tag(&self, markup: &Markup, url: &Url, server: &Origin, report: &mut Report) -> Option<Tag> {
        let own: Vec<_> = self.own.iter().chain([server]).cloned().collect();
        let known = Known {
            server,
            is_public: self.config.public_url.is_some(),
            own: &own,
            agents: self.config.agents.iter().map(|agent| agent.id().as_str()).collect(),
            wanted: self.agent.map(|agent| agent.id().as_str()),
        };
        let before = report.findings.len();
        let tag = tag::judge(markup, url, &known, &mut report.findings);
        if report.findings.len() == before {
            report.fine("the page has the tag, and it is right");
        }
        tag
    }

    /// The agent that is meant: the caller's, the tag's, else the first that may be there, else the first.
    fn agent(&self, tag: Option<&Tag>, origin: &Origin) -> &Agent {
        let of_tag = || tag.and_then(|tag| self.config.agent(tag.agent.as_deref()?)).map(|agent| &**agent);
        let allows = |agent: &&Agent| agent.allowed_origins.allow(&Received::Origin(origin.clone()), self.own);
        let mut all = self.config.agents.iter().map(|agent| &**agent);
        let first = &self.config.agents[0];
        self.agent.or_else(of_tag).or_else(|| all.find(allows)).unwrap_or(first)
    }

    /// By the address in the tag, where `widget.toml` has none.
    fn judge_server(
        &self,
        guess: &Origin,
        tag: Option<&Tag>,
        agent: &Agent,
        page: &Origin,
        caller: &Caller,
        report: &mut Report,
    ) {
        let of_tag = tag.map(|tag| tag::origin(&tag.url)).filter(|_| self.config.public_url.is_none());
        let base = of_tag.as_ref().unwrap_or(guess);
        base.as_str().clone_into(&mut report.server);
        let allows = |origin: &&Origin| agent.allowed_origins.allow(&Received::Origin((*origin).clone()), self.own);
        let listed = [page].into_iter().chain(&agent.allowed_origins.exact).chain(self.own);
        let origin = listed.into_iter().find(allows);
        let subject = Subject { caller, config: self.config, base, agent, origin: origin.unwrap_or(page) };
        if !server::is_reached(&subject, report) {
            return;
        }
        server::judge_state(&subject, report);
        server::judge_script(&subject, tag, report);
        if origin.is_some() && server::knows(&subject, report) {
            cors::judge(&subject, report);
            stream::judge(&subject, report);
        }
    }
}

fn judge_policies(page: &Page, markup: &Markup, tag: &Tag, agent: &Agent, report: &mut Report) {
    let policies = Policies::new(
        &page.answer.lines("content-security-policy"),
        &page.answer.lines("content-security-policy-report-only"),
        &markup.policies,
    );
    let avatar = agent.appearance.theme.avatar.as_deref().and_then(|avatar| Url::parse(avatar).ok());
    let found = policies.judge(tag, &page.url, avatar.as_ref());
    if found.is_empty() && !policies.is_empty() {
        report.fine("the page's Content-Security-Policy lets the widget be");
    }
    report.findings.extend(found);
}
