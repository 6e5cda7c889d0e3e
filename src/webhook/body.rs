//! What is posted: the event as it was stored, or made into a message that people read in a chat. Pure.

use serde_json::{Value, json};

use super::Format;

/// Of one line of a message. Chat tools cut what is longer than some thousands, some refuse it.
const LINE_CHARS_MAX: usize = 500;
/// The members of a lead that have a line of their own, and what it begins with.
const LINES: [(&str, &str); 5] =
    [("name", "Name"), ("phone", "Phone"), ("company", "Company"), ("message", "Message"), ("page_url", "Page")];

/// `payload` is the stored JSON.
pub(super) fn body(format: Format, payload: &str) -> String {
    match format {
        Format::Json => payload.to_owned(),
        Format::Slack => json!({ "text": text(&serde_json::from_str(payload).unwrap_or_default()) }).to_string(),
    }
}

/// The message, with what visitors wrote escaped as Slack wants it: else it could call everybody in the channel.
fn text(event: &Value) -> String {
    let agent = escaped(&event["agent_id"]);
    let lines = match event["type"].as_str() {
        Some("lead.captured") => lead_lines(format!("New lead ({agent})"), &event["lead"]),
        Some("lead.updated") => lead_lines(format!("Lead updated ({agent})"), &event["lead"]),
        Some("conversation.unanswered") => {
            let mut lines = vec![format!("Unanswered question ({agent}): {}", escaped(&event["question"]))];
            lines.push(format!("Answered: {}", escaped(&event["answer"])));
            lines.extend(line("Page", &event["page"]["url"]));
            lines
        }
        _ => vec![format!("widgetd can reach this channel: a test of the webhook {}", escaped(&event["webhook"]))],
    };
    lines.join("\n")
}

fn lead_lines(title: String, lead: &Value) -> Vec<String> {
    let mut lines = vec![format!("{title}: {}", escaped(&lead["email"]))];
    lines.extend(LINES.iter().filter_map(|(member, label)| line(label, &lead[*member])));
    let fields = lead["fields"].as_object().into_iter().flatten();
    lines.extend(fields.filter_map(|(key, value)| line(&escaped(&Value::from(key.as_str())), value)));
    lines.extend(lead["consent"].as_bool().map(|given| format!("Consent: {}", if given { "yes" } else { "no" })));
    lines
}

/// None for what is not there.
fn line(label: &str, value: &Value) -> Option<String> {
    let value = escaped(value);
    (!value.is_empty()).then(|| format!("{label}: {value}"))
}

/// One line of text, cut where it is too long, with the three characters that Slack gives a meaning
/// (<https://docs.slack.dev/messaging/formatting-message-text#escaping>) made harmless.
fn escaped(value: &Value) -> String {
    let line = value.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut chars = line.chars();
    let mut cut: String = chars.by_ref().take(LINE_CHARS_MAX).collect();
    if chars.next().is_some() {
        cut.push('…');
    }
    let escaped = cut.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    without_mentions(&escaped)
}

/// Mattermost takes a bare `@here` for a call, too. With a character of no width in it, it is none; an email address stays.
fn without_mentions(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        harmless.push(c);
        if c == '@' && !before.is_alphanumeric() {
            harmless.push('\u{200b}');
        }
        before = c;
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(event: &Value) -> String {
        let body: Value = serde_json::from_str(&body(Format::Slack, &event.to_string())).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1);
        body["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn json_is_posted_as_it_was_stored() {
        assert_eq!(body(Format::Json, r#"{ "b":1,"a":2}"#), r#"{ "b":1,"a":2}"#);
    }

    #[test]
    fn a_lead_is_a_message_of_what_is_known() {
        let lead = json!({"email": "ann@example.com", "name": "Ann", "phone": null, "company": null,
            "message": "Call me.\nAfter six.", "fields": {"size": "10"}, "consent": true, "page_url": "https://a.example/?b&c"});
        assert_eq!(
            said(&json!({"type": "lead.captured", "agent_id": "shop", "lead": lead})),
            "New lead (shop): ann@example.com\nName: Ann\nMessage: Call me. After six.\n\
             Page: https://a.example/?b&amp;c\nsize: 10\nConsent: yes"
        );
        let update = json!({"type": "lead.updated", "agent_id": "shop", "lead": {"email": "ann@example.com"}});
        assert_eq!(said(&update), "Lead updated (shop): ann@example.com");
    }

    #[test]
    fn a_question_is_a_message_with_its_answer() {
        let event = json!({"type": "conversation.unanswered", "agent_id": "shop", "question": "Do you ship to Mars?",
            "answer": "I do not know.", "page": {"url": null}});
        assert_eq!(said(&event), "Unanswered question (shop): Do you ship to Mars?\nAnswered: I do not know.");
        let test = json!({"type": "webhook.test", "webhook": "team"});
        assert!(said(&test).contains("a test of the webhook team"));
    }

    #[test]
    fn a_visitor_can_neither_call_the_channel_nor_forge_a_line() {
        let lead = json!({"email": "ann@example.com", "message": "<!channel> <https://evil.example|our shop> &lt;\nName: Bob",
            "fields": {"<!here>\nName": "x"}});
        let text = said(&json!({"type": "lead.captured", "agent_id": "shop", "lead": lead}));
        assert_eq!(
            text,
            "New lead (shop): ann@example.com\n\
             Message: &lt;!channel&gt; &lt;https://evil.example|our shop&gt; &amp;lt; Name: Bob\n\
             &lt;!here&gt; Name: x"
        );
        let call =
            json!({"type": "conversation.unanswered", "question": "@here (@all) ann@all.example", "agent_id": "shop"});
        let expected = "Unanswered question (shop): @\u{200b}here (@\u{200b}all) ann@all.example\nAnswered: ";
        assert_eq!(said(&call), expected);
        let long = json!({"type": "lead.captured", "agent_id": "shop", "lead": {"email": "é".repeat(501)}});
        assert_eq!(said(&long), format!("New lead (shop): {}…", "é".repeat(500)));
    }
}
