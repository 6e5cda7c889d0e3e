//! Everything at a glance.

use askama::Template;

use super::chart::{self, Chart};
use super::filter::{self, Agents};
use super::page::{self, Inside, Section};
use super::refused::{self, Advice};
use super::{Ctx, Outcome, Refusal, show, spending};
use crate::domain::money;
use crate::store::{DayRow, Overview, UnansweredQuestion};

/// Which numbers of days can be looked at.
const DAYS: [u32; 3] = [7, 30, 90];
const DAYS_DEFAULT: u32 = 30;
/// Questions without an answer; the list of conversations has the rest.
const UNANSWERED: usize = 10;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page<'a> {
    page: Inside,
    agents: Agents,
    /// The numbers of days, the address of each, and whether it is shown.
    days: Vec<(u32, String, bool)>,
    charts: Vec<Chart>,
    first: String,
    last: String,
    rows: Vec<Row>,
    overview: &'a Overview,
    funnel: Vec<Step>,
    spending: spending::Spending,
    refused: refused::Refused,
    unanswered: &'a [UnansweredQuestion],
    all_unanswered: String,
}

/// A day in the table.
struct Row {
    date: String,
    conversations: String,
    messages: String,
    leads: String,
    unanswered: String,
    tokens: String,
    cost: String,
    refused: String,
}

/// A step of the funnel.
struct Step {
    name: &'static str,
    count: u64,
    /// Of the first step.
    share: String,
    /// Of a hundred.
    width: u64,
}

pub(super) fn show(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let agent = filter::agent(&ctx.query);
    let asked = ctx.query.text("days").parse().ok();
    let days = asked.filter(|days| DAYS.contains(days)).unwrap_or(DAYS_DEFAULT);
    let overview = ctx.admin.store.overview(agent.as_ref(), ctx.now.day(), days)?;
    let choices =
        DAYS.map(|choice| (choice, ctx.query.with(&[("days", &choice.to_string()), ("done", "")]), choice == days));
    let date = |row: Option<&DayRow>| row.map(|row| show::date(row.day)).unwrap_or_default();
    let agent_id = agent.as_ref().map_or("", |agent| agent.as_str());
    page::html(&Page {
        page: Inside::new(ctx, Section::Overview, "Overview"),
        agents: Agents::of(ctx),
        days: choices.into(),
        charts: charts(ctx, &overview),
        first: date(overview.days.first()),
        last: date(overview.days.last()),
        rows: overview.days.iter().rev().map(|day| row(ctx, day)).collect(),
        funnel: funnel(&overview),
        spending: spending::of(ctx, agent.as_ref())?,
        refused: refused::of(ctx, &overview),
        unanswered: &overview.unanswered[..overview.unanswered.len().min(UNANSWERED)],
        all_unanswered: ctx.query.with(&[("unanswered", "1"), ("days", ""), ("done", ""), ("agent", agent_id)]),
        overview: &overview,
    })
}

fn charts(ctx: &Ctx<'_>, overview: &Overview) -> Vec<Chart> {
    let figures = |figure: fn(&DayRow) -> u64| overview.days.iter().map(figure).collect::<Vec<_>>();
    let currency = ctx.config.currency;
    vec![
        Chart::new("Conversations", &figures(|day| day.sums.conversations), show::number),
        Chart::new("Messages", &figures(|day| day.sums.messages), show::number),
        Chart::new("Leads", &figures(|day| day.sums.leads), show::number),
        Chart::new("Tokens", &figures(|day| day.sums.input_tokens + day.sums.output_tokens), show::number),
        Chart::new("Estimated cost", &figures(|day| show::unsigned(day.sums.cost_nanos)), |nanos| {
            money::show(nanos, currency)
        }),
    ]
}

fn row(ctx: &Ctx<'_>, day: &DayRow) -> Row {
    let sums = &day.sums;
    Row {
        date: show::date(day.day),
        conversations: show::number(sums.conversations),
        messages: show::number(sums.messages),
        leads: show::number(sums.leads),
        unanswered: show::number(sums.unanswered),
        tokens: show::number(sums.input_tokens + sums.output_tokens),
        cost: money::show(show::unsigned(sums.cost_nanos), ctx.config.currency),
        refused: show::number(sums.refused),
    }
}

fn funnel(overview: &Overview) -> Vec<Step> {
    let funnel = &overview.funnel;
    let counts = [
        ("Opened the widget", funnel.launcher_opened),
        ("Wrote a message", funnel.conversations),
        ("Saw the lead form", funnel.lead_form_opened),
        ("Left an address", funnel.leads),
    ];
    // Some write without opening it first, by a page's own button: the widest step is the whole.
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    counts
        .map(|(name, count)| Step {
            name,
            count,
            share: show::share(count, funnel.launcher_opened),
            width: chart::scaled(count, most),
        })
        .into()
}
