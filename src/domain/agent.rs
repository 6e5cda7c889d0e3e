//! An agent: one assistant on one owner's site, as `widget.toml` describes it.
//!
//! What a visitor's browser may know of it ([`Appearance`]) serialises under the contract's names; the rest stays here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::id::AgentId;
use crate::domain::money::Ceilings;
use crate::domain::origin::AllowedOrigins;

pub(crate) const STARTER_PROMPTS_MAX: usize = 6;
pub(crate) const RULES_MAX: usize = 20;
pub(crate) const FAQ_MAX: usize = 1000;
/// A card with more is not read.
pub(crate) const CARD_BUTTONS_MAX: usize = 2;

#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) appearance: Appearance,
    /// The appearance as JSON: written once, and sent with every conversation.
    pub(crate) published: Box<RawValue>,
    pub(crate) allowed_origins: AllowedOrigins,
    pub(crate) system_prompt: String,
    pub(crate) faq: Vec<Faq>,
    /// Said by the builtin model when nothing in the FAQ matches; empty: a sentence in the agent's language.
    pub(crate) unknown_answer: Option<String>,
    /// Names of models, asked in this order.
    pub(crate) models: Vec<String>,
    pub(crate) budget: Budget,
}

impl Agent {
    pub(crate) fn id(&self) -> &AgentId {
        &self.appearance.id
    }
}

impl Appearance {
    /// As a browser is told it.
    pub(crate) fn publish(&self) -> Box<RawValue> {
        // Nothing in it can fail to be written: no map has a key that is not a text.
        serde_json::value::to_raw_value(self).unwrap_or_default()
    }
}

/// The `agent` object of the contract (section 4): all that a browser is told.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Appearance {
    pub(crate) id: AgentId,
    pub(crate) name: String,
    /// A BCP 47 tag, such as `en` or `de-CH`.
    pub(crate) language: String,
    pub(crate) direction: Direction,
    pub(crate) greeting: String,
    pub(crate) starter_prompts: Vec<String>,
    pub(crate) theme: Theme,
    pub(crate) lead_form: LeadForm,
    pub(crate) rules: Vec<Rule>,
    /// Patterns of paths on which the widget does not appear.
    pub(crate) restricted_paths: Vec<String>,
    /// All that the widget says of its own accord, by key.
    pub(crate) strings: BTreeMap<&'static str, String>,
}

/// How the widget's own words are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    Ltr,
    Rtl,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Theme {
    /// Of the launcher and the panel's head, `#rrggbb`.
    pub(crate) color: String,
    /// Of what the visitor says and presses, `#rrggbb`.
    pub(crate) accent: String,
    pub(crate) mode: Mode,
    pub(crate) side: Side,
    /// 0–32.
    pub(crate) radius_px: u8,
    /// From the corner of the window, 0–200.
    pub(crate) offset_x_px: u8,
    pub(crate) offset_y_px: u8,
    /// Beside the launcher's icon; it may be empty.
    pub(crate) launcher_label: String,
    pub(crate) launcher_icon: Icon,
    /// The URL of a picture; none: the first letter of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) avatar: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Icon {
    Chat,
    Help,
    Spark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Auto,
    Light,
    Dark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Left,
    Right,
}

/// The form that asks for an address. Email is always asked and comes first.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeadForm {
    pub(crate) enabled: bool,
    pub(crate) title: String,
    pub(crate) submit_label: String,
    pub(crate) thanks: String,
    /// The sentence beside a box that must be ticked; none: no box.
    pub(crate) consent: Option<String>,
    pub(crate) fields: Vec<LeadField>,
}

/// `name`, `phone`, `company` and `message` are the lead's own members; any other key goes into its `fields`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeadField {
    pub(crate) key: String,
    pub(crate) label: String,
    #[serde(rename = "type")]
    pub(crate) kind: FieldKind,
    pub(crate) required: bool,
    /// Only of a `select`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) options: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FieldKind {
    Text,
    Tel,
    Textarea,
    Select,
}

/// When the widget does something of its own accord; evaluated in the page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rule {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) trigger: Trigger,
    #[serde(flatten)]
    pub(crate) action: Action,
    /// The highest of those that apply goes first.
    pub(crate) priority: i32,
    /// How often one visitor may see it, 1–100.
    pub(crate) max_per_visitor: u32,
    /// Patterns of the paths on which it applies; none: everywhere.
    pub(crate) paths: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "trigger", rename_all = "snake_case")]
pub(crate) enum Trigger {
    /// How far down the page, 1–100.
    Scroll { percent: u8 },
    /// Nothing was done for so long, 1–3600.
    Idle { seconds: u32 },
    /// The pointer leaves through the top of the window.
    ExitIntent,
    /// The page's path matches; `*` stands for any run of characters.
    Url { pattern: String },
    /// The visitor has sent so many messages, 1–100.
    Messages { count: u32 },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(crate) enum Action {
    /// Show this text beside the launcher.
    Nudge {
        text: String,
    },
    LeadForm,
    /// Show this beside the launcher, or in the conversation if that is open.
    Card {
        title: String,
        /// It may be empty.
        text: String,
        /// One or two.
        buttons: Vec<CardButton>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CardButton {
    pub(crate) label: String,
    #[serde(flatten)]
    pub(crate) does: Press,
}

/// What a card's button does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "does", rename_all = "snake_case")]
pub(crate) enum Press {
    /// Opens an address: absolute, or a path of the page's site.
    Url {
        url: String,
    },
    /// Says this for the visitor.
    Message {
        text: String,
    },
    LeadForm,
    Dismiss,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Faq {
    pub(crate) question: String,
    pub(crate) answer: String,
    pub(crate) url: Option<String>,
}

/// What conversations and the agent may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// The sliding window of the two conversation budgets.
    pub(crate) window: Duration,
    /// User messages of one conversation in the window.
    pub(crate) messages: u32,
    /// Model tokens of one conversation in the window.
    pub(crate) tokens: u64,
    /// Output tokens of one answer.
    pub(crate) answer_tokens: u32,
    /// For all conversations of the agent together.
    pub(crate) agent: Ceilings,
    /// Bytes of stored events of the agent in a UTC day.
    pub(crate) event_bytes_per_day: u64,
}

/// For tests: an agent with two FAQ entries.
#[cfg(test)]
pub(crate) fn sample() -> Agent {
    let faq = |question: &str, answer: &str| Faq { question: question.into(), answer: answer.into(), url: None };
    let appearance = Appearance {
        id: AgentId::parse("demo").unwrap(),
        name: "Demo".into(),
        language: "en".into(),
        direction: Direction::Ltr,
        greeting: String::new(),
        starter_prompts: Vec::new(),
        theme: Theme {
            color: "#000000".into(),
            accent: "#000000".into(),
            mode: Mode::Auto,
            side: Side::Right,
            radius_px: 0,
            offset_x_px: 0,
            offset_y_px: 0,
            launcher_label: String::new(),
            launcher_icon: Icon::Chat,
            avatar: None,
        },
        lead_form: LeadForm {
            enabled: false,
            title: String::new(),
            submit_label: String::new(),
            thanks: String::new(),
            consent: None,
            fields: Vec::new(),
        },
        rules: Vec::new(),
        restricted_paths: Vec::new(),
        strings: BTreeMap::new(),
    };
    Agent {
        published: appearance.publish(),
        appearance,
        allowed_origins: AllowedOrigins::default(),
        system_prompt: "Be brief.".into(),
        faq: vec![faq("Where are you?", "In Bremen."), faq("What does it cost?", "Nothing.")],
        unknown_answer: None,
        models: Vec::new(),
        budget: Budget {
            window: Duration::from_secs(86_400),
            messages: 60,
            tokens: 40_000,
            answer_tokens: 800,
            agent: Ceilings::default(),
            event_bytes_per_day: 1 << 28,
        },
    }
}
