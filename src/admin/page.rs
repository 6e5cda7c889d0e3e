//! What all pages have around them, and the plain answers.

use askama::Template;
use rouille::Response;

use super::{Ctx, Outcome, Refusal, style};

/// The pages that stand in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Conversations,
    Leads,
    Webhooks,
    Retention,
}

impl Section {
    const ALL: [Self; 5] = [Self::Overview, Self::Conversations, Self::Leads, Self::Webhooks, Self::Retention];

    const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Conversations => "Conversations",
            Self::Leads => "Leads",
            Self::Webhooks => "Webhooks",
            Self::Retention => "Retention",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/admin",
            Self::Conversations => "/admin/conversations",
            Self::Leads => "/admin/leads",
            Self::Webhooks => "/admin/webhooks",
            Self::Retention => "/admin/retention",
        }
    }
}

/// The frame of a page for who is logged in.
pub(super) struct Inside {
    pub(super) title: String,
    section: Section,
    /// For the forms.
    pub(super) token: String,
    /// What was done by the form that led here.
    pub(super) notice: Option<&'static str>,
    pub(super) style: String,
    pub(super) icon: String,
}

impl Inside {
    pub(super) fn new(ctx: &Ctx<'_>, section: Section, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section,
            token: ctx.session.token(),
            notice: notice(ctx.query.text("done")),
            style: style::style_path(),
            icon: style::icon_path(),
        }
    }

    /// Name and path of each section, and whether the page is in it.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        Section::ALL.into_iter().map(|section| (section.name(), section.path(), section == self.section))
    }
}

/// What a form tells the page that it leads to. The words are here, not in the address: nobody can put others there.
fn notice(code: &str) -> Option<&'static str> {
    Some(match code {
        "saved" => "Saved.",
        "deleted" => "The conversation was deleted, with its messages and events.",
        "paused" => "The agent is paused: it asks no model until you resume it.",
        "resumed" => "The agent answers again.",
        "replayed" => "It is tried again at once.",
        _ => return None,
    })
}

/// The frame of a page for anybody.
pub(super) struct Outside {
    pub(super) title: &'static str,
    pub(super) style: String,
    pub(super) icon: String,
}

impl Outside {
    pub(super) fn new(title: &'static str) -> Self {
        Self { title, style: style::style_path(), icon: style::icon_path() }
    }
}

pub(super) fn html(template: &impl Template) -> Result<Outcome, Refusal> {
    Ok(Response::html(template.render()?).into())
}

/// To another page, which the browser gets (RFC 9110, section 15.4.4).
pub(super) fn see_other(path: &str) -> Response {
    Response { status_code: 303, ..Response::text("") }.with_additional_header("Location", path.to_owned())
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    page: Outside,
    text: &'a str,
    request_id: Option<&'a str>,
}

pub(super) fn error(status: u16, title: &'static str, text: &str, request_id: Option<&str>) -> Response {
    let error = ErrorPage { page: Outside::new(title), text, request_id };
    let response = error.render().map_or_else(|_| Response::text(title), Response::html);
    response.with_status_code(status)
}
