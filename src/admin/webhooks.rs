//! What the owner's servers were told, and telling them again.

use askama::Template;

use super::page::{self, Inside, Section};
use super::{Ctx, Outcome, Refusal, show};
use crate::domain::id::DeliveryId;
use crate::store::{Delivery, Replayed};

/// The latest that are shown, and of those that were given up.
const ROWS: u32 = 100;

#[derive(Template)]
#[template(path = "webhooks.html")]
struct Page {
    page: Inside,
    webhooks: Vec<Webhook>,
    dead: Vec<Row>,
    /// Of all that were given up.
    dead_count: String,
    latest: Vec<Row>,
}

/// One of the configuration, without what is secret: an address of a chat tool is a key.
struct Webhook {
    name: String,
    events: String,
    agents: String,
    is_signed: bool,
}

struct Row {
    id: String,
    created: String,
    webhook: String,
    event: String,
    status: String,
    attempts: u32,
    /// When it is tried again, or when it ended.
    when: String,
    error: Option<String>,
}

pub(super) fn list(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let store = &ctx.admin.store;
    let webhooks = ctx.config.webhooks.iter().map(|webhook| Webhook {
        name: webhook.name.clone(),
        events: listed(webhook.events.iter().map(|event| event.as_str())),
        agents: if webhook.agents.is_empty() {
            "all".into()
        } else {
            listed(webhook.agents.iter().map(|agent| agent.as_str()))
        },
        is_signed: webhook.secret.is_some(),
    });
    page::html(&Page {
        page: Inside::new(ctx, Section::Webhooks, "Webhooks"),
        webhooks: webhooks.collect(),
        dead: store.webhook_deliveries(true, ROWS)?.into_iter().map(row).collect(),
        dead_count: show::number(store.dead_deliveries()?.into()),
        latest: store.webhook_deliveries(false, ROWS)?.into_iter().map(row).collect(),
    })
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn row(delivery: Delivery) -> Row {
    let when = match (delivery.ended_at, delivery.next_attempt_at) {
        (Some(ended), _) => show::time(ended),
        (None, Some(next)) if next.ms() > 0 => format!("again {}", show::time(next)),
        _ => "at once".into(),
    };
    Row {
        id: delivery.id.to_string(),
        created: show::time(delivery.created_at),
        webhook: delivery.webhook,
        event: delivery.occasion,
        status: delivery.status,
        attempts: delivery.attempts,
        when,
        error: delivery.last_error,
    }
}

pub(super) fn replay(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let id = ctx.parts.get(1).and_then(|text| DeliveryId::parse(text)).ok_or(Refusal::NotFound)?;
    match ctx.admin.store.replay_delivery(id).wait()? {
        Replayed::Yes => Ok(page::see_other("/admin/webhooks?done=replayed").into()),
        Replayed::NotDead => Err(Refusal::Form("That delivery is not given up: there is nothing to try again.")),
        Replayed::Unknown => Err(Refusal::NotFound),
    }
}

pub(super) fn replay_all(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    ctx.admin.store.replay_dead_deliveries().wait()?;
    Ok(page::see_other("/admin/webhooks?done=replayed").into())
}
