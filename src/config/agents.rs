//! The `[[agent]]` tables.

use std::path::PathBuf;
use std::sync::Arc;

use toml::de::DeValue;

use crate::config::complaint::{Complaint, nearest};
use crate::config::models::{BUILTIN, MODELS_MAX, Models};
use crate::config::notes::{Notes, Place};
use crate::config::section::Section;
use crate::config::value::Value;
use crate::config::{Surroundings, budget, ceilings, lead_form, rules, strings, theme, urls};
use crate::domain::agent::{Agent, Appearance, Budget, Direction, FAQ_MAX, Faq, STARTER_PROMPTS_MAX};
use crate::domain::id::AgentId;
use crate::domain::money::Charge;
use crate::domain::origin::AllowedOrigins;

/// One process serves a handful of sites; lookups walk the list.
const AGENTS_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 80;
const GREETING_CHARS_MAX: usize = 1000;
/// What fits on a button.
const STARTER_PROMPT_CHARS_MAX: usize = 120;
/// Some 5 000 tokens, which are paid for with each message.
const SYSTEM_PROMPT_CHARS_MAX: usize = 20_000;
const UNKNOWN_ANSWER_CHARS_MAX: usize = 1000;
const QUESTION_CHARS_MAX: usize = 300;
const ANSWER_CHARS_MAX: usize = 4000;

pub(super) fn read(file: &Section, models: &Models, surroundings: &Surroundings) -> Vec<Arc<Agent>> {
    let budget = budget::read(&file.table("budget"), &budget::defaults());
    let value = file.get("agent");
    if is_absent_or_empty(&value) {
        let text = "there is no agent; write one: [[agent]], id = \"shop\", name = \"Shop\", \
                    allowed_origins = [\"https://www.example.com\"]";
        let notes = surroundings.notes;
        notes.complain_of_absence(value.place(), text.to_owned());
    }
    let mut ids = Vec::new();
    let mut agents = Vec::new();
    for table in file.tables("agent", AGENTS_MAX) {
        let value = table.get("id").required("id = \"shop\"");
        let id = value.parse(parse_id);
        if let Some(id) = &id {
            if ids.contains(id) {
                value.complain("is the id of another agent; write one of its own");
            }
            ids.push(id.clone());
        }
        agents.extend(read_one(&table, id, models, &budget, surroundings).map(Arc::new));
    }
    agents
}

/// None when something required is wrong.
fn read_one(
    table: &Section,
    id: Option<AgentId>,
    models: &Models,
    budget: &Budget,
    surroundings: &Surroundings,
) -> Option<Agent> {
    let name = table.get("name").required("name = \"Shop\"").line(NAME_CHARS_MAX);
    let language = table.get("language").parse(parse_language);
    let greeting = table.get("greeting").paragraphs(GREETING_CHARS_MAX);
    let starter_prompts = read_starter_prompts(&table.get("starter_prompts"));
    let allowed_origins = read_allowed_origins(&table.get("allowed_origins"), surroundings);
    let system_prompt = table.get("system_prompt").paragraphs(SYSTEM_PROMPT_CHARS_MAX);
    let unknown_answer = table.get("unknown_answer").paragraphs(UNKNOWN_ANSWER_CHARS_MAX);
    let chain = read_models(&table.get("models"), &models.names, surroundings);
    let theme = theme::read(&table.table("theme"));
    let lead_form = lead_form::read(&table.table("lead_form"));
    let rules = rules::read(table, lead_form.enabled);
    let restricted_paths = rules::read_paths(&table.get("restricted_paths"));
    let language = language.unwrap_or_else(|| "en".to_owned());
    let direction = table.get("direction").choice(&[("ltr", Direction::Ltr), ("rtl", Direction::Rtl)]);
    let strings = strings::read(&table.table("strings"), &language);
    let faq = read_faq(table);
    let budget = read_own_budget(&table.table("budget"), budget, models, &chain, surroundings);
    let appearance = Appearance {
        id: id?,
        name: name?,
        direction: direction.unwrap_or_else(|| direction_of(&language)),
        language,
        greeting: greeting.unwrap_or_else(|| "Hello! How can I help?".to_owned()),
        starter_prompts,
        theme,
        lead_form,
        rules,
        restricted_paths,
        strings,
    };
    Some(Agent {
        published: appearance.publish(),
        appearance,
        allowed_origins,
        system_prompt: system_prompt.unwrap_or_default(),
        faq,
        unknown_answer: unknown_answer.filter(|text| !text.is_empty()),
        models: chain,
        budget,
    })
}

fn read_own_budget(
    section: &Section,
    base: &Budget,
    models: &Models,
    chain: &[String],
    surroundings: &Surroundings,
) -> Budget {
    let budget = budget::read(section, base);
    // Tokens were looked at there.
    let answer = Charge { tokens: 0, ..models.dearest_answer(chain, budget.answer_tokens) };
    ceilings::check_room(section, &ceilings::OF_AGENT, &budget.agent, answer, surroundings.notes);
    budget
}

fn parse_id(text: &str) -> Result<AgentId, String> {
    AgentId::parse(text).map_err(|error| {
        let meant: String = text.trim().to_lowercase().replace(|c: char| c.is_whitespace() || c == '.', "-");
        match AgentId::parse(&meant) {
            Ok(meant) => format!("is not an id; write \"{meant}\""),
            Err(_) => format!("is not an id: {error}"),
        }
    })
}

/// RFC 5646, section 2.1, without its rarities: a language, and if need be a script and a region. Browsers refuse to put times
/// into words in a language whose tag is not well-formed, and an answer that failed would stay unexplained.
fn is_language_tag(text: &str) -> bool {
    let is = |subtag: &str, lengths: &[usize], fits: fn(&u8) -> bool| {
        lengths.contains(&subtag.len()) && subtag.as_bytes().iter().all(fits)
    };
    let mut subtags = text.split('-').peekable();
    let has_language = subtags.next().is_some_and(|subtag| is(subtag, &[2, 3], u8::is_ascii_alphabetic));
    subtags.next_if(|subtag| is(subtag, &[4], u8::is_ascii_alphabetic));
    subtags.next_if(|subtag| is(subtag, &[2], u8::is_ascii_alphabetic) || is(subtag, &[3], u8::is_ascii_digit));
    has_language && subtags.next().is_none()
}

fn parse_language(text: &str) -> Result<String, String> {
    let meant = text.trim().replace('_', "-");
    match (is_language_tag(text), is_language_tag(&meant)) {
        (true, _) => Ok(text.to_owned()),
        (false, true) => Err(format!("is not a language tag; write \"{meant}\"")),
        (false, false) => Err("is not a language tag; write one like \"en\", \"de-CH\" or \"pt-BR\"".to_owned()),
    }
}

/// Whether a language (RFC 5646) is written from right to left: by its script if it names one, else as it mostly is.
fn direction_of(language: &str) -> Direction {
    const SCRIPTS: [&str; 8] = ["adlm", "arab", "hebr", "mand", "nkoo", "rohg", "syrc", "thaa"];
    const LANGUAGES: [&str; 14] =
        ["ar", "arc", "ckb", "dv", "fa", "he", "iw", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"];
    let mut subtags = language.split('-').map(str::to_ascii_lowercase);
    let primary = subtags.next().unwrap_or_default();
    let script = subtags.find(|subtag| subtag.len() == 4 && subtag.bytes().all(|b| b.is_ascii_alphabetic()));
    let is_rtl = match script {
        Some(script) => SCRIPTS.contains(&script.as_str()),
        None => LANGUAGES.contains(&primary.as_str()),
    };
    if is_rtl { Direction::Rtl } else { Direction::Ltr }
}

fn read_starter_prompts(value: &Value) -> Vec<String> {
    let items = value.list(STARTER_PROMPTS_MAX).unwrap_or_default();
    items.iter().filter_map(|item| item.line(STARTER_PROMPT_CHARS_MAX)).collect()
}

fn read_allowed_origins(value: &Value, surroundings: &Surroundings) -> AllowedOrigins {
    let allowed = urls::allowed_origins(value);
    if allowed.any {
        let text = "[\"*\"] lets every site use this agent, at your cost; before going live, list your own";
        surroundings.notes.warn(value.place(), text);
    }
    if is_absent_or_empty(value) {
        let text = "is empty, so no page may use this agent; write the sites that show it, such as \
                    [\"https://www.example.com\"]";
        surroundings.notes.warn(value.place(), text);
    }
    allowed
}

fn is_absent_or_empty(value: &Value) -> bool {
    match value.found() {
        None => true,
        Some(DeValue::Array(array)) => array.is_empty(),
        Some(_) => false,
    }
}

/// The chain; when absent, every model in the file's order, then the builtin one.
fn read_models(value: &Value, known: &[String], surroundings: &Surroundings) -> Vec<String> {
    let builtin = BUILTIN.to_owned();
    let Some(items) = value.list(MODELS_MAX) else {
        return known.iter().cloned().chain([builtin]).collect();
    };
    if items.is_empty() {
        value.refuse("names no model; write [\"builtin\"], or leave the key out for all models");
    }
    let mut chain: Vec<String> = Vec::new();
    for item in items {
        let Some(name) = item.string() else { continue };
        let candidates = || known.iter().map(String::as_str).chain([BUILTIN]);
        if chain.iter().any(|before| before == name) {
            item.complain("stands here twice; take one out");
        } else if chain.contains(&builtin) {
            item.complain("is never asked after \"builtin\", which always answers; move it before that");
        } else if !candidates().any(|known| known == name) {
            let advice = match nearest(name, candidates()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("there is: {}", candidates().collect::<Vec<_>>().join(", ")),
            };
            let text = format!("{} is not the name of a [[model]]; {advice}", item.shown());
            surroundings.notes.complain_of_absence(item.place(), text);
        }
        chain.push(name.to_owned());
    }
    chain
}

fn read_faq(agent: &Section) -> Vec<Faq> {
    let read_entry = |table: Section| read_faq_entry(table.get("question"), table.get("answer"), &table.get("url"));
    agent.tables("faq", FAQ_MAX).into_iter().filter_map(read_entry).collect()
}

fn read_faq_entry(question: Value, answer: Value, url: &Value) -> Option<Faq> {
    let question = question.required("question = \"What does it cost?\"").line(QUESTION_CHARS_MAX);
    let value = answer.required("answer = \"Nothing.\"");
    let answer = value.paragraphs(ANSWER_CHARS_MAX);
    if answer.as_ref().is_some_and(String::is_empty) {
        value.refuse("is empty; write what the visitor should read");
    }
    let url = url.parse(urls::web_url);
    Some(Faq { question: question?, answer: answer?, url })
}

/// As if it stood in the file.
pub(super) fn judge_faq(question: &str, answer: &str, url: Option<&str>) -> Result<Faq, Vec<String>> {
    let notes = Notes::default();
    let found = [Some(question), Some(answer), url].map(|text| text.map(|text| DeValue::String(text.into())));
    let value =
        |index: usize, key: &str| Value::new(found[index].as_ref(), Place { key: key.to_owned(), offset: 0 }, &notes);
    let faq = read_faq_entry(value(0, "question"), value(1, "answer"), &value(2, "url"));
    let complaints = notes.conclude(PathBuf::new()).err().map(|complaints| complaints.list).unwrap_or_default();
    match faq {
        Some(faq) if complaints.is_empty() => Ok(faq),
        _ => Err(complaints.into_iter().map(|Complaint { key, text, .. }| format!("{key}: {text}")).collect()),
    }
}
